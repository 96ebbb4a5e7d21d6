"""Where a model runs, on a graphics card or the processor, with which weights, and why; what a card's failure means.

`choose` decides at the daemon's start; `failure` turns an exception into a sentence for the user, or says that it is
no card's. The sentence is shown in `midfill/status` and `midfill status`.

    setting   cpu: the processor. cuda: the card, if there is one that works. auto: what `midfill bench --quick`
              measured here to be faster, else the card if the model fits into its free memory.

Rules: a card that cannot be used is a reason, never an error: completions go on with the processor. Nothing here
touches CUDA when the setting is "cpu", and torch is imported only where it was built for cards and there is a driver.
"""

import ctypes
import re
import runpy
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from model.library import extras
from model.library.architecture import foreign_reason
from model.library.paths import measured_file
from model.library.records import read_record, write_record
from model.library.shards import files_of
from model.weights.prepare import choose_kind

# A setting of `quantization` as the card's kind of weights; "auto" is decided by memory.
_GPU_KIND = {"int4": "nf4", "int8": "llmint8", "bf16": "bf16"}
# Bytes of weights in bf16 for a byte of the published file: a GGUF in 4 bits has 4.8 or more bits a weight.
_BF16_PER_GGUF_BYTE = 3.4
_SHARE = {"bf16": 1.0, "llmint8": 0.62, "nf4": 0.45}  # of that, embedding and head in bf16 included
# Activations of a prefill, captured graphs and the libraries' own.
_WORKING_BYTES = 1.5e9
# In bf16 if that takes at most this share of the free memory: the card is not midfill's alone.
_BF16_SHARE = 0.5

_NO_CUDA_BUILD = "this torch is built for the processor alone: install its CUDA build to use an NVIDIA card"
_NO_DRIVER = "no NVIDIA card or driver was found"
# What CUDA programs load, on Linux and on Windows.
_DRIVERS = ("libcuda.so.1", "nvcuda.dll")
_DEVICE_ERROR = re.compile(r"CUDA|cuda|cuDNN|CUBLAS|cublasLt|NVIDIA|no kernel image")


class CardError(RuntimeError):
    """There is no card that can be used; the message says why, for the user."""


@dataclass(frozen=True, slots=True)
class Card:
    """A graphics card that has answered."""

    name: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """device: "cpu" or "cuda"; kind: of the store's kinds; reason: a sentence, "" where nothing was to be decided."""

    device: str
    kind: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What `midfill bench --quick` found for a model beside a card: milliseconds of a typical completion on each."""

    card: str
    device: str
    kind: str
    cpu_ms: float
    cuda_ms: float


def find_card() -> Card:
    """The first NVIDIA card, tried with a small computation; CardError when none works."""
    if "torch" in extras.missing("cuda"):
        raise CardError(extras.lack("cuda", "an NVIDIA card"))
    if _cuda_of_torch() is None:
        raise CardError(_NO_CUDA_BUILD)
    if not _has_driver():
        raise CardError(_NO_DRIVER)
    import torch

    try:
        torch.cuda.init()  # says what is wrong, where is_available() only says no
        if torch.zeros(1, device="cuda").add_(1).item() != 1:
            raise CardError("the graphics card computes wrongly")
        free, total = torch.cuda.mem_get_info()
        return Card(torch.cuda.get_device_name(), total, free)
    except (RuntimeError, AssertionError) as error:
        raise CardError(failure(error) or str(error)) from error


def _cuda_of_torch() -> str | None:
    """The version of CUDA that the installed torch was built with, from `torch.version` alone: torch takes seconds."""
    torch = find_spec("torch")
    if torch is None or torch.origin is None:
        return None
    cuda: str | None = runpy.run_path(str(Path(torch.origin).with_name("version.py"))).get("cuda")
    return cuda


def _has_driver() -> bool:
    """Whether NVIDIA's driver is installed, which says nothing of whether it works."""
    for name in _DRIVERS:
        with suppress(OSError):
            ctypes.CDLL(name)
            return True
    return False


