"""One editor of a team, before a shared server: it asks for the rest of the line at a key, by `/v1/completions`.

The prompt is Qwen's, laid out so that a server which keeps prefixes (vLLM, llama.cpp, `midfill serve`) computes little
at a key: the window begins at a multiple of lines, and the current line stands behind the text after the cursor. What
is shown and typed through asks nothing; a newer request closes the stream of the one before, whose slot is then free.

Rules: what goes out is what any such server understands. Every request is kept with how it ended.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import openai

from evals.typing.ours import first_line, first_word
from evals.typing.person import TextChange
from evals.typing.screen import Clock, Ghost, Screen
from model.link import tasks

_LINES_ABOVE, _LINES_AFTER, _STEP_LINES = 256, 64, 64
_MAX_TOKENS = 48
PREFIX, SUFFIX, MIDDLE = "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"


@dataclass(slots=True)
class Asked:
    """A request: `ms` until the line was there; None where it was closed before, or failed."""

    outcome: str = "cancelled"  # or "answered", "failed"
    ms: float | None = None
    n_prompt: int = 0
    n_cached: int = 0
    n_generated: int = 0


@dataclass(frozen=True, slots=True)
class Server:
    """Where all editors ask."""

    client: openai.AsyncOpenAI
    model: str


@dataclass(slots=True)
class TeamPlayer:
    """A player (`person.Player`)."""

    server: Server
    clock: Clock
    screen: Screen
    name: str = "team"
    pids: list[int] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    first_word: Callable[[str], str] = first_word
    first_line: Callable[[str], str] = first_line
    _running: "asyncio.Task[None] | None" = None

    def enter(self, path: str, text: str, cursor: int) -> None:
        """Nothing is asked until something is typed."""
        self._cancel()

    def change(self, change: TextChange) -> None:
        """Ask, unless what is shown goes on with what was typed."""
        self._cancel()
        if change.is_asked and self.screen.ghost is None:
            self._running = tasks.start(self._ask(prompt_of(change.after, change.cursor)), "a typist's request")

    async def settle(self) -> None:
        """Let go of what runs."""
        self._cancel()
        if self._running is not None:
            await asyncio.wait([self._running])

    def _cancel(self) -> None:
        if self._running is not None:
            self._running.cancel()

    async def _ask(self, prompt: str) -> None:
        asked, began, text = Asked(), time.perf_counter(), ""
        self.asked.append(asked)
        try:
            stream = await self.server.client.completions.create(
                model=self.server.model,
                prompt=prompt,
                max_tokens=_MAX_TOKENS,
                stop=["\n"],
                temperature=0,
                stream=True,
                stream_options={"include_usage": True},
            )
            async with stream:
                async for chunk in stream:
                    text += "".join(choice.text for choice in chunk.choices)
                    asked.n_generated += bool(chunk.choices)
                    if chunk.usage is not None:
                        details = chunk.usage.prompt_tokens_details
                        asked.n_cached = (details.cached_tokens if details else 0) or 0
                        asked.n_prompt, asked.n_generated = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
        except openai.OpenAIError:
            asked.outcome = "failed"
            return
        asked.outcome, asked.ms = "answered", 1e3 * (time.perf_counter() - began)
        self.screen.show(Ghost(text))


def prompt_of(text: str, cursor: int) -> str:
    """The text around a cursor, the current line last."""
    line_start = text.rfind("\n", 0, cursor) + 1
    above = text[:line_start].splitlines(keepends=True)
    begin = max(0, len(above) - _LINES_ABOVE + _STEP_LINES - 1) // _STEP_LINES * _STEP_LINES
    after = "".join(text[cursor:].splitlines(keepends=True)[:_LINES_AFTER])
    return f"{PREFIX}{''.join(above[begin:])}{SUFFIX}{after}{MIDDLE}{text[line_start:cursor]}"
