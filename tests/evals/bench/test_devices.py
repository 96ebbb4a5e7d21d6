"""What `midfill bench --quick` keeps about the devices."""

from pathlib import Path

import pytest

from evals.bench.devices import choose_device, decide, typical_ms
from model.engine.device import Card, CardError, read_measured
from tests.model.gpu import tiny_gpu_decoder


@pytest.mark.parametrize(
    ("cpu_ms", "cuda_ms", "chosen"),
    [
        (200.0, {"bf16": 50.0, "nf4": 20.0}, ("cuda", "bf16")),  # both are instant: the more exact one
        (200.0, {"bf16": 150.0, "nf4": 100.0}, ("cuda", "nf4")),
        (80.0, {"bf16": 150.0, "nf4": 100.0}, ("cpu", "nf4")),
        (200.0, {"nf4": 40.0}, ("cuda", "nf4")),
    ],
)
def test_the_more_exact_kind_is_taken_where_it_is_fast_enough(
    cpu_ms: float, cuda_ms: dict[str, float], chosen: tuple[str, str]
) -> None:
    measured = decide("card", cpu_ms, cuda_ms)
    assert measured is not None
    assert (measured.device, measured.kind) == chosen


def test_without_a_card_nothing_is_measured_and_the_reason_said(tiny_cache: Path, tiny_model: Path) -> None:
    def probe() -> Card:
        raise CardError("no NVIDIA card or driver was found")

    said = choose_device(str(tiny_model), probe)
    assert said == "device: the processor (no NVIDIA card or driver was found)"
    assert not tiny_cache.exists()


def test_a_card_that_fails_at_measuring_is_not_chosen(tiny_cache: Path, tiny_model: Path) -> None:
    """Where there is none, loading onto one fails as it would on a full or an unplugged one."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a card here")
    said = choose_device(str(tiny_model), lambda: Card("NVIDIA Test", 8_000_000_000, 8_000_000_000))
    assert said.startswith("device: the processor (bf16: ")
    assert read_measured(tiny_model.name) is None


def test_a_typical_line_takes_time(tiny_model: Path) -> None:
    assert typical_ms(tiny_gpu_decoder(tiny_model), 300) > 0
