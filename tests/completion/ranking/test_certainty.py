"""Where a ghost ends: before the token that makes it doubtful as a whole, at an end that a reader sees."""

import math
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from completion.pipeline import complete
from completion.ranking.certainty import certain_end, whole
from completion.types import Delta, Outcome, Priority, Prompt, Trigger
from tests.completion.awaited import run
from tests.fakes import LIMITS, deps_with, request_at


@pytest.mark.parametrize(
    ("probabilities", "least", "expected"),
    [
        ([0.9, 0.9, 0.9], 0.7, None),
        ([0.9, 0.9, 0.9], 0.75, 20),
        ([0.5, 0.9], 0.7, 0),
        ([], 0.7, None),
        ([0.1, 0.1], 0.0, None),
    ],
)
def test_it_ends_before_the_token_that_makes_all_of_it_doubtful(
    probabilities: list[float], least: float, expected: int | None
) -> None:
    sure = [(10 * at, math.log(value)) for at, value in enumerate(probabilities)]
    assert certain_end(sure, least) == expected


@pytest.mark.parametrize(
    ("text", "end", "expected"),
    [
        ("compute(a, b)", 13, "compute(a, b)"),
        ("compute(a, b)", 12, "compute"),  # a whole word before what is half open
        ("compute(a", 9, "compute"),
        ("first + secon", 13, "first +"),  # the last word may go on
        ("first + second", 13, "first +"),
        ("first + second)", 14, "first + second"),
        ('print("half a str', 17, "print"),
        ("f(x)[0] = valu", 14, "f(x)[0] ="),
        ("(alpha, beta", 12, "(alpha,"),  # nothing whole: an argument is better than nothing
        ("ab", 2, ""),
        ("a = b", 1, ""),  # too little to be worth a key
        ("one = 1\ntwo = ", 14, "one = 1"),  # whole lines
        ("one = 1\n", 8, "one = 1"),
        ("one = 1\ntwo = 2", 7, "one = 1"),
        ("\nalpha beta ", 12, "\nalpha beta"),
        (") + more_of_it ", 15, ") + more_of_it"),  # closes what stood before
        ("'it\\'s' + tail ", 15, "'it\\'s' + tail"),
    ],
)
def test_what_is_shown_is_whole(text: str, end: int, expected: str) -> None:
    assert whole(text, end) == expected


def test_quotes_and_brackets_say_nothing_in_prose() -> None:
    assert whole("don't (ever) do thi", 19, is_prose=True) == "don't (ever) do"
    assert whole("wait (for it", 12, is_prose=True) == "wait (for"


@pytest.mark.parametrize(
    ("text", "end", "expected"),
    [
        ("results: &[Item],", 10, "results:"),
        ("size, &mut buffer", 7, "size,"),
        ("count = !done", 9, "count ="),
        ("count = *done", 9, "count ="),
        ("total=a*b", 8, "total=a*"),  # between two
        ("name: &str, other", 11, "name: &str,"),
        ("assert!(a)", 7, "assert!"),
    ],
)
def test_a_sign_that_leads_a_word_is_not_left_alone(text: str, end: int, expected: str) -> None:
    assert whole(text, end) == expected


def test_of_a_conversion_or_a_quoted_word_no_half_is_shown() -> None:
    assert whole("cannot write: %w", 15, is_prose=True) == "cannot write:"
    assert whole("and `1` is", 5, is_prose=True) == "and"
    assert whole("and `1` is", 7, is_prose=True) == "and `1`"
    assert whole("don't say", 4, is_prose=True) == "don'"


@pytest.mark.parametrize("text", ["x" * 200_000, "(" * 200_000, "\n" * 200_000, "a b " * 50_000])
def test_long_texts_end_too(text: str) -> None:
    assert len(whole(text[:4_000], 4_000)) <= 4_000


class _Doubtful:
    """Says a line token by token, and is less and less sure."""

    def __init__(self, *said: tuple[str, float], spelled: float = 0.0) -> None:
        self._said, self._spelled, self.n_said = said, spelled, 0

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        for n, byte in enumerate(prompt.heal):
            last = n == len(prompt.heal) - 1
            yield Delta(
                token_ids=(byte,), logprobs=(self._spelled if last else 0.0,), spelled=self._spelled if last else 0
            )
        for text, probability in self._said:
            self.n_said += 1
            ids = tuple(text.encode())
            yield Delta(token_ids=ids, logprobs=(math.log(probability),) + (0.0,) * (len(ids) - 1))


_CERTAIN = replace(LIMITS, quietness=0.7)
_CALL = (("compute", 0.9), ("(total", 0.9), (", rate", 0.5), (")", 0.9), ("\n", 1.0))


def test_an_automatic_line_ends_where_it_is_doubtful_and_the_model_is_not_asked_for_more() -> None:
    engine = _Doubtful(*_CALL)
    asked = request_at("x = ▮\n", trigger=Trigger.AUTOMATIC)
    completion = run(complete(deps_with(engine, limits=_CERTAIN), asked))
    assert (completion.text, completion.outcome) == ("compute", Outcome.OK)
    assert engine.n_said == 3


def test_where_nothing_is_certain_the_reason_says_so() -> None:
    engine = _Doubtful(("compute()", 0.5), ("\n", 1.0))
    asked = request_at("x = ▮\n", trigger=Trigger.AUTOMATIC)
    completion = run(complete(deps_with(engine, limits=_CERTAIN), asked))
    assert (completion.text, completion.outcome) == ("", Outcome.QUIET)
    assert "certain of nothing" in completion.reason


def test_an_invoked_request_gets_all_of_it() -> None:
    completion = run(complete(deps_with(_Doubtful(*_CALL), limits=_CERTAIN), request_at("x = ▮\n")))
    assert completion.text == "compute(total, rate)"


def test_what_is_typed_is_certain() -> None:
    """That somebody begins with these letters was improbable; what comes behind them is not."""
    engine = _Doubtful(("lue", 0.99), ("\n", 1.0), spelled=math.log(0.01))
    asked = request_at("x = va▮\n", trigger=Trigger.AUTOMATIC)
    assert run(complete(deps_with(engine, limits=_CERTAIN), asked)).text == "lue"


def test_a_doubtful_line_end_does_not_make_the_line_doubtful() -> None:
    engine = _Doubtful(("compute()", 0.9), ("\n", 0.1))
    asked = request_at("x = ▮\n", trigger=Trigger.AUTOMATIC)
    assert run(complete(deps_with(engine, limits=_CERTAIN), asked)).text == "compute()"


def test_of_a_block_whole_lines_are_shown() -> None:
    engine = _Doubtful(("b = a\n", 0.9), ("    c = b\n", 0.9), ("    return c\n", 0.5), ("\n", 1.0))
    asked = request_at("def f(a):\n    ▮\n", trigger=Trigger.AUTOMATIC)
    assert run(complete(deps_with(engine, limits=_CERTAIN), asked)).text == "b = a\n    c = b"
