--- Next edits: the change that follows from the last one, drawn where it would be, in normal mode.
--- When insert mode is left, or text changed in normal mode, the server is asked what follows. The first edit is drawn:
--- what goes is struck, what comes is a ghost; when it is in another line, the cursor's line says so at its end. Then
--- <Tab> goes there, and once there takes it, as one undo step, and the next is asked for. <Esc> dismisses it.
--- Rules: keys are bound only while something is offered, in its buffer, in normal mode. What is drawn is of the present
--- text: a change takes it away.

local encoding = require('midfill.encoding')
local next_edit_shape = require('midfill.next_edit_shape')
local server = require('midfill.server')

local M = {}

local NAMESPACE = vim.api.nvim_create_namespace('midfill_next_edit')
--- A person who goes on typing is not to be asked after.
local PAUSE_MS = 150

local offered = nil -- { buf, tick, edit, client, restore }
local timer = nil

local function take_away()
  local was = offered
  offered = nil
  if not was or not vim.api.nvim_buf_is_valid(was.buf) then
    return
  end
  vim.api.nvim_buf_clear_namespace(was.buf, NAMESPACE, 0, -1)
  for _, lhs in ipairs({ '<Tab>', '<Esc>' }) do
    pcall(vim.keymap.del, 'n', lhs, { buffer = was.buf })
  end
  for _, mapping in ipairs(was.restore) do
    vim.fn.mapset('n', false, mapping)
  end
end

--- A position of the server as a row and a byte column.
local function place(buf, client, position)
  local line = vim.api.nvim_buf_get_lines(buf, position.line, position.line + 1, false)[1] or ''
  return position.line, encoding.bytes(line, position.character, client.offset_encoding)
end

