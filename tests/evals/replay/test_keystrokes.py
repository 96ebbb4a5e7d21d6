"""Keystrokes: played on the text before they give the text after, and look like a person's."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types as t

from evals.replay.history import read_history
from evals.replay.keystrokes import Action, Kind, actions_of, play
from evals.replay.ours import _change
from evals.report import EvalError
from lsp_server.documents.store import Document

BEFORE = "import os\n\n\ndef f(a):\n    x = 1\n    return a\n\n\nlast = 2\n"
AFTER = BEFORE.replace("import os\n", "import os\nimport sys\n").replace("(a)", "(a, b)").replace("    x = 1\n", "")
AFTER = AFTER.replace("return a", "return a + b") + "\n\ndef g():\n    if last:\n        return 3\n"

texts = st.lists(st.sampled_from(["a\n", "  bc\n", "\n", "def x():\n", "\treturn\n", "é😀\n"]), max_size=12).map(
    "".join
)


def played(before: str, actions: list[Action]) -> str:
    for action in actions:
        before = play(before, action)
    return before


@given(texts, texts, st.integers(0, 9))
def test_playing_a_change_gives_the_text_after(before: str, after: str, seed: int) -> None:
    assert played(before, list(actions_of("f", before, after, random.Random(seed)))) == after


@given(texts, texts)
def test_the_editors_changes_bring_a_server_to_the_same_text(before: str, after: str) -> None:
    document = Document("u", "python", 1, before)
    text = before
    for action in actions_of("f", before, after, random.Random(1)):
        text = play(text, action)
        change = _change(action, text)
        start, end = (t.Position(**change["range"][side]) for side in ("start", "end"))
        document.apply(
            t.TextDocumentContentChangePartial(range=t.Range(start, end), text=change["text"]),
            t.PositionEncodingKind.Utf32,
        )
        assert document.text == text


def test_a_person_jumps_types_and_lets_the_editor_indent() -> None:
    actions = list(actions_of("f", BEFORE, AFTER, random.Random(3)))
    assert played(BEFORE, actions) == AFTER
    assert actions[0].kind is Kind.JUMP
    kinds = {action.kind for action in actions}
    assert kinds == {Kind.JUMP, Kind.KEY, Kind.NEWLINE, Kind.DELETE, Kind.ACCEPT}
    assert all(len(action.text) == 1 for action in actions if action.kind is Kind.KEY)
    assert any(action.text == "\n        " for action in actions if action.kind is Kind.NEWLINE)
    assert all(0 < action.wait_s < 10 for action in actions)


@pytest.mark.parametrize("spec", ["", "httpx", "httpx==1", "==1..2", "httpx==1.."])
def test_a_history_that_is_none_is_refused(spec: str) -> None:
    with pytest.raises(EvalError, match="NAME==OLD"):
        read_history(spec)
