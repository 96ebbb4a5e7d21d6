"""What became of suggestions while real edits were typed: what `calibration` judges. Made of rows of `bench typing`.

An outcome is one answer to an automatic request, shown or kept back: how probably it
would be kept, and how much of it was what the person went on to write.

Rules: pure. An answer that was left of an earlier one is no outcome: it is the earlier one's. What cannot be accepted
without changing the text behind the cursor is not right in whole.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

SUITE = "typing"
_OURS = "midfill"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One answer."""

    id: str
    history: str
    language: str
    is_held_out: bool
    probability: float  # that it is kept in whole, as it was promised
    was_shown: bool
    right_whole: bool
    right_line: bool  # its first line, at least
    n_right: int  # characters, up to the first that was not wanted
    n_characters: int


def outcomes_of(row: Mapping[str, Any]) -> Iterator[Outcome]:
    """The outcomes in a row of `bench typing`: of an edit, with one contender."""
    if row.get("contender") != _OURS:
        return
    for number, answer in enumerate(row["answers"]):
        text = str(answer.get("candidate") or "")
        if answer.get("probability") is None or answer.get("reused") or not text.strip():
            continue
        if answer.get("text") and answer["text"] != text:  # what was left of it for keys that came meanwhile
            continue
        covered = str(answer.get("covered") or "")
        is_whole = text.endswith(covered)
        added = text.removesuffix(covered)
        wished = str(row["text"])[int(answer["position"]) :]
        n_right = n_common(added, wished)
        yield Outcome(
            id=f"{row['id']} {number}",
            history=row["history"],
            language=row["language"],
            is_held_out=row["held_out"],
            probability=float(answer["probability"]),
            was_shown=bool(answer.get("text")),
            right_whole=is_whole and n_right == len(added),
            right_line=n_right >= _end_of_first_line(added),
            n_right=n_right,
            n_characters=len(added),
        )


def n_common(a: Sequence[str], b: Sequence[str]) -> int:
    """How many characters two texts begin with in common."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def _end_of_first_line(text: str) -> int:
    """Where the first line with text in it ends."""
    begin = len(text) - len(text.lstrip())
    end = text.find("\n", begin)
    return end if end >= 0 else len(text)
