import asyncio
from pathlib import Path

import pytest

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
