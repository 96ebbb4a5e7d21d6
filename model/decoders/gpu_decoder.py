"""The forward pass of the Llama/Qwen2 family for a graphics card; `model.decoders.torch_decoder` is its truth.

Few tokens run as a step with static shapes (`model.decoders.gpu_steps`), many in large chunks with torch's fused
attention. Everything between the linears is in the type of the weights (bf16; fp32 for comparison), except for norms,
rotary angles, scores and sums, which are fp32. The device may be the CPU, where the same code runs without graphs,
tested.

Rules: no bit of a token's result is promised to be independent of what is computed beside it (cuBLAS chooses kernels
by shape): every emitted token is the best of its own verifying forward. A prefill waits, before it launches a layer,
for the layer before the last one: a cancelled request has two layers under way at most. Hidden states of a step are
valid until the next step.
"""

from collections.abc import Generator, Sequence

import torch
import torch.nn.functional as F

from model.decoders.gpu_kv import TILE, GpuKV, HostBlock
from model.decoders.gpu_steps import STEP_SIZES, Capture, CudaCapture, StepBuffer, Steps, attend_tiles, eager, seen
from model.decoders.interface import Chunks, Ids, States
from model.decoders.kv import KV, Span
from model.decoders.torch_decoder import Layer
from model.decoders.torch_kv import as_tensors, joined
from model.decoders.torch_scores import TorchScores
from model.library.architecture import Architecture
from model.weights.linear import Linear

# Prefill is bound by arithmetic from about 1,000 tokens on; a chunk is what a cancelled request keeps.
GPU_CHUNKS = Chunks(prefill=2048, block=1024, idle=512)


