"""Blocks: computed once, the same wherever they stand, and a store that survives what happens to files."""

import errno
import logging
import os
from array import array
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from completion.types import Piece
from model.decoders.interface import Decoder, run_to_end
from model.decoders.kv import Span
from model.decoders.native_decoder import NativeKV
from model.decoders.torch_kv import KVBuffer
from model.engine.blocks import BlockStore, block_key, compute, key_of, place
from model.engine.layout import Window, window_of
from model.engine.session import Level, Session
from model.weights.load_torch import load_fp32
from model.weights.source import open_source
from tests.model.tiny import make_tiny_model


def buffer(n: int) -> KVBuffer:
    kv = KVBuffer(2, 1, 4, n)
    kv.keys.normal_()
    kv.values.normal_()
    return kv


def store(folder: Path | None, memory: int = 10_000, disk: int = 1_000_000) -> BlockStore:
    return BlockStore(buffer, folder, memory, disk)


def same(a: KVBuffer, b: object) -> bool:
    assert isinstance(b, KVBuffer)
    return torch.equal(a.keys, b.keys) and torch.equal(a.values, b.values)


def test_a_key_stands_for_header_and_tokens() -> None:
    one, two = array("I", [1, 2]), array("I", [3])
    keys = {block_key(one, two), block_key(one + two, array("I")), block_key(two, one), block_key(one, one)}
    assert len(keys) == 4
    assert block_key(one, two) == block_key(array("I", [1, 2]), array("I", [3]))


def test_what_is_put_comes_back_from_memory_and_from_another_daemons_disk(tmp_path: Path) -> None:
    first, kv = store(tmp_path), buffer(10)
    first.put("a", kv)
    assert first.get("a", 10) is kv
    second = store(tmp_path)
    assert "a" in second
    assert same(kv, second.get("a", 10))
    assert (second.counters.n_from_disk, second.counters.n_from_memory) == (1, 0)
    second.get("a", 10)
    assert second.counters.n_from_memory == 1


def test_nobody_else_may_read_the_folder(tmp_path: Path) -> None:
    store(tmp_path / "numerics").put("a", buffer(10))
    assert (tmp_path / "numerics").stat().st_mode & 0o077 == 0


def test_memory_holds_what_was_used_last(tmp_path: Path) -> None:
    blocks = store(tmp_path, memory=2 * buffer(10).n_bytes)
    for key in "abc":
        blocks.put(key, buffer(10))
    blocks.check()
    assert blocks.n_bytes == 2 * buffer(10).n_bytes
    assert "a" in blocks  # on disk
    assert blocks.get("a", 10) is not None
    assert blocks.counters.n_from_disk == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:30],
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: b"\x7fELF" + data[4:],
        lambda data: data[:100] + b"x" + data[101:],
    ],
)
def test_a_damaged_or_foreign_file_is_discarded_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: object
) -> None:
    store(tmp_path).put("a", buffer(10))
    file = tmp_path / "a.kv"
    file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
    blocks = store(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert blocks.get("a", 10) is None
    assert len(caplog.records) == 1
    assert blocks.counters.n_discarded == 1
    assert not file.exists()
    assert "a" not in blocks


def test_a_block_of_another_size_is_not_taken(tmp_path: Path) -> None:
    store(tmp_path).put("a", buffer(10))
    assert store(tmp_path).get("a", 12) is None


def test_a_file_that_another_daemon_deleted_is_simply_not_there(tmp_path: Path) -> None:
    store(tmp_path).put("a", buffer(10))
    blocks = store(tmp_path)
    (tmp_path / "a.kv").unlink()
    assert blocks.get("a", 10) is None
    assert "a" not in blocks
    assert blocks.counters.n_discarded == 0


def test_the_disk_store_keeps_what_was_used_last(tmp_path: Path) -> None:
    size = (store(tmp_path).put("x", buffer(10)), (tmp_path / "x.kv").stat().st_size)[1]
    (tmp_path / "x.kv").unlink()
    blocks = store(tmp_path, memory=1, disk=int(3.5 * size))
    for age, key in enumerate("abc"):
        blocks.put(key, buffer(10))
        os.utime(tmp_path / f"{key}.kv", (1000 + age, 1000 + age))
    blocks.get("b", 10)
    assert blocks.get("a", 10) is not None  # read: used just now
    blocks.put("d", buffer(10))
    assert not (tmp_path / "c.kv").exists()
    assert (tmp_path / "a.kv").exists()
    assert (tmp_path / "d.kv").exists()


def test_what_a_crash_left_behind_is_cleaned_up_after_an_hour(tmp_path: Path) -> None:
    old, new = tmp_path / ".a-1", tmp_path / ".b-2"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (1, 1))
    store(tmp_path)
    assert not old.exists()
    assert new.exists()


def test_a_block_that_is_left_off_goes_on_where_it_was() -> None:
    blocks, kv, layers = store(None), buffer(10), []

    def compute() -> Generator[None, None, KVBuffer]:
        for layer in range(3):
            layers.append(layer)
            yield
        return kv

    begun = blocks.finish("a", compute)
    next(begun)
    next(begun)
    begun.close()
    for _ in blocks.finish("a", compute):
        pass
    assert layers == [0, 1, 2]
    assert blocks.get("a", 10) is kv
    assert blocks.counters.n_computed == 1


