"""How long a forward takes here, so that a request can be planned within its deadline.

    milliseconds = unit * (weights + n + (1 + n) * attended * attention)

`weights` and `attention` follow from the architecture; `unit`, a token's time in the linears, follows what is measured.

Rules: an estimate, never a limit: nothing is stopped by it. Pure arithmetic, no clock.
"""

from dataclasses import dataclass

from model.architecture import Architecture


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


class Speed:
    """Estimates, and learns from what forwards took."""

    def __init__(self, a: Architecture, balance: Balance = CPU_BALANCE) -> None:
        width, kv_width = a.n_heads * a.head_dim, a.n_kv_heads * a.head_dim
        per_layer = a.hidden * (2 * width + 2 * kv_width + 3 * a.intermediate)
        linears = 2.0 * a.n_layers * per_layer
        self._attention = balance.attention * 4 * a.n_layers * width / linears
        self._unit = linears / balance.first_flops_per_ms
        self._weights_tokens = balance.weights_tokens

    def ms(self, n: int, attended: int) -> float:
        """Milliseconds for a forward of n tokens that each see about `attended` slots."""
        return self._unit * self._units(n, attended) if n else 0.0

    def learn(self, n: int, attended: int, ms: float) -> None:
        """Take a measured forward into account."""
        if n >= _MEASURED_TOKENS:
            self._unit += _WEIGHT_OF_NEW * (ms / self._units(n, attended) - self._unit)

    @property
    def tokens_per_s(self) -> float:
        """Prefill speed at the beginning of a window."""
        return 1e3 / self._unit

    def _units(self, n: int, attended: int) -> float:
        return self._weights_tokens + n + (1 + n) * attended * self._attention
