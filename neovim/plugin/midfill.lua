-- Defines :Midfill. Nothing else happens before `require('midfill').setup()`.
if vim.g.loaded_midfill then
  return
end
vim.g.loaded_midfill = true

vim.api.nvim_create_user_command('Midfill', function(opts)
  require('midfill.commands').run(opts.fargs)
end, {
  nargs = '*',
  desc = 'midfill: why, stats, doctor, context, status, snooze, enable, disable, toggle, log',
  complete = function(lead)
    return require('midfill.commands').complete(lead)
  end,
})
