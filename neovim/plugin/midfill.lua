--- The `:Midfill` command. Everything else waits for `require('midfill').setup()`.

vim.api.nvim_create_user_command('Midfill', function(command)
  require('midfill.commands').run(command.fargs)
end, {
  nargs = '*',
  desc = 'midfill: code completion on this machine',
  complete = function(typed)
    return require('midfill.commands').complete(typed)
  end,
})
