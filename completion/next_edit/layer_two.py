"""Layer two of next edits: what the model would write at the likely places (`places`). Asked where layer one is silent.

For each region the old text is scored first, in one forward: a prompt that shows it makes its tokens near certain,
but where the recent edits say otherwise. Only there, at the first token that is doubtful, something is generated, until
it reads like the old text again. So a region in which nothing follows costs its prompt, and nothing is decoded.

    old    user = fetch(client, id)        p(` fetch`) = .08     <- doubtful
    new    user = await fetch(client, id)                        <- from there on, until the next line is an old one

What it would write is asked once more without the edits. Only what is likelier with them follows from them; the rest is
what the model would always write otherwise.

Rules: the only effect is the engine's; every generation is closed on every path. What changes nothing is no proposal,
nor is what takes back a recent edit, or brings in no line that is new. Whether a proposal is wanted says the judge,
whether it parses whoever has a tree.
"""

import asyncio
import codecs
import math
from array import array
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from completion.code.words import identifiers
from completion.next_edit.edits import Layer, LineEdit, Proposal, is_of_blanks, trimmed
from completion.next_edit.places import Region, regions
from completion.next_edit.rewriting import Question, prompt_for, text_of
from completion.prompt.segments import SegmentCache
from completion.types import Engine, Priority, Prompt, PromptSpec, RewriteForm, Tokenizer

# A line is doubtful if one of its tokens is less probable than this; so many doubtful lines of a region are looked at,
# and at each as many answers.
_DOUBTFUL, _MAX_TRIES, _N_ANSWERS = 0.8, 4, 2
# What is new has at most so many tokens, and is given up below this log-probability: too much of it is a guess.
_MAX_TOKENS, _LEAST_JOINT = 48, -2.5
# By how much the edits make a change likelier, at least: log-odds.
_LEAST_FROM_EDITS = 1.0
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

    @property
    def gain(self) -> float:
        """By how much more probable it is than the old text: log-odds."""
        return sum(self.logprobs) - self.old_logprob


@dataclass(frozen=True, slots=True)
class _Prompts:
    """What is asked about a region, and the same as if nothing had been edited."""

    asked: Prompt
    bare: Prompt

    @classmethod
    def of(cls, rewriter: Rewriter, question: Question) -> "_Prompts":
        asked, bare = (
            prompt_for(each, rewriter.spec, rewriter.segments, rewriter.form)
            for each in (question, replace(question, edits=()))
        )
        return cls(asked, bare)

    def after(self, tokenizer: Tokenizer, lines: Sequence[str]) -> "_Prompts":
        """With some lines written."""
        ids = tokenizer.encode(text_of(lines))
        return _Prompts(after(self.asked, ids), after(self.bare, ids))


async def rewrites(rewriter: Rewriter, scene: Scene) -> AsyncIterator[Proposal]:
    """What the model would change, region by region."""
    if not scene.edits:
        return
    # In threads, since a large file takes its time.
    for region in await asyncio.to_thread(regions, scene.lines, scene.edits, scene.line):
        for proposal in await _asked(rewriter, scene.question(region)):
            yield proposal


async def _asked(rewriter: Rewriter, question: Question) -> list[Proposal]:
    """What the model would change in a region: a change, then what follows behind it given that, and so on."""
    prompts = await asyncio.to_thread(_Prompts.of, rewriter, question)
    proposals: list[Proposal] = []
    at = tries = 0  # lines of the region that are settled
    while at < len(question.old) and tries < _MAX_TRIES:
        found, n_tried = await _next_change(rewriter, prompts, question.old[at:], _MAX_TRIES - tries)
        tries += n_tried
        if found is None:
            break
        if (proposal := _proposal(question, found, question.region.first + at)) is not None:
            proposals.append(proposal)
        prompts = prompts.after(rewriter.tokenizer, (*question.old[at : at + found.first], *found.new))
        at += found.end
    return proposals


