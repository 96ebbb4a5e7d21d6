--- What the server is asked and told.

return function(test)
  local REQUEST = 'textDocument/inlineCompletion'

  test('ghost text that is typed stays, without a request', { '|' }, {}, function(editor)
    editor:answers({ 'abcd\nef' })
    editor:type('ia')
    editor:expect_ghost({ 'bcd', 'ef' })
    local n = editor:n_told(REQUEST)
    editor:type('b')
    editor:expect_ghost({ 'cd', 'ef' })
    editor:type('cd<CR>')
    editor:expect_ghost({ 'ef' })
    assert(editor:n_told(REQUEST) == n)
  end)

  test('ghost text grows in place when the server has more of it', { '|' }, {}, function(editor)
    local grow = [[fake.tell('$/midfill/grown', { uri = vim.uri_from_bufnr(0) })]]
    editor:answers({ 'abc' })
    editor:type('ia')
    editor:expect_ghost({ 'bc' })
    editor:type('b')
    editor:answers({ 'abcd(e)' })
    editor:lua(grow)
    editor:expect_ghost({ 'cd(e)' })
    editor:answers({ 'abx' }) -- no longer form of what is read: it stays
    editor:lua(grow)
    editor:lua('vim.wait(50)')
    editor:expect_ghost({ 'cd(e)' })
  end)

  test('ghost text of another place is not grown', { '|' }, {}, function(editor)
    editor:answers({ 'abc' })
    editor:type('ia')
    editor:expect_ghost({ 'bc' })
    local n = editor:n_told(REQUEST)
    editor:lua([[fake.tell('$/midfill/grown', { uri = 'file:///another.txt' })]])
    editor:lua('vim.wait(50)')
    assert(editor:n_told(REQUEST) == n)
  end)

  test('the server is told of lines that the cursor comes to, and not of those that are typed in', {
    '|abc',
    'def',
    'ghi',
  }, {}, function(editor)
    local MOVED = 'midfill/didMove'
    editor:eventually([[return require('midfill.server').client_of(vim.api.nvim_get_current_buf()) ~= nil]], true)
    editor:type('j')
    editor:eventually([[return #fake.told('midfill/didMove') > 0]], true)
    local n = editor:n_told(MOVED)
    editor:type('ll')
    assert(editor:n_told(MOVED) == n, 'along a line nothing is new')
    editor:type('ix')
    assert(editor:n_told(MOVED) == n, 'a request tells of itself')
    editor:type('<Down>')
    assert(editor:n_told(MOVED) == n + 1)
    local line = editor:lua([[local all = fake.told('midfill/didMove') return all[#all].position.line]])
    assert(line == 2)
  end)

  test('each typed key is an edit of its own for the server', { '|' }, {}, function(editor)
    editor:answers({ 'abcd' })
    editor:type('ia')
    editor:expect_ghost({ 'bcd' })
    editor:type('b')
    editor:type('c')
    editor:expect_ghost({ 'd' })
    assert(editor:n_told('textDocument/didChange') >= 3)
  end)

  test('auto-pairs do not end what is typed through', { '|' }, {
    before_setup = [[vim.keymap.set('i', '(', '()<Left>')]],
  }, function(editor)
    editor:answers({ 'foo(a)' })
    editor:type('ifoo')
    editor:expect_ghost({ '(a)' })
    editor:type('(')
    editor:expect_text({ 'foo(|)' })
    editor:expect_ghost({ 'a' })
    editor:type('<Tab>')
    editor:expect_text({ 'foo(a)|' })
  end)

  test('a superseded request is cancelled, and its answer not shown', { '|' }, {}, function(editor)
    editor:answers({ 'ax' })
    editor:lua('fake.holds = true')
    editor:type('ia')
    editor:answers({ 'aby' })
    editor:type('b')
    assert(editor:n_told('$/cancelRequest') >= 1)
    editor:lua('fake.release()')
    editor:expect_ghost({ 'y' })
  end)

  test('an answer is shown only if it goes on with the text as it is', { '|' }, {}, function(editor)
    editor:answers({ 'zzz' })
    editor:type('ia')
    editor:eventually([[return #fake.told('textDocument/inlineCompletion') > 0]], true)
    editor:lua('vim.wait(50)')
    editor:expect_ghost({})
  end)

  test('when the model gets ready, the one who waits is shown something', { '|' }, {
    before_setup = [[fake.phase = 'loading']],
  }, function(editor)
    editor:answers({})
    editor:type('ia')
    editor:eventually([[return require('midfill').statusline()]], 'midfill: loading')
    editor:answers({ 'ab' })
    editor:lua([[fake.phase = 'ready']])
    editor:expect_ghost({ 'b' })
    editor:eventually([[return require('midfill').statusline()]], 'midfill')
  end)

  test('a model that was asleep is waited for when a request wakes it', { '|' }, {
    before_setup = [[fake.phase = 'asleep']],
  }, function(editor)
    editor:answers({})
    editor:eventually([[return require('midfill').statusline()]], 'midfill: asleep')
    local n = editor:n_told('midfill/status')
    editor:lua('vim.wait(500)')
    assert(editor:n_told('midfill/status') == n, 'nobody looks while it sleeps')
    editor:lua([[fake.phase = 'loading']])
    editor:type('ia')
    editor:eventually([[return require('midfill').statusline()]], 'midfill: loading')
    editor:answers({ 'ab' })
    editor:lua([[fake.phase = 'ready']])
    editor:expect_ghost({ 'b' })
  end)

  test('a mere move asks for nothing and hides what was shown', { 'abc|' }, {}, function(editor)
    editor:answers({ 'abcde' })
    editor:type('A')
    editor:expect_ghost({ 'de' })
    local n = editor:n_told(REQUEST)
    editor:type('<Left>')
    editor:expect_ghost({})
    assert(editor:n_told(REQUEST) == n)
  end)

  test('what was shown and accepted is told', { '|' }, {}, function(editor)
    editor:answers({ '🎉 größe ab' })
    editor:type('i')
    editor:expect_ghost({ '🎉 größe ab' })
    editor:type('<M-w>')
    editor:expect_ghost({ ' größe ab' })
    editor:type('<M-w>')
    editor:expect_ghost({ ' ab' })
    editor:type('<Tab>')
    editor:expect_text({ '🎉 größe ab|' })
    editor:eventually([[return #fake.told('workspace/executeCommand')]], 1)
    assert(editor:n_told('textDocument/didShowCompletion') == 1)
    editor:eventually([[
      local lengths = {}
      for _, told in ipairs(fake.told('textDocument/didPartiallyAcceptCompletion')) do
        table.insert(lengths, told.acceptedLength)
      end
      return lengths
    ]], { 2, 8 })
  end)

  test('a server that ends at once is said once, and started again', { 'a|' }, {
    setup = { cmd = { '/bin/false' } },
  }, function(editor)
    editor:eventually([[return vim.fn.execute('messages'):match('started again') ~= nil]], true)
    editor:eventually([[return require('midfill').statusline()]], 'midfill: starting')
    editor:lua([[
      starts, real = 0, vim.lsp.start
      vim.lsp.start = function(...) starts = starts + 1; return real(...) end
    ]])
    editor:eventually('return starts >= 1', true)
    editor:eventually([[return select(2, vim.fn.execute('messages'):gsub('midfill', ''))]], 1)
  end)

  test('a server that cannot be found is said once, and by the statusline', { 'a|' }, {
    setup = { cmd = { '/nowhere/lsp_server' } },
  }, function(editor)
    editor:eventually([[return require('midfill').statusline()]], 'midfill: no server found')
    editor:type('ib')
    editor:eventually([[return select(2, vim.fn.execute('messages'):gsub('no server', ''))]], 1)
  end)

  test('nothing is suggested in a snippet, where Tab goes on', { '|' }, {}, function(editor)
    editor:answers({ 'f(abc, y)' })
    editor:type('i')
    editor:eventually([[return require('midfill').is_visible()]], true)
    editor:lua([[vim.snippet.expand('f(${1:x}, ${2:y})')]])
    local n = editor:n_told(REQUEST)
    editor:type('ab')
    editor:expect_text({ 'f(ab|, y)' })
    editor:expect_ghost({})
    assert(editor:n_told(REQUEST) == n)
  end)

  for name, code in pairs({
    ['a read-only file'] = 'vim.bo.readonly = true',
    ['a buffer that cannot be changed'] = 'vim.bo.modifiable = false',
    ['a prompt'] = [[vim.cmd.enew(); vim.bo.buftype = 'prompt']],
    ['a buffer without a name'] = 'vim.cmd.enew()',
    ['a huge file'] = [[vim.api.nvim_buf_set_lines(0, 0, -1, false, vim.fn['repeat']({ ('x'):rep(1000) }, 2100))]],
    ['a buffer that says no'] = 'vim.b.midfill = false',
  }) do
    test('nothing is asked in ' .. name, { 'a|' }, { before_setup = code }, function(editor)
      editor:answers({ 'abc' })
      editor:lua([[vim.o.showmode = false; pcall(vim.cmd.startinsert)]])
      editor:type('ib')
      editor:eventually([[return require('midfill.server').refusal(0) ~= nil]], true)
      assert(editor:n_told(REQUEST) == 0)
      editor:expect_ghost({})
    end)
  end

  test('nothing is shown where virtualedit has no text', { 'a|' }, {
    before_setup = [[vim.o.virtualedit = 'all']],
  }, function(editor)
    editor:answers({ 'a' .. (' '):rep(6) .. 'bc' })
    editor:type('5la')
    editor:expect_ghost({})
    editor:type('x')
    editor:expect_ghost({})
    editor:eventually([[return vim.api.nvim_get_current_line():match('^a +x$') ~= nil]], true)
  end)

  test("Neovim's own client for inline completion stays out", { '|' }, {
    before_setup = 'if vim.lsp.inline_completion then vim.lsp.inline_completion.enable() end',
  }, function(editor)
    editor:answers({ 'abc' })
    editor:type('ia')
    editor:expect_ghost({ 'bc' })
    local n = editor:n_told(REQUEST)
    editor:lua('vim.wait(400)')
    assert(editor:n_told(REQUEST) == n)
  end)
end
