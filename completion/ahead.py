"""The next completion, as if the shown one had been accepted: computed while the user reads, and there at once then.

Called by the server after an answer. Where the suggestion ends its line, the user will go on in the next one: the
document is that with a line end and the indentation that editors put there. What comes out is remembered like any
answer, and found only where the text is exactly this one; whoever types something else has lost nothing.

The technique is llama.vim's speculative FIM. Rules: pure but for the engine, which gives such a request up for any
other of the document (`Priority.NEXT`); the document's next completion ends it (`InFlight`). What comes out is what
asking after the acceptance gives: so a second opinion is asked for where it would be. Only bounds of time do not hold.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from completion.candidate import Candidate
from completion.lines import after_cursor, before_cursor, columns, indentation, opens_block
from completion.pace import Pace
from completion.pipeline import Deps, complete_unasked
from completion.types import Completion, CompletionRequest, Delta, Engine, Priority, Prompt, Trigger
from parsers.languages import by_id
from parsers.parse import parse

# Nobody has read a suggestion sooner. Who types on against it has its line computed again for the next key, once what
# comes ahead was begun (test_typing_on_a_line_computes_only_a_few_tokens_per_key): keys come faster than this.
_READING_S = 0.3


@dataclass(frozen=True, slots=True)
class _Later:
    """An engine whose requests nobody waits for yet."""

    engine: Engine

    def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        return self.engine.generate(prompt, session=session, priority=Priority.NEXT)


def look_ahead(deps: Deps, request: CompletionRequest, shown: Completion) -> "asyncio.Task[None] | None":
    """Have the completion after the shown one computed and remembered; None where that is being done, or was."""
    candidate = Candidate(shown.text, replace_right=shown.replace_right)
    about = (candidate.accepted(request), request.cursor + len(shown.text))
    return deps.inflight.run_ahead(request.session, about, lambda: _once_it_is_read(deps, request, shown))


async def _once_it_is_read(deps: Deps, request: CompletionRequest, shown: Completion) -> None:
    await asyncio.sleep(_READING_S)
    await complete_ahead(deps, request, shown)


async def complete_ahead(deps: Deps, request: CompletionRequest, shown: Completion) -> None:
    """Compute and remember it. Cancelling ends it at once."""
    limits = replace(deps.limits, max_wait_ms=0, rank_ms=0 if deps.limits.rank_ms == 0 else None)
    # A pace of its own: how long the second opinion takes here says nothing of how long somebody would wait for it.
    later = replace(deps, engine=_Later(deps.engine), limits=limits, pace=Pace(), chat_pace=Pace())
    await complete_unasked(later, await asyncio.to_thread(request_after, request, shown))


def request_after(request: CompletionRequest, shown: Completion) -> CompletionRequest:
    """What an editor would ask when a suggestion has been accepted. Parses: for a worker thread."""
    candidate = Candidate(shown.text, replace_right=shown.replace_right)
    text, cursor = candidate.accepted(request), request.cursor + len(shown.text)
    if not after_cursor(text, cursor).strip():
        end = "\r\n" if "\r\n" in text else "\n"
        added = end + _indentation_below(text, cursor, request.snapshot.language)
        text, cursor = text[:cursor] + added + text[cursor:], cursor + len(added)
    old = request.snapshot
    snapshot = replace(old, text=text, tree=parse(old.language, text, old.tree))
    return replace(request, snapshot=snapshot, cursor=cursor, trigger=Trigger.AUTOMATIC)


def _indentation_below(text: str, cursor: int, language: str) -> str:
    """What editors begin the next line with: the indentation of this one, one level more behind a header."""
    line = before_cursor(text, cursor)
    return indentation(line) + (_unit(text) if opens_block(line, by_id(language).block_style) else "")


def _unit(text: str) -> str:
    """One level of a file's indentation: a tab, or the smallest number of blanks that a line begins with."""
    lines = [line for line in text.split("\n") if line[:1] in (" ", "\t") and line.strip()]
    if any(line.startswith("\t") for line in lines):
        return "\t"
    widths = [columns(line) for line in lines]
    return " " * min((width for width in widths if width > 1), default=4)
