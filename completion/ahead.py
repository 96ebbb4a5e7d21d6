"""The next completion, as if the shown one had been accepted: computed while the user reads, and there at once then.

Called by the server after an answer. Where the suggestion ends its line, the user will go on in the next one: the
document is that with a line end and the indentation that editors put there. What comes out is remembered like any
answer, and found only where the text is exactly this one; a user who types something else has lost nothing.

The technique is llama.vim's speculative FIM. Rules: pure but for the engine, which gives such a request up for any
other of the document (`Priority.NEXT`); the document's next completion ends it (`InFlight`). What comes out is what
asking after the acceptance gives. Only bounds of time do not hold.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from completion.candidate import Candidate
from completion.code.lines import after_cursor
from completion.code.newline import indentation_below, line_end_at, with_typed
from completion.pipeline import Deps, complete_ahead_of_request
from completion.ranking.patience import Pace
from completion.switches import Switch
from completion.types import (
    Completion,
    CompletionRequest,
    Delta,
    Engine,
    EngineUnavailable,
    Priority,
    Prompt,
    Trigger,
)

# No user has read a suggestion sooner. One who types on against it has the line computed again for the next key, once
# what comes ahead was begun (test_typing_on_a_line_computes_only_a_few_tokens_per_key): keys come faster than this.
_READING_S = 0.3


@dataclass(frozen=True, slots=True)
class _Later:
    """An engine whose requests are less urgent than any that the editor sent."""

    engine: Engine

    def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        return self.engine.generate(prompt, session=session, priority=Priority.NEXT)


async def read_ahead(engine: Engine, prompt: Prompt, session: str) -> None:
    """Have a prompt read as far as a request would have it read, and nothing said; any other request goes first."""
    with contextlib.suppress(EngineUnavailable):  # then it is read when it is asked for
        async for _ in engine.generate(replace(prompt, max_tokens=0), session=session, priority=Priority.NEXT):
            pass


def look_ahead(deps: Deps, request: CompletionRequest, shown: Completion) -> "asyncio.Task[None] | None":
    """Have the completion after the shown one computed and remembered; None where that is being done, or was."""
    if Switch.AHEAD in request.without:
        return None
    candidate = Candidate(shown.text, replace_right=shown.replace_right)
    about = (candidate.accepted(request), request.cursor + len(shown.text))
    return deps.inflight.run_ahead(request.session, about, lambda: _once_it_is_read(deps, request, shown))


async def _once_it_is_read(deps: Deps, request: CompletionRequest, shown: Completion) -> None:
    await asyncio.sleep(_READING_S)
    await complete_ahead(deps, request, shown)


async def complete_ahead(deps: Deps, request: CompletionRequest, shown: Completion) -> None:
    """Compute and remember it. Cancelling ends it at once."""
    # A pace of its own: how long a chat takes to be read here says nothing of how long a request would wait for it.
    limits = replace(deps.limits, max_wait_ms=None)
    later = replace(deps, engine=_Later(deps.engine), limits=limits, chat_pace=Pace())
    await complete_ahead_of_request(later, await asyncio.to_thread(request_after, request, shown))


def request_after(request: CompletionRequest, shown: Completion) -> CompletionRequest:
    """What an editor would ask when a suggestion has been accepted. Parses: for a worker thread."""
    text, cursor = request.snapshot.text, request.cursor
    accepted = Candidate(shown.text, replace_right=shown.replace_right).accepted(request)
    end, typed = cursor + len(shown.text), shown.text
    if not after_cursor(accepted, end).strip():
        typed += line_end_at(accepted, end) + indentation_below(accepted, end, request.snapshot.language)
    replaced = replace(request.snapshot, text=text[:cursor] + text[cursor + shown.replace_right :])
    return replace(with_typed(replace(request, snapshot=replaced), typed), trigger=Trigger.AUTOMATIC)
