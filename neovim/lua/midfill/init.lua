--- midfill for Neovim: ghost text from a model on this machine. `setup` starts everything; see :help midfill.
---
--- Rules: an event never waits for the server. A request is sent at once and cancelled at the next key; what is shown
--- is typed through without one.
local config = require('midfill.config')
local ghost = require('midfill.ghost')
local server = require('midfill.server')
local text = require('midfill.text')

local M = {}

local INVOKED, AUTOMATIC = 1, 2
local enabled = true
local pending = nil ---@type { client: vim.lsp.Client, id: integer }?
local last_ms = nil ---@type number?
local dismissed = nil ---@type string? the text before the cursor where the user dismissed

local function cancel()
  if pending then
    server.cancel(pending.client, pending.id)
    pending = nil
  end
end

--- Whether the popup menu has an item selected: what it would insert and what midfill suggests get in each other's way.
local function popup_has_selection()
  return vim.fn.pumvisible() == 1 and vim.fn.complete_info({ 'selected' }).selected >= 0
end

local function place()
  local position = vim.api.nvim_win_get_cursor(0)
  return ('%d:%d:%s'):format(position[1], position[2], vim.api.nvim_get_current_line():sub(1, position[2]))
end

---@param kind integer
local function request(kind)
  local buf = vim.api.nvim_get_current_buf()
  local client = server.client(buf)
  if not client then
    return
  end
  local row = vim.api.nvim_win_get_cursor(0)[1] - 1
  local tick, began = vim.api.nvim_buf_get_changedtick(buf), vim.uv.hrtime()
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.context = { triggerKind = kind }
  local id
  id = server.request(buf, 'textDocument/inlineCompletion', params, function(err, result)
    if pending and pending.id == id then
      pending = nil
    end
    server.poll()
    local is_current = vim.api.nvim_get_current_buf() == buf and vim.api.nvim_buf_get_changedtick(buf) == tick
    if err or not result or not is_current or vim.fn.mode():sub(1, 1) ~= 'i' or popup_has_selection() then
      return
    end
    last_ms = (vim.uv.hrtime() - began) / 1e6
    ghost.show(buf, row, result.items or result, client.offset_encoding)
  end)
  pending = id and { client = client, id = id } or nil
end

--- Something happened in insert mode: keep what is shown, or ask anew.
local function update()
  if popup_has_selection() then
    cancel()
    return ghost.clear()
  end
  if ghost.draw() then
    return
  end
  ghost.clear()
  cancel()
  if enabled and dismissed ~= place() and server.wants(vim.api.nvim_get_current_buf()) and vim.fn.reg_executing() == '' then
    dismissed = nil
    request(AUTOMATIC)
  end
end

local function leave()
  cancel()
  ghost.clear()
end

--- Suggest now, with others to cycle through.
function M.trigger()
  ghost.clear()
  cancel()
  request(INVOKED)
end

---@return boolean whether there was something to accept
function M.accept()
  return ghost.accept()
end

---@return boolean
function M.accept_word()
  return ghost.accept_part(text.word)
end

---@return boolean
function M.accept_line()
  return ghost.accept_part(text.line)
end

local function cycle(by)
  if ghost.count() > 1 then
    ghost.cycle(by)
  else
    M.trigger()
  end
end

function M.next()
  cycle(1)
end

function M.previous()
  cycle(-1)
end

function M.dismiss()
  cancel()
  dismissed = place()
  ghost.dismiss()
end

---@return boolean
function M.is_visible()
  return ghost.is_visible()
end

---@param on boolean?
function M.enable(on)
  enabled = on ~= false
  if not enabled then
    leave()
  end
end

---@return boolean
function M.is_enabled()
  return enabled
end

---@param minutes number?
function M.snooze(minutes)
  server.execute(vim.api.nvim_get_current_buf(), 'midfill.snooze', { minutes or 30 })
end

--- For a statusline: "", or a word or two.
---@return string
function M.status()
  if not server.client(vim.api.nvim_get_current_buf()) then
    return ''
  end
  if not enabled then
    return 'midfill: off'
  end
  local status = server.status
  if not status then
    return 'midfill: starting'
  end
  if status.phase == 'ready' or status.phase == 'asleep' then
    return last_ms and ('midfill: %d ms'):format(last_ms) or 'midfill'
  end
  local percent = status.message:match('(%d+)%%')
  return percent and ('midfill: %s %s%%%%'):format(status.phase, percent) or 'midfill: ' .. status.phase
end

--- What a key did before: its own mapping, or the key itself.
---@param lhs string
---@return fun(): string
local function fallback(lhs)
  local before = vim.fn.maparg(lhs, 'i', false, true)
  return function()
    if before.callback then
      local result = before.callback()
      return before.expr == 1 and result or ''
    end
    if before.rhs then
      return before.expr == 1 and vim.api.nvim_eval(before.rhs) or before.rhs
    end
    return lhs
  end
end

--- A mapping that does something only where a suggestion is shown, unless `always`.
local function map(lhs, name, always)
  if not lhs then
    return
  end
  local otherwise = fallback(lhs)
  vim.keymap.set('i', lhs, function()
    if always or ghost.is_visible() then
      return ("<Cmd>lua require('midfill').%s()<CR>"):format(name)
    end
    return otherwise()
  end, { expr = true, replace_keycodes = true, silent = true, desc = 'midfill: ' .. name:gsub('_', ' ') })
end

--- Start midfill. `options`: see :help midfill-options.
---@param options midfill.Options?
function M.setup(options)
  local group = vim.api.nvim_create_augroup('midfill', {})
  local keys = config.load(options).keys
  for _, name in ipairs({ 'accept', 'accept_word', 'accept_line', 'next', 'previous', 'dismiss' }) do
    map(keys[name], name, false)
  end
  map(keys.trigger, 'trigger', true)
  local on = function(events, callback)
    vim.api.nvim_create_autocmd(events, { group = group, callback = callback })
  end
  on({ 'FileType', 'BufReadPost', 'BufNewFile', 'InsertEnter' }, function(event)
    if not server.client(event.buf) then
      server.attach(event.buf)
    end
  end)
  on({ 'InsertEnter', 'TextChangedI', 'TextChangedP', 'CursorMovedI' }, update)
  on({ 'InsertLeave', 'BufLeave' }, leave)
  on({ 'VimLeavePre' }, server.leave)
  server.on_status = function(before)
    -- Who typed while the model was being made ready sees a suggestion as soon as it is.
    if before and server.status.phase == 'ready' and vim.fn.mode():sub(1, 1) == 'i' then
      update()
    end
  end
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    server.attach(buf)
  end
end

return M
