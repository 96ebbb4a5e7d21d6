"""Each switch turns its mechanism off, and no name is taken for another."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from completion.ahead import look_ahead
from completion.candidate import Candidate
from completion.filters.chain import FILTERS, apply_filters
from completion.filters.members import Members, invented_member
from completion.filters.names import unknown_names
from completion.pipeline import complete
from completion.prompt.below_header import begun_below
from completion.prompt.layout import function_asked_for
from completion.ranking.surroundings import fits, openings
from completion.ranking.trust import Trust
from completion.stop import finish, stop_rule
from completion.switches import Switch, UnknownSwitch, switches
from completion.trigger import decide
from completion.types import Completion, CompletionRequest, Format, Limits, Mode, Outcome, Prompt, Trigger
from parsers.guard import Guard
from parsers.parse import to_bytes
from tests.completion.acting import ACTING
from tests.fakes import LIMITS, SPEC, ScriptedEngine, deps_with, request_at

_Mechanism = Callable[[frozenset[Switch]], object]


def _request(
    marked: str, without: frozenset[Switch], trigger: Trigger = Trigger.AUTOMATIC, **at: str
) -> CompletionRequest:
    return replace(request_at(marked, trigger=trigger, **at), without=without)  # type: ignore[arg-type]


def _filtered(name: str) -> _Mechanism:
    def run(without: frozenset[Switch]) -> bool:
        _, steps = apply_filters(ACTING[name].says, replace(ACTING[name].request(), without=without))
        return name in {step.name for step in steps}

    return run


def _checked(marked: str, says: str, mode: Mode) -> _Mechanism:
    """What the parse check leaves of an answer."""
    return lambda without: apply_filters(says, replace(_request(marked, without), mode=mode))[0].text


def _asked(limits: Limits) -> _Mechanism:
    """How often a line is asked for, and how it ends."""

    def run(without: frozenset[Switch]) -> object:
        engine = ScriptedEngine(["b = 2\n"])
        request = replace(_request("def f(a):\n    ▮\n    return a\n", without), mode=Mode.LINE)
        completion = asyncio.run(complete(deps_with(engine, limits=limits), request))
        return len(engine.prompts), completion.outcome

    return run


def _prompts(request: CompletionRequest, limits: Limits) -> list[Prompt]:
    """All that is asked for an answer."""
    engine = ScriptedEngine(["b = 2\n"])
    asyncio.run(complete(deps_with(engine, limits=limits), replace(request, mode=Mode.LINE)))
    return engine.prompts


def _hurried(without: frozenset[Switch]) -> object:
    """Whether what there is after a while is the answer."""
    limits = replace(LIMITS, patience_ms=10, max_wait_ms=300, quietness=1e-9)
    deps = deps_with(ScriptedEngine(["compute() "], hangs=True), limits=limits)
    return asyncio.run(complete(deps, _request("x = ▮\n", without))).is_partial


class _Repository:
    """Has one class with one method, and knows no name."""

    def members(self, class_name: str) -> Members | None:
        return Members(frozenset(("save",)), True, frozenset(("src/file.py",))) if class_name == "Customer" else None

    def is_known(self, name: str) -> bool:
        return False


def _ahead(without: frozenset[Switch]) -> object:
    shown = Completion(text="1", outcome=Outcome.OK, mode=Mode.LINE)

    async def run() -> bool:
        task = look_ahead(deps_with(ScriptedEngine([])), _request("x = ▮\n", without), shown)
        if task is not None:
            task.cancel()
        return task is not None

    return asyncio.run(run())


def _distrusted(without: frozenset[Switch]) -> object:
    """What is shown where the last ghosts were all refused."""
    trust = Trust()
    for _ in range(20):
        trust.learn(0.9, was_kept=False)
    deps = replace(deps_with(ScriptedEngine(["f(a)\n"]), limits=replace(LIMITS, quietness=0.05)), trust=trust)
    return asyncio.run(complete(deps, _request("x = ▮\n", without))).text


_IN_A_TEXT = 'def f():\n    a = """\n    ▮'
_RANKED = replace(LIMITS, rank_ms=None)
_CHAT = replace(SPEC, body_format=Format.CHAT, turn_start=1, turn_end=2)

MECHANISMS: dict[Switch, list[_Mechanism]] = {
    Switch.RANKING: [
        lambda without: len(
            _prompts(
                _request("def f(a):\n    ▮\n    return a\n", without, Trigger.INVOKED), replace(LIMITS, rank_ms=None)
            )
        )
    ],
    Switch.OPENINGS: [lambda without: openings(_request("def f(a):\n▮\n    return total\n", without), [])],
    Switch.FITS: [lambda without: fits(Candidate("    return a"), _request("def f(a):\n▮\n    return a\n", without))],
    Switch.UNFINISHED: [_checked("x = 1\n▮\n", "x = f(a,", Mode.LINE)],
    Switch.CLOSING: [_checked("def f(a):\n    ▮\n", "return [a, (a + 1", Mode.BLOCK)],
    Switch.BLOCK_END: [
        lambda without: finish(
            stop_rule(_request(_IN_A_TEXT, without), Mode.BLOCK), 'b\nc\n"""\n    return a\nx = 1\n', complete=True
        )
    ],
    Switch.NAMES: [
        lambda without: unknown_names(Candidate("load_user(1)"), _request("x = ▮\n", without), _Repository())
    ],
    Switch.MEMBERS: [
        lambda without: invented_member(
            Candidate("c.vanish()"), _request("class Customer: ...\n\nc = Customer()\n▮\n", without), _Repository()
        )
    ],
    Switch.CERTAINTY: [_asked(replace(LIMITS, quietness=0.9))],
    Switch.PATIENCE: [_hurried],
    Switch.TRUST: [_distrusted],
    Switch.TRIGGER: [lambda without: bool(decide(_request("x = ▮name\n", without)).skip)],
    Switch.BODY_CHAT: [
        lambda without: function_asked_for(_CHAT, _request('def f(a):\n    """Say a."""\n    ▮\n', without), Mode.BLOCK)
    ],
    Switch.BELOW_HEADER: [lambda without: begun_below(_request("def f(a):▮\n", without, Trigger.INVOKED))],
    Switch.AHEAD: [_ahead],
    **{
        switch: [_filtered(row.name) for row in FILTERS if row.switch is switch]
        for switch in Switch
        if any(row.switch is switch for row in FILTERS)
    },
}


@pytest.mark.parametrize("switch", Switch)
def test_a_switch_turns_its_mechanism_off(switch: Switch) -> None:
    for run in MECHANISMS[switch]:
        assert run(frozenset()) != run(frozenset((switch,)))


def test_filters_are_off_where_the_tree_is_too() -> None:
    guard = Guard(("completion.filters.chain",))
    try:
        request = ACTING["surplus_closers"].request()
        snapshot = request.snapshot
        there = replace(request, snapshot=replace(snapshot, tree=guard.first("c", to_bytes(snapshot.text))))
        assert apply_filters("#endif", there)[0].text == ""
        off = frozenset((Switch.SURPLUS, Switch.PARSE_CHECK))
        assert apply_filters("#endif", replace(there, without=off))[0].text == "#endif"
    finally:
        guard.close()


def test_names_make_switches_and_a_wrong_one_is_told_the_right_ones() -> None:
    assert switches(["junk", " loops", ""]) == {Switch.JUNK, Switch.LOOPS}
    with pytest.raises(UnknownSwitch, match=r"'junks'; there are ranking, openings, .*parse_check"):
        switches(["junk", "junks"])
