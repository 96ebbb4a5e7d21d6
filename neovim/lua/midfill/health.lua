--- `:checkhealth midfill`.

local config = require('midfill.config')
local locate = require('midfill.locate')
local server = require('midfill.server')

local M = {}

local STATUS_WAIT_MS = 3000

local function check_neovim()
  vim.health.start('midfill: Neovim')
  if vim.fn.has('nvim-0.10') == 1 then
    vim.health.ok('Neovim ' .. tostring(vim.version()))
  else
    vim.health.error('Neovim 0.10 or newer is needed')
  end
  if vim.fn.exists('#midfill') == 0 then
    vim.health.error("nothing is set up: call require('midfill').setup()")
  end
end

local function check_server()
  vim.health.start('midfill: the server')
  local command = locate.server()
  if not command then
    return vim.health.error('not found', { locate.REMEDY })
  elseif type(command) == 'function' then
    return vim.health.ok('started by a function of yours')
  end
  local ok, done = pcall(function()
    return vim.system({ command[1], '--version' }, { text = true }):wait(15000)
  end)
  if ok and done.code == 0 then
    vim.health.ok(('%s (%s)'):format(command[1], vim.trim(done.stdout)))
  else
    local why = ok and vim.trim(done.stderr) or tostring(done)
    vim.health.error(('%s does not run: %s'):format(command[1], why), { locate.REMEDY })
  end
  local cli = locate.cli()
  if cli then
    vim.health.ok('the terminal command is ' .. cli)
  else
    vim.health.warn('no `midfill` command: :Midfill stats, doctor and context need it')
  end
end

local function check_session()
  vim.health.start('midfill: this session')
  local client = server.client()
  if not client then
    return vim.health.warn('the server does not run; open a file', { 'The log: :Midfill log' })
  end
  local status, problem
  server.request(client, 'midfill/status', vim.empty_dict(), 0, function(failed, result)
    problem, status = failed and failed.message, result
  end)
  vim.wait(STATUS_WAIT_MS, function()
    return status ~= nil or problem ~= nil
  end, 10)
  if status then
    local say = status.phase == 'ready' and vim.health.ok or vim.health.warn
    say(status.message)
    if status.machine and status.machine ~= '' then
      vim.health.info('this machine: ' .. status.machine)
    end
  else
    vim.health.error('the server does not answer: ' .. (problem or 'no answer in time'))
  end
  vim.health.info(('positions are counted in %s'):format(client.offset_encoding))
end

local function check_keys()
  vim.health.start('midfill: keys')
  for name, lhs in pairs(config.current.keys) do
    local mapped = lhs and vim.fn.maparg(lhs, 'i', false, true) or {}
    if lhs and name ~= 'trigger' and mapped.rhs then
      vim.health.info(('%s (%s) is %s where nothing is shown'):format(lhs, name, mapped.rhs))
    end
  end
  vim.health.ok('keys are mapped only while a suggestion is shown')
end

--- Called by Neovim.
function M.check()
  check_neovim()
  check_server()
  check_session()
  check_keys()
end

return M
