--- :Midfill and its subcommands.
local server = require('midfill.server')

local M = {}

--- Show lines in a window of their own, closed with q.
---@param title string
---@param lines string[]
local function window(title, lines)
  vim.cmd('botright new')
  local buf = vim.api.nvim_get_current_buf()
  vim.bo[buf].buftype, vim.bo[buf].bufhidden, vim.bo[buf].swapfile = 'nofile', 'wipe', false
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  vim.bo[buf].modifiable = false
  vim.wo.wrap, vim.wo.number, vim.wo.list = false, false, false
  vim.api.nvim_buf_set_name(buf, 'midfill://' .. title)
  vim.api.nvim_win_set_height(0, math.min(#lines + 1, math.floor(vim.o.lines / 2)))
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = buf })
end

--- Run the `midfill` command line, and show what it prints.
---@param title string
---@param arguments string[]
local function show(title, arguments)
  local program = server.midfill()
  if not program then
    vim.notify('midfill: the `midfill` command was not found beside the server; see :checkhealth midfill', vim.log.levels.WARN)
    return
  end
  local env = { COLUMNS = tostring(math.max(60, vim.o.columns - 2)), NO_COLOR = '1', TERM = 'dumb' }
  vim.system({ program, unpack(arguments) }, { text = true, env = env }, function(done)
    vim.schedule(function()
      local said = done.code == 0 and done.stdout or (done.stdout .. done.stderr)
      window(title, vim.split(vim.trim(said), '\n'))
    end)
  end)
end

--- FILE:LINE:COL of the cursor.
local function place()
  local position = vim.api.nvim_win_get_cursor(0)
  local line = vim.api.nvim_get_current_line():sub(1, position[2])
  return ('%s:%d:%d'):format(vim.api.nvim_buf_get_name(0), position[1], vim.fn.strchars(line) + 1)
end

local SUBCOMMANDS = {
  why = function()
    show('why', { 'why' })
  end,
  stats = function()
    show('stats', { 'stats' })
  end,
  doctor = function()
    show('doctor', { 'doctor' })
  end,
  context = function()
    show('context', { 'context', place() })
  end,
  status = function()
    local status = server.status
    vim.notify('midfill: ' .. (status and status.message or 'the server does not run'))
  end,
  snooze = function(minutes)
    require('midfill').snooze(tonumber(minutes))
    vim.notify(('midfill: snoozed for %s minutes'):format(minutes or 30))
  end,
  enable = function()
    require('midfill').enable(true)
  end,
  disable = function()
    require('midfill').enable(false)
  end,
  toggle = function()
    local midfill = require('midfill')
    midfill.enable(not midfill.is_enabled())
    vim.notify('midfill is ' .. (midfill.is_enabled() and 'on' or 'off'))
  end,
  log = function()
    local path = vim.lsp.log and vim.lsp.log.get_filename and vim.lsp.log.get_filename() or vim.lsp.get_log_path()
    vim.cmd.edit(path)
  end,
}

---@param arguments string[]
function M.run(arguments)
  local run = SUBCOMMANDS[arguments[1] or 'status']
  if run then
    run(arguments[2])
  else
    local known = vim.tbl_keys(SUBCOMMANDS)
    table.sort(known)
    vim.notify('midfill: :Midfill takes ' .. table.concat(known, ', '), vim.log.levels.ERROR)
  end
end

---@param lead string
---@return string[]
function M.complete(lead)
  local found = vim.tbl_filter(function(name)
    return vim.startswith(name, lead)
  end, vim.tbl_keys(SUBCOMMANDS))
  table.sort(found)
  return found
end

return M
