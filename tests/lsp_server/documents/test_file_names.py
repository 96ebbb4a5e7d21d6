import os

import pytest

from lsp_server.convert import shown_path
from lsp_server.documents.file_names import shown, unquoted


@pytest.mark.parametrize("path", ["a/b.py", "é/ü.py", "日本.py", ""])
def test_what_is_text_stays_as_it_is(path: str) -> None:
    assert shown(path) == path


def test_names_that_are_no_utf_8_become_text_and_stay_apart() -> None:
    one, two = (shown(os.fsdecode(name)) for name in (b"x/caf\xe9.py", b"x/caf\xe8.py"))
    assert (one, two) == ("x/caf\\xe9.py", "x/caf\\xe8.py")
    assert shown(os.fsdecode(b"\xc3\xa9\xff.py")) == "é\\xff.py"


@pytest.mark.parametrize("path", ["\ud800", "a/\udfff\ud800.py"])
def test_half_characters_of_any_kind_become_text(path: str) -> None:
    unquoted(path).encode()


def test_a_document_is_called_as_its_file_in_the_index() -> None:
    path, _ = shown_path("file:///w/sub/caf%E9.py", ["file:///w"])
    assert path == shown(os.fsdecode(b"sub/caf\xe9.py"))
    assert shown_path("file:///caf%E9/a.py", ["file:///caf%E9"]) == ("a.py", "caf\\xe9")
