"""What the typing of edits comes to: how much was completed, at what cost, and where the rest was lost. Pure.

Used by `typing_bench` and `typing_report`; reads the rows that the bench keeps of each edit and contender.

    wished      characters that a key is needed for (`wish.weight_of`)
    completed   those of them that came by accepting; `saved` is that less the accepting keys
    seen        ghosts that were there for at least .25 s; wrong characters are those behind the part that was wished
    wait        from a key until the first answer for its text or a later one, an empty one included, as in a replay

Where each typed character was lost:

    unasked     no request was made (the first key after a jump; too much text right of the cursor)
    late        no answer was there when the next key came
    quiet       the answer was to show nothing; `quiet_right` where what the model wrote would have saved keys
    wrong       what was visible was not what she wanted
    short       it was, but would have saved nothing
    unread      it was worth accepting, and she had not read it yet
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from evals.typing import ours, peer
from evals.typing.person import wanted
from evals.typing.wish import Edit
from lsp_server.cli.why import stages

SEEN_S = 0.25
LOST = ("unasked", "late", "quiet", "quiet_right", "wrong", "short", "unread")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Keys:
    """A contender's accepting keys."""

    first_word: Callable[[str], str]
    first_line: Callable[[str], str]


_KEYS = {
    "midfill": _Keys(ours.first_word, ours.first_line),
    "llama.vim": _Keys(peer.first_word, peer.first_line),
}


@dataclass(slots=True)
class Tally:
    """What one contender's typing of one edit comes to."""

    language: str
    wished: int = 0
    completed: int = 0
    n_accepts: int = 0
    seconds: float = 0.0
    alone_keys: int = 0
    alone_s: float = 0.0
    n_ghosts: int = 0
    n_seen: int = 0
    n_right: int = 0  # of those seen: all of it
    n_right_line: int = 0
    n_right_word: int = 0
    n_wrong_characters: int = 0
    waits_ms: list[float] = field(default_factory=list)  # of computed keys
    n_computed: int = 0
    n_in_time: int = 0  # of computed keys: answered before the next key
    n_useful: int = 0  # keys whose answer saves keys, as far as it is known
    n_useful_in_time: int = 0
    stages_ms: dict[str, list[float]] = field(default_factory=dict)  # of computed keys, as `midfill why` has them
    lost: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LOST, 0))
    cpu_s: float = 0.0


def edit_of(row: Row) -> Edit:
    """The edit that a row is about."""
    return Edit(row["edit"], row["path"], row["at"], row["removed"], row["text"], row["n_typed"])


def tally(row: Row) -> Tally:
    """Count a row."""
    edit, keys = edit_of(row), _KEYS[row["contender"]]
    found = Tally(row["language"], seconds=row["seconds"], alone_s=row["alone"], alone_keys=edit.n_keys)
    found.cpu_s = row.get("cpu_s", 0.0)
    for key in row["keys"]:
        begin, end = key["position"], key["position"] + len(key["text"])
        weight = edit.weight(begin, end)
        found.wished += weight
        if key["kind"] == "key":
            found.lost[_lost(edit, key, row["answers"], keys)] += weight
        else:
            found.completed += weight
            found.n_accepts += 1
    for ghost in row["ghosts"]:
        _count_ghost(found, edit, ghost, keys)
    _count_answers(found, edit, row, keys)
    return found


def _lost(edit: Edit, key: Row, answers: Sequence[Row], keys: _Keys) -> str:
    position, ghost = key["position"], key["ghost"]
    if ghost:
        if wanted(edit, position, ghost, keys):
            return "unread"
        return "short" if ghost[0] == edit.text[position] else "wrong"
    answer = next((row for row in answers if row["position"] == position), None)
    if answer is None or answer.get("outcome") == "skipped":
        return "unasked"
    if answer["answered"] is None or answer["answered"] > key["at"] or answer.get("text"):
        return "late"
    return "quiet_right" if wanted(edit, position, answer.get("raw") or "", keys) else "quiet"


def _count_ghost(found: Tally, edit: Edit, ghost: Row, keys: _Keys) -> None:
    found.n_ghosts += 1
    if ghost["ended"] - ghost["began"] < SEEN_S:
        return
    text, rest = ghost["text"], edit.text[ghost["position"] :]
    found.n_seen += 1
    found.n_right += rest.startswith(text)
    found.n_right_line += _agrees(rest, keys.first_line(text))
    found.n_right_word += _agrees(rest, keys.first_word(text))
    n_common = next((i for i, (a, b) in enumerate(zip(text, rest, strict=False)) if a != b), min(len(text), len(rest)))
    found.n_wrong_characters += len(text) - n_common


def _agrees(rest: str, piece: str) -> bool:
    return bool(piece) and rest.startswith(piece)


def _count_answers(found: Tally, edit: Edit, row: Row, keys: _Keys) -> None:
    answers = [each for each in row["answers"] if each.get("outcome") != "skipped"]
    for index, answer in enumerate(answers):
        following = answers[index + 1]["asked"] if index + 1 < len(answers) else row["left"]
        times = [each["answered"] for each in answers[index:] if each["answered"] is not None]
        in_time = answer["answered"] is not None and answer["answered"] <= following
        if not answer.get("reused"):
            found.n_computed += 1
            found.n_in_time += in_time
            for stage, ms in stages(answer) if "latencyMs" in answer else ():
                found.stages_ms.setdefault(stage, []).append(ms)
            found.waits_ms.append(1e3 * ((min(times) if times else row["left"]) - answer["asked"]))
        # What a cancelled request would have given is not known: the line's next answer says whether it was worth it.
        known = next((each for each in answers[index:] if each["answered"] is not None), None)
        if known is not None and "\n" not in edit.text[answer["position"] : known["position"]]:
            is_useful = bool(known.get("text")) and bool(wanted(edit, known["position"], known["text"], keys))
            found.n_useful += is_useful
            found.n_useful_in_time += is_useful and in_time


def total(tallies: Iterable[Tally], name: str) -> float:
    """The sum of a field."""
    return float(sum(getattr(each, name) for each in tallies))
