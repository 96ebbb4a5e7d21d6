--- :checkhealth midfill
local server = require('midfill.server')

local M = {}

function M.check()
  local health = vim.health
  health.start('midfill')
  if vim.fn.has('nvim-0.10') == 1 then
    health.ok('Neovim is new enough')
  else
    health.error('Neovim 0.10 or newer is needed')
  end
  local command = server.command()
  if not command then
    health.error('no server was found', {
      'pip install midfill, into an environment on the PATH',
      "or require('midfill').setup({ cmd = { '/path/to/lsp_server', '--stdio' } })",
    })
    return
  end
  health.ok('server: ' .. table.concat(command, ' '))
  local program = server.midfill()
  if program then
    local done = vim.system({ program, '--version' }, { text = true }):wait(20000)
    health.ok(vim.trim(done.stdout or ''))
  else
    health.warn('no `midfill` command beside the server: :Midfill why, stats, doctor and context need it')
  end
  local clients = vim.lsp.get_clients({ name = 'midfill' })
  if #clients == 0 then
    health.warn('the server does not run: open a file, and look into :Midfill log if it does not start')
  elseif server.status and server.status.phase == 'failed' then
    health.error(server.status.message)
  else
    health.ok(server.status and server.status.message or 'the server runs')
  end
end

return M
