"""How long a forward takes here, so that a request can be planned within its deadline.

    milliseconds = unit * (weights + n + (1 + n) * attended * attention)

`weights` and `attention` follow from the architecture; `unit`, a token's time in the linears, follows what is measured.

Rules: an estimate, never a limit: nothing is stopped by it. Pure arithmetic, no clock.
"""

from typing import Protocol

# Reading the weights costs a step of few tokens as much as this many tokens of a long one, reading keys and values
# as much as one token's attention, and a multiply-add of attention (fp32, over fp16 keys) as much as this many of the
# linears (int8). Fitted to `midfill bench` (0.5B, AVX-512 VNNI; evals/LOG.md), and held against it by a test.
_WEIGHTS_TOKENS = 5.0
_ATTENTION_FACTOR = 2.1
# Before anything is measured: 430 GFLOP/s in the linears, which is what the two cores of that bench did.
_FIRST_FLOPS_PER_MS = 0.43e9
# How much one measurement moves the estimate; short steps are too noisy to count.
_WEIGHT_OF_NEW = 0.2
_MEASURED_TOKENS = 32
# Forwards that see more than this say more about attention than about the machine's pace in the linears.
_SHALLOW = 1_024


class Shape(Protocol):
    """What of a model's architecture decides how much there is to compute."""

    @property
    def n_layers(self) -> int: ...
    @property
    def hidden(self) -> int: ...
    @property
    def n_heads(self) -> int: ...
    @property
    def n_kv_heads(self) -> int: ...
    @property
    def head_dim(self) -> int: ...
    @property
    def intermediate(self) -> int: ...


class Speed:
    """Estimates, and learns from what forwards took. `best_tokens_per_s` comes from forwards of `n_measured` tokens."""

    def __init__(self, a: Shape, tokens_per_s: float | None = None) -> None:
        width, kv_width = a.n_heads * a.head_dim, a.n_kv_heads * a.head_dim
        per_layer = a.hidden * (2 * width + 2 * kv_width + 3 * a.intermediate)
        self.linears = 2.0 * a.n_layers * per_layer  # operations for a token
        self._attention = _ATTENTION_FACTOR * 4 * a.n_layers * width / self.linears
        self._unit = 1e3 / tokens_per_s if tokens_per_s else self.linears / _FIRST_FLOPS_PER_MS
        self._least_unit = 0.0
        self.n_measured = 0

    def ms(self, n: int, attended: int) -> float:
        """Milliseconds for a forward of n tokens that each see about `attended` slots."""
        return self._unit * self._units(n, attended) if n else 0.0

    def learn(self, n: int, attended: int, ms: float) -> None:
        """Take a measured forward into account."""
        if n >= _MEASURED_TOKENS:
            unit = ms / self._units(n, attended)
            self._unit += _WEIGHT_OF_NEW * (unit - self._unit)
            if attended <= _SHALLOW:
                self.n_measured += n
                self._least_unit = min(unit, self._least_unit or unit)

    @property
    def tokens_per_s(self) -> float:
        """Prefill speed at the beginning of a window."""
        return 1e3 / self._unit

    @property
    def best_tokens_per_s(self) -> float:
        """The same at its fastest, which other programs' work does not hide; 0 before anything is measured."""
        return 1e3 / self._least_unit if self._least_unit else 0.0

    def _units(self, n: int, attended: int) -> float:
        return _WEIGHTS_TOKENS + n + (1 + n) * attended * self._attention
