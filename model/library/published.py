"""Whether the files of a model that a user gave by path are all there and whole, before anything slow reads them.

Called by `fetch` and by `source`. A split model is as good as its worst part.

Rules: only headers are read, in some tenths of a second for a vocabulary of 150,000. What a header does not say is not
judged here: `source` says what of a whole file is not supported. The few numbers of the format that this takes stand
here: every start checks, and the `gguf` library is for who reads weights.
"""

import json
import math
import mmap
import struct
from dataclasses import dataclass, field
from pathlib import Path

from model.library.catalog import ModelError
from model.library.shards import files_of

_MAGIC = b"GGUF"
_DEFAULT_ALIGNMENT = 32
# Types of values, by the format's own list: numbers with their bytes, strings, lists. Strings and lists are walked.
_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_NUMBER = {2: "<H", 4: "<I", 5: "<i", 10: "<Q"}
_STRING, _LIST = 8, 9
_ALIGNMENT, _SPLIT_NO, _SPLIT_COUNT = "general.alignment", "split.no", "split.count"
_SPLIT_TENSORS = "split.tensors.count"
# Types of tensors: how many weights make a block, and its bytes.
BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18),
}  # fmt: skip
_INDEX = "model.safetensors.index.json"
_REMEDY = "fetch it again"


def check(path: Path) -> None:
    """ModelError when a part is missing, cut off, or of another model."""
    try:
        if path.is_dir():
            _check_folder(path)
        else:
            _check_gguf(path)
    except OSError as error:
        raise ModelError(f"{error.filename or path} cannot be read: {error.strerror or error}") from error


# -- GGUF ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Header:
    """What a GGUF's header says of its file."""

    n_tensors: int = 0
    n_bytes: int = 0  # that the file must have
    numbers: dict[str, int] = field(default_factory=dict)  # the few facts that are looked at


def _check_gguf(path: Path) -> None:
    files = files_of(path)
    for number, file in enumerate(files, start=1):
        if not file.is_file():
            raise ModelError(f"part {number} of {len(files)} of the model is missing: there is no file {file}")
    headers = [_header_of(file) for file in files]
    for number, (file, header) in enumerate(zip(files, headers, strict=True), start=1):
        count = header.numbers.get(_SPLIT_COUNT, 0) or 1
        if count != len(files):
            raise ModelError(
                f"{file} is one of {count} parts, and its name does not say which: they are found by names that end "
                f"in -00001-of-{count:05}.gguf and so on"
                if len(files) == 1
                else f"{file} is no part of a model in {len(files)} parts: it says that there are {count}"
            )
        if header.numbers.get(_SPLIT_NO, number - 1) != number - 1:
            raise ModelError(f"{file} is another part than its name says: {_REMEDY}")
    expected = headers[0].numbers.get(_SPLIT_TENSORS)
    found = sum(header.n_tensors for header in headers)
    if expected is not None and len(files) > 1 and found != expected:
        raise ModelError(f"the parts of {files[0]} do not belong together: they have {found} of {expected} tensors")


def _header_of(file: Path) -> _Header:
    """Read a header; ModelError when the file is none, or ends too early."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        if opened.read(4) != _MAGIC:
            raise ModelError(f"{file} is not a GGUF file, and cannot be prepared")
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                header = _Walk(data).header()
            except struct.error as error:
                raise ModelError(f"{file} is cut off in its header: {_REMEDY}") from error
            except (ValueError, OverflowError) as error:
                raise ModelError(f"{file} is damaged ({error}): {_REMEDY}") from error
    if size < header.n_bytes:
        raise ModelError(f"{file} is cut off: it has {size:,} of {header.n_bytes:,} bytes; {_REMEDY}")
    return header


class _Walk:
    """Goes through a header without keeping its lists; struct.error at the file's end."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data, self._at = data, 4

    def header(self) -> _Header:
        """All of it. Versions that differ in their layout (the first one, and big-endian files) are not judged."""
        header = _Header()
        if self._number("<I") not in (2, 3):
            return header
        header.n_tensors, n_facts = self._number("<Q"), self._number("<Q")
        for _ in range(n_facts):
            key, kind = self._string(), self._number("<I")
            if kind in _NUMBER:
                header.numbers[key] = self._number(_NUMBER[kind])
            else:
                self._skip(kind)
        ends = [self._tensor_end() for _ in range(header.n_tensors)]
        alignment = header.numbers.get(_ALIGNMENT, 0) or _DEFAULT_ALIGNMENT
        header.n_bytes = self._at if not ends else -(-self._at // alignment) * alignment + max(ends)
        return header

    def _number(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return int(value)

    def _string(self) -> str:
        n = self._number("<Q")
        text = self._data[self._at : self._at + n]
        if len(text) < n:
            raise struct.error("a string ends behind the file")
        self._at += n
        return text.decode("utf-8", "replace")

    def _skip(self, kind: int) -> None:
        if kind in _BYTES:
            self._at += _BYTES[kind]
        elif kind == _STRING:
            n = self._number("<Q")  # moves on itself
            self._at += n
        elif kind != _LIST:
            raise ValueError(f"there are no values of the type {kind}")
        else:
            kind, n = self._number("<I"), self._number("<Q")
            if kind in _BYTES:
                self._at += n * _BYTES[kind]
            elif kind == _STRING:
                self._skip_strings(n)
            else:
                raise ValueError("a list of lists")

    def _skip_strings(self, n: int) -> None:
        unpack, data, at = struct.Struct("<Q").unpack_from, self._data, self._at
        for _ in range(n):
            at += 8 + unpack(data, at)[0]
        self._at = at

    def _tensor_end(self) -> int:
        """Where a tensor's bytes end, from the first tensor's beginning on."""
        self._skip(_STRING)
        n_elements = math.prod(self._number("<Q") for _ in range(self._number("<I")))
        kind = self._number("<I")
        if kind not in BLOCKS:
            raise ValueError(f"there are no tensors of the type {kind}")
        per_block, n_bytes = BLOCKS[kind]
        return self._number("<Q") + n_elements // per_block * n_bytes


# -- safetensors -----------------------------------------------------------------------------------------------


def _check_folder(folder: Path) -> None:
    for file in files_of(folder):
        size, n_bytes = file.stat().st_size, _safetensors_bytes(file)
        if size < n_bytes:
            raise ModelError(f"{file} is cut off: it has {size:,} of {n_bytes:,} bytes; {_REMEDY}")
    try:
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        named = sorted({str(name) for name in index["weight_map"].values()})
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{folder / _INDEX} is damaged: {_REMEDY}") from error
    for number, name in enumerate(named, start=1):
        if not (folder / name).is_file():
            raise ModelError(f"part {number} of {len(named)} of the model is missing: there is no file {folder / name}")


def _safetensors_bytes(file: Path) -> int:
    """How long a file must be by its header."""
    with file.open("rb") as opened:
        length = opened.read(8)
        n_header = int.from_bytes(length, "little")
        if len(length) < 8 or n_header > file.stat().st_size:
            raise ModelError(f"{file} is cut off in its header: {_REMEDY}")
        try:
            header = json.loads(opened.read(n_header))
            ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise ModelError(f"{file} is not a safetensors file") from error
    return 8 + n_header + max(ends, default=0)
