"""A file as the rules see it: its tree and its lines now, and of each edit what was there before and what is there now.

Rules: pure; runs where the tree is. Only edits that stand in this file have a before and an after.
"""

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from tree_sitter import Node

from completion.next_edit.edits import NOWHERE, LineEdit, Proposal, applied
from completion.next_edit.names import is_name, leaves, text_of
from parsers.languages import Language, by_id
from parsers.outline import Import, imports_of
from parsers.parse import SyntaxTree, parse_here, to_bytes
from parsers.scope import error_count

# Longer regions are not taken apart leaf by leaf.
_MAX_LEAVES = 2_000


@dataclass(slots=True)
class Replaced:
    """A name that an edit put in place of another."""

    old: bytes
    new: bytes
    node: Node  # of the new one
    was: Node  # of the old one
    is_alone: bool = False  # the edit did nothing else


@dataclass
class Scene:
    """One file, and the edits of late: those here, latest first, and those of other files."""

    tree: SyntaxTree
    edits: tuple[LineEdit, ...]
    lines: list[str] = field(init=False)

    def __post_init__(self) -> None:
        text = self.tree.source.decode("utf-8", "replace")
        self.lines = text.split("\n")
        if "\r" in text:
            self.lines = [line.removesuffix("\r") for line in self.lines]
        self._before: dict[LineEdit, SyntaxTree] = {}
        self._lines_with: dict[str, list[int]] = {}

    @property
    def root(self) -> Node:
        """The tree's root; there is one."""
        assert self.tree.root is not None
        return self.tree.root

    @property
    def source(self) -> bytes:
        """The text."""
        return self.tree.source

    @property
    def language(self) -> Language:
        """The row of the file's language."""
        return by_id(self.tree.language)

    @cached_property
    def here(self) -> list[LineEdit]:
        """The edits whose lines stand in this file as they were left, the latest first."""
        return [edit for edit in reversed(self.edits) if self._stands(edit)]

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """What the file imports."""
        return imports_of(self.tree)

    def lines_with(self, text: str) -> list[int]:
        """The numbers of the lines in which a text stands."""
        if text not in self._lines_with:
            self._lines_with[text] = [number for number, line in enumerate(self.lines) if text in line]
        return self._lines_with[text]

    def _stands(self, edit: LineEdit) -> bool:
        return edit.line != NOWHERE and tuple(self.lines[edit.line : edit.end]) == edit.new

    def before(self, edit: LineEdit) -> SyntaxTree:
        """The tree of the file as it would be without an edit."""
        if edit not in self._before:
            lines = [*self.lines[: edit.line], *edit.old, *self.lines[edit.end :]]
            self._before[edit] = parse_here(self.tree.language, to_bytes("\n".join(lines)), self.tree)
        return self._before[edit]

    def leaves_before(self, edit: LineEdit) -> list[Node]:
        """The leaves of the lines that an edit replaced."""
        root = self.before(edit).root
        return _leaves(root, edit.line, edit.line + len(edit.old) - 1) if root is not None and edit.old else []

    def leaves_now(self, edit: LineEdit) -> list[Node]:
        """The leaves of the lines that it left."""
        return _leaves(self.root, edit.line, edit.end - 1) if edit.new else []

    def is_edited(self, line: int) -> bool:
        """Whether a line is one that was just edited."""
        return any(edit.line <= line < edit.end for edit in self.here)

    def replaced(self, edit: LineEdit) -> list[Replaced]:
        """The names that an edit put in place of others, one for one."""
        old, new = self.leaves_before(edit), self.leaves_now(edit)
        source = self.before(edit).source
        words, others = [text_of(node, source) for node in old], [text_of(node, self.source) for node in new]
        found: list[Replaced] = []
        n_other = 0
        for tag, a, b, c, d in difflib.SequenceMatcher(None, words, others, autojunk=False).get_opcodes():
            if tag != "equal" and b - a != d - c:
                n_other += 1
            elif tag == "replace":
                for n in range(b - a):
                    if words[a + n] != others[c + n]:
                        n_other += not (is_name(old[a + n]) and is_name(new[c + n]))
                    if is_name(old[a + n]) and is_name(new[c + n]) and words[a + n] != others[c + n]:
                        found.append(Replaced(words[a + n], others[c + n], new[c + n], old[a + n]))
        is_alone = n_other == 0 and len({each.old for each in found}) == 1
        return [replace(each, is_alone=is_alone) for each in found]

    def names(self, edit: LineEdit) -> tuple[Counter[bytes], Counter[bytes]]:
        """The names in the lines that an edit replaced, and in those it left."""
        source = self.before(edit).source
        old = Counter(text_of(node, source) for node in self.leaves_before(edit) if is_name(node))
        return old, Counter(text_of(node, self.source) for node in self.leaves_now(edit) if is_name(node))

    def row(self, at: int) -> int:
        """The line of a byte."""
        return self.source.count(b"\n", 0, at)

    def with_changes(self, changes: Iterable[tuple[int, int, bytes]]) -> dict[int, str]:
        """The lines that byte ranges (first, end, what comes in its place) lie in, changed, by their numbers.

        A line from which a range goes on into the next is left out.
        """
        by_row: dict[int, list[tuple[int, int, bytes]]] = {}
        for change in changes:
            by_row.setdefault(self.row(change[0]), []).append(change)
        found: dict[int, str] = {}
        for number, those in by_row.items():
            begin = self.source.rfind(b"\n", 0, those[0][0]) + 1
            text = self.lines[number].encode("utf-8", "replace")
            if any(end - begin > len(text) for _, end, _ in those):
                continue
            for start, end, new in sorted(those, reverse=True):
                text = text[: start - begin] + new + text[end - begin :]
            found[number] = text.decode("utf-8", "replace")
        return found

    def parses(self, *proposals: Proposal) -> bool:
        """Whether the file parses no worse with proposals, which do not overlap."""
        lines = self.lines
        for proposal in sorted(proposals, key=lambda each: -each.line):
            lines = applied(lines, proposal)
        text = to_bytes("\n".join(lines))
        return error_count(parse_here(self.tree.language, text, self.tree)) <= self._n_errors

    @cached_property
    def _n_errors(self) -> int:
        return error_count(self.tree)


def _leaves(root: Node, first: int, last: int) -> list[Node]:
    found: list[Node] = []
    for node in leaves(root, first, last):
        if len(found) > _MAX_LEAVES:
            return []
        found.append(node)
    return found


def by_lines(spots: dict[int, str]) -> Iterator[tuple[int, list[str]]]:
    """Changed lines by their numbers, neighbours together: (first line, what the lines become)."""
    numbers = sorted(spots)
    while numbers:
        n = next((n for n in range(1, len(numbers)) if numbers[n] != numbers[0] + n), len(numbers))
        yield numbers[0], [spots[number] for number in numbers[:n]]
        numbers = numbers[n:]
