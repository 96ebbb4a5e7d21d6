"""Layer two of next edits: what the model would write at the likely places (`places`). Asked where layer one is silent.

For each region the old text is scored first, in one forward: a prompt that shows it makes its tokens near certain,
but where the recent edits say otherwise. Only there, at the first token that is doubtful, something is generated, until
it reads like the old text again. So a region in which nothing follows costs its prompt, and nothing is decoded.

    old    user = fetch(client, id)        p(` fetch`) = .08     <- doubtful
    new    user = await fetch(client, id)                        <- from there on, until the next line is an old one

Rules: the only effect is the engine's; every generation is closed on every path. What changes nothing is no proposal,
nor is what takes back a recent edit, or has no word that one brought in. Whether a proposal is wanted says the judge,
whether it parses whoever has a tree.
"""

import asyncio
import codecs
import math
from array import array
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from completion.code.words import identifiers
from completion.next_edit.edits import Layer, LineEdit, Opinion, Proposal, pieces
from completion.next_edit.places import Changed, Region, changed_words, regions
from completion.next_edit.rewriting import Question, prompt_for, text_of
from completion.prompt.segments import SegmentCache
from completion.types import Engine, Priority, Prompt, PromptSpec, RewriteForm, Tokenizer

# A token of the old text is doubtful below this probability; so many doubtful places of a region are looked at.
_DOUBTFUL, _MAX_TRIES = 0.5, 4
# What is new has at most so many tokens, and is given up below this log-probability: too much of it is a guess.
_MAX_TOKENS, _LEAST_JOINT = 96, -10.0
# A line is met again in the old text with so many characters of words, or with the line above it.
_LEAST_WORDS = 3
_FENCE = "```"
# Where the model stops of its own, the region's end is meant if it parted from the old text in so many last lines.
_LAST_LINES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewriter:
    """A model that may be asked. `session` is not the one that completions of the document have."""

    engine: Engine
    tokenizer: Tokenizer
    spec: PromptSpec
    segments: SegmentCache
    form: RewriteForm
    session: str
    priority: Priority = Priority.NEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A file as it is after some edits, the last one last; `line` is where the user is."""

    path: str
    language: str
    lines: tuple[str, ...]
    edits: tuple[LineEdit, ...]
    line: int

    def question(self, region: Region) -> Question:
        """What is asked about a region of it."""
        return Question(
            path=self.path,
            language=self.language,
            lines=self.lines,
            edits=self.edits,
            region=region,
            line=self.line,
        )


@dataclass(frozen=True, slots=True)
class _Rewritten:
    """Lines first..end of those asked about that become others, and what the model said on the way."""

    first: int
    end: int
    new: tuple[str, ...]
    logprobs: tuple[float, ...]  # of what is new, to the end of the line at which it reads like the old text again
    old_logprob: float  # of the old text, from and to the same places


async def rewrites(rewriter: Rewriter, scene: Scene) -> AsyncIterator[Proposal]:
    """What the model would change, region by region."""
    if not scene.edits:
        return
    changed = changed_words(scene.edits)
    # In threads, since a large file takes its time.
    for region in await asyncio.to_thread(regions, scene.lines, scene.edits):
        for proposal in await _asked(rewriter, scene.question(region), changed):
            yield proposal


async def _asked(rewriter: Rewriter, question: Question, changed: Changed) -> list[Proposal]:
    """What the model would change in a region: a change, then what follows behind it given that, and so on."""
    prompt = await asyncio.to_thread(prompt_for, question, rewriter.spec, rewriter.segments, rewriter.form)
    proposals: list[Proposal] = []
    at = tries = 0  # lines of the region that are settled
    while at < len(question.old) and tries < _MAX_TRIES:
        found, n_tried = await _next_change(rewriter, prompt, question.old[at:], _MAX_TRIES - tries)
        tries += n_tried
        if found is None:
            break
        proposals += _proposals(question, found, changed, question.region.first + at)
        new = (*question.old[at : at + found.first], *found.new)
        prompt = after(prompt, rewriter.tokenizer.encode(text_of(new)))
        at += found.end
    return proposals


async def _next_change(
    rewriter: Rewriter, prompt: Prompt, old: tuple[str, ...], most: int
) -> tuple["_Rewritten | None", int]:
    """The first change of lines that may follow a prompt, and at how many places one was looked for."""
    text = text_of(old)
    target = rewriter.tokenizer.encode(text)
    logprobs = await scored(rewriter, prompt, target)
    lengths = [len(rewriter.tokenizer.token_bytes(token_id)) for token_id in target]
    begins = list(accumulate(lengths, initial=0))
    read_to = 0  # bytes of the old text that the model wrote itself on an earlier try
    tries = 0
    for n in (n for n, value in enumerate(logprobs) if value < math.log(_DOUBTFUL)):
        if begins[n] < read_to:
            continue
        if tries == most:
            break
        tries += 1
        writing = _Writing(old, text.encode()[: begins[n]].decode("utf-8", "ignore"))
        await _write(rewriter, after(prompt, target[:n]), writing)
        read_to = writing.n_same
        if (found := writing.result(begins, logprobs)) is not None:
            return found, tries
    return None, tries


async def scored(rewriter: Rewriter, prompt: Prompt, target: Sequence[int]) -> list[float]:
    """Log-probabilities of a text's tokens behind a prompt."""
    values: list[float] = []
    if not target:
        return values
    stream = rewriter.engine.generate(
        replace(prompt, target=tuple(target)), session=rewriter.session, priority=rewriter.priority
    )
    try:
        async for delta in stream:
            values += delta.logprobs
    finally:
        await _close(stream)
    return values


