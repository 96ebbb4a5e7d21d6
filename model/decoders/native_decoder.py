"""The decoder on the native kernels; `model.decoders.torch_decoder` is its truth.

Weights are low-bit blocks read where the store is mapped, activations int8 per group of 32, keys and values
fp16. A token's hidden state does not depend, bit for bit, on the tokens computed beside it: chunks, cached
prefixes, verified drafts and plain decoding all give the same numbers.

Rules: `forward` yields between layers, like the torch decoder's. The tensors whose addresses the kernels
hold live as long as this object. Slots, positions and ids are the caller's to keep in range.
"""

import ctypes
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import torch

from model.decoders.interface import CPU_CHUNKS, Embedding
from model.decoders.kv import KV, Span
from model.library.architecture import Architecture
from model.native import binding
from model.weights.packing import ROWS, packable


@dataclass(frozen=True, slots=True)
class PackedLinear:
    """Low-bit blocks (see `packing`) and an optional bias (out,) fp32."""

    blocks: torch.Tensor
    bias: torch.Tensor | None

    @property
    def struct(self) -> binding.Matrix:
        """What the kernels take; valid while this object lives."""
        return binding.matrix(self.blocks, self.bias)


@dataclass(frozen=True, slots=True)
class PackedLayer:
    """One transformer layer: norms (hidden,) fp32, and q|k|v and gate|up fused along their outputs."""

    attn_norm: torch.Tensor
    qkv: PackedLinear
    o: PackedLinear
    ffn_norm: torch.Tensor
    gate_up: PackedLinear
    down: PackedLinear


