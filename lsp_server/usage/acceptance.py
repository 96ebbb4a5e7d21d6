"""What became of a suggestion: accepted, accepted in part, typed, or dismissed; told by the editor or seen in the text.

Called by `lsp_server.usage.recorder`. An editor may report what happens (`shown`, `accepted`, `partially`,
`dismissed`). For those that report nothing, `edited` looks at the text at the suggestion's place after each change: a
piece of it that came in one edit, and is the whole or ends with a word or a line, was accepted; what came otherwise
was typed.

Rules: pure, no clock and no I/O. A suggestion has one fate, told once; an editor's report and what is seen in the text
are the same acceptance. At most one suggestion is open in a document. Lines and columns are code points, from 0.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from completion.code.words import is_word_character

# A suggestion that so many edits in a row passed by is not going to be accepted.
_MAX_MISSED_EDITS = 3


class Fate(StrEnum):
    """What is known of a suggestion; all but SHOWN are final."""

    SHOWN = "shown"
    ACCEPTED = "accepted"
    PARTIAL = "partial"  # a part of it was accepted
    TYPED = "typed"  # the user typed it to its end
    DISMISSED = "dismissed"


class Lines(Protocol):
    """A document as it is now."""

    @property
    def n_lines(self) -> int: ...

    def line(self, number: int) -> str:
        """A line with its end."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A text offered at a place, and what stood there."""

    id: str
    uri: str
    line: int
    column: int  # where `text` goes in
    line_text: str  # the line, with its end, as it is before
    n_lines: int  # of the document
    replaced: int  # characters behind `column` that accepting the whole replaces
    text: str
    n_given: int = 0  # of `text`, the first characters are the editor's own: the item selected in its popup
    lead: str = ""  # what stands before `text` in the item that the editor got
    others: tuple[str, ...] = ()  # the texts of the other items, one of which the user may choose instead


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A suggestion's fate. `text` is what was accepted of it, or what was shown; it begins in the line `line`.

    `word` is the beginning of the word that `text` goes on with: "ret" where "urn" was accepted. `instead`: it is
    another item's text that was accepted.
    """

    id: str
    uri: str
    fate: Fate
    text: str
    line: int
    word: str
    instead: bool = False
    is_refused: bool = False  # the user wrote something else there, or said so


@dataclass(slots=True)
class _Open:
    """A suggestion whose fate is open: `now` is what is left of it."""

    first: Suggestion
    now: Suggestion
    shown: bool
    taken: str = ""  # accepted, as seen in the text
    typed: str = ""
    n_reported: int = 0  # characters of the item that the editor says are accepted
    n_missed: int = 0
    instead: bool = False  # another item was chosen
    is_refused: bool = False
    answered: Suggestion | None = None  # the last answer that this came in, if not the first: it numbers the others

    def others(self) -> list[str]:
        """The whole texts of the other items, in the order in which the editor got them."""
        last = self.answered or self.first
        gone = self.first.text[: len(self.first.text) - len(last.text)]
        return [gone + other for other in last.others]

    def choose(self, other: str) -> Verdict:
        """The user accepted another item, whose whole text is this."""
        self.first, self.instead = replace(self.first, text=other), True
        return self.verdict(Fate.ACCEPTED, self.item[self.n_own :])

    def accepted_text(self) -> str:
        """What was accepted, by the report or by the text, whichever says more."""
        return max(self.taken, self.item[self.n_own : self.n_reported], key=len)

    @property
    def item(self) -> str:
        """The text of the item that the editor got."""
        return self.first.lead + self.first.text

    @property
    def n_own(self) -> int:
        """How many of the item's first characters are not midfill's: there before, or typed."""
        return len(self.first.lead) + max(len(self.typed), self.first.n_given)

    def verdict(self, fate: Fate, text: str) -> Verdict:
        before, begin = self.item[: self.n_own], self.n_own
        while begin > 0 and is_word_character(before[begin - 1]):
            begin -= 1
        return Verdict(
            id=self.first.id,
            uri=self.first.uri,
            fate=fate,
            text=text,
            line=self.first.line,
            word=before[begin:],
            instead=self.instead,
            is_refused=self.is_refused,
        )


class Tracker:
    """The open suggestions of one editor window, by document. Every method returns the verdicts that follow."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        self._reports_shown = False  # the editor says when a suggestion is visible: being answered is not enough then

    def same(self, new: Suggestion) -> str | None:
        """The id of the open suggestion that `new` is the rest of, or None."""
        if (old := self._open.get(new.uri)) is None:
            return None
        now = old.now
        same = (now.line, now.column, now.text) == (new.line, new.column, new.text)
        return old.first.id if same else None

    def answered(self, new: Suggestion) -> list[Verdict]:
        """A suggestion was sent. The document's older one is gone, unless this is the rest of it (`same`)."""
        if self.same(new) is not None:
            found = self._open[new.uri]
            found.now = found.answered = replace(new, id=found.first.id)
            return []
        verdicts = self.closed(new.uri)
        opened = self._open[new.uri] = _Open(first=new, now=new, shown=not self._reports_shown)
        return [*verdicts, opened.verdict(Fate.SHOWN, new.text)] if opened.shown else verdicts

    def shown(self, suggestion_id: str) -> list[Verdict]:
        """The editor says that it shows a suggestion."""
        self._reports_shown = True
        found = self._find(suggestion_id)
        return _show(found) if found else []

    def accepted(self, suggestion_id: str, number: int = 0) -> list[Verdict]:
        """The editor says that the user accepted what was left of a suggestion, or of the `number`-th of the others."""
        if (found := self._find(suggestion_id)) is None:
            return []
        del self._open[found.first.uri]
        shown, others = _show(found), found.others()
        if 0 < number <= len(others):
            return [*shown, found.choose(others[number - 1])]
        return [*shown, found.verdict(Fate.ACCEPTED, found.item[found.n_own :])]

    def partially(self, suggestion_id: str, n_characters: int) -> list[Verdict]:
        """The editor says that so many of the item's first characters are in the text now."""
        if (found := self._find(suggestion_id)) is None:
            return []
        found.n_reported = max(found.n_reported, n_characters)
        return _show(found)

    def item_text(self, suggestion_id: str) -> str:
        """The text of the item that the editor got; "" when the suggestion is not open any more."""
        found = self._find(suggestion_id)
        return found.item if found else ""

    def dismissed(self, suggestion_id: str) -> list[Verdict]:
        """The editor says that the user did not want a suggestion."""
        if (found := self._find(suggestion_id)) is None:
            return []
        found.is_refused = True
        return self.closed(found.first.uri)

    def closed(self, uri: str) -> list[Verdict]:
        """Nothing more happens to the document's suggestion."""
        found = self._open.pop(uri, None)
        if found is None or not found.shown:
            return []
        if accepted := found.accepted_text():
            return [found.verdict(Fate.PARTIAL if found.now.text else Fate.ACCEPTED, accepted)]
        return [found.verdict(Fate.DISMISSED if found.now.text else Fate.TYPED, "")]

    def refused(self, uri: str) -> str | None:
        """The id of the document's open suggestion, if something else was written in its place; else None."""
        found = self._open.get(uri)
        return found.first.id if found is not None and found.is_refused else None

    def uris(self) -> list[str]:
        """The documents with an open suggestion."""
        return list(self._open)

    def edited(self, uri: str, document: Lines) -> list[Verdict]:
        """The document was changed by one edit: see what came of its suggestion."""
        if (found := self._open.get(uri)) is None:
            return []
        if not found.now.text:  # typed to its end, and the editor has not called that an acceptance
            return self.closed(uri)
        came = _inserted(found.now, document)
        if came is None and (other := _other_inserted(found, document)):
            del self._open[uri]
            return [*_show(found), found.choose(other)]
        if came is None and _is_back(found.first, document):
            self._open[uri] = _Open(first=found.first, now=found.first, shown=found.shown)
            return []
        if came is None:
            found.n_missed += 1
            if document.line(found.now.line) == found.now.line_text:  # the edit was further down
                found.now = replace(found.now, n_lines=document.n_lines)
            else:
                found.is_refused = True
            return self.closed(uri) if found.n_missed >= _MAX_MISSED_EDITS else []
        n_characters, n_replaced = came
        if n_characters == 0:
            return []
        piece, found.n_missed = found.now.text[:n_characters], 0
        there = found.now.line_text[found.now.column : found.now.column + n_replaced]
        if _is_accepted(piece[found.now.n_given :].removesuffix(there), found.now.text[n_characters:]):
            found.taken += piece[found.now.n_given :]
        else:
            found.typed += piece
        found.now = _advanced(found.now, n_characters, n_replaced, document)
        shown = _show(found) if found.taken else []
        return [*shown, *self.closed(uri)] if found.taken and not found.now.text else shown

    def _find(self, suggestion_id: str) -> _Open | None:
        return next((entry for entry in self._open.values() if entry.first.id == suggestion_id), None)


