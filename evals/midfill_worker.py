"""midfill's decoder alone in a process, for the bench: `python -m evals.midfill_worker`.

The same protocol as `evals.peer_worker`: one JSON object per line each way. It runs what the daemon's
scheduler runs, in the same chunks, without sockets and sessions around it.
"""

import json
import os
import sys
import time
from array import array
from collections.abc import Callable
from typing import Any, TextIO

import torch
from safetensors import safe_open

from model.catalog import ModelError
from model.engine import keep_freed_memory
from model.kv import KVBuffer, common_prefix
from model.scheduler import CHUNK_TOKENS
from model.score import Scorer
from model.store import WEIGHTS, read_manifest

# A step looks up single rows of these tensors, and reads all the others.
_EMBEDDING = "embed."


class NotBuilt(Exception):
    """The engine cannot do this yet; the message says what."""


class Timing:
    """A loaded decoder with one KV buffer; every public method is an operation of the protocol."""

    def __init__(self) -> None:
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        keep_freed_memory()
        self._scorer: Scorer | None = None
        self._kv: KVBuffer | None = None
        self._stop: frozenset[int] = frozenset()
        self._cached = array("I")  # tokens whose keys and values are in slots 0..

    def load(self, model: str, n_ctx: int) -> dict[str, Any]:
        """Load the model, with room for `n_ctx` tokens; replies with the bytes of weights that a step reads."""
        self._scorer = Scorer.open(model)
        self._kv = self._scorer.decoder.new_kv(n_ctx)
        self._stop = frozenset(read_manifest(self._scorer.store).prompt.stop_token_ids)
        self._cached = array("I")
        return {"bytes_per_step": bytes_per_step(self._scorer)}

    def time_prefill(self, ids: list[int]) -> dict[str, Any]:
        """Seconds to run the ids from an empty cache up to the last row's logits."""
        del self._cached[:]
        started = time.perf_counter()
        self._logits(self._extend(ids)[-1:])
        return {"s": time.perf_counter() - started}

    def time_chunk(self, ids: list[int], position: int) -> dict[str, Any]:
        """Seconds to append the ids at a position that has been filled, without logits: a chunk of a prefill."""
        del self._cached[position:]
        started = time.perf_counter()
        self._extend(ids)
        return {"s": time.perf_counter() - started}

    def time_step(self, ids: list[int], position: int) -> dict[str, Any]:
        """Seconds to append the ids at a position that has been filled, with all their logits."""
        del self._cached[position:]
        started = time.perf_counter()
        self._logits(self._extend(ids)).argmax(1).tolist()
        return {"s": time.perf_counter() - started}

    def time_generate(self, ids: list[int], n_tokens: int, speculate: bool) -> dict[str, Any]:
        """Seconds to decode up to `n_tokens` after the prompt's first one, greedily, and how many they were."""
        prompt = array("I", ids)
        n = min(common_prefix(self._cached, prompt), len(ids) - 1)
        del self._cached[n:]
        token = int(self._logits(self._extend(ids[n:])[-1:]).argmax())
        decode = self._decode_speculating if speculate else self._decode
        started = time.perf_counter()
        n = decode(token, n_tokens)
        return {"s": time.perf_counter() - started, "n": n}

    def fill(self, n: int) -> dict[str, Any]:
        """Lengthen what is cached to `n` tokens by copies of its keys and values: what a step costs is the same."""
        _, kv = self._loaded()
        block = len(self._cached)
        for begin in range(block, n, block):
            end = min(begin + block, n)
            kv.keys[:, :, begin:end] = kv.keys[:, :, : end - begin]
            kv.values[:, :, begin:end] = kv.values[:, :, : end - begin]
            self._cached.extend(self._cached[: end - begin])
        return {}

    def _decode(self, token: int, n_tokens: int) -> int:
        """Append `token`, the first after the prompt, and what follows; returns how many tokens followed."""
        n = 0
        while n < n_tokens and token not in self._stop:
            token = int(self._logits(self._extend([token])).argmax())
            n += 1
        return n

    def _decode_speculating(self, token: int, n_tokens: int) -> int:
        """As `_decode`, by drafting; the prompt and what was generated so far are in `_cached`."""
        raise NotBuilt("speculation is not built")

    def _extend(self, ids: list[int]) -> torch.Tensor:
        """Append ids to what is cached, in the scheduler's chunks; hidden states of the last chunk."""
        scorer, kv = self._loaded()
        hidden = torch.empty(0)
        for begin in range(0, len(ids), CHUNK_TOKENS):
            chunk, at = ids[begin : begin + CHUNK_TOKENS], len(self._cached)
            hidden = scorer.run(chunk, kv, position=at, write=at, attend=((0, at),))
            self._cached.extend(chunk)
        return hidden

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return self._loaded()[0].decoder.logits(hidden)

    def _loaded(self) -> tuple[Scorer, KVBuffer]:
        assert self._scorer is not None
        assert self._kv is not None
        return self._scorer, self._kv


def bytes_per_step(scorer: Scorer) -> int:
    """Size of the store's weights without the embedding."""
    file = scorer.store / WEIGHTS
    with safe_open(file, framework="pt") as weights:
        names = [name for name in weights.keys() if name.startswith(_EMBEDDING)]  # noqa: SIM118 (not a dict)
        return file.stat().st_size - sum(int(weights.get_tensor(name).nbytes) for name in names)


def serve(lines: TextIO, out: TextIO) -> None:
    """Answer every line with one line until the input ends."""
    timing = Timing()
    operations: dict[str, Callable[..., dict[str, Any]]] = {
        "load": timing.load,
        "time_prefill": timing.time_prefill,
        "time_chunk": timing.time_chunk,
        "time_step": timing.time_step,
        "time_generate": timing.time_generate,
        "fill": timing.fill,
    }
    for line in lines:
        message = json.loads(line)
        try:
            reply = operations[message.pop("op")](**message)
        except (ModelError, NotBuilt) as error:
            reply = {"error": str(error)}
        out.write(json.dumps(reply) + "\n")
        out.flush()


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)
