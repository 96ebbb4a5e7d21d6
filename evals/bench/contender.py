"""An engine in the bench: its process, the settings it is measured with, and its samples.

Rules: an engine is taken at its best: of all its settings, the best median for each figure by itself.
midfill has one setting, which needs no name. A figure that an engine has no sample of is left out of what
is compared, never guessed.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from rich.console import Console

from evals.peers.client import Worker, WorkerError
from evals.peers.library import PeerSettings
from evals.peers.llamacpp import load_peer, open_peer

# Name of a peer (a key of evals.peers.worker_process.LIBRARIES) -> what tables and plots call it.
PEERS = {"llamacpp": "llama.cpp", "ik_llama": "ik_llama.cpp"}
OURS = "midfill"
_MICRO_BATCHES = (512, 256, 128)
# A setting this much slower than the best one is not measured again for the figure.
_WORTH_REPEATING = 1.05

Settings = PeerSettings | None


class Asker(Protocol):
    """What is needed of evals.peers.client.Worker."""

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        """Run one operation and return its reply; WorkerError when it fails."""
        ...


class Contender:
    """One engine with its model loaded. `samples[figure][label of settings]` are seconds."""

    def __init__(
        self, name: str, worker: Asker, settings: tuple[Settings, ...], load: Callable[[Settings], Any]
    ) -> None:
        self.name, self.worker, self.settings = name, worker, settings
        self._load = load
        self._loaded: Settings = None
        self.samples: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def use(self, settings: Settings) -> None:
        """Have a context of these settings, empty if it had others."""
        if settings != self._loaded:
            self._load(settings)
            self._loaded = settings

    def measure(self, figure: str, op: str, **arguments: Any) -> None:
        """Ask for one timing and keep it under the present settings."""
        self.samples[figure][label(self._loaded)].append(self.worker.ask(op, **arguments)["s"])

    def best(self, figure: str) -> tuple[float, str] | None:
        """The best median of a figure in seconds, and the label of its settings; None without a sample."""
        medians = [(median(seconds), name) for name, seconds in self.samples.get(figure, {}).items() if seconds]
        return min(medians, default=None)

    def worth_repeating(self, figure: str, within: float = _WORTH_REPEATING) -> list[Settings]:
        """The settings whose median of a figure is near the best one, by a factor."""
        medians = {s: median(taken) for s in self.settings if (taken := self.samples[figure].get(label(s)))}
        return [s for s, value in medians.items() if value <= within * min(medians.values())]

    def best_settings(self, figure: str, flash_attn: str | None = None) -> Settings:
        """The settings with the best median of a figure, of all or of those with one kind of attention."""
        of_kind = [s for s in self.settings if s is None or flash_attn in (None, s.flash_attn)]
        measured = [s for s in of_kind if self.samples[figure].get(label(s))]
        return min(measured, key=lambda s: median(self.samples[figure][label(s)])) if measured else of_kind[0]


def label(settings: Settings) -> str:
    """What tells a peer's settings apart in tables and files."""
    return "" if settings is None else f"flash {settings.flash_attn}, ubatch {settings.n_ubatch}"


def peer_settings(n_ctx: int) -> tuple[PeerSettings, ...]:
    """Every combination that a peer is measured with; the first of each kind of attention is its default."""
    return tuple(
        PeerSettings(n_ctx=n_ctx, n_ubatch=n_ubatch, flash_attn=flash)
        for flash, n_ubatch in itertools.product(("on", "off"), _MICRO_BATCHES)
    )


def open_contenders(workers: dict[str, Worker], gguf: Path, n_ctx: int) -> list[Contender]:
    """Contenders of a model, midfill first, for workers by name; midfill's has loaded its own."""
    result = []
    for name, worker in workers.items():
        if name == OURS:
            result.append(Contender(name, worker, (None,), lambda settings: None))
            continue

        def load(settings: Settings, worker: Worker = worker) -> None:
            assert settings is not None
            load_peer(worker, gguf, settings)

        contender = Contender(name, worker, peer_settings(n_ctx), load)
        contender.use(contender.settings[0])
        result.append(contender)
    return result


def usable_peers(gguf: Path, console: Console, library: Path | None = None) -> list[str]:
    """The peers whose wheels are here; for each other one a line that says why its column is left out.

    library: as for `open_peer`.
    """
    usable = []
    for name, title in PEERS.items():
        with open_peer(name, library) as worker:
            try:
                load_peer(worker, gguf, PeerSettings(n_ctx=256))
            except WorkerError as error:
                console.print(f"[yellow]{title} is left out: {error}[/]")
            else:
                usable.append(name)
    return usable
