"""One run of `midfill tune`: learns from some examples, judges by others, and adds what is better.

    learn   LoRA on a model, at low priority, until all examples were seen or the time is over; before and after it,
            the held-out examples are judged, paired
    add     `midfill model add`

Rules: a run's folder has all that it needs to go on. Nothing is added that is not better.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from lsp_server.cli import commands
from model.library.architecture import Architecture
from model.library.catalog import ModelSource, read_added
from model.library.power import IdlePower
from model.library.system import be_nice, n_cores
from model.weights.source import open_source
from tuning.adapter_file import load_adapter, save_adapter
from tuning.base import load_model
from tuning.data.example_file import ExampleFile
from tuning.data.own_code import Code, NewLines, make_examples
from tuning.judge import Verdict, judge, read_verdicts, summary, write_report
from tuning.memory import need_of
from tuning.network import Network
from tuning.private import Private, plan
from tuning.stats import Interval, clustered_difference
from tuning.train import PICTURE, SAY_EVERY_S, Recipe, train

# What is in a run's folder, and in a round's.
ADAPTER, LEARNED, HELD_OUT = "adapter", "learned.safetensors", "held-out.safetensors"
COMMIT = "commit"  # what the tree stood on
_RANK = 16
_NICENESS = 10
# Of a pack: most places are in one whole, and what is read twice is a fifth of all. A longer example is one of its own.
_MAX_TOKENS = 2048
HELD_OUT_EXAMPLES = 320  # to judge by
_LEAST_GAIN = 0.01  # nats an example: what is surely likelier by less is nothing to anybody
# Checkpoints, examples, adapters of both kinds.
_DISK_BYTES = 400_000_000
_MEMORY_SHARE = 0.9  # of what is free
# Of a step: noise is drawn once a step, and is the less felt the more examples share it.
_BATCH, _PRIVATE_BATCH = 8, 64


class TuneError(Exception):
    """The run cannot be made, or went wrong; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be learned from, by which model, for how long."""

    root: Path
    name: str  # of what comes of it
    model: str
    source: ModelSource
    file: Path  # the model's
    device: torch.device
    hours: float
    rate: float
    epochs: int
    n_examples: int
    epsilon: float | None
    power: IdlePower
    adds: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """After against before on the held-out examples."""

    exact: Interval  # the whole target and its end
    text: Interval  # the target without its end-of-text: what a stock model can have right as well
    nll: Interval  # of the text, per example

    @property
    def is_better(self) -> bool:
        """Surely likelier text, and not surely fewer texts right."""
        return self.nll.high < -_LEAST_GAIN and self.text.high >= 0

    @property
    def why_not(self) -> str:
        """What it lacks."""
        return (
            "what is likely changed too little to be sure"
            if self.nll.high >= -_LEAST_GAIN
            else "fewer texts were right"
        )


def make(task: Task, code: Code, files: dict[str, int], n: int, out: Path, lines: NewLines | None = None) -> None:
    """Write examples of some files, or of `lines` of them; TuneError where none can be made."""
    if problem := make_examples(code, files, n, task.model, out, lines):
        raise TuneError(f"no examples could be made of {task.root}: {problem}")


def learn(
    task: Task, run: Path, learned: ExampleFile, held_out: ExampleFile, keeps: float, began: float, start: Path | None
) -> Judgement:
    """Learn in a run's folder, from what `start` has learned before; the adapter is in it, judged.

    `keeps` is what `require_room` says; `began`, by the monotonic clock, is when the time began to count.
    """
    be_nice(_NICENESS)
    torch.set_num_threads(n_cores())
    base = load_model(task.source, task.file, task.device, n_threads=n_cores())
    network = Network(base, _RANK, 2.0 * _RANK, seed=1, layers=_n_learning(base.architecture, task.device))
    if start is not None:
        load_adapter(network, start)
    network.keeps_tokens = keeps
    before = _judged(network, held_out, run / "before.json", "before")
    prepared_s = time.monotonic() - began  # most of it is judging, which comes once more
    recipe = Recipe(
        rate=task.rate,
        batch=_BATCH if task.epsilon is None else _PRIVATE_BATCH,
        epochs=task.epochs,
        max_tokens=_MAX_TOKENS,
        seconds=max(task.hours * 3600 - 2 * prepared_s, 60.0),
    )
    private = _private(task.epsilon, len(learned), recipe)
    print(f"learning from {len(learned)} examples; the loss is drawn in {run / 'train' / PICTURE}", flush=True)
    progress = train(network, learned, recipe, run / "train", say=_say, may_go=task.power, private=private)
    if private is not None:
        print(f"spent: epsilon {private.spent(progress.step):.2f} of {private.epsilon:g}, delta {private.delta:.1e}")
    (run / "after.json").unlink(missing_ok=True)
    after = _judged(network, held_out, run / "after.json", "after")
    save_adapter(network, run / ADAPTER, _hub_name(task.source), "fp16")
    judgement = compare(before, after, [row["source"] for row in held_out.examples])
    print(f"exact with its end {_signed(judgement.exact)}, text {_signed(judgement.text)}, "
          f"NLL of the text {_signed(judgement.nll)}", flush=True)  # fmt: skip
    return judgement


def _n_learning(architecture: Architecture, device: torch.device) -> int | None:
    """How many layers learn: on a processor the upper half, which sees half as many examples again in an hour."""
    return None if device.type == "cuda" else -(-architecture.n_layers // 2)


def _private(epsilon: float | None, n_examples: int, recipe: Recipe) -> Private | None:
    """The noise that was asked for; says it."""
    if epsilon is None:
        return None
    private = plan(epsilon, n_examples, recipe.batch, recipe.steps(n_examples))
    print(
        f"private: epsilon {private.epsilon:g} and delta {private.delta:.1e} for each example, by noise of "
        f"{private.noise:.2f} beside each example's gradient of 1, {recipe.batch} of them in a step; a text that "
        "stands in many files is protected less",
        flush=True,
    )
    return private


def _hub_name(source: ModelSource) -> str:
    """What the adapter's file says that it was trained on; `model.library.adapter.find_base` reads it."""
    if source.shipped is not None:
        return source.shipped.name
    return source.row.source_repo.removesuffix("-GGUF") if source.row is not None else str(source.path)


