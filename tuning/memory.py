"""How much memory a training run takes, before it begins.

What counts: the weights, A and B with their gradients and moments, and what each layer that learns keeps of each token
for the backward pass. Where memory is short, less is kept and computed again (`Network.keeps_tokens`).

Rules: estimates, on the safe side; a test holds them against a real run's.
"""

from dataclasses import dataclass

from model.library.architecture import Architecture

# What a layer keeps of a token, in units of its sizes: gate, up, silu(gate) and their product; the inputs, norms,
# queries, keys and attention's results about the residual stream.
_KEPT_INNER, _KEPT_OUTER = 4, 9
# On a processor the allocator keeps 2.35 times of it (8 layers of 512, packs of 4,096): holes that nothing fits into.
_HOLES = 2.4
_HEAD_ROWS, _HEAD_COPIES = 256, 4
_LORA_COPIES = 4  # the weight, its gradient and AdamW's two moments, each fp32
_PROCESS_BYTES = 700_000_000  # torch, the tokenizer, the data


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that a run takes whatever its packs, and of each token of a pack: kept whole, or computed again."""

    fixed: int
    per_token: int
    per_token_again: int

    def bytes_for(self, max_tokens: int, keeps_tokens: float) -> int:
        """All of it for packs up to a size."""
        kept = int(min(max_tokens, keeps_tokens))
        again = self.per_token_again * max_tokens if max_tokens > keeps_tokens else 0
        return self.fixed + max(kept * self.per_token, again)


def need_of(a: Architecture, rank: int, *, is_tied: bool, bytes_per_weight: int, n_learning: int | None = None) -> Need:
    """What training an adapter of a rank for this model takes, of so many of its upper layers (None: of all)."""
    n_learning = a.n_layers if n_learning is None else n_learning
    queries, keys = a.n_heads * a.head_dim, a.n_kv_heads * a.head_dim
    layer = a.hidden * (2 * queries + 2 * keys + 3 * a.intermediate)
    lora = rank * (2 * (a.hidden + queries) + 2 * (a.hidden + keys) + 3 * (a.hidden + a.intermediate))
    weights = a.n_layers * layer + a.vocab * a.hidden * (1 if is_tied else 2)
    kept = int(_HOLES * (_KEPT_INNER * a.intermediate + _KEPT_OUTER * a.hidden) * bytes_per_weight)
    head = _HEAD_ROWS * a.vocab * 4 * _HEAD_COPIES
    return Need(
        fixed=weights * bytes_per_weight + n_learning * lora * 4 * _LORA_COPIES + head + _PROCESS_BYTES,
        per_token=n_learning * kept,
        per_token_again=n_learning * a.hidden * bytes_per_weight + 2 * kept,
    )
