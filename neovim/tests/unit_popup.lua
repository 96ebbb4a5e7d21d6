--- Beside Neovim's own completion popup.

return function(test)
  local POPUP = [[
    vim.o.completeopt = ...
    function _G.complete(findstart)
      return findstart == 1 and 0 or { 'print', 'private' }
    end
    vim.bo.completefunc = 'v:lua.complete'
  ]]
  local options = { before_setup = POPUP:gsub('%.%.%.', "'menuone,noinsert'") }
  local inserting = { before_setup = POPUP:gsub('%.%.%.', "'menuone'") }

  test('ghost text goes while another item is selected, and the selected one is asked for', { '|' },
    options, function(editor)
    editor:answers({ 'prefix' })
    editor:type('ipr')
    editor:expect_ghost({ 'efix' })
    editor:answers({ 'print(x)' })
    editor:type('<C-x><C-u>')
    editor:expect_ghost({ 'int(x)' })
    editor:eventually([[
      local requests = fake.told('textDocument/inlineCompletion')
      return requests[#requests].context.selectedCompletionInfo
    ]], {
      range = { start = { line = 0, character = 0 }, ['end'] = { line = 0, character = 2 } },
      text = 'print',
    })
    editor:answers({ 'nothing of it' })
    editor:type('<C-n>')
    editor:expect_ghost({})
    editor:type('<C-p>')
    editor:expect_ghost({})
  end)

  test('ghost text that agrees with the selected item stays, and is accepted through the popup', { '|' },
    options, function(editor)
    editor:answers({ 'print(x)' })
    editor:type('ipr')
    editor:expect_ghost({ 'int(x)' })
    local n = editor:n_told('textDocument/inlineCompletion')
    editor:type('<C-x><C-u>')
    editor:eventually('return vim.fn.pumvisible()', 1)
    editor:expect_ghost({ 'int(x)' })
    assert(editor:n_told('textDocument/inlineCompletion') == n)
    editor:type('<Tab>')
    editor:expect_text({ 'print(x)|' })
    editor:eventually('return vim.fn.pumvisible()', 0)
  end)

  test('behind an item that the popup has inserted, what follows is suggested and accepted', { '|' },
    inserting, function(editor)
    editor:answers({})
    editor:type('ipr')
    editor:answers({ 'print(x)' })
    editor:type('<C-x><C-u>')
    editor:expect_ghost({ '(x)' })
    editor:type('<Tab>')
    editor:expect_text({ 'print(x)|' })
  end)
end
