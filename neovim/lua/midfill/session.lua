--- The loop: what happens in the editor, and which ghost text follows. Read this file first.
--- Called by the autocommands of `init`. Neovim 0.12 has a client of its own for inline completion; it waits 200 ms
--- after each key, cancels nothing that is superseded, and can accept the whole only. So this is the one way on all
--- versions.
--- Rules: a key is asked for at once, and the request before it is cancelled. An answer is shown only if it goes on
--- with the text as it is when it comes. Nothing is shown or asked while a macro is recorded or played: its keys must
--- mean the same later. Nothing here waits.

local encoding = require('midfill.encoding')
local feedback = require('midfill.feedback')
local ghost = require('midfill.ghost')
local keys = require('midfill.keys')
local notice = require('midfill.notice')
local popup = require('midfill.popup')
local readiness = require('midfill.readiness')
local server = require('midfill.server')
local suggestion = require('midfill.suggestion')

local M = { enabled = true }

local METHOD = 'textDocument/inlineCompletion'
local INVOKED, AUTOMATIC = 1, 2

local shown = nil -- { buf, choices = { suggestion ... }, index }
local pending = nil -- { client, number, buf } of the request under way
local told = nil -- the line that the server was told of
local seen = nil -- the place and the text that were dealt with last
local n_asked = 0

local function cursor()
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  return row - 1, col, vim.api.nvim_get_current_line()
end

--- What is left of a suggestion at the cursor, or nil.
local function rest_of(choice)
  local row, col = cursor()
  if row < choice.row then
    return nil
  end
  return suggestion.rest(choice, vim.api.nvim_buf_get_lines(0, choice.row, row + 1, false), row, col)
end

--- The suggestion that is shown and what is left of it, both as the text is now; nil when there is none.
function M.current()
  if shown and shown.buf == vim.api.nvim_get_current_buf() then
    local choice = shown.choices[shown.index]
    local rest = rest_of(choice)
    if rest and rest.text ~= '' then
      return choice, rest
    end
  end
end

local function cancel()
  if pending then
    server.cancel(pending.client, pending.number)
    pending = nil
  end
end

--- Show nothing, and wait for nothing.
function M.hide()
  cancel()
  n_asked = n_asked + 1
  shown = nil
  ghost.clear()
  keys.leave()
end

--- Whether there may be ghost text right now.
local function is_welcome()
  return M.enabled
    and vim.api.nvim_get_mode().mode:match('^i') ~= nil
    and vim.fn.reg_recording() == ''
    and vim.fn.reg_executing() == ''
    and not vim.snippet.active() -- there Tab goes to the next place
    and vim.fn.getcurpos()[4] == 0 -- with 'virtualedit' the cursor can be where no text is
end

--- Whether a text that would be inserted begins with what the popup's selected item would insert.
local function agrees(rest, selected)
  return not selected or vim.startswith(rest.text, selected.missing)
end

--- Draw the first of the shown suggestions that the text and the popup agree with, from the present one on.
--- False when there is none.
local function redraw(selected)
  if not shown or shown.buf ~= vim.api.nvim_get_current_buf() then
    return false
  end
  local n = #shown.choices
  for step = 0, n - 1 do
    local index = (shown.index - 1 + step) % n + 1
    local choice = shown.choices[index]
    local rest = rest_of(choice)
    if rest and rest.text ~= '' and agrees(rest, selected) then
      shown.index = index
      ghost.draw(rest)
      keys.enter(shown.buf)
      feedback.shown(choice.item)
      return true
    end
  end
  return false
end

--- Tell the server of a line that the cursor came to without typing: it reads there ahead.
local function tell_moved(buf, row)
  local client = server.client_of(buf)
  if client and not (told and told.buf == buf and told.row == row) then
    told = { buf = buf, row = row }
    local _, col, line = cursor()
    local position = { line = row, character = encoding.units(line, col, client.offset_encoding) }
    server.notify(client, 'midfill/didMove', { textDocument = { uri = vim.uri_from_bufnr(buf) }, position = position })
  end
end

