"""The rule for a file's text: byte order mark, UTF-8, a declared coding, Latin-1; and what is binary."""

import codecs
import random

import pytest

from lsp_server.documents.decoding import decoded

TEXT = "name = 'Größe'  # é\n"


def check(source: bytes, text: str | None, coding: str = "") -> None:
    found = decoded(source)
    assert (None, "") if found is None else (found.text, found.coding) == (text, coding)
    assert (found is None) == (text is None)


@pytest.mark.parametrize(
    ("mark", "coding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_byte_order_mark_counts_first_and_is_no_text(mark: bytes, coding: str) -> None:
    check(mark + TEXT.encode(coding), TEXT, coding)
    check(mark, None)


@pytest.mark.parametrize("text", ["", "x = 1\r\n", TEXT, "# -*- coding: latin-1 -*-\n" + TEXT])
def test_what_is_utf_8_is_utf_8_whatever_it_declares(text: str) -> None:
    check(text.encode(), text, "utf-8")


@pytest.mark.parametrize(
    ("declaration", "coding"),
    [
        ("# -*- coding: iso-8859-15 -*-\n", "iso8859-15"),
        ("#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\n", "cp1252"),
        ("// vim: fenc=koi8-r\n", "koi8-r"),
        ("# Größe, coding=latin1\n", "latin-1"),
        ("; -*- mode: lisp; coding: shift_jis -*-\n", "shift_jis"),
        ('<?xml version="1.0" encoding="ISO-8859-2"?>\n', "iso8859-2"),
        ('<html><head>\n<meta charset="windows-1251">\n', "cp1251"),
        ('<META http-equiv=Content-Type content="text/html; charset=gbk">\n', "gbk"),
        ('@charset "iso-8859-9";\n', "iso8859-9"),
    ],
)
def test_a_declared_coding_is_taken(declaration: str, coding: str) -> None:
    body = {"shift_jis": "テスト", "gbk": "大小", "koi8-r": "размер", "cp1251": "размер"}.get(coding, "Größe")
    text = f"{declaration}x = '{body}'\n"
    check(text.encode(coding), text, coding)


@pytest.mark.parametrize(
    "declaration",
    [
        "", "# coding: utf-8\n", "# coding: no-such-coding\n", "# coding: rot13\n", "# coding: idna\n",
        "# coding: utf-16\n", "# coding: hex\n", "# coding: cp037\n", "x\ny\n# coding: cp1251\n",
        '# <?xml encoding="cp1251"?>\n',
    ],
)  # fmt: skip
def test_without_a_coding_that_fits_it_is_latin_1(declaration: str) -> None:
    text = f"{declaration}name = 'Größe'\n"
    check(text.encode("latin-1"), text, "latin-1")


@pytest.mark.parametrize(
    "source",
    [
        b"a\0b",
        b"\xff\xfea\0\0\0\0\0",  # a NUL within
        b"\xff\xfea\0\x00\xd8b\0",  # half a character
        b"\xfe\xffa",
        b"\x89PNG\r\n\x1a\n\x01",
        b"\x1f\x8b\x08\x08\xe9",
        bytes(range(1, 256)),
        "x".encode("utf-16-le"),
    ],
)
def test_binary_is_none(source: bytes) -> None:
    check(source, None)


def test_random_bytes_are_no_error() -> None:
    rng = random.Random(1)
    for _ in range(3_000):
        found = decoded(rng.randbytes(rng.randint(0, 60)))
        assert found is None or "\0" not in found.text
