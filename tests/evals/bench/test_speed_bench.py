"""The logic of the bench, with workers that answer from a table instead of computing."""

import ast
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from evals.bench import contender, midfill_worker, plots
from evals.bench.contender import Contender, Settings, label, peer_settings, usable_peers
from evals.bench.kinds import kind_keys, measure_kinds
from evals.bench.machine import Footprint
from evals.bench.summary import ModelResult, ending_of, figures, summary, summary_of, table_of
from evals.bench.timings import CHUNK_TOKENS, Plan, quick_plan, step_figure, time_depths, time_prefills, time_steps
from evals.bench.workload import body_lines, stdlib_prompts, time_workload, tokens_per_second
from evals.peers.client import WorkerError

SMALL = Plan(prefills=(512, 2048, 8192), positions=(16_384, 512), depths=(1024, 4096), steps=(1, 4))
SLEEPLESS = pytest.mark.usefixtures("no_sleep")


@pytest.fixture
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evals.bench.timings.time.sleep", lambda seconds: None)


class FakeWorker:
    """Answers with `seconds(op, number of ids, settings)` and remembers what it was asked."""

    def __init__(self, seconds: Callable[[str, int, Settings], float]) -> None:
        self.seconds = seconds
        self.loaded: Settings = None
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        self.asked.append((op, arguments))
        s = self.seconds(op, len(arguments.get("ids", ())), self.loaded)
        return {"s": s / 2 if arguments.get("speculate") else s, "n": arguments.get("n_tokens", 0)}

    def load(self, settings: Settings) -> None:
        self.loaded = settings


def contend(name: str, seconds: Callable[[str, int, Settings], float]) -> Contender:
    worker = FakeWorker(seconds)
    settings: tuple[Settings, ...] = (None,) if name == "midfill" else peer_settings(SMALL.n_ctx)
    result = Contender(name, worker, settings, worker.load)
    result.use(settings[0])
    return result


def by_attention(on: float, off: float) -> Callable[[str, int, Settings], float]:
    """Seconds per token with each kind of attention; micro-batches of 256 are best."""

    def seconds(op: str, n: int, settings: Settings) -> float:
        assert settings is not None
        slow = 1.0 if settings.n_ubatch == 256 else 1.5
        return n * slow * (on if settings.flash_attn == "on" else off)

    return seconds


def measured(*peers: str) -> ModelResult:
    ours = contend("midfill", lambda op, n, settings: n * 0.01)
    contenders = [ours, *(contend(peer, by_attention(0.02, 0.04)) for peer in peers)]
    ids = list(range(8192))
    time_prefills(contenders, ids, SMALL)
    time_steps(contenders, ids, SMALL)
    time_depths(contenders, ids, SMALL)
    generated = time_workload(contenders, [list(range(600))])
    return ModelResult(
        model="qwen2.5-coder-0.5b",
        contenders=contenders,
        generated=generated,
        kind="int4",
        bytes_per_step=500_000_000,
        footprints={
            "midfill": Footprint(first_token_s=2.0, rss_mb=1000.0, pss_mb=900.0),
            **dict.fromkeys(peers, Footprint(first_token_s=1.0, rss_mb=800.0, pss_mb=None)),
        },
    )


@SLEEPLESS
def test_all_settings_run_once_and_only_the_best_ones_go_on() -> None:
    peer = contend("llamacpp", by_attention(0.02, 0.04))
    time_prefills([peer], list(range(8192)), SMALL)
    runs = n_samples(peer)
    best = "flash on, ubatch 256"
    assert runs["prefill_512"] == {label(s): 3 if label(s) == best else 1 for s in peer.settings}
    assert runs["prefill_2048"] == {best: 3}
    assert runs["prefill_8192"] == {best: 1}


@SLEEPLESS
def test_a_kind_of_attention_that_is_nearly_as_good_goes_on_to_the_next_size() -> None:
    peer = contend("llamacpp", by_attention(0.02, 0.024))
    time_prefills([peer], list(range(8192)), SMALL)
    assert n_samples(peer)["prefill_2048"] == {"flash on, ubatch 256": 3, "flash off, ubatch 256": 1}
    ours = contend("midfill", lambda op, n, settings: n * 0.01)
    time_prefills([ours], list(range(8192)), SMALL)
    assert n_samples(ours) == {"prefill_512": {"": 3}, "prefill_2048": {"": 3}, "prefill_8192": {"": 1}}


