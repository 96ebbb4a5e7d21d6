"""Keys at one place are one edit; what was done elsewhere meanwhile moves it."""

import random

from completion.next_edit.edits import MAX_EDITS, PAUSE_S, Layer, LineEdit, Proposal, RecentEdits, pieces


def test_a_name_that_is_typed_letter_by_letter_is_one_change_of_it() -> None:
    recent, line = RecentEdits(), "def f(): ..."
    for n, name in enumerate(("", "g", "ge", "get")):
        recent.follow("a", 3, [line], [f"def {name}(): ..."], n)
        line = f"def {name}(): ..."
    assert recent.of("a") == (LineEdit("a", 3, ("def f(): ...",), ("def get(): ...",), 3),)


def test_what_is_undone_is_no_edit() -> None:
    recent = RecentEdits()
    recent.follow("a", 1, ["x"], ["y"], 0)
    recent.follow("a", 1, ["y"], ["x"], 1)
    assert recent.of("a") == ()


def test_an_edit_further_up_moves_the_ones_below_it() -> None:
    recent = RecentEdits()
    recent.follow("a", 10, ["x"], ["y"], 0)
    recent.follow("a", 2, [], ["new", "new"], 1)
    assert [edit.line for edit in recent.of("a")] == [12, 2]


def test_lines_beside_each_other_are_one_edit_and_its_pieces_are_the_lines() -> None:
    recent = RecentEdits()
    recent.follow("a", 4, ["one"], ["1"], 0)
    recent.follow("a", 5, ["two"], ["2"], 1)
    (edit,) = recent.of("a")
    assert (edit.line, edit.old, edit.new) == (4, ("one", "two"), ("1", "2"))
    assert [(piece.line, piece.old, piece.new) for piece in pieces(edit)] == [
        (4, ("one",), ("1",)),
        (5, ("two",), ("2",)),
    ]


def test_after_a_pause_it_is_another_edit_and_the_one_that_it_changed_is_gone() -> None:
    recent = RecentEdits()
    recent.follow("a", 1, ["x"], ["y"], 0)
    recent.follow("a", 1, ["y"], ["z"], PAUSE_S + 1)
    assert [(edit.old, edit.new) for edit in recent.of("a")] == [(("y",), ("z",))]


def test_edits_of_other_files_stand_nowhere_and_only_the_last_are_kept() -> None:
    recent = RecentEdits()
    for n in range(MAX_EDITS + 2):
        recent.follow(f"f{n}", 0, ["x"], ["y"], n)
    assert len(recent.of("f7")) == MAX_EDITS
    assert [edit.line for edit in recent.of("f7")] == [-1] * (MAX_EDITS - 1) + [0]


def test_whatever_is_edited_the_edits_stand_where_they_say_and_undoing_the_last_gives_the_text_before() -> None:
    draw = random.Random(0)
    for _ in range(300):
        recent, lines = RecentEdits(), [f"line {n}" for n in range(30)]
        for step in range(8):
            begin = draw.randrange(len(lines))
            end = min(len(lines), begin + draw.randrange(3))
            new = [f"new {step} {n}" for n in range(draw.randrange(3))]
            recent.follow("a", begin, lines[begin:end], new, step)
            lines[begin:end] = new
        edits = recent.of("a")
        for edit in edits:
            assert tuple(lines[edit.line : edit.end]) == edit.new
        for edit in sorted(edits, key=lambda each: -each.line):
            lines[edit.line : edit.end] = edit.old
        if len(edits) < MAX_EDITS:  # none was forgotten: undoing all is the text before
            assert lines == [f"line {n}" for n in range(30)]


def test_what_is_taken_of_an_offer_is_no_edit_and_moves_the_others() -> None:
    recent = RecentEdits()
    recent.follow("a", 5, ["x"], ["y"], 0)
    recent.offer("a", [Proposal(Layer.REPEAT, 2, ("x",), ("y", "z"))])
    recent.follow("a", 1, ["w", "x", "v"], ["w", "y", "z", "v"], 1)
    assert [(edit.line, edit.new) for edit in recent.of("a")] == [(6, ("y",))]
    recent.follow("a", 0, ["x"], ["y"], 2)  # not what was offered
    assert [edit.line for edit in recent.of("a")] == [6, 0]
