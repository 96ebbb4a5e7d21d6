--- Pure functions over a suggestion's text. Columns are bytes, as Neovim's own.
local M = {}

--- What of an item is not there yet, given the line up to the cursor and from it on; nil when it does not fit.
---@param item { text: string, first: integer, last: integer } text of the item, over bytes first..last of the line
---@param line string
---@param column integer the cursor
---@return string? rest, integer? replaced bytes behind the cursor that accepting replaces
function M.rest(item, line, column)
  local typed = line:sub(item.first + 1, column)
  if column < item.first or not vim.startswith(item.text, typed) or #item.text <= #typed then
    return nil
  end
  return item.text:sub(#typed + 1), math.max(0, item.last - column)
end

--- What to show of it: what stands behind the cursor already, and is replaced by the same, is not shown twice.
---@param rest string
---@param right string the bytes that are replaced
---@return string
function M.visible(rest, right)
  if right ~= '' and vim.endswith(rest, right) then
    return rest:sub(1, #rest - #right)
  end
  return rest
end

--- The first word of a text, with the blanks before it; a newline takes the next line's indentation with it.
---@param text string
---@return string
function M.word(text)
  local blanks = text:match('^%s*')
  local after = text:sub(#blanks + 1)
  local word = after:match('^[%w_\128-\255]+') or after:match('^[^%w%s_\128-\255]+') or ''
  return blanks .. word
end

--- The first line of a text; at the end of a line, the next one.
---@param text string
---@return string
function M.line(text)
  local first = text:match('^[\r\n]*[^\n]*')
  return first
end

--- Length in UTF-16 units.
---@param text string
---@return integer
function M.utf16(text)
  if vim.fn.has('nvim-0.11') == 1 then
    return vim.str_utfindex(text, 'utf-16')
  end
  local _, units = vim.str_utfindex(text)
  return units
end

--- The byte of a line that so many units of a position encoding are before; the line's end when it has fewer.
---@param line string
---@param units integer
---@param encoding string
---@return integer
function M.byte(line, units, encoding)
  if encoding == 'utf-8' then
    return math.min(units, #line)
  end
  if vim.fn.has('nvim-0.11') == 1 then
    return vim.str_byteindex(line, encoding, units, false)
  end
  local ok, byte = pcall(vim.str_byteindex, line, units, encoding == 'utf-16')
  return ok and byte or #line
end

--- A text with its tabs as blanks: virtual text would show them as one cell.
---@param text string
---@param width integer
---@param column integer the cell that it begins in
---@return string
function M.expanded(text, width, column)
  local out, cell = {}, column
  for _, character in ipairs(vim.fn.split(text, '\\zs')) do
    if character == '\t' then
      local n = width - cell % width
      table.insert(out, (' '):rep(n))
      cell = cell + n
    else
      table.insert(out, character)
      cell = cell + vim.api.nvim_strwidth(character)
    end
  end
  return table.concat(out)
end

return M
