"""One editor of a team, before a shared server: it asks for the rest of the line at a key, by `/v1/completions`.

The prompt is Qwen's, laid out so that a server which keeps prefixes (vLLM, llama.cpp, `midfill serve`) computes little
at a key: the window begins at a multiple of lines, and the current line stands behind the text after the cursor. What
is shown and typed through asks nothing. As midfill does (`completion.inflight`), a request that runs is kept as long as
what is typed agrees with what has come of it: a busy server that is hung up on at every key never answers anybody. Of
one that does not agree the stream is closed, and its slot is free.

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
    _running: "_Request | None" = None

    def enter(self, path: str, text: str, cursor: int) -> None:
        """Nothing is asked until something is typed."""
        self._cancel()

    def change(self, change: TextChange) -> None:
        """Ask, unless what is shown goes on with what was typed, or what is under way may."""
        if not change.is_asked:
            self._cancel()
        elif self.screen.ghost is not None or (self._running is not None and self._running.goes_on_with(change)):
            pass
        else:
            self._start(change.after, change.cursor)

    async def settle(self) -> None:
        """Let go of what runs."""
        running = self._running
        self._cancel()
        if running is not None and running.task is not None:
            await asyncio.wait([running.task])

    def _start(self, text: str, cursor: int) -> None:
        self._cancel()
        self._running = request = _Request(text, cursor)
        request.task = tasks.start(self._ask(request), "a typist's request")

    def _cancel(self) -> None:
        running, self._running = self._running, None
        if running is not None and running.task is not None:
            running.task.cancel()

    async def _ask(self, request: "_Request") -> None:
        asked, began = Asked(), time.perf_counter()
        self.asked.append(asked)
        try:
            if await self._read(request, asked):
                asked.outcome, asked.ms = "answered", 1e3 * (time.perf_counter() - began)
        except openai.OpenAIError:
            asked.outcome = "failed"
        self._running = None
        if asked.outcome == "failed":
            return
        if request.said.startswith(request.typed) and request.said != request.typed:
            self.screen.show(Ghost(request.said.removeprefix(request.typed)))
        elif request.typed:  # it said something else, or less: what stands there now was not asked about
            self._start(request.now, request.cursor + len(request.typed))

    async def _read(self, request: "_Request", asked: Asked) -> bool:
        """Read the answer; False where the stream was closed, since something else was typed."""
        stream = await self.server.client.completions.create(
            model=self.server.model,
            prompt=prompt_of(request.text, request.cursor),
            max_tokens=_MAX_TOKENS,
            stop=["\n"],
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
        )
        async with stream:
            async for chunk in stream:
                request.said += "".join(choice.text for choice in chunk.choices)
                asked.n_generated += bool(chunk.choices)
                if chunk.usage is not None:
                    details = chunk.usage.prompt_tokens_details
                    asked.n_cached = (details.cached_tokens if details else 0) or 0
                    asked.n_prompt, asked.n_generated = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
                if not request.agrees:
                    return False
        return True


@dataclass(slots=True)
class _Request:
    """A request under way: what it asked about, what has come of it, and what was typed since."""

    text: str
    cursor: int
    said: str = ""
    typed: str = ""
    task: "asyncio.Task[None] | None" = None

    @property
    def agrees(self) -> bool:
        """Whether what has come may still be what is typed."""
        return self.said.startswith(self.typed) or self.typed.startswith(self.said)

    @property
    def now(self) -> str:
        """The text with what was typed since."""
        return self.text[: self.cursor] + self.typed + self.text[self.cursor :]

    def goes_on_with(self, change: TextChange) -> bool:
        """Take a change in, if it was typed behind what was typed before and agrees with what has come."""
        if change.removed or change.begin != self.cursor + len(self.typed) or "\n" in change.text:
            return False
        self.typed += change.text
        return self.agrees


def prompt_of(text: str, cursor: int) -> str:
    """The text around a cursor, the current line last."""
    line_start = text.rfind("\n", 0, cursor) + 1
    above = text[:line_start].splitlines(keepends=True)
    begin = max(0, len(above) - _LINES_ABOVE + _STEP_LINES - 1) // _STEP_LINES * _STEP_LINES
    after = "".join(text[cursor:].splitlines(keepends=True)[:_LINES_AFTER])
    return f"{PREFIX}{''.join(above[begin:])}{SUFFIX}{after}{MIDDLE}{text[line_start:cursor]}"
