"""Chunks: whole lines, all of them, whole definitions where they fit."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.chunks import Chunk, chunks
from parsers.languages import for_document
from parsers.parse import parse

SAMPLES = sorted((Path(__file__).parent / "samples").iterdir())

PYTHON = '''import os
import sys


def first(a):
    return a + 1


class Account:
    """Money."""

    def deposit(self, amount):
        self.balance += amount

    def withdraw(self, amount):
        if amount > self.balance:
            raise ValueError(amount)
        self.balance -= amount


@decorated
def last():
    pass
'''


def check_cover(text: str, found: list[Chunk], max_bytes: int) -> None:
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    done = 0
    for chunk in found:
        assert chunk.first_line >= done
        assert not "".join(lines[done : chunk.first_line]).strip()  # only blank lines are left out
        assert chunk.text == "".join(lines[chunk.first_line : chunk.last_line + 1])
        assert len(chunk.text.encode()) <= max_bytes or chunk.first_line == chunk.last_line
        done = chunk.last_line + 1
    assert not "".join(lines[done:]).strip()


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
@pytest.mark.parametrize("max_bytes", [80, 400, 100_000])
def test_the_chunks_of_a_file_are_all_its_lines(path: Path, max_bytes: int) -> None:
    text = path.read_text()
    found = chunks(parse(for_document(path.name).id, text), max_bytes)
    check_cover(text, found, max_bytes)
    if max_bytes == 100_000:
        assert len(found) == 1


@settings(deadline=None)
@given(
    st.text(alphabet="ab (){}:\n\r\f", max_size=120), st.sampled_from(["python", "c", "plaintext"]), st.integers(4, 60)
)
def test_broken_code_is_cut_all_the_same(text: str, language: str, max_bytes: int) -> None:
    check_cover(text, chunks(parse(language, text), max_bytes), max_bytes)


def test_definitions_stay_whole_where_they_fit() -> None:
    texts = [chunk.text for chunk in chunks(parse("python", PYTHON), 170)]
    assert any(text.startswith("import os") and "def first" in text for text in texts)
    assert any("def withdraw" in text and "self.balance -= amount" in text for text in texts)
    assert any("@decorated\ndef last():\n    pass" in text for text in texts)


def test_an_edit_leaves_the_other_chunks_as_they_are() -> None:
    edited = PYTHON.replace("return a + 1", "return a + 1000")
    before, after = ({chunk.text for chunk in chunks(parse("python", text), 170)} for text in (PYTHON, edited))
    assert len(before - after) == 1
