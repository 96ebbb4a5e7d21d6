"""Records outlive processes, and whatever has happened to their file."""

from pathlib import Path

import pytest

from model.library.records import read_record, write_private, write_record


@pytest.mark.parametrize("damaged", [None, "", "{", "[1]", '"a"', '{"a": 1}'])
def test_a_file_that_is_missing_or_damaged_holds_nothing_and_is_written_anew(
    tmp_path: Path, damaged: str | None
) -> None:
    file = tmp_path / "records.json"
    if damaged is not None:
        file.write_text(damaged)
    assert read_record(file, "a") is None
    write_record(file, "b", {"x": 1})
    write_record(file, "c", {"x": 2})
    assert (read_record(file, "b"), read_record(file, "c")) == ({"x": 1}, {"x": 2})
    assert file.stat().st_mode & 0o077 == 0


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_private(tmp_path / "taken", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
