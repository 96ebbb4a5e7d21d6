"""The prompts of layer two: Sweep's as their models were trained, and the others as they are documented."""

import pytest

from completion.next_edit.edits import NOWHERE, LineEdit
from completion.next_edit.places import Region
from completion.next_edit.rewriting import Question, prompt_for, sweep_text
from completion.prompt.segments import SegmentCache
from completion.types import RewriteForm
from tests.fakes import FILE, MIDDLE, PREFIX, SPEC, SUFFIX, ByteTokenizer

LINES = ("def put(key, value):", "    return save(key)", "", "put(1)")
EDIT = LineEdit("a.py", 0, ("def put(key):",), ("def put(key, value):",))
SWEEP = """\
@a.py
def put(key, value):
    return save(key)

put(1)
@a.py.diff
original:
def put(key):
updated:
def put(key, value):
@original/a.py:1:4
def put(key, value):
    return save(key)

put(1)
@current/a.py:1:4
def put(key, value):
    return s<|cursor|>ave(key)

put(1)
@updated/a.py:1:4
def put(key, value):
"""


def question(edit: LineEdit = EDIT, line: int = 1, column: int = 12, region: Region | None = None) -> Question:
    return Question(
        path="a.py",
        language="python",
        lines=LINES,
        edits=(edit,),
        region=region or Region(1, 2, 1.0),
        line=line,
        column=column,
    )


def shown(form: RewriteForm, asked: Question) -> str:
    """A prompt with its sentinels in words."""
    tokenizer = ByteTokenizer()
    ids = prompt_for(asked, SPEC, SegmentCache(tokenizer), form).token_ids
    marks = {FILE: b"@", PREFIX: b"<pre>", SUFFIX: b"<suf>", MIDDLE: b"<mid>"}
    return b"".join(marks.get(token) or tokenizer.token_bytes(token) for token in ids).decode()


def test_sweeps_models_are_asked_as_they_were_trained() -> None:
    assert sweep_text(question(), "@") == SWEEP


def test_a_cursor_behind_its_line_is_that_many_bytes_on() -> None:
    assert sweep_text(question(line=0, column=len(LINES[0]) + 1 + 12), "@") == SWEEP


def test_an_edit_of_another_file_stands_there_as_if_it_were_of_this_one() -> None:
    elsewhere = LineEdit("b.py", NOWHERE, EDIT.old, EDIT.new)
    assert sweep_text(question(elsewhere), "@") == SWEEP


def test_a_region_is_one_more_pair_of_texts_before_and_after_with_the_lines_above_it_copied() -> None:
    prompt = shown(RewriteForm.PAIRS, question())
    assert prompt == (
        "@a.py.diff\noriginal:\ndef put(key):\nupdated:\ndef put(key, value):\n"
        "@a.py.diff\noriginal:\ndef put(key, value):\n    return save(key)\nupdated:\ndef put(key, value):\n"
    )


def test_what_is_filled_in_stands_between_the_file_as_it_is_and_after_it_as_it_was() -> None:
    prompt = shown(RewriteForm.FIM, question())
    assert "@a.py\ndef put(key):\n    return save(key)\n\nput(1)\n@a.py\n" in prompt
    assert prompt.endswith("<pre>def put(key, value):\n<suf>\nput(1)\n<mid>")


@pytest.mark.parametrize("form", [RewriteForm.SWEEP, RewriteForm.PAIRS, RewriteForm.CHAT])
def test_every_form_shows_the_edit_and_the_region(form: RewriteForm) -> None:
    prompt = shown(form, question())
    for text in ("def put(key):\n", "def put(key, value):\n", "    return save(key)\n"):
        assert text in prompt
