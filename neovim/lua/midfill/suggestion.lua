--- A suggestion, and what is left of it as the text around the cursor changes.
--- Called by `session` and `accept`. A suggestion is { row, col, text, typed, tail, covered, item }: `text` stands
--- for the buffer's text from (row, col) on, 0-based and in bytes; `typed` bytes of it were there when it was asked
--- for, `tail` was right of the cursor then, and its first `covered` bytes are replaced.
--- Rules: pure. All is judged by the resulting text, not by keys: so typing, pasting, auto-pairs and a mapping are
--- the same.

local encoding = require('midfill.encoding')

local M = {}

--- From an item of the protocol, for a cursor at (row, col) in `line`; nil when it is not about that place.
function M.from_item(item, row, col, line, enc)
  local text = type(item.insertText) == 'table' and item.insertText.value or item.insertText
  text = text:gsub('\r\n?', '\n')
  local first, last = col, col
  if item.range then
    if item.range.start.line ~= row or item.range['end'].line ~= row then
      return nil
    end
    first = encoding.bytes(line, item.range.start.character, enc)
    last = encoding.bytes(line, item.range['end'].character, enc)
  end
  local typed = line:sub(first + 1, col)
  if first > col or last < col or not vim.startswith(text, typed) or #text == #typed then
    return nil
  end
  local tail = line:sub(col + 1)
  return { row = row, col = first, text = text, typed = #typed, tail = tail, covered = last - col, item = item }
end

--- How many bytes of `tail` are replaced now, or nil when what is right of the cursor isn't what was there.
--- A bracket's partner that an auto-pair put in is replaced, too; one that was typed over is not there any more.
local function covered_now(self, tail, rest)
  if tail == self.tail then
    return self.covered
  end
  local more = #tail - #self.tail
  if more > 0 and vim.endswith(tail, self.tail) then
    local added = tail:sub(1, more)
    local is_pair = added:match('^[%]%)}"\'`>]+$') and M.places(rest, added)
    return is_pair and more + self.covered or nil
  end
  local is_less = more < 0 and -more <= self.covered and vim.endswith(self.tail, tail)
  return is_less and self.covered + more or nil
end

--- What is left for a cursor at (row, col), `lines` being the buffer's from the suggestion's row to the cursor's:
--- { text, covered, before }, or nil when the text went another way. `text` is empty when all of it was typed.
function M.rest(self, lines, row, col)
  if row < self.row or (row == self.row and col < self.col) or #lines ~= row - self.row + 1 then
    return nil
  end
  local line = lines[#lines]
  local parts = vim.list_slice(lines, 1, #lines - 1)
  table.insert(parts, line:sub(1, col))
  local before = table.concat(parts, '\n'):sub(self.col + 1)
  if #before < self.typed or not vim.startswith(self.text, before) then
    return nil
  end
  local text = self.text:sub(#before + 1)
  local covered = covered_now(self, line:sub(col + 1), text)
  return covered and { text = text, covered = covered, before = before } or nil
end

--- Where the bytes of `covered` stand in `text`, or nil when they aren't all in it, in order: those that it begins with
--- at the beginning, the others each as late as possible. So "a, b):" puts a ")" that is there already at its own, and
--- only "a, b" and ":" are new.
function M.places(text, covered)
  local places, n_first = {}, 0
  while n_first < #covered and text:byte(n_first + 1) == covered:byte(n_first + 1) do
    n_first = n_first + 1
    places[n_first] = n_first
  end
  local at = #text
  for index = #covered, n_first + 1, -1 do
    while at > n_first and text:byte(at) ~= covered:byte(index) do
      at = at - 1
    end
    if at == n_first then
      return nil
    end
    places[index] = at
    at = at - 1
  end
  return places
end

--- The first word of a text with the blanks before it; signs that stand together are a word.
function M.first_word(text)
  local word = text:match('^%s*[%w_\128-\255]+') or text:match('^%s*[^%w%s_\128-\255]+')
  return word or text
end

--- A text up to the end of its first line; the next line when it begins with a line end.
function M.first_line(text)
  return text:match('^[^\n]+') or text:match('^\n+[^\n]*') or text
end

return M
