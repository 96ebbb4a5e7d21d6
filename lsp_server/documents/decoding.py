"""The text of a file's bytes, by one rule for all files: byte order mark, UTF-8, a declared coding, Latin-1.

Rules: pure. A declaration is one of the first lines' (`coding: latin-1` for Python, Emacs and Vim; XML, HTML and CSS
have their own); one that is wrong counts as none. What has control characters is binary: Latin-1 alone would take all.
"""

import codecs
import re
from dataclasses import dataclass

UTF_8, LATIN_1 = "utf-8", "latin-1"
# The longer ones first: UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED_IN_BYTES = 1_024
_DECLARED = (
    # PEP 263 for the first two lines; Vim's short name of the setting may stand there, too.
    re.compile(rb"\A(?:[^\n]*\n)?[^\n]*?(?:coding[:=]|\bfenc=)[ \t]*([-\w.]+)"),
    re.compile(rb"""\A\s*<\?xml\s[^>]*?\bencoding\s*=\s*["']([-\w.]+)"""),
    re.compile(rb"""<meta\s[^>]*?\bcharset\s*=\s*["']?\s*([-\w.]+)""", re.IGNORECASE),
    re.compile(rb"""\A@charset\s+"([-\w.]+)\""""),
)
# Python's codecs that are no coding of files, or have no bounds on the time they take.
_NO_CODINGS = frozenset(
    ("idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined", "utf-7", "mbcs", "oem")
)
_CONTROL = re.compile(rb"[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text, and the coding that it was in."""

    text: str
    coding: str


def decoded(source: bytes) -> Decoded | None:
    """The text of a file; None when it is binary."""
    for mark, coding in _MARKS:
        if source.startswith(mark):
            text = _in_coding(source[len(mark) :], coding)
            return None if not text or "\0" in text else Decoded(text, coding)
    if b"\0" in source:
        return None
    if (text := _in_coding(source, UTF_8)) is not None:
        return Decoded(text, UTF_8)
    if (declared := _declared(source)) is not None:
        return declared
    return None if _CONTROL.search(source) else Decoded(source.decode(LATIN_1), LATIN_1)


def _declared(source: bytes) -> Decoded | None:
    """The text in the coding that it declares; None when it declares none, or one that it is not in."""
    begin = source[:_DECLARED_IN_BYTES]
    for pattern in _DECLARED:
        if match := pattern.search(begin):
            try:
                coding = codecs.lookup(match[1].decode("ascii", "replace")).name
            except LookupError:
                continue
            coding = LATIN_1 if coding == "iso8859-1" else coding
            text = None if coding in _NO_CODINGS else _in_coding(source, coding)
            # In a coding where the declaration reads otherwise it was not written.
            if text is not None and match[1].decode(LATIN_1) in text and "\0" not in text:
                return Decoded(text, coding)
    return None


def _in_coding(source: bytes, coding: str) -> str | None:
    try:
        return source.decode(coding)
    except (UnicodeError, LookupError):  # a codec of Python that is none of texts is looked up in vain
        return None
