"""What became of a suggestion, told by an editor or seen in the text."""

from dataclasses import replace

import pytest
from lsprotocol import types as t

from lsp_server.documents.store import Document
from lsp_server.usage.acceptance import Fate, Suggestion, Tracker, Verdict

URI = "file:///a.py"
UTF16 = t.PositionEncodingKind.Utf16
CURSOR = "▮"


class Window:
    """A document with a cursor, a tracker, and all its verdicts."""

    def __init__(self, marked: str) -> None:
        self.cursor = marked.index(CURSOR)
        self.document = Document(URI, "python", 1, marked.replace(CURSOR, ""))
        self.tracker = Tracker()
        self.verdicts: list[Verdict] = []

    def suggest(self, text: str, *, replaced: int = 0, n_given: int = 0, id: str = "1") -> None:
        before = self.document.text[: self.cursor]
        line = before.count("\n")
        column = len(before) - before.rfind("\n") - 1
        suggestion = Suggestion(
            id=id,
            uri=URI,
            line=line,
            column=column,
            line_text=self.document.line(line),
            n_lines=self.document.n_lines,
            replaced=replaced,
            text=text,
            n_given=n_given,
            lead=self.document.line(line)[:column],
        )
        self.verdicts += self.tracker.answered(suggestion)

    def becomes(self, marked: str) -> None:
        """One edit, whatever its ranges are: the document is this now."""
        self.cursor = marked.index(CURSOR)
        whole = t.TextDocumentContentChangeWholeDocument(text=marked.replace(CURSOR, ""))
        self.document.apply(whole, UTF16)
        self.verdicts += self.tracker.edited(URI, self.document)

    def fates(self) -> list[tuple[str, str]]:
        return [(str(verdict.fate), verdict.text) for verdict in self.verdicts if verdict.fate is not Fate.SHOWN]


@pytest.mark.parametrize(
    ("before", "suggestion", "after", "fates"),
    [
        ("ret▮\n", "urn x + 1", "return x + 1▮\n", [("accepted", "urn x + 1")]),
        ("def f():\n▮\nz\n", "    a\n    b", "def f():\n    a\n    b▮\nz\n", [("accepted", "    a\n    b")]),
        ("ret▮", "urn 'é😀'", "return 'é😀'▮", [("accepted", "urn 'é😀'")]),
        ("a\r\nret▮\r\n", "urn\r\n  x", "a\r\nreturn\r\n  x▮\r\n", [("accepted", "urn\r\n  x")]),
        ("ret▮\n", "urn x + 1", "retu▮\n", []),  # typed
        ("ret▮\n", "urn x + 1", "return▮\n", []),  # a word, but the rest is still open
        ("ret▮\n", "urn x + 1", "retur▮\n", []),  # two keys in one message
        ("f▮\n", "()", "f()▮\n", []),  # the editor closed the bracket
        ("ret▮\n", "urn x + 1", "return y▮\n", []),  # something else
        ("ret▮\n", "urn x + 1", "return x + 1▮ # and more\n", []),
    ],
)
def test_the_whole_text_in_one_edit_is_an_acceptance(
    before: str, suggestion: str, after: str, fates: list[tuple[str, str]]
) -> None:
    window = Window(before)
    window.suggest(suggestion)
    window.becomes(after)
    assert window.fates() == fates
    assert window.verdicts[0].fate is Fate.SHOWN


def test_closers_that_the_suggestion_brings_itself_are_replaced_by_it() -> None:
    window = Window("def f(▮):\n")
    window.suggest("self):", replaced=2)
    window.becomes("def f(self):▮\n")
    assert window.fates() == [("accepted", "self):")]


def test_typing_up_to_the_closers_that_are_there_is_not_an_acceptance() -> None:
    window = Window("def f(▮):\n")
    window.suggest("self):", replaced=2)
    for typed in ("s", "se", "sel", "self"):
        window.becomes(f"def f({typed}▮):\n")
    window.verdicts += window.tracker.closed(URI)
    assert window.fates() == [("typed", "")]


