-- Unit tests of the pure parts: nvim --clean -l unit.lua
vim.opt.runtimepath:prepend(vim.fs.dirname(vim.fs.dirname(vim.fs.abspath and vim.fs.abspath(arg[0]) or vim.fn.fnamemodify(arg[0], ':p'))))
local text = require('midfill.text')
local n = 0

local function equal(got, wanted, what)
  n = n + 1
  if not vim.deep_equal(got, wanted) then
    io.stderr:write(('%s: got %s, wanted %s\n'):format(what, vim.inspect(got), vim.inspect(wanted)))
    os.exit(1)
  end
end

local item = { text = '    return f(a)', first = 0, last = 8 }
equal({ text.rest(item, '    ret)', 7 ) }, { 'urn f(a)', 1 }, 'what is left, and what it replaces')
equal({ text.rest(item, '    return', 10) }, { ' f(a)', 0 }, 'typed through')
equal({ text.rest(item, '    raise', 9) }, {}, 'something else was typed')
equal({ text.rest(item, '    return f(a)', 15) }, {}, 'typed to its end')
equal({ text.rest({ text = 'x', first = 4, last = 4 }, '  ', 2) }, {}, 'before where it begins')
equal(text.visible('a)', ')'), 'a', 'a closer that is there is not shown twice')
equal(text.visible('a)', ']'), 'a)', 'another is')
for _, case in ipairs({
  { 'urn foo', 'urn' }, { ' foo(a)', ' foo' }, { '(a, b)', '(' }, { '\n    x = 1', '\n    x' }, { 'größe = 1', 'größe' },
  { '  ', '  ' }, { '', '' },
}) do
  equal(text.word(case[1]), case[2], 'word of ' .. case[1])
end
equal(text.line('a b\n c\n d'), 'a b', 'the line')
equal(text.line('\n c\n d'), '\n c', 'at the end of a line, the next')
equal(text.utf16('aé😀'), 4, 'UTF-16 units')
for _, case in ipairs({ { 'utf-8', 5, 5 }, { 'utf-16', 4, 7 }, { 'utf-32', 3, 7 }, { 'utf-16', 99, 8 } }) do
  equal(text.byte('aé😀b', case[2], case[1]), case[3], 'byte in ' .. case[1])
end
equal(text.expanded('\ta\tb', 4, 0), '    a   b', 'tabs')
equal(text.expanded('\tb', 8, 5), '   b', 'tabs behind text')
print(('%d checks'):format(n))
