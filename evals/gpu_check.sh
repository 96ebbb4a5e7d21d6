#!/bin/sh
# On a machine with an NVIDIA card, about five minutes: the card's tests, then the ladder of its kinds of weights.
# Needs nothing from the network: random weights of the real shapes. PYTHON names the environment's Python, with the
# CUDA build of torch, bitsandbytes, transformers and pytest; OUT the folder for the results.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}
OUT=${OUT:-evals/results/gpu}
mkdir -p "$OUT"
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
status=0
"$PYTHON" -m pytest -q tests/model/decoders/test_cuda.py -rs > "$OUT/tests.txt" 2>&1 || status=$?
tail -n 15 "$OUT/tests.txt"
for shape in 1.5b 0.5b 7b; do  # the one that counts first: the time may run out
    timeout 180 "$PYTHON" -c "import sys; from evals.cli import main; sys.exit(main(sys.argv[1:]))" bench ladder --device cuda --shape $shape --repetitions 3 --out "$OUT/ladder-$shape.jsonl" || status=$?
done
exit $status
