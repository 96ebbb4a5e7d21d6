--- The options, with their defaults. `setup` merges the user's into them.
local M = {}

---@class midfill.Options
M.defaults = {
  --- The server's command; nil: `lsp_server` on the PATH (beside `midfill`), or in the data folder.
  cmd = nil, ---@type string[]?
  --- The server's own settings (see :help midfill-settings).
  settings = {}, ---@type table<string, any>
  --- Filetypes without suggestions.
  disabled_filetypes = { 'gitrebase', 'help', 'TelescopePrompt' }, ---@type string[]
  --- Buffers with more lines than this are left alone.
  max_lines = 100000,
  --- Keys in insert mode; false leaves one out. Where nothing is shown they do what they did before.
  keys = {
    accept = '<Tab>',
    accept_word = '<M-Right>',
    accept_line = '<M-C-Right>',
    next = '<M-]>',
    previous = '<M-[>',
    dismiss = '<C-]>',
    trigger = '<M-\\>',
  },
}

M.options = vim.deepcopy(M.defaults)

--- Take over the user's options. Wrong ones are named; their defaults are used.
---@param user midfill.Options?
---@return midfill.Options
function M.load(user)
  local known = vim.tbl_keys(M.defaults)
  vim.list_extend(known, { 'cmd' })
  for key in pairs(user or {}) do
    if not vim.tbl_contains(known, key) then
      vim.notify(('midfill: unknown option %q'):format(key), vim.log.levels.WARN)
    end
  end
  M.options = vim.tbl_deep_extend('force', vim.deepcopy(M.defaults), user or {})
  return M.options
end

return M
