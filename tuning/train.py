"""Trains a LoRA adapter on a file of examples: `python -m tuning.train --help`.

One step: a batch of examples, packed; those of one place together (`packing.families`), the places in a new random
order each epoch, from the seed. Its loss is the mean over the targets' tokens; AdamW, warm-up and a cosine down to
nothing. A run's folder holds:

    log.jsonl   a line for each step, and one for each look at the held-out examples
    loss.svg    the same, drawn
    checkpoint.safetensors   where a killed run goes on; gone when it is done
    adapter/, adapter-int8/  what was learned, as PEFT keeps it and small

With `private` (`tuning.private`) each step's examples are drawn and its gradient is blurred.

Rules: a killed run that goes on ends with the same bits (on a processor). With `seconds` the schedule runs over time
rather than steps, whichever is further, so that it is finished when the time is.
"""

import argparse
import hashlib
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from model.library.catalog import ModelError
from tuning.adapter_file import load_adapter, save_adapter
from tuning.base import device_of, load_base
from tuning.checkpoint import CheckpointError, Progress, load_checkpoint, save_checkpoint
from tuning.data.example_file import ExampleFile, ExampleFileError, read
from tuning.data.packing import packs_of, shuffled
from tuning.judge import judge, summary, write_report
from tuning.network import Network
from tuning.plot import plot_losses
from tuning.private import SECRET, Private, draws, freeze_inputs, private_step, secret_of

LOG, PICTURE, CHECKPOINT = "log.jsonl", "loss.svg", "checkpoint.safetensors"
_CUT = "families"  # how batches are cut: a checkpoint by other ones is another run's
_BETAS = (0.9, 0.95)
_CLIP = 1.0
# A batch and the number of the step: its loss, its tokens and its targets' tokens.
Take = Callable[[list[int], int], tuple[float, int, int]]
# Between lines for people, and between looks whether a pause is over.
SAY_EVERY_S, _ASK_EVERY_S = 5.0, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to train."""

    rate: float = 2e-4
    batch: int = 8  # examples a step
    epochs: int = 1
    warmup: float = 0.03  # of the schedule
    max_tokens: int = 4096  # of a pack; how much memory it takes, not what is learned
    seconds: float | None = None
    seed: int = 1

    def steps(self, n_examples: int) -> int:
        """Steps of so many examples that are drawn one by one (`tuning.private`)."""
        return math.ceil(n_examples / self.batch) * self.epochs

    def rate_at(self, done: float) -> float:
        """The learning rate when this share of the schedule is behind us."""
        if done < self.warmup:
            return self.rate * done / self.warmup
        return self.rate * 0.5 * (1 + math.cos(math.pi * min((done - self.warmup) / (1 - self.warmup), 1)))


def train(
    network: Network,
    examples: ExampleFile,
    recipe: Recipe,
    folder: Path,
    *,
    numbers: list[int] | None = None,
    look: Callable[[], dict[str, float]] | None = None,
    look_every: int = 0,
    checkpoint_every_s: float = 60.0,
    say: Callable[[str], None] = print,
    may_go: Callable[[], bool] = lambda: True,
    private: Private | None = None,
) -> Progress:
    """Train a network in place, on all examples or on `numbers` of them; `look` is asked every so many steps.

    Where `may_go` says no, the run waits; that time does not count. `private` draws and blurs as it says.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbers = list(range(len(examples))) if numbers is None else numbers
    if private is not None:
        freeze_inputs(network)
    parameters = network.parameters()
    optimizer = torch.optim.AdamW(parameters.values(), lr=recipe.rate, betas=_BETAS, weight_decay=0.0)
    identity = _identity(network, examples, recipe, numbers, private)
    progress = load_checkpoint(folder / CHECKPOINT, parameters, optimizer, identity)
    _cut_log(folder / LOG, progress.step)
    if private is None:
        batches, take, steps = _plainly(network, examples, recipe, numbers, optimizer, progress.step)
    else:
        batches, take, steps = _privately(network, examples, private, numbers, optimizer, progress.step, folder)
    began = time.monotonic() - progress.seconds
    saved_at = said_at = time.monotonic()
    with (folder / LOG).open("a", encoding="utf-8") as log:
        for batch in batches:
            waited = _wait(may_go, say)
            began += waited
            elapsed = time.monotonic() - began
            # The middle of the step, so that neither the first nor the last one is for nothing.
            done = max((progress.step + 0.5) / steps, elapsed / recipe.seconds if recipe.seconds else 0.0)
            if done >= 1:
                break
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate_at(done)
            loss, n_tokens, n_targets = take(batch, progress.step)
            now = time.monotonic()
            progress = Progress(progress.step + 1, now - began, progress.tokens + n_tokens)
            row = {"step": progress.step, "loss": round(loss, 5), "targets": n_targets, "tokens": progress.tokens}
            log.write(json.dumps({**row, "rate": recipe.rate_at(done), "seconds": round(progress.seconds, 2)}) + "\n")
            if look is not None and look_every and progress.step % look_every == 0 and progress.step < steps:
                log.write(json.dumps({"step": progress.step, "held_out": look()}) + "\n")
            if now - said_at > SAY_EVERY_S or progress.step in (1, steps):
                said_at = now
                say(_line(progress, steps, loss, recipe))
                log.flush()
                plot_losses(folder / LOG, folder / PICTURE)
            if now - saved_at >= checkpoint_every_s:
                saved_at = now
                save_checkpoint(folder / CHECKPOINT, parameters, optimizer, progress, identity)
    plot_losses(folder / LOG, folder / PICTURE)
    save_checkpoint(folder / CHECKPOINT, parameters, optimizer, progress, identity)
    (folder / SECRET).unlink(missing_ok=True)
    return progress


