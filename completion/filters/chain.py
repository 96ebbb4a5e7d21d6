"""What is done to a raw generation before it is shown: a table of small pure functions, in order.

Each takes the candidate and its request and gives a candidate back, perhaps an empty one; the pipeline
records which of them changed something (`midfill why` shows it). They live by idea in `loops`, `junk`,
`indentation`, `overlap`, `defined_already` and `parse_check`.

Rules: pure; what they must not do says `candidate`. They parse: called off the event loop.
"""

from dataclasses import dataclass, replace

from completion.candidate import Candidate, Filter
from completion.code.newline import line_end_at
from completion.filters.characters import odd_characters
from completion.filters.defined_already import defined_already
from completion.filters.indentation import first_indentation, later_indentation, misplaced_closer
from completion.filters.junk import chat, comment_run, license_header, placeholders
from completion.filters.loops import phrases, repetition
from completion.filters.overlap import next_lines, nothing_new, suffix_overlap
from completion.filters.parse_check import parse_check
from completion.filters.surplus import end_of_file, long_numbers, single_key, surplus_closers
from completion.switches import Switch
from completion.types import CompletionRequest, DocumentSnapshot, FilterStep, Mode, Trigger
from parsers.parse import SyntaxTree, question


def trailing_blanks(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Drop blanks and empty lines at the end."""
    return replace(candidate, text=candidate.text.rstrip())


def line_ends(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Use the line ends of the lines around."""
    plain = candidate.text.replace("\r\n", "\n").replace("\r", "\n")
    if "\n" in plain and line_end_at(request.snapshot.text, request.cursor) == "\r\n":
        plain = plain.replace("\n", "\r\n")
    return replace(candidate, text=plain)


@dataclass(frozen=True, slots=True)
class Row:
    """A filter, and the switch that turns it off."""

    apply: Filter
    switch: Switch | None = None  # by which it can be off

    @property
    def name(self) -> str:
        """What a trace calls it."""
        return self.apply.__name__


# What is junk goes first, so that the others see code; the check of the result is late, and what is left of it last.
FILTERS: tuple[Row, ...] = (
    Row(odd_characters, Switch.CHARACTERS),
    Row(chat, Switch.JUNK),
    Row(license_header, Switch.JUNK),
    Row(repetition, Switch.LOOPS),
    Row(phrases, Switch.LOOPS),
    Row(placeholders, Switch.JUNK),
    Row(comment_run, Switch.JUNK),
    Row(long_numbers, Switch.SURPLUS),
    Row(end_of_file, Switch.SURPLUS),
    Row(surplus_closers, Switch.SURPLUS),
    Row(trailing_blanks),
    Row(first_indentation, Switch.INDENTATION),
    Row(later_indentation, Switch.INDENTATION),
    Row(misplaced_closer, Switch.INDENTATION),
    Row(next_lines, Switch.OVERLAP),
    Row(defined_already, Switch.OVERLAP),
    Row(suffix_overlap, Switch.OVERLAP),
    Row(line_ends),
    Row(parse_check, Switch.PARSE_CHECK),
    Row(nothing_new, Switch.OVERLAP),
    Row(single_key, Switch.SURPLUS),
)


def apply_filters(text: str, request: CompletionRequest) -> tuple[Candidate, tuple[FilterStep, ...]]:
    """The candidate after all filters, and those that changed it, in order."""
    snapshot = request.snapshot
    return _filtered(snapshot.tree, text, request.cursor, request.mode, request.trigger, snapshot.path, request.without)


@question
def _filtered(
    tree: SyntaxTree,
    text: str,
    cursor: int,
    mode: Mode | None,
    trigger: Trigger,
    path: str,
    without: frozenset[Switch],
) -> tuple[Candidate, tuple[FilterStep, ...]]:
    """The same where the tree is: all filters together are one question, for each of them asks the tree a dozen."""
    document = tree.source.decode("utf-8")
    snapshot = DocumentSnapshot(uri="", path=path, repo="", version=0, text=document, language=tree.language, tree=tree)
    request = CompletionRequest(
        snapshot=snapshot, cursor=cursor, mode=mode, trigger=trigger, session="", without=without
    )
    candidate, steps = Candidate(text), []
    for row in FILTERS:
        if row.switch in without:
            continue
        result = row.apply(candidate, request)
        if result != candidate:
            steps.append(FilterStep(name=row.name, before=candidate.text, after=result.text))
        candidate = result
    return candidate, tuple(steps)
