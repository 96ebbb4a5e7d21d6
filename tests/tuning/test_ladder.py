"""The ladder: rungs that hold one another, one that fails, one that has no time; and what runs it elsewhere."""

import json
import lzma
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.model.tiny_gguf import make_tiny_gguf
from tests.tuning.simple_examples import simple_examples
from tuning import ladder
from tuning.base import load_base
from tuning.device_check import differences
from tuning.network import Network

ROOT = Path(__file__).parents[2]
DEVICE = ROOT / "tuning" / "device"


def words(base: Path, folder: Path, *rungs: str) -> list[str]:
    simple_examples(folder / "train", 60, longest=12)
    simple_examples(folder / "held", 10, seed=9, longest=12)
    places = [str(base), str(folder / "train"), str(folder / "held"), str(folder / "out")]
    return [*places, "--name", "a/base", "--device", "cpu", *(word for rung in rungs for word in ("--rung", rung))]


def rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "out" / "ladder.jsonl").read_text().splitlines()]


def test_each_rung_is_trained_anew_and_judged(tiny_model: Path, tmp_path: Path) -> None:
    assert ladder.main(words(tiny_model, tmp_path, "8:4:1:1e-2:0", "0:8:2:1e-2:0")) == 0
    found = rows(tmp_path)
    assert [row["name"] for row in found] == ["base", "rung-8", "rung-60"]
    assert [row.get("seen") for row in found] == [None, 8, 120]
    for name in ("rung-8", "rung-60"):
        assert (tmp_path / "out" / name / "done").exists()
        assert (tmp_path / "out" / name / "adapter-int8" / "adapter_model.safetensors").exists()


def test_a_rung_that_fails_does_not_keep_the_next_from_its_turn(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "rung-8").write_text("in the way")
    assert ladder.main(words(tiny_model, tmp_path, "8:4:1:1e-2:0", "16:4:1:1e-2:0")) == 0
    assert [row["name"] for row in rows(tmp_path)] == ["base", "rung-16"]


def test_nothing_is_trained_when_the_time_is_over(tiny_model: Path, tmp_path: Path) -> None:
    until = tmp_path / "until"
    until.write_text(str(time.time() + 60))
    asked = words(tiny_model, tmp_path, "8:4:1:1e-2:0")
    assert ladder.main([*asked, "--until", str(until), "--reserve", "90"]) == 0
    assert [row["name"] for row in rows(tmp_path)] == ["base"]


def test_a_pack_that_does_not_fit_is_halved(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = simple_examples(tmp_path / "train", 900, longest=12)
    network = Network(load_base(tiny_model, torch.device("cpu")), 4, 8.0, seed=1)
    whole = Network.score

    def small(self: Network, pack: object) -> object:
        if len(pack.ids) > 2500:  # type: ignore[attr-defined]
            raise torch.OutOfMemoryError
        return whole(self, pack)  # type: ignore[arg-type]

    monkeypatch.setattr(Network, "score", small)
    assert ladder.fitting(network, examples, 8192) == 2048
    assert all(parameter.grad is None for parameter in network.parameters().values())


def test_the_check_of_a_device_finds_no_difference_on_the_same_one(tmp_path: Path) -> None:
    assert differences(tmp_path, torch.device("cpu")) == (0.0, 0.0)


def test_parts_come_in_any_order_a_damaged_one_again_and_adapters_go_back(tmp_path: Path) -> None:
    """The whole life of a rented machine, in a folder."""
    tree, sent, work, back = (tmp_path / name for name in ("tree", "sent", "work", "back"))
    for package in ("completion", "model", "parsers", "tuning"):
        (tree / package).parent.mkdir(exist_ok=True)
        (tree / package).symlink_to(ROOT / package)
    (tree / ".gpu").mkdir()
    (sent / "wheels").mkdir(parents=True)
    subprocess.run(
        [sys.executable, "-m", "zipfile", "-c", sent / "wheels" / "none.whl", "README.md"], check=True, cwd=ROOT
    )
    data = tmp_path / "data"
    data.mkdir()
    (base,) = make_tiny_gguf(data)
    for name, n in (("train", 40), ("heldout", 10)):
        simple_examples(data / name, n, longest=12)
        (data / f"{name}.xz").write_bytes(lzma.compress((data / name).read_bytes()))
    files = {"base-0.5b.gguf": base, **{f"{name}.xz": data / f"{name}.xz" for name in ("train", "heldout")}}
    pairs = [f"{name}={file}" for name, file in files.items()]
    subprocess.run(
        ["bash", DEVICE / "prepare.sh", sent, *pairs], check=True, env={**os.environ, "PART_BYTES": "300000"}
    )
    assert len(list(sent.glob("base-0.5b.gguf.part-*"))) == 3

    def call(left: int, wait: int, *names: str) -> str:
        for name in names:
            subprocess.run(["cp", "-r", sent / name, tree / ".gpu"], check=True)
        environment = {
            **os.environ,
            "OUT": str(back),
            "MIDFILL_DEVICE_WORK": str(work),
            "MIDFILL_DEVICE_PYTHON": sys.executable,
            "SHARE_15": "0",
            "MAX_TOKENS": "512",
            "RUNGS_05": "0:8:1:1e-2:0",
            "CHECK": "0",
        }
        command = ["bash", tree / "tuning" / "device" / "call.sh", str(left), str(wait)]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    good = (sent / "base-0.5b.gguf.part-01").read_bytes()
    (sent / "base-0.5b.gguf.part-01").write_bytes(b"not this")
    assert "2 of 3 parts" in call(300, 0, "sums", "base-0.5b.gguf.part-02", "base-0.5b.gguf.part-01")
    said = call(300, 0, "base-0.5b.gguf.part-00", "train.xz.part-00")
    assert "DAMAGED" in said
    assert "base-0.5b.gguf.part-01: FAILED" in said
    (sent / "base-0.5b.gguf.part-01").write_bytes(good)
    assert "ladder has begun" in call(300, 0, "base-0.5b.gguf.part-01")
    said = call(300, 90, "heldout.xz.part-00")
    assert "sent back: out-05-rung-40, fp16" in said
    adapter = work / "out-05" / "rung-40" / "adapter-fp16" / "adapter_model.safetensors"
    assert (back / "out-05-rung-40-fp16.safetensors.part-0").read_bytes() == adapter.read_bytes()
    assert (back / "logs.tar.gz").stat().st_size > 500
    assert "sent back" not in call(300, 0)
