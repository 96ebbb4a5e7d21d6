"""Models outside the Llama/Qwen2 family, run by transformers itself: slower, and on the processor alone.

transformers computes everything but attention, whose place `_attend` takes through its attention interface: it reads
and writes the same explicit slots as `torch_decoder`. A forward is one piece, without a yield between layers, so its
chunks are smaller. Linears are FBGEMM's int8 (`model.weights.linear`) unless fp32 is asked for.

Rules: nothing is assumed of an architecture. When a model is loaded its logits are compared with what transformers
says without us, and keys that were moved with keys computed at their new place; a model that fails is refused.
"""

import functools
import logging
from collections.abc import Generator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from model.decoders.interface import Chunks, Ids, States, run_to_end
from model.decoders.kv import KV, Slots, Span
from model.decoders.torch_decoder import rotate
from model.decoders.torch_kv import BufferedDecoder, KVBuffer, as_tensors
from model.decoders.torch_scores import TorchScores, best_tokens
from model.library.architecture import Architecture, UnsupportedModel
from model.library.extras import command_for
from model.weights.linear import Int8Linear, needs_reduced_range, quantize_rows

_ATTENTION = "midfill"
# A key waits for the whole forward, all layers of it.
_CHUNKS = Chunks(prefill=64, block=64, idle=16)
_CHECKED_TOKENS, _CHECKED_DISTANCE = 12, 7
# Of the largest value: the same sums in another order.
_TOLERANCE = 1e-3

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Pass:
    """What a forward reads and writes."""

    kv: KVBuffer
    spans: Sequence[Span]
    positions: torch.Tensor


# Of the forward under way: not every architecture hands arguments on to its attention.
_present: ContextVar[_Pass] = ContextVar("present")


def load_transformers(folder: Path, architecture: Architecture, *, exact: bool) -> "TransformersDecoder":
    """Load a safetensors folder with transformers; `exact` in fp32. Code that comes with a model is never run.

    UnsupportedModel when transformers is missing, does not know the architecture, or fails the check.
    """
    try:
        from transformers import AttentionInterface, AutoModelForCausalLM
    except ImportError:
        why = f"{architecture.foreign}. The transformers library would run it: {command_for('transformers')}"
        raise UnsupportedModel(why) from None
    AttentionInterface.register(_ATTENTION, _attend)
    try:
        model: torch.nn.Module = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, trust_remote_code=False
        )
        model.eval()
        if not exact:
            _quantize_linears(model)
        decoder = TransformersDecoder(architecture, model)
        _check(decoder)
    except UnsupportedModel:
        raise
    except Exception as error:  # an architecture's own code may raise anything
        log.warning("transformers cannot run %s", folder, exc_info=True)
        raise UnsupportedModel(f"{architecture.foreign}, and transformers cannot run it here: {error}") from error
    return decoder


class TransformersDecoder(BufferedDecoder):
    """A `model.decoders.interface.Decoder` around transformers' own module of a causal language model."""

    chunks = _CHUNKS

    def __init__(self, architecture: Architecture, model: Any) -> None:
        """Takes the module over: it computes with explicit slots from here on."""
        self.architecture = architecture
        self._model, self._base = model, model.base_model
        self._given = _Given()
        frequencies = [module.inv_freq for module in self._base.modules() if hasattr(module, "inv_freq")]
        self._inverse_frequencies = frequencies[0].float() if frequencies else torch.empty(0)

    @torch.inference_mode()
    def forward(self, ids: Ids, positions: Ids, kv: KV, spans: Sequence[Span]) -> Generator[None, None, torch.Tensor]:
        """As `model.decoders.interface.Decoder.forward`, but that it yields once, before all layers."""
        assert isinstance(kv, KVBuffer)
        yield
        tokens, places = as_tensors(ids, positions)
        token = _present.set(_Pass(kv, spans, places))
        try:
            answer = self._base(input_ids=tokens[None], position_ids=places[None], use_cache=False)
        finally:
            _present.reset(token)
        self._given.kind = type(answer)
        hidden: torch.Tensor = answer.last_hidden_state[0]
        return hidden

    @torch.inference_mode()
    def move(self, source: KV, begin: int, n: int, kv: KV, slot: int, distance: int) -> None:
        """As `model.decoders.interface.Decoder.move`; dimensions behind the rotary ones are copied."""
        assert isinstance(source, KVBuffer)
        assert isinstance(kv, KVBuffer)
        angles = torch.outer(torch.full((n,), float(distance)), self._inverse_frequencies).repeat(1, 2)
        keys = source.keys[:, :, begin : begin + n]
        turned = rotate(keys[..., : angles.shape[1]].flatten(0, 1), angles.cos(), angles.sin())
        rest = keys[..., angles.shape[1] :].clone()
        kv.keys[:, :, slot : slot + n, : angles.shape[1]] = turned.view(*keys.shape[:3], -1)
        kv.keys[:, :, slot : slot + n, angles.shape[1] :] = rest
        kv.values[:, :, slot : slot + n] = source.values[:, :, begin : begin + n].clone()

    @torch.inference_mode()
    def logits(self, hidden: States) -> torch.Tensor:
        """Scores over the vocabulary: (n, hidden) -> (n, vocab), with what an architecture does to them at last."""
        assert isinstance(hidden, torch.Tensor)
        prefix = self._model.base_model_prefix
        self._given.hidden = hidden
        setattr(self._model, prefix, self._given)
        try:
            scores: torch.Tensor = self._model(input_ids=torch.zeros(1, len(hidden), dtype=torch.long)).logits[0]
        finally:
            setattr(self._model, prefix, self._base)
        return scores.float()

    def scores(self, hidden: States) -> TorchScores:
        """As `model.decoders.interface.Decoder.scores`."""
        return TorchScores(self.logits(hidden))

    @torch.inference_mode()
    def greedy(self, hidden: States) -> list[tuple[int, float]]:
        """As `model.decoders.interface.Decoder.greedy`."""
        return best_tokens(self.logits(hidden))

    @torch.inference_mode()
    def reference(self, ids: torch.Tensor) -> torch.Tensor:
        """transformers' own logits (n, vocab) of tokens from position 0 on, with nothing of ours but the linears."""
        self._model.set_attn_implementation("eager")
        logits: torch.Tensor = self._model(input_ids=ids[None], use_cache=False).logits[0]
        self._model.set_attn_implementation(_ATTENTION)
        return logits.float()


