"""Recorded situations of cursortab.nvim's format (`.txtar`), and the recorded answers of other systems beside them.

A situation is a buffer, a history of edits as texts before and after, and the buffer as it should become, or that
nothing should be shown, at one or several cursors. The folder of the same name holds what other systems were asked and
answered. An answer is read by the marks that its question has around the lines that were to be rewritten.

Rules: read only. What a system's own client would have kept back is not known here: answers count as they came.
"""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from completion.next_edit.edits import NOWHERE, LineEdit
from evals.next_edit.situations import Situation
from evals.report import EvalError
from parsers.languages import for_document

_SECTION = re.compile(r"^-- (\S+) --$", re.MULTILINE)
_CHANGE = re.compile(r"<\|file\|> (.*?)\n<\|old\|>\n(.*?)<\|new\|>\n(.*?)(?=<\|file\|>|\Z)", re.DOTALL)
# What Sweep's models know as the beginning of a file.
SWEEP_FILE = "<|file_sep|>"
# Around what was to be rewritten, by the names of the marks; and where the cursor is in it.
_REGIONS = (
    re.compile(r"<<<<<<< CURRENT\n(.*?)=======\n", re.DOTALL),
    re.compile(r"<\|editable_region_start\|>\n(.*?)\n<\|editable_region_end\|>", re.DOTALL),
    re.compile(r"<\|code_to_edit\|>\n(.*?)<\|/code_to_edit\|>", re.DOTALL),
    re.compile(r"<\|file_sep\|>current/[^\n]*\n(.*?)<\|file_sep\|>updated/[^\n]*\n(.*)\Z", re.DOTALL),
)
_CURSOR = re.compile(r"<\|(?:user_)?cursor(?:_is_here)?\|>")
_FENCE = re.compile(r"^```\w*\n(.*?)\n?```\s*$", re.DOTALL)
_ENDS = re.compile(r"(?:>>>>>>> UPDATED|<\|editable_region_(?:start|end)\|>|<\|endoftext\|>)\n?")


@dataclass(frozen=True, slots=True)
class Recording:
    """A situation at each of its cursors, and by system the buffers that its answers made, one for each.

    `n_requests` is how often was asked, each time of what the answer before had made.
    """

    situations: tuple[Situation, ...]
    n_requests: int
    prompts: tuple[str, ...]  # that Sweep's models were first asked
    answers: dict[str, tuple[tuple[str, ...], ...]]


def recordings(folder: Path) -> Iterator[Recording]:
    """All of a folder; EvalError where there are none."""
    files = sorted(folder.glob("*.txtar"))
    if not files:
        raise EvalError(f"{folder} has no .txtar files")
    for file in files:
        situations = tuple(_situations(file))
        answers = {
            each.stem: tuple(_answered(each, situations)) for each in sorted(file.with_suffix("").glob("*.ndjson"))
        }
        prompts = (_first_prompt(each) for each in sorted(file.with_suffix("").glob("*.ndjson")))
        n_requests = file.read_text(encoding="utf-8").count("\nrequest-completion")
        yield Recording(situations, max(1, n_requests), tuple(filter(_is_sweep, prompts)), answers)


