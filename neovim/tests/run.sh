#!/usr/bin/env bash
# The plugin's tests in real Neovims, with the real server and model. $MIDFILL_EDITORS: where what is needed is installed.
set -euo pipefail
here=$(dirname "$(realpath "$0")"); root=$(dirname "$(dirname "$here")")
folder=${MIDFILL_EDITORS:-${XDG_CACHE_HOME:-$HOME/.cache}/midfill-editors}/neovim
export NEOVIMS=${NEOVIMS:-$("$here/install.sh" "$folder" | paste -sd:)}
for nvim in ${NEOVIMS//:/ }; do "$nvim" --version | head -1; "$nvim" --clean -l "$here/unit.lua"; done
exec "$root/.venv/bin/python" -m pytest -q -p no:cacheprovider "$here/test_neovim.py" "$@"
