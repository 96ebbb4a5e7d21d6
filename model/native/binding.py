"""The native kernels (model/native/*.cpp) behind Python: loading, and the structs of their C interface.

The extension is optional: without a compiler at install time, `load` returns None and the torch path serves.

Rules: only addresses and sizes cross; the caller keeps the arrays alive and has checked shapes and
types. One thread at a time may call, but `bpe` from any. ctypes releases the GIL during a call. No torch: it is
what starts that counts.
"""

import ctypes
import functools
import math
from ctypes import POINTER, c_char_p, c_float, c_int32, c_int64, c_uint32, c_void_p
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from model.library.catalog import ModelError
from model.native.matrix_layout import GROUP, ROWS, bits_of

STORE, ADD, SWIGLU = 0, 1, 2
MAX_HEAD_DIM = 256  # `kMaxHeadDim`
# Of a vector of sixteen fp32 lanes, and of a cache line.
_ALIGNMENT = 64

Array = npt.NDArray[Any]


class Matrix(ctypes.Structure):
    """`struct Matrix`: packed blocks (see `matrix_layout`) and an optional bias."""

    _fields_: ClassVar = [
        ("blocks", c_void_p),
        ("bias", c_void_p),
        ("rows", c_int32),
        ("cols", c_int32),
        ("bits", c_int32),
    ]


class KV(ctypes.Structure):
    """`struct KV`: one layer's fp16 keys and values."""

    _fields_: ClassVar = [("keys", c_void_p), ("values", c_void_p), ("capacity", c_int64)]


class Span(ctypes.Structure):
    """`struct Span`: tokens of one sequence. `ranges` is an (n_ranges, 2) int32 array, kept alive by the caller."""

    _fields_: ClassVar = [("ranges", c_void_p), ("n_ranges", c_int32), ("n", c_int32), ("write", c_int32)]


class Shape(ctypes.Structure):
    """`struct Shape`."""

    _fields_: ClassVar = [
        ("n_heads", c_int32),
        ("n_kv_heads", c_int32),
        ("head_dim", c_int32),
        ("hidden", c_int32),
        ("ffn", c_int32),
        ("eps", c_float),
    ]


class Layer(ctypes.Structure):
    """`struct Layer`."""

    _fields_: ClassVar = [
        ("attn_norm", c_void_p),
        ("ffn_norm", c_void_p),
        ("qkv", Matrix),
        ("o", Matrix),
        ("gate_up", Matrix),
        ("down", Matrix),
    ]


# `kAbi` and the structs of `midfill_abi`, in its order.
_ABI, _STRUCTS = 2, (Matrix, KV, Span, Shape, Layer)
_SIGNATURES: dict[str, tuple[object, list[object]]] = {
    "midfill_best": (c_char_p, []),
    "midfill_open": (c_char_p, [c_char_p, c_int32]),
    "midfill_layer": (
        None,
        [
            POINTER(Layer),
            POINTER(Shape),
            c_void_p,
            c_int32,
            c_void_p,
            c_void_p,
            POINTER(KV),
            POINTER(Span),
            c_int32,
        ],
    ),
    "midfill_move": (
        None,
        [
            POINTER(Shape),
            c_int32,
            POINTER(KV),
            c_int32,
            POINTER(KV),
            c_int32,
            c_int32,
            c_void_p,
            c_void_p,
        ],
    ),
    "midfill_rms_norm": (None, [c_void_p, c_void_p, c_float, c_int32, c_int32, c_void_p]),
    "midfill_greedy": (None, [c_void_p, c_int32, c_int32, c_void_p, c_void_p]),
    "midfill_linear": (None, [POINTER(Matrix), c_int32, c_void_p, c_int32, c_void_p]),
    "midfill_attention": (
        None,
        [POINTER(Shape), c_void_p, c_void_p, c_void_p, POINTER(KV), POINTER(Span), c_void_p],
    ),
    "midfill_bpe_table": (None, [c_void_p, c_int32, c_void_p, c_uint32]),
    "midfill_bpe": (c_int32, [c_void_p, c_uint32, c_void_p, c_char_p, c_void_p, c_int32, c_void_p]),
}


