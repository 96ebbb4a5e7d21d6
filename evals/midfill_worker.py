"""midfill's decoder alone in a process, for the bench: `python -m evals.midfill_worker`.

The same protocol as `evals.peer_worker`: one JSON object per line each way. It runs what the daemon's
scheduler runs, in the same chunks, without sockets and sessions around it.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

import torch

from model.catalog import ModelError
from model.engine import keep_freed_memory
from model.kv import KVBuffer
from model.scheduler import CHUNK_TOKENS
from model.score import Scorer


class Timing:
    """A loaded decoder with one KV buffer; every public method is an operation of the protocol."""

    def __init__(self) -> None:
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        keep_freed_memory()
        self._scorer: Scorer | None = None
        self._kv: KVBuffer | None = None

    def load(self, model: str, n_ctx: int) -> dict[str, Any]:
        """Load the model, with room for `n_ctx` tokens."""
        self._scorer = Scorer.open(model)
        self._kv = self._scorer.decoder.new_kv(n_ctx)
        return {}

    def time_prefill(self, ids: list[int]) -> dict[str, Any]:
        """Seconds to run the ids from an empty cache up to the last row's logits."""
        scorer, kv = self._loaded()
        started = time.perf_counter()
        for begin in range(0, len(ids), CHUNK_TOKENS):
            chunk = ids[begin : begin + CHUNK_TOKENS]
            hidden = scorer.run(chunk, kv, position=begin, write=begin, attend=((0, begin),))
        scorer.decoder.logits(hidden[-1:])
        return {"s": time.perf_counter() - started}

    def time_step(self, ids: list[int], position: int) -> dict[str, Any]:
        """Seconds to append the ids at a position that has been prefilled, with all their logits."""
        scorer, kv = self._loaded()
        started = time.perf_counter()
        hidden = scorer.run(ids, kv, position=position, write=position, attend=((0, position),))
        scorer.decoder.logits(hidden).argmax(1).tolist()
        return {"s": time.perf_counter() - started}

    def _loaded(self) -> tuple[Scorer, KVBuffer]:
        assert self._scorer is not None
        assert self._kv is not None
        return self._scorer, self._kv


def serve(lines: TextIO, out: TextIO) -> None:
    """Answer every line with one line until the input ends."""
    timing = Timing()
    operations: dict[str, Callable[..., dict[str, Any]]] = {
        "load": timing.load,
        "time_prefill": timing.time_prefill,
        "time_step": timing.time_step,
    }
    for line in lines:
        message = json.loads(line)
        try:
            reply = operations[message.pop("op")](**message)
        except ModelError as error:
            reply = {"error": str(error)}
        out.write(json.dumps(reply) + "\n")
        out.flush()


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)
