"""Whether what ghosts promise comes true: on promises that are honest, and on those that boast."""

import json
from pathlib import Path

import numpy as np
import pytest

from evals.cli import main
from evals.pages.page import page
from evals.pages.parts import read_run
from evals.typing import calibration

_RANDOM = np.random.default_rng(0)


def test_an_honest_probability_has_no_calibration_error_and_a_boasting_one_has() -> None:
    p = _RANDOM.random(50_000)
    y = (_RANDOM.random(50_000) < p).astype(float)
    assert calibration.calibration_error(p, y) < 0.01
    assert calibration.calibration_error(np.sqrt(p), y) > 0.1


def test_few_honest_promises_are_off_by_chance_and_more_of_them_less() -> None:
    p = _RANDOM.random(4_000)
    assert 0.02 > calibration.error_by_chance(p) > 0
    assert calibration.error_by_chance(p[:100]) > 3 * calibration.error_by_chance(p)


def _typed(path: Path, n: int, *, held_out: bool, boasts: float) -> Path:
    """A file of `bench typing` whose ghosts promise more than what is so, by a power."""
    rows = []
    for number in range(n):
        p = float(_RANDOM.uniform(0.3, 1.0))
        is_right = _RANDOM.random() < p
        text = "right" if is_right else "wrong"
        answer = {"position": 0, "text": text, "candidate": text, "probability": p**boasts}
        row = {"suite": "typing", "id": f"{held_out} {number}", "contender": "midfill", "held_out": held_out}
        rows.append(
            row | {"history": "h", "language": ("python", "go")[number % 2], "text": "right", "answers": [answer]}
        )
    lines = [*map(json.dumps, rows), json.dumps({"summary": {"suite": "typing", "model": "m"}})]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_each_half_is_judged_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = _typed(tmp_path / "chosen.jsonl", 2_000, held_out=False, boasts=1.0)
    held_out = _typed(tmp_path / "held.jsonl", 1_000, held_out=True, boasts=0.25)
    out = tmp_path / "out.jsonl"
    assert main(["eval", "calibration", str(chosen), str(held_out), "--out", str(out)]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (summary["n_chosen"], summary["n_held_out"]) == (2_000, 1_000)
    assert summary["calibration_error_chosen"] < 0.05
    assert summary["calibration_error_held_out"] > 0.1
    assert summary["log_loss_chosen"] < summary["log_loss_of_mean_chosen"]
    go = summary["calibration_error_by_language_held_out"]["go"]
    assert (go["n"], go["promised"] > go["kept"] + 0.1) == (500, True)
    text = page([read_run(out)])
    assert f"{summary['calibration_error_held_out']:.3f} on 1000 ghosts of held-out histories" in text
    assert text.count("<svg") == 1


def test_a_file_without_ghosts_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = tmp_path / "bare.jsonl"
    bare.write_text(json.dumps({"id": "a:1", "score": 1.0, "completion": "x"}) + "\n")
    assert main(["eval", "calibration", str(bare)]) == 1
    assert "bare.jsonl tells of 0 ghosts" in capsys.readouterr().err
