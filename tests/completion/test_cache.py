"""A suggestion that is being typed is answered from memory; anything else is not."""

from dataclasses import replace
from typing import Any

import pytest

from completion import cache as cache_module
from completion.cache import ReuseCache
from completion.types import Alternative, Completion, CompletionRequest, Mode, Outcome, Trace, Trigger
from tests import fakes

_SHOWN = Completion(text="foo(a, b)", outcome=Outcome.OK, mode=Mode.LINE, replace_right=1, mean_logprob=-0.2)


def request_at(marked: str, **options: Any) -> CompletionRequest:
    """As somebody types."""
    return fakes.request_at(marked, **{"trigger": Trigger.AUTOMATIC, **options})


def _check(asked: str, then: str, expected: str | None, *, session: str = "window", mode: Mode | None = None) -> None:
    cache = ReuseCache()
    cache.remember(request_at(asked), _SHOWN)
    reused = cache.reuse(request_at(then, session=session, mode=mode))
    assert (reused.text if reused else None) == expected
    assert reused is None or (reused.reused and reused.replace_right == 1 and reused.stats is None)


def test_typing_what_is_shown_gives_the_rest() -> None:
    _check("x = ▮)\ny\n", "x = ▮)\ny\n", "foo(a, b)")
    _check("x = ▮)\ny\n", "x = foo▮)\ny\n", "(a, b)")
    _check("x = ▮)\ny\n", "x = foo(a, b▮)\ny\n", ")")


def test_deleting_back_gives_more_again() -> None:
    cache = ReuseCache()
    cache.remember(request_at("x = ▮\n"), _SHOWN)
    texts = [cache.reuse(request_at(f"x = {typed}▮\n")) for typed in ("f", "foo", "fo")]
    assert [reused.text if reused else None for reused in texts] == ["oo(a, b)", "(a, b)", "o(a, b)"]


@pytest.mark.parametrize(
    "then",
    [
        "x = bar▮\ny\n",  # something else
        "x = foo(a, b)▮\ny\n",  # typed to the end
        "x =▮\ny\n",  # before where it was asked
        "z = foo▮\ny\n",  # other text before
        "x = foo▮\nz\n",  # other text after
        "x = foo▮\ny\n\n",
        "x = foo▮)\ny\n",
    ],
)
def test_another_place_is_asked_anew(then: str) -> None:
    _check("x = ▮\ny\n", then, None)


def test_another_window_or_mode_is_asked_anew() -> None:
    _check("x = ▮\n", "x = f▮\n", None, session="other")
    _check("x = ▮\n", "x = f▮\n", None, mode=Mode.BLOCK)
    _check("x = ▮\n", "x = f▮\n", "oo(a, b)", mode=Mode.LINE)


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.OK])
def test_only_what_was_shown_is_remembered(outcome: Outcome) -> None:
    cache = ReuseCache()
    cache.remember(request_at("x = ▮\n"), replace(_SHOWN, outcome=outcome))
    assert cache.reuse(request_at("x = ▮\n")) is None


def test_what_was_used_longest_ago_is_forgotten() -> None:
    cache = ReuseCache()
    for number in range(cache_module._MAX_ENTRIES):
        cache.remember(request_at(f"x{number} = ▮"), _SHOWN)
    assert cache.reuse(request_at("x0 = ▮")) is not None
    cache.remember(request_at("new = ▮"), _SHOWN)
    assert cache.reuse(request_at("x0 = ▮")) is not None
    assert cache.reuse(request_at("x1 = ▮")) is None


def test_who_asks_is_answered_from_memory_only_where_asked_before() -> None:
    cache = ReuseCache()
    cache.remember(request_at("x = ▮\n"), replace(_SHOWN, trace=Trace(trigger=Trigger.AUTOMATIC)))
    assert cache.reuse(request_at("x = ▮\n", trigger=Trigger.INVOKED)) is None
    several = (Alternative(text="foo(c)"), Alternative(text="bar"))
    asked = replace(_SHOWN, trace=Trace(trigger=Trigger.INVOKED), alternatives=several)
    cache.remember(request_at("x = ▮\n", trigger=Trigger.INVOKED), asked)
    again = cache.reuse(request_at("x = ▮\n", trigger=Trigger.INVOKED))
    assert again is not None
    assert again.alternatives == several
    typed = cache.reuse(request_at("x = foo(▮\n"))
    assert typed is not None
    assert (typed.text, [each.text for each in typed.alternatives]) == ("a, b)", ["c)"])
