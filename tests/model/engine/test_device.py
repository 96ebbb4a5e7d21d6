"""Where a model runs: what decides it, and what a failing card is called. No card is needed for any of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from model.engine.device import (
    Card,
    CardError,
    Choice,
    Measured,
    choose,
    failure,
    find_card,
    read_measured,
    write_measured,
)

CARD = Card("NVIDIA Test 4000", 16_000_000_000, 15_000_000_000)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def gguf(tmp_path: Path) -> Callable[[float], Path]:
    def make(n_bytes: float) -> Path:
        file = tmp_path / "model.gguf"
        with file.open("wb") as handle:
            handle.truncate(int(n_bytes))
        return file

    return make


def with_card(card: Card = CARD) -> Callable[[], Card]:
    return lambda: card


def without_card(reason: str) -> Callable[[], Card]:
    def probe() -> Card:
        raise CardError(reason)

    return probe


def test_a_card_with_room_runs_the_model_in_bf16(gguf: Callable[[float], Path]) -> None:
    assert choose("auto", "auto", "m", gguf(1.1e9), with_card()) == Choice(
        device="cuda", kind="bf16", reason="NVIDIA Test 4000"
    )


def test_a_model_that_would_fill_the_card_is_quantized(gguf: Callable[[float], Path]) -> None:
    assert choose("auto", "auto", "m", gguf(4.7e9), with_card()).kind == "nf4"


@pytest.mark.parametrize(("setting", "kind"), [("int4", "nf4"), ("int8", "llmint8"), ("bf16", "bf16")])
def test_who_sets_the_weights_gets_the_cards_own_kind(gguf: Callable[[float], Path], setting: str, kind: str) -> None:
    assert choose("cuda", setting, "m", gguf(1e9), with_card()).kind == kind


def test_too_little_memory_is_a_sentence_and_the_processor(gguf: Callable[[float], Path]) -> None:
    choice = choose("cuda", "auto", "m", gguf(4.7e9), with_card(Card("Small", 4_000_000_000, 3_000_000_000)))
    assert choice.device == "cpu"
    assert choice.reason.startswith("the Small has 3.0 GB free, the model needs about 8.")


def test_a_missing_card_is_told_to_who_asked_for_it_only(gguf: Callable[[float], Path]) -> None:
    probe = without_card("no NVIDIA card or driver was found")
    assert choose("cuda", "auto", "m", gguf(1e9), probe).reason == "no NVIDIA card or driver was found"
    assert choose("auto", "auto", "m", gguf(1e9), probe).reason == ""


def test_the_processor_asks_for_no_card(gguf: Callable[[float], Path]) -> None:
    def probe() -> Card:
        raise AssertionError("nobody asked")

    assert choose("cpu", "int8", "m", gguf(1e9), probe) == Choice(device="cpu", kind="int8", reason="")


def test_what_was_measured_beside_this_card_decides(gguf: Callable[[float], Path]) -> None:
    slower = Measured(card=CARD.name, device="cpu", kind="int4", cpu_ms=80.0, cuda_ms=120.4)
    write_measured("m", slower)
    write_measured("other", Measured(card=CARD.name, device="cuda", kind="nf4", cpu_ms=80.0, cuda_ms=20.0))
    assert read_measured("m") == slower
    choice = choose("auto", "auto", "m", gguf(1e9), with_card())
    assert choice.device == "cpu"
    assert choice.reason == "measured: 120 ms on the card, 80 ms on the processor"
    assert choose("auto", "auto", "other", gguf(1e9), with_card()).kind == "nf4"
    assert choose("cuda", "auto", "m", gguf(1e9), with_card()).device == "cuda"  # who insists gets the card
    assert choose("auto", "auto", "m", gguf(1e9), with_card(Card("another", 9e10, 9e10))).device == "cuda"  # type: ignore[arg-type]


def test_a_damaged_measurement_is_none(gguf: Callable[[float], Path]) -> None:
    write_measured("m", Measured(card=CARD.name, device="cpu", kind="int4", cpu_ms=1.0, cuda_ms=2.0))
    from model.library.paths import measured_file

    measured_file().write_text("{")
    assert read_measured("m") is None
    assert choose("auto", "auto", "m", gguf(1e9), with_card()).device == "cuda"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), "memory is full"),
        (RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might be"), "does not answer"),
        (RuntimeError("CUDA error: no kernel image is available for execution on the device"), "no kernels"),
        (RuntimeError("The NVIDIA driver on your system is too old (found version 11040)."), "driver is too old"),
        (RuntimeError("CUDA error: CUDA driver version is insufficient for CUDA runtime version"), "too old"),
        (RuntimeError("Found no NVIDIA driver on your system."), "no NVIDIA card or driver"),
        (RuntimeError("No CUDA GPUs are available"), "no NVIDIA card or driver"),
        (AssertionError("Torch not compiled with CUDA enabled"), "built for the processor alone"),
        (CardError("as it was said"), "as it was said"),
    ],
)
def test_a_failing_card_is_one_sentence(error: Exception, said: str) -> None:
    sentence = failure(error)
    assert sentence is not None
    assert said in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    "error",
    [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("CUDA"), MemoryError(), IndexError()],
)
def test_other_errors_are_no_cards(error: Exception) -> None:
    assert failure(error) is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card here")
def test_here_no_card_is_found_in_words() -> None:
    with pytest.raises(CardError, match=r"built for the processor alone|no NVIDIA card or driver|driver is too old"):
        find_card()
