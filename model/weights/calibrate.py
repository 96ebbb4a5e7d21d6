"""Runs a calibration text through a published model layer by layer, and quantizes each layer on the way.

Every matrix is handed to `choose` with the hessian of what really reaches it: the inputs come out of the
layers and matrices before it as they were quantized, so that later ones make good for earlier ones. One
layer of fp32 weights is in memory at a time.

Rules: the text must be on every machine, offline: the samples of midfill's own evals (six languages), then
the standard library of the running Python. It is never what an eval measures.
"""

import sysconfig
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import torch
import torch.nn.functional as F

from completion.types import Tokenizer
from model.decoders.torch_decoder import attention, rotate
from model.native.matrix_layout import GROUP
from model.weights.lowbit import Groups, hessian_blocks
from model.weights.source import WeightSource

WINDOW_TOKENS = 512
# Code of many kinds, and in every Python since 3.11.
_MODULES = (
    "dataclasses.py",
    "http/server.py",
    "json/decoder.py",
    "asyncio/queues.py",
    "logging/handlers.py",
    "unittest/case.py",
    "csv.py",
    "pathlib.py",
    "concurrent/futures/thread.py",
    "textwrap.py",
    "heapq.py",
    "zipfile.py",
)
# Past the licence and the imports of a module.
_SKIP_CHARACTERS = 1500
# The largest diagonal block of a hessian: a down projection's whole hessian takes seconds to factor.
_MAX_BLOCK = 1536

# What quantizes one matrix: (name, for example "layers.3.qkv"; weight (out, in) fp32; hessian blocks) -> codes.
Choose = Callable[[str, torch.Tensor, torch.Tensor], Groups]


def calibration_windows(tokenizer: Tokenizer, n_windows: int) -> torch.Tensor:
    """Token ids (n_windows, WINDOW_TOKENS); the samples come first."""
    ids: list[int] = []
    for text in _texts():
        ids += tokenizer.encode(text)
        if len(ids) >= n_windows * WINDOW_TOKENS:
            break
    n_windows = min(n_windows, len(ids) // WINDOW_TOKENS)
    return torch.tensor(ids[: n_windows * WINDOW_TOKENS]).view(n_windows, WINDOW_TOKENS)


def _texts() -> Iterator[str]:
    for sample in sorted(resources.files("evals.samples").iterdir(), key=lambda path: path.name):
        if sample.is_file() and not sample.name.startswith("__"):
            yield sample.read_text()
    library = Path(sysconfig.get_paths()["stdlib"])
    for name in _MODULES:
        if (library / name).is_file():
            yield (library / name).read_text()[_SKIP_CHARACTERS : _SKIP_CHARACTERS + 12_000]


@torch.inference_mode()
def quantize_layers(weights: WeightSource, windows: torch.Tensor, choose: Choose) -> Iterator[dict[str, Groups]]:
    """The matrices of each layer in order (qkv, o, gate_up, down), and in the end {"head": ...}.

    windows: (n, length) token ids, each window a text of its own.
    """
    a = weights.architecture
    hidden = weights.tensor("embed")[windows.flatten()]
    angles = torch.outer(torch.arange(windows.shape[1]).float(), torch.tensor(a.inverse_frequencies())).repeat(1, 2)
    rotary = angles.cos(), angles.sin()
    for index in range(a.n_layers):
        layer = _LayerWalk(weights, f"layers.{index}.", choose)
        hidden = layer.run(hidden, rotary, windows.shape[0])
        yield layer.groups
    last = F.rms_norm(hidden, (a.hidden,), weights.tensor("norm"), a.norm_eps)
    yield {"head": choose("head", weights.tensor("head"), hessian_blocks(last, block_size(a.hidden)))}


class _LayerWalk:
    """One layer: `run` quantizes its matrices into `groups` as the text reaches them."""

    def __init__(self, weights: WeightSource, prefix: str, choose: Choose) -> None:
        self._weights, self._prefix, self._choose = weights, prefix, choose
        self.groups: dict[str, Groups] = {}

    def run(self, hidden: torch.Tensor, rotary: tuple[torch.Tensor, torch.Tensor], n_windows: int) -> torch.Tensor:
        """hidden: (n, hidden), windows after one another; rotary: cos and sin, (length, head_dim)."""
        qkv = self._linear("qkv", ("q", "k", "v"), self._normed(hidden, "attn_norm"))
        if self._weights.architecture.qkv_bias:
            qkv += torch.cat([self._get(f"{part}.bias") for part in ("q", "k", "v")])
        attended = torch.cat([self._attend(window, rotary) for window in qkv.chunk(n_windows)])
        hidden = hidden + self._linear("o", ("o",), attended, hidden)
        gate, up = self._linear("gate_up", ("gate", "up"), self._normed(hidden, "ffn_norm")).chunk(2, dim=1)
        return hidden + self._linear("down", ("down",), F.silu(gate).mul_(up), hidden)

    def _get(self, part: str) -> torch.Tensor:
        return self._weights.tensor(self._prefix + part)

    def _normed(self, hidden: torch.Tensor, norm: str) -> torch.Tensor:
        return F.rms_norm(hidden, (hidden.shape[1],), self._get(norm), self._weights.architecture.norm_eps)

    def _linear(
        self, name: str, parts: tuple[str, ...], x: torch.Tensor, stream: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Quantize, then apply. An error beside a large residual `stream` matters less: the next norm divides by it."""
        weight = torch.cat([self._get(part) for part in parts])
        seen = x if stream is None else x / stream.square().mean(1, keepdim=True).sqrt_().clamp_min_(1e-6)
        groups = self._choose(self._prefix + name, weight, hessian_blocks(seen, block_size(x.shape[1])))
        self.groups[name] = groups
        return F.linear(x, groups.dequantize())

    def _attend(self, qkv: torch.Tensor, rotary: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        a = self._weights.architecture
        heads = qkv.view(qkv.shape[0], -1, a.head_dim).transpose(0, 1)
        q, k, v = heads.split((a.n_heads, a.n_kv_heads, a.n_kv_heads))
        return attention(rotate(q, *rotary), rotate(k, *rotary), v).transpose(0, 1).reshape(qkv.shape[0], -1)


def block_size(width: int) -> int:
    """The largest divisor of `width` into blocks of whole groups that is at most _MAX_BLOCK."""
    return max(size for size in range(GROUP, min(width, _MAX_BLOCK) + 1, GROUP) if width % size == 0)
