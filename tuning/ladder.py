"""Trains anew on more and more examples and judges each time: does more data still help? `python -m tuning.ladder`.

A rung is `EXAMPLES:BATCH:EPOCHS:RATE:SECONDS` (0 examples: all; 0 seconds: as long as it takes, up to `--until`). Each
rung starts from the same seed and takes the first so many of one random order of places, so that every rung holds the
ones before it. `ladder.jsonl` gets a line for the base and one for each rung, and a folder for each holds its adapters
and log.

Rules: made for a rented machine: the base is loaded once, a rung that fails is logged and the next one is begun,
everything is written as soon as there is anything to write, and no rung trains past `--until` less `--reserve`.
"""

import argparse
import fcntl
import itertools
import json
import logging
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from tuning.adapter_file import save_adapter
from tuning.base import device_of, load_base
from tuning.data.example_file import ExampleFile, read
from tuning.data.packing import packs_of, shuffled
from tuning.judge import judge, write_report
from tuning.network import Network
from tuning.train import CHECKPOINT, Recipe, train

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rung:
    """How many examples, and how they are gone through."""

    examples: int
    batch: int
    epochs: int
    rate: float
    seconds: float

    @classmethod
    def parse(cls, text: str) -> "Rung":
        """EXAMPLES:BATCH:EPOCHS:RATE:SECONDS."""
        examples, batch, epochs, rate, seconds = text.split(":")
        return cls(int(examples), int(batch), int(epochs), float(rate), float(seconds))


def climb(arguments: argparse.Namespace) -> None:
    """Load, judge the base, and train and judge each rung."""
    device = device_of(arguments.device)
    began = time.monotonic()
    base = load_base(arguments.base, device, n_threads=arguments.loaders)
    log.info("loaded %s in %.1f s", arguments.base.name, time.monotonic() - began)
    while not (arguments.examples.exists() and arguments.held_out.exists()) and _left(arguments) > 0:
        time.sleep(0.2)  # they are still on their way to this machine
    examples, held_out = read(arguments.examples), read(arguments.held_out)
    log.info("%d examples, %d held out", len(examples), len(held_out))
    order = list(itertools.chain(*shuffled(examples, range(len(examples)), arguments.seed)))
    with _alone(arguments.lock) if arguments.lock else nullcontext():
        network = Network(base, arguments.rank, 2.0 * arguments.rank, arguments.seed)
        max_tokens = fitting(network, examples, arguments.max_tokens)
        _judge(arguments, network, held_out, "base", {})
        for rung in arguments.rung:
            network = Network(base, arguments.rank, 2.0 * arguments.rank, arguments.seed)
            network.keeps_tokens = arguments.keep_tokens
            try:
                _climb_one(arguments, network, rung, examples, held_out, order, max_tokens)
            except Exception:  # a rented machine's time is not for waiting
                log.exception("the rung of %d examples failed", rung.examples)
            del network
    log.info("done")


def _climb_one(
    arguments: argparse.Namespace,
    network: Network,
    rung: Rung,
    examples: ExampleFile,
    held_out: ExampleFile,
    order: list[int],
    max_tokens: int,
) -> None:
    n = min(rung.examples or len(order), len(order))
    seconds = min(rung.seconds or math.inf, _left(arguments))
    if seconds <= 0:
        log.warning("no time is left for %d examples", n)
        return
    folder = arguments.folder / f"rung-{n}"
    recipe = Recipe(
        rate=rung.rate,
        batch=rung.batch,
        epochs=rung.epochs,
        max_tokens=max_tokens,
        seconds=None if seconds == math.inf else seconds,
        seed=arguments.seed,
    )
    done = train(network, examples, recipe, folder, numbers=order[:n], checkpoint_every_s=math.inf, say=log.info)
    for kind in ("fp16", "int8"):
        size = save_adapter(network, folder / f"adapter-{kind}", arguments.name, kind)
        log.info("rung %d: adapter-%s, %.1f MB", n, kind, size / 1e6)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    figures = {
        "examples": n,
        "seen": min(done.step * rung.batch, n * rung.epochs),
        "batch": rung.batch,
        "rate": rung.rate,
        "steps": done.step,
        "tokens": done.tokens,
        "seconds": round(done.seconds, 1),
    }
    _judge(arguments, network, held_out, f"rung-{n}", figures)
    (folder / "done").touch()


def _left(arguments: argparse.Namespace) -> float:
    """Seconds until training must end. The file is read anew each time: who rents the machine knows ever better."""
    if arguments.until is None:
        return math.inf
    until = float(arguments.until.read_text(encoding="utf-8"))
    return until - float(arguments.reserve) - time.time()


def _judge(
    arguments: argparse.Namespace, network: Network, held_out: ExampleFile, name: str, figures: dict[str, float]
) -> None:
    folder = arguments.folder / name
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    verdicts = judge(network, held_out, arguments.max_tokens // 2)
    said = write_report(folder / "held-out.json", verdicts)
    row = {"name": name, **figures, "judged_s": round(time.monotonic() - began, 1), **said}
    with (arguments.folder / "ladder.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    log.info("%s: %s", name, json.dumps(said["all"]))


def fitting(network: Network, examples: ExampleFile, max_tokens: int) -> int:
    """The largest pack up to `max_tokens` that the device's memory takes, tried with the longest examples."""
    by_length = sorted(range(len(examples)), key=lambda number: -len(examples[number]))
    while max_tokens > 1024:
        pack = packs_of(examples, by_length[:1024], max_tokens)[0].to(network.base.device)
        try:
            network.score(pack).nll.mean().backward()
            break
        except torch.OutOfMemoryError:
            log.warning("a pack of %d tokens does not fit", max_tokens)
            max_tokens //= 2
        finally:
            for parameter in network.parameters().values():
                parameter.grad = None
    if network.base.device.type == "cuda":
        log.info("packs of %d tokens: %.1f GB at most", max_tokens, torch.cuda.max_memory_allocated() / 1e9)
        torch.cuda.empty_cache()
    return max_tokens


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait until no other ladder is using the device."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(argv: list[str] | None = None) -> int:
    """Climb by the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tuning.ladder", description="Train on more and more examples")
    parser.add_argument("base", type=Path, help="a .gguf file or a safetensors folder")
    parser.add_argument("examples", type=Path)
    parser.add_argument("held_out", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", required=True, help="what the base is called on the hub")
    parser.add_argument("--rung", type=Rung.parse, action="append", required=True)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--max-tokens", type=int, default=4096, help="of a pack, where memory allows")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--loaders", type=int, default=8, help="threads that unpack the base")
    parser.add_argument("--keep-tokens", type=float, default=math.inf, help="of larger packs less is kept: slower")
    parser.add_argument("--until", type=Path, help="a file that says, in seconds since 1970, when all must be done")
    parser.add_argument("--reserve", type=float, default=0.0, help="seconds before that for judging and sending")
    parser.add_argument("--lock", type=Path, help="wait, once loaded, until nobody else holds this file")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stdout)
    climb(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
