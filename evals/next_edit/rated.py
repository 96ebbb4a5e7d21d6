"""Inline edit recordings of vscode-copilot-chat: what a user did, what he did next, and answers that people rated.

A recording is a folder with a log of edits of its documents (`recording.w.json`: characters from, to, and the text that
came) and the edits that several systems proposed then (`scoredEdits.w.json`), each `nextEdit` (what should follow),
`valid` (does no harm) or `bad`; no edit at all was rated, too.

Rules: read only. The last document that was changed is the one that is asked about.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from completion.next_edit.edits import LineEdit, RecentEdits, trimmed
from evals.next_edit.situations import Situation, plain
from evals.report import EvalError
from parsers.languages import for_document

_LOG, _RATED = "recording.w.json", "scoredEdits.w.json"
# Edits as (begin, end, text), in characters of the text before all of them.
Edits = Sequence[tuple[int, int, str]]


@dataclass(frozen=True, slots=True)
class Rated:
    """A situation, and the buffers that answers made of it with what people called them. The buffer itself is none."""

    situation: Situation
    ratings: tuple[tuple[str, tuple[str, ...]], ...]

    def rating(self, after: Sequence[str]) -> str:
        """What an answer that makes this buffer was called, up to white space; "unknown" where nobody rated it."""
        found = {name for name, buffer in self.ratings if plain(buffer) == plain(after)}
        return next((name for name in ("nextEdit", "valid", "bad") if name in found), "unknown")


@dataclass(slots=True)
class _Document:
    path: str
    text: str = ""


@dataclass(slots=True)
class _Replay:
    """Documents as the log leaves them, and the edits as the product would have followed them."""

    documents: dict[int, _Document] = field(default_factory=dict)
    edits: RecentEdits = field(default_factory=RecentEdits)
    current: int = -1
    cursor: int = 0  # character behind the last edit

    def read(self, entry: dict[str, Any]) -> None:
        """Take an entry of the log; those of no document that is known, or of other kinds, say nothing here."""
        number = entry.get("id", -1)
        if entry["kind"] == "documentEncountered":
            self.documents[number] = _Document(_path(entry["relativePath"]))
        elif entry["kind"] == "setContent" and number in self.documents:
            self.documents[number].text = entry["content"]
        elif entry["kind"] == "changed" and number in self.documents:
            self._change(self.documents[number], entry)
            self.current = number

    def _change(self, document: _Document, entry: dict[str, Any]) -> None:
        for begin, end, new in sorted(entry["edit"], key=lambda edit: -edit[0]):
            before = document.text
            document.text = _changed(before, [(begin, end, new)])
            line = before.count("\n", 0, begin)
            old = _lines(before)[line : before.count("\n", 0, end) + 1]
            became = _lines(document.text)[line : document.text.count("\n", 0, begin + len(new)) + 1]
            self.edits.follow(document.path, line, old, became, entry["time"] / 1_000)
            self.cursor = begin + len(new)


def rated(folder: Path) -> Iterator[Rated]:
    """All recordings of a folder in which something was edited; EvalError where one cannot be read."""
    for log in sorted(folder.glob(f"*/{_LOG}")):
        try:
            recording = json.loads(log.read_text(encoding="utf-8"))
            answers = json.loads((log.parent / _RATED).read_text(encoding="utf-8"))["edits"]
            yield _rated(log.parent.name, recording, answers)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EvalError(f"{log.parent} is no recording that can be read: {error!r}") from error


def _rated(name: str, recording: dict[str, Any], answers: Sequence[dict[str, Any]]) -> Rated:
    replay = _Replay()
    for entry in recording["log"]:
        replay.read(entry)
    document = replay.documents[replay.current]
    lines = _lines(document.text)
    following = recording.get("nextUserEdit")
    expected = _lines(_changed(document.text, following["edit"])) if following else ()
    whole = trimmed(LineEdit(document.path, 0, lines, expected)) if following else None
    situation = Situation(
        id=name,
        source="vscode",
        path=document.path,
        language=for_document(document.path).id,
        lines=lines,
        edits=replay.edits.of(document.path),
        wanted=() if whole is None else (whole,),
        cursor=document.text.count("\n", 0, replay.cursor),
        expected=expected,
    )
    ratings = ((each["scoreCategory"], _lines(_changed(document.text, each["edit"] or ()))) for each in answers)
    return Rated(situation, tuple(ratings))


def _changed(text: str, edits: Edits) -> str:
    for begin, end, new in sorted(edits, key=lambda edit: -edit[0]):
        text = text[:begin] + new + text[end:]
    return text


def _path(shown: str) -> str:
    return str(PurePosixPath(shown.replace("\\", "/")))


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.removesuffix("\r") for line in text.split("\n"))
