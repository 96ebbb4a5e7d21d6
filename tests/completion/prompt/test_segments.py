"""Segments joined are the text, and their ids are the ids of the text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from completion.prompt import segments as segments_module
from completion.prompt.segments import SegmentCache, segments
from tests.fakes import ByteTokenizer, bpe_tokenizer

# Pieces that meet in code, and every kind of blank that the pattern treats on its own.
_BLANKS = ["\n", "\r\n", "\r", "\t", "\f", "\v", " ", "    ", "\x85", "\u2028", "\u00a0", "\u3000", "\x1c", "\ufeff"]
_VISIBLE = ["}", ");", "(", "foo", "_bar", "x1", "'s", "'ll", "# é", "中文", "😀", "e\u0301", "\x00", '"', "42", "//"]
_PIECES = st.sampled_from([*_BLANKS, *_VISIBLE])
_TEXTS = st.lists(_PIECES | st.text(max_size=3), max_size=24).map("".join)


class _CountingTokenizer(ByteTokenizer):
    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode(self, text: str) -> list[int]:
        self.encoded.append(text)
        return super().encode(text)


@settings(max_examples=400, deadline=None)
@given(_TEXTS)
def test_ids_of_segments_joined_are_the_ids_of_the_text(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    assert "".join(segments(text)) == text
    assert SegmentCache(bpe_tokenizer()).encode(text) == bpe_tokenizer().encode(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb\n", ["a\n", "b\n"]),
        ("a\n\n\n  b\n", ["a\n\n\n", "  b\n"]),
        ("\n\n  a", ["\n\n", "  a"]),
        ("a\r\n\r\n\tb", ["a\r\n\r\n", "\tb"]),
        ("  }\n}\n", ["  }\n", "}\n"]),
        ("a\n  \n \n", ["a\n  \n \n"]),
        ("", []),
    ],
)
def test_blank_lines_stay_with_the_line_before_them(text: str, expected: list[str]) -> None:
    assert list(segments(text)) == expected


def test_a_cut_before_a_carriage_return_would_be_wrong() -> None:
    # Why the rule looks for one: the pattern takes "\n  \r" as one piece.
    assert list(segments("a\n  \rb")) == ["a\n  \rb"]


def test_nothing_is_tokenized_twice() -> None:
    tokenizer = _CountingTokenizer()
    cache = SegmentCache(tokenizer)
    cache.encode("one\ntwo\nthree\n")
    cache.encode("one\ntwo!\nthree\n")
    assert tokenizer.encoded == ["one\n", "two\n", "three\n", "two!\n"]


def test_the_cache_forgets_what_was_used_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments_module, "_MAX_CACHED_CHARACTERS", 6)
    tokenizer = _CountingTokenizer()
    cache = SegmentCache(tokenizer)
    for segment in ("aa\n", "bb\n", "aa\n", "cc\n", "aa\n", "bb\n"):
        cache.segment(segment)
    assert tokenizer.encoded == ["aa\n", "bb\n", "cc\n", "bb\n"]