def n_samples(engine: Contender) -> dict[str, dict[str, int]]:
    return {figure: {s: len(taken) for s, taken in by.items()} for figure, by in engine.samples.items()}


@SLEEPLESS
def test_the_best_settings_are_found_for_each_figure_by_itself() -> None:
    def seconds(op: str, n: int, settings: Settings) -> float:
        assert settings is not None
        return 1.0 if (settings.flash_attn == "on") == (op == "time_prefill") else 2.0

    peer = contend("llamacpp", seconds)
    time_prefills([peer], list(range(8192)), SMALL)
    time_steps([peer], list(range(8192)), SMALL)
    assert peer.best("prefill_512") == (1.0, "flash on, ubatch 128")
    assert peer.best("step_1") == (1.0, "flash off, ubatch 512")
    assert peer.best("no such figure") is None


@SLEEPLESS
def test_engines_take_turns_and_steps_go_from_deep_to_shallow() -> None:
    ours = contend("midfill", lambda op, n, settings: 0.01)
    time_steps([ours], list(range(8192)), SMALL)
    worker = ours.worker
    assert isinstance(worker, FakeWorker)
    positions = [a["position"] for op, a in worker.asked if op == "time_step"]
    half = len(positions) // 2  # two kinds of attention
    per_repetition = positions[: half // SMALL.repetitions]
    assert per_repetition == sorted(per_repetition, reverse=True)
    assert Counter(op for op, _ in worker.asked)["fill"] == 2 * SMALL.repetitions


@SLEEPLESS
def test_ratios_are_ours_over_each_peers_best() -> None:
    keys = summary_of(measured("llamacpp", "ik_llama"), SMALL, bandwidth=100e9)
    assert keys["prefill_ratio"] == keys["prefill_ratio_2048"] == keys["prefill_ratio_8192_ik"] == pytest.approx(2.0)
    assert keys["decode_ratio"] == keys["step1_ratio"] == keys["decode_ratio_16k"] == pytest.approx(3.0)
    assert keys["spec_ratio"] == pytest.approx(2 * keys["workload_ratio"])
    assert keys["step_1_s"] == pytest.approx(0.01)
    assert keys["step_1_s_llamacpp"] == pytest.approx(0.03)
    assert keys["token_ms_at_4096"] == pytest.approx(CHUNK_TOKENS * 0.01 / CHUNK_TOKENS * 1e3)
    assert keys["bandwidth_share"] == pytest.approx(0.5)
    assert (keys["rss_mb_ik_llama"], keys["first_token_s_ik_llama"], keys["pss_mb"]) == (800.0, 1.0, 900.0)
    assert "pss_mb_ik_llama" not in keys


def test_kinds_are_compared_with_fp32() -> None:
    class KindWorker:
        """Steps of 8, 4 and 2 seconds for fp32, int8 and int4."""

        def __enter__(self) -> "KindWorker":
            return self

        def __exit__(self, *exc: object) -> None:
            pass

        def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
            if op == "load":
                self.step = {"fp32": 8.0, "int8": 4.0, "int4": 2.0}[arguments["kind"]]
            return {"s": self.step, "mb": 1.0, "bytes_per_step": 10}

    keys = kind_keys(measure_kinds("m", KindWorker), spec_tokens_per_s=1.0)
    assert (keys["int8_over_fp32"], keys["int4_over_fp32"], keys["int4_everything_over_fp32"]) == (2.0, 4.0, 8.0)


@SLEEPLESS
def test_what_was_not_measured_has_no_key() -> None:
    keys = summary_of(measured("llamacpp"), SMALL, bandwidth=100e9)
    assert not [key for key in keys if "ik" in key]
    assert "workload_ratio" in keys
    alone = summary_of(measured(), SMALL, bandwidth=100e9)
    assert not [key for key in alone if "ratio" in key]


@SLEEPLESS
def test_a_second_models_keys_end_in_its_size_before_the_peer() -> None:
    first = measured("llamacpp", "ik_llama")
    keys = summary([first, replace(first, model="qwen2.5-coder-1.5b")], SMALL, bandwidth=100e9)
    assert keys["model"] == "qwen2.5-coder-0.5b,qwen2.5-coder-1.5b"
    assert {"decode_ratio", "decode_ratio_ik", "decode_ratio_1_5b", "decode_ratio_1_5b_ik"} <= set(keys)
    assert {"prefill_512_s_1_5b_llamacpp", "rss_mb_1_5b", "bandwidth_share_1_5b", "bandwidth_gb_s"} <= set(keys)
    assert ending_of("model") == "_model"


@SLEEPLESS
def test_the_table_has_a_column_for_each_engine_that_was_measured() -> None:
    result = measured("llamacpp")
    table = table_of(result, SMALL)
    headers = [column.header for column in table.columns]
    assert headers == [
        "figure",
        "midfill",
        "llama.cpp",
        "ratio",
        "its best settings",
    ]
    assert table.row_count == len(figures(SMALL)) + 2  # and real code, plain and speculating


def test_a_quick_plan_has_no_long_figures() -> None:
    assert figures(quick_plan(1)) == ["prefill_512", "step_1", "step_4", "step_8"]
    assert step_figure(4, 16_384) == "step_4_at_16384"


def test_a_missing_wheel_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(worker: object, gguf: Path, settings: object) -> int:
        raise WorkerError("ik-llama-cpp-python is not installed; pip install ik-llama-cpp-python==0.1.5")

    monkeypatch.setattr(contender, "PEERS", {"ik_llama": "ik_llama.cpp"})
    monkeypatch.setattr(contender, "load_peer", load)
    console = Console(record=True, width=200)
    assert usable_peers(Path("model.gguf"), console) == []
    assert console.export_text().splitlines() == [
        "ik_llama.cpp is left out: ik-llama-cpp-python is not installed; pip install ik-llama-cpp-python==0.1.5"
    ]


class CharacterTokenizer:
    """Four characters are a token."""

    def encode(self, text: str) -> list[int]:
        return [len(text[i : i + 4]) for i in range(0, len(text), 4)]

    def token_bytes(self, token_id: int) -> bytes:
        raise NotImplementedError


def test_the_workload_is_the_same_every_time_and_its_prompts_grow_within_a_window() -> None:
    prompts = stdlib_prompts(CharacterTokenizer(), 2, seed=0)
    assert prompts == stdlib_prompts(CharacterTokenizer(), 2, seed=0)
    assert len(prompts) == 12
    assert all(512 <= len(ids) <= 2048 for ids in prompts)
    for window in (prompts[:6], prompts[6:]):
        assert [len(ids) for ids in window] == sorted(len(ids) for ids in window)


def test_cuts_are_inside_of_function_bodies() -> None:
    code = "import os\n\ndef f(a):\n    b = 1\n    return b\n\nx = 1\n"
    assert body_lines(ast.parse(code)) == {4}


def test_a_speed_is_all_tokens_over_all_seconds() -> None:
    assert tokens_per_second([(10, 1.0), (20, 2.0)]) == 10.0
    assert tokens_per_second([]) is None


@SLEEPLESS
def test_a_plot_is_an_svg_for_each_idea(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    result = measured("llamacpp", "ik_llama")
    paths = plots.write_plots([result, result], SMALL, tmp_path / "run.jsonl", Console(quiet=True))
    assert [path.name for path in paths] == ["run-prefill.svg", "run-steps.svg", "run-depth.svg"]
    assert all(path.read_text().startswith("<?xml") for path in paths)


def test_midfills_own_worker_steps_fills_and_generates(tiny_model: Path, ready_cache: Path) -> None:
    timing = midfill_worker.Timing()
    assert timing.load(str(tiny_model), n_ctx=128)["bytes_per_step"] > 0
    ids = [65, 66, 67, 68, 69]
    assert timing.time_prefill(ids)["s"] > 0
    timing.fill(23)
    for position in (23, 4):
        assert timing.time_chunk(ids, position)["s"] > 0
        assert timing.time_step(ids, position)["s"] > 0
    plain = timing.time_generate(ids, n_tokens=6, speculate=False)
    assert plain["n"] <= 6
    assert timing.time_generate(ids, n_tokens=6, speculate=False)["n"] == plain["n"]
    assert timing.time_generate(ids, n_tokens=6, speculate=True)["n"] == plain["n"]