def _plainly(
    network: Network,
    examples: ExampleFile,
    recipe: Recipe,
    numbers: list[int],
    optimizer: torch.optim.AdamW,
    first: int,
) -> tuple[Iterator[list[int]], Take, int]:
    """Each example once an epoch, a step of each batch; the steps of the whole schedule, if time allows."""

    def take(batch: list[int], _: int) -> tuple[float, int, int]:
        return _step(network, examples, batch, recipe.max_tokens, optimizer)

    batches = _batches(examples, numbers, recipe)
    return iter(batches[first:]), take, len(batches)


def _privately(
    network: Network,
    examples: ExampleFile,
    private: Private,
    numbers: list[int],
    optimizer: torch.optim.AdamW,
    first: int,
    folder: Path,
) -> tuple[Iterator[list[int]], Take, int]:
    """Drawn and blurred by the run's secret."""
    secret, n_expected = secret_of(folder), private.chance * len(numbers)

    def take(batch: list[int], step: int) -> tuple[float, int, int]:
        return private_step(
            network, examples, batch, optimizer, private, step=step, secret=secret, n_expected=n_expected
        )

    return draws(private, secret, numbers, first), take, private.steps


def _wait(may_go: Callable[[], bool], say: Callable[[str], None]) -> float:
    """Wait until it may go on; the seconds that took."""
    began = time.monotonic()
    is_waiting = False
    while not may_go():
        if not is_waiting:
            say("paused: on battery, or others need the processor")
            is_waiting = True
        time.sleep(_ASK_EVERY_S)
    return time.monotonic() - began if is_waiting else 0.0


def _identity(
    network: Network, examples: ExampleFile, recipe: Recipe, numbers: list[int], private: Private | None
) -> str:
    """What run this is: the same data, base and settings, whatever the time they may take and the memory."""
    digest = hashlib.sha256(json.dumps([_CUT, asdict(replace(recipe, seconds=None))]).encode())
    if private is not None:
        digest.update(json.dumps(asdict(private)).encode())
    for array in (examples.ids, examples.targets, np.array(numbers)):
        digest.update(array.tobytes())
    learned = sorted(network.parameters())
    digest.update(f"{network.base.architecture} {network.rank} {network.alpha} {learned}".encode())
    return digest.hexdigest()


def _batches(examples: ExampleFile, numbers: list[int], recipe: Recipe) -> list[list[int]]:
    """The batches of all epochs: families, until there are enough; each epoch's order follows from the seed alone."""
    batches: list[list[int]] = []
    for epoch in range(recipe.epochs):
        batch: list[int] = []
        for family in shuffled(examples, numbers, recipe.seed * 1000 + epoch):
            batch += family
            if len(batch) >= recipe.batch:
                batches.append(batch)
                batch = []
        batches += [batch] if batch else []
    return batches


def _step(
    network: Network, examples: ExampleFile, batch: list[int], max_tokens: int, optimizer: torch.optim.AdamW
) -> tuple[float, int, int]:
    """One step of the optimizer; the batch's loss, its tokens and its targets' tokens."""
    packs = packs_of(examples, batch, max_tokens)
    n_targets = sum(len(pack.labels) for pack in packs)
    optimizer.zero_grad()
    total = torch.zeros((), device=network.base.device)
    for pack in packs:
        loss = network.score(pack.to(network.base.device)).nll.sum() / n_targets
        loss.backward()
        total += loss.detach()
    torch.nn.utils.clip_grad_norm_(network.parameters().values(), _CLIP)
    optimizer.step()
    return float(total), sum(len(pack.ids) for pack in packs), n_targets