class _Given(torch.nn.Module):
    """Stands in for the base model where its hidden states are there already."""

    hidden: torch.Tensor
    kind: type  # of the base model's answers

    def forward(self, *_args: Any, **_kwargs: Any) -> Any:
        """What the base model would answer."""
        return self.kind(last_hidden_state=self.hidden[None])


class _Int8(torch.nn.Module):
    """`Int8Linear` in the place of a module."""

    def __init__(self, linear: torch.nn.Linear) -> None:
        super().__init__()
        bias = None if linear.bias is None else linear.bias.detach()
        weight, scale = quantize_rows(linear.weight.detach())
        self._linear = Int8Linear(weight, scale, bias, reduce_range=needs_reduced_range())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., in) -> (..., out)."""
        return self._linear(x.reshape(-1, x.shape[-1])).view(*x.shape[:-1], -1)


def _quantize_linears(model: torch.nn.Module) -> None:
    """Replace the linears one after another, so that no second copy of all weights is needed."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is torch.nn.Linear:
                setattr(parent, name, _Int8(child))


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    _attention_mask: torch.Tensor | None = None,
    *,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **_rest: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of a layer by slots: query (1, heads, n, dim), key and value (1, kv_heads, n, dim), rotated.

    Returns (1, n, heads, dim), as transformers' interface wants it.
    """
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    now = _present.get()
    attended, begin = [], 0
    for span in now.spans:
        part = slice(begin, begin := begin + span.n)
        keys, values = now.kv.append(
            module.layer_idx, key[0, :, part], value[0, :, part], attend=span.attend, write=span.write
        )
        mask = _mask(now.positions[part], span.attend, sliding_window)
        attended.append(_attention(query[0, :, part] * scale, keys, values, mask, softcap))
    return torch.cat(attended, dim=1).transpose(0, 1)[None], None


def _attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor, softcap: float | None
) -> torch.Tensor:
    """q (heads, n, dim), scaled; k and v (kv_heads, slots, dim); mask (n, slots), True where seen. (heads, n, dim)."""
    n, slots = mask.shape
    scores = q.reshape(k.shape[0], -1, q.shape[2]) @ k.transpose(1, 2)
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    scores = scores.view(-1, n, slots).masked_fill_(~mask, float("-inf")).view(k.shape[0], -1, slots)
    return (scores.softmax(-1) @ v).view(q.shape[0], n, -1)


def _mask(positions: torch.Tensor, attend: Slots, window: int | None) -> torch.Tensor:
    """(n, slots) of a span: what is attended, then the span itself; within a sliding window, where there is one."""
    n = len(positions)
    before = torch.cat([positions[:0], *(torch.arange(a, b) for a, b in attend if a < b)])
    causal = torch.ones(n, n, dtype=torch.bool).tril_()
    mask = torch.cat([torch.ones(n, len(before), dtype=torch.bool), causal], dim=1)
    if window is None:
        return mask
    return mask & (positions[:, None] - torch.cat([before, positions])[None] < window)


def _check(decoder: TransformersDecoder) -> None:
    """UnsupportedModel when a model's logits, or its keys at another place, are not what transformers computes."""
    n = _CHECKED_TOKENS
    ids = torch.arange(n) % decoder.architecture.vocab
    truth = decoder.reference(ids)
    here, there, moved = (decoder.new_kv(n + _CHECKED_DISTANCE) for _ in range(3))
    run = functools.partial(_run, decoder, ids)
    why = f"{decoder.architecture.foreign}, and with transformers"
    if not _near(decoder.logits(run(here, 0)), truth):
        raise UnsupportedModel(
            f"{why} midfill cannot divide what it reads into pieces: its attention is not a plain one"
        )
    run(there, _CHECKED_DISTANCE)
    decoder.move(here, 0, n, moved, _CHECKED_DISTANCE, _CHECKED_DISTANCE)
    for got, expected in ((moved.keys, there.keys), (moved.values, there.values)):
        if not _near(got[:, :, _CHECKED_DISTANCE:], expected[:, :, _CHECKED_DISTANCE:]):
            raise UnsupportedModel(f"{why} what it has read cannot be moved: its positions are not plain rotary ones")


def _run(decoder: TransformersDecoder, ids: torch.Tensor, kv: KVBuffer, begin: int) -> torch.Tensor:
    positions = torch.arange(begin, begin + len(ids))
    return run_to_end(decoder.forward(ids.numpy(), positions.numpy(), kv, [Span(len(ids), (), begin)]))


def _near(got: torch.Tensor, expected: torch.Tensor) -> bool:
    return bool((got - expected).abs().max() <= _TOLERANCE * expected.abs().max())
