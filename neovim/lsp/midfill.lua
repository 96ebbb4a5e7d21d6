---@brief
---
--- midfill: code completion that runs entirely on your own machine, for every language. The model is fetched once.
---
--- You need to enable `:help lsp-inline-completion` (Neovim 0.12) to see suggestions. For example, in the LspAttach event:
---
--- ```lua
--- vim.api.nvim_create_autocmd('LspAttach', {
---   callback = function(args)
---     local client = assert(vim.lsp.get_client_by_id(args.data.client_id))
---     if client:supports_method('textDocument/inlineCompletion', args.buf) then
---       vim.lsp.inline_completion.enable(true, { bufnr = args.buf })
---       vim.keymap.set('i', '<C-F>', vim.lsp.inline_completion.get, { buffer = args.buf })
---     end
---   end,
--- })
--- ```
---
--- midfill's own plugin starts its own client: with that, do not enable this one.

---@type vim.lsp.Config
return {
  cmd = { 'lsp_server', '--stdio' },
  root_markers = { '.git' },
}
