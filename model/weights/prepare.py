"""Which store a model needs, and that it is there: a missing one is quantized in a process of its own.

    us    -> child   the model, its file and the kind, once; then the pipe stays open until we need no store any more
    child -> us      {"done": 0.4} as often as it likes, or {"failed": "why, for the user"}; one JSON object a line

Called by the daemon on first use and by `midfill model pull`; `model.weights.quantize` is what the child runs.

Rules: no torch, neither here nor in what is imported here: a process that finds its store never holds torch's memory.
A parent that is gone, for whatever reason, leaves no child behind: the child cleans up and ends when the pipe does.
"""

import functools
import hashlib
import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from model.library import extras
from model.library.architecture import UnsupportedModel, foreign_reason
from model.library.catalog import ModelError, ModelSource
from model.library.fetch import files_hash
from model.library.paths import stores_dir
from model.library.shards import files_of
from model.library.store import GPU_KINDS, KINDS, NUMERICS_VERSION, SOURCE_DIGITS, StoreError, read_manifest
from model.library.system import start_child
from model.library.tokenizer import UnsupportedTokenizer
from model.native import binding

# What can go wrong without a bug of ours; each message is written for the user.
EXPECTED_FAILURES = (ModelError, UnsupportedModel, UnsupportedTokenizer, StoreError, OSError)
# For a child that is to end: it finishes the product that it is in, and deletes what it has written.
_LEAVE_S = 10.0


def choose_kind(setting: str) -> str:
    """The kind of store for a setting: "auto" is int4 for the native kernels, int8 for torch (which gains nothing)."""
    if setting in KINDS:
        return setting
    return "int4" if binding.kernel_name() else "int8"


def store_folder(source: ModelSource, kind: str, source_sha256: str) -> Path:
    """Where the store of this model file lives; `kind` of store.KINDS or GPU_KINDS."""
    return stores_dir() / f"{source.model_id}-{kind}-{source_sha256[:SOURCE_DIGITS]}-n{NUMERICS_VERSION}"


def extra_for(file: Path, kind: str) -> str:
    """The extra of midfill that makes a store of this kind, and runs it where the native kernels do not."""
    if foreign_reason(file):
        return "transformers"
    return "cuda" if kind in GPU_KINDS else "quantize"


def source_hash(source: ModelSource, file: Path) -> str:
    """Identify a model's numbers: those of its published files, and of the adapters that are merged into them."""
    return functools.reduce(_combined, (adapter.sha256 for adapter in source.adapters), _file_hash(source, file))


def _combined(base_sha256: str, adapter_sha256: str) -> str:
    """Identifies what an adapter makes of a base, as a published file's sha256 identifies that one."""
    return hashlib.sha256(f"{base_sha256} {adapter_sha256}".encode()).hexdigest()


def _file_hash(source: ModelSource, file: Path) -> str:
    """The catalog's verified sha256, else a hash of the files' names, sizes and times."""
    if source.row is not None:
        return files_hash(source.row)
    facts = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files_of(file)]
    return hashlib.sha256(json.dumps([str(file.resolve()), facts]).encode()).hexdigest()


def ensure_store(source: ModelSource, file: Path, kind: str, progress: Callable[[float], None]) -> Path:
    """The complete store of `file`, made now if it is missing or damaged; progress goes from 0 to 1.

    ModelError when the file is not one midfill can run, when what makes it is not installed, or the disk or the memory
    does not suffice.
    """
    folder = store_folder(source, kind, source_hash(source, file))
    try:
        read_manifest(folder)
    except StoreError:
        extras.require(extra_for(file, kind), f"quantizing {source.model_id}")
        _quantize_apart(source, file, kind, progress)
        read_manifest(folder)
    return folder


def _quantize_apart(source: ModelSource, file: Path, kind: str, progress: Callable[[float], None]) -> None:
    progress(0.0)  # torch takes seconds to say as much
    with _child([sys.executable, "-I", "-m", "model.weights.quantize"]) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        with suppress(BrokenPipeError):  # it ended at once: its exit status says more
            pickle.dump((source, file, kind), child.stdin)
            child.stdin.flush()
        for line in child.stdout:
            message = json.loads(line)
            if "failed" in message:
                raise ModelError(message["failed"])
            progress(float(message["done"]))
        status = child.wait()
    if status < 0:
        raise ModelError(
            f"the process that quantizes {source.model_id} was ended by signal {-status}: is there enough memory?"
        )
    if status:
        raise RuntimeError(f"quantizing {source.model_id} failed with exit status {status}; what it said is in the log")


@contextmanager
def _child(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process with pipes that is gone at the end."""
    child = start_child(command)
    try:
        yield child
    finally:
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        try:
            child.wait(_LEAVE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
