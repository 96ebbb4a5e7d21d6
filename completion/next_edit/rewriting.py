"""How a model is asked to rewrite a region: the prompts, one format a kind of model. Called by `layer_two`.

    SWEEP   as Sweep's open next-edit models were trained: the file, the recent edits, the region three times
    PAIRS   the recent edits as pairs of texts before and after, and the region as one more: short, so quick
    FIM     the file as it was and as it is, the region being what is to be filled in
    CHAT    a request to somebody who was taught to follow them

Rules: pure. A prompt ends where the region's first line begins. Texts of files cannot smuggle in sentinels: those are
ids, and a tokenizer takes what reads like one as plain text.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from completion.next_edit.edits import NOWHERE, LineEdit
from completion.next_edit.places import Region
from completion.prompt.segments import SegmentCache
from completion.types import Format, Prompt, PromptSpec, RewriteForm

# Lines of the file that are shown around a region; edits of more lines than this are cut; edits that are shown.
_LINES_ABOVE, _LINES_BELOW = 6, 3
_MAX_EDIT_LINES, _MAX_EDITS = 10, 3
# Lines above a region that are copied before it in PAIRS.
_LINES_COPIED = 2
# Of the window that Sweep's models rewrite, above and below the cursor's line.
_SWEEP_LINES = 24
_CURSOR = "<|cursor|>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: a region of a file as it is after some edits, the last one last."""

    path: str
    language: str
    lines: Sequence[str]
    edits: Sequence[LineEdit]
    region: Region
    line: int  # the cursor's
    column: int = 0  # in bytes

    @property
    def old(self) -> tuple[str, ...]:
        """The region's lines."""
        return tuple(self.lines[self.region.first : self.region.end])


def form_of(spec: PromptSpec) -> RewriteForm | None:
    """The format that a model is asked in; None where it has no words for files."""
    return None if spec.file_sep is None else spec.rewrite_form


def prompt_for(question: Question, spec: PromptSpec, segments: SegmentCache, form: RewriteForm) -> Prompt:
    """The prompt whose continuation is the region as it should be."""
    ids = array("I", [] if spec.bos is None else [spec.bos])
    ids.extend(_FORMS[form](question, spec, segments))
    return Prompt(
        token_ids=ids,
        heal=b"",
        stop_token_ids=spec.stop_token_ids,
        max_tokens=1,
        format=Format.CHAT if form is RewriteForm.CHAT else Format.FIM if form is RewriteForm.FIM else Format.LEFT,
    )


def sweep_text(question: Question, file_sep: str) -> str:
    """The prompt of Sweep's models as they were trained on it, `file_sep` being their sentinel's text.

    The answer is begun: with the lines above the cursor's, which stay as they are.
    """
    path, lines = question.path, list(question.lines)
    row, column = _cursor(lines, question.line, question.column)
    first, end = max(0, question.line - _SWEEP_LINES), min(len(lines), question.line + _SWEEP_LINES + 1)
    window = lines[first:end]
    at = row - first
    marked = window[at].encode()
    shown = f"{marked[:column].decode('utf-8', 'ignore')}{_CURSOR}{marked[column:].decode('utf-8', 'ignore')}"
    place = f"{path}:{first + 1}:{end}"
    files = [
        _document(path, lines),
        *_pairs_of(path, question.edits),
        _document(f"original/{place}", window),
        _document(f"current/{place}", [*window[:at], shown, *window[at + 1 :]]),
        _document(f"updated/{place}", window[:at]),
    ]
    return "".join(f"{file_sep}{file}" for file in files)


def _sweep(question: Question, spec: PromptSpec, segments: SegmentCache) -> list[int]:
    """The region takes the place of the window around the cursor."""
    place = f"{question.path}:{question.region.first + 1}:{question.region.end}"
    files = [
        _document(question.path, _window(question)),
        *_pairs_of(question.path, _shown(question.edits)),
        _document(f"original/{place}", question.old),
        _document(f"current/{place}", question.old),
        _document(f"updated/{place}", ()),
    ]
    return _ids(files, spec, segments)


def _pairs(question: Question, spec: PromptSpec, segments: SegmentCache) -> list[int]:
    # Who begins in the middle of a text does not know where in it he is; who has copied some lines does.
    above = tuple(question.lines[max(0, question.region.first - _LINES_COPIED) : question.region.first])
    region = LineEdit(question.path, question.region.first, (*above, *question.old), above)
    return _ids(_pairs_of(question.path, [*_shown(question.edits), region]), spec, segments)


