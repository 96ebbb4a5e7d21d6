"""The file of statistics: private, shared by windows, erasable, and harmless when it breaks."""

import logging
import multiprocessing
import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lsp_server.usage.history import (
    INSTEAD,
    MAX_EXPLANATIONS,
    BrokenHistory,
    Event,
    History,
    Note,
    erase,
    read_events,
    read_explanations,
    write,
)

EVENT = Event(
    at=1e9, id="w-1", kind="shown", language="python", mode="line", characters=9, latency_ms=1.5, reused=False,
    probability=0.5,
)  # fmt: skip


def now(**facts: object) -> Event:
    return replace(EVENT, at=time.time(), **facts)  # type: ignore[arg-type]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "history.sqlite"


def test_what_was_added_is_read_back(file: Path) -> None:
    history, first, second = History(file), now(), now(id="w-2", probability=None, share=0.5, early=True)
    history.add(first)
    history.add({"id": "w-1", "path": "a.py"})
    history.add(second)
    history.stop()
    history.join()
    assert read_events(file, 0) == [first, second]
    assert read_events(file, second.at) == [second]
    assert read_explanations(file, 9) == [{"id": "w-1", "path": "a.py", "fate": "shown"}]


def test_only_the_user_may_read_it_whatever_the_umask_and_the_folder_were(file: Path) -> None:
    file.parent.mkdir(mode=0o755)
    write(file, [now()])
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in file.parent.iterdir()} == {0o600}


def test_an_explanation_knows_what_became_of_it(file: Path) -> None:
    write(file, [{"id": "w-1"}, {"id": "w-2"}, now(), now(kind="accepted"), now(kind="kept", share=0.9)])
    newest, oldest = read_explanations(file, 2)
    assert (newest["id"], newest.get("fate")) == ("w-2", None)
    assert (oldest["id"], oldest["fate"], oldest["keptShare"]) == ("w-1", "accepted", 0.9)


def test_a_note_is_added_to_the_explanation_that_it_is_about(file: Path) -> None:
    write(file, [{"id": "w-1", "text": "a"}, {"id": "w-2"}])
    write(
        file, [now(kind="accepted"), now(kind=INSTEAD), Note("w-1", {"acceptedInstead": "b"}), Note("gone", {"x": 1})]
    )
    newest, oldest = read_explanations(file, 9)
    assert newest == {"id": "w-2"}
    assert oldest == {"id": "w-1", "text": "a", "acceptedInstead": "b", "fate": "accepted"}


def test_only_the_last_explanations_and_a_year_of_events_are_kept(file: Path) -> None:
    old = replace(EVENT, at=time.time() - 86_400 * 500)
    write(file, [old, now(), *({"id": str(number)} for number in range(MAX_EXPLANATIONS + 7))])
    write(file, [{"id": "last"}])
    assert [one["id"] for one in read_explanations(file, 999)][:2] == ["last", str(MAX_EXPLANATIONS + 6)]
    assert len(read_explanations(file, 999)) == MAX_EXPLANATIONS
    assert len(read_events(file, 0)) == 1


def _write_many(file: Path, window: int) -> None:
    for number in range(20):
        write(file, [now(id=f"{window}-{number}"), {"id": f"{window}-{number}"}])


def test_windows_that_write_at_once_lose_nothing(file: Path) -> None:
    context = multiprocessing.get_context("spawn")
    windows = [context.Process(target=_write_many, args=(file, window)) for window in range(4)]
    for window in windows:
        window.start()
    for window in windows:
        window.join(60)
    assert [window.exitcode for window in windows] == [0, 0, 0, 0]
    assert len({event.id for event in read_events(file, 0)}) == 80


@pytest.mark.parametrize("content", [b"this is no database" * 300, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_pauses_statistics_and_is_told_once(
    file: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    history = History(file)
    with caplog.at_level(logging.WARNING):
        history.add(now())
        time.sleep(1.3)  # a batch of its own
        history.add(now())
        history.stop()
        history.join()
    assert [record.getMessage().startswith("statistics pause") for record in caplog.records] == [True]
    with pytest.raises(BrokenHistory, match="midfill stats --erase"):
        read_events(file, 0)
    erase(file)
    write(file, [now()])
    assert len(read_events(file, 0)) == 1


def test_a_folder_that_cannot_be_made_pauses_statistics(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "state").write_text("a file in the way")
    history = History(tmp_path / "state" / "history.sqlite")
    history.add(now())
    history.stop()
    history.join()
    assert "statistics pause" in caplog.text


def test_erased_text_is_not_on_the_disk_any_more(file: Path) -> None:
    write(file, [now(), *({"id": str(number), "raw": "my_secret_name" * 200} for number in range(10))])
    assert any(b"my_secret_name" in one.read_bytes() for one in file.parent.iterdir())
    erase(file)
    assert not any(b"my_secret_name" in one.read_bytes() for one in file.parent.iterdir())
    assert read_events(file, 0) == read_explanations(file, 9) == []
    write(file, [now()])
    assert len(read_events(file, 0)) == 1


def test_text_that_left_the_ring_is_not_on_the_disk_either(file: Path) -> None:
    write(file, [{"id": "first", "raw": "my_secret_name" * 200}])
    write(file, [{"id": str(number), "raw": "x" * 3000} for number in range(MAX_EXPLANATIONS)])
    assert not any(b"my_secret_name" in one.read_bytes() for one in file.parent.iterdir())


def test_nothing_was_written_yet(file: Path) -> None:
    assert read_events(file, 0) == read_explanations(file, 1) == []
    erase(file)
    assert not file.exists()
    file.parent.mkdir()
    file.touch()
    assert read_events(file, 0) == read_explanations(file, 1) == []