def _show(entry: _Open) -> list[Verdict]:
    if entry.shown:
        return []
    entry.shown = True
    return [entry.verdict(Fate.SHOWN, entry.first.text)]


def _inserted(now: Suggestion, document: Lines) -> tuple[int, int] | None:
    """How many characters of a suggestion the text holds more than before, and how many those replaced.

    The text before and after the place must be as it was; None when it is not. However the editor cut its
    edit (the whole line anew, or the difference only) does not matter: the resulting texts are compared.
    """
    n_new_lines = document.n_lines - now.n_lines
    if not 0 <= n_new_lines <= now.text.count("\n"):
        return None
    text = "".join(document.line(number) for number in range(now.line, now.line + n_new_lines + 1))
    for n_replaced in sorted({0, now.replaced}, reverse=True):  # first: whether it is the whole
        n_characters = len(text) - len(now.line_text) + n_replaced
        before, after = now.line_text[: now.column], now.line_text[now.column + n_replaced :]
        if 0 <= n_characters <= len(now.text) and text == before + now.text[:n_characters] + after:
            return n_characters, n_replaced
    return None


def _other_inserted(entry: _Open, document: Lines) -> str:
    """The whole text of the other item of which all that was left came in with one edit; "" when none did."""
    n_gone = len(entry.first.text) - len(entry.now.text)
    for other in entry.others():
        rest = other[n_gone:]
        came = _inserted(replace(entry.now, text=rest), document)
        if other.startswith(entry.first.text[:n_gone]) and came and came[0] == len(rest) and _is_accepted(rest, ""):
            return other
    return ""


def _is_back(first: Suggestion, document: Lines) -> bool:
    """Whether what was typed of a suggestion was taken back, all of it."""
    return document.n_lines == first.n_lines and document.line(first.line) == first.line_text


def _is_accepted(piece: str, rest: str) -> bool:
    """Whether a piece that came in one edit was accepted, not typed: it has a word, and ends where one ends.

    One character is typing; so is a line end with the indentation that the editor adds, or a bracket with its partner.
    """
    if len(piece) < 2 or not any(character.isalnum() for character in piece):
        return False
    return not rest or not (is_word_character(piece[-1]) and is_word_character(rest[0]))


def _advanced(now: Suggestion, n_characters: int, n_replaced: int, document: Lines) -> Suggestion:
    """What is left of a suggestion after its first characters came into the text."""
    piece = now.text[:n_characters]
    line = now.line + piece.count("\n")
    column = len(piece) - piece.rfind("\n") - 1 + (0 if "\n" in piece else now.column)
    return replace(
        now,
        line=line,
        column=column,
        line_text=document.line(line),
        n_lines=document.n_lines,
        replaced=now.replaced - n_replaced,
        text=now.text[n_characters:],
        n_given=max(0, now.n_given - n_characters),
    )
