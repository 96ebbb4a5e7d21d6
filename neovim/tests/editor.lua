--- A Neovim of its own for one test: keys go in as a user's, the state is read back.
--- Rules: nothing sleeps for a fixed time; `eventually` looks again until what is expected is true, or tells what
--- was. `name` stands for the code then.

local M = {}

local HERE = vim.fs.dirname(vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p'))
local TIMEOUT_MS, STEP_MS = 4000, 5

local Editor = {}
Editor.__index = Editor

--- Start one with a file of `lines`; "|" says where the cursor is. `options`: filename, format, before_setup (Lua),
--- keys.
function M.start(lines, options)
  options = options or {}
  local job = vim.fn.jobstart(
    { vim.v.progpath, '--embed', '--headless', '--clean', '-n' },
    { rpc = true, env = { NVIM_LOG_FILE = '/dev/null' } }
  )
  local self = setmetatable({ job = job }, Editor)
  self:lua(
    [[
    local here, lines, options = ...
    vim.opt.runtimepath:append(vim.fs.dirname(here))
    vim.opt.swapfile, vim.opt.shada = false, ''
    package.path = here .. '/?.lua;' .. package.path
    fake = require('fake_server')
    fake.encoding = options.encoding or 'utf-16'
    vim.fn.mkdir(vim.fs.dirname(options.filename), 'p')
    vim.cmd.edit(options.filename)
    vim.bo.fileformat = options.format or 'unix'
    local row, col
    for index, line in ipairs(lines) do
      local at = line:find('|', 1, true)
      if at then
        row, col = index, at - 1
        lines[index] = line:sub(1, at - 1) .. line:sub(at + 1)
      end
    end
    vim.api.nvim_buf_set_lines(0, 0, -1, false, lines)
    assert(loadstring(options.before_setup or ''))()
    local setup = vim.tbl_extend('force', { cmd = fake.connect, log_file = false }, options.setup or {})
    require('midfill').setup(setup)
    vim.cmd.runtime('plugin/midfill.lua')
    vim.api.nvim_win_set_cursor(0, { row or 1, col or 0 })
  ]],
    HERE,
    lines,
    vim.tbl_extend('keep', options, { filename = vim.fs.joinpath(vim.fn.tempname(), 'file.txt') })
  )
  return self
end

--- Run Lua in it.
function Editor:lua(code, ...)
  return vim.rpcrequest(self.job, 'nvim_exec_lua', code, { ... })
end

--- Type keys, and wait until Neovim has taken all of them.
function Editor:type(keys)
  vim.rpcrequest(self.job, 'nvim_input', keys)
  self:lua('settled = false; vim.schedule(function() settled = true end)')
  self:eventually('return settled and vim.fn.getchar(1) == 0', true)
end

--- Wait until a Lua expression of the editor has a value.
function Editor:eventually(code, expected, name)
  local was
  local ok = vim.wait(TIMEOUT_MS, function()
    was = self:lua(code)
    return vim.deep_equal(was, expected)
  end, STEP_MS)
  if not ok then
    error(('%s\n  expected %s\n  was      %s'):format(name or code, vim.inspect(expected), vim.inspect(was)), 3)
  end
end

--- The text with the cursor in it.
local TEXT = [[
  local lines = vim.api.nvim_buf_get_lines(0, 0, -1, false)
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  lines[row] = lines[row]:sub(1, col) .. '|' .. lines[row]:sub(col + 1)
  return lines
]]

--- What is drawn: the pieces in the line, what is drawn over it in [], the lines below; {} when nothing is.
local GHOST = [[
  local found = {}
  local space = vim.api.nvim_get_namespaces().midfill
  for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })) do
    local details = mark[4]
    if details.virt_text then
      local text = details.virt_text[1][1]
      table.insert(found, details.virt_text_pos == 'overlay' and '[' .. text .. ']' or text)
    end
    for _, line in ipairs(details.virt_lines or {}) do
      local parts = vim.tbl_map(function(chunk) return chunk[1] end, line)
      table.insert(found, table.concat(parts))
    end
  end
  return found
]]

function Editor:expect_text(lines)
  self:eventually(TEXT, lines, 'the text')
end

function Editor:expect_ghost(pieces)
  self:eventually(GHOST, pieces, 'the ghost text')
end

--- The server's next answers: the text of the whole line, as the real one gives it.
function Editor:answers(texts, covered)
  self:lua('fake.texts, fake.covered = ...', texts, covered or 0)
end

--- How many messages of a method the server got.
function Editor:n_told(method)
  return self:lua('return #fake.told(...)', method)
end

function Editor:close()
  vim.fn.jobstop(self.job)
end

return M