def require_room(task: Task, run: Path) -> float:
    """How many tokens of a pack are kept whole; TuneError where memory or the disk is too small. Says the memory."""
    with open_source(task.file) as weights:
        width = 2 if task.device.type == "cuda" else 4
        need = need_of(
            weights.architecture,
            _RANK,
            is_tied=weights.is_tied,
            bytes_per_weight=width,
            n_learning=_n_learning(weights.architecture, task.device),
        )
    cuda_free = torch.cuda.mem_get_info(task.device)[0] if task.device.type == "cuda" else None
    free = cuda_free if cuda_free is not None else psutil.virtual_memory().available
    room = int(free * _MEMORY_SHARE)
    keeps = min((room - need.fixed) // need.per_token, _MAX_TOKENS)
    least = need.bytes_for(_MAX_TOKENS, 0)
    if keeps < 0 or (keeps < _MAX_TOKENS and least > room):
        raise TuneError(
            f"training takes {least / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free: close other programs, "
            "or choose a smaller --model"
        )
    if keeps < _MAX_TOKENS:
        keeps = 0
    print(f"memory: {need.bytes_for(_MAX_TOKENS, keeps) / 1e9:.1f} GB of the {free / 1e9:.1f} GB that are free")
    run.mkdir(parents=True, exist_ok=True)
    if (disk := shutil.disk_usage(run).free) < _DISK_BYTES:
        raise TuneError(f"{run} needs {_DISK_BYTES / 1e6:.0f} MB of disk, and {disk / 1e6:.0f} MB are free")
    return keeps


def _judged(network: Network, held_out: ExampleFile, path: Path, when: str) -> list[Verdict]:
    """Verdicts, those of an interrupted run where it came that far; says them."""
    verdicts = read_verdicts(path) if path.exists() else judge(network, held_out, _MAX_TOKENS, _judging(when))
    write_report(path, verdicts)
    said = summary(verdicts)
    print(f"{when}: {said['n']} examples, exact {said['exact']:.3f}, text {said['text']:.3f}, NLL {said['nll']:.3f}, "
          f"ends too early {said['early']:.3f}, too late {said['late']:.3f}", flush=True)  # fmt: skip
    return verdicts


def _judging(when: str) -> Callable[[int, int], None]:
    """Says now and then how far judging is: it takes minutes on a processor."""
    said_at = time.monotonic()

    def say(done: int, of: int) -> None:
        nonlocal said_at
        if time.monotonic() - said_at > SAY_EVERY_S:
            said_at = time.monotonic()
            print(f"judging {when}: {done} of {of} examples", flush=True)

    return say


def compare(before: Sequence[Verdict], after: Sequence[Verdict], files: Sequence[str]) -> Judgement:
    """Paired, the examples of a file together."""

    def paired(value: Callable[[Verdict], float]) -> Interval:
        return clustered_difference([value(v) for v in before], [value(v) for v in after], files)

    return Judgement(
        exact=paired(lambda v: float(v.exact)),
        text=paired(lambda v: float(v.exact or v.late)),
        nll=paired(lambda v: v.nll - v.end_nll),
    )


def add(task: Task, run: Path) -> int:
    """Give a run's adapter its name, in place of an older one; returns the exit code."""
    if read_added(task.name) is not None:
        commands.run(["model", "rm", task.name])
    base = ["--model", str(task.source.path)] if task.source.row is None else []  # a catalog's is in the adapter's file
    return commands.run(["model", "add", "--adapter", str(run / ADAPTER), *base, "--name", task.name])


def _signed(difference: Interval) -> str:
    return f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def _say(line: str) -> None:
    print(line, flush=True)