@pytest.mark.parametrize(
    ("edits", "fates"),
    [
        (["return ▮\n", "return x▮\n"], []),
        (["return▮\n", "return x + 1▮\n"], [("accepted", "urn x + 1")]),
        (["retu▮\n", "return x + 1▮\n"], [("accepted", "rn x + 1")]),
        (["retu▮\n", "ret▮\n", "return x + 1▮\n"], [("accepted", "urn x + 1")]),  # taken back, then accepted
        (["return▮\n", "returns▮\n", "returnss▮\n", "returnsss▮\n"], [("partial", "urn")]),
        (["retX▮\n", "retXX▮\n"], []),
        (["retX▮\n", "retXX▮\n", "retXXX▮\n"], [("dismissed", "")]),
        (["ret▮\n\n", "return x + 1▮\n\n"], [("accepted", "urn x + 1")]),  # an edit further down
    ],
)
def test_a_suggestion_is_followed_through_edits(edits: list[str], fates: list[tuple[str, str]]) -> None:
    window = Window("ret▮\n")
    window.suggest("urn x + 1")
    for marked in edits:
        window.becomes(marked)
    assert window.fates() == fates


def test_what_is_typed_to_its_end_is_not_accepted_unless_the_editor_says_so() -> None:
    for says_so, fates in ((False, [("typed", "")]), (True, [("accepted", ")")])):
        window = Window("f(x▮\n")
        window.suggest(")")
        window.becomes("f(x)▮\n")
        assert window.fates() == []
        if says_so:
            window.verdicts += window.tracker.accepted("1")
            window.suggest("  # and so on", id="2")
            assert [str(verdict.fate) for verdict in window.verdicts] == ["shown", "accepted", "shown"]
            continue
        window.becomes("f(x)\n▮\n")
        assert window.fates() == fates


def test_the_rest_of_a_suggestion_is_the_same_suggestion() -> None:
    window = Window("ret▮\n")
    window.suggest("urn x")
    window.becomes("retu▮\n")
    window.suggest("rn x", id="2")
    assert [str(verdict.fate) for verdict in window.verdicts] == ["shown"]
    window.becomes("return x▮\n")
    assert [(verdict.id, verdict.text) for verdict in window.verdicts][1:] == [("1", "rn x")]


def test_another_suggestion_dismisses_the_one_before() -> None:
    window = Window("ret▮\n")
    window.suggest("urn x")
    window.suggest("urn y", id="2")
    assert [(verdict.id, str(verdict.fate)) for verdict in window.verdicts] == [
        ("1", "shown"),
        ("1", "dismissed"),
        ("2", "shown"),
    ]


@pytest.mark.parametrize("order", ["text first", "report first"])
def test_an_acceptance_that_is_seen_and_reported_counts_once(order: str) -> None:
    window = Window("ret▮\n")
    window.suggest("urn x")
    if order == "report first":
        window.verdicts += window.tracker.accepted("1")
    window.becomes("return x▮\n")
    if order == "text first":
        window.verdicts += window.tracker.accepted("1")
    assert window.fates() == [("accepted", "urn x")]


def test_an_editor_that_reports_what_it_shows_is_believed() -> None:
    window = Window("ret▮\n")
    window.suggest("urn x")
    window.verdicts += window.tracker.shown("1")
    window.suggest("urn y", id="2")  # never on the screen
    window.suggest("urn z", id="3")
    window.verdicts += window.tracker.shown("3")
    window.verdicts += window.tracker.dismissed("3")
    seen = [(verdict.id, str(verdict.fate)) for verdict in window.verdicts]
    assert seen == [("1", "shown"), ("1", "dismissed"), ("3", "shown"), ("3", "dismissed")]


