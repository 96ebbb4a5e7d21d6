"""The fit of the confidence gate: on data with known answers; halves; what it says of calibration."""

import json
from pathlib import Path

import numpy as np
import pytest

from evals.pages.page import page
from evals.pages.parts import read_run
from evals.report import EvalError
from evals.typing import gate

_RANDOM = np.random.default_rng(0)


def _data(n: int, weights: dict[str, float]) -> tuple[gate.Array, gate.Array]:
    x = _RANDOM.normal(size=(n, len(gate.NAMES)))
    x[:, gate.NAMES.index("bias")] = 1.0
    truth = np.array([weights.get(name, 0.0) for name in gate.NAMES])
    y = (_RANDOM.random(n) < gate.predict(truth, x)).astype(float)
    return x, y


def test_the_weights_behind_the_data_are_found() -> None:
    x, y = _data(20_000, {"bias": -0.5, "joint_logprob": 1.5, "log_characters": -1.0})
    found = dict(zip(gate.NAMES, gate.fit(x, y), strict=True))
    assert found["bias"] == pytest.approx(-0.5, abs=0.08)
    assert found["joint_logprob"] == pytest.approx(1.5, abs=0.1)
    assert found["log_characters"] == pytest.approx(-1.0, abs=0.1)


def test_an_honest_probability_has_no_calibration_error_and_a_boasting_one_has() -> None:
    p = _RANDOM.random(50_000)
    y = (_RANDOM.random(50_000) < p).astype(float)
    assert gate.calibration_error(p, y) < 0.01
    assert gate.calibration_error(np.sqrt(p), y) > 0.1


def test_lines_of_one_file_and_tasks_of_one_problem_are_in_one_half() -> None:
    assert len({gate.is_held_out(f"src/a.py:{line}") for line in range(50)}) == 1
    cut = [f"SingleLineInfilling/HumanEval/7/L{line}" for line in range(50)]
    spans = [f"RandomSpanInfilling{light}/HumanEval/7/{n}" for n in range(1, 11) for light in ("", "Light")]
    assert len({gate.is_held_out(name) for name in [*cut, *spans, "humaneval-bodies/HumanEval/7"]}) == 1
    assert gate.is_held_out("mceval-lines/Python/3") == gate.is_held_out("mceval-bodies/Python/3")
    assert len({gate.is_held_out(f"src/{number}.py:1") for number in range(50)}) == 2


def _write(path: Path, n: int, seed: int) -> Path:
    x, y = _data(n, {"joint_logprob": 2.0})
    rows = [
        {
            "id": f"{seed}/{i % 40}.py:{i}",
            "score": kept,
            "completion": "x",
            "features": dict(zip(gate.NAMES, each, strict=True)),
        }
        for i, (each, kept) in enumerate(zip(x.tolist(), y.tolist(), strict=True))
    ]
    lines = [*map(json.dumps, rows), json.dumps({"id": "e", "score": 0.0, "completion": ""})]
    path.write_text("\n".join([*lines, json.dumps({"summary": {"model": "m"}})]) + "\n")
    return path


def test_results_files_are_fitted_and_the_held_out_half_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [_write(tmp_path / f"{seed}.jsonl", 600, seed) for seed in range(2)]
    assert gate.run(paths, tmp_path / "out.jsonl") == 0
    printed = capsys.readouterr().out
    summary = json.loads(printed.splitlines()[-1])
    assert (summary["n"], 300 < summary["n_held_out"] < 900) == (1_200, True)
    assert summary["calibration_error"] < 0.1
    assert summary["log_loss"] < summary["log_loss_of_mean"] - 0.05
    assert '"joint_logprob": ' in printed
    text = page([read_run(tmp_path / "out.jsonl")])
    assert f"expected calibration error {summary['calibration_error']:.3f} on {summary['n_held_out']} examples" in text
    assert text.count("<svg") == 1


def test_too_few_examples_and_files_without_features_are_named(tmp_path: Path) -> None:
    with pytest.raises(EvalError, match="too few"):
        gate.run([_write(tmp_path / "few.jsonl", 20, 0)], None)
    bare = tmp_path / "bare.jsonl"
    bare.write_text(json.dumps({"id": "a:1", "score": 1.0, "completion": "x"}) + "\n")
    with pytest.raises(EvalError, match="no examples with features"):
        gate.run([bare], None)
