import pytest

from completion.types import Completion, Mode, Outcome
from evals.scoring.accepted import Accepted, accept
from evals.scoring.documents import Document

TEXT = "def add(a, b):\n    \n    return a\n"
CURSOR = TEXT.index("    \n") + 4


def accepted(
    text: str, *, outcome: Outcome = Outcome.OK, path: str = "add.py", replace_right: int = 0, truth: str = "a += b"
) -> Accepted:
    document = Document(path=path, repo="", text=TEXT, cursor=CURSOR, mode=Mode.LINE)
    completion = Completion(text=text, outcome=outcome, mode=Mode.LINE, replace_right=replace_right)
    return accept(document, completion, truth)


def test_the_text_is_what_an_editor_would_hold() -> None:
    assert accepted("a += b").text == "def add(a, b):\n    a += b\n    return a\n"
    assert accepted("a += b\n    ", replace_right=5).text == "def add(a, b):\n    a += b\n    return a\n"


@pytest.mark.parametrize(("text", "adds"), [("a += b", False), ("a += (b", True), ("a += ]", True), ("", False)])
def test_a_new_parse_error_is_one_more_than_before(text: str, adds: bool) -> None:
    assert accepted(text).new_parse_error is adds


@pytest.mark.parametrize(
    ("path", "text", "adds", "as_is"),
    [
        ("a.js", "if (a) {", False, True),
        ("a.js", "if (a {", True, True),
        ("a.rb", "if a", False, True),
        ("a.js", "c = a.map((b) => {", False, True),
        ("a.js", "c = a.map((b) =>", False, True),
        ("a.js", "c = a.map(((b) =>", False, True),
        ("a.js", "c = a.map(b)) =>", True, True),
        ("a.py", "c = [", False, True),
        ("a.py", "c = f(a, b", True, True),
        ("a.py", "c = ) + [", True, True),
        ("a.sh", "while read -r a; do", False, True),
        ("a.sh", "if [ -n a ]; then", False, True),
        ("a.py", "a += b", False, False),
    ],
)
def test_a_header_is_no_error_because_its_block_is_missing(path: str, text: str, adds: bool, as_is: bool) -> None:
    document = Document(path=path, repo="", text="a = 1\n\nb = 2\n", cursor=6, mode=Mode.LINE)
    found = accept(document, Completion(text=text, outcome=Outcome.OK, mode=Mode.LINE), "c = 1")
    assert (found.new_parse_error, found.new_parse_error_as_is) == (adds, as_is)


def test_what_is_not_shown_changes_nothing_and_has_no_parse_error() -> None:
    found = accepted("", outcome=Outcome.FILTERED)
    assert (found.text, found.shown, found.new_parse_error) == (TEXT, False, None)
    assert found.similarity == 0.0


def test_without_a_grammar_nothing_is_said_of_parsing() -> None:
    assert accepted("((((", path="add.unknown").new_parse_error is None


def test_the_truth_is_a_control() -> None:
    assert accepted("a += b", truth="a += (b").truth_new_parse_error is True
    assert accepted("a += (b").truth_new_parse_error is False


def test_exact_match_ignores_white_space_at_line_ends() -> None:
    assert accepted("a += b  \n", truth="a += b").exact
    assert accepted("if a: \n    b", truth="if a:\n    b").exact
    assert not accepted("a  += b", truth="a += b").exact


def test_similarity_is_one_for_the_truth_and_lower_for_what_differs() -> None:
    assert accepted("a += b").similarity == 1.0
    assert 0.5 < accepted("a -= b").similarity < 1.0
