"""A peer's own process: `python -m evals.peers.worker_process llamacpp|ik_llama [LIBRARY]`. Used by peers and bench.

What is said each way is in `evals.operations`.
Generation is pulled: `start` runs the prompt, then each `next` gives one token, so a caller that has enough
simply stops asking and nothing needs to be cancelled.

Rules: no torch and nothing of midfill's engine. Decoding is greedy. A peer is treated as well as it treats
itself: the longest common prefix with the last prompt is kept, and only the last row's logits are computed.
"""

import base64
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from ctypes import c_int8, create_string_buffer
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evals.operations import Operations, serve
from evals.peers.ik_llama_binding import IkLlama
from evals.peers.library import PeerLibrary, PeerSettings, PeerUnavailable
from evals.peers.llamacpp_binding import LlamaCpp
from model.library.system import n_cores

LIBRARIES: dict[str, Callable[[], PeerLibrary]] = {"llamacpp": LlamaCpp, "ik_llama": IkLlama}
_SEQUENCE, _COPIES = 0, 1
# Rows of logits asked for at once when scoring: 256 x 151,936 floats are 155 MB.
_SCORE_CHUNK = 256

Row = npt.NDArray[np.float32]


class ByteTable:
    """What each token id spells; answers which ids may come while bytes are outstanding."""

    def __init__(self, spelled: list[bytes]) -> None:
        self._spelled = spelled
        self._by_first: dict[int, list[int]] = defaultdict(list)
        for token_id, text in enumerate(spelled):
            if text:
                self._by_first[text[0]].append(token_id)

    def __getitem__(self, token_id: int) -> bytes:
        return self._spelled[token_id] if token_id < len(self._spelled) else b""

    def allowed(self, outstanding: bytes) -> list[int]:
        """Ids whose bytes begin with `outstanding`, or that it begins with."""
        spelled = self._spelled
        return [
            i
            for i in self._by_first[outstanding[0]]
            if spelled[i].startswith(outstanding) or outstanding.startswith(spelled[i])
        ]


