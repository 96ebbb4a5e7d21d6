"""Scores text after what the daemon's sessions, block store and plans make of a window. Used by `blocks`, `suffix`.

Rules: one process, no scheduler; the model is imported when a scorer is made.
"""

import functools
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from completion.types import Piece
from tuning.stats import ratio_interval

if TYPE_CHECKING:
    import numpy.typing as npt

    from model.decoders.interface import States
    from model.decoders.kv import BlockKV
    from model.engine.generate import Generation
    from model.engine.score import Scorer
    from model.engine.session import Session


@dataclass(frozen=True, slots=True)
class TokenScore:
    """A target token: its log-probability, and whether it was the most probable one."""

    logprob: float
    correct: bool


@dataclass(frozen=True, slots=True)
class Cut:
    """A piece of a window: its ids, and what `completion.types.Piece` says of it."""

    ids: Sequence[int]
    rank: int = 0
    block: bool = False


class EngineScorer:
    """Prefills windows as requests do, and scores what follows. Blocks stay in memory.

    With `rounded_from` they are the other scorer's, as they would come back from 8 bits.
    """

    def __init__(self, scorer: "Scorer", rounded_from: "EngineScorer | None" = None) -> None:
        from model.engine.blocks import BlockStore
        from model.engine.generate import Engine
        from model.engine.sampler import ByteTable
        from model.library.speed import Speed

        decoder, tokenizer = scorer.decoder, scorer.tokenizer
        self._decoder = decoder
        self._blocks = blocks = BlockStore(decoder.new_block, None, 1_000_000_000, 0)
        self._rounded_from = rounded_from
        # Its first estimate, which never learns here, so that a result does not depend on the machine's mood.
        table = functools.cache(lambda: ByteTable(decoder.architecture.vocab, tokenizer.token_bytes))
        self._engine: Callable[[], Engine] = lambda: Engine(decoder, table, blocks, Speed(decoder.architecture))
        self._token_bytes = tokenizer.token_bytes

    def session(self, n_slots: int) -> "Session":
        """An empty session."""
        from model.engine.session import Session

        return Session(kv=self._decoder.new_kv(n_slots))

    def prefill(self, session: "Session", cuts: Sequence[Cut], budget_ms: float | None = None) -> "States":
        """Bring a window in as a request with this budget does (None: all of it); hidden states of its last chunk."""
        from model.decoders.interface import run_to_end

        return run_to_end(self._generation(session, cuts, b"", (), 0, lambda token: None).prefill(budget_ms))

    def write(
        self,
        session: "Session",
        cuts: Sequence[Cut],
        heal: bytes,
        stop_token_ids: Sequence[int],
        max_tokens: int,
        is_done: Callable[[bytes], bool],
    ) -> bytes:
        """What the model itself writes after a window, greedily, beginning with `heal`; up to a token that is_done."""
        from model.decoders.interface import run_to_end
        from model.engine.decode import decode

        written: list[bytes] = []
        generation = self._generation(
            session, cuts, heal, stop_token_ids, max_tokens, lambda token: written.append(self._token_bytes(token))
        )
        for _ in decode(generation, run_to_end(generation.prefill())):
            if is_done(b"".join(written)):
                break
        return b"".join(written)

    def _generation(
        self,
        session: "Session",
        cuts: Sequence[Cut],
        heal: bytes,
        stop_token_ids: Sequence[int],
        max_tokens: int,
        on_token: Callable[[int], None],
    ) -> "Generation":
        from model.engine.blocks import key_of
        from model.engine.generate import Generation, Request
        from model.engine.layout import window_of

        pieces = [Piece(n_tokens=len(cut.ids), rank=cut.rank, block=cut.block) for cut in cuts]
        window = window_of(array("I", [token_id for cut in cuts for token_id in cut.ids]), pieces)
        for block in window.blocks:
            if self._rounded_from and (kv := self._rounded_from._blocks.get(key_of(window, block), len(block))):
                self._blocks.put(key_of(window, block), _rounded_to_int8(kv, self._decoder.new_block(len(block))))
        request = Request(
            key=0,
            session="eval",
            window=window,
            heal=heal,
            stop_token_ids=frozenset(stop_token_ids),
            max_tokens=max_tokens,
            on_prefilled=lambda report: None,
            on_token=lambda candidate, token, logprob, spelled: on_token(token),
            on_finished=lambda report: None,
        )
        return Generation(self._engine(), session, request)

    def score(
        self, session: "Session", cuts: Sequence[Cut], target: Sequence[int], budget_ms: float | None = None
    ) -> list[TokenScore]:
        """Prefill, then run the target through; one entry per target token."""
        hidden = [self.prefill(session, cuts, budget_ms)[-1:]]
        n_prompt = sum(len(cut.ids) for cut in cuts)
        if rest := target[:-1]:
            work = session.start(self._decoder, n_prompt, array("I", rest), session.held(n_prompt))
            while (result := session.advance(work)) is None:
                pass
            hidden.append(result)
        scores = self._decoder.scores(self._decoder.join(hidden))
        correct = [scores.best(row, 1)[0][0] == token for row, token in enumerate(target)]
        return [TokenScore(p, c) for p, c in zip(scores.logprobs(target), correct, strict=True)]


