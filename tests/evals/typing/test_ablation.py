"""The ablation: which runs are started, that it goes on where it ended, and what its table says."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from completion.switches import Switch
from evals.cli import main
from evals.report import EvalError
from evals.typing import ablation
from evals.typing.ablation import AGAIN, EVERYTHING, markdown, play, rows_of


def _edit(number: int, accepted: str, shown: str, **more: Any) -> dict[str, Any]:
    """A wish of ten characters, the first of them typed, `accepted` accepted, the rest typed."""
    text, position, keys = "0123456789", 1 + len(accepted), []
    keys.append({"position": 0, "kind": "key", "text": "0", "ghost": "", "at": 0.1})
    if accepted:
        keys.append({"position": 1, "kind": "all", "text": accepted, "ghost": accepted, "at": 1.0})
    keys += [{"position": at, "kind": "key", "text": text[at], "ghost": "", "at": 2.0} for at in range(position, 10)]
    ghost = {"position": 1, "text": shown, "began": 0.2, "ended": 1.0}
    about = {"suite": "typing", "contender": "midfill", "history": "click", "language": "python", "edit": number}
    times = {"seconds": 3.0, "alone": 3.0, "left": 3.0}
    wish = {"path": "a.py", "at": 0, "removed": "", "text": text, "n_typed": 10, "keys": keys}
    return about | times | wish | {"id": f"click midfill {number}", "ghosts": [ghost], "answers": []} | more


def _write(path: Path, rows: list[dict[str, Any]], *, is_finished: bool = True) -> None:
    end = [{"summary": {"suite": "typing", "completed_share": 0.5, "noise": 1.0}}] if is_finished else []
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, *end]))


class _Bench:
    """Runs nothing, and writes what such a run would."""

    def __init__(self, *codes: int) -> None:
        self.asked: list[list[str]] = []
        self._codes = list(codes)

    def __call__(self, arguments: Sequence[str]) -> int:
        self.asked.append(list(arguments))
        _write(Path(arguments[arguments.index("--out") + 1]), [_edit(1, "1234", "1234")])
        return self._codes.pop(0) if self._codes else 0


def test_a_run_is_started_once_and_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    out, bench = tmp_path / "junk.jsonl", _Bench()
    play(out, ["--seed", "1", "--without", "junk"], bench)
    play(out, ["--seed", "1", "--without", "junk"], bench)  # it is finished
    asked = ["bench", "typing", "--no-peer", "--out", str(out), "--seed", "1", "--without", "junk"]
    assert bench.asked == [asked]
    _write(out, [_edit(1, "", "x")], is_finished=False)
    play(out, ["--seed", "1", "--without", "junk"], bench)
    assert bench.asked[1:] == [[*asked, "--resume"]]
    with pytest.raises(EvalError, match="loops ended with code 3: the same command goes on"):
        play(tmp_path / "loops.jsonl", [], _Bench(3))


def test_differences_are_of_the_same_edits(tmp_path: Path) -> None:
    _write(tmp_path / "a.jsonl", [_edit(1, "12345", "12345"), _edit(2, "12345", "12345")])
    _write(tmp_path / "b.jsonl", [_edit(1, "12345", "12345x"), _edit(2, "", "yz")])
    first, second = rows_of(tmp_path, ["a", "b"])
    assert (first["completed_difference"], first["noise_difference"]) == (0.0, 0.0)
    assert second["completed_difference"] == pytest.approx(-5 / 20)
    assert second["noise_difference"] == pytest.approx(100 * 3 / 20)  # x, y and z
    assert second["completed_difference_low"] == pytest.approx(-0.5)
    assert "| b | 0.500 | -0.250 [-0.500, +0.000] | 1.0 | +15.0 [" in markdown([first, second])
    _write(tmp_path / "c.jsonl", [_edit(3, "", "x")])
    with pytest.raises(EvalError, match="c has other edits than a"):
        rows_of(tmp_path, ["a", "c"])


def test_all_that_a_typing_person_meets_is_left_out_one_at_a_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = _Bench()
    assert ablation.run(["--history", "click"], [], tmp_path, bench) == 0
    names = [Path(asked[asked.index("--out") + 1]).stem for asked in bench.asked]
    typed = [switch.value for switch in Switch if switch is not Switch.BELOW_HEADER]
    assert names == [EVERYTHING, *typed, AGAIN]
    without = [asked[asked.index("--without") + 1] for asked in bench.asked if "--without" in asked]
    assert without == typed
    assert all(asked[asked.index("--history") + 1] == "click" for asked in bench.asked)
    printed = capsys.readouterr().out
    assert "| trust | 0.500 | +0.000 [+0.000, +0.000] |" in printed
    assert json.loads(printed.splitlines()[-1])["n"] == len(names)


def test_a_run_that_cannot_be_is_told_by_the_bench_and_ends_the_table(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "ablation", "--history", "nowhere", "--only", "trust", "--out", str(tmp_path)]) == 1
    printed = capfd.readouterr()
    assert "'nowhere' is no history" in printed.err
    assert "everything ended with code 1" in printed.err
    assert printed.out.startswith("everything: 1 of 3\n")


@pytest.mark.parametrize(("more", "problem"), [([], "needs --out"), (["--out", "x", "--without", "junk"], "--only")])
def test_what_makes_no_sense_is_one_line(
    more: list[str], problem: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_WITHOUT", "")
    assert main(["bench", "ablation", *more]) == 1
    assert problem in capsys.readouterr().err
