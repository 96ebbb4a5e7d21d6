import asyncio
import gc
import shutil
import threading
import weakref
from pathlib import Path

import pytest

from model.library.store import MANIFEST, read_manifest
from model.library.tokenizer import VocabTokenizer
from model.link import opening
from model.link.opening import EarlyTokenizer


def test_a_guess_that_fails_is_read_again_where_it_is_the_store(
    tiny_stores: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure that passes (no memory, no file handle) must not be the answer for ever."""
    (store,) = tiny_stores.iterdir()
    opened: list[Path] = []
    really = VocabTokenizer.open

    def open_later(wanted: Path) -> VocabTokenizer:
        opened.append(wanted)
        if len(opened) == 1:
            raise OSError(24, "Too many open files")
        return really(wanted)

    async def read() -> VocabTokenizer:
        early = EarlyTokenizer(str(tiny_model))
        early.begin()
        return await early.of(store)

    monkeypatch.setattr(VocabTokenizer, "open", open_later)
    monkeypatch.setattr(opening, "newest_store", lambda model_id: store)
    assert asyncio.run(read()).encode("x") == really(store).encode("x")
    assert opened == [store, store]


def test_a_wrong_guess_is_not_kept_beside_the_right_one(
    tiny_stores: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (store,) = tiny_stores.iterdir()
    guess = Path(shutil.copytree(store, tmp_path / "guess"))
    other = (guess / MANIFEST).read_text().replace(read_manifest(store).source_sha256, "0" * 64)
    (guess / MANIFEST).write_text(other)
    opened: list[weakref.ref[VocabTokenizer]] = []
    is_read = threading.Event()
    really = VocabTokenizer.open

    def watched(wanted: Path) -> VocabTokenizer:
        tokenizer = really(wanted)
        opened.append(weakref.ref(tokenizer))
        is_read.set()
        return tokenizer

    async def read() -> EarlyTokenizer:
        early = EarlyTokenizer(str(tiny_model))
        early.begin()
        await asyncio.to_thread(is_read.wait)
        await early.of(store)
        return early

    monkeypatch.setattr(VocabTokenizer, "open", watched)
    monkeypatch.setattr(opening, "newest_store", lambda model_id: guess)
    early = asyncio.run(read())
    gc.collect()
    assert len(opened) == 2  # of another file, so it has another tokenizer
    assert [alive() for alive in opened] == [None, None]
    del early


def test_the_same_file_in_other_bits_has_the_same_tokenizer(
    tiny_stores: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (store,) = tiny_stores.iterdir()
    guess = Path(shutil.copytree(store, tmp_path / "int8"))
    opened: list[Path] = []
    really = VocabTokenizer.open

    def watched(wanted: Path) -> VocabTokenizer:
        opened.append(wanted)
        return really(wanted)

    async def read() -> VocabTokenizer:
        early = EarlyTokenizer(str(tiny_model))
        early.begin()
        return await early.of(store)

    monkeypatch.setattr(VocabTokenizer, "open", watched)
    monkeypatch.setattr(opening, "newest_store", lambda model_id: guess)
    assert asyncio.run(read()).encode("x") == really(store).encode("x")
    assert opened == [guess]
