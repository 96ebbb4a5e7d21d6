"""A suggestion that is being typed, or a place that is come back to, is answered from memory; anything else is not."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from completion import cache as cache_module
from completion.cache import ReuseCache
from completion.types import Alternative, Completion, CompletionRequest, Mode, Outcome, Trace, Trigger
from tests import fakes

_SHOWN = Completion(text="foo(a, b)", outcome=Outcome.OK, mode=Mode.LINE, replace_right=1, mean_logprob=-0.2)


def request_at(marked: str, **options: Any) -> CompletionRequest:
    """An automatic request."""
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


def test_an_invoked_request_is_answered_from_memory_only_where_one_was_before() -> None:
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


def test_a_change_far_away_is_asked_anew() -> None:
    far = "y" * 5_000
    _check(f"call_me(){far}\nx = ▮\n", f"call_me(){far}\nx = fo▮\n", "o(a, b)")
    _check(f"call_me(){far}\nx = ▮\n", f"call_it(){far}\nx = fo▮\n", None)
    _check(f"x = ▮\n{far}old", f"x = ▮\n{far}new", None)


def test_of_two_answers_at_a_place_the_newer_stands() -> None:
    cache = ReuseCache()
    for text in ("first", "second"):
        cache.remember(request_at("x = ▮\n"), replace(_SHOWN, text=text))
    assert len(cache._entries) == 1
    reused = cache.reuse(request_at("x = ▮\n"))
    assert reused is not None
    assert reused.text == "second"


# What may happen in an editor: a suggestion is shown, or typed on, something is typed, deleted, the cursor moves.
_EDITS = st.one_of(
    st.tuples(st.just("show"), st.text("ab\n", min_size=1, max_size=4)),
    st.tuples(st.just("follow"), st.just("")),
    st.tuples(st.just("type"), st.text("ab\n", min_size=1, max_size=2)),
    st.tuples(st.just("delete"), st.just("")),
    st.tuples(st.just("left"), st.just("")),
    st.tuples(st.just("right"), st.just("")),
    st.tuples(st.just("overwrite the first"), st.sampled_from("ab")),
)


@given(st.text("ab\n", max_size=6), st.lists(_EDITS, max_size=40))
@example("abab", [("show", "ab"), ("follow", ""), ("delete", ""), ("show", "ba"), ("left", ""), ("right", "")])
@example("abab", [*[("right", "")] * 4, ("show", "ab"), ("overwrite the first", "b"), ("type", "a")])
def test_whatever_is_edited_an_answer_from_memory_is_what_was_shown_there(
    text: str, edits: list[tuple[str, str]]
) -> None:
    """And it is there wherever something was shown. Edits happen beyond the characters that are compared first, too."""
    cache, cursor = ReuseCache(), 0
    shown: dict[tuple[str, str], str] = {}  # by the whole text before and after the place
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cache_module, "_COMPARED_CHARACTERS", 2)
        for what, argument in edits:
            before, after = text[:cursor], text[cursor:]
            if what == "show":
                shown[before, after] = argument
                cache.remember(request_at(before + fakes.CURSOR + after), replace(_SHOWN, text=argument))
            reused = cache.reuse(request_at(before + fakes.CURSOR + after))
            rests = {
                suggestion.removeprefix(before[len(begin) :])
                for (begin, behind), suggestion in shown.items()
                if behind == after and before.startswith(begin) and suggestion.startswith(before[len(begin) :])
            } - {""}
            assert (reused.text in rests) if reused else not rests
            match what:
                case "follow" if reused:
                    text, cursor = before + reused.text[0] + after, cursor + 1
                case "type":
                    text, cursor = before + argument + after, cursor + len(argument)
                case "delete":
                    text, cursor = before[:-1] + after, max(0, cursor - 1)
                case "left" | "right":
                    cursor = max(0, min(len(text), cursor + (1 if what == "right" else -1)))
                case "overwrite the first" if cursor > 0:
                    text = argument + text[1:]
