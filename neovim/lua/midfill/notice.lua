--- What midfill says by itself.
--- Rules: never more than fits into the message line, since a longer message stops the user with a prompt; the whole
--- of it is kept for `:Midfill status`. Say the important thing first.

local M = { said = {} }

--- Say something. Callable from everywhere.
function M.tell(message, level)
  message = message:gsub('%s+', ' '):gsub('^midfill: ', '')
  if not vim.tbl_contains(M.said, message) then
    table.insert(M.said, message)
  end
  vim.schedule(function()
    local line, room = 'midfill: ' .. message, vim.v.echospace
    if vim.fn.strdisplaywidth(line) > room then
      line = vim.fn.strcharpart(line, 0, room - 1) .. '…'
    end
    vim.notify(line, level or vim.log.levels.INFO)
  end)
end

return M
