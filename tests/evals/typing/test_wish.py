"""What a person wants to type: playing the edits gives the text after; whole lines begin with Enter."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.replay.histories import HISTORIES, of_set
from evals.replay.history import Change, History
from evals.typing.wish import Edit, Pace, edits_of, files_open, played, weight_of, wish_of

texts = st.lists(st.sampled_from(["a\n", "  bc\n", "\n", "def x():\n", "\treturn\n", "é😀\n", "end"]), max_size=12).map(
    "".join
)


@given(texts, texts)
def test_playing_the_edits_gives_the_text_after(before: str, after: str) -> None:
    text = before
    for edit in edits_of("f", before, after):
        text = played(text, edit)
    assert text == after


def test_a_line_that_comes_in_is_typed_from_the_end_of_the_line_above() -> None:
    before = "def f():\n    return 1\n"
    after = "def f():\n    if x:\n        return 2\n    return 1\n"
    (edit,) = edits_of("f", before, after)
    assert (edit.at, edit.text) == (len("def f():"), "\n    if x:\n        return 2")
    assert [edit.text[begin:end] for begin, end in edit.steps()][:3] == ["\n    ", "i", "f"]


def test_what_is_put_into_a_line_stays_there() -> None:
    assert [(edit.at, edit.text) for edit in edits_of("f", "f(a)\n", "f(a, b)\n")] == [(3, ", b")]


def test_lines_are_changed_one_by_one_where_they_are_alike_and_written_anew_where_not() -> None:
    before = " * @param a the left one.\n * @return the pair.\nx = f(a)\n"
    after = " * @param a The left one.\n * @return The pair.\ny = g(1) + h(a)\n"
    edits = [(edit.removed, edit.text) for edit in edits_of("f", before, after)]
    assert edits == [("t", "T"), ("t", "T"), ("x = f(a)", "y = g(1) + h(a)")]


def test_lines_that_became_more_are_written_to_the_end_of_the_last() -> None:
    before, after = "if a:\n    run(a)\n", "if b is None:\n    b = 1\n    log(a)\n"
    assert [(edit.at, edit.removed, edit.text) for edit in edits_of("f", before, after)] == [
        (3, "a:\n    run(a)", "b is None:\n    b = 1\n    log(a)")
    ]


def test_blanks_that_come_along_weigh_nothing() -> None:
    text = "if x:\n    y = 1\n\n    z"
    assert weight_of(text, 0, len(text)) == len("if x:") + 1 + len("y = 1") + 2 + 1
    assert weight_of(text, 8, 11) == 1
    assert weight_of("name    string", 0, 14) == len("name string")
    assert [edit.text[begin:end] for edit in [Edit(0, "f", 0, "", "a   b", 5)] for begin, end in edit.steps()] == [
        "a",
        "   ",
        "b",
    ]


def test_of_a_long_edit_whole_lines_are_typed_and_the_rest_is_pasted() -> None:
    after = "".join(f"line number {number}\n" for number in range(40))
    (edit,) = edits_of("f", "", after)
    assert 100 <= edit.n_keys < 120
    assert edit.text[edit.n_typed] == "\n"
    assert played("", edit) == after


def history(n: int = 6) -> History:
    before = {f"p/{name}.py": f"{name} = 0\n" * 30 for name in "abcdef"[:n]} | {"p/other.py": "", "q/far.py": ""}
    changes = tuple(
        Change(path, text, "".join(f"new_{i} = {i}\n" if i % 5 == 0 else text[:6] for i in range(30)))
        for path, text in before.items()
        if text
    )
    return History("h", before, changes)


def test_a_wish_has_the_keys_that_it_should_and_is_the_same_for_everybody() -> None:
    wish = wish_of(history(), 200, seed=3)
    assert 200 <= sum(edit.n_keys for edit in wish) < 320
    assert len({edit.path for edit in wish}) > 2
    assert [edit.number for edit in wish] == list(range(len(wish)))
    assert wish == wish_of(history(), 200, seed=3) != wish_of(history(), 200, seed=4)
    files = dict(history().files)
    for edit in wish:
        files[edit.path] = played(files[edit.path], edit)


def test_files_that_she_edits_are_open_and_then_neighbours() -> None:
    wish = [edit for edit in wish_of(history(2), 50, seed=0) if edit.path == "p/a.py"]
    opened = list(files_open(history(2), wish, 3))
    assert opened == ["p/a.py", "p/b.py", "p/other.py"]


def test_waits_are_drawn_by_place_and_divided_by_speed() -> None:
    edit, pace = Edit(0, "f", 0, "", "\n    abc def", 12), Pace(1)
    assert pace.wait(edit, 6) == Pace(1).wait(edit, 6) != Pace(2).wait(edit, 6)
    assert Pace(1, speed=2.0).wait(edit, 6) == pytest.approx(pace.wait(edit, 6) / 2)
    many = [Edit(n, "f", 0, "", "\n    abc def", 12) for n in range(300)]
    waits = [Pace(1, patience=2.0).waits(each, 6) for each in many]
    assert set(waits) == {0.0, 2.0}
    assert 50 < sum(wait > 0 for wait in waits) < 100  # a quarter
    assert not any(pace.waits(each, 6) for each in many)
    mean = {at: sum(pace.wait(each, at) for each in many) / 300 for at in (0, 5, 6, 8)}
    assert mean[0] > 1.6 * mean[6]  # a line's end
    assert mean[5] > 1.6 * mean[8]  # the first key of a line
    assert 0.25 < sum(pace.notice(each, 3) for each in many) / 300 < 0.37
    assert pace.read("word", 4) == 0
    assert pace.read("word and more", 4) < pace.read("word and more " * 2, 4) < pace.read("word" * 900, 4) == 1.0


def test_the_document_names_the_histories() -> None:
    text = (Path(__file__).parents[3] / "docs" / "typing.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if line.endswith(("| held out |", "| chosen on |"))]
    assert [(row[0].strip("| "), row[1], row[3].replace(" to ", ".."), row[4]) for row in rows] == [
        (each.name, each.language, each.dates, "held out |" if each.held_out else "chosen on |") for each in HISTORIES
    ]
    assert all(each.spec.partition("==")[0] in row[2] for each, row in zip(HISTORIES, rows, strict=True))


def test_the_histories_are_halved_by_language() -> None:
    assert {each.name for each in of_set("all")} == {each.name for each in HISTORIES}
    assert len(of_set("chosen")) == len(of_set("held-out")) == 4
    for half in ("chosen", "held-out"):
        languages = {each.language for each in of_set(half)}
        assert {"python", "typescript", "java"} < languages
        assert languages & {"go", "rust"}
