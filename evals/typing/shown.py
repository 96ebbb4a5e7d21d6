"""What a person was shown, to be read by one: a JSON line for each ghost, with the text around it and what she wrote.

Used by `bench typing --shown FILE`. Figures count characters; whether somebody would call a suggestion sensible only a
reader says.

Rules: made of an edit's row and the text before it alone, so that a run which is gone on with tells all of it again.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from evals.typing.outcomes import n_common

_LINES_ABOVE, _LINES_BELOW = 8, 3
CURSOR = "▮"


def shown_of(row: dict[str, Any], before: str) -> Iterator[dict[str, Any]]:
    """The ghosts of an edit's row in order, the file's text before the edit given."""
    at, wish = int(row["at"]), str(row["text"])
    above, below = before[:at], before[at + len(row["removed"]) :]
    for ghost in row["ghosts"]:
        position, text = int(ghost["position"]), str(ghost["text"])
        typed = above + wish[:position]
        yield {
            "history": row["history"],
            "language": row["language"],
            "path": row["path"],
            "edit": row["edit"],
            "line": typed.count("\n") + 1,
            "around": _last_lines(typed) + CURSOR + _first_lines(below),
            "ghost": text,
            "wished": _first_lines(wish[position:], max(1, text.count("\n") + 1)),
            "n_right": n_common(text, wish[position:]),
            "n_accepted": ghost["n_accepted"],
            "was_read": ghost["read_at"] is not None,
            "shown_s": round(ghost["ended"] - ghost["began"], 2),
            "trigger": "automatic",
            **_answer_of(row, position),
        }


def _answer_of(row: dict[str, Any], position: int) -> dict[str, Any]:
    """How the ghost that appeared at a position came about, where the contender tells."""
    for answer in row["answers"]:
        if answer["position"] == position and answer.get("text"):
            return {name: answer[name] for name in ("mode", "probability", "covered", "raw") if name in answer}
    return {}


def _last_lines(text: str) -> str:
    return "\n".join(text.split("\n")[-_LINES_ABOVE - 1 :])


def _first_lines(text: str, n_lines: int = _LINES_BELOW + 1) -> str:
    return "\n".join(text.split("\n", n_lines)[:n_lines])


class ShownLog:
    """The file that it is written to, a line at a time; None: nowhere."""

    def __init__(self, path: Path | None) -> None:
        self._file: TextIO | None = None if path is None else path.open("w", encoding="utf-8")

    def __enter__(self) -> "ShownLog":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, row: dict[str, Any], before: str) -> None:
        """Write what an edit's row shows."""
        if self._file is not None:
            self._file.writelines(json.dumps(each, ensure_ascii=False) + "\n" for each in shown_of(row, before))
            self._file.flush()
