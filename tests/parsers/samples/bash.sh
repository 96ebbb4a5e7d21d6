#!/bin/bash
set -euo pipefail
source ./settings.sh

KEEP=7

# INCOMMENT keeps seven backups
backup() {
  local target="$1/INSTRING"
  if [ -d "$target" ]; then
    rm -r INBLOCK
  fi
  mkdir -p "$target"
}

backup /var/lib/app
