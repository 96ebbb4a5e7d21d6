"""What git tracks in a working tree: read from git's own index file (versions 2 to 4), without git.

`git ls-files` would need the program, and obeys the repository's configuration, which may name programs to run.

Rules: pure. What is damaged ends the list early, and is no error. Of a split index all names count that either part
has: a file that was removed from it since counts until git writes it anew.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

_SIGNATURE = b"DIRC"
_LINK = b"link"
# Times, device, inode, mode, owner and size stand before an entry's hash.
_BEFORE_HASH = 40
_EXTENDED, _LENGTH = 0x4000, 0x0FFF
_FOLDER = 0o040000  # of a sparse index: what is in it is not on the disk


class Tracked:
    """Paths in a working tree, sorted, as one text: a hundred thousand are some megabytes."""

    def __init__(self, names: Iterable[bytes] = ()) -> None:
        ordered = sorted(set(names))
        self._text = b"".join(ordered)
        self._ends = array("I", [0])
        for name in ordered:
            self._ends.append(self._ends[-1] + len(name))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __contains__(self, path: bytes) -> bool:
        return self._at(self._first(path)) == path

    def below(self, folder: bytes) -> bool:
        """Whether something in a folder is tracked; of b"" whether anything is."""
        start = folder + b"/" if folder else b""
        return bool(self._at(self._first(start)).startswith(start)) and len(self) > 0

    def _first(self, path: bytes) -> int:
        return bisect_left(range(len(self)), path, key=self._at)

    def _at(self, number: int) -> bytes:
        return self._text[self._ends[number] : self._ends[number + 1]] if number < len(self) else b""


def names_in(data: bytes, hash_bytes: int) -> tuple[list[bytes], str]:
    """(names of an index file's entries, the hash in hexadecimal of the index that it shares, or "")."""
    if data[:4] != _SIGNATURE or not 2 <= (version := _number(data, 4, 4)) <= 4:
        return [], ""
    names: list[bytes] = []
    at = 12
    for is_listed, name, end in _entries(data, version, _number(data, 8, 4), hash_bytes):
        at = end
        if is_listed and name:  # an entry that replaces one of the shared index has no name
            names.append(name)
    return names, _shared(data, at, hash_bytes)


def _entries(data: bytes, version: int, n_entries: int, hash_bytes: int) -> Iterator[tuple[bool, bytes, int]]:
    """(whether it is a file or a repository in this one, name, where the next entry begins)."""
    at, name = 12, b""
    for _ in range(n_entries):
        flags_at = at + _BEFORE_HASH + hash_bytes
        if flags_at + 2 > len(data):
            return
        flags = data[flags_at] << 8 | data[flags_at + 1]
        begin = flags_at + (4 if version > 2 and flags & _EXTENDED else 2)
        kept = b""
        if version == 4:  # the name follows as its difference to the last one
            n_cut, begin = _variable(data, begin)
            kept = name[: max(0, len(name) - n_cut)]
        n_known = flags & _LENGTH
        end = begin + n_known if version < 4 and n_known < _LENGTH else data.find(b"\0", begin)
        if end < 0 or end > len(data):
            return
        name = kept + data[begin:end]
        is_folder = (data[at + 26] << 8 | data[at + 27]) & 0o170000 == _FOLDER
        at = end + 1 if version == 4 else at + ((end - at) // 8 + 1) * 8
        yield not is_folder, name, at


def _variable(data: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, as git writes offsets, and where it ends."""
    value = 0
    while at < len(data):
        byte = data[at]
        value, at = value << 7 | byte & 0x7F, at + 1
        if not byte & 0x80:
            break
        value += 1
    return value, at


def _shared(data: bytes, at: int, hash_bytes: int) -> str:
    """The hash that the extension of a split index names."""
    while at + 8 <= len(data) - hash_bytes:
        signature, size = data[at : at + 4], _number(data, at + 4, 4)
        if signature == _LINK:
            return data[at + 8 : at + 8 + hash_bytes].hex()
        at += 8 + size
    return ""


def _number(data: bytes, at: int, n_bytes: int) -> int:
    return int.from_bytes(data[at : at + n_bytes], "big")
