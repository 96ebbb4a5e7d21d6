"""The decoder on the native kernels; `model.decoders.torch_decoder` is its truth.

Weights are low-bit blocks read where the store is mapped, activations int8 per group of 32, keys and values
fp16. A token's hidden state does not depend, bit for bit, on the tokens computed beside it: chunks, cached
prefixes, verified drafts and plain decoding all give the same numbers.

Rules: `forward` yields between layers, like the torch decoder's. The arrays whose addresses the kernels
hold live as long as this object. Slots, positions and ids are the caller's to keep in range. No torch: NumPy's arrays
are memory for the kernels, which compute everything but rotary angles and single embeddings.
"""

import ctypes
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from model.decoders.array_scores import ArrayScores
from model.decoders.interface import CPU_CHUNKS, Ids, States
from model.decoders.kv import KV, Span
from model.library.architecture import Architecture
from model.native import binding
from model.native.matrix_layout import ROWS, packable

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Embedding:
    """Rows gathered from the mapped int8 matrix, with a scale each: weight (vocab, hidden), scale (vocab,) fp32."""

    weight: npt.NDArray[np.int8]
    scale: Floats

    def __call__(self, ids: Ids) -> Floats:
        rows = binding.empty((len(ids), self.weight.shape[1]))
        np.multiply(self.weight[ids], self.scale[ids, None], out=rows)
        return rows


@dataclass(frozen=True, slots=True)
class PackedLinear:
    """Low-bit blocks (see `matrix_layout`) and an optional bias (out,) fp32."""

    blocks: npt.NDArray[np.uint8]
    bias: Floats | None

    @property
    def struct(self) -> binding.Matrix:
        """What the kernels take; valid while this object lives."""
        return binding.matrix(self.blocks, self.bias)


@dataclass(frozen=True, slots=True)
class PackedLayer:
    """One transformer layer: norms (hidden,) fp32, and q|k|v and gate|up fused along their outputs."""

    attn_norm: Floats
    qkv: PackedLinear
    o: PackedLinear
    ffn_norm: Floats
    gate_up: PackedLinear
    down: PackedLinear


