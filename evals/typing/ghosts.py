"""`midfill eval ghosts`: how far a ghost should go, and what became of answers at many keys of real edits.

At keys of the edits that `bench typing` plays, the model is asked as by automatic requests, and what it says is
compared with what is typed next. Nothing is kept back, and answers are cut as the product cuts them: one row an edit,
of the form that `bench typing` writes, so that the two can be compared. With `--whole` they are not
cut, and a table says what would be shown at each joint probability: `_LINE_CERTAINTY` in `lsp_server/config.py` and
its neighbour are chosen from that.
With `--told FILE` the answers of such an uncut run are told again (`retold`) in place of the model's: the path as it is
now over the same words. `--ablate` then leaves out each of `completion.switches`, one at a time.

In-process, and so thousands of keys in the time that a closed loop takes for hundreds; what waiting costs, and what
comes of accepting, only the closed loop says.

Rules: the text around is as it is while one types; snippets of other files are left out. Every key stands alone.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from completion.ranking.certainty import certain_end, whole
from completion.switches import Switch
from completion.types import Completion, Limits, Mode, Tokenizer, Trigger
from evals.engines import Subject, open_subject
from evals.progress import tracked
from evals.replay.histories import Named
from evals.replay.history import read_history
from evals.report import EvalError, Results, open_results, read_all_results
from evals.scoring.documents import LIMITS, Document, answer
from evals.typing.outcomes import n_common
from evals.typing.retold import Retold
from evals.typing.wish import Edit, played, wish_of
from lsp_server.ablation import switched_off
from lsp_server.config import Config
from tuning.stats import ratio_interval

_THRESHOLDS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_ENGINE = "midfill-typing"
_WINDOW_TOKENS = 1_024
_LEAST_SEEN = 2  # characters: accepting is a key, too


@dataclass(frozen=True, slots=True)
class Place:
    """A key of an edit: the document with the cursor before it."""

    edit: Edit
    position: int
    text: str

    @property
    def wished(self) -> str:
        """What is typed from there on."""
        return self.edit.text[self.position :]


def places_of(named: Named, n_keys: int, seed: int) -> Iterator[Place]:
    """Keys of a history's edits, about so many, evenly."""
    history = read_history(named.spec, named.language)
    wish, texts = wish_of(history, 4 * n_keys, seed), dict(history.files)
    share, draw = n_keys / max(1, sum(edit.n_keys for edit in wish)), random.Random(seed)
    for edit in wish:
        text = texts[edit.path]
        before, after = text[: edit.at], text[edit.at + len(edit.removed) :]
        for begin, _ in edit.steps():
            if draw.random() < share:
                yield Place(edit, begin, before + edit.text[:begin] + after)
        texts[edit.path] = played(text, edit)


class Teller:
    """Tells the answers of an uncut run again, each at its place."""

    def __init__(self, tokenizer: Tokenizer, rows: Sequence[dict[str, Any]]) -> None:
        self.engine = Retold(tokenizer)
        self._said = {(row["history"], row["text"], said["position"]): said for row in rows for said in row["answers"]}

    def turn_to(self, named: Named, place: Place) -> bool:
        """Have the place's answer said next; EvalError where none was recorded. Whether there is anything to say."""
        if (said := self._said.get((named.name, place.edit.text, place.position))) is None:
            raise EvalError(
                f"no answer was recorded at a key of {named.name}: give --set, --keys and --seed of that run"
            )
        self.engine.tell(said)
        return bool(said["raw"].strip())


@dataclass(frozen=True, slots=True)
class Asking:
    """Whom to ask, within which limits; with a teller what was recorded is the answer."""

    subject: Subject
    limits: Limits
    teller: Teller | None = None


async def ask(asking: Asking, named: Named, place: Place) -> Completion:
    """What an automatic request there would be answered."""
    if asking.teller is not None:
        asking.teller.turn_to(named, place)
    document = Document(
        path=place.edit.path,
        repo=named.name,
        text=place.text,
        cursor=place.edit.at + place.position,
        mode=None,
    )
    return (await answer(asking.subject, document, _WINDOW_TOKENS, asking.limits)).completion


