"""From one measured speed to a window, a recommendation and a sentence."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.library.catalog import CATALOG, resolve
from model.library.machine_fit import Machine, fit, larger, sentence
from model.library.speed import Speed
from model.library.store import newest_store, read_manifest

SMALL, LARGE = CATALOG[0].size, CATALOG[1].size
TWO_CORES = Machine(model_id=CATALOG[0].name, n_threads=2, kernels="avx2", tokens_per_s=280.0)


@pytest.mark.parametrize(
    ("tokens_per_s", "window"), [(5, 2_048), (60, 2_048), (120, 4_096), (280, 8_192), (600, 8_192), (1_500, 16_384)]
)
def test_a_faster_machine_has_a_larger_window(tokens_per_s: float, window: int) -> None:
    assert fit(SMALL, tokens_per_s).window_tokens == window


@given(st.floats(1, 1e5), st.floats(1, 10))
def test_more_speed_never_means_less(tokens_per_s: float, times: float) -> None:
    slow, fast = fit(SMALL, tokens_per_s), fit(SMALL, tokens_per_s * times)
    assert slow.window_tokens <= fast.window_tokens
    assert fit(SMALL, tokens_per_s, 4_096).line_s >= fit(SMALL, tokens_per_s * times, 4_096).line_s


def test_a_larger_model_has_a_smaller_window_and_takes_longer() -> None:
    row_and_fit = larger(TWO_CORES)
    assert row_and_fit is not None
    row, there = row_and_fit
    assert row is CATALOG[1]
    assert there.window_tokens < fit(SMALL, 280.0).window_tokens
    assert there.line_s > 2 * fit(SMALL, 280.0).line_s


def test_only_a_fast_machine_is_recommended_the_larger_model() -> None:
    told = sentence(TWO_CORES, SMALL)
    assert told == (
        "2 cores with AVX2 read 280 tokens a second: qwen2.5-coder-0.5b with a window of 8,192 tokens, a line in about "
        "0.4 s; qwen2.5-coder-1.5b would take 1.1 s"
    )
    page = (Path(__file__).parents[3] / "docs/models.md").read_text(encoding="utf-8")
    assert told in page.replace("\n> ", " ")
    assert "suggests better" in sentence(replace(TWO_CORES, n_threads=8, tokens_per_s=1_500.0), SMALL)


def test_there_is_nothing_to_recommend_beside_the_largest_or_a_model_of_ones_own() -> None:
    for name in (CATALOG[-1].name, "mine-0123abcd"):
        machine = replace(TWO_CORES, model_id=name)
        assert larger(machine) is None
        assert sentence(machine, LARGE).endswith(" s")


def test_the_users_own_window_is_told_as_such() -> None:
    assert "a window of 2,048 tokens (set by maxPromptTokens; 8,192 would fit)" in sentence(TWO_CORES, SMALL, 2_048)


def test_without_the_kernels_torch_is_named() -> None:
    assert sentence(replace(TWO_CORES, n_threads=1, kernels=""), SMALL).startswith("1 core with torch read")


@pytest.mark.parametrize(
    ("changes", "news"),
    [
        ({}, False),
        ({"tokens_per_s": 100.0}, False),
        ({"tokens_per_s": 300.0}, False),
        ({"tokens_per_s": 400.0}, True),
        ({"n_threads": 1, "tokens_per_s": 100.0}, True),
        ({"kernels": "", "tokens_per_s": 100.0}, True),
    ],
)
def test_a_slow_hour_is_no_news(changes: dict[str, float], news: bool) -> None:
    assert replace(TWO_CORES, **changes).is_news(TWO_CORES) is news  # type: ignore[arg-type]
    assert TWO_CORES.is_news(None)


def test_the_best_speed_is_that_of_the_fastest_forward_near_the_beginning() -> None:
    speed = Speed(SMALL)
    assert speed.best_tokens_per_s == 0.0
    speed.learn(1, 10, 1.0)  # too short to count
    speed.learn(64, 8_000, 1.0)  # too deep
    assert (speed.best_tokens_per_s, speed.n_measured) == (0.0, 0)
    speed.learn(64, 32, 1_000.0)
    slow = speed.best_tokens_per_s
    speed.learn(64, 32, 200.0)
    speed.learn(64, 32, 900.0)
    assert speed.best_tokens_per_s == pytest.approx(5 * slow)
    assert speed.n_measured == 192


def test_a_speed_that_is_given_is_the_one_at_the_beginning() -> None:
    assert Speed(LARGE, 50.0).tokens_per_s == pytest.approx(50.0)


@pytest.mark.model
@pytest.mark.parametrize("row", CATALOG, ids=lambda row: row.name)
def test_a_size_of_the_catalog_is_that_of_the_file(row: object) -> None:
    name = row.name  # type: ignore[attr-defined]
    if (store := newest_store(resolve(name).model_id)) is None:
        pytest.skip(f"{name} is not on this machine")
    architecture, size = read_manifest(store).architecture, row.size  # type: ignore[attr-defined]
    assert all(getattr(architecture, field) == getattr(size, field) for field in size.__dataclass_fields__)