def test_where_nothing_can_be_written_blocks_are_read_and_what_cannot_be_kept_costs_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tmp_path).put("a", buffer(10))
    store(tmp_path).put("b", buffer(10))
    (tmp_path / "b.kv").write_bytes(b"damaged")

    def refuse(*arguments: object, **named: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for owner, name in ((Path, "unlink"), (Path, "replace"), (os, "utime"), (os, "unlink")):
        monkeypatch.setattr(owner, name, refuse)
    with caplog.at_level(logging.WARNING):
        blocks = store(tmp_path, disk=1)  # and there is too much of it
        assert blocks.get("a", 10) is not None or "a" not in blocks
        blocks = store(tmp_path)
        assert blocks.get("a", 10) is not None
        assert blocks.get("b", 10) is None
        kv = buffer(10)
        blocks.put("c", kv)
        assert blocks.get("c", 10) is kv
    assert sum("could not be kept" in record.message for record in caplog.records) == 1
    assert sum("discarded" in record.message for record in caplog.records) == 1


def test_a_folder_that_cannot_be_written_costs_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with caplog.at_level(logging.WARNING):
        blocks = store(file / "blocks")
        blocks.put("a", buffer(10))
    assert blocks.get("a", 10) is not None
    assert len(caplog.records) == 1


def test_a_native_block_is_kept_as_torch_kept_it() -> None:
    """Files that were written when all of this was torch are read, and the other way round."""
    kv, again = NativeKV(2, 2, 16, 40), NativeKV(2, 2, 16, 40)
    for part in (kv.keys, kv.values):
        part[...] = np.random.default_rng(1).standard_normal(part.shape)
    as_torch = {"keys": torch.from_numpy(kv.keys), "values": torch.from_numpy(kv.values)}
    assert kv.to_bytes() == save(as_torch)
    again.load(save(as_torch))
    assert np.array_equal(again.keys, kv.keys)
    assert np.array_equal(again.values, kv.values)
    with pytest.raises(ValueError, match="another model"):
        NativeKV(2, 2, 16, 50).load(kv.to_bytes())


# -- computing and placing -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Decoder:
    with open_source(make_tiny_model(tmp_path_factory.mktemp("tiny"))) as weights:
        return load_fp32(weights)


def windows(n_header: int) -> tuple[Window, Window]:
    """Two windows with the same block: alone, and behind another one."""
    header, block = array("I", range(n_header)), array("I", [(5 * i) % 240 for i in range(150)])
    other, tail = array("I", range(30, 75)), array("I", [9, 8, 7])

    def piece(ids: "array[int]", rank: int, is_block: bool) -> Piece:
        return Piece(n_tokens=len(ids), rank=rank, block=is_block)

    first, last = piece(header, 0, False), piece(tail, 0, False)
    alone = window_of(header + block + tail, [first, piece(block, 1, True), last])
    behind = window_of(header + other + block + tail, [first, piece(other, 2, True), piece(block, 1, True), last])
    return alone, behind


def with_header(decoder: Decoder, window: Window) -> Session:
    session = Session(kv=decoder.new_kv(512))
    session.adopt(window, decoder)
    if n := window.n_header:
        work = session.start(decoder, 0, window.ids[:n], ())
        while session.advance(work) is None:
            pass
    return session


def test_a_block_has_one_key_in_every_window() -> None:
    alone, behind = windows(6)
    assert key_of(alone, alone.blocks[0]) == key_of(behind, behind.blocks[0])
    assert key_of(behind, behind.blocks[0]) != key_of(behind, behind.blocks[1])
    other_header = windows(7)[0]
    assert key_of(alone, alone.blocks[0]) != key_of(other_header, other_header.blocks[0])


def test_right_behind_the_header_a_block_has_the_keys_and_values_of_one_pass(decoder: Decoder) -> None:
    window, _ = windows(6)
    session, part = with_header(decoder, window), window.blocks[0]
    place(decoder, run_to_end(compute(decoder, session, window, part)), session, window, part)
    plain = decoder.new_kv(512)
    ids = window.ids[: part.end]
    run_to_end(decoder.forward(torch.tensor(ids), torch.arange(len(ids)), plain, [Span(len(ids), (), 0)]))
    for layer in range(decoder.architecture.n_layers):
        assert torch.allclose(session.kv.keys[layer][:, : part.end], plain.keys[layer][:, : part.end], atol=1e-4)
        assert torch.allclose(session.kv.values[layer][:, : part.end], plain.values[layer][:, : part.end], atol=1e-4)
    assert set(session.level[part.begin : part.end]) == {Level.WINDOW}


def test_placed_elsewhere_a_block_is_what_it_would_be_there(decoder: Decoder) -> None:
    """Without a header a block sees itself alone: then the keys and values of any place can be computed there."""
    _, window = windows(0)
    session, part = with_header(decoder, window), window.blocks[0]
    place(decoder, run_to_end(compute(decoder, session, window, part)), session, window, part)
    there = decoder.new_kv(512)
    ids = window.ids[part.begin : part.end]
    steps = decoder.forward(
        torch.tensor(ids), torch.arange(part.begin, part.end), there, [Span(len(ids), (), part.begin)]
    )
    run_to_end(steps)
    for layer in range(decoder.architecture.n_layers):
        for ours, truth in ((session.kv.keys, there.keys), (session.kv.values, there.values)):
            assert torch.allclose(
                ours[layer][:, part.begin : part.end], truth[layer][:, part.begin : part.end], atol=1e-4
            )
