--- Finds the server's command and the `midfill` command.
--- Rules: the option `cmd` first; then what stands on PATH; then the virtual environment that `make setup` puts
--- beside this folder; then that of `:Midfill install`. `lsp_server` alone is too common a name: on PATH it counts
--- only beside a `midfill`.

local config = require('midfill.config')

local M = {}

--- What to do when nothing is found.
M.REMEDY = "midfill's server was not found. `:Midfill install` makes it an environment of its own; or install midfill "
  .. 'so that `midfill` is on PATH, or say where it is: '
  .. "require('midfill').setup({ cmd = { '/path/to/midfill/.venv/bin/lsp_server', '--stdio' } })"

local function executable(path)
  return path ~= '' and vim.fn.executable(path) == 1 and path or nil
end

--- A command that stands beside another one, whose links are followed (pipx and uv put links on PATH).
local function beside(path, name)
  local real = path and vim.uv.fs_realpath(path)
  for _, candidate in ipairs({ path, real }) do
    local found = executable(vim.fs.joinpath(vim.fs.dirname(candidate), name))
    if found then
      return found
    end
  end
end

--- The checkout that this plugin is part of, or nil.
function M.checkout()
  local source = debug.getinfo(1, 'S').source:sub(2)
  local plugin = vim.fs.dirname(vim.fs.dirname(vim.fs.dirname(vim.uv.fs_realpath(source) or source)))
  return vim.fs.dirname(plugin)
end

--- What `:Midfill install` makes.
function M.environment()
  return vim.fs.joinpath(vim.fn.stdpath('data'), 'midfill')
end

--- The server's command as a list (or the function that the user gave), or nil.
function M.server()
  local cmd = config.current.cmd
  if cmd then
    return (type(cmd) == 'function' or executable(cmd[1])) and cmd or nil
  end
  local midfill = executable(vim.fn.exepath('midfill'))
  local found = beside(midfill, 'lsp_server')
    or executable(vim.fs.joinpath(M.checkout(), '.venv', 'bin', 'lsp_server'))
    or executable(vim.fs.joinpath(M.environment(), 'bin', 'lsp_server'))
  return found and { found, '--stdio' }
end

--- The `midfill` command's path, or nil. It belongs to the same installation as the server.
function M.cli()
  local server = M.server()
  local path = type(server) == 'table' and beside(vim.fn.exepath(server[1]), 'midfill')
  return path or executable(vim.fn.exepath('midfill'))
end

return M