def _line(progress: Progress, steps: int, loss: float, recipe: Recipe) -> str:
    left = progress.seconds / progress.step * (steps - progress.step)
    if recipe.seconds is not None:
        left = min(left, recipe.seconds - progress.seconds)
    speed = progress.tokens / max(progress.seconds, 1e-9)
    return (
        f"step {progress.step} of {steps}, loss {loss:.3f}, {speed:,.0f} tokens/s, {max(left, 0) / 60:.1f} minutes left"
    )


def _cut_log(log: Path, step: int) -> None:
    """Drop what a killed run wrote after its last checkpoint."""
    if not log.exists():
        return
    kept = []
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] > step:
                break
        except ValueError:
            break
        kept.append(line + "\n")
    log.write_text("".join(kept) if step else "", encoding="utf-8")


_DEFAULT = Recipe()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tuning.train", description="Train a LoRA adapter on examples")
    parser.add_argument("base", type=Path, help="a .gguf file or a safetensors folder")
    parser.add_argument("examples", type=Path, help="as `tuning.data.example_file` keeps them")
    parser.add_argument("folder", type=Path, help="where the adapter, the log and the checkpoint go")
    parser.add_argument("--held-out", type=Path, help="examples to judge by, before and after")
    parser.add_argument("--name", required=True, help="what the base is called on the hub, for the adapter's file")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--alpha", type=float, help="twice the rank where not given")
    parser.add_argument("--layers", type=int, help="only so many of the upper ones learn (default: all)")
    parser.add_argument("--start", type=Path, metavar="ADAPTER", help="go on from what this one learned")
    parser.add_argument("--rate", type=float, default=_DEFAULT.rate)
    parser.add_argument("--batch", type=int, default=_DEFAULT.batch)
    parser.add_argument("--epochs", type=int, default=_DEFAULT.epochs)
    parser.add_argument("--max-tokens", type=int, default=_DEFAULT.max_tokens, help="of a pack: memory")
    parser.add_argument("--seconds", type=float, help="be done after this time")
    parser.add_argument("--seed", type=int, default=_DEFAULT.seed)
    parser.add_argument("--first", type=int, help="only so many of the examples")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--keep-tokens", type=float, default=math.inf, help="of larger packs less is kept: slower")
    parser.add_argument("--threads", type=int, help="of torch")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Train by the command line; returns the exit code."""
    arguments = _parser().parse_args(argv)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    try:
        examples = read(arguments.examples)
        held_out = read(arguments.held_out) if arguments.held_out else None
        base = load_base(arguments.base, device_of(arguments.device))
        alpha = arguments.alpha or 2.0 * arguments.rank
        network = Network(base, arguments.rank, alpha, arguments.seed, arguments.layers)
        if arguments.start is not None:
            load_adapter(network, arguments.start)
        network.keeps_tokens = arguments.keep_tokens
        keys = ("rate", "batch", "epochs", "max_tokens", "seconds", "seed")
        recipe = Recipe(**{key: getattr(arguments, key) for key in keys})
        n = min(arguments.first or len(examples), len(examples))
        arguments.folder.mkdir(parents=True, exist_ok=True)
        if held_out is not None:
            _judged(network, held_out, recipe, arguments.folder / "before.json", "before")
        train(network, examples, recipe, arguments.folder, numbers=list(range(n)))
    except (ExampleFileError, CheckpointError, ModelError, OSError, ValueError) as error:
        print(f"tuning: {error}", file=sys.stderr)
        return 1
    for kind, name in (("fp16", "adapter"), ("int8", "adapter-int8")):
        size = save_adapter(network, arguments.folder / name, arguments.name, kind)
        print(f"{arguments.folder / name}: {size / 1e6:.1f} MB")
    (arguments.folder / CHECKPOINT).unlink(missing_ok=True)
    if held_out is not None:
        _judged(network, held_out, recipe, arguments.folder / "after.json", "after")
    return 0


def _judged(network: Network, held_out: ExampleFile, recipe: Recipe, path: Path, when: str) -> None:
    verdicts = judge(network, held_out, recipe.max_tokens)
    write_report(path, verdicts)
    print(f"{when}: {json.dumps(summary(verdicts))}")


if __name__ == "__main__":
    sys.exit(main())
