"""Characters that nobody sees: never in code, and in texts only what belongs there."""

import unicodedata

import pytest

from completion.filters.chain import apply_filters
from tests.fakes import request_at

_ZWSP, _NBSP, _LINE, _BOM, _LOST, _RLO, _ZWJ = "\u200b", "\u00a0", "\u2028", "\ufeff", "\ufffd", "\u202e", "\u200d"
_SHAPELESS = "\u034f\u3164\ufe0f\uffa0"


def _shown(marked: str, says: str, language: str) -> str:
    return apply_filters(says, request_at(marked, language=language))[0].text


@pytest.mark.parametrize(
    ("language", "marked", "says", "expected"),
    [
        ("javascript", "▮\n", f"const total4{_ZWSP} = price{_NBSP}* 3;", "const total4 = price * 3;"),
        ("javascript", "const a = ▮\n", f"b{_LINE}+ c;", "b + c;"),
        ("python", "x = ▮\n", f"{_BOM}price{_LOST} + 1", "price + 1"),
        ("python", "x = ▮\n", f"pri{_RLO}ce", "price"),
        ("python", "x = f(▮)\n", f"a,{_NBSP}'b{_NBSP}c'", f"a, 'b{_NBSP}c'"),
        ("python", "x = ▮\n", f"'a{_NBSP}b{_ZWSP}{_LOST}{_RLO}c'", f"'a{_NBSP}bc'"),
        ("python", "x = '▮'\n", f"👩{_ZWJ}💻 a{_ZWJ}b", f"👩{_ZWJ}💻 ab"),
        ("python", "x = '▮'\n", "می\u200cخواهم e\u0301 ❤\ufe0f", "می\u200cخواهم e\u0301 ❤\ufe0f"),
        ("python", "# Costs 3▮\n", f"{_NBSP}€{_LOST}{_BOM}", f"{_NBSP}€"),
        ("go", "package a\n\nfunc f() {\n\t▮\n}\n", f"total\u2060{_NBSP}:= 1 // 3{_NBSP}m", f"total := 1 // 3{_NBSP}m"),
        ("html", "<p>3▮</p>\n", f"{_NBSP}km{_RLO}", f"{_NBSP}km"),
        ("markdown", "Costs 3▮\n", f"{_NBSP}€{_ZWSP}", f"{_NBSP}€"),
        ("plaintext", "Costs 3▮\n", f"{_NBSP}€", f"{_NBSP}€"),
        ("tsx", "const a = <p>3▮</p>;\n", f"{_NBSP}km", f"{_NBSP}km"),
        ("typescript", "const a = `${▮}`;\n", f"b{_NBSP}+ c", "b + c"),
        ("python", "▮\n", "naïve_größe = 漢字 + e\u0301", "naïve_größe = 漢字 + e\u0301"),
    ],
)
def test_what_stays(language: str, marked: str, says: str, expected: str) -> None:
    assert _shown(marked, says, language) == expected


def test_of_all_characters_that_are_not_seen_none_comes_into_code() -> None:
    for number in (*range(0x20), *range(0x7F, 0x3000 + 1), *range(0xFE00, 0x10000), *range(0xE0000, 0xE0200)):
        character = chr(number)
        is_odd = unicodedata.category(character)[0] in "CZ" or character in _SHAPELESS
        if is_odd and character not in "\n\r\t ":
            shown = _shown("x = ▮\n", f"a{character} + 1", "python")
            assert shown.replace("  ", " ") == "a + 1", hex(number)