def _refuse_another_version(library: ctypes.CDLL) -> None:
    """ModelError when the extension was built from other source than this module: calls would corrupt memory."""
    sizes = (c_int32 * len(_STRUCTS))()
    version = library.midfill_abi(sizes) if hasattr(library, "midfill_abi") else None
    if version != _ABI or list(sizes) != [ctypes.sizeof(struct) for struct in _STRUCTS]:
        raise ModelError(
            "the native kernels were built from another version of midfill; build them again: `make setup` in a "
            "checkout, else `pip install --force-reinstall midfill`"
        )


@functools.cache
def _library() -> ctypes.CDLL | None:
    """The built extension, typed; None when this install has none or it does not load here.

    ModelError when it was built from other source.
    """
    # The name for any Python first: beside it may lie what an older midfill built for one.
    names = [f"_native{suffix}" for suffix in reversed(EXTENSION_SUFFIXES)]
    built = [path for name in names if (path := Path(__file__).parents[1] / name).is_file()]
    if not built:
        return None
    try:
        library = ctypes.CDLL(str(built[0]))
    except OSError:
        return None
    _refuse_another_version(library)
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def load(n_threads: int, name: str = "") -> ctypes.CDLL | None:
    """The kernels, set to `n_threads`: the best ones for this processor, or those called `name`.

    None when the extension was not built, or `name` does not run here.
    """
    library = _library()
    if library is None or library.midfill_open(name.encode(), n_threads) is None:
        return None
    return library


def kernel_name() -> str:
    """What runs here, for people: "avx512-vnni", "avx-vnni", "avx2", "neon-dotprod", "scalar", or "" for none."""
    library = _library()
    return library.midfill_best().decode() if library else ""


def is_built() -> bool:
    """Whether the extension is there; ModelError when it was built from other source."""
    return _library() is not None


def bpe_table(merges: Array) -> Array:
    """A hash table (n_slots, 4) uint32 of merges (n, 4) uint32: left, right, rank, merged. For `bpe`."""
    n_slots = 1 << (3 * len(merges) // 2 + 1).bit_length()
    slots = np.empty((n_slots, 4), np.uint32)
    library = _library()
    assert library is not None
    library.midfill_bpe_table(np.ascontiguousarray(merges).ctypes.data, len(merges), slots.ctypes.data, n_slots - 1)
    return slots


def bpe(slots: Array, first: Array, text: bytes, ends: Array) -> list[int]:
    """The token ids of words that end at the bytes `ends` (n,) int32 of a text, by a table of `bpe_table`.

    `first` (256,) uint32: the ids of single bytes. ValueError when the words are not the whole text.
    """
    if (int(ends[-1]) if len(ends) else 0) != len(text):
        raise ValueError("the words are not the text")
    ids = np.empty(len(text), np.uint32)
    library = _library()
    assert library is not None
    table = slots.ctypes.data, len(slots) - 1, first.ctypes.data
    n = library.midfill_bpe(*table, text, ends.ctypes.data, len(ends), ids.ctypes.data)
    found: list[int] = ids[:n].tolist()
    return found


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike = np.float32) -> Array:
    """An array that begins where a vector does, which NumPy's own do not: each load would touch two cache lines."""
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(n_bytes + _ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % _ALIGNMENT
    return memory[begin : begin + n_bytes].view(dtype).reshape(shape)


def copied(array: Array) -> Array:
    """A copy in memory of its own, as of `empty`."""
    copy = empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def matrix(blocks: Array, bias: Array | None) -> Matrix:
    """Describe packed blocks (contiguous) and a bias (out,) fp32, both kept alive by the caller."""
    assert blocks.flags.c_contiguous
    return Matrix(
        blocks=blocks.ctypes.data,
        bias=None if bias is None else bias.ctypes.data,
        rows=blocks.shape[0] * ROWS,
        cols=blocks.shape[1] * GROUP,
        bits=bits_of(blocks.shape),
    )
