"""What fits this machine: how large a window a model can have here, and whether the next larger model is fast enough.

One measured number decides, the tokens a second that a model reads at the beginning of a window; what depth and
another model cost follows from it (`model.library.speed`).

Rules: pure. What the user has set stands, and no model is fetched without being asked for.
"""

import itertools
from dataclasses import dataclass

from model.library.catalog import CATALOG, ModelRow, row_of
from model.library.speed import Shape, Speed

# Where nothing is known, and what the evals and benchmarks of docs/measurements.md were made with.
WINDOW_TOKENS = 8_192
_WINDOWS = (2_048, 4_096, WINDOW_TOKENS, 16_384)
# A whole window is read from nothing once a file, in idle time. After a minute or so it should be there: until then
# the first answers see less of it. (8,192 tokens on two cores with AVX2; 16,384 from four cores on.)
_READ_S = 75.0
_CHUNK = 64  # tokens that idle work reads at once
# A line of code has 12 tokens (the mean over this repository, 0.5B's tokenizer).
_LINE_TOKENS = 12
# A line that comes later than this has mostly been typed by then: the 1.5B pays from somewhere between .91 and .46 s
# on (evals/log/2026-11-29.md).
_SOON_S = 0.5
# The models that may be recommended, the smallest first.
SIZED = [row for row in CATALOG if row.size is not None]
# A speed that differs by less is the same machine in another minute.
_NEWS = 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """How fast this machine was seen to read with a model. `kernels` "" is torch."""

    model_id: str
    n_threads: int
    kernels: str
    tokens_per_s: float

    def is_news(self, known: "Machine | None") -> bool:
        """Whether this should take the place of what was known: another set-up, or faster. A slow hour is no news."""
        if known is None or (self.n_threads, self.kernels) != (known.n_threads, known.kernels):
            return True
        return self.tokens_per_s > _NEWS * known.tokens_per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A window for a model here, and the seconds that a line takes at its full depth."""

    window_tokens: int
    line_s: float

    @property
    def is_soon(self) -> bool:
        """Whether lines come soon enough for somebody who types."""
        return self.line_s <= _SOON_S


def fit(shape: Shape, tokens_per_s: float, window_tokens: int = 0) -> Fit:
    """The largest window that is read in time; with `window_tokens`, that one."""
    speed = Speed(shape, tokens_per_s)
    in_time = [n for n in _WINDOWS if _read_s(speed, n) <= _READ_S]
    n_tokens = window_tokens or max(in_time, default=_WINDOWS[0])
    return Fit(window_tokens=n_tokens, line_s=_LINE_TOKENS * speed.ms(1, n_tokens) / 1e3)


def larger(machine: Machine) -> tuple[ModelRow, Fit] | None:
    """The catalog's next larger model, and how it would do here; None when there is none."""
    here = row_of(machine.model_id)
    for row, next_row in itertools.pairwise(SIZED):
        if row is here and (there := fit_of(next_row, machine)) is not None:
            return next_row, there
    return None


def fit_of(row: ModelRow, machine: Machine) -> Fit | None:
    """How a model would do where `machine` was measured, with it or another; None where a size is not known."""
    here = row_of(machine.model_id)
    if here is None or here.size is None or row.size is None:
        return None
    return fit(row.size, machine.tokens_per_s * Speed(here.size).linears / Speed(row.size).linears)


def sentence(machine: Machine, shape: Shape, window_tokens: int = 0) -> str:
    """The measurement and what follows from it, for people; `window_tokens` is the user's own choice, or 0."""
    here = fit(shape, machine.tokens_per_s, window_tokens)
    cores = f"{machine.n_threads} core{'s' if machine.n_threads != 1 else ''}"
    by = ""
    if window_tokens:
        by = f" (set by maxPromptTokens; {fit(shape, machine.tokens_per_s).window_tokens:,} would fit)"
    text = (
        f"{cores} with {machine.kernels.upper() or 'torch'} read {machine.tokens_per_s:.0f} tokens a second: "
        f"{machine.model_id} with a window of {here.window_tokens:,} tokens{by}, a line in about {here.line_s:.1f} s"
    )
    if (next_one := larger(machine)) is None:
        return text
    row, there = next_one
    if not there.is_soon:
        return f"{text}; {row.name} would take {there.line_s:.1f} s"
    return (
        f"{text}; {row.name} would take {there.line_s:.1f} s and suggests better: `midfill model pull {row.name}`, and "
        'the setting "model": "auto" uses it'
    )


def _read_s(speed: Speed, n_tokens: int) -> float:
    return sum(speed.ms(_CHUNK, begin + _CHUNK // 2) for begin in range(0, n_tokens, _CHUNK)) / 1e3
