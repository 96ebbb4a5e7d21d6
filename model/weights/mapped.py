"""A store's weights where they are mapped: NumPy arrays over a safetensors file, read when they are used.

The `safetensors` library copies what it gives to NumPy; the format is 8 bytes of length, a JSON header, and the data.

A step reads all weights, so the processor looks up the address of every page: of 84,000 small ones for the 0.5B, or of
170 of 2 MB. Linux reads a file into large pages where the file system can (ext4 from 6.16 on, XFS); what was written in
small ones stays so while it is cached.

Rules: read-only, and no torch. Pages are the system's cache of the file, which all processes share. A header that
cannot be read is a StoreError.
"""

import contextlib
import json
import math
import mmap
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.library.store import StoreError

_LENGTH_BYTES = 8
# The types that stores are made of.
_TYPES: Mapping[str, npt.DTypeLike] = {
    "F32": np.float32,
    "F16": np.float16,
    "I8": np.int8,
    "U8": np.uint8,
    "U32": np.uint32,
}


class MappedTensors:
    """The tensors of a file by name; each lives as long as something refers to it."""

    def __init__(self, file: Path) -> None:
        """StoreError when the file is damaged; OSError when it cannot be opened."""
        with file.open("rb") as opened:
            try:
                data = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
                if hasattr(mmap, "MADV_HUGEPAGE"):
                    with contextlib.suppress(OSError):  # a kernel without them
                        data.madvise(mmap.MADV_HUGEPAGE)
                n_header = int.from_bytes(data[:_LENGTH_BYTES], "little")
                begin = _LENGTH_BYTES + n_header
                header: dict[str, Any] = json.loads(data[_LENGTH_BYTES:begin])
                self.metadata: dict[str, str] = header.pop("__metadata__", {})
                self._arrays = {name: _array(data, begin, entry) for name, entry in header.items()}
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise StoreError(f"{file} is damaged ({error}): delete its folder, it is made again") from error

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __contains__(self, name: str) -> bool:
        return name in self._arrays


def drop_from_cache(file: Path) -> None:
    """Have the system read a file anew that was just written, into large pages."""
    if hasattr(os, "posix_fadvise"):
        with file.open("rb") as opened:
            os.fsync(opened.fileno())  # what is not on the disk yet cannot be dropped
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _array(data: mmap.mmap, begin: int, entry: Mapping[str, Any]) -> npt.NDArray[Any]:
    """One tensor of a header; ValueError when it does not lie within the file."""
    shape, dtype = [int(n) for n in entry["shape"]], np.dtype(_TYPES[entry["dtype"]])
    return np.frombuffer(data, dtype, math.prod(shape), begin + int(entry["data_offsets"][0])).reshape(shape)
