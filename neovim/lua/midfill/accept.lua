--- Puts a suggestion, or its next word or line, into the buffer.
--- Called by the keys. Rules: what is inserted is what is left of the suggestion in the text as it is now, so a key
--- that comes late inserts nothing stale. One undo takes back what was accepted, and nothing that was typed before.
--- It is inserted as pasted text (`insertion`).

local feedback = require('midfill.feedback')
local insertion = require('midfill.insertion')
local popup = require('midfill.popup')
local session = require('midfill.session')
local suggestion = require('midfill.suggestion')

local M = {}

--- How many of the covered bytes right of the cursor go when only the first `n_bytes` of a text are inserted.
local function n_replaced(rest, tail, n_bytes)
  if n_bytes == #rest.text then
    return rest.covered
  end
  local n = 0
  for index, place in ipairs(suggestion.places(rest.text, tail:sub(1, rest.covered)) or {}) do
    n = place <= n_bytes and index or n
  end
  return n
end

--- What comes is an undo step of its own.
local function break_undo()
  vim.bo.undolevels = vim.bo.undolevels
end

--- Insert what `cut` takes of what is left. False when nothing was shown.
local function insert(cut)
  local choice, rest = session.current()
  if not choice then
    return false
  end
  local part = cut(rest.text)
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  local tail = vim.api.nvim_get_current_line():sub(col + 1)
  local n = n_replaced(rest, tail, #part)
  break_undo()
  if n > 0 then
    vim.api.nvim_buf_set_text(0, row - 1, col, row - 1, col + n, { '' })
  end
  insertion.put(part)
  if #part == #rest.text then
    feedback.accepted(choice.item)
    session.hide()
  else
    feedback.partially_accepted(choice.item, rest.before .. part)
  end
  return true
end

--- Accept all of it.
function M.all()
  return insert(function(text)
    return text
  end)
end

--- Accept the next word.
function M.word()
  return insert(suggestion.first_word)
end

--- Accept up to the end of the line, or the next line at a line's end.
function M.line()
  return insert(suggestion.first_line)
end

--- The same by name ("all", "word", "line") for a key, with Neovim's popup open or not: it has to close first, and
--- closing can insert or take back text, which only a typed key does.
function M.by_key(name)
  if vim.fn.pumvisible() == 0 then
    return M[name]()
  end
  local col = vim.api.nvim_win_get_cursor(0)[2]
  local before = vim.api.nvim_get_current_line():sub(1, col)
  local keys = popup.closing_keys(before) .. ("<Cmd>lua require('midfill.accept').%s()<CR>"):format(name)
  vim.api.nvim_feedkeys(vim.keycode(keys), 'n', false)
  return true
end

return M
