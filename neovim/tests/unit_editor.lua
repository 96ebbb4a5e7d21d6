--- What Neovim does around a suggestion: modes are left, windows split, changes repeated, projects opened.

return function(test)
  local REQUEST = 'textDocument/inlineCompletion'

  -- -- deleting ---------------------------------------------------------------------------------------------------

  test('what was deleted is not shown again until something is typed', { '|' }, {}, function(editor)
    editor:answers({ 'abcd' })
    editor:type('ia')
    editor:expect_ghost({ 'bcd' })
    editor:type('b')
    editor:expect_ghost({ 'cd' })
    editor:answers({})
    editor:type('<BS>')
    editor:expect_ghost({})
    editor:answers({ 'abcd' })
    editor:type('b')
    editor:expect_ghost({ 'cd' })
  end)

  -- -- leaving insert mode by <C-c>, which no InsertLeave tells of -------------------------------------------------

  test('<C-c> takes the ghost text and its keys away', { '|' }, {}, function(editor)
    editor:answers({ 'abc' })
    editor:type('ia')
    editor:expect_ghost({ 'bc' })
    editor:type('<C-c>')
    editor:expect_ghost({})
    editor:eventually([[return vim.fn.maparg('<Tab>', 'i', false, true).buffer or 0]], 0)
    editor:eventually([[return require('midfill').is_visible()]], false)
  end)

  test('<C-c> cancels the request under way, and its answer is not shown', { '|' }, {}, function(editor)
    editor:answers({ 'abc' })
    editor:lua('fake.holds = true')
    editor:type('ia')
    editor:eventually(("return #fake.told('%s') > 0"):format(REQUEST), true)
    local n = editor:n_told('$/cancelRequest')
    editor:type('<C-c>')
    editor:eventually([[return vim.api.nvim_get_mode().mode]], 'n')
    editor:eventually(([[return #fake.told('$/cancelRequest') > %d]]):format(n), true)
    editor:lua('fake.release()')
    editor:lua('vim.wait(50)')
    editor:expect_ghost({})
    editor:eventually([[return vim.fn.maparg('<Tab>', 'i', false, true).buffer or 0]], 0)
  end)

  test('<C-c> in completion mode and with others to come takes all away', { 'abc', '|' }, {}, function(editor)
    editor:answers({ 'abc' })
    editor:type('ia')
    editor:expect_ghost({ 'bc' })
    editor:lua('fake.holds = true')
    editor:type('<M-n>')
    editor:type('<C-c>')
    editor:lua('fake.release()')
    editor:expect_ghost({})
    editor:type('o')
    editor:type('<C-x>')
    editor:type('<C-c>')
    editor:expect_ghost({})
    editor:eventually([[return vim.api.nvim_get_mode().mode]], 'n')
  end)

  test('what is shown stays while an expression is typed for <C-r>=', { '|' }, {}, function(editor)
    editor:answers({ 'a1b' })
    editor:type('ia')
    editor:expect_ghost({ '1b' })
    local n = editor:n_told(REQUEST)
    editor:type('<C-r>=1')
    editor:expect_ghost({ '1b' })
    editor:type('<CR>')
    editor:expect_ghost({ 'b' })
    assert(editor:n_told(REQUEST) == n)
  end)

  -- -- installing ------------------------------------------------------------------------------------------------

  --- A folder with a `python3` that writes down what it is asked for, and makes a server where a venv is wanted.
  local PYTHON = [[
    folder = vim.fn.tempname()
    vim.fn.mkdir(folder, 'p')
    local script = {
      '#!/bin/sh',
      'echo "$@" >> "' .. folder .. '/said"',
      'case "$2" in venv)',
      'mkdir -p "$3/bin"; ln -s "$0" "$3/bin/python"; ln -s "$0" "$3/bin/midfill"; ln -s "$0" "$3/bin/lsp_server";;',
      'esac',
    }
    for _, name in ipairs({ 'python3', 'python3.11', 'python3.12', 'python3.13' }) do
      vim.fn.writefile(script, folder .. '/' .. name)
      vim.fn.setfperm(folder .. '/' .. name, 'rwx------')
    end
    vim.env.PATH = folder .. ':/usr/bin:/bin'
    vim.env.XDG_DATA_HOME = folder .. '/data of mine'
    require('midfill.locate').checkout = function() return folder .. '/checkout' end
  ]]

  test('install makes an environment, in which the server is then found', { '|' }, { before_setup = PYTHON }, function(editor)
    local where = editor:lua([[return folder .. '/data of mine/nvim/midfill']])
    editor:lua([[require('midfill.config').current.cmd = nil]])
    assert(editor:lua([[return require('midfill.locate').server() == nil]]))
    editor:lua([[vim.cmd('Midfill install')]])
    editor:eventually([[return require('midfill.locate').server()]], { where .. '/bin/lsp_server', '--stdio' })
    editor:eventually([[return vim.fn.filereadable(folder .. '/said') == 1 and #vim.fn.readfile(folder .. '/said') or 0]], 4)
    local said = editor:lua([[return vim.fn.readfile(folder .. '/said')]])
    assert(said[2] == '-m venv ' .. where, said[2])
    assert(said[3]:match('^%-m pip install .* (%S+)$') == editor:lua('return folder') .. '/checkout', said[3])
    assert(said[3]:find('--no-compile', 1, true), said[3])
    assert(said[4] == 'model pull', said[4])
  end)

  test('install takes what pip is to install', { '|' }, { before_setup = PYTHON }, function(editor)
    editor:lua([[vim.cmd('Midfill install midfill==0.1.0')]])
    editor:eventually([[return vim.fn.filereadable(folder .. '/said') == 1 and #vim.fn.readfile(folder .. '/said') or 0]], 4)
    assert(editor:lua([[return vim.fn.readfile(folder .. '/said')[3] ]]):match(' midfill==0.1.0$'))
  end)

  -- -- windows ---------------------------------------------------------------------------------------------------

  --- What is on the screen in the first rows of each window.
  local SCREEN = [[
    vim.cmd.redraw()
    local found = {}
    for _, win in ipairs(vim.api.nvim_tabpage_list_wins(0)) do
      local top, left = unpack(vim.fn.win_screenpos(win))
      for row = top, top + 2 do
        local line = ''
        for column = left, left + 9 do
          line = line .. vim.fn.screenstring(row, column)
        end
        table.insert(found, vim.trim(line))
      end
    end
    return found
  ]]

  for name, split in pairs({ ['below each other'] = 'split', ['beside each other'] = 'vsplit' }) do
    test('one window shows the ghost of a buffer in two ' .. name, { 'ab|)' }, {}, function(editor)
      editor:lua('vim.cmd(...)', split)
      editor:answers({ 'abcxyz)' }, 1)
      editor:type('ic')
      editor:expect_ghost({ 'xyz' })
      editor:eventually(SCREEN, { 'abcxyz)', '~', '~', 'abc)', '~', '~' })
      editor:type('<Esc>')
      editor:eventually(SCREEN, { 'abc)', '~', '~', 'abc)', '~', '~' })
      editor:lua('vim.cmd.wincmd("w")')
      editor:answers({ 'abc)d\n    e\n    f' })
      editor:type('Ad')
      editor:expect_ghost({ '    e', '    f' })
      editor:eventually(SCREEN, { 'abc)d', '~', '~', 'abc)d', 'e', 'f' })
    end)
  end

  test('a window that is split off while a ghost is shown shows none', { '|' }, {}, function(editor)
    editor:answers({ 'abc)\n    e' })
    editor:type('iabc)')
    editor:expect_ghost({ '    e' })
    editor:lua([[vim.cmd.split()]])
    editor:type('<Esc>')
    editor:answers({ 'abc)d\n    e' })
    editor:type('Ad')
    editor:expect_ghost({ '    e' })
    editor:eventually(SCREEN, { 'abc)d', 'e', '~', 'abc)d', '~', '~' })
  end)

  -- -- `.` ---------------------------------------------------------------------------------------------------------

  local INDENTING = [[
    vim.o.autoindent, vim.o.smartindent, vim.o.textwidth = true, true, 20
    vim.o.formatoptions, vim.o.comments = 'croqlj', ':#'
    vim.cmd.iabbrev('teh', 'the')
  ]]
  local BLOCK = { 'if a:', '    # b', '    teh = { long, long, long, long }', '        d', '    größe "x" \\y <Esc>' }

  test('`.` repeats what was accepted as it was, with what was typed around it', { '|', '    end' }, {
    before_setup = INDENTING,
  }, function(editor)
    editor:answers({ table.concat(BLOCK, '\n') })
    editor:type('ii')
    editor:expect_ghost({ 'f a:', unpack(BLOCK, 2) })
    editor:type('<Tab>')
    editor:answers({})
    editor:type('!')
    editor:type('<Esc>')
    local head, last = vim.list_slice(BLOCK, 1, 4), BLOCK[5]
    editor:type('G^.')
    local again = { '    ' .. head[1], unpack(head, 2) }
    editor:expect_text(vim.iter({ head, last .. '!', again, last .. '|!end' }):flatten():totable())
  end)

  test('`.` repeats words that were accepted one by one', { '|', '    x' }, {
    before_setup = INDENTING,
  }, function(editor)
    editor:answers({ 'teh teh\n  b' })
    editor:type('it')
    editor:expect_ghost({ 'eh teh', '  b' })
    editor:type('<M-w>')
    editor:type('<M-w>')
    editor:expect_ghost({ '  b' })
    editor:type('<M-w>')
    editor:expect_text({ 'teh teh', '  b|', '    x' })
    editor:answers({})
    editor:type('c<Esc>')
    editor:type('G$.')
    editor:expect_text({ 'teh teh', '  bc', '    teh teh', '  b|cx' })
    editor:type('u')
    editor:expect_text({ 'teh teh', '  bc', '    |x' })
    editor:type('u')
    editor:eventually('return vim.api.nvim_buf_get_lines(0, 0, -1, false)', { 'teh teh', '    x' })
  end)

  -- -- folders -----------------------------------------------------------------------------------------------------

  --- The folders that the server was told of, by their last names.
  local FOLDERS = [[
    local found = {}
    local function add(folders)
      for _, folder in ipairs(type(folders) == 'table' and folders or {}) do
        table.insert(found, vim.fs.basename(folder.uri))
      end
    end
    for _, told in ipairs(fake.told('initialize')) do add(told.workspaceFolders) end
    for _, told in ipairs(fake.told('workspace/didChangeWorkspaceFolders')) do add(told.event.added) end
    table.sort(found)
    return found
  ]]
  --- Files of projects of their own, each in a window, before midfill starts: as `nvim -O a/x.py b/y.py` has them.
  local OPEN = [[
    local root = vim.fn.tempname()
    for _, name in ipairs({ 'a', 'b', 'c' }) do
      vim.fn.mkdir(vim.fs.joinpath(root, name, '.git'), 'p')
      vim.fn.writefile({ name }, vim.fs.joinpath(root, name, 'x.txt'))
      vim.cmd.vsplit(vim.fs.joinpath(root, name, 'x.txt'))
    end
    vim.fn.writefile({ 'second' }, vim.fs.joinpath(root, 'b', 'y.txt'))
    vim.cmd.vsplit(vim.fs.joinpath(root, 'b', 'y.txt'))
  ]]

  test('all projects that are open when the server starts are its folders', { '' }, {
    before_setup = OPEN,
  }, function(editor)
    editor:eventually(FOLDERS, { 'a', 'b', 'c' })
    assert(editor:n_told('initialize') == 1)
  end)

  test('a project that is opened later is one, too', { '' }, {}, function(editor)
    editor:eventually([[return require('midfill.server').client() ~= nil]], true)
    editor:lua(OPEN)
    editor:eventually(FOLDERS, { 'a', 'b', 'c' })
  end)

  test('a server that is started again gets all of them', { '' }, { before_setup = OPEN }, function(editor)
    editor:eventually(FOLDERS, { 'a', 'b', 'c' })
    editor:lua([[fake.messages = {}; require('midfill.server').client().rpc.terminate()]])
    editor:eventually([[return require('midfill.server').client() == nil]], true)
    editor:lua([[require('midfill.server').try_again()]])
    editor:eventually(FOLDERS, { 'a', 'b', 'c' })
  end)
end
