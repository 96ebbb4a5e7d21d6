"""Tries training on a device with random weights, before the real ones are there: `python -m tuning.device_check`.

It says whether losses and gradients are those of the processor, and how many tokens a second, and how much memory,
a model of the catalog's sizes takes.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from model.library.architecture import Architecture
from model.library.catalog import CATALOG, Size
from tuning.base import device_of
from tuning.data.example_file import ExampleFile, read, write
from tuning.data.packing import packs_of
from tuning.network import Base, Network

_TINY = Size(n_layers=2, hidden=128, n_heads=4, n_kv_heads=2, head_dim=64, intermediate=256)


def random_base(size: Size, vocab: int, device: torch.device, dtype: torch.dtype) -> Base:
    """Random weights of a size, the same on every device."""
    a = Architecture(
        family="qwen2",
        n_layers=size.n_layers,
        hidden=size.hidden,
        n_heads=size.n_heads,
        n_kv_heads=size.n_kv_heads,
        head_dim=size.head_dim,
        intermediate=size.intermediate,
        vocab=vocab,
        rope_theta=1e6,
        rope_scaling=None,
        norm_eps=1e-6,
        qkv_bias=True,
        context_tokens=32_768,
    )
    queries, keys = a.n_heads * a.head_dim, a.n_kv_heads * a.head_dim
    layer = {
        "attn_norm": (a.hidden,),
        "q": (queries, a.hidden),
        "k": (keys, a.hidden),
        "v": (keys, a.hidden),
        "q.bias": (queries,),
        "k.bias": (keys,),
        "v.bias": (keys,),
        "o": (a.hidden, queries),
        "ffn_norm": (a.hidden,),
        "gate": (a.intermediate, a.hidden),
        "up": (a.intermediate, a.hidden),
        "down": (a.hidden, a.intermediate),
    }
    shapes: dict[str, tuple[int, ...]] = {"embed": (vocab, a.hidden), "norm": (a.hidden,)}
    shapes |= {f"layers.{i}.{part}": shape for i in range(a.n_layers) for part, shape in layer.items()}
    source = torch.device("cpu") if vocab < 1000 else device  # the large ones need not be the same everywhere
    generator = torch.Generator(source).manual_seed(1)
    tensors = {}
    for name, shape in shapes.items():
        weight = torch.randn(shape, generator=generator, device=source) * 0.05 + float(name.endswith("norm"))
        tensors[name] = weight.to(device, dtype)
    tensors["head"] = tensors["embed"]
    return Base(a, tensors)


def random_examples(folder: Path, n: int, vocab: int, longest: int) -> ExampleFile:
    """Random ids; targets of a dozen tokens or so."""
    chance = np.random.default_rng(1)
    lengths = chance.integers(longest // 4, longest, n)
    sequences = [chance.integers(0, vocab, length).tolist() for length in lengths]
    targets = [int(length - chance.integers(4, 24)) for length in lengths]
    path = folder / "examples"
    write(path, sequences, targets, [{"language": "none", "kind": "none", "source": "none", "end": "text"}] * n)
    return read(path)


def differences(folder: Path, device: torch.device) -> tuple[float, float]:
    """The largest difference of a loss and of a gradient between the processor and a device, both in fp32."""
    examples = random_examples(folder, 12, 500, 150)
    found = []
    for where in (torch.device("cpu"), device):
        network = Network(random_base(_TINY, 500, where, torch.float32), 4, 8.0, seed=1)
        for index, (_, b) in enumerate(network.lora.values()):
            b.data.copy_(torch.randn(b.shape, generator=torch.Generator().manual_seed(index)) * 0.05)
        nll = torch.cat([network.score(pack.to(where)).nll for pack in packs_of(examples, range(12), 700)])
        nll.mean().backward()
        gradients = torch.cat([p.grad.flatten().cpu() for p in network.parameters().values() if p.grad is not None])
        found.append((nll.detach().cpu(), gradients))
    return tuple(float((mine - theirs).abs().max()) for mine, theirs in zip(*found, strict=True))  # type: ignore[return-value]


def speed(folder: Path, device: torch.device, size: Size, max_tokens: int, n_packs: int) -> str:
    """Tokens a second of training (and of judging) with packs of this size."""
    base = random_base(size, 151_936, device, torch.bfloat16 if device.type == "cuda" else torch.float32)
    network = Network(base, 16, 32.0, seed=1)
    examples = random_examples(folder, max(4 * max_tokens // 600, 2), base.architecture.vocab, 1000)
    packs = packs_of(examples, range(len(examples)), max_tokens)[: n_packs + 1]
    said = []
    for trains in (True, False):
        tokens = 0
        for number, pack in enumerate(packs):
            if number == 1:  # the first one prepares
                _wait(device)
                began = time.monotonic()
            with torch.set_grad_enabled(trains):
                loss = network.score(pack.to(device)).nll.mean()
            if trains:
                loss.backward()
            tokens += len(pack.ids) if number else 0
        _wait(device)
        said.append(f"{tokens / (time.monotonic() - began):,.0f} tokens/s {'trained' if trains else 'judged'}")
    gigabytes = torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else 0.0
    return f"{', '.join(said)}; {len(packs)} packs of {max_tokens}; {gigabytes:.1f} GB at most"


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def main(argv: list[str] | None = None) -> int:
    """Check and measure; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tuning.device_check", description="Try training on a device")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--tokens", type=int, default=4096, help="of a pack for the smallest model")
    parser.add_argument("--packs", type=int, default=3)
    parser.add_argument("--layers", type=int, help="only so many layers")
    arguments = parser.parse_args(argv)
    device = device_of(arguments.device)
    print(f"python {sys.version.split()[0]}, torch {torch.__version__}, {device}")
    with TemporaryDirectory() as name:
        folder = Path(name)
        loss, gradient = differences(folder, device)
        print(f"fp32 here and on the processor: losses differ by {loss:.2g}, gradients by {gradient:.2g}")
        sizes = [row.size for row in CATALOG if row.size is not None]
        for number, size in enumerate(sizes[:2]):
            tokens = arguments.tokens // 2**number
            size = replace(size, n_layers=arguments.layers or size.n_layers)
            try:
                print(
                    f"{size.n_layers} layers of {size.hidden}: {speed(folder, device, size, tokens, arguments.packs)}"
                )
            except torch.OutOfMemoryError:
                print(f"{size.n_layers} layers of {size.hidden}: packs of {tokens} tokens do not fit")
            if device.type == "cuda":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
    return 0


if __name__ == "__main__":
    sys.exit(main())
