"""Training with differential privacy, so that an adapter can be shared: `midfill tune --epsilon E`.

DP-SGD (Abadi et al. 2016): each example's gradient is made at most 1 long, noise is added to their sum, and each step
draws its examples anew, each with the same chance. Every gradient is divided by its length (Bu et al. 2022, "Automatic
clipping"), so there is no bound to choose. Only B learns and A stays (Sun et al. 2024, FFA-LoRA): the noise of both
would multiply. Opacus' RDP accountant says how much noise an epsilon needs, and what was spent.

What is promised is per example: an adapter trained without any one of them would be told from this one hardly better
than by chance. A text that stands in many files stands in many examples, and is protected less.

Rules: draws and noise come from a secret of the run, else they could be taken off again. It lies in the run's folder
until the run is done, so that a killed one goes on as it would have.
"""

import hashlib
import math
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from tuning.data.example_file import ExampleFile
from tuning.data.packing import packs_of
from tuning.network import Network

SECRET = "noise.secret"
_SECRET_BYTES = 32
# A gradient much shorter than this is not drawn up to full length.
_FLOOR = 0.01


class PrivacyError(Exception):
    """No noise keeps so much private; the message says what does."""


@dataclass(frozen=True, slots=True)
class Private:
    """How a private run draws and blurs. `noise` is the standard deviation beside gradients of length 1."""

    epsilon: float
    delta: float
    noise: float
    chance: float  # of each example, to be in a step
    steps: int  # that the noise is enough for

    def spent(self, steps: int) -> float:
        """The epsilon of so many steps; 0.0 before the first."""
        if steps == 0:
            return 0.0
        from opacus.accountants import RDPAccountant

        accountant = RDPAccountant()
        accountant.history = [(self.noise, self.chance, steps)]
        with warnings.catch_warnings():  # that a larger order may be tighter: it is an upper bound either way
            warnings.simplefilter("ignore", UserWarning)
            return float(accountant.get_epsilon(self.delta))


def require_epsilon(epsilon: float) -> None:
    """PrivacyError where it promises nothing."""
    if not 0 < epsilon < math.inf:
        raise PrivacyError(f"--epsilon {epsilon:g} keeps nothing private: between 1 and 10 is usual")


def plan(epsilon: float, n_examples: int, batch: int, steps: int) -> Private:
    """The noise for an epsilon over all steps, delta a tenth of an example's share; PrivacyError where none does."""
    from opacus.accountants.utils import get_noise_multiplier

    require_epsilon(epsilon)
    delta, chance = 0.1 / n_examples, min(batch / n_examples, 1.0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            noise = get_noise_multiplier(
                target_epsilon=epsilon, target_delta=delta, sample_rate=chance, steps=steps, accountant="rdp"
            )
    except ValueError as error:
        raise PrivacyError(f"no noise is enough for --epsilon {epsilon:g}: use a larger one") from error
    return Private(epsilon, delta, float(noise), chance, steps)


def secret_of(folder: Path) -> bytes:
    """The run's secret, made where there is none; readable by its owner alone."""
    path = folder / SECRET
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(os.urandom(_SECRET_BYTES))
    return path.read_bytes()


def freeze_inputs(network: Network) -> None:
    """Let only each B learn."""
    for a, _ in network.lora.values():
        a.requires_grad_(False)


def draws(private: Private, secret: bytes, numbers: list[int], first: int) -> Iterator[list[int]]:
    """The examples of each step from `first` on: each is in it with the same chance, whatever else is."""
    for step in range(first, private.steps):
        is_drawn = torch.rand(len(numbers), generator=_generator(secret, "draw", step)) < private.chance
        yield [number for number, drawn in zip(numbers, is_drawn.tolist(), strict=True) if drawn]


def private_step(
    network: Network,
    examples: ExampleFile,
    batch: list[int],
    optimizer: torch.optim.Optimizer,
    private: Private,
    *,
    step: int,
    secret: bytes,
    n_expected: float,
) -> tuple[float, int, int]:
    """One step of the optimizer; the mean loss of a target's token, the tokens and the targets' tokens."""
    parameters = list(network.parameters().values())
    sums = [torch.zeros_like(parameter) for parameter in parameters]
    total, n_tokens, n_targets = 0.0, 0, 0
    for number in batch:
        pack = packs_of(examples, [number], len(examples[number]))[0].to(network.base.device)
        optimizer.zero_grad()
        nll = network.score(pack).nll
        nll.mean().backward()
        _add_at_most_1_long(sums, parameters)
        total, n_tokens, n_targets = total + float(nll.detach().sum()), n_tokens + len(pack.ids), n_targets + len(nll)
    generator = _generator(secret, "noise", step)
    for parameter, gradient in zip(parameters, sums, strict=True):
        blur = torch.randn(gradient.shape, generator=generator) * private.noise
        parameter.grad = (gradient + blur.to(gradient.device)) / n_expected
    optimizer.step()
    return total / max(n_targets, 1), n_tokens, n_targets


def _add_at_most_1_long(sums: list[torch.Tensor], parameters: list[torch.Tensor]) -> None:
    """Add an example's gradient, divided by its length (and a little more, so that one of nothing stays nothing)."""
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    length = math.sqrt(sum(float(gradient.double().square().sum()) for gradient in gradients))
    for so_far, gradient in zip(sums, gradients, strict=True):
        so_far.add_(gradient, alpha=1 / (length + _FLOOR))


def _generator(secret: bytes, purpose: str, step: int) -> torch.Generator:
    """Of a purpose and a step alone, so that a run that goes on draws as it would have."""
    digest = hashlib.sha256(secret + f"{purpose} {step}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big"))
