# What is done on the rented machine, and when: sourced by call.sh. Rungs are EXAMPLES:BATCH:EPOCHS:RATE:SECONDS.
# The 0.5B climbs the ladder and leaves `share_15` seconds for the 1.5B, which is loaded meanwhile and takes the rest.
share_15=${SHARE_15:-300}
max_tokens=${MAX_TOKENS:-32768}
rungs_05=${RUNGS_05:-250:8:4:2e-4:12 1000:16:3:3e-4:20 4000:32:2:4e-4:45 16000:32:1:4e-4:110 0:32:2:4e-4:0}
rungs_15=${RUNGS_15:-0:32:1:3e-4:0}

plan() {
  [ "${CHECK:-1}" = 0 ] || begin check "$python" -m tuning.device_check --tokens "$max_tokens"
  unpacked train
  unpacked heldout
  if [ -e "$work/in/train" ] && [ ! -e "$work/whole" ]; then
    echo "rung-$(examples)" > "$work/whole"
  fi
  if [ -e "$work/in/base-0.5b.gguf" ]; then # the examples may come later
    begin ladder "$python" -m tuning.ladder "$work/in/base-0.5b.gguf" "$work/in/train" "$work/in/heldout" \
      "$work/out-05" --name Qwen/Qwen2.5-Coder-0.5B-Instruct --max-tokens "$max_tokens" --lock "$work/lock" \
      --until "$work/until" --reserve "$share_15" $(printf -- '--rung %s ' $rungs_05)
  fi
  if [ -e "$work/in/base-1.5b.gguf" ]; then
    begin ladder-15 "$python" -m tuning.ladder "$work/in/base-1.5b.gguf" "$work/in/train" "$work/in/heldout" \
      "$work/out-15" --name Qwen/Qwen2.5-Coder-1.5B-Instruct --max-tokens "$((max_tokens / 2))" --lock "$work/lock" \
      --until "$work/until" --reserve 40 $(printf -- '--rung %s ' $rungs_15)
  fi
}

examples() { # how many the training file holds: the last rung's name
  "$python" -c "import sys; from safetensors import safe_open; print(safe_open(sys.argv[1], framework='np').get_slice('targets').get_shape()[0])" "$work/in/train"
}

all_done() { # both ladders
  tail -n 1 "$work/ladder.log" 2> /dev/null | grep -q ' done$' && tail -n 1 "$work/ladder-15.log" 2> /dev/null | grep -q ' done$'
}