def _situations(file: Path) -> Iterator[Situation]:
    text = file.read_text(encoding="utf-8")
    marks = list(_SECTION.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    sections = {mark[1]: text[mark.end() + 1 : end] for mark, end in zip(marks, ends, strict=True)}
    head = dict(line.split(": ", 1) for line in text[: marks[0].start()].splitlines() if ": " in line)
    lines = _lines(sections["buffer.txt"])
    expected = _lines(sections["expected"]) if "expected" in sections else ()
    edits = tuple(_placed(change, lines) for change in _CHANGE.findall(sections.get("history", "")))
    situation = Situation(
        id=file.stem,
        source="cursortab",
        path=head["file"],
        language=for_document(head["file"]).id,
        lines=lines,
        edits=edits,
        wanted=(LineEdit(head["file"], 0, lines, expected),) if expected else (),
        cursor=int(head["row"]) - 1,
        column=int(head["col"]),
        expected=expected,
    )
    yield situation
    for place in filter(None, head.get("cursor-positions", "").split(", ")):
        row, column = place.split(":")
        yield replace(situation, id=f"{file.stem} {place}", cursor=int(row) - 1, column=int(column))


def _lines(section: str) -> tuple[str, ...]:
    return tuple(section.rstrip("\n").split("\n"))


def _placed(change: tuple[str, str, str], lines: Sequence[str]) -> LineEdit:
    """An edit where its new text stands in the buffer; NOWHERE if it does not, or does more than once."""
    path, old, new = change[0], _lines(change[1]), _lines(change[2])
    places = [n for n in range(len(lines) - len(new) + 1) if tuple(lines[n : n + len(new)]) == new]
    return LineEdit(path, places[0] if len(places) == 1 else NOWHERE, old, new)


def _answered(file: Path, situations: Sequence[Situation]) -> Iterator[tuple[str, ...]]:
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    requests = [_body(row) for row in rows if row["kind"] == "request"]
    responses = [_body(row) for row in rows if row["kind"] == "response"]
    buffer = situations[0].lines
    for number, (request, response) in enumerate(zip(requests, responses, strict=False)):
        if len(situations) > 1 and number >= len(situations):
            return
        before = buffer if situations[0].expected else situations[min(number, len(situations) - 1)].lines
        after = _after(before, request, response)
        if situations[0].expected:  # the next question is of what this answer made
            buffer = after
        else:
            yield after
    if situations[0].expected:
        yield buffer


def _first_prompt(file: Path) -> str:
    rows = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return next((_prompt(_json(_body(row))) for row in rows if row["kind"] == "request"), "")


def _is_sweep(prompt: str) -> bool:
    return f"{SWEEP_FILE}updated/" in prompt


def _body(row: dict[str, Any]) -> str:
    return base64.b64decode(row.get("body_b64") or "").decode("utf-8", "replace")


def _after(before: tuple[str, ...], request: str, response: str) -> tuple[str, ...]:
    """The buffer with an answer in it; as it was where the answer is none or cannot be read."""
    asked, answer = _json(request), _json(response)
    if isinstance(answer, list):  # edits as editors have them
        text = "\n".join(before)
        for edit in answer[:1]:
            begin, end = (_offset(before, edit["range"][side]) for side in ("start", "end"))
            text = text[:begin] + edit["text"] + text[end:]
        return tuple(text.split("\n"))
    prompt = _prompt(asked)
    written = _written(answer)
    if not prompt or not written:
        return before
    for region in _REGIONS:
        if found := region.search(prompt):
            begun = found[2] if region.groups > 1 else ""
            old = _CURSOR.sub("", found[1]).rstrip("\n").split("\n")
            new = _ENDS.sub("", begun + written).strip("\n") if region.groups > 1 else _ENDS.sub("", written)
            if not new.strip() or "NO_EDITS" in new:
                return before
            return _spliced(before, old, new.strip("\n").split("\n"))
    if "<|fim_prefix|>" in prompt:
        prefix, _, rest = prompt.partition("<|fim_prefix|>")[2].partition("<|fim_suffix|>")
        return _filled(before, prefix, rest.partition("<|fim_middle|>")[0], written)
    return before


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _prompt(asked: Any) -> str:
    if not isinstance(asked, dict):
        return ""
    messages = asked.get("messages") or [{}]
    return str(asked.get("prompt") or messages[-1].get("content") or "")


def _written(answer: Any) -> str:
    if not isinstance(answer, dict) or not answer.get("choices"):
        return ""
    choice = answer["choices"][0]
    text = str(choice.get("text") or (choice.get("message") or {}).get("content") or "")
    return fenced[1] if (fenced := _FENCE.match(text.strip())) else text


def _spliced(before: tuple[str, ...], old: list[str], new: list[str]) -> tuple[str, ...]:
    for at in range(len(before) - len(old) + 1):
        if list(before[at : at + len(old)]) == old:
            return (*before[:at], *new, *before[at + len(old) :])
    return before


def _filled(before: tuple[str, ...], prefix: str, suffix: str, text: str) -> tuple[str, ...]:
    whole = "\n".join(before)
    at = whole.find(prefix + suffix.rstrip("\n")) if prefix or suffix else -1
    if at < 0:
        return before
    place = at + len(prefix)
    return tuple((whole[:place] + text + whole[place:]).split("\n"))


def _offset(lines: Sequence[str], position: dict[str, int]) -> int:
    row = min(position["line"], len(lines))
    return min(sum(len(line) + 1 for line in lines[:row]) + position["character"], sum(len(line) + 1 for line in lines))
