import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from completion.types import Trigger
from evals import setup
from evals.cli import main
from evals.engines import Subject
from evals.report import read_results
from evals.suites import humaneval_bodies, humaneval_infilling
from evals.suites.datasets import DataFile
from tests.evals.scripted import scripted_subject
from tests.evals.suites import test_humaneval_bodies, test_humaneval_infilling

Opened = list[tuple[str, ...]]


def load(file: DataFile, _data: Path | None) -> list[dict[str, Any]]:
    return [test_humaneval_infilling.ADD if file.folder == "humaneval-infilling" else test_humaneval_bodies.ADD]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """One task of each target, and a model that can write bodies; what was opened."""
    names: Opened = []

    @asynccontextmanager
    async def open_subject(*arguments: str) -> AsyncIterator[Subject]:
        names.append(arguments)
        yield scripted_subject(lambda _: "return a + b\n")

    for module in (humaneval_infilling, humaneval_bodies):
        monkeypatch.setattr(module, "load", load)
    monkeypatch.setattr(setup, "open_subject", open_subject)
    return names


def test_both_targets_are_measured_typing_and_asked_in_one_table(
    opened: Opened, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "targets.jsonl"
    assert main(["eval", "targets", "--model", "some", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    summary = json.loads(printed.splitlines()[-1])
    assert opened == [("midfill-invoked", "some", "auto", "")]
    reached = {name: found["pass_at_1"] for name, found in summary.items() if isinstance(found, dict) and "n" in found}
    assert reached == {"lines_typing": 0.0, "lines_asked": 0.0, "bodies_typing": 1.0, "bodies_asked": 1.0}
    assert summary["targets"] == {"lines": 0.921, "bodies": 0.783}
    assert len({record["id"] for record in read_results(out)}) == 4
    assert "0.921" in printed
    assert "1.000 [1.000, 1.000]" in printed


def test_a_server_is_asked_by_its_address(opened: Opened, tmp_path: Path) -> None:
    url = "http://127.0.0.1:1"
    assert main(["eval", "targets", "--url", url, "--out", str(tmp_path / "out.jsonl")]) == 0
    assert [(engine, address) for engine, _, _, address in opened] == [("remote", url)]


def test_an_interrupted_run_goes_on_where_it_was(opened: Opened, tmp_path: Path) -> None:
    out = tmp_path / "targets.jsonl"
    assert main(["eval", "targets", "--out", str(out)]) == 0
    lines = out.read_text().splitlines()
    out.write_text("\n".join(lines[:2]) + "\n")
    assert main(["eval", "targets", "--out", str(out), "--resume"]) == 0
    assert len(read_results(out)) == 4
    assert json.loads(out.read_text().splitlines()[-1])["summary"]["resumed"] == 2


@pytest.fixture
def triggers(monkeypatch: pytest.MonkeyPatch) -> list[Trigger]:
    seen: list[Trigger] = []
    from evals.suites import examples

    answer: Callable[..., Any] = examples.answer

    async def watched(subject: Subject, *rest: Any) -> Any:
        seen.append(subject.trigger)
        return await answer(subject, *rest)

    monkeypatch.setattr(examples, "answer", watched)
    return seen


def test_the_trigger_is_all_that_differs(opened: Opened, triggers: list[Trigger], tmp_path: Path) -> None:
    assert main(["eval", "targets", "--out", str(tmp_path / "out.jsonl")]) == 0
    assert triggers == [Trigger.AUTOMATIC, Trigger.INVOKED] * 2
