--- How a next edit is drawn: what is struck, what stands behind it, and which lines come in.
--- Rules: pure. Nothing of a word is shown changed but the word. Rows and byte columns from 0.

local M = {}

local diff = vim.text and vim.text.diff or vim.diff
local WORD = '^[%w_\128-\255]+'

--- A line as words, runs of blanks, and single other characters.
local function tokens(line)
  local found, at = {}, 1
  while at <= #line do
    local rest = line:sub(at)
    local token = rest:match(WORD) or rest:match('^%s+') or rest:sub(1, 1)
    table.insert(found, token)
    at = at + #token
  end
  return found
end

--- The token-wise changes of one line.
local function changes(old, new, row)
  local before, after = tokens(old), tokens(new)
  local pieces = {}
  local hunks = diff(
    table.concat(before, '\n') .. '\n',
    table.concat(after, '\n') .. '\n',
    { result_type = 'indices', algorithm = 'minimal' }
  )
  for _, hunk in ipairs(hunks) do
    local start, n_old, start_new, n_new = unpack(hunk)
    local from = #table.concat(before, '', 1, n_old > 0 and start - 1 or start)
    local gone = table.concat(before, '', start, start + n_old - 1)
    local text = table.concat(after, '', start_new, start_new + n_new - 1)
    table.insert(pieces, { row = row, from = from, to = from + #gone, text = text })
  end
  return pieces
end

--- `lines` of a buffer, an edit from (row, column) to (last, last_column), and its text. Gives `pieces`: characters of
--- a row that are struck, each with the text behind them; and `lines`, that come in above row `above`.
function M.of(lines, row, column, last, last_column, text)
  local old = vim.list_slice(lines, row + 1, last + 1)
  local head, tail = (old[1] or ''):sub(1, column), (old[#old] or ''):sub(last_column + 1)
  local new = vim.split(head .. text:gsub('\r\n', '\n') .. tail, '\n', { plain = true })
  while #old > 0 and #new > 0 and old[1] == new[1] do
    table.remove(old, 1)
    table.remove(new, 1)
    row = row + 1
  end
  while #old > 0 and #new > 0 and old[#old] == new[#new] do
    table.remove(old)
    table.remove(new)
  end
  if row >= #lines and new[#new] == '' then
    table.remove(new) -- the buffer's last line end, which is no line of its own
  end
  local pieces = {}
  for n, line in ipairs(old) do
    if #old == #new then
      vim.list_extend(pieces, changes(line, new[n], row + n - 1))
    else
      table.insert(pieces, { row = row + n - 1, from = #line:match('^%s*'), to = #line, text = '' })
    end
  end
  return { pieces = pieces, lines = #old == #new and {} or new, above = row + #old }
end

return M
