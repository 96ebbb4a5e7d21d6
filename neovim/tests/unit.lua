--- Fast tests with a fake server: `nvim -l unit.lua [NAME]`. Each test has a Neovim of its own.
--- Rules: a failing test is told with what was expected and what was, and the exit code is 1.

local here = vim.fs.dirname(vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p'))
package.path = here .. '/?.lua;' .. package.path

local wanted = _G.arg[1] or ''
local n_passed, failed = 0, {}

--- Run one test on a fresh editor.
local function test(name, lines, options, run)
  if not name:find(wanted, 1, true) then
    return
  end
  local editor = require('editor').start(lines, options)
  local ok, problem = pcall(run, editor)
  editor:close()
  if ok then
    n_passed = n_passed + 1
  else
    table.insert(failed, name)
    io.write(('FAILED %s\n  %s\n'):format(name, tostring(problem)))
  end
end

for _, file in ipairs({ 'unit_text', 'unit_keys', 'unit_requests', 'unit_popup', 'unit_editor', 'unit_next_edit' }) do
  require(file)(test)
end
io.write(('%d passed, %d failed (Neovim %s)\n'):format(n_passed, #failed, tostring(vim.version())))
os.exit(#failed == 0 and n_passed > 0 and 0 or 1)
