--- Puts text at the cursor as pasted text: no indentation, abbreviation or mapping has a say, and `.` repeats it so.
--- Called by `accept`. Neovim 0.10 repeats what was pasted as if it were typed: indented once more, wrapped, in
--- comments. What comes from the expression register (|i_CTRL-R_CTRL-O|) is repeated as a command; so there `.` is
--- given this command, behind the text itself, and behind it, as a pasted text that goes nowhere, what the command
--- reads: an expression that is nothing now, and the text later.

local M = {}

--- What `.` may still have to repeat, in 0.10.
local texts = {}
local is_recording = false

local function expression()
  return ("v:lua.require'midfill.insertion'.text(%d)"):format(#texts)
end

--- The value of the expression.
function M.text(index)
  return is_recording and '' or texts[index]
end

--- The command has been read: keep its expression for `.`.
function M.remember()
  is_recording = false
  local paste = vim.paste
  vim.paste = function()
    return true
  end
  pcall(vim.api.nvim_paste, expression() .. '\n', false, -1)
  vim.paste = paste
end

--- Insert a text at the cursor, in insert mode.
function M.put(text)
  -- An expression that ends with a line end would be put as whole lines.
  if vim.fn.has('nvim-0.11') == 1 or vim.endswith(text, '\n') then
    vim.api.nvim_paste(text, false, -1)
    return
  end
  vim.api.nvim_put(vim.split(text, '\n', { plain = true }), 'c', false, true)
  table.insert(texts, text)
  is_recording = true
  local keys = ('<C-r><C-o>=%s<CR><Cmd>lua require("midfill.insertion").remember()<CR>'):format(expression())
  vim.api.nvim_feedkeys(vim.keycode(keys), 'ni', false)
end

return M
