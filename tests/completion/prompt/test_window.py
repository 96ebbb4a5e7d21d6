"""The window fits, is the whole file when that fits, and stands still while the user types."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from completion.prompt.segments import SegmentCache
from completion.prompt.window import PromptWindow, choose_window
from tests.fakes import ByteTokenizer, bpe_tokenizer

_LINES = "".join(f"    value_{number} = compute({number})\n" for number in range(4_000))


class _MeasuringTokenizer(ByteTokenizer):
    def __init__(self) -> None:
        self.n_characters = 0

    def encode(self, text: str) -> list[int]:
        self.n_characters += len(text)
        return super().encode(text)


def _window(before: str, after: str, budget: int, share: float = 0.25) -> PromptWindow:
    return choose_window(before + after, len(before), budget, share, SegmentCache(ByteTokenizer()))


def _text(ids: list[int]) -> str:
    return bytes(ids).decode()


def _size(window: PromptWindow) -> int:
    return len(window.above) + len(window.line) + len(window.after)


def test_a_file_that_fits_is_shown_whole() -> None:
    window = _window("import os\n\ndef f():\n    ret", "\n\nx = 1\n", 400)
    assert _text(window.above) == "import os\n\ndef f():\n"
    assert _text(window.line) == "    ret"
    assert _text(window.after) == "\n\nx = 1\n"


@settings(max_examples=200, deadline=None)
@given(
    before=st.text(alphabet="ab \n\t({é😀", max_size=400),
    after=st.text(alphabet="ab \n\t)}é😀", max_size=400),
    budget=st.integers(-3, 200),
    share=st.sampled_from([0.0, 0.25, 0.9]),
)
def test_a_window_never_exceeds_its_budget(before: str, after: str, budget: int, share: float) -> None:
    assert _size(_window(before, after, budget, share)) <= max(0, budget)


def test_a_share_of_zero_leaves_out_what_follows() -> None:
    assert _window("a\nb", "c\nd\n", 400, share=0.0).after == []


def test_lines_above_and_below_are_whole() -> None:
    window = _window(_LINES, _LINES, 1_000)
    assert _text(window.above).startswith("    value_")
    assert _text(window.above).endswith("\n")
    assert _text(window.after).endswith("\n")


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_typing_lines_moves_the_start_only_in_steps_of_a_quarter(share: float) -> None:
    budget, cache = 1_000, SegmentCache(bpe_tokenizer())
    typed, starts = _LINES, []
    for number in range(200):
        typed += f"    item_{number} = {number}\n"
        window = choose_window(typed + "\nend = 1\n", len(typed), budget, share, cache)
        text = b"".join(bpe_tokenizer().token_bytes(token_id) for token_id in window.above).decode()
        assert typed.endswith(text)
        starts.append(len(typed) - len(text))
    moves = [later - earlier for earlier, later in itertools.pairwise(starts) if later != earlier]
    assert 1 <= len(moves) <= 10
    assert min(moves) > (budget - 250) * 3.5 / 4 - 40  # a step, but for the line it falls into


def test_moving_down_leaves_the_start_where_it_was() -> None:
    cache = SegmentCache(bpe_tokenizer())
    lines = [
        f"    value_{number} = compute({', '.join(str(n) for n in range(number % 7))})\n" for number in range(4_000)
    ]
    starts = set()
    for number in range(3_000, 3_060):
        window = choose_window("".join(lines), len("".join(lines[:number])), 4_000, 0.25, cache)
        starts.add(tuple(window.above[:50]))
    assert len(starts) <= 3


def test_a_large_share_for_what_follows_still_leaves_room_for_the_line() -> None:
    assert _size(_window("x" * 1_000, "\n" + "y\n" * 1_000, 400, share=0.9)) <= 400


def test_what_follows_stays_the_same_while_a_line_is_typed() -> None:
    afters = {tuple(_window(_LINES + "    x = foo"[:n], "\n" + _LINES, 1_000).after) for n in range(12)}
    assert len(afters) == 1


def test_a_line_of_a_megabyte_fits_and_starts_where_it_did_a_key_before() -> None:
    line = "0123456789" * 100_000
    first, second = (_window("x\n" + line + typed, line, 1_000) for typed in ("", "a"))
    assert 150 <= len(first.line) <= 250
    assert second.line == [*first.line, ord("a")]
    assert _size(first) <= 1_000


def test_a_line_is_cut_at_a_token() -> None:
    line = "value = compute(first_argument, second_argument) + " * 100
    window = choose_window(line, len(line), 400, 0.0, SegmentCache(bpe_tokenizer()))
    whole = bpe_tokenizer().encode(line)
    assert 0 < len(window.line) <= 100
    assert window.line == whole[-len(window.line) :]


def test_only_what_is_near_the_cursor_is_tokenized() -> None:
    tokenizer = _MeasuringTokenizer()
    text = _LINES * 40  # about 5 MB
    choose_window(text, len(text) // 2, 1_000, 0.25, SegmentCache(tokenizer))
    assert tokenizer.n_characters < 8_000
