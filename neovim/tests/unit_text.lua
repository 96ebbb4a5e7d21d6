--- What is drawn and what is inserted: encodings, wide characters, tabs, line ends, text right of the cursor, undo.

return function(test)
  --- Type keys at the cursor of `before` with this suggestion, see it drawn, press `key`, and look at the text.
  local function check(name, case)
    test(name, case.before, case, function(editor)
      editor:answers({ case.answer }, case.covered)
      editor:type(case.type or 'a')
      editor:expect_ghost(case.ghost)
      editor:type(case.key or '<Tab>')
      editor:expect_text(case.after)
      editor:expect_ghost(case.left or {})
    end)
  end

  check('a line is drawn behind the cursor, and accepted whole', {
    before = { 'x = fo|o' },
    type = 'A(',
    answer = 'x = foo(a, b)',
    ghost = { 'a, b)' },
    after = { 'x = foo(a, b)|' },
  })
  check('a block is drawn below, and accepted whole', {
    before = { 'def f():|' },
    type = 'A ',
    answer = 'def f(): \n    a()\n    b()',
    ghost = { '    a()', '    b()' },
    after = { 'def f(): ', '    a()', '    b()|' },
  })
  check('the lines of a DOS file stay lines', {
    before = { 'f():|', 'end' },
    format = 'dos',
    type = 'A ',
    answer = 'f(): \r\n    a()\r\n    b()',
    ghost = { '    a()', '    b()' },
    after = { 'f(): ', '    a()', '    b()|', 'end' },
  })
  for _, encoding in ipairs({ 'utf-8', 'utf-16', 'utf-32' }) do
    check('wide characters left and right of the cursor count in ' .. encoding, {
      before = { 's = "日本🎉é|語"' },
      encoding = encoding,
      type = 'i🎈',
      answer = 's = "日本🎉é🎈語" + "ü"',
      covered = ({ ['utf-8'] = 4, ['utf-16'] = 2, ['utf-32'] = 2 })[encoding],
      ghost = { ' + "ü"' },
      after = { 's = "日本🎉é🎈語" + "ü"|' },
    })
  end
  check('a bracket that is there already is not drawn again, nor inserted', {
    before = { 'foo|()' },
    type = 'a',
    answer = 'foo(a, b):',
    covered = 1,
    ghost = { 'a, b', ':' },
    after = { 'foo(a, b):|' },
  })
  check('a block hides what stands right of the cursor, and shows it behind its last line', {
    before = { 'foo(|x) + 1' },
    type = 'i ',
    answer = 'foo( \n    a,\n)',
    covered = 0,
    ghost = { '[      ]', '    a,', ')x) + 1' },
    after = { 'foo( ', '    a,', ')|x) + 1' },
  })
  check('tabs are drawn as wide as they will be', {
    before = { '\tif x {|' },
    type = 'A ',
    answer = '\tif x { \n\t\ta\tb\n\t}',
    before_setup = 'vim.bo.tabstop = 4',
    ghost = { '        a   b', '    }' },
    after = { '\tif x { ', '\t\ta\tb', '\t}|' },
  })
  check('what is accepted is not indented, wrapped or abbreviated', {
    before = { '    if x:|' },
    before_setup = 'vim.bo.autoindent, vim.bo.textwidth = true, 10; vim.cmd.iabbrev("teh", "the")',
    type = 'A ',
    answer = '    if x: \n        teh long, long, long line\n    y',
    ghost = { '        teh long, long, long line', '    y' },
    after = { '    if x: ', '        teh long, long, long line', '    y|' },
  })
  check('a word is accepted, and the rest stays', {
    before = { 'x = |' },
    type = 'A',
    answer = 'x = foo(größe, b)\ny',
    ghost = { 'foo(größe, b)', 'y' },
    key = '<M-w>',
    after = { 'x = foo|' },
    left = { '(größe, b)', 'y' },
  })
  check('a line is accepted, and the rest stays', {
    before = { 'x = |' },
    type = 'A',
    answer = 'x = foo(größe, b)\n  y\nz',
    ghost = { 'foo(größe, b)', '  y', 'z' },
    key = '<M-l>',
    after = { 'x = foo(größe, b)|' },
    left = { '  y', 'z' },
  })
  check('a word takes the bracket that it brings along', {
    before = { 'foo|() + c' },
    type = 'a',
    answer = 'foo(a) + b',
    covered = 1,
    ghost = { 'a', ' + b' },
    key = '<M-w><M-w>',
    after = { 'foo(a)| + c' },
    left = { ' + b' },
  })

  test('one undo takes back what was accepted, and nothing that was typed', { 'x = |' }, {}, function(editor)
    editor:answers({ 'x = 1a\nb' })
    editor:type('A1')
    editor:expect_ghost({ 'a', 'b' })
    editor:type('<Tab>')
    editor:expect_text({ 'x = 1a', 'b|' })
    editor:answers({})
    editor:type('cd<Esc>u')
    editor:expect_text({ 'x = |1' })
    editor:type('u')
    editor:expect_text({ 'x =| ' })
    editor:type('<C-r><C-r>')
    editor:eventually('return vim.api.nvim_buf_get_lines(0, 0, -1, false)', { 'x = 1a', 'bcd' })
  end)

  test('a word behind an accepted word is an undo step of its own', { '|' }, {}, function(editor)
    editor:answers({ 'one two three' })
    editor:type('i')
    editor:expect_ghost({ 'one two three' })
    editor:type('<M-w>')
    editor:expect_ghost({ ' two three' })
    editor:type('<M-w>')
    editor:expect_ghost({ ' three' })
    editor:type('<Esc>u')
    editor:eventually('return vim.api.nvim_get_current_line()', 'one')
  end)

  test('a dot repeats what was typed and what was accepted', { '|', '' }, {}, function(editor)
    editor:answers({ 'x = y' })
    editor:type('ix')
    editor:expect_ghost({ ' = y' })
    editor:type('<Tab>;<Esc>j.')
    editor:eventually('return vim.api.nvim_buf_get_lines(0, 0, -1, false)', { 'x = y;', 'x = y;' })
  end)
end
