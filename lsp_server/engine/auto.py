"""Which model `auto` means on this machine: the largest of the catalog's that is here, fast enough and has room.

How fast a model is here was measured of it, or of another one that was here first (`lsp_server.engine.machine`); from
which speed on the larger one types more for somebody, `midfill bench typing --machine` has said (see `machine_fit`).

Rules: nothing is fetched. Where nothing has been measured, or what was kept is damaged, it is the default model.
"""

from pathlib import Path

import psutil

from model.library.catalog import AUTO, DEFAULT_MODEL, ModelRow, resolve
from model.library.fetch import is_cached
from model.library.machine_fit import SIZED, Fit, Machine, fit_of
from model.library.paths import state_dir
from model.library.records import read_record
from model.library.store import newest_store

# Of the machine's memory, what a model's file may take: its keys and values, an editor and a browser need the rest.
_MEMORY_SHARE = 0.2


def chosen(name: str, quantization: str = "auto") -> str:
    """The name of a model; of `auto` that of the model which it is now."""
    if name != AUTO:
        return name
    fitting = [row for row in larger_that_fit(quantization) if is_here(row)]
    return fitting[-1].name if fitting else DEFAULT_MODEL


def larger_that_fit(quantization: str = "auto") -> list[ModelRow]:
    """The models that suggest better than the default and are fast enough for it here, fetched or not; best last."""
    found = []
    first = [row.name for row in SIZED].index(DEFAULT_MODEL)
    for row in SIZED[first + 1 :]:
        there = fit_here(row, quantization)
        if there is not None and there.is_soon and row.size_bytes <= _MEMORY_SHARE * psutil.virtual_memory().total:
            found.append(row)
    return found


def fit_here(row: ModelRow, quantization: str) -> Fit | None:
    """How a model does here, or would; None where nothing has been measured."""
    for other in (row, *SIZED):  # itself first
        machine = measured(resolve(other.name).model_id, quantization)
        if machine is not None:
            return fit_of(row, machine)
    return None


def is_here(row: ModelRow) -> bool:
    """Whether a model can be used without fetching anything."""
    return is_cached(row) or newest_store(resolve(row.name).model_id) is not None


def measured(model_id: str, quantization: str) -> Machine | None:
    """How fast this machine was seen to read with a model; None where that is not known."""
    try:
        record = read_record(machine_file(), machine_key(model_id, quantization))
        machine = None if record is None else Machine(**record)
    except TypeError:
        return None
    return machine if machine is not None and machine.tokens_per_s > 0 else None


def machine_file() -> Path:
    """Where what was measured of this machine is kept."""
    return state_dir() / "machine.json"


def machine_key(model_id: str, quantization: str) -> str:
    """What it is kept under."""
    return f"{model_id} {quantization}"