def _rounded_to_int8(kv: "BlockKV", into: "BlockKV") -> "BlockKV":
    """Keys in 8 bits with a scale per channel and block, values with one per token, and back, in another buffer.

    Keys have channels that are ten times as large as the others, values have not (KIVI, Liu et al. 2024).
    """
    import numpy as np
    import safetensors.numpy

    def rounded(x: "npt.NDArray[Any]", over: tuple[int, ...]) -> "npt.NDArray[Any]":
        exact = x.astype(np.float32)
        scale = np.maximum(np.abs(exact).max(over, keepdims=True), 1e-8) / 127
        back: npt.NDArray[Any] = (np.round(exact / scale) * scale).astype(x.dtype)
        return back

    arrays = safetensors.numpy.load(kv.to_bytes())
    tiled = arrays["keys"].ndim == 5  # (layers, heads, tiles, dim, 16), else (layers, heads, slots, dim)
    keys, values = rounded(arrays["keys"], (2, 4) if tiled else (2,)), rounded(arrays["values"], (3,))
    into.load(safetensors.numpy.save({"keys": keys, "values": values}))
    return into


_Condition = TypeVar("_Condition", bound=StrEnum)


def summarize(scores: Mapping[_Condition, Sequence[Sequence[TokenScore]]], reference: _Condition) -> dict[str, Any]:
    """NLL per token and token accuracy of each condition, and NLL differences to the reference, paired by example."""
    n_tokens = [float(len(tokens)) for tokens in scores[reference]]
    nll = {condition: [-sum(token.logprob for token in tokens) for tokens in scores[condition]] for condition in scores}
    summary: dict[str, Any] = {}
    for condition in scores:
        correct = [float(sum(token.correct for token in tokens)) for tokens in scores[condition]]
        gap = ratio_interval([x - y for x, y in zip(nll[condition], nll[reference], strict=True)], n_tokens)
        summary[condition.value] = {
            "nll": ratio_interval(nll[condition], n_tokens).mean,
            "accuracy": ratio_interval(correct, n_tokens).mean,
            f"minus_{reference.value}": gap.mean,
            "low": gap.low,
            "high": gap.high,
        }
    return summary


def print_summary(summary: dict[str, Any]) -> None:
    """One line per condition."""
    for name, row in summary.items():
        reference, gap = next((key, value) for key, value in row.items() if key.startswith("minus_"))
        print(
            f"{name:8} NLL {row['nll']:.4f}  accuracy {row['accuracy']:.4f}  "
            f"NLL {reference.replace('_', ' ')} {gap:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"
        )
