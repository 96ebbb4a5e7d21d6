"""Training examples: what the engine is asked by automatic requests, and what it should answer up to its end.

A file as it was when the target was not written yet (see `spans`) goes through the product's own prompt builder with
the product's own budgets; what token healing takes back is the beginning of the target. So a prompt is, id for id, the
one that `completion.pipeline` sends.

Examples come by place: some dozen lines of a file, with one window and one choice of snippets, as while somebody types
there. So their prompts begin alike, and training reads that once (`tuning.data.packing`).

Where the engine's answer ends with the cursor's line, the line's end is the end of the target, and no end-of-text
comes behind it: the product stops there. So models write, for whom a bracket and a line's end are often one token; and
an end-of-text behind a line's end would teach to end where a line begins. Every other target ends with end-of-text.

Rules: an example is made only where the product would ask, and in the mode that it would ask in: where that is a
block, the target is a whole body. Snippets are chosen by what stands above the place, so that no target says what to
look for. Everything follows from the file, the snippets and the random generator.
"""

import random
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, replace

from completion.prompt.layout import build_prompt
from completion.prompt.segments import SegmentCache
from completion.trigger import decide
from completion.types import (
    CompletionRequest,
    DocumentSnapshot,
    Limits,
    Mode,
    Prompt,
    PromptSpec,
    Snippet,
    Tokenizer,
    Trigger,
)
from lsp_server.config import Config
from parsers.languages import for_document
from parsers.parse import SyntaxTree, parse
from tuning.data.spans import BELOW, SHARES, Places, Span, below

# (text with the cursor's target taken away, cursor, its tree, room in tokens) -> snippets, the best first.
Retrieve = Callable[[str, int, SyntaxTree, int], Sequence[Snippet]]

# Windows in tokens (setting maxPromptTokens; half of it, and at least 256, is the file's): share, from, to. Most are
# short: what is learned from a long one is the same, and costs many times more.
_WINDOWS = ((0.73, 512, 640), (0.18, 640, 1_200), (0.07, 1_200, 2_600), (0.02, 2_600, 8_192))
_WITH_SNIPPETS = 0.4
_MAX_TARGET_TOKENS = {Mode.LINE: 96, Mode.BLOCK: 256}
_DRAWS = 6  # a place that nothing can be made of is drawn again
_BLOCKS = ("block", "body")
# Examples of a place, and its lines with code: about as many as a window's beginning stays for.
PER_PLACE, _PLACE_LINES = 8, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceText:
    """A file to make examples of. `path` is relative to its repository, of which `repo` is the folder's name."""

    path: str
    repo: str
    text: str
    source: str  # where it comes from, for the list

    @property
    def language(self) -> str:
        """Its language's id."""
        return for_document(self.path, None).id


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """Ids of a prompt and its target; the target begins at `target`."""

    ids: tuple[int, ...]
    target: int
    language: str
    kind: str
    source: str
    has_snippets: bool
    truth: str
    ends_with_line: bool = False  # otherwise with end-of-text

    def label(self) -> dict[str, str]:
        """What the file of examples says of it."""
        end = "line" if self.ends_with_line else "text"
        return {"language": self.language, "kind": self.kind, "source": self.source, "end": end}


