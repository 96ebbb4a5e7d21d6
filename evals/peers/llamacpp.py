"""The peer as an engine: llama.cpp behind the same `Engine` protocol that midfill's own engine implements.

So both get the same prompts, the same stop rules and the same filters from `completion.pipeline.complete`,
and what differs is the engine alone.

Rules: llama.cpp lives in its own process (see `evals.peers.worker_process`); one generation runs at a time. It
keeps its longest common prefix between requests, whatever session they name: it has one sequence.
"""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from completion.types import Delta, EngineUnavailable, GenerationStats, Outcome, Priority, Prompt, Tokenizer
from evals.peers.client import Worker, WorkerError
from evals.peers.library import PeerSettings


class LlamaCppEngine:
    """Implements completion.types.Engine. WorkerError from the constructor when llama.cpp is not usable."""

    def __init__(self, gguf: Path, tokenizer: Tokenizer, settings: PeerSettings) -> None:
        self._worker = open_peer("llamacpp")
        try:
            self._n_vocab = load_peer(self._worker, gguf, settings)
        except WorkerError:
            self._worker.close()
            raise
        self._tokenizer = tokenizer
        self._has_table = False
        self._turn = asyncio.Lock()

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        """Yield stats, one delta per token, and stats again; closing the iterator simply asks for no more."""
        asked = time.perf_counter()
        async with self._turn:
            queue_ms = (time.perf_counter() - asked) * 1e3
            if prompt.heal and not self._has_table:
                await self._ask("table", tokens=self._token_table())
                self._has_table = True
            heal = base64.b64encode(prompt.heal).decode()
            ids = list(prompt.token_ids)
            started = await self._ask("start", ids=ids, heal=heal, keep=True)
            stats = GenerationStats(
                n_prompt=len(ids),
                n_cached=started["n_cached"],
                n_computed=started["n_computed"],
                queue_ms=queue_ms,
                prefill_ms=started["prefill_ms"],
            )
            yield Delta(token_ids=(), logprobs=(), stats=stats)
            decode_ms, n_generated, last = 0.0, 0, None
            while n_generated < prompt.max_tokens:
                token = await self._ask("next", after=last)
                decode_ms += token["ms"]
                last = token["id"]
                if last in prompt.stop_token_ids:
                    break
                n_generated += 1
                yield Delta(token_ids=(last,), logprobs=(token["logprob"],))
            stats = replace(stats, n_generated=n_generated, decode_ms=decode_ms)
            yield Delta(token_ids=(), logprobs=(), stats=stats)

    def target_logprobs(self, prompt: Sequence[int], target: Sequence[int]) -> list[float]:
        """Log-probability of each target id, given all ids before it; no generation may be running."""
        return ask_logprobs(self._worker, [*prompt, *target], len(target))

    def close(self) -> None:
        """End llama.cpp's process."""
        self._worker.close()

    async def _ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        """Ask from a thread; a cancelled caller waits for the worker's answer, so turns stay paired."""
        asking = asyncio.ensure_future(asyncio.to_thread(self._worker.ask, op, **arguments))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            await asyncio.wait([asking])
            raise
        except WorkerError as error:
            raise EngineUnavailable(f"llama.cpp: {error}", Outcome.ENGINE_DOWN) from error

    def _token_table(self) -> str:
        return json.dumps([base64.b64encode(self._tokenizer.token_bytes(i)).decode() for i in range(self._n_vocab)])


def open_peer(name: str, library: Path | None = None) -> Worker:
    """Start the process of a peer: a key of `evals.peers.worker_process.LIBRARIES`.

    library: a shared library of llama.cpp to use instead of the wheel's; other peers have their own.
    """
    return Worker("evals.peers.worker_process", name, *([str(library)] if library and name == "llamacpp" else []))


def load_peer(worker: Worker, gguf: Path, settings: PeerSettings) -> int:
    """Load the model (or make a new context for it) and return its vocabulary's size."""
    return int(worker.ask("load", model=str(gguf), settings=asdict(settings))["n_vocab"])


def ask_logprobs(worker: Worker, ids: list[int], n_last: int) -> list[float]:
    """Log-probabilities of the last `n_last` ids, from a worker that has a model loaded."""
    result: list[float] = worker.ask("logprobs", ids=ids, n_last=n_last)["logprobs"]
    return result
