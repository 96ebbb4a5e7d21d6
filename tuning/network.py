"""The forward pass that is trained: a Llama- or Qwen2-family decoder whose weights stay, with LoRA on every linear.

LoRA (Hu et al. 2021): y = W x + scale * B (A x). W keeps the type it was loaded in (bf16 on cards, fp32 on
processors); A and B are fp32 and are rounded to that type for each use. Its truth is transformers' model under PEFT:
the tests compare losses and gradients.

Rules: the head is computed where there is a loss and nowhere else, some rows at a time, since a whole sequence's
scores of 152k tokens would be larger than the model. Names are the store's (`model.weights.source`).
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from model.library.architecture import Architecture
from tuning.data.packing import Pack, Run

LINEARS = ("q", "k", "v", "o", "gate", "up", "down")
# Scores of this many tokens at once: 0.16 GB in fp32.
_HEAD_ROWS = 256


@dataclass(frozen=True, slots=True)
class Base:
    """Weights that stay as they are, by the store's names."""

    architecture: Architecture
    tensors: dict[str, torch.Tensor]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.tensors["embed"].device

    @property
    def dtype(self) -> torch.dtype:
        """What is computed in."""
        return self.tensors["embed"].dtype


@dataclass(frozen=True, slots=True)
class Scores:
    """What the network says of each of a pack's target tokens."""

    nll: torch.Tensor  # (targets' tokens,), in nats
    best: torch.Tensor  # (targets' tokens,): the likeliest token


@dataclass(frozen=True, slots=True)
class _Rows:
    """What every layer needs to know of a pack."""

    cos: torch.Tensor  # (tokens, 1, head_dim)
    sin: torch.Tensor
    runs: tuple[Run, ...]


class Network:
    """A base with an adapter. `lora` maps a linear's name to its A (rank, in) and B (out, rank), fp32.

    With `layers` only so many of the upper layers learn, and no gradient goes below them: a third less arithmetic a
    token for half of them. The ones below keep what they were given (`tuning.adapter_file.load_adapter`).
    """

    def __init__(self, base: Base, rank: int, alpha: float, seed: int, layers: int | None = None) -> None:
        self.base, self.rank, self.alpha = base, rank, alpha
        # Of packs with more tokens, the inside of each layer is computed again in the backward pass: less memory.
        self.keeps_tokens: float = math.inf
        self.lora = _new_lora(base, rank, seed, layers)
        frequencies = torch.tensor(base.architecture.inverse_frequencies())
        self._frequencies = frequencies.to(base.device)

    def parameters(self) -> dict[str, torch.Tensor]:
        """What is trained, by a name each, in a fixed order."""
        halves = {f"{name}.{half}": pair[i] for name, pair in self.lora.items() for i, half in enumerate("AB")}
        return {name: weight for name, weight in halves.items() if weight.requires_grad}

    def score(self, pack: Pack) -> Scores:
        """Negative log-likelihood and best token of every target token; differentiable in A and B."""
        hidden = self._hidden(pack)[pack.scored]
        head = self.base.tensors["head"]
        nll, best = [], []
        for rows, labels in zip(hidden.split(_HEAD_ROWS), pack.labels.split(_HEAD_ROWS), strict=True):
            loss, token = _Head.apply(rows, head, labels)  # type: ignore[no-untyped-call]
            nll.append(loss)
            best.append(token)
        return Scores(torch.cat(nll), torch.cat(best))

    def _hidden(self, pack: Pack) -> torch.Tensor:
        a, tensors = self.base.architecture, self.base.tensors
        angles = pack.positions[:, None].float() * self._frequencies
        angles = torch.cat([angles, angles], dim=-1)[:, None]
        rows = _Rows(angles.cos().to(self.base.dtype), angles.sin().to(self.base.dtype), pack.runs)
        hidden = F.embedding(pack.ids, tensors["embed"])
        for index in range(a.n_layers):
            if len(pack.ids) > self.keeps_tokens and torch.is_grad_enabled():
                hidden = _recomputed(self._layer, hidden, index, rows)
            else:
                hidden = self._layer(hidden, index, rows)
        return F.rms_norm(hidden, (a.hidden,), tensors["norm"], a.norm_eps)

    def _layer(self, hidden: torch.Tensor, index: int, rows: _Rows) -> torch.Tensor:
        a, tensors, at = self.base.architecture, self.base.tensors, f"layers.{index}"
        normed = F.rms_norm(hidden, (a.hidden,), tensors[f"{at}.attn_norm"], a.norm_eps)
        q, k, v = (self._linear(normed, f"{at}.{name}") for name in "qkv")
        q = _rotated(q.view(len(q), a.n_heads, a.head_dim), rows).flatten(1)
        k = _rotated(k.view(len(k), a.n_kv_heads, a.head_dim), rows).flatten(1)
        attended = torch.cat([_attend(q, k, v, run, a) for run in rows.runs])
        hidden = hidden + self._linear(attended, f"{at}.o")
        normed = F.rms_norm(hidden, (a.hidden,), tensors[f"{at}.ffn_norm"], a.norm_eps)
        gate, up = self._linear(normed, f"{at}.gate"), self._linear(normed, f"{at}.up")
        return hidden + self._linear(F.silu(gate) * up, f"{at}.down")

    def _linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        plain = F.linear(x, self.base.tensors[name], self.base.tensors.get(f"{name}.bias"))
        a, b = (half.to(x.dtype) for half in self.lora[name])
        return torch.addmm(plain, F.linear(x, a) * (self.alpha / self.rank), b.t())