def answer_of(place: Place, completion: Completion) -> dict[str, Any]:
    """As `bench typing` keeps answers."""
    trace = completion.trace
    return {
        "position": place.position,
        "text": completion.text,
        "outcome": completion.outcome.value,
        "mode": completion.mode.value,
        "reused": False,
        "raw": trace.raw if trace else "",
        "sure": [[begins, round(logprob, 4)] for begins, logprob in trace.sure] if trace else [],
        "candidate": trace.candidate if trace else "",
        "covered": trace.covered if trace else "",
        "probability": completion.probability,
    }


def row_of(named: Named, asked: Sequence[tuple[Place, Completion]], model: str) -> dict[str, Any]:
    """The row of an edit."""
    edit = asked[0][0].edit
    return {
        "suite": "typing",
        "id": _id_of(named, edit),
        "history": named.name,
        "language": named.language,
        "held_out": named.held_out,
        "contender": "midfill",
        "model": model,
        "text": edit.text,
        "answers": [answer_of(place, completion) for place, completion in asked],
    }


def _id_of(named: Named, edit: Edit) -> str:
    return f"{named.name} midfill {edit.number}"


@dataclass(slots=True)
class Shown:
    """What would be shown at one threshold, over all keys."""

    n_keys: int = 0
    n_shown: int = 0
    n_right: int = 0  # in whole
    n_right_characters: int = 0
    n_wrong_characters: int = 0

    def add(self, text: str, wished: str) -> None:
        """Count a key; an empty text is nothing shown."""
        self.n_keys += 1
        if len(text.strip()) < _LEAST_SEEN:
            return
        right = n_common(text, wished)
        self.n_shown += 1
        self.n_right += right == len(text)
        self.n_right_characters += right
        self.n_wrong_characters += len(text) - right


def shown_at(said: dict[str, Any], least: float) -> str:
    """What of an answer would be shown at a joint probability: `said` is an answer of a run without certainty."""
    end = certain_end([(begins, logprob) for begins, logprob in said["sure"]], least)
    text, raw = str(said["candidate"]), str(said["raw"])
    return text if end is None or end >= len(raw) else whole(raw, end)


def sweep(rows: Sequence[dict[str, Any]], mode: Mode) -> dict[float, Shown]:
    """What would be shown at each threshold."""
    found = {least: Shown() for least in _THRESHOLDS}
    for row in rows:
        for said in row["answers"]:
            if said["mode"] == mode.value:
                for least, shown in found.items():
                    shown.add(shown_at(said, least), row["text"][said["position"] :])
    return found


def table_of(found: dict[float, Shown], title: str) -> Table:
    """A row a threshold; characters are those of a key, on the average."""
    table = Table("joint probability", "shown", "right in whole", "right characters", "wrong characters", title=title)
    for least, each in found.items():
        n_keys, n_shown = max(1, each.n_keys), max(1, each.n_shown)
        table.add_row(
            f"{least:.1f}",
            f"{each.n_shown / n_keys:.3f}",
            f"{each.n_right / n_shown:.3f}",
            f"{each.n_right_characters / n_keys:.2f}",
            f"{each.n_wrong_characters / n_keys:.2f}",
        )
    return table


