"""The command `midfill tune`: learns from a source tree, judges what was learned on files that were not, and adds it.

    data     the tree's files, divided into those to learn from and those to judge by; examples of each
    train    LoRA on the catalog's model, at low priority, until all examples were seen or the time is over
    judge    the held-out examples before and after, paired, by file
    add      `midfill model add`, if it is better; why not, if it is not

A run's folder is <cache>/tuning/<name>: interrupted, the same command goes on from there.

Rules: wrong input is one line on standard error and exit code 2, as everywhere; nothing is added that is not better;
nothing leaves this machine. An adapter can repeat what it learned from: said each time.
"""

import argparse
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from lsp_server.cli import commands
from model.library import fetch
from model.library.adapter import NAME
from model.library.architecture import Architecture
from model.library.catalog import DEFAULT_MODEL, ModelError, ModelSource, read_added, resolve
from model.library.paths import cache_dir
from model.library.power import IdlePower
from model.library.system import be_nice, n_cores
from model.weights.source import open_source
from tuning.adapter_file import save_adapter
from tuning.base import device_of, load_model
from tuning.checkpoint import CheckpointError
from tuning.data.example_file import ExampleFile, ExampleFileError, read
from tuning.data.own_code import Code, TooLittleCode, find_code, make_examples
from tuning.judge import Verdict, judge, read_verdicts, summary, write_report
from tuning.memory import need_of
from tuning.network import Network
from tuning.private import PrivacyError, Private, plan, require_epsilon
from tuning.stats import Interval, clustered_difference
from tuning.train import PICTURE, SAY_EVERY_S, Recipe, train

_RANK = 16
_NICENESS = 10
# Of a pack: most places are in one whole, and what is read twice is a fifth of all. A longer example is one of its own.
_MAX_TOKENS = 2048
_HELD_OUT_EXAMPLES = 320
_LEAST_GAIN = 0.01  # nats an example: what is surely likelier by less is nothing to anybody
# Checkpoints, examples, adapters of both kinds.
_DISK_BYTES = 400_000_000
_MEMORY_SHARE = 0.9  # of what is free
# Of a step: noise is drawn once a step, and is the less felt the more examples share it.
_BATCH, _PRIVATE_BATCH = 8, 64


