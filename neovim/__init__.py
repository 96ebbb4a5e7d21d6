"""Makes the tests below a package of their own. Neovim does not look at this file."""
