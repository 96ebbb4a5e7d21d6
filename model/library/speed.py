"""How long a forward takes here, so that a request can be planned within its deadline.

    milliseconds = unit * (weights + n + (1 + n) * attended * attention)

`weights` and `attention` follow from the architecture; `unit`, a token's time in the linears, follows what is measured.

Rules: an estimate, never a limit: nothing is stopped by it. Pure arithmetic, no clock.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What of a forward costs how much on a kind of device.

    Reading the weights costs a step of few tokens as much as `weights_tokens` tokens of a long one, reading keys and
    values as much as one token's attention, and a multiply-add of attention as much as `attention` of the linears.
    `first_flops_per_ms` is the speed of the linears before anything is measured.
    """

    weights_tokens: float
    attention: float
    first_flops_per_ms: float


# Attention in fp32 over fp16 keys, linears in int8, 430 GFLOP/s: fitted to `midfill bench` (0.5B, two cores, AVX-512
# VNNI; evals/LOG.md), and held against it by a test.
CPU_BALANCE = Balance(weights_tokens=5.0, attention=2.1, first_flops_per_ms=0.43e9)
# Not fitted: no card was at hand. A card computes about 100 tokens while it reads the weights once; 30 TFLOP/s.
GPU_BALANCE = Balance(weights_tokens=100.0, attention=1.0, first_flops_per_ms=30e9)
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


def weights_per_layer(a: Shape) -> int:
    """How many weights the linears of a layer have."""
    return a.hidden * ((2 * a.n_heads + 2 * a.n_kv_heads) * a.head_dim + 3 * a.intermediate)


class Speed:
    """Estimates, and learns from what forwards took. `best_tokens_per_s` comes from forwards of `n_measured` tokens."""

    def __init__(self, a: Shape, tokens_per_s: float | None = None, balance: Balance = CPU_BALANCE) -> None:
        self.linears = 2.0 * a.n_layers * weights_per_layer(a)  # operations for a token
        self._attention = balance.attention * 4 * a.n_layers * a.n_heads * a.head_dim / self.linears
        self._weights_tokens = balance.weights_tokens
        self._unit = 1e3 / tokens_per_s if tokens_per_s else self.linears / balance.first_flops_per_ms
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
        return self._weights_tokens + n + (1 + n) * attended * self._attention
