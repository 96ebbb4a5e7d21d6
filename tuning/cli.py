"""The command `midfill tune`: learns from a source tree, judges what was learned on files that were not, and adds it.

    data     the tree's files, divided into those to learn from and those to judge by; examples of each
    run      learns, judges and adds (`tuning.run`)
    watch    goes on from there with what is committed (`tuning.watch`)

A run's folder is <cache>/tuning/<name>: interrupted, the same command goes on from there.

Rules: wrong input is one line on standard error and exit code 2, as everywhere; nothing leaves this machine. An adapter
can repeat what it learned from: said each time.
"""

import argparse
import json
import re
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path

from model.library import fetch
from model.library.adapter import NAME
from model.library.catalog import DEFAULT_MODEL, ModelError, ModelSource, read_added, resolve
from model.library.paths import cache_dir
from model.library.power import IdlePower
from tuning.base import device_of
from tuning.checkpoint import CheckpointError
from tuning.data.example_file import ExampleFile, ExampleFileError, read
from tuning.data.history import NotAHistory, head_of
from tuning.data.own_code import Code, TooLittleCode, find_code
from tuning.private import PrivacyError, require_epsilon
from tuning.run import (
    ADAPTER,
    COMMIT,
    HELD_OUT,
    HELD_OUT_EXAMPLES,
    LEARNED,
    Task,
    TuneError,
    add,
    learn,
    make,
    require_room,
)
from tuning.watch import WATCH, watch


def main(argv: list[str]) -> int:
    """Run by the words after `midfill tune`; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        return _tune(arguments)
    except (
        TuneError, TooLittleCode, NotAHistory, PrivacyError, ModelError, CheckpointError, ExampleFileError, OSError
    ) as error:  # fmt: skip
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
    parser.add_argument("--watch", action="store_true", help="then learn on from what is committed, until interrupted")
    parser.add_argument("--no-add", action="store_true", help="leave the adapter in the run's folder")
    return parser


def _tune(arguments: argparse.Namespace) -> int:
    task = _task(arguments)
    run = cache_dir() / "tuning" / task.name
    if arguments.anew:
        shutil.rmtree(run, ignore_errors=True)
    if not arguments.watch:
        if (run / WATCH).exists():
            raise TuneError(f"{run} is watched: --watch goes on with it, --anew forgets it, another --name leaves it")
        return _once(task, run)
    head_of(task.root)  # a tree without commits is told before hours are spent on it
    if read_added(task.name) is None:
        shutil.rmtree(run / WATCH, ignore_errors=True)  # what rounds have added is gone, too
        if code := _once(task, run):
            return code
    return watch(task, run)


def _task(arguments: argparse.Namespace) -> Task:
    """What the words ask for; TuneError and the like where it cannot be."""
    root = arguments.folder.expanduser().resolve()
    if not root.is_dir():
        raise TuneError(f"there is no folder {root}")
    name = arguments.name or _name_of(root)
    if NAME.fullmatch(name) is None:
        raise TuneError(f"{name!r} is no name for a model: small letters, digits, '.' and '-', at most 32")
    if arguments.watch and arguments.no_add:
        raise TuneError("--watch goes on from what was added: leave --no-add away")
    if arguments.watch and arguments.epsilon is not None:
        raise TuneError("--watch cannot keep what --epsilon promises: each round would spend as much again")
    if arguments.epsilon is not None:
        require_epsilon(arguments.epsilon)
    source, file = _base(arguments.model)
    return Task(
        root=root,
        name=name,
        model=arguments.model,
        source=source,
        file=file,
        device=device_of(arguments.device),
        hours=arguments.hours,
        rate=arguments.rate,
        epochs=arguments.epochs,
        n_examples=arguments.examples,
        epsilon=arguments.epsilon,
        power=IdlePower("always" if arguments.now else "auto"),
        adds=not arguments.no_add,
    )


def _once(task: Task, run: Path) -> int:
    """Learn from the tree; returns the exit code."""
    began = time.monotonic()
    keeps = require_room(task, run)
    learned, held_out = _examples(task, run)
    judgement = learn(task, run, learned, held_out, keeps, began, start=None)
    if not judgement.is_better:
        print(f"not added: on files it did not learn from it is not better ({judgement.why_not}). It is kept in "
              f"{run / ADAPTER}; more --hours, --epochs or code may help")  # fmt: skip
        return 1
    if not task.adds:
        print(f"better; it is in {run / ADAPTER}")
        return 0
    return add(task, run)


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


def _examples(task: Task, run: Path) -> tuple[ExampleFile, ExampleFile]:
    """What to learn from and what to judge by: made, or those of the interrupted run."""
    private = {} if task.epsilon is None else {"epsilon": task.epsilon}
    settings = json.dumps({"root": str(task.root), "model": task.model, "examples": task.n_examples, **private})
    said = run / "settings.json"
    learned, held_out = run / LEARNED, run / HELD_OUT
    if said.exists():
        if said.read_text(encoding="utf-8") != settings:
            raise TuneError(f"{run} holds a run of other settings: add --anew to forget it, or give another --name")
        print(f"going on with the run in {run}")
        return read(learned), read(held_out)
    with suppress(NotAHistory):
        (run / COMMIT).write_text(head_of(task.root), encoding="utf-8")  # where `--watch` goes on
    code = find_code(task.root)
    print(
        f"{len(code.learned)} files to learn from, {sum(code.learned.values()):,} lines; {len(code.held_out)} to judge "
        f"by{_list(code)}"
    )
    if task.epsilon is None:
        print("an adapter can repeat what it learned from: share it with whom you would share the code", flush=True)
    make(task, code, code.held_out, HELD_OUT_EXAMPLES, held_out)
    make(task, code, code.learned, task.n_examples, learned)
    said.write_text(settings, encoding="utf-8")
    return read(learned), read(held_out)


def _list(code: Code) -> str:
    left_out = ", ".join(f"{count} {reason}" for reason, count in code.left_out.most_common())
    return f" (left out: {left_out})" if left_out else ""
