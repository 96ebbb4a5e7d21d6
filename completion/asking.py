"""Asks the model for one request: what it would write, in either prompt format, and how probable it finds a text.

Called by the pipeline and by `ranking`. Rules: the only effect is `engine.generate`; every generation is closed on
every path. An `Attempt` is what came back, cut by the stop rule and filtered, not yet judged.
"""

import asyncio
import codecs
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, takewhile
from typing import NamedTuple

from completion.candidate import Candidate
from completion.filters.chain import apply_filters
from completion.ranking.certainty import certain_end, whole
from completion.stop import StopRule, find_end, finish
from completion.types import CompletionRequest, Engine, FilterStep, Format, GenerationStats, Mode, Prompt, Tokenizer


def session_for(prompt: Prompt, request: CompletionRequest) -> str:
    """The name of the session that a first prompt has: chats have their own, or they would push the file's text out."""
    return f"{request.session}#chat" if prompt.format is Format.CHAT else request.session


class Read(NamedTuple):
    """Tokens as the model read or said them behind a prompt, and how probable it found each."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]


class Scored(NamedTuple):
    """A text at the cursor, read. Healed bytes stand before it and count to its first token, which begins below 0."""

    read: Read
    begins: tuple[int, ...]  # where each token begins, in bytes of the text

    def behind(self, n_bytes: int) -> float:
        """Log-probability of the tokens that begin behind the first bytes."""
        return sum(value for at, value in zip(self.begins, self.read.logprobs, strict=False) if at >= n_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """What came out of the engine: text from the cursor on, and why it ended."""

    text: str
    ids: tuple[int, ...]  # its tokens, the healed bytes included; none where an opening was put before them
    logprobs: list[tuple[int, float]]  # length of `text` before a token, its value
    sure: list[tuple[int, float]]  # the same, what is typed given
    stats: GenerationStats | None
    timed_out: bool
    complete: bool  # not cut off in its last line, by the time or by the number of tokens

    @property
    def read(self) -> Read:
        """What it says, to be known when another text is scored."""
        return Read(self.ids, tuple(value for _, value in self.logprobs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One answer: the generation, what the stop rule left of it, and what the filters made of that."""

    prompt: Prompt
    generation: Generation
    raw: str
    candidate: Candidate
    steps: tuple[FilterStep, ...]
    is_cut: bool = False  # ends before the model did, or was known to
    filters_ms: float = 0.0

    @property
    def has_text(self) -> bool:
        """Whether there is anything to show."""
        return bool(self.candidate.text.strip())

    def logprobs(self) -> list[float]:
        """Log-probabilities of the tokens that `raw` was made of, the healed ones included."""
        return [logprob for begins, logprob in self.generation.logprobs if begins < max(1, len(self.raw))]

    def sure(self) -> list[float]:
        """The same, what is typed given."""
        return [logprob for begins, logprob in self.generation.sure if begins < max(1, len(self.raw))]

    def least_logprob(self) -> float:
        """That of the least probable token, the one that ended it included; 0 when there is none."""
        return min((logprob for begins, logprob in self.generation.logprobs if begins <= len(self.raw)), default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """One request to one engine."""

    engine: Engine
    tokenizer: Tokenizer
    request: CompletionRequest
    rule: StopRule
    certainty: float = 0.0  # joint probability that a text has at least; 0: it is not cut
    is_prose: bool = False  # the cursor stands in a comment or a string

    async def attempts(
        self,
        prompt: Prompt,
        session: str,
        max_wait_ms: float | None,
        on_reading: Callable[["Reading"], None] = lambda reading: None,
        opening: str = "",
    ) -> list[Attempt]:
        """Generate the prompt's candidates, the most probable first, until the rule is satisfied for each of them.

        At most `max_wait_ms`. There is always a first, perhaps without text; `on_reading` hears of it.
        With an `opening` the texts begin with it: what the model is made to begin with, as with what is healed.
        """
        generations = await self._generate(prompt, session, max_wait_ms, on_reading, opening)
        # In a thread, like the prompt: the filters parse the document with the suggestion in place.
        return await asyncio.to_thread(
            lambda: [self._filtered(prompt, generation, *self._kept(generation)) for generation in generations]
        )

    def _filtered(self, prompt: Prompt, generation: Generation, raw: str, is_cut: bool) -> Attempt:
        began = time.perf_counter()
        candidate, steps = apply_filters(raw, self.request)
        return Attempt(
            prompt=prompt,
            generation=generation,
            raw=raw,
            candidate=candidate,
            steps=steps,
            is_cut=is_cut,
            filters_ms=(time.perf_counter() - began) * 1e3,
        )

    def _kept(self, generation: Generation) -> tuple[str, bool]:
        """What of a generation may be shown, and whether that ends before what it said does."""
        raw = finish(self.rule, generation.text, complete=generation.complete)
        if not self.certainty:
            # When the time is up, only what ends with its line is shown: half a line would be worse than none.
            is_half = generation.timed_out and not self._has_line(generation.text)
            return ("" if is_half else raw), False
        end = certain_end(generation.sure, self.certainty)
        is_whole = generation.complete or find_end(self.rule, generation.text) is not None
        if is_whole and (end is None or (raw.strip() and end >= len(raw))):
            return raw, False
        return whole(generation.text, min(len(raw), end if end is not None else len(raw)), is_prose=self.is_prose), True

    def _has_line(self, text: str) -> bool:
        """Whether there is one whole line of it at least."""
        return "\n" in text if self.rule.mode is Mode.BLOCK else find_end(self.rule, text) is not None

    def so_far(self, prompt: Prompt, generation: Generation) -> Attempt | None:
        """An attempt of what was said so far, as if the time were up; None when nothing of it can be shown yet, or all
        of it will be at once."""
        if not self.certainty or self._is_enough(generation.text, generation.sure):
            return None
        raw, is_cut = self._kept(generation)
        return self._filtered(prompt, generation, raw, is_cut) if raw.strip() else None

    async def score(
        self, prompt: Prompt, session: str, text: str, known: Sequence[Read] = (), begins_in: int | None = None
    ) -> Scored:
        """How probable the model finds a text at the cursor, or its tokens that begin in so many bytes.

        A text that is cut would end in a token that nobody writes there: `fo` of `four`.

        What it said or read itself behind this prompt in this session is `known`: it need not be asked again, it is
        read, and what is new behind it scored.
        """
        target = self.tokenizer.encode(prompt.heal.decode("utf-8", "replace") + text)
        lengths = [len(self.tokenizer.token_bytes(token_id)) for token_id in target]
        begins = tuple(accumulate(lengths, initial=-len(prompt.heal)))[: len(target)]
        if begins_in is not None:
            target = target[: sum(1 for at in begins if at < begins_in)]
        values = max((_same(read, target) for read in known), key=len, default=[])
        prompt = _extended(prompt, target[: len(values)])
        stream = self.engine.generate(replace(prompt, target=tuple(target[len(values) :])), session=session)
        try:
            async for delta in stream:
                values += delta.logprobs
        finally:
            await _close(stream)
        return Scored(Read(tuple(target), tuple(values)), begins[: len(target)])

    def _opened(self, prompt: Prompt, opening: str) -> Prompt:
        """The prompt whose texts begin with an opening: all of that but its last token, which is healed, is read."""
        if not opening:
            return prompt
        *ids, last = self.tokenizer.encode(prompt.heal.decode("utf-8", "replace") + opening)
        return replace(_extended(prompt, ids), heal=self.tokenizer.token_bytes(last))

    async def _generate(
        self,
        prompt: Prompt,
        session: str,
        max_wait_ms: float | None,
        on_reading: Callable[["Reading"], None],
        opening: str,
    ) -> list[Generation]:
        """One generation for each candidate that said something, the first always among them."""
        prompt = self._opened(prompt, opening)
        reading = [Reading(prompt.heal, opening) for _ in range(prompt.n_candidates)]
        stats, prefilled_at, timed_out = None, 0.0, False
        stream = self.engine.generate(prompt, session=session)
        try:
            async with asyncio.timeout(None if max_wait_ms is None else max_wait_ms / 1e3):
                async for delta in stream:
                    if delta.stats is not None:
                        stats, prefilled_at = delta.stats, time.perf_counter()
                        reading[0].stats = stats
                    for token_id, logprob in zip(delta.token_ids, delta.logprobs, strict=True):
                        reading[delta.candidate].read(
                            token_id, self.tokenizer.token_bytes(token_id), logprob, delta.spelled
                        )
                    on_reading(reading[0])
                    if await self._has_ended(reading):
                        break
        except TimeoutError:
            timed_out = True
        finally:
            await _close(stream)
        if stats is not None:  # closed before the engine's last word: count here
            decode_ms = stats.decode_ms or (time.perf_counter() - prefilled_at) * 1e3
            stats = replace(stats, n_generated=sum(len(each.logprobs) for each in reading), decode_ms=decode_ms)
        return [
            each.generation(
                stats=stats, timed_out=timed_out, complete=not timed_out and len(each.logprobs) < prompt.max_tokens
            )
            for number, each in enumerate(reading)
            if each.logprobs or number == 0
        ]

    async def _has_ended(self, reading: "list[Reading]") -> bool:
        """Whether every candidate has said enough. In a thread where that may take a parse: at the end of a block."""

        def has_ended() -> bool:
            return all(self._is_enough(each.text, each.sure) for each in reading)

        may_parse = self.rule.mode is Mode.BLOCK and any("\n" in each.text for each in reading)
        return await asyncio.to_thread(has_ended) if may_parse else has_ended()

    def _is_enough(self, text: str, sure: Sequence[tuple[int, float]]) -> bool:
        """Whether what comes next would not be shown."""
        is_doubtful = bool(self.certainty) and certain_end(sure, self.certainty) is not None
        return is_doubtful or find_end(self.rule, text) is not None


class Reading:
    """The text of a candidate as its tokens come; what is healed stands in the document already."""

    def __init__(self, heal: bytes, opening: str) -> None:
        self.text = self._opening = opening
        self.ids: list[int] = []
        self.logprobs: list[tuple[int, float]] = []
        self.sure: list[tuple[int, float]] = []  # the same, what is typed given
        self.stats: GenerationStats | None = None  # once the prompt is done
        self._outstanding = heal
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read(self, token_id: int, says: bytes, logprob: float, spelled: float = 0.0) -> None:
        """Take a token; `spelled` as in `Delta`."""
        self.ids.append(token_id)
        self.logprobs.append((len(self.text), logprob))
        self.sure.append((len(self.text), min(0.0, logprob - spelled)))
        typed, self._outstanding = says[: len(self._outstanding)], self._outstanding[len(says) :]
        self.text += self._decoder.decode(says[len(typed) :])

    def generation(self, *, stats: GenerationStats | None, timed_out: bool, complete: bool) -> Generation:
        """What has come so far."""
        return Generation(
            text=self.text,
            ids=() if self._opening else tuple(self.ids),
            logprobs=list(self.logprobs),
            sure=list(self.sure),
            stats=stats,
            timed_out=timed_out,
            complete=complete,
        )


def _extended(prompt: Prompt, ids: Sequence[int]) -> Prompt:
    """The prompt with more ids at its end."""
    end = prompt.pieces[-1:]
    return replace(
        prompt,
        token_ids=prompt.token_ids + array("I", ids),
        pieces=prompt.pieces[:-1] + tuple(replace(piece, n_tokens=piece.n_tokens + len(ids)) for piece in end),
    )


def _same(read: Read, target: Sequence[int]) -> list[float]:
    """Log-probabilities of the first tokens of a target, as far as they are what was read; one is left to be scored."""
    pairs = zip(read.ids, target[:-1], strict=False)
    n_same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return list(read.logprobs[:n_same])


async def _close(stream: object) -> None:
    """End a generation. A plain async iterator need not have `aclose`; the generators of all our engines do."""
    if (close := getattr(stream, "aclose", None)) is not None:
        await close()
