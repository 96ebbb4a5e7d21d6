"""`python -m tests.fuzz faults`: fails each I/O call and each await of client, daemon, index and history in turn.

A scenario is run without faults first, which counts the places where something may fail. Then it is run again for every
place and failure (or for a sample of them), and must end with a sentence and recover. The last line is JSON.
"""

import argparse
import gc
import json
import logging
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.injection import Injector, injected
from tests.fuzz.scenarios import EngineLife, HistoryLife, IndexClientLife, Verdict, WorkerLife, quick

SCENARIOS = ("engine", "index-client", "worker", "history")
_MOST_PER_PLACE = 2


@dataclass(slots=True)
class Figures:
    """Of all runs together; the last four and `wrong` must be nothing."""

    scenarios: int = 0
    points: int = 0
    faults: int = 0
    not_reached: int = 0
    asked: int = 0
    lost: int = 0
    hangs: int = 0
    unobserved: int = 0
    wrong: list[str] = field(default_factory=list)


@contextmanager
def _cache() -> Iterator[Path]:
    """A cache and a runtime folder of our own."""
    before = {name: os.environ.get(name) for name in ("MIDFILL_CACHE", "XDG_RUNTIME_DIR")}
    with tempfile.TemporaryDirectory(prefix="midfill-faults-", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "run").mkdir(mode=0o700)
        os.environ |= {"MIDFILL_CACHE": f"{folder}/cache", "XDG_RUNTIME_DIR": f"{folder}/run"}
        try:
            yield Path(folder)
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


def scenario(name: str, folder: Path) -> Callable[[], Verdict]:
    """A scenario with what it needs on disk."""
    if name == "engine":
        return EngineLife(*_model_and_store(folder))
    if name == "history":
        return HistoryLife()
    root = folder / f"workspace-{name}"
    root.mkdir()
    (root / "a.py").write_text("def one(): ...\n")
    (root / ".gitignore").write_text("*.log\n")
    return IndexClientLife(root) if name == "index-client" else WorkerLife(root)


def _model_and_store(folder: Path) -> tuple[Path, Path]:
    """A tiny model, and a folder of stores with its own."""
    from model.library.catalog import resolve
    from model.weights.prepare import choose_kind
    from model.weights.quantize import make_store
    from tests.model.tiny import make_tiny_model

    model = make_tiny_model(folder / "tiny")
    store = make_store(resolve(str(model)), model, choose_kind("auto"), lambda done: None)
    return model, store.parent.rename(folder / "stores")


def run(names: list[str], n_sample: int | None, seed: int, told: Callable[[str], None] = lambda line: None) -> Figures:
    """Run scenarios with every fault, or with a sample of so many of each."""
    figures = Figures()
    with _cache() as folder, quick():
        for name in names:
            _run_scenario(name, scenario(name, folder), figures, n_sample, random.Random(seed), told)
    return figures


def _run_scenario(
    name: str,
    life: Callable[[], Verdict],
    figures: Figures,
    n_sample: int | None,
    dice: random.Random,
    told: Callable[[str], None],
) -> None:
    injector, unseen = Injector(), []
    with injected(injector, lambda context: unseen.append(_in_words(context))):
        life()  # what is made once (a store, say) is there from now on
        for _ in range(2):
            injector.arm(None)
            sound = life()
            faults = injector.faults(_MOST_PER_PLACE)
        if sound.wrong or unseen:
            figures.wrong.append(f"{name} without a fault: {sound.wrong + unseen}")
        figures.scenarios += 1
        figures.points += len({(fault.place, fault.number) for fault in faults})
        chosen = faults if n_sample is None else dice.sample(faults, min(n_sample, len(faults)))
        for number, fault in enumerate(chosen):
            began = time.monotonic()
            unseen.clear()
            injector.arm(fault)
            verdict = _lived(life)
            gc.collect()  # what nobody saw is told now
            figures.faults += injector.hit
            figures.not_reached += not injector.hit
            figures.asked += verdict.n_asked
            figures.lost += verdict.n_lost
            figures.hangs += verdict.n_hangs
            figures.unobserved += len(unseen)
            problems = verdict.wrong + unseen
            if problems:
                figures.wrong.append(f"{name}: {fault}: {problems}")
            told(f"{name} {number + 1}/{len(chosen)} {time.monotonic() - began:.1f} s {fault} {problems or ''}")


def _lived(life: Callable[[], Verdict]) -> Verdict:
    try:
        return life()
    except Exception as error:
        logging.getLogger(__name__).exception("a scenario")
        return Verdict(wrong=[f"it raised {error!r}"])


def _in_words(context: dict[str, Any]) -> str:
    return (
        f"{context.get('message')}: {context.get('exception')!r} {context.get('task') or context.get('handle') or ''}"
    )


def main(arguments: list[str]) -> int:
    """The command; 1 when something is lost, hangs, or ends without anybody seeing it."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz faults", description=__doc__)
    parser.add_argument("--scenario", choices=SCENARIOS, action="append", help="only this one (may be repeated)")
    parser.add_argument("--sample", type=int, help="so many faults of each scenario instead of all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, help="write the product's log here")
    args = parser.parse_args(arguments)
    logging.basicConfig(filename=args.log or os.devnull, level=logging.INFO)
    began = time.monotonic()
    figures = run(args.scenario or list(SCENARIOS), args.sample, args.seed, lambda line: print(line, flush=True))
    for line in figures.wrong:
        print(f"WRONG {line}", file=sys.stderr)
    print(
        f"{figures.points} points, {figures.faults} faults injected ({figures.not_reached} not reached), "
        f"{figures.asked} requests, {figures.lost} answers lost, {figures.hangs} hangs, "
        f"{figures.unobserved} tasks unobserved, {time.monotonic() - began:.0f} s"
    )
    print(json.dumps({**asdict(figures), "wrong": len(figures.wrong), "seconds": round(time.monotonic() - began)}))
    return 1 if figures.wrong else 0
