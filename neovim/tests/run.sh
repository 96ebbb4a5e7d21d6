#!/usr/bin/env bash
# Tests of the plugin in real Neovims: the fast ones with a fake server, then those with the real server and model in
# tmux. usage: neovim/tests/run.sh [pytest arguments]
#   MIDFILL_EDITORS   folder that gets the Neovims (default: the user's cache folder)
#   MIDFILL_TEST_NVIMS  Neovims to use in place of those, as paths with ":" between
#   MIDFILL_TEST_SIDEKICK  a checkout of sidekick.nvim (default: the one that install.sh has fetched)
#   PYTHON            a Python that has midfill installed (default: .venv/bin/python)
set -euo pipefail
here=$(dirname "$(realpath "$0")"); root=$(dirname "$(dirname "$here")")
dir=${MIDFILL_EDITORS:-${XDG_CACHE_HOME:-$HOME/.cache}/midfill-editors}
python=${PYTHON:-$root/.venv/bin/python}
command -v tmux >/dev/null || { echo "the tests need tmux" >&2; exit 2; }

if [ -z "${MIDFILL_TEST_NVIMS:-}" ]; then
  "$here/install.sh" "$dir"
  MIDFILL_TEST_NVIMS=$(find "$dir/bin" -name 'nvim-*' | sort -V | paste -sd:)
fi
export MIDFILL_TEST_NVIMS PYTHONPATH=$root
export MIDFILL_TEST_SIDEKICK=${MIDFILL_TEST_SIDEKICK:-$dir/sidekick.nvim}
export MIDFILL_TEST_SERVER=${MIDFILL_TEST_SERVER:-$(dirname "$python")/lsp_server}

IFS=: read -ra nvims <<< "$MIDFILL_TEST_NVIMS"
for nvim in "${nvims[@]}"; do "$nvim" -l "$here/unit.lua"; done
cd "$root"
exec "$python" -m pytest -c pyproject.toml --rootdir "$root" "$@" neovim/tests
