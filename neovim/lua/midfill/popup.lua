--- The item that is selected in Neovim's own completion popup, if any.
--- Called by `session`. Popups that plugins draw themselves are not known here.
--- Rules: reads, never changes the popup. `CompleteChanged` is the cheap way to know: `complete_info` copies all items.

local M = {}

local word = nil

--- Remember the item that is selected now; called at `CompleteChanged`.
function M.changed(completed_item)
  word = completed_item and completed_item.word
  word = word ~= '' and word or nil
end

--- The popup closed.
function M.done()
  word = nil
end

--- The selected item at a cursor with `before` left of it: { word, typed, missing }, of whose word `typed` is in the
--- text. Nil when none is selected, or when it is in the text already, as it is without "noinsert".
function M.selected(before)
  if not word or vim.fn.pumvisible() == 0 then
    return nil
  end
  for n_typed = math.min(#word, #before), 0, -1 do
    local typed = before:sub(#before - n_typed + 1)
    if typed:lower() == word:sub(1, n_typed):lower() then
      local missing = word:sub(n_typed + 1)
      return missing ~= '' and { word = word, typed = typed, missing = missing } or nil
    end
  end
end

--- The keys that close the popup and leave the text as it is.
function M.closing_keys(before)
  return M.selected(before) and '<C-e>' or '<C-y>'
end

return M