local function params_of(buf, kind, client, selected)
  local row, col, line = cursor()
  local function position(column)
    return { line = row, character = encoding.units(line, column, client.offset_encoding) }
  end
  local context = { triggerKind = kind }
  if selected then
    local range = { start = position(col - #selected.typed), ['end'] = position(col) }
    context.selectedCompletionInfo = { range = range, text = selected.word }
  end
  return { textDocument = { uri = vim.uri_from_bufnr(buf) }, position = position(col), context = context }
end

--- The items of an answer, which may be a list, or an object that has one, or null.
local function items_of(result)
  return type(result) == 'table' and (result.items or result) or {}
end

--- Ask the server, and give `take` the suggestions that go on with the text as it is when they come.
local function ask(kind, selected, take)
  local buf = vim.api.nvim_get_current_buf()
  local client = server.client_of(buf)
  cancel()
  if not client or server.refusal(buf) then
    return
  end
  n_asked = n_asked + 1
  local asked = n_asked
  local row, col, line = cursor()
  local params = params_of(buf, kind, client, selected)
  local number = server.request(client, METHOD, params, buf, function(_, result)
    if asked ~= n_asked then
      return
    end
    pending = nil
    if #items_of(result) == 0 then
      readiness.doubt(client, M.refresh_idle)
    end
    if buf ~= vim.api.nvim_get_current_buf() or not is_welcome() then
      return
    end
    local choices = {}
    for _, item in ipairs(items_of(result)) do
      table.insert(choices, suggestion.from_item(item, row, col, line, client.offset_encoding))
    end
    take(buf, choices)
  end)
  if number and asked == n_asked then
    pending = { client = client, number = number }
  end
end

local function take_new(buf, choices)
  if #choices > 0 then
    shown = { buf = buf, choices = choices, index = 1 }
    local _, col, line = cursor()
    if not redraw(popup.selected(line:sub(1, col))) then
      M.hide()
    end
  end
end

--- The text, the cursor or the popup changed: keep what still fits, else ask anew.
function M.refresh()
  if not is_welcome() then
    return M.hide()
  end
  local _, col, line = cursor()
  local selected = popup.selected(line:sub(1, col))
  if not redraw(selected) then
    M.hide()
    ask(AUTOMATIC, selected, take_new)
  end
end

--- There is a longer suggestion than the one that was given last: show it, if that one still stands.
function M.grown(uri)
  if pending or not is_welcome() or not M.current() or uri ~= vim.uri_from_bufnr(0) then
    return
  end
  local _, col, line = cursor()
  ask(AUTOMATIC, popup.selected(line:sub(1, col)), function(buf, choices)
    local _, rest = M.current()
    local longer = choices[1] and rest_of(choices[1])
    if rest and longer and #longer.text > #rest.text and vim.startswith(longer.text, rest.text) then
      take_new(buf, choices)
    end
  end)
end

--- The model is ready only now: ask again where nothing is shown.
function M.refresh_idle()
  if not pending and not M.current() then
    M.refresh()
  end
end

--- The same, called by autocommands: Neovim tells of one key as a move, a change or both. A move alone asks for
--- nothing.
function M.on_cursor(is_change)
  local buf, tick = vim.api.nvim_get_current_buf(), vim.api.nvim_buf_get_changedtick(0)
  local row, col = cursor()
  local size = vim.api.nvim_buf_get_offset(buf, vim.api.nvim_buf_line_count(buf))
  local is_new_text = not seen or seen.buf ~= buf or seen.tick ~= tick
  -- What was shown would put back what has just been taken away: the server says when there is something again.
  if seen and seen.buf == buf and size < seen.size then
    M.hide()
  end
  if is_change and not is_new_text and seen.row == row and seen.col == col then
    return
  end
  seen = { buf = buf, tick = tick, row = row, col = col, size = size }
  if is_new_text or is_change then
    told = { buf = buf, row = row } -- by the request
    M.refresh()
    return
  end
  if not M.current() then
    M.hide()
  end
  tell_moved(buf, row)
end

--- The cursor moved in normal mode.
function M.on_move()
  if M.enabled then
    tell_moved(vim.api.nvim_get_current_buf(), (cursor()))
  end
end

--- Say why there was no answer to the last request: who pressed a key sees that it was heard.
local function tell_why_not(buf)
  local client = server.client_of(buf)
  if not client then
    return
  end
  server.request(client, 'midfill/status', vim.empty_dict(), 0, function(_, result)
    local last = type(result) == 'table' and type(result.last) == 'table' and result.last or {}
    local reason = type(last.reason) == 'string' and last.reason ~= '' and ': ' .. last.reason or ''
    notice.tell('no suggestion here' .. reason)
  end)
end

--- Ask because the user wants it, even where midfill is quiet.
function M.trigger()
  M.hide()
  server.attach(vim.api.nvim_get_current_buf())
  ask(INVOKED, nil, function(buf, choices)
    take_new(buf, choices)
    if #choices == 0 then
      tell_why_not(buf)
    end
  end)
end

--- Show the next (1) or the previous (-1) suggestion. While only one is known, others are asked for.
function M.cycle(step)
  if not M.current() then
    return
  end
  if #shown.choices > 1 then
    shown.index = (shown.index - 1 + step) % #shown.choices + 1
    redraw(nil)
    return
  end
  ask(INVOKED, nil, function(_, choices)
    local first = M.current()
    if not first then
      return
    end
    for _, choice in ipairs(choices) do
      if choice.text ~= first.text then
        table.insert(shown.choices, choice)
      end
    end
    if #shown.choices > 1 then
      M.cycle(step)
    else
      notice.tell('no other suggestion here')
    end
  end)
end

--- The user does not want what is shown.
function M.dismiss()
  local choice = M.current()
  if choice then
    feedback.dismissed(choice.item)
  end
  M.hide()
end

return M
