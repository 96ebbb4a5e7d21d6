"""Where a model's daemon lives, and how one is started. Used by the client; no torch.

Rules: a daemon is found by its socket's path alone, which holds the protocol version, the model and its
quantization. Any process may start a daemon at any time: the lock file beside the socket, held for the daemon's
whole life, lets one of them live and the others leave at once. The daemon runs isolated (`python -I`): a workspace that
holds its own `model/` or `msgpack.py`, or a PYTHONPATH that points there, is never imported.
"""

import hashlib
import json
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

from model.library.catalog import resolve
from model.library.paths import runtime_dir
from model.library.system import start_detached
from model.link.address import uses_tcp
from model.link.wire import PROTOCOL_VERSION

DEVICES = ("auto", "cpu", "cuda")
# A Unix socket's path may have 107 bytes; the folder takes its share.
_MAX_NAME = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Which daemon to use. All but the model, quantization and device apply only when this process starts it."""

    model: str  # catalog name, or path of a GGUF file or safetensors folder
    idle_exit_s: float = 1800.0
    quantization: str = "auto"  # of store.KINDS, or "auto": what is fastest here at (almost) no loss; on a card "bf16"
    device: str = "auto"  # of DEVICES
    n_threads: int | None = None  # None: all cores this process may use
    max_cache_mb: int = 1_024  # keys and values in memory, over all sessions
    max_disk_mb: int = 2_048  # keys and values of other files' snippets on disk
    idle: str = "auto"  # when to compute ahead: "auto" not on battery or under load, "always", "never"


def socket_path(settings: EngineSettings) -> Path:
    """The daemon's address; ModelError when the model is unknown."""
    kind = "" if settings.quantization == "auto" else f"-{settings.quantization}"
    tcp = "-tcp" if uses_tcp() else ""  # another transport is another daemon
    device = "" if settings.device == "auto" else f"-{settings.device}"
    name = f"{resolve(settings.model).model_id}{kind}{device}{tcp}-{version('midfill')}-w{PROTOCOL_VERSION}"
    if len(name) > _MAX_NAME:
        name = f"{name[: _MAX_NAME - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return runtime_dir() / f"{name}.sock"


def as_argument(settings: EngineSettings) -> str:
    """The settings as a daemon's one argument."""
    return json.dumps(asdict(settings))


def from_argument(given: str) -> EngineSettings:
    """The settings of a daemon's one argument; ValueError or TypeError when it is none."""
    return EngineSettings(**json.loads(given))


def spawn_daemon(settings: EngineSettings) -> subprocess.Popen[bytes]:
    """Start a daemon in a session of its own; it leaves at once when another one has the lock."""
    log = socket_path(settings).with_suffix(".log").open("ab")
    source = resolve(settings.model)
    # A path as it is from anywhere: the daemon's folder is another one.
    model = settings.model if source.path is None or source.adapter is not None else str(source.path)
    given = as_argument(replace(settings, model=model))
    command = [sys.executable, "-I", "-m", "model.daemon", given]
    with log:
        return start_detached(command, log)