class GpuDecoder:
    """A loaded model on `device`; `dtype` is that of its weights, keys and values."""

    chunks = GPU_CHUNKS

    def __init__(
        self,
        architecture: Architecture,
        embedding: torch.Tensor,
        layers: list[Layer],
        norm: torch.Tensor,
        head: Linear,
        capture: Capture | None = None,
    ) -> None:
        """embedding: (vocab, hidden), whose device and type are the decoder's; `capture` None: what the device can."""
        a = self.architecture = architecture
        self._embedding, self._layers, self._norm, self._head = embedding, layers, norm, head
        self.device, self.dtype = embedding.device, embedding.dtype
        self._shape = (a.n_layers, a.n_kv_heads, a.head_dim)
        self._inverse_frequencies = torch.tensor(a.inverse_frequencies(), device=self.device)
        if capture is None:
            capture = CudaCapture() if self.device.type == "cuda" else eager
        buffers = [StepBuffer(n, a.hidden, self.device, self.dtype) for n in STEP_SIZES]
        self._steps = Steps(buffers, self._step, capture)

    def new_kv(self, capacity: int) -> GpuKV:
        """An empty KV buffer of at least `capacity` slots for this model."""
        return GpuKV(self._shape, capacity, self.device, self.dtype)

    def new_block(self, n_slots: int) -> HostBlock:
        """As `model.decoders.interface.Decoder.new_block`: in the host's memory."""
        return HostBlock(self._shape, n_slots, self.dtype, pinned=self.device.type == "cuda")

    @torch.inference_mode()
    def forward(self, ids: Ids, positions: Ids, kv: KV, spans: Sequence[Span]) -> Generator[None, None, torch.Tensor]:
        """As `model.decoders.interface.Decoder.forward`: (n,) ids and positions -> hidden states (n, hidden)."""
        assert isinstance(kv, GpuKV)
        tokens, places = as_tensors(ids, positions)
        if self._steps.fits(len(ids), spans):
            yield  # a step is one piece; what it leaves is valid until the next, so nothing may come in between
            return self._steps.run(tokens, places, kv, spans)
        cos, sin = self._rotary(places.to(self.device))
        hidden = F.embedding(tokens.to(self.device), self._embedding)
        pace = _Pace(self.device)
        for index, layer in enumerate(self._layers):
            q, k, v = self._qkv(layer, hidden, cos, sin)
            attended, begin = [], 0
            for span in spans:
                part = slice(begin, begin := begin + span.n)
                kv.write(index, span.write, k[part], v[part])
                keys, values = kv.read(index, _joined([*span.attend, (span.write, span.write + span.n)]))
                attended.append(_attend(q[part], keys, values))
            hidden = self._rest(layer, hidden, torch.cat(attended))
            pace.layer_launched()
            yield
        hidden = self._normalize(hidden, self._norm)
        pace.finish()
        return hidden

    @torch.inference_mode()
    def join(self, parts: Sequence[States]) -> torch.Tensor:
        """As `model.decoders.interface.Decoder.join`, on the decoder's device."""
        return joined(parts)

    @torch.inference_mode()
    def move(self, source: KV, begin: int, n: int, kv: KV, slot: int, distance: int) -> None:
        """As `model.decoders.interface.Decoder.move`; either side may be a block in the host's memory."""
        if isinstance(source, HostBlock):
            # From page-locked memory these copies run beside the host; its allocator keeps the block until their end.
            from_keys, from_values = (t.to(self.device, non_blocking=True) for t in (source.keys, source.values))
        cos, sin = self._rotary(torch.tensor([distance], device=self.device))
        for layer in range(self.architecture.n_layers):
            if isinstance(source, HostBlock):
                keys, values = (t[layer, :, begin : begin + n] for t in (from_keys, from_values))
            else:
                assert isinstance(source, GpuKV)
                # Copies: what is read may lie where it will be written.
                keys, values = (t.clone() for t in source.read(layer, ((begin, begin + n),)))
            if distance:
                keys = _turn(keys, cos, sin)
            if isinstance(kv, HostBlock):
                kv.keys[layer, :, slot : slot + n].copy_(keys)
                kv.values[layer, :, slot : slot + n].copy_(values)
            else:
                assert isinstance(kv, GpuKV)
                kv.write(layer, slot, keys.transpose(0, 1), values.transpose(0, 1))

    @torch.inference_mode()
    def logits(self, hidden: States) -> torch.Tensor:
        """Scores over the vocabulary: (n, hidden) -> (n, vocab) fp32, on the decoder's device."""
        assert isinstance(hidden, torch.Tensor)
        return self._head(hidden).float()

    def scores(self, hidden: States) -> TorchScores:
        """As `model.decoders.interface.Decoder.scores`."""
        return TorchScores(self.logits(hidden))

    @torch.inference_mode()
    def greedy(self, hidden: States) -> list[tuple[int, float]]:
        """Per row of (n, hidden): the best token id (the first of equals) and its log-probability."""
        assert isinstance(hidden, torch.Tensor)
        if (known := self._steps.greedy(hidden)) is not None:
            return known
        return [(int(token), logprob) for token, logprob in best_of(self.logits(hidden)).tolist()]

    def _step(self, buffer: StepBuffer, kv: GpuKV, n_tiles: int) -> None:
        """One step with static shapes: from the buffer's inputs to its hidden states and best tokens."""
        cos, sin = self._rotary(buffer.positions)
        mask = seen(buffer.bounds, n_tiles)
        tiles, offsets = buffer.slots // TILE, buffer.slots % TILE
        hidden = F.embedding(buffer.ids, self._embedding)
        for index, layer in enumerate(self._layers):
            q, k, v = self._qkv(layer, hidden, cos, sin)
            kv.scatter(index, tiles, offsets, k, v)
            attended = attend_tiles(q, kv.keys[index, :n_tiles], kv.values[index, :n_tiles], mask)
            hidden = self._rest(layer, hidden, attended)
        buffer.hidden.copy_(self._normalize(hidden, self._norm))
        buffer.best.copy_(best_of(self._head(buffer.hidden).float()))

    def _rest(self, layer: Layer, hidden: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        """A layer behind its attention: attended (n, heads * dim)."""
        hidden = hidden + layer.o(attended)
        gate, up = layer.gate_up(self._normalize(hidden, layer.ffn_norm)).chunk(2, dim=1)
        return hidden + layer.down(F.silu(gate).mul_(up))

    def _qkv(
        self, layer: Layer, hidden: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Rotated queries (n, heads, dim), rotated keys and values (n, kv_heads, dim)."""
        a = self.architecture
        heads = layer.qkv(self._normalize(hidden, layer.attn_norm)).view(hidden.shape[0], -1, a.head_dim)
        turned = _turn(heads[:, : a.n_heads + a.n_kv_heads], cos[:, None], sin[:, None])
        q, k = turned.split((a.n_heads, a.n_kv_heads), dim=1)
        return q, k, heads[:, a.n_heads + a.n_kv_heads :]

    def _normalize(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(x, (x.shape[1],), weight, self.architecture.norm_eps)

    def _rotary(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """cos and sin of every position's angles, (n, head_dim) fp32; sin's first half negated for `_turn`."""
        angles = torch.outer(positions.float(), self._inverse_frequencies)
        sin = angles.sin()
        return angles.cos().repeat(1, 2), torch.cat((-sin, sin), dim=1)


def _turn(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """As `model.decoders.torch_decoder.rotate`, in fp32 between x and a result of its type, with half the kernels."""
    return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, -1), sin).to(x.dtype)


def best_of(logits: torch.Tensor) -> torch.Tensor:
    """(n, vocab) fp32 -> (n, 2) fp32: the best id, and its log-probability."""
    best, ids = logits.max(1)
    return torch.stack((ids.float(), best - logits.logsumexp(1)), dim=1)


def _joined(ranges: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Ranges in their order without empty ones, neighbors as one, so that the usual prefix is read in one piece."""
    joined: list[tuple[int, int]] = []
    for begin, end in ranges:
        if joined and joined[-1][1] == begin:
            joined[-1] = (joined[-1][0], end)
        elif begin < end:
            joined.append((begin, end))
    return tuple(joined)


def _attend(q: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Causal attention of the last n slots: q (n, heads, dim), keys and values (kv_heads, slots, dim).

    Returns (n, heads * dim). On a card torch chooses its flash kernel, which needs no mask for queries that are the
    last of the slots.
    """
    n, slots = len(q), keys.shape[1]
    query = q.transpose(0, 1)[None]
    bias: torch.Tensor
    if q.is_cuda:
        from torch.nn.attention.bias import causal_lower_right  # brings torch's compiler: over a second of every start

        bias = causal_lower_right(n, slots)
    else:  # no such kernel there: the same as a mask
        bias = torch.ones(n, slots, dtype=torch.bool).tril(slots - n)
    out = F.scaled_dot_product_attention(query, keys[None], values[None], attn_mask=bias, enable_gqa=True)
    return out[0].transpose(0, 1).reshape(n, -1)


class _Pace:
    """Keeps the host at most two layers ahead of the device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._events: list[torch.cuda.Event] = []

    def layer_launched(self) -> None:
        """Wait for the layer before this one."""
        if self._device.type != "cuda":
            return
        event = torch.cuda.Event()
        event.record()
        self._events.append(event)
        if len(self._events) > 1:
            self._events.pop(0).synchronize()

    def finish(self) -> None:
        """Wait for everything, so that the time of a forward is measured and its errors are raised here."""
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()
