"""Blocks: keys and values of cross-file snippets, computed once and kept in memory and on disk.

A block's keys and values see only the window's header and the block itself (DESIGN 2.1, after prompt modules of
Gim et al. 2023, "Prompt Cache"), so they depend on nothing but the model's numbers, the header and the block's
tokens: a hash of these is their name. They are kept as computed right behind the header; placing one in a window
turns its keys by the distance it moves (RoPE depends on differences alone).

    <cache>/blocks/<numerics>/<hash>.kv     8 bytes of magic, CRC-32 of the rest, then a safetensors file

Rules: files are written beside their place and renamed, so that several daemons may share a folder. A damaged or
foreign file is deleted with one line in the log, and the block is computed again. A disk that is full, or may only be
read, costs a line, too.
"""

import contextlib
import logging
import os
import struct
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError

from model.decoders.interface import Decoder
from model.decoders.kv import BlockKV, Span
from model.engine.layout import Part, Window, block_key
from model.engine.session import Level, Session
from model.link.counters import BlockCounters

log = logging.getLogger(__name__)

_MAGIC = struct.Struct("<4sI")
_TAG = b"MFB1"
_SUFFIX = ".kv"
# When the disk store is over its limit it is cut to this share of it, so that it is not cut at every block.
_KEEP_SHARE = 0.9


@dataclass(slots=True)
class _Work:
    """A block that is being computed."""

    key: str
    steps: Generator[None, None, BlockKV]


