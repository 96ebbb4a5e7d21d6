"""Whether accepted text still stands."""

import pytest

from lsp_server.documents.store import Document
from lsp_server.usage.keeping import KEPT_SHARE, LineChange, moved, share_standing

ACCEPTED = "return sum(prices) * (1 + tax)"


@pytest.mark.parametrize(
    ("now", "kept"),
    [
        (f"def f():\n    {ACCEPTED}\n", True),
        ("def f():\n    return sum(prices) * (1 + rate)\n", True),
        ("def f():\n    return sum(prices)*(1+tax)\n", True),  # formatted
        ("def f():\n    return 0\n", False),
        ("def f():\n", False),
        ("", False),
        (f"def f():\n    pass\n\n\n\n\n\n\ndef g():\n    {ACCEPTED}\n", False),  # far away
    ],
)
def test_two_thirds_of_the_words_and_signs_in_order_are_kept(now: str, kept: bool) -> None:
    share = share_standing(ACCEPTED, 1, Document("file:///a", "python", 1, now))
    assert 0 <= share <= 1
    assert (share >= KEPT_SHARE) is kept


def test_an_empty_text_stands_nowhere() -> None:
    assert share_standing("  \n", 0, Document("file:///a", "python", 1, "x")) == 0


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (LineChange(0, 0, 3), 13),  # lines came in above
        (LineChange(2, 5, 0), 7),  # lines went away above
        (LineChange(10, 10, 1), 10),  # in the line itself
        (LineChange(8, 10, 0), 8),  # the line was joined to one above
        (LineChange(11, 20, 0), 10),  # below
        (LineChange(5, 12, 1), 10),  # around it: nobody can say
    ],
)
def test_a_line_follows_the_edits_above_it(change: LineChange, line: int) -> None:
    assert moved(10, [change]) == line


def test_changes_of_one_message_apply_in_order() -> None:
    assert moved(10, [LineChange(0, 0, 2), LineChange(11, 11, 1), LineChange(3, 4, 0)]) == 12
