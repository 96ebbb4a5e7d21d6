"""Asks the model for one request: what it would write, in either prompt format, and how probable it finds a text.

Called by the pipeline and by `ranking`. Rules: the only effect is `engine.generate`; every generation is closed on
every path. An `Attempt` is what came back, cut by the stop rule and filtered, not yet judged.
"""

import asyncio
import codecs
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from completion.candidate import Candidate
from completion.filters import apply_filters
from completion.stop import StopRule, find_end, finish
from completion.types import CompletionRequest, Engine, FilterStep, GenerationStats, Prompt, Tokenizer


@dataclass(slots=True)
class Generation:
    """What came out of the engine so far: text from the cursor on, and why it ended."""

    text: str = ""
    logprobs: list[tuple[int, float]] = field(default_factory=list)  # length of `text` before a token, its value
    stats: GenerationStats | None = None
    timed_out: bool = False
    complete: bool = True  # not cut off in its last line, by the time or by the number of tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One answer: the generation, what the stop rule left of it, and what the filters made of that."""

    prompt: Prompt
    generation: Generation
    raw: str
    candidate: Candidate
    steps: tuple[FilterStep, ...]
    filters_ms: float = 0.0

    @property
    def has_text(self) -> bool:
        """Whether there is anything to show."""
        return bool(self.candidate.text.strip())

    def logprobs(self) -> list[float]:
        """Log-probabilities of the tokens that `raw` was made of, the healed ones included."""
        return [logprob for begins, logprob in self.generation.logprobs if begins < max(1, len(self.raw))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """One request to one engine."""

    engine: Engine
    tokenizer: Tokenizer
    request: CompletionRequest
    rule: StopRule

    async def attempt(
        self, prompt: Prompt, session: str, max_wait_ms: float, on_text: Callable[[str], None] = lambda text: None
    ) -> Attempt:
        """Generate until the rule is satisfied, the engine ends, or the time is up (0: no bound)."""
        generation = await self._generate(prompt, session, max_wait_ms, on_text)
        raw = finish(self.rule, generation.text, complete=generation.complete)
        # When the time is up, only what ends with its line is shown: half a line would be worse than none.
        if generation.timed_out and "\n" not in generation.text:
            raw = ""
        began = time.perf_counter()
        # In a thread, like the prompt: the filters parse the document with the suggestion in place.
        candidate, steps = await asyncio.to_thread(apply_filters, raw, self.request)
        return Attempt(
            prompt=prompt,
            generation=generation,
            raw=raw,
            candidate=candidate,
            steps=steps,
            filters_ms=(time.perf_counter() - began) * 1e3,
        )

    async def score(self, prompt: Prompt, session: str, text: str) -> list[tuple[int, float]]:
        """How probable the model finds a text at the cursor: (where a token begins in it, its log-probability).

        The healed bytes stand before the text and count to its first token, which then begins below 0.
        """
        target = self.tokenizer.encode(prompt.heal.decode("utf-8", "replace") + text)
        scored, offset = [], -len(prompt.heal)
        stream = self.engine.generate(replace(prompt, target=tuple(target)), session=session)
        try:
            async for delta in stream:
                for token_id, logprob in zip(delta.token_ids, delta.logprobs, strict=True):
                    scored.append((offset, logprob))
                    offset += len(self.tokenizer.token_bytes(token_id))
        finally:
            await _close(stream)
        return scored

    async def _generate(
        self, prompt: Prompt, session: str, max_wait_ms: float, on_text: Callable[[str], None]
    ) -> Generation:
        result = Generation()
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        outstanding, prefilled_at = prompt.heal, 0.0
        stream = self.engine.generate(prompt, session=session)
        try:
            async with asyncio.timeout(max_wait_ms / 1e3 or None):
                async for delta in stream:
                    if delta.stats is not None:
                        result.stats, prefilled_at = delta.stats, time.perf_counter()
                    for token_id, logprob in zip(delta.token_ids, delta.logprobs, strict=True):
                        result.logprobs.append((len(result.text), logprob))
                        spelled = self.tokenizer.token_bytes(token_id)
                        typed, outstanding = spelled[: len(outstanding)], outstanding[len(spelled) :]
                        result.text += decoder.decode(spelled[len(typed) :])
                    on_text(result.text)
                    if find_end(self.rule, result.text) is not None:
                        break
        except TimeoutError:
            result.timed_out = True
        finally:
            await _close(stream)
        n_generated = len(result.logprobs)
        result.complete = not result.timed_out and n_generated < prompt.max_tokens
        if result.stats is not None:  # closed before the engine's last word: count here
            decode_ms = result.stats.decode_ms or (time.perf_counter() - prefilled_at) * 1e3
            result.stats = replace(result.stats, n_generated=n_generated, decode_ms=decode_ms)
        return result


async def _close(stream: object) -> None:
    """End a generation. A plain async iterator need not have `aclose`; the generators of all our engines do."""
    if (close := getattr(stream, "aclose", None)) is not None:
        await close()
