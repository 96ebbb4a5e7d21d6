"""One request in the model process: what is asked for, and what comes of it, answer by answer.

Rules: it is asked after the editors (`Priority.SERVED`). Closing the iterator ends it in the model process at once.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import cast

from completion.types import Delta, EngineUnavailable, GenerationStats, Priority, Prompt
from lsp_server.serve.assembly import Assembly, Passage
from lsp_server.serve.meter import Meter
from lsp_server.serve.refusals import Refused
from lsp_server.serve.slots import Slots
from model.link.client import EngineClient, Phase

# When to ask again while the model is being had, and while it is loaded or started.
_RETRY_LONG_S, _RETRY_S = 10, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a client asks for. `predict_ms` ends an answer that has a line end, once so much time is spent on it."""

    prompt: Prompt
    says_begun: bool = False  # what the answer has to begin with (`Prompt.heal`) is a part of the text
    ignore_eos: bool = False  # it goes on behind what ends a text
    max_tokens: int  # of text, without what is spelled anew
    stops: tuple[str, ...] = ()
    min_indent: int = 0
    predict_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """More of an answer; `finish` is "stop" or "length" when it is the last of it."""

    candidate: int
    passage: Passage
    finish: str = ""
    stopped_by: str = ""  # the stop string


@dataclass(slots=True)
class Tally:
    """The counters of a request, while it goes on and at its end."""

    n_prompt: int = 0
    n_cached: int = 0
    n_computed: int = 0
    n_generated: int = 0
    prompt_ms: float = 0.0
    predict_ms: float = 0.0

    def take(self, stats: GenerationStats) -> None:
        """What the engine says of the prompt."""
        self.n_prompt, self.n_cached, self.n_computed = stats.n_prompt, stats.n_cached, stats.n_computed
        self.prompt_ms = stats.prefill_ms

    def add(self, other: "Tally") -> None:
        """The counters of another prompt of the same request."""
        self.n_prompt += other.n_prompt
        self.n_cached += other.n_cached
        self.n_computed += other.n_computed
        self.n_generated += other.n_generated
        self.prompt_ms += other.prompt_ms
        self.predict_ms += other.predict_ms


class Generations:
    """Asks the model process."""

    def __init__(self, client: EngineClient) -> None:
        self._client, self._slots = client, Slots()
        self.meter = Meter(lambda: self._slots.n_running, lambda: self._slots.n_waiting)

    async def run(self, wish: Wish, tally: Tally) -> AsyncGenerator[Part, None]:
        """The answers, in parts as they come; Refused when the model process cannot be asked."""
        asked, outcome = time.perf_counter(), "cancelled"
        try:
            async with self._slots.held(wish.prompt.token_ids) as session:
                prompt = replace(wish.prompt, stop_token_ids=()) if wish.ignore_eos else wish.prompt
                deltas = self._client.generate(prompt, session=session, priority=Priority.SERVED)
                stream = cast("AsyncGenerator[Delta, None]", deltas)
                async with aclosing(stream), aclosing(self._parts(stream, wish, tally, asked)) as parts:
                    async for part in parts:
                        yield part
            outcome = "ok"
        except EngineUnavailable as error:
            outcome = "failed"
            raise unavailable(self._client, str(error)) from error
        except Refused:
            outcome = "refused"
            raise
        finally:
            seconds = time.perf_counter() - asked
            self.meter.ended(outcome, seconds, tally.n_prompt, tally.n_cached, tally.n_generated)

    async def _parts(
        self, stream: AsyncIterator[Delta], wish: Wish, tally: Tally, asked: float
    ) -> AsyncGenerator[Part, None]:
        loaded = self._client.loaded
        assert loaded is not None, "it was asked"
        heal = b"" if wish.says_begun else wish.prompt.heal
        answers = [Assembly(wish.stops, wish.min_indent, heal) for _ in range(wish.prompt.n_candidates)]
        going, prefilled, has_begun = set(range(len(answers))), time.perf_counter(), False
        async for delta in stream:
            if delta.stats is not None:
                tally.take(delta.stats)
                prefilled = prefilled if has_begun else time.perf_counter()
            for token_id, logprob in zip(delta.token_ids, delta.logprobs, strict=True):
                if not has_begun:
                    has_begun = True
                    self.meter.first_token(time.perf_counter() - asked)
                tally.predict_ms = (time.perf_counter() - prefilled) * 1e3
                if (index := delta.candidate) in going:
                    answer, n_before = answers[index], answers[index].n_tokens
                    said = loaded.tokenizer.token_bytes(token_id)
                    part = _part(index, answer, answer.add(said, logprob, token_id, delta.spelled), wish)
                    tally.n_generated += answer.n_tokens - n_before
                    if part.finish:
                        going.discard(index)
                    if part.finish or part.passage != Passage():
                        yield part
            is_late = wish.predict_ms is not None and tally.predict_ms > wish.predict_ms
            for index in [index for index in sorted(going) if is_late and answers[index].n_newlines]:
                going.discard(index)
                yield Part(index, answers[index].end(), "length")
            if not going:
                return
        for index in sorted(going):
            if index == 0 or answers[index].n_tokens:  # of several there may be fewer than were asked for
                yield Part(index, answers[index].end(), "stop" if wish.max_tokens else "length")


def _part(index: int, answer: Assembly, passage: Passage, wish: Wish) -> Part:
    if answer.stopped_by is not None:
        return Part(index, passage, "stop", answer.stopped_by)
    if answer.n_tokens >= wish.max_tokens:
        rest = answer.end()
        return Part(index, Passage(passage.text + rest.text, passage.tokens + rest.tokens), "length")
    return Part(index, passage)


def unavailable(client: EngineClient, message: str) -> Refused:
    """Why the model process cannot be asked, and when to ask again."""
    is_long = client.state.phase in (Phase.FETCHING, Phase.QUANTIZING, Phase.FAILED)
    return Refused(503, message, retry_after_s=_RETRY_LONG_S if is_long else _RETRY_S)
