"""Where the model is asked what follows: at lines that the edits say something about."""

from completion.next_edit.edits import NOWHERE, LineEdit
from completion.next_edit.places import MAX_LINES, changed_words, regions

FAR = 10_000  # the cursor's line where it does not matter
FILLER = tuple(f"    line_{n} = {n}" for n in range(40))


def first(lines: tuple[str, ...], *edits: LineEdit) -> tuple[str, ...]:
    """The lines of the first region that is not where the user is."""
    _, region, *_ = regions(lines, edits, FAR)
    return lines[region.first : region.end]


def test_a_line_with_a_word_that_went_is_likelier_than_one_without() -> None:
    lines = ("def send(messages):", *FILLER, "    publish(message)", *FILLER)
    edit = LineEdit("f", 0, ("def send(message):",), ("def send(messages):",))
    assert "    publish(message)" in first(lines, edit)


def test_a_rare_word_says_more_than_a_common_one() -> None:
    lines = ("x = new", *(f"    common({n})" for n in range(30)), "    rare()", *FILLER)
    edit = LineEdit("f", 0, ("x = common(rare)",), ("x = new",))
    assert "    rare()" in first(lines, edit)


def test_a_line_like_one_that_was_changed_is_asked_about() -> None:
    lines = ("log.debug('a', 1)", *FILLER, "log.warning('b', 2)", *FILLER)
    edit = LineEdit("f", 0, ("log.warning('a', 1)",), ("log.debug('a', 1)",))
    assert "log.warning('b', 2)" in first(lines, edit)


def test_of_two_lines_the_one_nearer_to_the_edit_is_asked_about() -> None:
    lines = ("x = new", *FILLER[:3], "    use(old, 1)", *FILLER[:20], "    use(old, 2)")
    edit = LineEdit("f", 0, ("x = old",), ("x = new",))
    assert "    use(old, 1)" in first(lines, edit)


def test_an_edit_of_another_file_points_at_words_too() -> None:
    lines = (*FILLER[:9], "    use(gone)", *FILLER[:20])
    assert "    use(gone)" in first(lines, LineEdit("other", NOWHERE, ("gone = 1",), ("here = 1",)))


def test_where_nothing_says_anything_the_place_of_the_user_is_asked_about() -> None:
    for edits in ((LineEdit("other", NOWHERE, ("a_b",), ("c_d",)),), ()):
        (region,) = regions(FILLER, edits, 20)
        assert (region.first, region.end) == (16, 28)


def test_the_place_of_the_user_has_as_many_lines_at_the_ends_of_the_file() -> None:
    for line in (0, 39, 200):
        (region,) = regions(FILLER, (), line)
        assert region.end - region.first == 12
        assert region.first >= 0
        assert region.end <= len(FILLER)
    (region,) = regions(FILLER[:5], (), 3)
    assert (region.first, region.end) == (0, 5)


def test_regions_are_short_and_do_not_overlap() -> None:
    lines = (*FILLER[:12], "x = new", "    use(old)", *FILLER[:8], "    use(old)")
    here, *found = regions(lines, (LineEdit("f", 12, ("x = old",), ("x = new",)),), 0)
    assert (here.first, here.end) == (0, 12)
    assert len(found) == 2
    taken: set[int] = set()
    for region in found:
        assert 0 <= region.first < region.end <= len(lines)
        assert region.end - region.first <= MAX_LINES
        assert taken.isdisjoint(range(region.first, region.end))
        taken |= set(range(region.first, region.end))


def test_words_are_told_by_what_became_of_them() -> None:
    changed = changed_words((LineEdit("f", 0, ("a(b)", "same(x)"), ("a(c)", "same(x)")),))
    assert (changed.removed, changed.added, changed.kept) == ({"b"}, {"c"}, {"a"})