class TuneError(Exception):
    """The run cannot be made, or went wrong; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """After against before on the held-out examples."""

    exact: Interval  # the whole target and its end
    text: Interval  # the target without its end: what a stock model can have right as well
    nll: Interval  # of the text, per example

    @property
    def is_better(self) -> bool:
        """Surely likelier text, and not surely fewer texts right."""
        return self.nll.high < -_LEAST_GAIN and self.text.high >= 0


def main(argv: list[str]) -> int:
    """Run by the words after `midfill tune`; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        return _tune(arguments)
    except (TuneError, TooLittleCode, PrivacyError, ModelError, CheckpointError, ExampleFileError, OSError) as error:
        print(f"midfill: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("midfill: interrupted; the same command goes on where this one was", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="midfill tune", description="Teach the model your code")
    parser.add_argument("folder", type=Path, nargs="?", default=Path(), help="the source tree (default: this folder)")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="the model that learns (default: %(default)s)")
    parser.add_argument("--name", help="of what comes of it (default: the folder's and 'tuned')")
    parser.add_argument("--hours", type=float, default=3.0, help="be done after this time (default: %(default)s)")
    parser.add_argument("--examples", type=int, default=3000, help="at most (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=1, help="times each is seen, if time allows")
    parser.add_argument("--rate", type=float, default=3e-4, help="learning rate (default: %(default)s)")
    parser.add_argument(
        "--epsilon",
        type=float,
        metavar="E",
        help="learn with differential privacy, so that the adapter can be shared: 1 is strict, 8 usual",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--anew", action="store_true", help="forget an interrupted run")
    parser.add_argument("--now", action="store_true", help="do not wait on battery or while others need the processor")
    parser.add_argument("--no-add", action="store_true", help="leave the adapter in the run's folder")
    return parser


def _tune(arguments: argparse.Namespace) -> int:
    began = time.monotonic()
    root = arguments.folder.expanduser().resolve()
    if not root.is_dir():
        raise TuneError(f"there is no folder {root}")
    name = arguments.name or _name_of(root)
    if NAME.fullmatch(name) is None:
        raise TuneError(f"{name!r} is no name for a model: small letters, digits, '.' and '-', at most 32")
    source, file = _base(arguments.model)
    run = cache_dir() / "tuning" / name
    device = device_of(arguments.device)
    if arguments.epsilon is not None:
        require_epsilon(arguments.epsilon)
    if arguments.anew:
        shutil.rmtree(run, ignore_errors=True)
    keeps = _require_room(file, device, run)
    learned, held_out = _examples(arguments, root, run)
    be_nice(_NICENESS)
    torch.set_num_threads(n_cores())
    base = load_model(source, file, device, n_threads=n_cores())
    network = Network(base, _RANK, 2.0 * _RANK, seed=1, layers=_n_learning(base.architecture, device))
    network.keeps_tokens = keeps
    before = _judged(network, held_out, run / "before.json", "before")
    prepared_s = time.monotonic() - began  # most of it is judging, which comes once more
    recipe = Recipe(
        rate=arguments.rate,
        batch=_BATCH if arguments.epsilon is None else _PRIVATE_BATCH,
        epochs=arguments.epochs,
        max_tokens=_MAX_TOKENS,
        seconds=max(arguments.hours * 3600 - 2 * prepared_s, 60.0),
    )
    private = _private(arguments.epsilon, len(learned), recipe)
    print(f"learning from {len(learned)} examples; the loss is drawn in {run / 'train' / PICTURE}", flush=True)
    power = IdlePower("always" if arguments.now else "auto")
    progress = train(network, learned, recipe, run / "train", say=_say, may_go=power, private=private)
    if private is not None:
        print(f"spent: epsilon {private.spent(progress.step):.2f} of {private.epsilon:g}, delta {private.delta:.1e}")
    (run / "after.json").unlink(missing_ok=True)
    after = _judged(network, held_out, run / "after.json", "after")
    base_name = _hub_name(source)
    save_adapter(network, run / "adapter", base_name, "fp16")
    judgement = compare(before, after, [row["source"] for row in held_out.examples])
    print(f"exact with its end {_signed(judgement.exact)}, text {_signed(judgement.text)}, "
          f"NLL of the text {_signed(judgement.nll)}")  # fmt: skip
    del network, base
    return _add(arguments, judgement, run, source, name)


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


def _name_of(root: Path) -> str:
    readable = re.sub(r"[^a-z0-9.]+", "-", root.name.lower()).strip("-.") or "code"
    return f"{readable[:26].strip('-.')}-tuned"


def _base(model: str) -> tuple[ModelSource, Path]:
    """The model that learns, and its file, which must be there."""
    source = resolve(model)
    if source.adapter is not None:
        raise TuneError(f"{model} is an adapter itself: tune {source.adapter.base}")
    if source.row is not None and not fetch.is_cached(source.row):
        raise TuneError(f"{model} is not on this machine yet: run `midfill model pull {model}` first")
    return source, fetch.fetch(source)


def _hub_name(source: ModelSource) -> str:
    """What the adapter's file says that it was trained on; `model.library.adapter.find_base` reads it."""
    if source.shipped is not None:
        return source.shipped.name
    return source.row.source_repo.removesuffix("-GGUF") if source.row is not None else str(source.path)


def _require_room(file: Path, device: torch.device, run: Path) -> float:
    """How many tokens of a pack are kept whole; TuneError where memory or the disk is too small. Says the memory."""
    with open_source(file) as weights:
        width = 2 if device.type == "cuda" else 4
        need = need_of(
            weights.architecture,
            _RANK,
            is_tied=weights.is_tied,
            bytes_per_weight=width,
            n_learning=_n_learning(weights.architecture, device),
        )
    cuda_free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None
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


def _examples(arguments: argparse.Namespace, root: Path, run: Path) -> tuple[ExampleFile, ExampleFile]:
    """What to learn from and what to judge by: made, or those of the interrupted run."""
    private = {} if arguments.epsilon is None else {"epsilon": arguments.epsilon}
    settings = json.dumps({"root": str(root), "model": arguments.model, "examples": arguments.examples, **private})
    said = run / "settings.json"
    learned, held_out = run / "learned.safetensors", run / "held-out.safetensors"
    if said.exists():
        if said.read_text(encoding="utf-8") != settings:
            raise TuneError(f"{run} holds a run of other settings: add --anew to forget it, or give another --name")
        print(f"going on with the run in {run}")
        return read(learned), read(held_out)
    code = find_code(root)
    print(
        f"{len(code.learned)} files to learn from, {sum(code.learned.values()):,} lines; {len(code.held_out)} to judge "
        f"by{_list(code)}"
    )
    if arguments.epsilon is None:
        print("an adapter can repeat what it learned from: share it with whom you would share the code", flush=True)
    for files, n_examples, out in (
        (code.held_out, _HELD_OUT_EXAMPLES, held_out),
        (code.learned, arguments.examples, learned),
    ):
        if problem := make_examples(code, files, n_examples, arguments.model, out):
            raise TuneError(f"no examples could be made of {root}: {problem}")
    said.write_text(settings, encoding="utf-8")
    return read(learned), read(held_out)


def _list(code: Code) -> str:
    left_out = ", ".join(f"{count} {reason}" for reason, count in code.left_out.most_common())
    return f" (left out: {left_out})" if left_out else ""


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


def _add(arguments: argparse.Namespace, judgement: Judgement, run: Path, source: ModelSource, name: str) -> int:
    adapter = run / "adapter"
    if not judgement.is_better:
        why = (
            "what is likely changed too little to be sure"
            if judgement.nll.high >= -_LEAST_GAIN
            else "fewer texts were right"
        )
        print(f"not added: on files it did not learn from it is not better ({why}). It is kept in {adapter}; more "
              "--hours, --epochs or code may help")  # fmt: skip
        return 1
    if arguments.no_add:
        print(f"better; it is in {adapter}")
        return 0
    if read_added(name) is not None:
        commands.run(["model", "rm", name])
    base = ["--model", str(source.path)] if source.row is None else []  # a catalog's name is in the adapter's file
    return commands.run(["model", "add", "--adapter", str(adapter), *base, "--name", name])


def _signed(difference: Interval) -> str:
    return f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def _say(line: str) -> None:
    print(line, flush=True)
