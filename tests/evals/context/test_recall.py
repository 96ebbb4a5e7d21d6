"""What counts as a found definition."""

from completion.context.selection import Ranked
from completion.context.sources import Item
from completion.types import Snippet
from evals.context.needs import Target
from evals.context.recall import found
from tests.evals.scripted import ByteTokenizer


def ranked(path: str, text: str, *ranges: tuple[int, int]) -> Ranked:
    return Ranked(Item(Snippet(path=path, text=text), ranges, "near", ""), 1.0, ("near",))


def test_a_definition_is_found_when_its_line_is_shown_within_the_budget() -> None:
    shown = [ranked("a.py", "x" * 40, (3, 5), (9, 9)), ranked("b.py", "y" * 40, (0, 0))]
    needs = [
        Target("a.py", 4, "first"),  # lines of targets count from 1
        Target("a.py", 10, "second"),
        Target("a.py", 3, "before"),
        Target("a.py", 7, "between"),
        Target("b.py", 1, "other"),
        Target("c.py", 4, "elsewhere"),
    ]
    tokenizer = ByteTokenizer()
    assert found(needs, shown, tokenizer, 1000) == [True, True, False, False, True, False]
    assert found(needs, shown, tokenizer, 60) == [True, True, False, False, False, False]
    assert found(needs, shown, tokenizer, 10) == [False] * 6
