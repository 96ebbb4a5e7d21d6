"""What llama.cpp and its fork ik_llama.cpp have in common in their C APIs, by ctypes. Used by both bindings.

`PeerLibrary` is all that `evals.peers.worker_process` knows of them; `evals.peers.llamacpp_binding` and
`evals.peers.ik_llama_binding` implement it, since the structs and some names differ.

Rules: structs always come from the library's own default functions, and only fields named in a binding are
set. A layout belongs to one version of a wheel: any other is refused, and known default values are checked, so
that a shifted field is an error and never a slow or wrong peer. No torch: two OpenMP runtimes in one process
would fight over the cores.
"""

import ctypes
import importlib.util
from collections.abc import Mapping
from ctypes import POINTER, c_bool, c_char_p, c_float, c_int32, c_size_t, c_uint32, c_void_p
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

# Sequences of a context: the one that counts, and one that only copies of its cells pass through.
N_SEQUENCES = 2

Signatures = Mapping[str, tuple[object, list[Any]]]


class PeerUnavailable(Exception):
    """A peer cannot be used here; the message names the cause and the remedy, for users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSettings:
    """How a peer runs; the defaults are its own. `n_threads` 0 means all cores of this process."""

    n_ctx: int = 4608  # the product's longest prompt and block, 4096 + 256, rounded up by 256
    n_batch: int = 2048
    n_ubatch: int = 512
    n_threads: int = 0
    flash_attn: str = "auto"  # "auto", "on", "off"


class PeerLibrary(Protocol):
    """One of the libraries, loaded. `c` has the typed functions whose names and arguments both share.

    The others are functions of llama.h under one name, and do what it says of them; -1 as a position or an end
    means all.
    """

    name: str
    c: ctypes.CDLL
    seq_rm: Any  # (context, sequence, begin, end) -> whether it could
    seq_cp: Any  # (context, from, to, begin, end)
    seq_add: Any  # (context, sequence, begin, end, delta)
    clear: Any  # (context)
    state_size: Any  # (context, sequence, flags) -> bytes
    state_get: Any  # (context, buffer, its size, sequence, flags) -> bytes
    state_set: Any  # (context, buffer, its size, sequence, flags) -> bytes, 0 for failure

    def open_model(self, path: str) -> int | None:
        """Handle of a loaded GGUF, None when it cannot be loaded."""
        ...

    def open_context(self, model: int, settings: PeerSettings) -> int | None:
        """Handle of a context, None when it cannot be made."""
        ...

    def batch(self, ids: list[int], position: int) -> Any:
        """A `struct llama_batch` that appends ids to sequence 0 at a position."""
        ...


_COMMON: Signatures = {
    "llama_backend_init": (None, []),
    "llama_log_set": (None, [c_void_p, c_void_p]),
    "llama_free": (None, [c_void_p]),
    "llama_model_get_vocab": (c_void_p, [c_void_p]),
    "llama_vocab_n_tokens": (c_int32, [c_void_p]),
    "llama_vocab_is_eog": (c_bool, [c_void_p, c_int32]),
    "llama_get_logits_ith": (POINTER(c_float), [c_void_p, c_int32]),
}
# Signatures of functions whose names differ; the memory functions' handle is the context, or its memory.
SEQ_RM: tuple[object, list[Any]] = (c_bool, [c_void_p, c_int32, c_int32, c_int32])
SEQ_CP: tuple[object, list[Any]] = (None, [c_void_p, c_int32, c_int32, c_int32, c_int32])
SEQ_ADD: tuple[object, list[Any]] = (None, [c_void_p, c_int32, c_int32, c_int32, c_int32])
STATE_SIZE: tuple[object, list[Any]] = (c_size_t, [c_void_p, c_int32, c_uint32])
STATE_COPY: tuple[object, list[Any]] = (c_size_t, [c_void_p, c_void_p, c_size_t, c_int32, c_uint32])

_LOG_CALLBACK = ctypes.CFUNCTYPE(None, c_int32, c_char_p, c_void_p)
_silence = _LOG_CALLBACK(lambda level, text, data: None)  # kept alive: the library holds the pointer


def load_library(path: Path, signatures: Signatures) -> ctypes.CDLL:
    """The library with typed functions, initialized and silent."""
    library = ctypes.CDLL(str(path))
    for name, (result, arguments) in {**_COMMON, **signatures}.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    library.llama_log_set(_silence, None)
    library.llama_backend_init()
    return library


def wheel_file(distribution: str, known_version: str, package: str, pattern: str) -> Path:
    """A file of an installed wheel; PeerUnavailable for a missing or another version."""
    remedy = f"pip install {distribution}=={known_version}"
    try:
        installed = version(distribution)
    except PackageNotFoundError as error:
        raise PeerUnavailable(f"{distribution} is not installed; {remedy}") from error
    if installed != known_version:
        raise PeerUnavailable(f"the peer was written for another {distribution} than {installed}; {remedy}")
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder).glob(pattern)):
            return path
    raise PeerUnavailable(f"the {distribution} package holds no {pattern}; {remedy}")


def check_defaults(name: str, params: ctypes.Structure, known: Mapping[str, object]) -> None:
    """Compare default values with those known of a version; PeerUnavailable when one differs."""
    for field, expected in known.items():
        if (found := getattr(params, field)) != expected:
            raise PeerUnavailable(f"{name}.{field} is {found!r}, not {expected!r}: the layout has changed")