async def run(
    *,
    histories: Sequence[Named],
    n_keys: int,
    model: str,
    is_whole: bool,
    seed: int,
    out: Path | None,
    resume: bool,
    told: Path | None,
    is_ablation: bool,
) -> int:
    """Ask, print the tables and the JSON line."""
    console, rows = Console(width=120), list[dict[str, Any]]()
    own = Config().limits()
    certain = replace(LIMITS, quietness=own.quietness)
    limits = LIMITS if is_whole else certain
    async with open_subject(_ENGINE, model, "auto") as subject:
        subject = replace(subject, trigger=Trigger.AUTOMATIC, is_ahead=False)
        teller = Teller(subject.tokenizer, read_all_results(told)[0]) if told is not None else None
        if teller is not None:
            subject = replace(subject, engine=teller.engine, tokenizer=teller.engine)
        with open_results("ghosts", out, resume=resume) as results:
            if is_ablation and teller is not None:
                return await ablate(Asking(subject, own, teller), histories, n_keys, seed, results, console)
            asking = Asking(subject, limits, teller)
            for named in histories:
                rows += await _history(asking, named, list(places_of(named, n_keys, seed)), results)
            for mode in Mode if is_whole else ():
                console.print(table_of(sweep(rows, mode), f"{mode}, {len(rows)} edits"))
            lines = sweep(rows, Mode.LINE)
            results.finish(
                {
                    "suite": "ghosts",
                    "model": subject.model,
                    "histories": [named.name for named in histories],
                    "n_keys": sum(len(row["answers"]) for row in rows),
                    "shown": {str(least): each.n_shown for least, each in lines.items()},
                    "right": {str(least): each.n_right for least, each in lines.items()},
                }
            )
    return 0


async def _history(asking: Asking, named: Named, places: Sequence[Place], results: Results) -> list[dict[str, Any]]:
    rows = list[dict[str, Any]]()
    by_edit: dict[int, list[Place]] = {}
    for place in places:
        by_edit.setdefault(place.edit.number, []).append(place)
    for those in tracked(list(by_edit.values()), named.name):
        row = results.resumed("typing", _id_of(named, those[0].edit))
        if row is None:
            asked = [(place, await ask(asking, named, place)) for place in those]
            row = row_of(named, asked, asking.subject.model)
        results.add(row)
        rows.append(row)
    return rows


async def ablate(
    asking: Asking, histories: Sequence[Named], n_keys: int, seed: int, results: Results, console: Console
) -> int:
    """Tell the same answers with each mechanism left out: how many keys see another ghost, and what that is worth."""
    assert asking.teller is not None
    places = [
        (named, place)
        for named in histories
        for place in places_of(named, n_keys, seed)
        if asking.teller.turn_to(named, place)
    ]
    everything = [await _shown(asking, named, place) for named, place in places]
    table = Table("without", "keys changed", "right characters", "wrong characters", title=f"{len(places)} answers")
    for switch in Switch:
        with switched_off(switch):
            without = [await _shown(asking, named, place) for named, place in places]
        row: dict[str, Any] = {"id": switch, "n_changed": sum(a != b for a, b in zip(everything, without, strict=True))}
        cells = [str(row["n_changed"])]
        for column, name in enumerate(("right", "wrong")):
            found = ratio_interval(*_by_edit(places, everything, without, column))
            row |= {f"{name}_difference": found.mean, f"{name}_low": found.low, f"{name}_high": found.high}
            cells.append(f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]")
        table.add_row(switch, *cells)
        results.add(row)
    right, wrong = (sum(each[column] for each in everything) / max(1, len(everything)) for column in (0, 1))
    console.print(table)
    results.finish({"suite": "ghosts-ablation", "n": len(places), "right": right, "wrong": wrong})
    return 0


def _by_edit(
    places: Sequence[tuple[Named, Place]],
    a: Sequence[tuple[int, int]],
    b: Sequence[tuple[int, int]],
    column: int,
) -> tuple[list[float], list[float]]:
    """(b minus a, number of keys) of each edit: keys of one are not independent."""
    more: dict[tuple[str, int], float] = {}
    n: dict[tuple[str, int], float] = {}
    for (named, place), one, other in zip(places, a, b, strict=True):
        edit = (named.name, place.edit.number)
        more[edit] = more.get(edit, 0.0) + other[column] - one[column]
        n[edit] = n.get(edit, 0.0) + 1
    return list(more.values()), list(n.values())


async def _shown(asking: Asking, named: Named, place: Place) -> tuple[int, int]:
    """(right, wrong) characters of what is shown at a key."""
    text = (await ask(asking, named, place)).text
    right = n_common(text, place.wished)
    return right, len(text) - right
