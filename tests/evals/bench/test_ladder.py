"""The ladder of a card's kinds of weights, on tiny shapes and the processor."""

import json
from pathlib import Path

import pytest
import torch

from evals import cli
from evals.bench import ladder


def test_every_rung_is_measured_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "ladder.jsonl"
    arguments = ["bench", "--device", "cpu", "--shape", "tiny", "--quick", "--out", str(out)]
    assert cli.main(arguments) == 0
    keys = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(keys["rungs"]["tiny"]) == set(ladder.RUNGS)
    assert keys["gpu_decode_tok_s"] == max(
        row["decode_tok_s"] for rung, row in keys["rungs"]["tiny"].items() if rung != "fp32_plain"
    )
    rungs = keys["rungs"]["tiny"]
    for key, rung in (("int8_over_fp32", "llmint8"), ("int4_over_fp32", "nf4")):
        assert keys[key] == pytest.approx(rungs["fp32"]["decode_ms"] / rungs[rung]["decode_ms"], rel=0.01)
    assert keys["gpu_ttft_16k_ms"] > 0
    assert keys["device"] == "cpu"
    assert len(out.read_text().splitlines()) == len(ladder.RUNGS) + 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card here")
def test_without_a_card_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "ladder", "--shape", "tiny", "--out", str(tmp_path / "x")]) == 1
    assert capsys.readouterr().err.startswith("midfill: ")


def test_the_command_line_knows_the_shapes_and_rungs() -> None:
    assert set(cli.SHAPES) == set(ladder.SHAPES)
    assert cli.RUNGS == ladder.RUNGS


def test_random_weights_are_the_same_in_every_rung_and_tied_where_the_model_is() -> None:
    shape, cpu = ladder.SHAPES["tiny"], torch.device("cpu")
    tied, untied = (ladder.random_source(shape, cpu, tied=each) for each in (True, False))
    assert torch.equal(tied.tensor("embed"), tied.tensor("head"))
    assert not torch.equal(untied.tensor("embed"), untied.tensor("head"))
    assert torch.equal(tied.tensor("layers.1.q"), untied.tensor("layers.1.q"))
    assert not torch.equal(tied.tensor("layers.1.q"), tied.tensor("layers.0.q"))


def test_a_models_nll_is_that_of_its_logits() -> None:
    decoder = ladder.load(
        ladder.random_source(ladder.SHAPES["tiny"], torch.device("cpu"), tied=True), "fp32", torch.device("cpu")
    )
    ids = [number * 7 % 512 for number in range(600)]
    timed = ladder.nll(decoder, ids)
    assert timed == pytest.approx(torch.tensor(512.0).log().item(), abs=0.3)  # weights this small know nothing
