"""Bad outputs of a real model (golden/*.toml), and what is shown of them."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from completion.filters.chain import apply_filters
from completion.filters.parse_check import errors
from completion.types import Mode, Trigger
from parsers.languages import for_document
from parsers.parse import parse
from tests.fakes import CURSOR, request_at

_CASES = [
    pytest.param(case, id=f"{file.stem}: {case['name']}")
    for file in sorted((Path(__file__).parent / "golden").glob("*.toml"))
    for case in tomllib.loads(file.read_text(encoding="utf-8"))["case"]
]


@pytest.mark.parametrize("case", _CASES)
def test_a_bad_output_of_the_model_is_put_right(case: dict[str, Any]) -> None:
    language = for_document(case["path"]).id
    marked = case["before"] + CURSOR + case["after"]
    trigger = Trigger(case.get("trigger", Trigger.INVOKED))
    request = request_at(marked, language=language, mode=Mode(case["mode"]), path=case["path"], trigger=trigger)
    candidate, steps = apply_filters(case["raw"], request)
    assert (candidate.text, candidate.replace_right) == (case["expected"], case["replaced"])
    assert [step.name for step in steps] == case["filters"]
    # The complaint behind all of it: what is accepted breaks the file.
    accepted = parse(language, candidate.accepted(request))
    assert errors(accepted.root) <= errors(request.snapshot.tree.root)


def test_what_is_shown_of_a_bad_output_is_not_changed_again() -> None:
    for parameter in _CASES:
        case: Any = parameter.values[0]
        marked = case["before"] + CURSOR + case["after"]
        trigger = Trigger(case.get("trigger", Trigger.INVOKED))
        request = request_at(marked, language=for_document(case["path"]).id, mode=Mode(case["mode"]), trigger=trigger)
        candidate, steps = apply_filters(case["expected"], request)
        assert (candidate.text, candidate.replace_right) == (case["expected"], case["replaced"]), parameter.id
        assert [step.name for step in steps] in ([], ["suffix_overlap"]), parameter.id
