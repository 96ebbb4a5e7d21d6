"""The peer's own process: `python -m evals.llamacpp_worker`, started by `evals.llamacpp`.

One JSON object per line in, one per line out; {"op": name, ...} is answered by the result or {"error": text}.
Generation is pulled: `start` runs the prompt, then each `next` gives one token, so a caller that has enough
simply stops asking and nothing needs to be cancelled.

Rules: no torch and nothing of midfill's engine. Decoding is greedy. llama.cpp is treated as well as it treats
itself: the longest common prefix with the last prompt is kept, and only the last row's logits are computed.
"""

import base64
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from ctypes import c_int8, c_int32
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from evals.llamacpp_binding import Batch, PeerUnavailable, open_library

_SEQUENCE = 0
# Rows of logits asked for at once when scoring: 256 x 151,936 floats are 155 MB.
_SCORE_CHUNK = 256
_FLASH = {"auto": -1, "off": 0, "on": 1}

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
    """A loaded llama.cpp model with one sequence; every public method is an operation of the protocol."""

    def __init__(self) -> None:
        self._library = open_library()
        self._model: int | None = None
        self._context: int | None = None
        self._n_vocab = 0
        self._n_batch = 0
        self._cached: list[int] = []  # tokens whose keys and values are in sequence 0
        self._table = ByteTable([])
        self._outstanding = b""
        self._row: Row | None = None  # logits after the last token, None once they were used

    def load(
        self, model: str, n_ctx: int, n_batch: int, n_ubatch: int, n_threads: int, flash_attn: str
    ) -> dict[str, Any]:
        """Load a GGUF (once) and make a context, replacing the one before."""
        library = self._library
        if self._model is None:
            self._model = library.llama_model_load_from_file(model.encode(), library.llama_model_default_params())
            if not self._model:
                raise PeerUnavailable(f"llama.cpp cannot load {Path(model).name}")
        if self._context:
            library.llama_free(self._context)
        params = library.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = n_ctx, n_batch, n_ubatch
        params.n_threads = params.n_threads_batch = n_threads
        params.flash_attn_type = _FLASH[flash_attn]
        self._context = library.llama_init_from_model(self._model, params)
        if not self._context:
            raise PeerUnavailable(f"llama.cpp cannot make a context of {n_ctx} tokens")
        self._n_vocab = library.llama_vocab_n_tokens(library.llama_model_get_vocab(self._model))
        self._n_batch = n_batch
        self._cached, self._row = [], None
        return {"n_vocab": self._n_vocab}

    def tokenize(self, text: str) -> dict[str, Any]:
        """Token ids by llama.cpp's own tokenizer, no special tokens."""
        raw = text.encode()
        buffer = (c_int32 * (len(raw) + 8))()
        vocab = self._library.llama_model_get_vocab(self._model)
        n = self._library.llama_tokenize(vocab, raw, len(raw), buffer, len(buffer), False, False)
        return {"ids": list(buffer[:n])}

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

    def rss(self) -> dict[str, Any]:
        """Resident memory of this process in MB, mapped model file included."""
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return {"mb": pages * os.sysconf("SC_PAGE_SIZE") / 1e6}

    def _pick(self, row: Row) -> int:
        if not self._outstanding:
            return int(row.argmax())
        allowed = np.array(self._table.allowed(self._outstanding))
        return int(allowed[row[allowed].argmax()])

    def _truncate(self, n: int) -> None:
        """Forget everything from token n on."""
        memory = self._library.llama_get_memory(self._context)
        if not self._library.llama_memory_seq_rm(memory, _SEQUENCE, n, -1):
            self._library.llama_memory_clear(memory, True)
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
        batch = Batch(n_tokens=n, token=(c_int32 * n)(*ids))
        if all_logits:
            batch.logits = (c_int8 * n)(*([1] * n))
        if code := self._library.llama_decode(self._context, batch):
            raise PeerUnavailable(f"llama_decode failed with code {code}")
        self._cached += ids

    def _logits(self, index: int) -> Row:
        """A row of the last batch: a view that the next batch overwrites."""
        pointer = self._library.llama_get_logits_ith(self._context, index)
        return np.ctypeslib.as_array(pointer, (self._n_vocab,))


def _common_prefix(a: list[int], b: list[int]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _logsumexp(row: Row) -> float:
    top = row.max()
    return float(top + np.log(np.exp(row - top).sum(dtype=np.float64)))


def serve(lines: TextIO, out: TextIO) -> None:
    """Answer every line with one line until the input ends."""
    peer = Peer()
    operations: dict[str, Callable[..., dict[str, Any]]] = {
        "load": peer.load,
        "tokenize": peer.tokenize,
        "table": peer.table,
        "start": peer.start,
        "next": peer.next,
        "logprobs": peer.logprobs,
        "time_prefill": peer.time_prefill,
        "time_step": peer.time_step,
        "rss": peer.rss,
    }
    for line in lines:
        message = json.loads(line)
        try:
            reply = operations[message.pop("op")](**message)
        except PeerUnavailable as error:
            reply = {"error": str(error)}
        out.write(json.dumps(reply) + "\n")
        out.flush()


def main() -> int:
    """Serve standard input; whatever the library prints goes to standard error."""
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)
        try:
            serve(sys.stdin, out)
        except PeerUnavailable as error:
            out.write(json.dumps({"error": str(error)}) + "\n")
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
