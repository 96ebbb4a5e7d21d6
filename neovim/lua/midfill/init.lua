--- midfill in Neovim: `require('midfill').setup()`.
--- Rules: nothing happens before `setup`. All that Neovim tells us comes in through the autocommands here; `session` is
--- what follows from it.

local M = { snoozed_until = 0 }

local NEEDED = 'nvim-0.10'

local function autocommands()
  local popup = require('midfill.popup')
  local progress = require('midfill.progress')
  local server = require('midfill.server')
  local session = require('midfill.session')
  local group = vim.api.nvim_create_augroup('midfill', {})
  local function on(events, callback)
    vim.api.nvim_create_autocmd(events, { group = group, callback = callback })
  end
  on({ 'BufReadPost', 'BufNewFile', 'BufWritePost', 'FileType', 'BufEnter' }, function(event)
    server.attach(event.buf)
  end)
  on('InsertEnter', function(event)
    server.attach(event.buf)
    vim.schedule(function()
      session.on_cursor(true) -- the mode, and the line of an `o`, are there only now
    end)
  end)
  on({ 'TextChangedI', 'TextChangedP' }, function()
    session.on_cursor(true)
  end)
  on('CursorMovedI', function()
    session.on_cursor(false)
  end)
  on({ 'CursorMoved', 'BufEnter' }, session.on_move)
  on('CompleteChanged', function()
    popup.changed(vim.v.event.completed_item)
    vim.schedule(session.refresh) -- windows and text may not be touched in here
  end)
  on('CompleteDone', function()
    popup.done()
    vim.schedule(session.refresh)
  end)
  on('ModeChanged', function() -- <C-c> leaves insert mode without InsertLeave; <C-r>= does not leave it
    if vim.v.event.old_mode:find('^i') and not vim.v.event.new_mode:find('^[icr]') then
      session.hide()
    end
  end)
  on({ 'InsertLeave', 'BufLeave', 'WinLeave', 'RecordingEnter' }, session.hide)
  on('LspProgress', function(event)
    local client = server.client()
    if client and event.data.client_id == client.id then
      progress.update(event.data.params.token, event.data.params.value)
    end
  end)
  local next_edit = require('midfill.next_edit')
  on({ 'InsertLeave', 'TextChanged' }, next_edit.later)
  on({ 'InsertEnter', 'BufLeave', 'WinLeave' }, next_edit.hide)
  on('ColorScheme', require('midfill.ghost').define_highlights)
  on('VimLeavePre', server.leave)
end

--- Define `:Midfill`. Plugin managers that know no subfolders never source this plugin's `plugin/`: `setup` does it, too.
function M.define_command()
  vim.api.nvim_create_user_command('Midfill', function(command)
    require('midfill.commands').run(command.fargs)
  end, {
    nargs = '*',
    desc = 'midfill: code completion on this machine',
    complete = function(typed)
      return require('midfill.commands').complete(typed)
    end,
  })
end

--- Start midfill. `options`: see |midfill-options|.
function M.setup(options)
  M.define_command()
  if vim.fn.has(NEEDED) == 0 then
    return vim.notify('midfill needs Neovim 0.10 or newer', vim.log.levels.ERROR)
  end
  local config = require('midfill.config')
  for _, problem in ipairs(config.load(options)) do
    require('midfill.notice').tell(problem, vim.log.levels.WARN)
  end
  require('midfill.ghost').define_highlights()
  autocommands()
  if config.current.keys.trigger then
    vim.keymap.set('i', config.current.keys.trigger, M.trigger, { desc = 'midfill: suggest here' })
  end
  require('midfill.server').attach_all()
end

--- For the statusline: `%{%v:lua.require'midfill'.statusline()%}`.
function M.statusline()
  return require('midfill.commands').statusline()
end

--- For mappings of one's own: each returns false when nothing was shown, and then did nothing.
function M.accept()
  return require('midfill.accept').all()
end

function M.accept_word()
  return require('midfill.accept').word()
end

function M.accept_line()
  return require('midfill.accept').line()
end

--- Whether ghost text is shown.
function M.is_visible()
  return require('midfill.session').current() ~= nil
end

function M.cycle(step)
  require('midfill.session').cycle(step)
end

function M.dismiss()
  require('midfill.session').dismiss()
end

--- Ask for suggestions at the cursor, in insert mode.
function M.trigger()
  require('midfill.session').trigger()
end

return M
