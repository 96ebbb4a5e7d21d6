"""midfill's decoder alone in a process, for the bench: `python -m evals.bench.midfill_worker`.

The same protocol as `evals.peers.worker_process`: one JSON object per line each way. It runs what the daemon's
scheduler runs, in the same chunks, without sockets and sessions around it.
"""

import os
import sys
import time
from array import array
from pathlib import Path
from typing import Any

import numpy as np

from evals.operations import Operations, serve
from model.decoders.interface import States, run_to_end
from model.engine.blocks import BlockStore
from model.engine.decode import decode
from model.engine.generate import CHUNK_TOKENS, Engine, Generation, Request
from model.engine.layout import window_of
from model.engine.sampler import ByteTable
from model.engine.score import Scorer
from model.engine.session import Level, Session
from model.engine.startup import keep_freed_memory
from model.library.catalog import ModelError
from model.library.speed import Speed
from model.library.store import WEIGHTS, read_manifest
from model.weights.mapped import MappedTensors

# A step looks up single rows of these tensors, and reads all the others.
_EMBEDDING = "embed."


class Timing:
    """A loaded decoder with one session; every public method is an operation of the protocol."""

    def __init__(self) -> None:
        keep_freed_memory()
        self._scorer: Scorer | None = None
        self._session: Session | None = None
        self._stop: frozenset[int] = frozenset()

    def load(self, model: str, n_ctx: int, kind: str = "auto") -> dict[str, Any]:
        """Load the model, with room for `n_ctx` tokens; replies with its kind and the bytes that a step reads."""
        scorer = self._scorer = Scorer.open(model, kind)
        kv = scorer.decoder.new_kv(n_ctx)
        _make_noise(kv)
        self._session = Session(kv=kv)
        manifest = read_manifest(scorer.store)
        self._stop = frozenset(manifest.prompt.stop_token_ids)
        if kind == "fp32":
            return {"bytes_per_step": 4 * n_weights(scorer), "kind": kind}
        return {"bytes_per_step": bytes_per_step(scorer), "kind": manifest.kind}

    def time_prefill(self, ids: list[int]) -> dict[str, Any]:
        """Seconds to run the ids from an empty cache up to the last row's best token."""
        scorer, session = self._loaded()
        session.forget(0)
        started = time.perf_counter()
        scorer.decoder.greedy(self._extend(ids)[-1:])
        return {"s": time.perf_counter() - started}

    def time_chunk(self, ids: list[int], position: int) -> dict[str, Any]:
        """Seconds to append the ids at a position that has been filled, without logits: a chunk of a prefill."""
        self._loaded()[1].forget(position)
        started = time.perf_counter()
        self._extend(ids)
        return {"s": time.perf_counter() - started}

    def time_step(self, ids: list[int], position: int) -> dict[str, Any]:
        """Seconds to append the ids at a position that has been filled, with the best token after each."""
        scorer, session = self._loaded()
        session.forget(position)
        started = time.perf_counter()
        scorer.decoder.greedy(self._extend(ids))
        return {"s": time.perf_counter() - started}

    def time_generate(self, ids: list[int], n_tokens: int, speculate: bool) -> dict[str, Any]:
        """Seconds to decode up to `n_tokens` after the prompt's first one, greedily, and how many they were.

        Drafts may come from what was suggested for the prompt before, never from this prompt's plain run.
        """
        scorer, session = self._loaded()
        suggested = session.suggestion
        times: list[float] = []

        def on_token(candidate: int, token: int, logprob: float, spelled: float) -> None:
            times.append(time.perf_counter())

        request = Request(
            key=0,
            session="bench",
            window=window_of(array("I", ids), ()),
            heal=b"",
            stop_token_ids=self._stop,
            max_tokens=n_tokens + 1,
            speculate=speculate,
            on_prefilled=_ignore,
            on_token=on_token,
            on_finished=_ignore,
        )
        blocks = BlockStore(scorer.decoder.new_block, None, 0, 0)
        engine = Engine(scorer.decoder, _no_table, blocks, Speed(scorer.decoder.architecture))
        generation = Generation(engine, session, request)
        hidden = run_to_end(generation.prefill())
        run_to_end(decode(generation, hidden))
        if not speculate:
            session.suggestion = suggested
        return {"s": times[-1] - times[0] if times else 0.0, "n": max(0, len(times) - 1)}

    def rss(self) -> dict[str, Any]:
        """Resident memory of this process in MB, mapped weights included."""
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return {"mb": pages * os.sysconf("SC_PAGE_SIZE") / 1e6}

    def fill(self, n: int) -> dict[str, Any]:
        """Count the first `n` slots as filled: what keys and values hold does not change the time of a step."""
        session = self._loaded()[1]
        n_more = n - len(session.ids)
        session.ids.extend([0] * n_more)
        session.level.extend(bytes([Level.EXACT]) * n_more)
        return {}

    def _extend(self, ids: list[int]) -> States:
        """Append ids to the session, in the scheduler's chunks; hidden states of the last chunk."""
        scorer, session = self._loaded()
        hidden: States = ()
        for begin in range(0, len(ids), CHUNK_TOKENS):
            at = len(session.ids)
            chunk = array("I", ids[begin : begin + CHUNK_TOKENS])
            work = session.start(scorer.decoder, at, chunk, ((0, at),))
            while (result := session.advance(work)) is None:
                pass
            hidden = result
        return hidden

    def _loaded(self) -> tuple[Scorer, Session]:
        assert self._scorer is not None
        assert self._session is not None
        return self._scorer, self._session


def _ignore(report: object) -> None:
    pass


def _no_table() -> ByteTable:
    raise AssertionError("nothing is healed here")


def _make_noise(kv: Any) -> None:
    """Put something into every slot of a processor's buffer: `fill` makes contexts of it."""
    random = np.random.default_rng(1)
    for layers in (kv.keys, kv.values):
        for layer in np.asarray(layers):  # torch's shares its memory
            layer[...] = random.standard_normal(layer.shape, np.float32)


def bytes_per_step(scorer: Scorer) -> int:
    """Size of the store's weights without the embedding."""
    file = scorer.store / WEIGHTS
    weights = MappedTensors(file)
    return file.stat().st_size - sum(weights[name].nbytes for name in weights if name.startswith(_EMBEDDING))


def n_weights(scorer: Scorer) -> int:
    """Weights of all matrices that a step reads."""
    a = scorer.decoder.architecture
    attention = a.hidden * a.head_dim * (2 * a.n_heads + 2 * a.n_kv_heads)
    return a.n_layers * (attention + 3 * a.hidden * a.intermediate) + a.vocab * a.hidden


def operations_of(timing: Timing) -> Operations:
    """What it can be asked for."""
    return {
        "load": timing.load,
        "time_prefill": timing.time_prefill,
        "time_chunk": timing.time_chunk,
        "time_step": timing.time_step,
        "time_generate": timing.time_generate,
        "fill": timing.fill,
        "rss": timing.rss,
    }


if __name__ == "__main__":
    serve(operations_of(Timing()), ModelError, sys.stdin, sys.stdout)
