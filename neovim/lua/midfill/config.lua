--- Options: their defaults, and `setup`'s argument checked against them.
--- Rules: a wrong option is named in one message and its default is used. What the server understands goes
--- under `settings` as it is; the server names what is wrong there.

local M = {}

--- What a key does while ghost text is shown; `trigger` is the only one that exists all the time.
local KEYS = {
  accept = '<Tab>',
  accept_word = '<M-w>',
  accept_line = '<M-l>',
  next = '<M-n>',
  previous = '<M-p>',
  dismiss = '<C-]>',
  trigger = '<M-\\>',
}

M.defaults = {
  --- The server's command, as a list, or a function as |vim.lsp.ClientConfig| has it. Nil: it is looked for (`locate`).
  cmd = nil,
  --- The server's settings: the keys of docs/configuration.md, e.g. { model = '...', context = { index = false } }.
  settings = {},
  --- Nil for every file, a list of filetypes, or a function of the buffer that says whether.
  filetypes = nil,
  --- Larger files are left alone.
  max_bytes = 2000000,
  --- What marks the folder that is read for context.
  root_markers = { '.git', '.hg', 'pyproject.toml', 'package.json', 'Cargo.toml', 'go.mod' },
  keys = KEYS,
  --- The server's log; false for none.
  log_file = nil,
}

local TYPES = {
  cmd = { 'table', 'function' },
  settings = { 'table' },
  filetypes = { 'table', 'function' },
  max_bytes = { 'number' },
  root_markers = { 'table' },
  keys = { 'table' },
  log_file = { 'string', 'boolean' },
}

M.current = M.defaults

local function problems_of(options)
  local problems = {}
  for name, value in pairs(options) do
    if not TYPES[name] then
      table.insert(problems, ('there is no option "%s"'):format(name))
    elseif not vim.tbl_contains(TYPES[name], type(value)) then
      table.insert(problems, ('"%s" must be a %s'):format(name, table.concat(TYPES[name], ' or a ')))
    end
  end
  for name in pairs(type(options.keys) == 'table' and options.keys or {}) do
    if not KEYS[name] then
      table.insert(problems, ('there is no key "%s"'):format(name))
    end
  end
  table.sort(problems)
  return problems
end

--- Take over the user's options. Returns a list of what is wrong with them, in words.
function M.load(options)
  options = options or {}
  local problems = problems_of(options)
  local good = {}
  for name, value in pairs(options) do
    if TYPES[name] and vim.tbl_contains(TYPES[name], type(value)) then
      good[name] = value
    end
  end
  M.current = vim.tbl_deep_extend('force', M.defaults, good)
  return problems
end

return M
