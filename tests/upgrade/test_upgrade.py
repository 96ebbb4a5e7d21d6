"""What midfill 0.1 left on the disk, opened by this one: used or made anew with a sentence, and nothing is lost.

The files are real ones (`make_old_files`). Old settings are in `test_config`.
"""

import json
import logging
import os
import sqlite3
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lsp_server.cli.__main__ import main
from lsp_server.index.query import IndexReader
from lsp_server.index.schema import database_of
from lsp_server.index.write import IndexWriter
from lsp_server.usage.history import (
    Event,
    NextEditAnswer,
    history_file,
    read_events,
    read_explanations,
    read_next_edits,
    write,
)
from model.decoders.interface import Decoder
from model.engine.blocks import BlockStore
from model.engine.score import logprobs
from model.library.store import newest_store, read_manifest
from model.weights.load import load
from model.weights.load_torch import load_torch
from tests.upgrade.make_old_files import KEPT


@pytest.fixture
def old(tiny_cache: Path) -> Path:
    """A cache as midfill 0.1 left it, with an hour-old history."""
    with tarfile.open(KEPT) as kept:
        kept.extractall(tiny_cache, filter="data")
    os.chmod(tiny_cache / "state", 0o700)
    with sqlite3.connect(history_file()) as history:
        history.execute("UPDATE events SET at = at + ?", (time.time() - 3_600 - 1_790_000_000,))
    return tiny_cache


@pytest.mark.parametrize("open_store", [lambda store: load(store, 1), load_torch], ids=["as installed", "torch"])
def test_a_store_is_used_as_it_is(old: Path, open_store: Callable[[Path], Decoder]) -> None:
    (store,) = (old / "stores").iterdir()
    assert newest_store(read_manifest(store).model_id) == store
    told = json.loads((store / "told.json").read_text())
    assert logprobs(open_store(store), told["ids"]) == pytest.approx(told["logprobs"], abs=0.15)


def test_computed_context_is_read_from_the_disk(old: Path) -> None:
    (store,), (blocks,) = (old / "stores").iterdir(), (old / "blocks").iterdir()
    (file,) = blocks.iterdir()
    kept = BlockStore(load_torch(store).new_block, blocks, 1_000_000, 1_000_000)
    assert kept.get(file.stem, 66) is not None
    assert kept.counters.n_from_disk == 1


def test_an_index_is_built_anew_and_says_so(old: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tmp_path / "workspace"
    root.mkdir()
    (folder,) = (old / "index").iterdir()
    folder.rename(database_of(root).parent)
    assert IndexReader.open(root) is None
    with caplog.at_level(logging.WARNING):
        IndexWriter(root).close()
    (said,) = caplog.messages
    assert said.startswith(f"the index of {root} is built anew: it is of version ")
    reader = IndexReader.open(root)
    assert reader is not None
    reader.close()


def test_statistics_and_explanations_are_shown_and_go_on(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", "--json"]) == 0
    usage = json.loads(capsys.readouterr().out)["all"]
    assert (usage["accepted"], usage["kept"], usage["judged"]) == (1, 1, 1)
    assert main(["why"]) == 0
    assert "main.py:4:5" in capsys.readouterr().out
    before, told = read_events(history_file(), 0.0), read_explanations(history_file(), 9)
    assert read_next_edits(history_file(), 9) == []
    new = Event(
        at=time.time(), id="b-1", kind="accepted", language="python", mode="line", characters=3, latency_ms=1.0,
        reused=False, probability=0.9,
    )  # fmt: skip
    write(history_file(), [new, NextEditAnswer({"id": "n-1"})])
    assert read_events(history_file(), 0.0) == [*before, new]
    assert read_explanations(history_file(), 9) == told
    assert read_next_edits(history_file(), 9) == [{"id": "n-1"}]


def test_what_is_kept_is_named_and_can_be_deleted(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (store,), (blocks,) = (old / "stores").iterdir(), (old / "blocks").iterdir()
    assert main(["cache"]) == 0
    told = capsys.readouterr().out
    assert store.name in told
    assert blocks.name in told
    assert main(["cache", "clear", "stores", "blocks"]) == 0
    assert not store.exists()
    assert not blocks.exists()