def test_a_partial_report_counts_the_items_first_characters() -> None:
    window = Window("    ret▮\n")
    window.suggest("urn x + 1")
    window.becomes("    return▮\n")
    window.verdicts += window.tracker.partially("1", len("    return"))
    window.becomes("    return x▮\n")
    window.verdicts += window.tracker.partially("1", len("    return x"))
    window.verdicts += window.tracker.closed(URI)
    assert window.fates() == [("partial", "urn x")]


def test_the_popups_own_item_is_not_an_acceptance() -> None:
    window = Window("os.pa▮\n")
    window.cursor -= 2
    window.suggest("path.join(a)", replaced=2, n_given=4)
    window.becomes("os.path▮\n")  # only the popup's item
    assert window.fates() == []
    window.becomes("os.path.join(a)▮\n")
    assert window.fates() == [("accepted", ".join(a)")]


def test_reports_about_what_nobody_knows_are_ignored() -> None:
    tracker = Tracker()
    assert tracker.shown("x") == tracker.accepted("x") == tracker.partially("x", 3) == tracker.dismissed("") == []
    assert tracker.edited(URI, Document(URI, "python", 1, "x")) == tracker.closed(URI) == []


def test_another_of_several_is_told_apart() -> None:
    window = Window("ret▮\n")
    suggestion = Suggestion(
        id="1", uri=URI, line=0, column=3, line_text="ret\n", n_lines=2, replaced=0, text="urn x", lead="ret",
        others=("urn y", "urn z()"),
    )  # fmt: skip
    window.verdicts += window.tracker.answered(suggestion)
    window.becomes("return z()▮\n")
    window.verdicts += window.tracker.accepted("1", 2)
    assert window.fates() == [("accepted", "urn z()")]
    window.verdicts += window.tracker.accepted("1", 2)  # told twice
    assert len(window.fates()) == 1


_SEVERAL = Suggestion(
    id="1", uri=URI, line=0, column=3, line_text="ret\n", n_lines=2, replaced=0, text="urn x", lead="ret",
    others=("ry()", "urn y", "urn x + 1"),
)  # fmt: skip


@pytest.mark.parametrize("other", _SEVERAL.others)
def test_another_of_several_is_seen_in_the_text_of_an_editor_that_reports_nothing(other: str) -> None:
    window = Window("ret▮\n")
    window.verdicts += window.tracker.answered(_SEVERAL)
    window.becomes(f"ret{other}▮\n")
    assert [(verdict.text, verdict.instead) for verdict in window.verdicts[1:]] == [(other, True)]


def test_the_first_of_several_is_no_other() -> None:
    window = Window("ret▮\n")
    window.verdicts += window.tracker.answered(_SEVERAL)
    window.becomes("return x▮\n")
    assert [(verdict.text, verdict.instead) for verdict in window.verdicts[1:]] == [("urn x", False)]


def test_what_is_typed_like_another_is_not_accepted() -> None:
    window = Window("ret▮\n")
    window.verdicts += window.tracker.answered(_SEVERAL)
    for number in range(len("ry()")):
        window.becomes(f"ret{'ry()'[: number + 1]}▮\n")
    assert window.fates() == [("dismissed", "")]


@pytest.mark.parametrize("told", [True, False])
def test_after_typing_the_others_are_numbered_as_they_were_sent_last(told: bool) -> None:
    window = Window("ret▮\n")
    window.verdicts += window.tracker.answered(_SEVERAL)
    window.becomes("retu▮\n")
    rest = replace(
        _SEVERAL, id="2", column=4, line_text="retu\n", text="rn x", lead="retu", others=("rn y", "rn x + 1")
    )
    assert window.tracker.same(rest) == "1"
    window.verdicts += window.tracker.answered(rest)
    if told:
        window.verdicts += window.tracker.accepted("1", 1)
    window.becomes("return y▮\n")
    (verdict,) = window.verdicts[1:]
    assert (verdict.id, verdict.text, verdict.word, verdict.instead) == ("1", "rn y", "retu", True)