async def _write(rewriter: Rewriter, prompt: Prompt, writing: "_Writing") -> None:
    """Have the model go on until what it says is settled."""
    stream = rewriter.engine.generate(
        replace(prompt, max_tokens=_MAX_TOKENS), session=rewriter.session, priority=rewriter.priority
    )
    n = 0
    try:
        async for delta in stream:
            for token_id, logprob in zip(delta.token_ids, delta.logprobs, strict=True):
                n += 1
                writing.read(rewriter.tokenizer.token_bytes(token_id), logprob)
                if writing.is_settled:
                    return
    finally:
        await _close(stream)
    writing.end(is_complete=n < _MAX_TOKENS)


def after(prompt: Prompt, ids: Sequence[int]) -> Prompt:
    return replace(prompt, token_ids=prompt.token_ids + array("I", ids))


async def _close(stream: object) -> None:
    if (close := getattr(stream, "aclose", None)) is not None:
        await close()


class _Writing:
    """A region as the model writes it anew, from a place in the old text on."""

    def __init__(self, old: tuple[str, ...], opening: str) -> None:
        self.is_settled = False
        self.n_same = 0  # bytes of the old text that it begins with, in whole lines
        self._old, self._text, self._opening = old, opening, opening
        self._logprobs: list[float] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._found: tuple[int, int, int] | None = None  # lines that stay, old line it meets, new lines before that

    def read(self, says: bytes, logprob: float) -> None:
        """Take a token."""
        self._logprobs.append(logprob)
        self._text += self._decoder.decode(says)
        if sum(self._logprobs) < _LEAST_JOINT:
            self.is_settled = True
        elif b"\n" in says:
            self._look()

    def _look(self) -> None:
        """Whether it reads like the old text again."""
        written = self._text.split("\n")[:-1]
        head = self._n_head(written)
        if any(line.startswith(_FENCE) for line in written[head:]):
            self.end(is_complete=True)
            return
        if len(written) == head:  # nothing is new in it
            self.is_settled = len(written) > self._opening.count("\n")
            return
        last = written[-1]
        for at in range(head, len(self._old)):
            if self._old[at] != last or len(written) - 1 < head:
                continue
            is_pair = at > head and len(written) - 2 >= head and written[-2] == self._old[at - 1]
            if is_pair or sum(map(len, identifiers(last))) >= _LEAST_WORDS:
                self._found = head, at, len(written) - 1
                self.is_settled = True
                return

    def end(self, *, is_complete: bool) -> None:
        """The model said no more; else it was cut off."""
        if self.is_settled:
            return
        self.is_settled = True
        written = self._text.removesuffix("\n").split("\n")
        fence = next((n for n, line in enumerate(written) if line.startswith(_FENCE)), len(written))
        written = written[:fence]
        head = self._n_head(written)
        # Who stops early has lost the thread; it is no removal of the rest.
        if is_complete and len(written) > head >= len(self._old) - _LAST_LINES:
            self._found = head, len(self._old), len(written)

    def _n_head(self, written: Sequence[str]) -> int:
        pairs = zip(written, self._old, strict=False)
        head = next((n for n, (one, other) in enumerate(pairs) if one != other), min(len(written), len(self._old)))
        self.n_same = sum(len(line.encode()) + 1 for line in self._old[:head])
        return head

    def result(self, begins: Sequence[int], logprobs: Sequence[float]) -> _Rewritten | None:
        """What is new; None where nothing is, or it is not known where it ends."""
        if self._found is None:
            return None
        head, end, n_new = self._found
        lines = self._text.split("\n")
        new = tuple(lines[head:n_new])
        if new == self._old[head:end]:
            return None
        from_byte = len(self._opening.encode())
        until = min(end + 1, len(self._old))
        to_byte = sum(len(line.encode()) + 1 for line in self._old[:until])
        old = sum(v for at, v in zip(begins, logprobs, strict=False) if from_byte <= at < to_byte)
        return _Rewritten(head, end, new, tuple(self._logprobs), old)


def _proposals(question: Question, found: _Rewritten, changed: Changed, line: int) -> list[Proposal]:
    """Its parts, the smallest of whole lines; it is counted from a line. None of what nobody wants."""
    first, end = line + found.first, line + found.end
    whole = LineEdit(question.path, first, tuple(question.lines[first:end]), found.new)
    proposals, at = [], 0
    for piece in pieces(whole):
        line = piece.line - at  # `pieces` counts lines as they will be
        at += len(piece.new) - len(piece.old)
        proposal = Proposal(Layer.MODEL, line, piece.old, piece.new)
        if (opinion := _opinion(question, found, proposal, changed)) is not None:
            proposals.append(replace(proposal, opinion=opinion))
    return proposals


def _opinion(question: Question, found: _Rewritten, proposal: Proposal, changed: Changed) -> Opinion | None:
    """What the model said of a part; None where nobody wants it."""
    old, new = ({word for line in lines for word in identifiers(line)} for lines in (proposal.old, proposal.new))
    gone, came = old - new, new - old
    back, away = came & changed.removed - changed.added, gone & changed.added - changed.removed
    lines = set(range(proposal.line, proposal.line + len(proposal.old)))
    is_edited = any(
        not lines.isdisjoint(range(edit.line, edit.end)) for edit in question.edits if edit.path == question.path
    )
    is_undone = any(proposal.old == edit.new and proposal.new == edit.old for edit in question.edits)
    is_blank = "".join("".join(proposal.old).split()) == "".join("".join(proposal.new).split())
    known = came & changed.added
    if not known or is_blank or is_undone or (back and away) or (is_edited and (back or away)):
        return None
    return Opinion(
        gain=sum(found.logprobs) - found.old_logprob,
        told=len(known) / len(came),
        undone=len(gone & changed.removed) / len(gone) if gone else 0.0,
    )
