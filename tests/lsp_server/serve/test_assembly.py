"""Text from tokens: in whatever pieces its bytes come, it is the same text."""

from itertools import accumulate, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from lsp_server.serve.assembly import Assembly, Passage

_TEXTS = st.text(st.sampled_from("ab\n\t éø😀x"), max_size=40)


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[begin:end] for begin, end in pairwise(places)]


def said(assembly: Assembly, pieces: list[bytes]) -> list[Passage]:
    passages = []
    for piece in pieces:
        passages.append(assembly.add(piece, -1.0))
        if assembly.stopped_by is not None:
            return passages
    return [*passages, assembly.end()]


@given(
    _TEXTS, st.lists(st.integers(0, 200), max_size=12), st.lists(st.text("ab\né😀", min_size=1, max_size=3), max_size=3)
)
def test_a_text_ends_at_the_first_stop_string_however_it_comes(text: str, cuts: list[int], stops: list[str]) -> None:
    assembly = Assembly(stops)
    passages = said(assembly, pieces_of(text.encode(), cuts))
    # Where the first one stands, or the first that was whole, if what begins before it had not come yet.
    wholes = [text[:end] for end in range(1, len(text) + 1) if any(stop in text[:end] for stop in stops)]
    ends = {min(so_far.find(stop) for stop in stops if stop in so_far) for so_far in (text, *wholes[:1]) if wholes}
    assert "".join(passage.text for passage in passages) in {text[:end] for end in ends or {len(text)}}
    assert (assembly.stopped_by is not None) == bool(wholes)


@settings(deadline=None)
@given(_TEXTS, st.lists(st.integers(0, 200), max_size=12))
def test_every_passage_is_whole_characters_and_tokens_say_where_they_begin(text: str, cuts: list[int]) -> None:
    pieces = pieces_of(text.encode(), cuts)
    passages = said(Assembly(), pieces)
    assert "".join(passage.text for passage in passages) == text
    tokens = [token for passage in passages for token in passage.tokens]
    assert [token.spelled for token in tokens] == pieces
    begins = [0, *accumulate(map(len, pieces))][:-1]
    offsets = [len(text.encode()[:begin].decode("utf-8", "ignore")) for begin in begins]
    assert [token.offset for token in tokens] == offsets


@settings(deadline=None)
@given(_TEXTS, st.lists(st.integers(0, 200), max_size=12), st.integers(1, 3))
def test_a_line_that_is_indented_too_little_ends_the_text(text: str, cuts: list[int], least: int) -> None:
    lines = text.split("\n")

    def is_bad(line: str) -> bool:
        return bool(line.encode().strip()) and len(line) - len(line.lstrip(" \t")) < least

    bad = next((number for number, line in enumerate(lines) if number and is_bad(line)), len(lines))
    assembly = Assembly(min_indent=least)
    assert "".join(passage.text for passage in said(assembly, pieces_of(text.encode(), cuts))) == "\n".join(lines[:bad])


def test_what_is_spelled_anew_is_no_part_of_the_text() -> None:
    assembly = Assembly(heal=b"ret")
    passages = [assembly.add(piece, -1.0) for piece in (b"r", b"etur", b"n")]
    assert [passage.text for passage in passages] == ["", "ur", "n"]
    assert assembly.n_tokens == 2


def test_bytes_that_are_no_character_do_not_wait_for_ever() -> None:
    assembly = Assembly()
    assert [assembly.add(piece, -1.0).text for piece in (b"\xf0", b"\x9f", b"ab")] == ["", "", "�ab"]
    assert (assembly.add(b"\xe2", -1.0).text, assembly.end().text) == ("", "�")
