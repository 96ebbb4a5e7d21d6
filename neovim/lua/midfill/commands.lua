--- `:Midfill NAME`.
--- Rules: what the terminal's `midfill` shows is shown by it, in a split, and not made a second time here.

local config = require('midfill.config')
local install = require('midfill.install')
local locate = require('midfill.locate')
local notice = require('midfill.notice')
local progress = require('midfill.progress')
local readiness = require('midfill.readiness')
local server = require('midfill.server')
local session = require('midfill.session')
local why = require('midfill.why')

local M = {}

local SNOOZE_MINUTES = 30

--- Lines in a window below, which `q` closes.
local function show(name, lines)
  vim.cmd('botright new')
  local buf = vim.api.nvim_get_current_buf()
  vim.bo[buf].buftype, vim.bo[buf].bufhidden, vim.bo[buf].swapfile = 'nofile', 'wipe', false
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  vim.bo[buf].modifiable = false
  vim.api.nvim_buf_set_name(buf, ('midfill://%s/%d'):format(name, buf))
  vim.wo.wrap, vim.wo.linebreak, vim.wo.number, vim.wo.relativenumber = true, true, false, false
  vim.api.nvim_win_set_height(0, math.min(#lines + 1, math.floor(vim.o.lines / 2)))
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = buf })
end

--- A command in a window below, which `q` closes.
local function terminal(command, options)
  vim.cmd('botright new')
  vim.bo.bufhidden = 'wipe'
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = 0 })
  if vim.fn.has('nvim-0.11') == 1 then
    vim.fn.jobstart(command, vim.tbl_extend('error', options, { term = true }))
  else
    vim.fn.termopen(command, options)
  end
end

--- The terminal's `midfill` with arguments.
local function in_terminal(...)
  local cli = locate.cli()
  if not cli then
    return notice.tell(locate.REMEDY, vim.log.levels.ERROR)
  end
  terminal(vim.list_extend({ cli }, { ... }), vim.empty_dict())
end

--- FILE:LINE:COL of the cursor, or nil with a word about it.
local function place()
  local path = vim.api.nvim_buf_get_name(0)
  if path == '' or vim.bo.buftype ~= '' then
    return notice.tell('this window has no file', vim.log.levels.WARN)
  end
  if vim.bo.modified then
    notice.tell('the file is looked at as it was last saved')
  end
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  local n_characters = vim.fn.strchars(vim.api.nvim_get_current_line():sub(1, col))
  return ('%s:%d'):format(path, row), ('%s:%d:%d'):format(path, row, n_characters + 1)
end

local function with_client(act)
  local client = server.client()
  if client then
    return act(client)
  end
  notice.tell(locate.server() and 'the server is not running (no file that it completes is open)' or locate.REMEDY)
end

--- Each takes the command's further argument, or "".
M.all = {
  why = function()
    with_client(function(client)
      server.request(client, 'midfill/why', { last = 1 }, 0, function(problem, result)
        local told = result and result.explanations[1]
        local lines = told and why.lines(told) or { problem and problem.message or 'Nothing has been asked for yet.' }
        local next_edit = result and result.nextEdits and result.nextEdits[1]
        show('why', vim.list_extend(lines, next_edit and why.next_edit_lines(next_edit) or {}))
      end)
    end)
  end,
  status = function()
    local buf = vim.api.nvim_get_current_buf()
    with_client(function(client)
      server.request(client, 'midfill/status', vim.empty_dict(), 0, function(problem, result)
        local lines = problem and { problem.message } or why.status_lines(result)
        local refusal = server.refusal(buf)
        if not session.enabled then
          table.insert(lines, 1, 'Switched off in this Neovim (:Midfill enable).')
        elseif refusal then
          table.insert(lines, 1, 'Nothing is suggested in this window: ' .. refusal .. '.')
        end
        for _, said in ipairs(notice.said) do
          table.insert(lines, 'Said before: ' .. said)
        end
        show('status', lines)
      end)
    end)
  end,
  install = function(package)
    local command, problem = install.command(package)
    if not command then
      return notice.tell(problem, vim.log.levels.ERROR)
    end
    terminal(command, {
      on_exit = function(_, code)
        if code ~= 0 then
          return notice.tell('the server was not installed: the terminal says why', vim.log.levels.ERROR)
        end
        server.try_again()
        notice.tell('the server is installed')
      end,
    })
  end,
  stats = function()
    in_terminal('stats')
  end,
  doctor = function()
    local _, at = place()
    local model = config.current.settings.model
    local arguments = model and { 'doctor', '--model', model, at } or { 'doctor', at }
    in_terminal(unpack(arguments))
  end,
  context = function()
    local at = place()
    if at then
      in_terminal('context', at)
    end
  end,
  log = function()
    local path = server.log_file()
    if not path or not vim.uv.fs_stat(path) then
      return notice.tell('there is no log yet')
    end
    vim.cmd.split(vim.fn.fnameescape(path))
    vim.cmd.normal({ 'G', bang = true })
  end,
  snooze = function(argument)
    local minutes = argument == '' and SNOOZE_MINUTES or tonumber(argument)
    if not minutes then
      return notice.tell('snooze takes minutes; 0 ends it', vim.log.levels.ERROR)
    end
    with_client(function(client)
      server.execute(client, 'midfill.snooze', { minutes })
      require('midfill').snoozed_until = vim.uv.now() + 60000 * minutes
      session.hide()
      notice.tell(minutes > 0 and ('quiet for %g minutes; asking still works'):format(minutes) or 'no longer quiet')
    end)
  end,
  enable = function()
    session.enabled = true
    server.try_again()
    vim.cmd.redrawstatus()
  end,
  disable = function()
    session.enabled = false
    session.hide()
    vim.cmd.redrawstatus()
  end,
  toggle = function()
    M.all[session.enabled and 'disable' or 'enable']()
    notice.tell(session.enabled and 'on' or 'off')
  end,
}

--- Run `:Midfill`'s arguments.
function M.run(arguments)
  local name = arguments[1] or 'status'
  local action = M.all[name]
  if not action then
    local names = table.concat(M.complete(''), ', ')
    return notice.tell(('there is no "%s"; there are %s'):format(name, names), vim.log.levels.ERROR)
  end
  action(arguments[2] or '')
end

--- The names that begin with what is typed.
function M.complete(typed)
  local names = vim.tbl_filter(function(name)
    return vim.startswith(name, typed)
  end, vim.tbl_keys(M.all))
  table.sort(names)
  return names
end

--- What the statusline says; "" when midfill has nothing to do with the window.
function M.statusline()
  local midfill = require('midfill')
  if not session.enabled then
    return 'midfill off'
  elseif server.refusal(vim.api.nvim_get_current_buf()) then
    return ''
  elseif not server.client() then
    return 'midfill: ' .. (server.problem() or 'starting')
  elseif midfill.snoozed_until > vim.uv.now() then
    return 'midfill snoozed'
  end
  local work = progress.text() or readiness.text()
  local at = readiness.host()
  return (at and 'midfill at ' .. at or 'midfill') .. (work and ': ' .. work or '')
end

return M
