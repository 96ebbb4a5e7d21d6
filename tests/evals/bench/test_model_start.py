"""The start of a model process is timed by phase, with a tiny model."""

import json
from pathlib import Path

import pytest

from evals.bench.model_start import PHASES, main

pytestmark = pytest.mark.e2e


def test_the_phases_follow_each_other(tiny_cache: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--model", str(tiny_model), "--starts", "1"])
    *table, last = capsys.readouterr().out.splitlines()
    told = json.loads(last)
    times = [told[phase] for phase in PHASES]
    assert times == sorted(times)
    assert times[0] > 0
    assert told["cpu_ms"] > 0
    assert [line.split("  ")[-1] for line in table] == ["connected", "ready", "first token", "cpu"]
