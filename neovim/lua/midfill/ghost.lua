--- The suggestion on the screen: what is shown, and what accepting it does.
---
--- The server's items cover the line from their own beginning, so that typing what is shown only shortens what is left
--- (`text.rest`), and no request is needed. Neovim's own inline completion is not used: it waits 200 ms before each
--- request, does not cancel the one before, and knows neither words nor lines.
---
--- Rules: one suggestion at a time; every edit is one undo step of its own.
local server = require('midfill.server')
local text = require('midfill.text')

local M = {}

local namespace = vim.api.nvim_create_namespace('midfill')
local shown = nil ---@type { buf: integer, row: integer, items: table[], index: integer, told: table<integer, boolean> }?

vim.api.nvim_set_hl(0, 'MidfillSuggestion', { default = true, link = 'Comment' })

---@return integer row, integer column
local function cursor()
  local position = vim.api.nvim_win_get_cursor(0)
  return position[1] - 1, position[2]
end

--- What is left of the suggestion at the cursor: the rest of its text, the bytes it replaces, the item; or nil.
---@return string?, integer?, table?
function M.left()
  local row, column = cursor()
  if not shown or shown.buf ~= vim.api.nvim_get_current_buf() or shown.row ~= row then
    return nil
  end
  local item = shown.items[shown.index]
  local rest, replaced = text.rest(item, vim.api.nvim_get_current_line(), column)
  return rest, replaced, item
end

---@return boolean
function M.is_visible()
  return M.left() ~= nil
end

function M.clear()
  if shown and vim.api.nvim_buf_is_valid(shown.buf) then
    vim.api.nvim_buf_clear_namespace(shown.buf, namespace, 0, -1)
  end
  shown = nil
end

local function tell_shown()
  local item = shown and shown.items[shown.index]
  if item and not shown.told[shown.index] then
    shown.told[shown.index] = true
    server.notify(shown.buf, 'textDocument/didShowCompletion', { item = item.raw })
  end
end

--- Draw what is left; false when nothing of it fits the text any more.
---@return boolean
function M.draw()
  local rest, replaced = M.left()
  if not rest then
    return false
  end
  local row, column = cursor()
  local line = vim.api.nvim_get_current_line()
  local lines = vim.split(text.visible(rest, line:sub(column + 1, column + replaced)), '\r?\n')
  local width = vim.bo.tabstop
  local first = text.expanded(lines[1], width, vim.fn.virtcol('.') - 1)
  local below = {}
  for n = 2, #lines do
    table.insert(below, { { text.expanded(lines[n], width, 0), 'MidfillSuggestion' } })
  end
  vim.api.nvim_buf_clear_namespace(shown.buf, namespace, 0, -1)
  vim.api.nvim_buf_set_extmark(shown.buf, namespace, row, column, {
    virt_text = { { first, 'MidfillSuggestion' } },
    virt_text_pos = 'inline',
    virt_lines = #below > 0 and below or nil,
    hl_mode = 'combine',
  })
  tell_shown()
  return true
end

--- Show the server's items, the first of them; they are dropped where they do not fit the text any more.
---@param buf integer
---@param row integer
---@param items table[]
---@param encoding string
function M.show(buf, row, items, encoding)
  M.clear()
  local line = vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1] or ''
  local found = {}
  for _, raw in ipairs(items) do
    local value = type(raw.insertText) == 'table' and raw.insertText.value or raw.insertText
    local at = function(position)
      return text.byte(line, position.character, encoding)
    end
    local range = raw.range
    table.insert(found, {
      raw = raw,
      text = value,
      first = range and at(range.start) or #line,
      last = range and at(range['end']) or #line,
    })
  end
  if #found > 0 then
    shown = { buf = buf, row = row, items = found, index = 1, told = {} }
    if not M.draw() then
      M.clear()
    end
  end
end

---@param by integer
function M.cycle(by)
  if not shown then
    return
  end
  local n = #shown.items
  for step = 1, n do
    shown.index = (shown.index - 1 + by) % n + 1
    if M.draw() or step == n then
      return
    end
  end
end

---@return integer
function M.count()
  return shown and #shown.items or 0
end

--- Put a beginning of what is left into the text, the whole of it together with what it replaces.
---@param piece string
---@param replaced integer
local function insert(piece, replaced)
  local row, column = cursor()
  local lines = vim.split(piece, '\r?\n')
  vim.o.undolevels = vim.o.undolevels -- a new undo step begins here
  vim.api.nvim_buf_set_text(0, row, column, row, column + replaced, lines)
  local last = lines[#lines]
  vim.api.nvim_win_set_cursor(0, { row + #lines, #lines > 1 and #last or column + #last })
  vim.o.undolevels = vim.o.undolevels
end

--- Accept all of it.
---@return boolean
function M.accept()
  local rest, replaced, item = M.left()
  if not rest then
    return false
  end
  local buf, command = shown.buf, item.raw.command
  M.clear()
  insert(rest, replaced)
  if command then
    server.execute(buf, command.command, command.arguments)
  end
  return true
end

--- Accept a beginning of it, as `pick` cuts it; the rest stays.
---@param pick fun(rest: string): string
---@return boolean
function M.accept_part(pick)
  local rest, replaced, item = M.left()
  if not rest then
    return false
  end
  local piece = pick(rest)
  if piece == rest then
    return M.accept()
  end
  local buf, n_lines = shown.buf, #vim.split(piece, '\n') - 1
  insert(piece, 0)
  local done = item.text:sub(1, #item.text - #rest + #piece)
  server.notify(buf, 'textDocument/didPartiallyAcceptCompletion', { item = item.raw, acceptedLength = text.utf16(done) })
  if n_lines > 0 and shown then -- the rest stands in another line now, and begins there
    local column = select(2, cursor())
    local last = math.max(0, replaced)
    shown.row = shown.row + n_lines
    item.text, item.first, item.last = rest:sub(#piece + 1), column, column + last
  end
  if not M.draw() then
    M.clear()
  end
  return true
end

---@return table? the item that is shown, as the server sent it
function M.dismiss()
  local item = shown and shown.items[shown.index]
  local buf = shown and shown.buf
  M.clear()
  if item then
    server.notify(buf, 'midfill/didDismissCompletion', { item = item.raw })
  end
  return item
end

return M
