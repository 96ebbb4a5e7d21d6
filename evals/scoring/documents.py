"""One completion as a user would get it: a document, a cursor, and `completion.pipeline.complete`.

Used by every suite that generates. Rules: the limits are the product's defaults, but for the deadline: what is scored
must not depend on this machine's load, unless the engine is the one that answers automatic requests. Nothing is reused
from one request's answer to the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from completion.cache import ReuseCache
from completion.pipeline import Deps, complete, prompts_for
from completion.prompt.segments import SegmentCache
from completion.types import (
    Completion,
    CompletionRequest,
    DocumentSnapshot,
    Format,
    Limits,
    Mode,
    Prompt,
    Snippet,
    Trigger,
)
from evals.engines import RecordingEngine, Subject
from lsp_server.ablation import without
from parsers.languages import for_document
from parsers.parse import parse

LIMITS = Limits(
    max_prompt_tokens=4096,
    max_file_tokens=4096,
    max_line_tokens=64,
    max_block_tokens=256,
    suffix_share=0.25,
    max_wait_ms=None,
    deadline_ms=None,
)
# Every request names the same KV session: what it holds changes the time, never the answer.
_SESSION = "eval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A text with a cursor (code points) in a file, and how much to complete there."""

    path: str
    repo: str
    text: str
    cursor: int
    mode: Mode | None  # None: as the product decides

    def request(self, snippets: Sequence[Snippet] = (), trigger: Trigger = Trigger.INVOKED) -> CompletionRequest:
        """What an editor would ask there, with these snippets of other files, the best first."""
        language = for_document(self.path, None).id
        snapshot = DocumentSnapshot(
            uri=f"file:///{self.path}",
            path=self.path,
            repo=self.repo,
            version=1,
            text=self.text,
            language=language,
            tree=parse(language, self.text),
        )
        return CompletionRequest(
            snapshot=snapshot,
            cursor=self.cursor,
            mode=self.mode,
            trigger=trigger,
            session=_SESSION,
            snippets=tuple(snippets),
            without=without(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, and what it was made of. `prompt` is None when the engine was not asked."""

    completion: Completion
    prompt: Prompt | None
    raw: str  # the generated text, healed bytes included

    def record(self) -> dict[str, Any]:
        """The part of a results line that is the same in every suite."""
        stats = self.completion.stats
        return {
            "completion": self.completion.text,
            "raw": self.raw,
            "outcome": self.completion.outcome.value,
            "reason": self.completion.reason,
            "mode": self.completion.mode.value,
            "probability": self.completion.probability,
            "ranked": list(self.completion.trace.ranked) if self.completion.trace else [],
            "prompt_tokens": list(self.prompt.token_ids) if self.prompt else [],
            "heal": self.prompt.heal.decode("utf-8", "replace") if self.prompt else "",
            "timings_ms": self.completion.timings_ms,
            "n_cached": stats.n_cached if stats else 0,
            "n_generated": stats.n_generated if stats else 0,
        }


async def answer(
    subject: Subject, document: Document, window_tokens: int = LIMITS.max_prompt_tokens, limits: Limits = LIMITS
) -> Answer:
    """Ask for one completion with a prompt of at most `window_tokens`."""
    engine = RecordingEngine(subject.engine)
    deps = Deps(
        engine=engine,
        tokenizer=subject.tokenizer,
        spec=subject.spec,
        limits=replace(
            limits,
            max_prompt_tokens=window_tokens,
            max_file_tokens=window_tokens,
            rank_ms=subject.rank_ms,
        ),
        cache=ReuseCache(),
        segments=SegmentCache(subject.tokenizer),
    )
    if subject.is_ahead:
        await _type_up_to(deps, document)
    completion = await complete(deps, document.request(trigger=subject.trigger))
    raw = b"".join(subject.tokenizer.token_bytes(token_id) for token_id in engine.token_ids)
    return Answer(completion=completion, prompt=engine.prompt, raw=raw.decode("utf-8", "replace"))


async def _type_up_to(deps: Deps, document: Document) -> None:
    """Have computed what would be, had the line above just been typed: prompts with the cursor at its end."""
    above = document.text.rfind("\n", 0, document.cursor)
    if above < 0:
        return
    before = replace(document, text=document.text[:above] + document.text[document.cursor :], cursor=above)
    for session, prompt in await prompts_for(deps, before.request(trigger=Trigger.AUTOMATIC)):
        if prompt.format is Format.CHAT and document.mode is Mode.LINE:
            continue  # it would be there, and no request wants it
        async for _ in deps.engine.generate(replace(prompt, max_tokens=1, deadline_ms=None), session=session):
            pass