class Peer:
    """A model loaded by one of the libraries; every public method is an operation of the protocol."""

    def __init__(self, library: PeerLibrary) -> None:
        self._library = library
        self._model = 0
        self._context = 0
        self._vocab = 0
        self._n_vocab = 0
        self._n_batch = 0
        self._cached: list[int] = []  # tokens whose keys and values are in sequence 0
        self._table = ByteTable([])
        self._outstanding = b""
        self._row: Row | None = None  # logits after the last token, None once they were used

    def load(self, model: str, settings: dict[str, Any]) -> dict[str, Any]:
        """Load a GGUF (once) and make a context of PeerSettings, replacing the one before."""
        library = self._library
        if not self._model:
            self._model = library.open_model(model) or 0
            if not self._model:
                raise PeerUnavailable(f"{library.name} cannot load {Path(model).name}")
        if self._context:
            library.c.llama_free(self._context)
        wanted = PeerSettings(**settings)
        wanted = replace(wanted, n_threads=wanted.n_threads or n_cores())
        self._context = library.open_context(self._model, wanted) or 0
        if not self._context:
            raise PeerUnavailable(f"{library.name} cannot make a context of {wanted.n_ctx} tokens")
        self._vocab = library.c.llama_model_get_vocab(self._model)
        self._n_vocab = library.c.llama_vocab_n_tokens(self._vocab)
        self._n_batch = wanted.n_batch
        self._cached, self._row = [], None
        return {"n_vocab": self._n_vocab}

    def table(self, tokens: str) -> dict[str, Any]:
        """Take the token bytes that healing needs: a JSON list of base64 strings, itself a string."""
        self._table = ByteTable([base64.b64decode(token) for token in json.loads(tokens)])
        return {}

    def start(self, ids: list[int], heal: str, keep: bool) -> dict[str, Any]:
        """Run a prompt, reusing the common prefix when `keep`; heal is base64."""
        started = time.perf_counter()
        n = _common_prefix(self._cached, ids[:-1]) if keep else 0
        self._truncate(n)
        self._decode(ids[n:])
        self._outstanding = base64.b64decode(heal)
        return {
            "n_cached": n,
            "n_computed": len(ids) - n,
            "prefill_ms": (time.perf_counter() - started) * 1e3,
        }

    def next(self, after: int | None) -> dict[str, Any]:
        """The greedy token after the prompt, or after appending `after`, the token given before."""
        started = time.perf_counter()
        if after is not None:
            self._decode([after])
        row = self._row
        if row is None:
            raise PeerUnavailable("next without start")
        token_id = self._pick(row)
        if self._outstanding:
            self._outstanding = self._outstanding[len(self._table[token_id]) :]
        return {
            "id": token_id,
            "logprob": float(row[token_id] - _logsumexp(row)),
            "ms": (time.perf_counter() - started) * 1e3,
        }

    def logprobs(self, ids: list[int], n_last: int) -> dict[str, Any]:
        """Log-probabilities of the last `n_last` ids (< len(ids)), each given all ids before it."""
        self._truncate(0)
        first = len(ids) - n_last
        for begin in range(0, first - 1, self._n_batch):
            self._submit(ids[begin : min(begin + self._n_batch, first - 1)], all_logits=False)
        result: list[float] = []
        for begin in range(first - 1, len(ids) - 1, _SCORE_CHUNK):
            chunk = ids[begin : min(begin + _SCORE_CHUNK, len(ids) - 1)]
            self._submit(chunk, all_logits=True)
            for index in range(len(chunk)):
                row = self._logits(index)
                result.append(float(row[ids[begin + index + 1]] - _logsumexp(row)))
        return {"logprobs": result}

    def time_prefill(self, ids: list[int]) -> dict[str, Any]:
        """Seconds to run the ids from an empty cache up to the last row's logits."""
        self._truncate(0)
        started = time.perf_counter()
        self._decode(ids)
        return {"s": time.perf_counter() - started}

    def time_step(self, ids: list[int], position: int) -> dict[str, Any]:
        """Seconds to append the ids at a position that the cache has reached, with all their logits."""
        self._truncate(position)
        if len(self._cached) != position:
            raise PeerUnavailable(f"the cache holds {len(self._cached)} tokens, not {position}")
        started = time.perf_counter()
        self._submit(ids, all_logits=True)
        for index in range(len(ids)):
            self._logits(index).argmax()
        return {"s": time.perf_counter() - started}

    def time_generate(self, ids: list[int], n_tokens: int, speculate: bool) -> dict[str, Any]:
        """Seconds to decode up to `n_tokens` after the prompt's first one, greedily, and how many they were."""
        if speculate:
            raise PeerUnavailable("peers are measured without speculation")
        self.start(ids, heal="", keep=True)
        token = int(self._logits(-1).argmax())
        started = time.perf_counter()
        n = 0
        while n < n_tokens and not self._library.c.llama_vocab_is_eog(self._vocab, token):
            self._decode([token])
            token = int(self._logits(-1).argmax())
            n += 1
        return {"s": time.perf_counter() - started, "n": n}

    def fill(self, n: int) -> dict[str, Any]:
        """Lengthen what is cached to `n` tokens by copies of its keys and values, at the positions they then have.

        Minutes of prefill become seconds, and a step costs the same: as many cells, in the same order. A copy
        passes through a sequence of its own: restored there, moved on, and handed over.
        """
        library, context, block = self._library, self._context, list(self._cached)
        size = library.state_size(context, _SEQUENCE, 0)
        state = create_string_buffer(size)
        library.state_get(context, state, size, _SEQUENCE, 0)
        while len(self._cached) < n:
            if not library.state_set(context, state, size, _COPIES, 0):
                raise PeerUnavailable(f"{library.name} cannot restore a sequence")
            library.seq_add(context, _COPIES, 0, -1, len(self._cached))
            library.seq_cp(context, _COPIES, _SEQUENCE, 0, -1)
            library.seq_rm(context, _COPIES, -1, -1)
            self._cached += block
        self._truncate(n)
        self._decode(block[:1])  # moved keys are rotated at the next decode
        self._truncate(n)
        return {}

    def _pick(self, row: Row) -> int:
        if not self._outstanding:
            return int(row.argmax())
        allowed = np.array(self._table.allowed(self._outstanding))
        return int(allowed[row[allowed].argmax()])

    def _truncate(self, n: int) -> None:
        """Forget everything from token n on."""
        if not self._library.seq_rm(self._context, _SEQUENCE, n, -1):
            self._library.clear(self._context)
            n = 0
        del self._cached[n:]
        self._row = None

    def _decode(self, ids: list[int]) -> None:
        """Append ids and keep the last row of logits."""
        for begin in range(0, len(ids), self._n_batch):
            self._submit(ids[begin : begin + self._n_batch], all_logits=False)
        self._row = self._logits(-1)

    def _submit(self, ids: list[int], *, all_logits: bool) -> None:
        n = len(ids)
        batch = self._library.batch(ids, len(self._cached))
        if all_logits:
            batch.logits = (c_int8 * n)(*([1] * n))
        if code := self._library.c.llama_decode(self._context, batch):
            raise PeerUnavailable(f"llama_decode failed with code {code}")
        self._cached += ids

    def _logits(self, index: int) -> Row:
        """A row of the last batch: a view that the next batch overwrites."""
        pointer = self._library.c.llama_get_logits_ith(self._context, index)
        return np.ctypeslib.as_array(pointer, (self._n_vocab,))


def _common_prefix(a: list[int], b: list[int]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _logsumexp(row: Row) -> float:
    top = row.max()
    return float(top + np.log(np.exp(row - top).sum(dtype=np.float64)))


def operations_of(peer: Peer) -> Operations:
    """What a peer can be asked for."""
    return {
        "load": peer.load,
        "table": peer.table,
        "start": peer.start,
        "next": peer.next,
        "logprobs": peer.logprobs,
        "time_prefill": peer.time_prefill,
        "time_step": peer.time_step,
        "time_generate": peer.time_generate,
        "fill": peer.fill,
    }


def main() -> int:
    """Serve standard input with the library that is named; whatever it prints goes to standard error."""
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)
        try:
            name, *paths = sys.argv[1:]
            library = LlamaCpp(Path(paths[0])) if paths else LIBRARIES[name]()
            serve(operations_of(Peer(library)), PeerUnavailable, sys.stdin, out)
        except PeerUnavailable as error:
            out.write(json.dumps({"error": str(error)}) + "\n")
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