class NativeKV:
    """Keys and values of all layers in fp16, in the kernels' layout.

    keys: (layers, kv_heads, capacity / 16, head_dim, 16), so that 16 slots are one vector; values: (layers,
    kv_heads, capacity, head_dim). The capacity is rounded up to a multiple of 16.
    """

    def __init__(self, n_layers: int, n_kv_heads: int, head_dim: int, capacity: int) -> None:
        tiles = -(-capacity // ROWS)
        self.keys = torch.empty(n_layers, n_kv_heads, tiles, head_dim, ROWS, dtype=torch.float16)
        self.values = torch.empty(n_layers, n_kv_heads, tiles * ROWS, head_dim, dtype=torch.float16)

    @property
    def n_bytes(self) -> int:
        """Memory of this buffer."""
        return self.keys.nbytes + self.values.nbytes

    @property
    def capacity(self) -> int:
        """Slots in this buffer."""
        return self.values.shape[2]

    def grow(self, capacity: int, n_valid: int) -> None:
        """Move to at least `capacity` slots, keeping the first `n_valid`."""
        n_layers, n_kv_heads, _, head_dim = self.values.shape
        bigger = NativeKV(n_layers, n_kv_heads, head_dim, capacity)
        n_tiles = -(-n_valid // ROWS)
        bigger.keys[:, :, :n_tiles] = self.keys[:, :, :n_tiles]
        bigger.values[:, :, :n_valid] = self.values[:, :, :n_valid]
        self.keys, self.values = bigger.keys, bigger.values

    def layer(self, index: int) -> binding.KV:
        """One layer's buffers for the kernels."""
        return binding.KV(self.keys[index].data_ptr(), self.values[index].data_ptr(), self.capacity)


class NativeDecoder:
    """A loaded model. `forward` gives hidden states, `logits` turns chosen rows of them into scores."""

    chunks = CPU_CHUNKS

    def __init__(
        self,
        library: ctypes.CDLL,
        architecture: Architecture,
        embedding: Embedding,
        layers: list[PackedLayer],
        norm: torch.Tensor,
        head: PackedLinear,
    ) -> None:
        a = self.architecture = architecture
        self._library, self._embedding, self._layers, self._norm, self._head = library, embedding, layers, norm, head
        self._shape = binding.Shape(a.n_heads, a.n_kv_heads, a.head_dim, a.hidden, a.intermediate, a.norm_eps)
        self._structs = [_struct(layer) for layer in layers]
        self._inverse_frequencies = torch.tensor(a.inverse_frequencies())

    def new_kv(self, capacity: int) -> NativeKV:
        """An empty KV buffer of at least `capacity` slots for this model."""
        a = self.architecture
        return NativeKV(a.n_layers, a.n_kv_heads, a.head_dim, capacity)

    def new_block(self, n_slots: int) -> NativeKV:
        """As `model.decoders.interface.Decoder.new_block`: the same kind of buffer."""
        return self.new_kv(n_slots)

    @torch.inference_mode()
    def forward(
        self, ids: torch.Tensor, positions: torch.Tensor, kv: KV, spans: Sequence[Span]
    ) -> Generator[None, None, torch.Tensor]:
        """As `model.decoders.interface.Decoder.forward`: (n,) ids and positions -> hidden states (n, hidden)."""
        assert isinstance(kv, NativeKV)
        n = len(ids)
        angles = torch.outer(positions.float(), self._inverse_frequencies)
        cos, sin = angles.cos(), angles.sin()
        ranges = [_ranges(span) for span in spans]
        structs = (binding.Span * len(spans))(
            *(
                binding.Span(table.data_ptr(), len(table), span.n, span.write)
                for table, span in zip(ranges, spans, strict=True)
            )
        )
        hidden = self._embedding(ids)
        for index, layer in enumerate(self._structs):
            self._library.midfill_layer(
                layer,
                self._shape,
                hidden.data_ptr(),
                n,
                cos.data_ptr(),
                sin.data_ptr(),
                kv.layer(index),
                structs,
                len(structs),
            )
            yield
        result = torch.empty_like(hidden)
        self._library.midfill_rms_norm(
            hidden.data_ptr(), self._norm.data_ptr(), self._shape.eps, n, self._shape.hidden, result.data_ptr()
        )
        return result

    @torch.inference_mode()
    def move(self, source: KV, begin: int, n: int, kv: KV, slot: int, distance: int) -> None:
        """As `model.decoders.interface.Decoder.move`."""
        assert isinstance(source, NativeKV)
        assert isinstance(kv, NativeKV)
        angles = distance * self._inverse_frequencies
        cos, sin = angles.cos(), angles.sin()
        self._library.midfill_move(
            self._shape,
            self.architecture.n_layers,
            kv.layer(0),
            slot,
            source.layer(0),
            begin,
            n,
            cos.data_ptr() if distance else None,
            sin.data_ptr() if distance else None,
        )

    @torch.inference_mode()
    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Scores over the vocabulary: (n, hidden) -> (n, vocab)."""
        hidden = hidden.contiguous()
        result = torch.empty(hidden.shape[0], self.architecture.vocab)
        self._library.midfill_linear(
            self._head.struct, binding.STORE, hidden.data_ptr(), hidden.shape[0], result.data_ptr()
        )
        return result

    @torch.inference_mode()
    def greedy(self, hidden: torch.Tensor) -> list[tuple[int, float]]:
        """Per row of (n, hidden): the best token id (the first of equals) and its log-probability."""
        logits = self.logits(hidden)
        ids = torch.empty(len(logits), dtype=torch.int32)
        logprobs = torch.empty(len(logits))
        self._library.midfill_greedy(
            logits.data_ptr(), len(logits), self.architecture.vocab, ids.data_ptr(), logprobs.data_ptr()
        )
        return list(zip(ids.tolist(), logprobs.tolist(), strict=True))


def runs_natively(a: Architecture) -> bool:
    """Whether the kernels' layouts fit this model's sizes; every published model of the family does."""
    width = a.n_heads * a.head_dim
    qkv = width + 2 * a.n_kv_heads * a.head_dim
    shapes = (
        (qkv, a.hidden),
        (a.hidden, width),
        (2 * a.intermediate, a.hidden),
        (a.hidden, a.intermediate),
        (a.vocab, a.hidden),
    )
    return (
        a.head_dim % ROWS == 0
        and a.head_dim <= binding.MAX_HEAD_DIM
        and a.intermediate % ROWS == 0
        and all(packable(*shape) for shape in shapes)
    )


def _struct(layer: PackedLayer) -> binding.Layer:
    return binding.Layer(
        attn_norm=layer.attn_norm.data_ptr(),
        ffn_norm=layer.ffn_norm.data_ptr(),
        qkv=layer.qkv.struct,
        o=layer.o.struct,
        gate_up=layer.gate_up.struct,
        down=layer.down.struct,
    )


def _ranges(span: Span) -> torch.Tensor:
    """What a span sees, itself last: (n, 2) int32.

    Adjacent ranges are joined: how a prefix came about must not change the order of its sums.
    """
    merged: list[tuple[int, int]] = []
    for begin, end in (*span.attend, (span.write, span.write + span.n)):
        if merged and merged[-1][1] == begin:
            merged[-1] = (merged[-1][0], end)
        elif begin < end:
            merged.append((begin, end))
    return torch.tensor(merged, dtype=torch.int32)
