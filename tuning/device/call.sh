#!/usr/bin/env bash
# One call on a rented machine: takes in what came, begins what can begin, sends back what is new. Every call is this:
#   call.sh LEFT [WAIT]     LEFT: seconds of the loan that are left; WAIT: seconds to wait for something new
# What comes is in .gpu/ of the tree (see prepare.sh). The state is below $work: in/ (files that are whole), out-*/
# (ladders), *.log, until (when all must be done), sent (what was sent back).
# Rules: it may be called any number of times; a step that fails is said, and does not keep the next from running.
set -u
left=${1:?seconds left} wait=${2:-0}
work=${MIDFILL_DEVICE_WORK:-/tmp/midfill-device}
out=${OUT:?}
python=${MIDFILL_DEVICE_PYTHON:-python3}
here=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$work/parts" "$work/in" "$work/site"
# 25 seconds for what passes between two calls unseen.
echo $(($(date +%s) + left - 25)) > "$work/until"
export PYTHONUNBUFFERED=1 PYTHONPATH="$work/repo:$work/site" TOKENIZERS_PARALLELISM=false
export PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True PYTORCH_ALLOC_CONF=expandable_segments:True

take_in() { # parts -> $work/in/NAME, once all are there and the hash is right
  mv -f "$here"/.gpu/*.part-* "$work/parts/" 2> /dev/null
  cp -rf "$here/.gpu/sums" "$work/" 2> /dev/null
  local sums name parts
  for sums in "$work"/sums/*; do
    [ -e "$sums" ] || continue
    name=${sums##*/}
    [ -e "$work/in/$name" ] && continue
    parts=$(tail -n +2 "$sums" | awk '{print $2}')
    if ! (cd "$work/parts" && ls $parts > /dev/null 2>&1); then
      echo "$name: $(cd "$work/parts" && ls $parts 2> /dev/null | wc -l) of $(echo "$parts" | wc -l) parts"
      continue
    fi
    (cd "$work/parts" && cat $parts) > "$work/$name.joined"
    if [ "$(sha256sum < "$work/$name.joined" | cut -d' ' -f1)" = "$(head -1 "$sums" | cut -d' ' -f1)" ]; then
      mv "$work/$name.joined" "$work/in/$name"
      (cd "$work/parts" && rm -f $parts)
      echo "$name is whole"
    else
      echo "$name IS DAMAGED: send these parts again:"
      (cd "$work/parts" && tail -n +2 "$sums" | sha256sum -c --quiet - 2> /dev/null)
      (cd "$work/parts" && tail -n +2 "$sums" | sha256sum -c - 2> /dev/null | awk -F: '/FAILED/{print $1}' | xargs -r rm -f)
    fi
  done
}

renew() { # the tree that is run from, until something runs; the wheels
  if ls "$here"/.gpu/wheels/*.whl > /dev/null 2>&1 && ! [ -d "$work/site/gguf" ]; then
    for wheel in "$here"/.gpu/wheels/*.whl; do # pure Python: to unpack is to install
      $python -m zipfile -e "$wheel" "$work/site"
    done
  fi
  mkdir -p "$work/repo"
  [ -e "$work/ladder.started" ] && [ -z "${RESTART:-}" ] || cp -rf "$here"/completion "$here"/model "$here"/parsers "$here"/tuning "$work/repo/"
}

begin() { # NAME COMMAND...: once, in a session of its own, so that it outlives this call
  local name=$1
  shift
  [ -e "$work/$name.started" ] && return
  touch "$work/$name.started"
  # No list before the `&`: a shell that waits for it would hold this call's output open until the end.
  (
    cd "$work/repo" || exit
    setsid nohup "$@" > "$work/$name.log" 2>&1 < /dev/null &
    echo $! > "$work/$name.pid"
  )
  echo "$name has begun"
}

unpacked() { # NAME: $work/in/NAME.xz -> $work/in/NAME
  [ -e "$work/in/$1" ] && return
  [ -e "$work/in/$1.xz" ] && $python -c "
import lzma, shutil, sys
shutil.copyfileobj(lzma.open(sys.argv[1]), open(sys.argv[2] + '.part', 'wb'), 1 << 20)" \
    "$work/in/$1.xz" "$work/in/$1" && mv "$work/in/$1.part" "$work/in/$1"
}

fresh() { # the folders of rungs that are done and not sent
  for done in "$work"/out-*/rung-*/done; do
    [ -e "$done" ] && ! grep -qxF "$done" "$work/sent" 2> /dev/null && echo "$done"
  done
}

send() { # at most seven pieces of 15 MB, and the logs
  local room=7 done folder name kind file n
  mkdir -p "$out"
  for done in $(fresh); do
    folder=${done%/done} kind=int8
    name=$(basename "$(dirname "$folder")")-$(basename "$folder")
    grep -qxF "$(basename "$folder")" "$work/whole" 2> /dev/null && kind=fp16
    file=$folder/adapter-$kind/adapter_model.safetensors
    n=$((($(stat -c %s "$file") + 14999999) / 15000000))
    [ "$n" -gt "$room" ] && continue
    split -b 15000000 -d -a 1 "$file" "$out/$name-$kind.safetensors.part-"
    room=$((room - n))
    echo "$done" >> "$work/sent"
    echo "sent back: $name, $kind"
  done
  (cd "$work" && tar -czf "$out/logs.tar.gz" $(ls -- *.log out-*/*.jsonl out-*/*/*.json out-*/*/*.jsonl out-*/*/*.svg \
    out-*/*/adapter-fp16/adapter_config.json 2> /dev/null))
}

for name in ${RESTART:-}; do # after a fault in our code: run the tree as it is now
  [ -e "$work/$name.pid" ] && kill "$(cat "$work/$name.pid")" 2> /dev/null
  rm -f "$work/$name.started"
done
renew
take_in
. "$here/tuning/device/plan.sh"
plan
for ((i = 0; i < wait; i += 2)); do
  [ -n "$(fresh)" ] && break
  all_done && break
  sleep 2
  plan
done
send
for log in "$work"/*.log; do
  [ -e "$log" ] && echo "== ${log##*/}" && tail -n "${LINES_OF_LOG:-6}" "$log" | cut -c1-300
done
nvidia-smi --query-gpu=name,utilization.gpu,memory.used,memory.total --format=csv,noheader 2> /dev/null
df -h "$work" | tail -1
echo "until $(date -d "@$(cat "$work/until")" +%T), now $(date +%T); to be sent: $(fresh | wc -l)"
