--- `:Midfill install [PACKAGE]`: an environment of midfill's own, in Neovim's data folder (`locate.environment`).
--- Rules: it runs in a terminal, where one sees what is done and can end it. The package is the checkout that this
--- plugin is part of, unless another is named. Indexes and proxies stand in pip's own configuration. What a part that
--- is missing needs, `midfill model pull` says in the end. Python compiles what it imports by itself: all of it would
--- take seconds, and 35 MB.

local locate = require('midfill.locate')

local M = {}

local STEPS = [[
set -e
"$1" -m venv "$2"
"$2/bin/python" -m pip install --disable-pip-version-check --no-compile --upgrade "$3"
"$2/bin/midfill" model pull
]]

local IS_NEW_ENOUGH = 'import sys; sys.exit(sys.version_info < (3, 11))'

--- The first Python that runs and is new enough. A version manager's stand-in for one that is not there does not run.
local function python()
  for _, name in ipairs({ 'python3.13', 'python3.12', 'python3.11', 'python3' }) do
    local path = vim.fn.exepath(name)
    if path ~= '' then
      vim.fn.system({ path, '-c', IS_NEW_ENOUGH })
      if vim.v.shell_error == 0 then
        return path
      end
    end
  end
end

--- The command as a list; or nil, and why there is none.
function M.command(package)
  local found = python()
  if vim.fn.has('win32') == 1 then
    return nil, 'on Windows install midfill with pip, and name it with the option `cmd`'
  elseif not found then
    return nil, 'no Python 3.11 or newer was found: install one'
  end
  return { 'sh', '-c', STEPS, 'install', found, locate.environment(), package ~= '' and package or locate.checkout() }
end

return M
