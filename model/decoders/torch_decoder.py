"""The forward pass of the Llama/Qwen2 family in torch: the truth, and the engine where nothing native runs.

Its own truth is transformers' model: the tests compare logits on random Qwen2 and Llama configurations.

Rules: everything is fp32 outside of the linears.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from model.decoders.interface import CPU_CHUNKS, Ids, States
from model.decoders.kv import KV, Span
from model.decoders.torch_kv import BufferedDecoder, KVBuffer, as_tensors
from model.decoders.torch_scores import TorchScores, best_tokens
from model.library.architecture import Architecture
from model.weights.linear import Linear

# Up to this many tokens the query heads that share a KV head are folded into rows of one product: at 16k
# slots 40 ms instead of the 89 ms of `enable_gqa`. Above it, fused attention is faster.
_FOLD_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Embedding:
    """Rows gathered from the (memory-mapped) matrix. With a scale, (vocab,) fp32, rows are int8."""

    weight: torch.Tensor
    scale: torch.Tensor | None

    def __call__(self, ids: torch.Tensor) -> torch.Tensor:
        rows = self.weight[ids].float()
        return rows if self.scale is None else rows * self.scale[ids, None]


@dataclass(frozen=True, slots=True)
class Layer:
    """One transformer layer: norms (hidden,), and q|k|v and gate|up fused along their outputs."""

    attn_norm: torch.Tensor
    qkv: Linear
    o: Linear
    ffn_norm: torch.Tensor
    gate_up: Linear
    down: Linear


class TorchDecoder(BufferedDecoder):
    """A loaded model. `forward` gives hidden states, `logits` and `scores` say what chosen rows of them mean."""

    chunks = CPU_CHUNKS

    def __init__(
        self,
        architecture: Architecture,
        embedding: Embedding,
        layers: list[Layer],
        norm: torch.Tensor,
        head: Linear,
    ) -> None:
        self.architecture = architecture
        self._embedding, self._layers, self._norm, self._head = embedding, layers, norm, head
        self._inverse_frequencies = torch.tensor(architecture.inverse_frequencies())

    @torch.inference_mode()
    def forward(self, ids: Ids, positions: Ids, kv: KV, spans: Sequence[Span]) -> Generator[None, None, torch.Tensor]:
        """As `model.decoders.interface.Decoder.forward`."""
        assert isinstance(kv, KVBuffer)
        tokens, places = as_tensors(ids, positions)
        cos, sin = self._rotary(places)
        hidden = self._embedding(tokens)
        for index, layer in enumerate(self._layers):
            q, k, v = self._qkv(layer, hidden, cos, sin)
            attended, begin = [], 0
            for span in spans:
                part = slice(begin, begin := begin + span.n)
                keys, values = kv.append(index, k[:, part], v[:, part], attend=span.attend, write=span.write)
                attended.append(attention(q[:, part], keys, values))
            hidden = hidden + layer.o(torch.cat(attended, dim=1).transpose(0, 1).reshape(hidden.shape[0], -1))
            gate, up = layer.gate_up(self._normalize(hidden, layer.ffn_norm)).chunk(2, dim=1)
            hidden = hidden + layer.down(F.silu(gate).mul_(up))
            yield
        return self._normalize(hidden, self._norm)

    @torch.inference_mode()
    def move(self, source: KV, begin: int, n: int, kv: KV, slot: int, distance: int) -> None:
        """As `model.decoders.interface.Decoder.move`."""
        assert isinstance(source, KVBuffer)
        assert isinstance(kv, KVBuffer)
        cos, sin = self._rotary(torch.full((n,), distance))
        keys = source.keys[:, :, begin : begin + n].flatten(0, 1)
        kv.keys[:, :, slot : slot + n] = rotate(keys, cos, sin).view(kv.keys[:, :, slot : slot + n].shape)
        kv.values[:, :, slot : slot + n] = source.values[:, :, begin : begin + n].clone()

    @torch.inference_mode()
    def logits(self, hidden: States) -> torch.Tensor:
        """Scores over the vocabulary: (n, hidden) -> (n, vocab)."""
        assert isinstance(hidden, torch.Tensor)
        return self._head(hidden)

    def scores(self, hidden: States) -> TorchScores:
        """As `model.decoders.interface.Decoder.scores`."""
        return TorchScores(self.logits(hidden))

    @torch.inference_mode()
    def greedy(self, hidden: States) -> list[tuple[int, float]]:
        """Per row of (n, hidden): the best token id (the first of equals) and its log-probability."""
        return best_tokens(self.logits(hidden))

    def _normalize(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(x, (x.shape[1],), weight, self.architecture.norm_eps)

    def _rotary(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """cos and sin of every position's angles, each (n, head_dim)."""
        angles = torch.outer(positions.float(), self._inverse_frequencies).repeat(1, 2)
        return angles.cos(), angles.sin()

    def _qkv(
        self, layer: Layer, hidden: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Rotated queries (heads, n, dim), rotated keys and values (kv_heads, n, dim)."""
        a = self.architecture
        heads = layer.qkv(self._normalize(hidden, layer.attn_norm)).view(hidden.shape[0], -1, a.head_dim)
        q, k, v = heads.transpose(0, 1).split((a.n_heads, a.n_kv_heads, a.n_kv_heads))
        return rotate(q, cos, sin), rotate(k, cos, sin), v


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """RoPE (Su et al. 2021) in half-split order: x (heads, n, dim), cos and sin (n, dim)."""
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-right, left), dim=-1) * sin


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Causal grouped-query attention of the last n slots: q (heads, n, dim), k and v (kv_heads, slots, dim).

    Query i sees every slot up to and including slots - n + i. Returns (heads, n, dim).
    """
    n, slots = q.shape[1], k.shape[1]
    if n > _FOLD_TOKENS:
        # With nothing before the chunk the kernel's own causal path applies and no mask is built.
        mask = None if n == slots else _causal_mask(n, slots)
        return F.scaled_dot_product_attention(q[None], k[None], v[None], mask, is_causal=mask is None, enable_gqa=True)[
            0
        ]
    groups = q.shape[0] // k.shape[0]
    folded = q.reshape(k.shape[0], groups * n, -1)  # rows of one KV head: its query heads, then tokens
    scores = folded @ k.transpose(1, 2) * q.shape[2] ** -0.5
    if n > 1:
        scores.view(-1, groups, n, slots).add_(_causal_mask(n, slots))
    folded_out: torch.Tensor = scores.softmax(-1) @ v
    return folded_out.view(q.shape)


def _causal_mask(n: int, slots: int) -> torch.Tensor:
    """(n, slots): 0 where query i may look, -inf on the later tokens of its own chunk."""
    mask = torch.zeros(n, slots)
    mask[:, slots - n :] = torch.full((n, n), float("-inf")).triu_(1)
    return mask