def is_full(error: BaseException) -> bool:
    """Whether an error says that a card's memory is full."""
    torch = sys.modules.get("torch")  # who never imported it has met no such error
    return torch is not None and isinstance(error, torch.OutOfMemoryError)


def failure(error: BaseException) -> str | None:
    """One sentence about a card's failure, with what helps; None when the error is none."""
    text = str(error).strip().split("\n")[0]
    if isinstance(error, CardError):
        return text
    if is_full(error):
        return "the graphics card's memory is full: close what else uses it, or choose a smaller model"
    if not isinstance(error, RuntimeError | AssertionError) or not _DEVICE_ERROR.search(text):
        return None
    if "not compiled with CUDA" in text:
        return _NO_CUDA_BUILD
    if "driver" in text and ("too old" in text or "insufficient" in text):
        return f"the NVIDIA driver is too old for this torch: update the driver ({text})"
    if "no NVIDIA driver" in text or "no CUDA-capable device" in text or "No CUDA GPUs" in text:
        return _NO_DRIVER
    if "no kernel image" in text:
        return f"this torch has no kernels for the graphics card: it is too old, or too new ({text})"
    return f"the graphics card does not answer any more: was it unplugged, or reset? ({text})"


def choose(setting: str, quantization: str, model_id: str, file: Path, probe: Callable[[], Card] = find_card) -> Choice:
    """Decide where and with which weights to run a published model file; never raises for a card's sake."""
    if why := foreign_reason(file):
        kind = "fp32" if quantization == "fp32" else "int8"
        return Choice(device="cpu", kind=kind, reason=f"{why}; transformers runs it, slower")
    if setting == "cpu":
        return on_cpu(quantization, "")
    try:
        card = probe()
    except CardError as error:
        return on_cpu(quantization, str(error) if setting == "cuda" else "")
    measured = read_measured(model_id)
    if setting == "auto" and quantization == "auto" and measured is not None and measured.card == card.name:
        times = f"measured: {measured.cuda_ms:.0f} ms on the card, {measured.cpu_ms:.0f} ms on the processor"
        if measured.device == "cpu":
            return on_cpu(quantization, times)
        return Choice(device="cuda", kind=measured.kind, reason=times)
    if quantization == "fp32" and setting == "auto":
        return on_cpu(quantization, "")
    kind = _GPU_KIND.get(quantization) or _kind_for(card, file)
    if kind != "bf16" and (why := extras.lack("cuda", "a quantized model on a card")):
        return on_cpu(quantization, why)
    if (needed := needed_bytes(file, kind)) > card.free_bytes:
        return on_cpu(
            quantization,
            f"the {card.name} has {card.free_bytes / 1e9:.1f} GB free, the model needs about {needed / 1e9:.1f} GB: "
            "close what else uses it, or choose a smaller model",
        )
    return Choice(device="cuda", kind=kind, reason=card.name)


def on_cpu(quantization: str, reason: str) -> Choice:
    """The processor, with the kind of weights that the setting means there; bf16 is the card's alone."""
    return Choice(device="cpu", kind=choose_kind(quantization), reason=reason)


def needed_bytes(file: Path, kind: str) -> float:
    """An estimate of the card's memory for a published model in a kind of weights."""
    return _bf16_bytes(file) * _SHARE[kind] + _WORKING_BYTES


def _kind_for(card: Card, file: Path) -> str:
    return "bf16" if needed_bytes(file, "bf16") <= _BF16_SHARE * card.free_bytes else "nf4"


def _bf16_bytes(file: Path) -> float:
    n_bytes = sum(part.stat().st_size for part in files_of(file))
    return n_bytes * _BF16_PER_GGUF_BYTE if file.is_file() else n_bytes


def read_measured(model_id: str) -> Measured | None:
    """What was measured for a model on this machine; None when nothing was, or it cannot be read."""
    record = read_record(measured_file(), model_id)
    try:
        return None if record is None else Measured(**record)
    except TypeError:
        return None


def write_measured(model_id: str, measured: Measured) -> None:
    """Keep a measurement beside those of other models; OSError when the cache cannot be written."""
    write_record(measured_file(), model_id, asdict(measured))