class NativeKV:
    """Keys and values of all layers in fp16, in the kernels' layout.

    keys: (layers, kv_heads, capacity / 16, head_dim, 16), so that 16 slots are one vector; values: (layers,
    kv_heads, capacity, head_dim). The capacity is rounded up to a multiple of 16.
    """

    def __init__(self, n_layers: int, n_kv_heads: int, head_dim: int, capacity: int) -> None:
        tiles = -(-capacity // ROWS)
        self.keys = binding.empty((n_layers, n_kv_heads, tiles, head_dim, ROWS), np.float16)
        self.values = binding.empty((n_layers, n_kv_heads, tiles * ROWS, head_dim), np.float16)
        self._locate()

    def _locate(self) -> None:
        """Note where the arrays begin: NumPy takes microseconds to say it, and every layer asks."""
        self._keys_at, self._values_at = self.keys.ctypes.data, self.values.ctypes.data

    @property
    def n_bytes(self) -> int:
        """Memory of this buffer."""
        return self.keys.nbytes + self.values.nbytes

    @property
    def capacity(self) -> int:
        """Slots in this buffer."""
        return int(self.values.shape[2])

    def grow(self, capacity: int, n_valid: int) -> None:
        """Move to at least `capacity` slots, keeping the first `n_valid`."""
        n_layers, n_kv_heads, _, head_dim = self.values.shape
        bigger = NativeKV(n_layers, n_kv_heads, head_dim, capacity)
        n_tiles = -(-n_valid // ROWS)
        bigger.keys[:, :, :n_tiles] = self.keys[:, :, :n_tiles]
        bigger.values[:, :, :n_valid] = self.values[:, :, :n_valid]
        self.keys, self.values = bigger.keys, bigger.values
        self._locate()

    def to_bytes(self) -> bytes:
        """As `model.decoders.kv.BlockKV.to_bytes`."""
        body: bytes = safetensors.numpy.save({"keys": self.keys, "values": self.values})
        return body

    def load(self, body: bytes) -> None:
        """As `model.decoders.kv.BlockKV.load`; what it holds from then on is only read."""
        arrays = safetensors.numpy.load(body)
        keys, values = arrays["keys"], arrays["values"]
        for mine, read in ((self.keys, keys), (self.values, values)):
            if read.shape != mine.shape or read.dtype != mine.dtype:
                raise ValueError("it is another model's")
        self.keys, self.values = keys, values
        self._locate()

    def layer(self, index: int) -> binding.KV:
        """One layer's buffers for the kernels."""
        keys = self._keys_at + index * self.keys.strides[0]
        values = self._values_at + index * self.values.strides[0]
        return binding.KV(keys, values, self.capacity)


class NativeDecoder:
    """A loaded model. `forward` gives hidden states, `logits` and `scores` say what chosen rows of them mean."""

    chunks = CPU_CHUNKS

    def __init__(
        self,
        library: ctypes.CDLL,
        architecture: Architecture,
        embedding: Embedding,
        layers: list[PackedLayer],
        norm: Floats,
        head: PackedLinear,
    ) -> None:
        a = self.architecture = architecture
        self._library, self._embedding, self._layers, self._norm, self._head = library, embedding, layers, norm, head
        self._shape = binding.Shape(a.n_heads, a.n_kv_heads, a.head_dim, a.hidden, a.intermediate, a.norm_eps)
        self._structs = [_struct(layer) for layer in layers]
        self._inverse_frequencies = np.array(a.inverse_frequencies(), np.float32)

    def new_kv(self, capacity: int) -> NativeKV:
        """An empty KV buffer of at least `capacity` slots for this model."""
        a = self.architecture
        return NativeKV(a.n_layers, a.n_kv_heads, a.head_dim, capacity)

    def new_block(self, n_slots: int) -> NativeKV:
        """As `model.decoders.interface.Decoder.new_block`: the same kind of buffer."""
        block = self.new_kv(n_slots)
        block.keys.fill(0)
        block.values.fill(0)
        return block

    def forward(self, ids: Ids, positions: Ids, kv: KV, spans: Sequence[Span]) -> Generator[None, None, Floats]:
        """As `model.decoders.interface.Decoder.forward`: (n,) ids and positions -> hidden states (n, hidden)."""
        assert isinstance(kv, NativeKV)
        n = len(ids)
        cos, sin = _rotary(np.outer(positions.astype(np.float32), self._inverse_frequencies))
        ranges = [_ranges(span) for span in spans]
        structs = (binding.Span * len(spans))(
            *(
                binding.Span(table.ctypes.data, len(table), span.n, span.write)
                for table, span in zip(ranges, spans, strict=True)
            )
        )
        hidden = self._embedding(ids)
        hidden_at, cos_at, sin_at = hidden.ctypes.data, cos.ctypes.data, sin.ctypes.data
        for index, layer in enumerate(self._structs):
            self._library.midfill_layer(
                layer,
                self._shape,
                hidden_at,
                n,
                cos_at,
                sin_at,
                kv.layer(index),
                structs,
                len(structs),
            )
            yield
        result = binding.empty(hidden.shape)
        self._library.midfill_rms_norm(
            hidden_at, self._norm.ctypes.data, self._shape.eps, n, self._shape.hidden, result.ctypes.data
        )
        return result

    def join(self, parts: Sequence[States]) -> Floats:
        """As `model.decoders.interface.Decoder.join`."""
        return np.concatenate([_floats(part) for part in parts])

    def move(self, source: KV, begin: int, n: int, kv: KV, slot: int, distance: int) -> None:
        """As `model.decoders.interface.Decoder.move`."""
        assert isinstance(source, NativeKV)
        assert isinstance(kv, NativeKV)
        cos, sin = _rotary(distance * self._inverse_frequencies)
        self._library.midfill_move(
            self._shape,
            self.architecture.n_layers,
            kv.layer(0),
            slot,
            source.layer(0),
            begin,
            n,
            cos.ctypes.data if distance else None,
            sin.ctypes.data if distance else None,
        )

    def logits(self, hidden: States) -> Floats:
        """Scores over the vocabulary: (n, hidden) -> (n, vocab)."""
        rows = np.ascontiguousarray(_floats(hidden))
        result: Floats = binding.empty((len(rows), self.architecture.vocab))
        self._library.midfill_linear(self._head.struct, binding.STORE, rows.ctypes.data, len(rows), result.ctypes.data)
        return result

    def scores(self, hidden: States) -> ArrayScores:
        """As `model.decoders.interface.Decoder.scores`."""
        return ArrayScores(self.logits(hidden))

    def greedy(self, hidden: States) -> list[tuple[int, float]]:
        """Per row of (n, hidden): the best token id (the first of equals) and its log-probability."""
        logits = self.logits(hidden)
        ids, logprobs = np.empty(len(logits), np.int32), np.empty(len(logits), np.float32)
        self._library.midfill_greedy(
            logits.ctypes.data, len(logits), self.architecture.vocab, ids.ctypes.data, logprobs.ctypes.data
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
        attn_norm=layer.attn_norm.ctypes.data,
        ffn_norm=layer.ffn_norm.ctypes.data,
        qkv=layer.qkv.struct,
        o=layer.o.struct,
        gate_up=layer.gate_up.struct,
        down=layer.down.struct,
    )


def _floats(states: States) -> Floats:
    """Hidden states as what they are here."""
    assert isinstance(states, np.ndarray)
    return states


def _rotary(angles: Floats) -> tuple[Floats, Floats]:
    """cos and sin of fp32 angles, rounded once: NumPy's own in fp32 differ from one processor to another."""
    exact = angles.astype(np.float64)
    return np.cos(exact).astype(np.float32), np.sin(exact).astype(np.float32)


def _ranges(span: Span) -> npt.NDArray[np.int32]:
    """What a span sees, itself last: (n, 2) int32.

    Adjacent ranges are joined: how a prefix came about must not change the order of its sums.
    """
    merged: list[tuple[int, int]] = []
    for begin, end in (*span.attend, (span.write, span.write + span.n)):
        if merged and merged[-1][1] == begin:
            merged[-1] = (merged[-1][0], end)
        elif begin < end:
            merged.append((begin, end))
    return np.array(merged, np.int32)