local function draw(buf, client, edit)
  local row, column = place(buf, client, edit.range.start)
  local last, last_column = place(buf, client, edit.range['end'])
  if last >= vim.api.nvim_buf_line_count(buf) then
    last = vim.api.nvim_buf_line_count(buf) - 1
    last_column = #(vim.api.nvim_buf_get_lines(buf, last, last + 1, false)[1] or '')
  end
  local lines = vim.api.nvim_buf_get_lines(buf, 0, -1, false)
  local shape = next_edit_shape.of(lines, row, column, last, last_column, edit.text)
  for _, piece in ipairs(shape.pieces) do
    if piece.to > piece.from then
      local struck = { end_col = piece.to, hl_group = 'MidfillReplaced' }
      vim.api.nvim_buf_set_extmark(buf, NAMESPACE, piece.row, piece.from, struck)
    end
    if piece.text ~= '' then
      local ghost = { virt_text = { { piece.text, 'MidfillReplacement' } }, virt_text_pos = 'inline' }
      vim.api.nvim_buf_set_extmark(buf, NAMESPACE, piece.row, piece.to, ghost)
    end
  end
  if #shape.lines > 0 then
    local come = vim.tbl_map(function(line)
      return { { line, 'MidfillReplacement' } }
    end, shape.lines)
    local is_last = shape.above >= #lines
    local ghost = { virt_lines = come, virt_lines_above = not is_last }
    vim.api.nvim_buf_set_extmark(buf, NAMESPACE, is_last and #lines - 1 or shape.above, 0, ghost)
  end
  local here = vim.api.nvim_win_get_cursor(0)[1] - 1
  if here < row or here > last then
    local hint = { virt_text = { { (' <Tab>: line %d'):format(row + 1), 'MidfillGhost' } } }
    vim.api.nvim_buf_set_extmark(buf, NAMESPACE, here, 0, hint)
  end
end

local function map(buf, lhs, action)
  local before = vim.fn.maparg(lhs, 'n', false, true)
  if before.buffer == 1 then
    table.insert(offered.restore, before)
  end
  vim.keymap.set('n', lhs, action, { buffer = buf, desc = 'midfill: next edit' })
end

local function offer(buf, client, edit)
  take_away()
  offered = { buf = buf, tick = vim.api.nvim_buf_get_changedtick(buf), edit = edit, client = client, restore = {} }
  draw(buf, client, edit)
  map(buf, '<Tab>', M.follow)
  map(buf, '<Esc>', M.dismiss)
end

--- Ask what follows, now.
function M.ask()
  local buf = vim.api.nvim_get_current_buf()
  local client = server.client_of(buf)
  if not client or vim.api.nvim_get_mode().mode ~= 'n' then
    return
  end
  local tick = vim.api.nvim_buf_get_changedtick(buf)
  local uri = vim.uri_from_bufnr(buf)
  local cursor = vim.api.nvim_win_get_cursor(0)
  local params = {
    textDocument = { uri = uri, version = vim.lsp.util.buf_versions[buf] },
    position = { line = cursor[1] - 1, character = 0 },
  }
  server.request(client, 'midfill/nextEdit', params, buf, function(_, result)
    local edit = type(result) == 'table' and result.edits and result.edits[1]
    local is_present = vim.api.nvim_get_current_buf() == buf and vim.api.nvim_buf_get_changedtick(buf) == tick
    if not edit or not is_present or vim.api.nvim_get_mode().mode ~= 'n' then
      return
    end
    if edit.textDocument.uri ~= uri then
      return M.offer_elsewhere(client, edit)
    end
    offer(buf, client, edit)
  end)
end

--- An edit of another file: <Tab> opens it there, and it is offered in it.
function M.offer_elsewhere(client, edit)
  local buf = vim.api.nvim_get_current_buf()
  take_away()
  offered = { buf = buf, tick = vim.api.nvim_buf_get_changedtick(buf), edit = edit, client = client, restore = {} }
  local name = vim.fn.fnamemodify(vim.uri_to_fname(edit.textDocument.uri), ':.')
  local hint = { { (' <Tab>: %s:%d'):format(name, edit.range.start.line + 1), 'MidfillGhost' } }
  vim.api.nvim_buf_set_extmark(buf, NAMESPACE, vim.api.nvim_win_get_cursor(0)[1] - 1, 0, { virt_text = hint })
  map(buf, '<Tab>', M.follow)
  map(buf, '<Esc>', M.dismiss)
end

--- Ask after a pause, unless something else happens.
function M.later()
  take_away()
  if timer then
    timer:stop()
  end
  local settings = require('midfill.config').current.settings
  if type(settings.nextEdit) == 'table' and settings.nextEdit.enabled then
    timer = vim.defer_fn(M.ask, PAUSE_MS)
  end
end

--- Go to the edit that is offered; there, take it.
function M.follow()
  local now = offered
  if not now then
    return
  end
  local edit, client = now.edit, now.client
  if edit.textDocument.uri ~= vim.uri_from_bufnr(now.buf) then
    take_away()
    vim.cmd.normal({ "m'", bang = true })
    local buf = vim.uri_to_bufnr(edit.textDocument.uri)
    vim.bo[buf].buflisted = true
    vim.api.nvim_win_set_buf(0, buf)
    server.attach(buf)
    local row, column = place(buf, client, edit.range.start)
    vim.api.nvim_win_set_cursor(0, { row + 1, column })
    return offer(buf, client, edit)
  end
  local row, column = place(now.buf, client, edit.range.start)
  local here = vim.api.nvim_win_get_cursor(0)[1] - 1
  if here ~= row then
    vim.cmd.normal({ "m'", bang = true })
    vim.api.nvim_win_set_cursor(0, { row + 1, column })
    return offer(now.buf, client, edit)
  end
  take_away()
  vim.lsp.util.apply_text_edits({ { range = edit.range, newText = edit.text } }, now.buf, client.offset_encoding)
  server.execute(client, edit.command.command, edit.command.arguments)
  M.later()
end

--- What is offered is not wanted, nor anything like it.
function M.dismiss()
  if offered then
    server.notify(offered.client, 'midfill/didDismissNextEdit', { id = offered.edit.id })
    take_away()
  end
end

--- What is offered right now, for tests and for mappings of one's own; nil for nothing.
function M.current()
  return offered and offered.edit
end

--- Something was typed, or another buffer entered.
M.hide = take_away

return M