def _new_lora(base: Base, rank: int, seed: int, layers: int | None) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """As PEFT begins: A uniform (Kaiming with a = sqrt 5), B zero, so that nothing is changed yet."""
    generator = torch.Generator().manual_seed(seed)
    lora = {}
    n_layers = base.architecture.n_layers
    first = 0 if layers is None else max(n_layers - layers, 0)
    for index, part in itertools.product(range(n_layers), LINEARS):
        name = f"layers.{index}.{part}"
        out, width = base.tensors[name].shape
        bound = 1 / math.sqrt(width)
        a = (torch.rand(rank, width, generator=generator) * 2 - 1) * bound
        pair = (a.to(base.device), torch.zeros(out, rank, device=base.device))
        lora[name] = (pair[0].requires_grad_(index >= first), pair[1].requires_grad_(index >= first))
    return lora


class _Head(torch.autograd.Function):
    """(losses, likeliest tokens) of some rows, with the losses' gradients made while their scores are there.

    So the scores of 152k tokens a row are neither kept nor computed again (Hsu et al. 2024, "Liger Kernel").
    """

    @staticmethod
    def forward(
        ctx: Any, rows: torch.Tensor, head: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        scores = F.linear(rows, head).float()
        best = scores.argmax(dim=-1)
        scores = torch.log_softmax(scores, dim=-1)
        nll = -scores.gather(1, labels[:, None])[:, 0]
        if ctx.needs_input_grad[0]:
            chances = scores.exp_()
            chances.scatter_add_(1, labels[:, None], -torch.ones_like(nll)[:, None])
            ctx.save_for_backward(chances.to(head.dtype) @ head)
        ctx.mark_non_differentiable(best)
        return nll, best

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (of_rows,) = ctx.saved_tensors
        return of_rows * gradients[0][:, None].to(of_rows.dtype), None, None


def _recomputed(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call without keeping what is inside: it is computed again in the backward pass."""
    return checkpoint(function, *arguments, use_reentrant=False, preserve_rng_state=False)


def _rotated(x: torch.Tensor, rows: _Rows) -> torch.Tensor:
    """RoPE on (tokens, heads, head_dim), the halves paired as Hugging Face has them."""
    first, second = x.chunk(2, dim=-1)
    return x * rows.cos + torch.cat([-second, first], dim=-1) * rows.sin


def _attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, run: Run, a: Architecture) -> torch.Tensor:
    """Causal attention of a run's rows (tokens, heads * head_dim) to its ancestors' and its own."""

    def by_head(x: torch.Tensor, heads: int) -> torch.Tensor:
        return x.view(1, len(x), heads, a.head_dim).transpose(1, 2)

    own_k, own_v = k[run.start : run.end], v[run.start : run.end]
    if run.seen is not None:
        own_k, own_v = (torch.cat([x.index_select(0, run.seen), own]) for x, own in ((k, own_k), (v, own_v)))
    attended = F.scaled_dot_product_attention(
        by_head(q[run.start : run.end], a.n_heads),
        by_head(own_k, a.n_kv_heads),
        by_head(own_v, a.n_kv_heads),
        attn_mask=run.mask,
        is_causal=run.mask is None,
        enable_gqa=a.n_heads != a.n_kv_heads,
    )
    return attended.transpose(1, 2).reshape(run.end - run.start, -1)
