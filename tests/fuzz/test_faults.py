"""The fault run in small: a sample of its faults (`python -m tests.fuzz faults` has them all)."""

import pytest

from tests.fuzz.faults import SCENARIOS, run

pytestmark = pytest.mark.e2e
SAMPLE = {"engine": 16, "index-client": 3, "worker": 6, "history": 8}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_fault_anywhere_ends_in_a_sentence_and_a_recovery(scenario: str) -> None:
    figures = run([scenario], SAMPLE[scenario], seed=25)
    assert figures.wrong == []
    assert (figures.lost, figures.hangs, figures.unobserved) == (0, 0, 0)
    assert figures.faults > 0
