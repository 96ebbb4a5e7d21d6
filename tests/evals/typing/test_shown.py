"""What a person was shown is written down with the text around it, and with what she wrote in its place."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evals.typing.shown import CURSOR, ShownLog, shown_of
from evals.typing.wish import Edit
from tests.evals.typing_world import typed

BEFORE = "".join(f"line {n}\n" for n in range(12)) + "end\n"
EDIT = Edit(3, "a.py", BEFORE.index("line 11"), "line 11", "total = first + second\nprint(total)", 35)


def row_of(says: dict[int, str]) -> dict[str, Any]:
    """The edit's row with these ghosts, each half a second behind the key before its position."""
    row, _, after = typed(EDIT, lambda position: [(0.05, says[position])] if position in says else [], BEFORE)
    assert "total = first + second\nprint(total)\nend" in after
    facts = asdict(EDIT) | {"edit": EDIT.number, "history": "h", "language": "python"}
    answers = [
        {"position": position, "text": text, "mode": "line", "probability": 0.9} for position, text in says.items()
    ]
    return {**facts, **row, "answers": answers}


def test_a_ghost_stands_with_what_is_around_it_and_what_was_written() -> None:
    (shown,) = shown_of(row_of({8: "third()"}), BEFORE)
    assert shown["around"].startswith("line 3\n")
    assert shown["around"].endswith(f"line 10\ntotal = {CURSOR}\nend\n")
    assert (shown["ghost"], shown["wished"], shown["n_right"]) == ("third()", "first + second", 0)
    assert (shown["path"], shown["line"], shown["language"], shown["edit"]) == ("a.py", 12, "python", 3)
    assert (shown["mode"], shown["probability"], shown["trigger"]) == ("line", 0.9, "automatic")
    assert shown["shown_s"] > 0
    assert not shown["was_read"]  # the next key came first


def test_what_was_accepted_is_told_and_several_lines_stand_beside_several() -> None:
    shown = list(shown_of(row_of({14: "+ second\nprint(total)", 2: "xx"}), BEFORE))
    assert [each["ghost"] for each in shown] == ["xx", "+ second\nprint(total)"]
    assert shown[1]["wished"] == "+ second\nprint(total)"
    assert shown[1]["n_right"] == len("+ second\nprint(total)")


def test_the_file_has_a_line_for_each_ghost(tmp_path: Path) -> None:
    with ShownLog(tmp_path / "shown.jsonl") as log:
        log.add(row_of({8: "third()", 2: "xx"}), BEFORE)
    lines = (tmp_path / "shown.jsonl").read_text().splitlines()
    assert [json.loads(line)["ghost"] for line in lines] == ["xx", "third()"]