def _fim(question: Question, spec: PromptSpec, segments: SegmentCache) -> list[int]:
    prefix, suffix, middle = spec.fim_marks
    region, lines = question.region, question.lines
    above = lines[max(0, region.first - _LINES_ABOVE) : region.first]
    below = lines[region.end : region.end + _LINES_BELOW]
    files = [
        *_pairs_of(question.path, _shown(question.edits)),
        _document(question.path, _before(question)),
        _document(question.path, ()),
    ]
    return [
        *_ids(files, spec, segments),
        *prefix, *segments.encode(text_of(above)),
        *suffix, *segments.encode(text_of(below)),
        *middle,
    ]  # fmt: skip


def _chat(question: Question, spec: PromptSpec, segments: SegmentCache) -> list[int]:
    start, end = ([mark for mark in (each,) if mark is not None] for each in (spec.turn_start, spec.turn_end))
    fence = f"```{question.language}\n"
    edits = "".join(
        f"Before:\n{fence}{text_of(edit.old)}```\nAfter:\n{fence}{text_of(edit.new)}```\n"
        for edit in _shown(question.edits)
    )
    asked = (
        f"I am changing {question.path}. I have just made these edits:\n{edits}"
        f"This is the code around the next lines:\n{fence}{text_of(_window(question))}```\n"
        "Rewrite the following lines of it so that they fit my edits. Change nothing else; "
        f"if they fit already, repeat them as they are.\n{fence}{text_of(question.old)}```"
    )
    return [
        *start, *segments.encode(f"system\n{spec.chat_system}"), *end, *segments.encode("\n"),
        *start, *segments.encode(f"user\n{asked}"), *end, *segments.encode("\n"),
        *start, *segments.encode(f"assistant\n{fence}"),
    ]  # fmt: skip


_FORMS: dict[RewriteForm, Callable[[Question, PromptSpec, SegmentCache], list[int]]] = {
    RewriteForm.SWEEP: _sweep,
    RewriteForm.PAIRS: _pairs,
    RewriteForm.FIM: _fim,
    RewriteForm.CHAT: _chat,
}


def _ids(files: Sequence[str], spec: PromptSpec, segments: SegmentCache) -> list[int]:
    """Token ids of files, each behind the sentinel for one."""
    mark = [] if spec.file_sep is None else [spec.file_sep]
    return [token for file in files for token in (*mark, *segments.encode(file))]


def _document(path: str, lines: Sequence[str]) -> str:
    return f"{path}\n{text_of(lines)}"


def _pairs_of(path: str, edits: Sequence[LineEdit]) -> list[str]:
    """Texts before and after, each pair a file of its own."""
    return [f"{path}.diff\noriginal:\n{text_of(edit.old)}updated:\n{text_of(edit.new)}" for edit in edits]


def text_of(lines: Sequence[str]) -> str:
    """Lines as a text, each with its end."""
    return "".join(f"{line}\n" for line in lines)


def _window(question: Question) -> Sequence[str]:
    """The lines of the file around the region."""
    region = question.region
    return question.lines[max(0, region.first - _LINES_ABOVE) : region.end + _LINES_BELOW]


def _before(question: Question) -> list[str]:
    """The lines around the region as they were before the edits that stand among them."""
    first = max(0, question.region.first - _LINES_ABOVE)
    end = question.region.end + _LINES_BELOW
    lines = list(question.lines)
    shift = 0
    for edit in sorted((each for each in question.edits if each.line != NOWHERE), key=lambda each: -each.line):
        if tuple(lines[edit.line : edit.end]) == edit.new and edit.line < end and edit.end > first:
            lines[edit.line : edit.end] = edit.old
            shift += len(edit.old) - len(edit.new)
    return lines[first : max(first, end + shift)]


def _shown(edits: Sequence[LineEdit]) -> list[LineEdit]:
    """The last edits that are short enough to be shown as they are."""
    short = [edit for edit in edits if max(len(edit.old), len(edit.new)) <= _MAX_EDIT_LINES]
    return short[-_MAX_EDITS:]


def _cursor(lines: Sequence[str], row: int, column: int) -> tuple[int, int]:
    """Where a column that lies behind its line's end is: so many bytes on."""
    while row < len(lines) - 1 and column > (n_bytes := len(lines[row].encode())):
        row, column = row + 1, column - n_bytes - 1
    return row, column
