--- The `:Midfill` command. Everything else waits for `require('midfill').setup()`.

require('midfill').define_command()
