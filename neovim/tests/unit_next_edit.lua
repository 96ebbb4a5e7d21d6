--- Next edits: what is drawn, what <Tab> and <Esc> do, and that they are nobody's keys otherwise.

return function(test)
  local ON = { setup = { settings = { nextEdit = { enabled = true } } } }
  local OFFERED = [[
    local edit = require('midfill.next_edit').current()
    return edit and edit.id or 'none'
  ]]
  local DRAWN = [[
    local found = {}
    local space = vim.api.nvim_get_namespaces().midfill_next_edit
    for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })) do
      local details = mark[4]
      if details.hl_group == 'MidfillReplaced' then
        table.insert(found, ('%d:%d-%d struck'):format(mark[2], mark[3], details.end_col))
      elseif details.virt_text then
        table.insert(found, ('%d %s'):format(mark[2], details.virt_text[1][1]))
      end
      for _, line in ipairs(details.virt_lines or {}) do
        table.insert(found, ('%d above %s'):format(mark[2], line[1][1]))
      end
    end
    table.sort(found)
    return found
  ]]

  local function next_edits(editor, list)
    editor:lua(
      [[
      fake.next_edits = {}
      for n, each in ipairs(...) do
        local line, from, to, text = unpack(each)
        local range = { start = { line = line, character = from }, ['end'] = { line = line, character = to } }
        fake.next_edits[n] = {
          id = 'next-' .. line, text = text, range = range, position = range.start,
          textDocument = { uri = vim.uri_from_bufnr(0), version = 1 },
          command = { title = '', command = 'midfill.nextEditAccepted', arguments = { 'next-' .. line } },
        }
      end
    ]],
      list
    )
  end

  test('the edit that follows is drawn where it would be, Tab goes there, Tab takes it, and the next comes', {
    '|load',
    'x',
    'load(1)',
    'load(2)',
  }, ON, function(editor)
    next_edits(editor, { { 2, 0, 4, 'read' } })
    editor:type('cwread<Esc>')
    editor:eventually(OFFERED, 'next-2')
    editor:eventually(DRAWN, { '0  <Tab>: line 3', '2 read', '2:0-4 struck' })
    next_edits(editor, { { 3, 0, 4, 'read' } })
    editor:type('<Tab>')
    editor:expect_text({ 'read', 'x', '|load(1)', 'load(2)' })
    editor:type('<Tab>')
    editor:expect_text({ 'read', 'x', '|read(1)', 'load(2)' })
    editor:eventually(OFFERED, 'next-3')
    assert(editor:lua([[return fake.told('workspace/executeCommand')[1].arguments[1] ]]) == 'next-2')
    next_edits(editor, {})
    editor:type('<Tab><Tab>')
    editor:expect_text({ 'read', 'x', 'read(1)', '|read(2)' })
    editor:eventually(OFFERED, 'none')
    editor:type('u')
    editor:expect_text({ 'read', 'x', 'read(1)', '|load(2)' })
  end)

  test('Escape dismisses it, and the server is told', { '|a', 'b' }, ON, function(editor)
    next_edits(editor, { { 1, 0, 1, 'c' } })
    editor:type('x')
    editor:eventually(OFFERED, 'next-1')
    editor:type('<Esc>')
    editor:eventually(OFFERED, 'none')
    editor:eventually(DRAWN, {})
    assert(editor:lua([[return fake.told('midfill/didDismissNextEdit')[1].id]]) == 'next-1')
    editor:expect_text({ '|', 'b' })
  end)

  test('what is typed takes it away, and the keys are what they were', { '|a', 'b' }, {
    setup = ON.setup,
    before_setup = [[vim.keymap.set('n', '<Tab>', 'gUU', { buffer = 0 })]],
  }, function(editor)
    next_edits(editor, { { 1, 0, 1, 'c' } })
    editor:type('ib<Esc>')
    editor:eventually(OFFERED, 'next-1')
    editor:type('i')
    editor:eventually(OFFERED, 'none')
    next_edits(editor, {})
    editor:type('<Esc><Tab>')
    editor:expect_text({ '|BA', 'b' })
    assert(editor:lua([[return vim.fn.maparg('<Esc>', 'n')]]) == '')
  end)

  test('whole words are struck, each where it stands', { '|a', 'load(load(1))', 'x', 'load' }, ON, function(editor)
    next_edits(editor, { { 1, 0, 2, 're' } }) -- the server sends the characters that differ
    editor:type('x')
    editor:eventually(DRAWN, { '0  <Tab>: line 2', '1 read', '1:0-4 struck' })
    next_edits(editor, { { 1, 0, 9, 'read(read' } })
    editor:type('ix<Esc>')
    editor:eventually(DRAWN, { '0  <Tab>: line 2', '1 read', '1 read', '1:0-4 struck', '1:5-9 struck' })
  end)

  test('lines that go are struck, and what comes in their place stands below', { '|a', '  old', 'b' }, ON, function(editor)
    next_edits(editor, { { 1, 2, 5, 'one\n  two' } })
    editor:type('x')
    editor:eventually(DRAWN, { '0  <Tab>: line 2', '1:2-5 struck', '2 above   one', '2 above   two' })
  end)

  test('lines that come in are drawn above the line that they push down', { '|a', 'b' }, ON, function(editor)
    next_edits(editor, { { 1, 0, 0, 'one\ntwo\n' } })
    editor:type('x')
    editor:eventually(OFFERED, 'next-1')
    editor:eventually(DRAWN, { '0  <Tab>: line 2', '1 above one', '1 above two' })
    next_edits(editor, {})
    editor:type('<Tab><Tab>')
    editor:eventually('return vim.api.nvim_buf_get_lines(0, 0, -1, false)', { '', 'one', 'two', 'b' })
  end)

  test('lines that come in at the end of the file are drawn below it', { '|a', 'b' }, ON, function(editor)
    next_edits(editor, { { 2, 0, 0, 'one\n' } })
    editor:type('x')
    editor:eventually(DRAWN, { '0  <Tab>: line 3', '1 above one' })
  end)

  test('nothing is asked unless it is switched on', { '|a', 'b' }, {}, function(editor)
    next_edits(editor, { { 1, 0, 1, 'c' } })
    editor:type('x')
    editor:lua('vim.wait(300)')
    assert(editor:n_told('midfill/nextEdit') == 0)
  end)
end