async def _next_change(
    rewriter: Rewriter, prompts: "_Prompts", old: tuple[str, ...], most: int
) -> tuple["_Rewritten | None", int]:
    """The first change of lines that may follow from the edits, and at how many places one was looked for."""
    text = text_of(old)
    target = rewriter.tokenizer.encode(text)
    logprobs = await scored(rewriter, prompts.asked, target)
    lengths = [len(rewriter.tokenizer.token_bytes(token_id)) for token_id in target]
    begins = list(accumulate(lengths, initial=0))
    tries = 0
    for n in _doubtful(text.encode(), begins, logprobs):
        if tries == most:
            break
        tries += 1
        opening = text.encode()[: begins[n]].decode("utf-8", "ignore")
        written = [_Writing(old, opening) for _ in range(_N_ANSWERS)]
        await _write(rewriter, after(prompts.asked, target[:n]), written)
        found = [each for writing in written if (each := writing.result(begins, logprobs)) is not None]
        best = max((each for each in found if _brings(old, each)), key=lambda each: each.gain, default=None)
        if best is not None and await _by_edits(rewriter, prompts.bare, old, best) >= _LEAST_FROM_EDITS:
            return best, tries
    return None, tries


async def _by_edits(rewriter: Rewriter, bare: Prompt, old: Sequence[str], found: "_Rewritten") -> float:
    """By how much the edits make a change likelier: its gain, less what it gains over the old text without them."""
    begun = after(bare, rewriter.tokenizer.encode(text_of(old[: found.first])))
    meets = old[found.end : found.end + 1]
    alone = replace(rewriter, session=f"{rewriter.session}#bare")  # what the other has read stays
    new, same = [
        sum(await scored(alone, begun, rewriter.tokenizer.encode(text_of((*lines, *meets)))))
        for lines in (found.new, old[found.first : found.end])
    ]
    return found.gain - (new - same)


def _brings(old: Sequence[str], found: "_Rewritten") -> bool:
    """Whether a change brings in a line that was not there. Else the model has only lost its place in the text."""
    known = {line.strip() for line in old}
    return any(line.strip() and line.strip() not in known for line in found.new)


def _doubtful(text: bytes, begins: Sequence[int], logprobs: Sequence[float]) -> Iterator[int]:
    """The first doubtful token of each line that has one."""
    line = -1
    for n, value in enumerate(logprobs):
        number = text.count(b"\n", 0, begins[n])
        if value < math.log(_DOUBTFUL) and number != line:
            line = number
            yield n


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


async def _write(rewriter: Rewriter, prompt: Prompt, written: Sequence["_Writing"]) -> None:
    """Have the model go on in several ways until what each says is settled."""
    stream = rewriter.engine.generate(
        replace(prompt, max_tokens=_MAX_TOKENS, n_candidates=len(written)),
        session=rewriter.session,
        priority=rewriter.priority,
    )
    try:
        async for delta in stream:
            writing = written[delta.candidate]
            for token_id, logprob in zip(delta.token_ids, delta.logprobs, strict=True):
                writing.read(rewriter.tokenizer.token_bytes(token_id), logprob)
            if all(each.is_settled for each in written):
                return
    finally:
        await _close(stream)
    for writing in written:
        writing.end(is_complete=0 < writing.n_read < _MAX_TOKENS)


def after(prompt: Prompt, ids: Sequence[int]) -> Prompt:
    return replace(prompt, token_ids=prompt.token_ids + array("I", ids))


async def _close(stream: object) -> None:
    if (close := getattr(stream, "aclose", None)) is not None:
        await close()


class _Writing:
    """A region as the model writes it anew, from a place in the old text on."""

    def __init__(self, old: tuple[str, ...], opening: str) -> None:
        self.is_settled = False
        self.n_read = 0  # tokens
        self._old, self._text, self._opening = old, opening, opening
        self._logprobs: list[float] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._found: tuple[int, int, int] | None = None  # lines that stay, old line it meets, new lines before that

    def read(self, says: bytes, logprob: float) -> None:
        """Take a token; none once it is settled."""
        if self.is_settled:
            return
        self.n_read += 1
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
            end = len(self._old)
            while end > head and written[-1].strip() and not self._old[end - 1].strip():
                end -= 1  # nor does it take the blank lines at the end away
            self._found = head, end, len(written)

    def _n_head(self, written: Sequence[str]) -> int:
        pairs = zip(written, self._old, strict=False)
        return next((n for n, (one, other) in enumerate(pairs) if one != other), min(len(written), len(self._old)))

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


def _proposal(question: Question, found: _Rewritten, line: int) -> Proposal | None:
    """A change as a proposal; it is counted from a line. None where it is of blanks, or takes back an edit."""
    first, end = line + found.first, line + found.end
    change = trimmed(LineEdit(question.path, first, tuple(question.lines[first:end]), found.new))
    if change is None or is_of_blanks(change.old, change.new):
        return None
    if any(change.old == edit.new and change.new == edit.old for edit in question.edits):
        return None
    return Proposal(Layer.MODEL, change.line, change.old, change.new, gain=found.gain)
