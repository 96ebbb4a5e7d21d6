"""llama.cpp's own HTTP server in a process: `python -m evals.peers.llama_server GGUF N_CTX`. Used by the replay.

Prints one JSON line with its address once it listens, or with an error; leaves when its standard input ends.
The settings are those that llama.vim recommends: one slot, `--cache-reuse 256`, a batch of 1,024.
"""

import json
import os
import sys

from model.library.system import n_cores

_CACHE_REUSE = 256
_BATCH = 1024


def main(gguf: str, n_ctx: int) -> int:
    """Serve until standard input ends."""
    try:
        import xllamacpp
    except ImportError:
        print(json.dumps({"error": "xllamacpp is not installed; pip install midfill[bench]"}), flush=True)
        return 1
    params = xllamacpp.CommonParams()
    params.model.path = gguf
    params.n_ctx = n_ctx
    params.n_batch = params.n_ubatch = _BATCH
    params.n_parallel = 1
    params.n_cache_reuse = _CACHE_REUSE
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = n_cores()
    params.port = 0
    server = xllamacpp.Server(params)
    print(json.dumps({"address": server.listening_address}), flush=True)
    sys.stdin.read()
    os._exit(0)  # its threads do not end by themselves


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
