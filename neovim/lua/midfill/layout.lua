--- What ghost text looks like: which pieces go where. `ghost` draws it.
--- Rules: pure but for the tab stops, which are the current window's. What the screen shows is the text as it would be
--- after accepting, but for the cursor's place.

local suggestion = require('midfill.suggestion')

local M = {}

--- A text with its tabs as blanks, beginning in a screen column (from 0): virtual text knows no tab stops.
function M.expand(text, column)
  local parts = {}
  for piece, tab in text:gmatch('([^\t]*)(\t?)') do
    table.insert(parts, piece)
    column = column + vim.fn.strdisplaywidth(piece, column)
    if tab ~= '' then
      local width = vim.fn.strdisplaywidth(tab, column)
      table.insert(parts, (' '):rep(width))
      column = column + width
    end
  end
  return table.concat(parts)
end

--- New text before, between and behind the bytes of `covered`: { { offset, text }, ... }, or nil.
local function between(text, covered)
  local places = suggestion.places(text, covered)
  if not places then
    return nil
  end
  local pieces, from = {}, 1
  for index = 1, #covered + 1 do
    local place = places[index] or #text + 1
    if place > from then
      table.insert(pieces, { offset = index - 1, text = text:sub(from, place - 1) })
    end
    from = place + 1
  end
  return pieces
end

--- Lay out `rest` ({ text, covered }) at a cursor with `tail` right of it, in screen column `column`. Returns
--- { inline = { { offset, text } ... }, overlay = text or nil, lines = { { text, tail } ... }, struck = bytes }.
--- `overlay` is drawn over the tail, which then shows behind the last line; `struck` bytes go, and no piece says so.
function M.of(rest, tail, column)
  local first, more = rest.text:match('^([^\n]*)\n?(.*)$')
  local is_block = rest.text:find('\n', 1, true) ~= nil
  local covered, behind = tail:sub(1, rest.covered), tail:sub(rest.covered + 1)
  local found = { inline = {}, lines = {}, struck = 0 }
  local pieces = between(first, covered)
  if is_block and tail ~= '' and (behind ~= '' or not pieces) then
    local shown = M.expand(first, column)
    local gap = vim.fn.strdisplaywidth(tail, column) - vim.fn.strdisplaywidth(shown, column)
    found.overlay = shown .. (' '):rep(gap)
  elseif pieces then
    found.inline = pieces
  else
    found.inline, found.struck = { { offset = 0, text = first } }, #covered
  end
  for index, piece in ipairs(found.inline) do
    found.inline[index] = { offset = piece.offset, text = M.expand(piece.text, column) }
  end
  for _, line in ipairs(is_block and vim.split(more, '\n', { plain = true }) or {}) do
    table.insert(found.lines, { text = M.expand(line, 0), tail = '' })
  end
  if found.overlay then
    found.lines[#found.lines].tail = behind
  end
  return found
end

return M
