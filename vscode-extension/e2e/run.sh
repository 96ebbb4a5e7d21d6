#!/usr/bin/env bash
# The extension's tests: units, then the real VS Code in Chromium with the real server and model.
# $MIDFILL_EDITORS: where what is needed is installed. Screenshots: e2e/out/.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
export MIDFILL_EDITORS=${MIDFILL_EDITORS:-${XDG_CACHE_HOME:-$HOME/.cache}/midfill-editors}/code-server
: "${CHROMIUM:=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}"
[ -n "$CHROMIUM" ] || { echo "no Chromium was found: install it, or set CHROMIUM to its path" >&2; exit 1; }
export CHROMIUM
"$here/install.sh" "$MIDFILL_EDITORS"
cd "$here/.."
npm ci --loglevel=error
npm run --silent check
npm test --silent
npm run --silent package
npm run --silent e2e