@dataclass(slots=True)
class Maker:
    """Makes examples for one model."""

    spec: PromptSpec
    tokenizer: Tokenizer
    rng: random.Random
    segments: SegmentCache = field(init=False)

    def __post_init__(self) -> None:
        self.segments = SegmentCache(self.tokenizer)
        # A function's body is asked for in a chat where nothing was learned yet: here it is, so that one prompt does.
        self.spec = replace(self.spec, body_format=None)

    def examples(
        self, file: SourceText, n: int, retrieve: Retrieve | None, lines: Container[int] | None = None
    ) -> list[Example]:
        """At most `n` different examples of a file, or of some of its lines, of kinds in their shares."""
        places = Places(file.text, parse(file.language, file.text))
        if lines is not None:
            places = places.within(lines)
        if not places.here:
            return []
        found: dict[tuple[int, int], Example] = {}
        for _ in range(-(-n // PER_PLACE)):
            place = self.place(file, places, retrieve)
            kinds = self.rng.choices(list(SHARES), list(SHARES.values()), k=min(PER_PLACE, n - len(found)))
            for kind in kinds:
                self._add(found, place, kind)
        return list(found.values())

    def place(self, file: SourceText, places: Places, retrieve: Retrieve | None) -> "Place":
        """Some lines of a file, with a window and snippets."""
        rng = self.rng
        at = rng.randrange(max(len(places.here) - _PLACE_LINES, 1))
        here = places.here[at : at + _PLACE_LINES]
        _, low, high = rng.choices(_WINDOWS, [share for share, _, _ in _WINDOWS])[0]
        limits = Config(max_prompt_tokens=rng.randint(low, high)).limits()
        snippets: Sequence[Snippet] = ()
        if retrieve is not None and rng.random() < _WITH_SNIPPETS:
            above = file.text[: places.begin(here[0])]
            room = limits.max_prompt_tokens - limits.max_file_tokens
            snippets = retrieve(above, len(above), parse(file.language, above), room)
        return Place(file, places.within(frozenset(here)), limits, tuple(snippets))

    def _add(self, found: dict[tuple[int, int], Example], place: "Place", kind: str) -> None:
        """Add an example of a kind, if a place has one that is not there yet."""
        for _ in range(_DRAWS):
            span = place.places.draw(kind, self.rng)
            if span is None or (span.begin, span.end) in found:
                continue
            if (example := self.example(place, span)) is not None:
                found[span.begin, span.end] = example
                return

    def example(self, place: "Place", span: Span) -> Example | None:
        """The example of a span; None where the product would not ask, or would ask for more or less."""
        file, places, rng = place.file, place.places, self.rng
        how = "complete" if span.kind == "nothing" else rng.choices(list(BELOW), list(BELOW.values()))[0]
        after = below(places, span, how)
        truth = span.truth(file.text)
        if how == "end" and span.kind in _BLOCKS:
            truth += _closing(places, span)
        text = file.text[: span.begin] + file.text[span.end : span.right] + after
        request = replace(request_at(file, text, span.begin), snippets=place.snippets)
        decision = decide(request)
        if decision.skip or (decision.mode is Mode.BLOCK) != (span.kind in _BLOCKS):
            return None
        prompt = build_prompt(self.spec, self.tokenizer, self.segments, place.limits, request, decision.mode)
        is_last_in_line = text[span.begin : span.begin + 1] in ("", "\n")
        ends_with_line = decision.mode is Mode.LINE and "\n" not in truth and is_last_in_line
        target = target_ids(self.tokenizer, prompt, truth, ends_with_line=ends_with_line)
        if len(target) > _MAX_TARGET_TOKENS[decision.mode]:
            return None
        return Example(
            ids=(*prompt.token_ids, *target),
            target=len(prompt.token_ids),
            language=file.language,
            kind=span.kind,
            source=file.source,
            has_snippets=any(prompt.n_snippet_tokens),
            truth=truth,
            ends_with_line=ends_with_line,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Some lines of a file, and what is asked with there."""

    file: SourceText
    places: Places  # of these lines
    limits: Limits
    snippets: tuple[Snippet, ...]


def request_at(file: SourceText, text: str, cursor: int) -> CompletionRequest:
    """What an editor asks by itself at a cursor of a text."""
    snapshot = DocumentSnapshot(
        uri=f"file:///{file.path}",
        path=file.path,
        repo=file.repo,
        version=1,
        text=text,
        language=file.language,
        tree=parse(file.language, text),
    )
    return CompletionRequest(
        snapshot=snapshot, cursor=cursor, mode=None, trigger=Trigger.AUTOMATIC, session="tuning", snippets=()
    )


def target_ids(tokenizer: Tokenizer, prompt: Prompt, truth: str, *, ends_with_line: bool = False) -> list[int]:
    """What is to be generated: the healed bytes with the truth behind them as one text, and its end."""
    text = prompt.heal.decode("utf-8", "replace") + truth
    return tokenizer.encode(text + "\n") if ends_with_line else [*tokenizer.encode(text), prompt.stop_token_ids[0]]


def _closing(places: Places, span: Span) -> str:
    """What closes a body, where nothing below the cursor does: the line below it, if that only closes."""
    number = places.text.count("\n", 0, span.end) + 1
    line = places.lines[number] if number < len(places.lines) else ""
    return f"\n{line.rstrip()}" if line.strip() in ("}", "};", "})", "});", "end", "fi", "done") else ""