class BlockStore:
    """Blocks by key: the most recently used in memory, all of them on disk while there is room.

    `folder` None keeps them in memory alone.
    """

    def __init__(
        self, new_block: Callable[[int], BlockKV], folder: Path | None, max_memory_bytes: int, max_disk_bytes: int
    ) -> None:
        self.counters = BlockCounters()
        self._new_block, self._folder = new_block, folder
        self._max_memory, self._max_disk = max_memory_bytes, max_disk_bytes
        self._memory: OrderedDict[str, BlockKV] = OrderedDict()
        self._parked: _Work | None = None  # a block whose session had something more urgent to do
        self._on_disk: set[str] = set()
        if folder is not None:
            self._scan(folder)

    @property
    def n_bytes(self) -> int:
        """Memory held."""
        return sum(kv.n_bytes for kv in self._memory.values())

    def __contains__(self, key: str) -> bool:
        return key in self._memory or key in self._on_disk

    def get(self, key: str, n_tokens: int) -> BlockKV | None:
        """A block's keys and values, in slots 0..n_tokens; None when they are not there (any more)."""
        if (kv := self._memory.get(key)) is not None:
            self._memory.move_to_end(key)
            self._count(n_from_memory=self.counters.n_from_memory + 1)
            return kv
        if key in self._on_disk and (kv := self._read(key, n_tokens)) is not None:
            self._count(n_from_disk=self.counters.n_from_disk + 1)
            self._keep(key, kv)
            return kv
        return None

    def put(self, key: str, kv: BlockKV) -> None:
        """Keep a block that has been computed."""
        self._count(n_computed=self.counters.n_computed + 1)
        self._keep(key, kv)
        if self._folder is not None and key not in self._on_disk:
            self._write(self._folder, key, kv)

    def finish(self, key: str, begin: Callable[[], Generator[None, None, BlockKV]]) -> Generator[None, None, BlockKV]:
        """Compute a block and keep it, going on where it was left off; yields between layers. Closing this parks it."""
        parked, self._parked = self._parked, None
        work = parked if parked is not None and parked.key == key else _Work(key, begin())
        while True:
            try:
                next(work.steps)
            except StopIteration as done:
                kv: BlockKV = done.value
                self.put(key, kv)
                return kv
            try:
                yield
            except GeneratorExit:
                self._parked = work
                raise

    def check(self) -> None:
        """Raise AssertionError when the books do not balance."""
        assert self.n_bytes <= self._max_memory or len(self._memory) <= 1, "blocks over their memory limit"

    def _count(self, **news: int) -> None:
        self.counters = replace(self.counters, **news)

    def _keep(self, key: str, kv: BlockKV) -> None:
        self._memory[key] = kv
        self._memory.move_to_end(key)
        while self.n_bytes > self._max_memory and len(self._memory) > 1:
            self._memory.popitem(last=False)

    # -- disk ----------------------------------------------------------------------------------------------

    def _scan(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # made of the user's code, if not to be read as it
            self._on_disk = {path.stem for path in folder.glob(f"*{_SUFFIX}")}
            self._cut(folder)
        except OSError as error:
            log.warning("blocks are kept in memory only: %s", error)
            self._folder, self._on_disk = None, set()

    def _read(self, key: str, n_tokens: int) -> BlockKV | None:
        assert self._folder is not None
        path = self._folder / (key + _SUFFIX)
        try:
            data = path.read_bytes()
            tag, crc = _MAGIC.unpack_from(data)
            body = memoryview(data)[_MAGIC.size :]
            if tag != _TAG or zlib.crc32(body) != crc:
                raise ValueError("its checksum is wrong")
            kv = self._new_block(n_tokens)
            kv.load(bytes(body))
            with contextlib.suppress(OSError):  # may be read, and not be written
                os.utime(path)
            return kv
        except FileNotFoundError:  # another daemon made room
            self._on_disk.discard(key)
        except (OSError, ValueError, KeyError, struct.error, SafetensorError) as error:
            log.warning("discarded the cached block %s: %s", path.name, error)
            self._count(n_discarded=self.counters.n_discarded + 1)
            self._on_disk.discard(key)
            _delete(path)
        return None

    def _write(self, folder: Path, key: str, kv: BlockKV) -> None:
        body = kv.to_bytes()
        temporary = folder / f".{key}-{os.getpid()}"
        try:
            with temporary.open("wb") as file:
                file.write(_MAGIC.pack(_TAG, zlib.crc32(body)))
                file.write(body)
            temporary.replace(folder / (key + _SUFFIX))
            self._on_disk.add(key)
            self._cut(folder)
        except OSError as error:
            log.warning("a block could not be kept on disk: %s", error)
            _delete(temporary)

    def _cut(self, folder: Path) -> None:
        """Delete the files used longest ago when there are too many bytes of them, and what a crash left behind."""
        files = []
        for entry in os.scandir(folder):
            try:
                status = entry.stat()
            except FileNotFoundError:
                continue
            if entry.name.startswith(".") and time.time() - status.st_mtime > 3600:
                _delete(Path(entry.path))
            elif entry.name.endswith(_SUFFIX):
                files.append((status.st_mtime, status.st_size, Path(entry.path)))
        total = sum(size for _, size, _ in files)
        if total <= self._max_disk:
            return
        for _, size, path in sorted(files, key=lambda file: file[0]):
            _delete(path)
            self._on_disk.discard(path.stem)
            total -= size
            if total <= self._max_disk * _KEEP_SHARE:
                break


def _delete(path: Path) -> None:
    """Delete a file that is of no use, if it may be deleted: where nothing can be written that fails, too."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def key_of(window: Window, part: Part) -> str:
    """The key of one of a window's blocks."""
    return block_key(window.ids[: window.n_header], window.ids[part.begin : part.end])


def compute(decoder: Decoder, session: Session, window: Window, part: Part) -> Generator[None, None, BlockKV]:
    """Compute a block after its window's header, which the session must hold; yields between layers."""
    n_header, n = window.n_header, len(part)
    scratch = decoder.new_kv(n_header + n)
    decoder.move(session.kv, 0, n_header, scratch, 0, 0)
    for begin in range(0, n, n_chunk := decoder.chunks.block):
        ids = window.ids[part.begin + begin : min(part.begin + begin + n_chunk, part.end)]
        slot = n_header + begin
        yield from decoder.forward(
            np.array(ids, np.int64),
            np.arange(slot, slot + len(ids)),
            scratch,
            [Span(len(ids), ((0, slot),), slot)],
        )
    block = decoder.new_block(n)
    decoder.move(scratch, n_header, n, block, 0, 0)
    return block


def bring_in(
    decoder: Decoder, store: BlockStore, session: Session, window: Window, part: Part
) -> Generator[None, None, None]:
    """Compute a cold block, keep it and place it; what is left off goes on in whichever window has it next."""
    kv = yield from store.finish(key_of(window, part), lambda: compute(decoder, session, window, part))
    place(decoder, kv, session, window, part)


def place(decoder: Decoder, kv: BlockKV, session: Session, window: Window, part: Part) -> None:
    """Move a block's keys and values into its slots of the session's window."""
    decoder.move(kv, 0, len(part), session.kv, part.begin, part.begin - window.n_header)
    session.level[part.begin : part.end] = bytes([Level.WINDOW]) * len(part)


def place_warm(decoder: Decoder, store: BlockStore, session: Session, window: Window, part: Part) -> bool:
    """Place a block that the store has; False when it is gone meanwhile, and its slots stay as they are."""
    if (kv := store.get(key_of(window, part), len(part))) is None:
        return False
    place(decoder, kv, session, window, part)
    return True
