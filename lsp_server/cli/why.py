"""`midfill why`: how the last suggestions and next edits came about, or why there was none.

Rules: reads what the servers have written (`history`); asks no server and no model. The newest is printed last, where
the terminal's user looks.
"""

import argparse
import difflib
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from lsp_server.cli.why_next_edit import render_next_edit
from lsp_server.usage import next_edits
from lsp_server.usage.explain import sentence
from lsp_server.usage.history import history_file, read_explanations, read_next_edits

_MAX_CONTEXT_ROWS = 12
_BAR_COLUMNS = 30
_NOTHING = (
    "nothing is remembered yet: `midfill why` knows what editors asked for, unless midfill.statistics is off.\n"
    "In a terminal, `midfill complete FILE:LINE` shows one, and `midfill doctor FILE:LINE` why there is none."
)


def add_parser(commands: Any) -> None:
    """Register `why`."""
    parser = commands.add_parser("why", help="explain the last suggestion and next edit, or why there was none")
    parser.add_argument("--last", type=int, default=1, metavar="N", help="the last N answers of each (default 1)")
    parser.add_argument("--next-edit", action="store_true", help="next edits alone")
    parser.add_argument(
        "--json", action="store_true", help="print a JSON list instead, the newest first; of suggestions or next edits"
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    file, n_last = history_file(), max(1, args.last)
    suggestions = [] if args.next_edit else read_explanations(file, n_last)
    edits = read_next_edits(file, n_last) if args.next_edit or not args.json else []
    if args.json:
        told = [{**one, "sentence": sentence(one)} for one in suggestions]
        print(json.dumps(told + [{**one, "sentence": next_edits.sentence(one)} for one in edits]))
    elif not suggestions and not edits:
        print(_NOTHING, file=sys.stderr)
    else:
        now = time.time()
        pages = [(one["at"], render(one, now)) for one in reversed(suggestions)]
        pages += [(one["at"], render_next_edit(one, _ago(now - one["at"]))) for one in reversed(edits)]
        for _, page in sorted(pages, key=lambda each: each[0]):
            Console().print(page)
    return 0 if suggestions or edits else 1


def render(known: Mapping[str, Any], now: float) -> RenderableType:
    """One explanation as a page."""
    at = datetime.fromtimestamp(known["at"])
    title = f"[bold]{known['path']}:{known['line']}:{known['column']}[/] · {at:%H:%M:%S}, {_ago(now - known['at'])}"
    style = "green" if known["text"] else "yellow"
    page = Table.grid(padding=(0, 2), expand=True)
    page.add_column(style="dim", no_wrap=True)
    page.add_column(ratio=1)
    page.add_row("asked", _asked(known))
    if known.get("refused"):
        page.add_row("parsed", f"as plain text: {known['refused']}")
    if known["nPrompt"]:
        page.add_row("prompt", _prompt(known))
    if known["nGenerated"]:
        page.add_row("generated", _generated(known))
    if known["context"]:
        page.add_row("context", _context(known["context"], known["nBlocks"]))
    page.add_row("time", _timings(known))
    if known["raw"]:
        page.add_row("model wrote", _quoted(known["raw"], "default", known["column"]))
    if known["ranked"]:
        page.add_row("compared", _compared(known["ranked"]))
    for step in known["steps"]:
        page.add_row("filter", Group(Text(step["name"], style="bold"), *_difference(step["before"], step["after"])))
    if known["probability"] is not None:
        page.add_row("judge", _judge(known))
    if known["text"] and (known["steps"] or known["text"] != known["raw"]):
        page.add_row("shown", _quoted(known["text"], "green", known["column"]))
    if known.get("acceptedInstead"):
        page.add_row("accepted", _quoted(known["acceptedInstead"], "green", known["column"]))
    if known["replaceRight"]:
        page.add_row("", Text(f"replaces {known['replaceRight']} characters right of the cursor", style="dim"))
    return Group(Panel(Text(sentence(known)), title=title, title_align="left", border_style=style), page, Text())


def _ago(seconds: float) -> str:
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if (n := int(seconds // size)) >= 1:
            return f"{n} {name}{'s' if n > 1 else ''} ago"
    return "now"


def _asked(known: Mapping[str, Any]) -> str:
    trigger = {"invoked": "by the user", "automatic": "while typing"}.get(known["trigger"], "")
    told = [trigger, f"{known['mode']} mode", f"{known['format']} prompt" if known["format"] else "", known["language"]]
    return " · ".join(word for word in told if word)


def _prompt(known: Mapping[str, Any]) -> str:
    rungs = {
        "instant": "from what was ready: some of the window was missing or stale",
        "window": "all of the window took part",
        "exact": "all of the window took part, computed in one piece",
    }
    n_attended = known["nAttended"] or known["nPrompt"]
    counts = f"{known['nPrompt']:,} tokens: {known['nCached']:,} reused, {known['nComputed']:,} computed"
    rung = str(known["rung"])
    return f"{counts}, {n_attended:,} seen by the model\n{rungs.get(rung, rung)}".rstrip()


def _generated(known: Mapping[str, Any]) -> str:
    told = f"{known['nGenerated']} tokens"
    if known["nDrafted"]:
        told += f", {known['nAccepted']} of {known['nDrafted']} guesses right"
    if known["tokenProbability"] is None:
        return told
    return f"{told}; a token's mean probability is {known['tokenProbability']:.0%}"


def _compared(ranked: Sequence[tuple[str, float]]) -> RenderableType:
    """The answers of both formats, the better one first, by the logarithm of how probable each is with what follows."""
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(justify="right", style="cyan", no_wrap=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for text, score in ranked:
        table.add_row(f"{score:.1f}", text.strip().partition("\n")[0])
    return table


def _judge(known: Mapping[str, Any]) -> str:
    told = f"kept with a probability of {known['probability']:.0%}"
    if known["unknownNames"]:
        told += f"; nobody knows {', '.join(known['unknownNames'])}"
    return told


def _context(items: list[Mapping[str, Any]], n_seen: int) -> RenderableType:
    """The snippets in the prompt, the best first, and how many are not; `n_seen` of them were ready in time."""
    inside = [item for item in items if item["tokens"]]
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(justify="right", style="cyan", no_wrap=True)
    table.add_column(ratio=3, no_wrap=True, overflow="ellipsis")
    table.add_column(ratio=2, no_wrap=True, overflow="ellipsis", style="bold")
    table.add_column(ratio=2, no_wrap=True, overflow="ellipsis", style="dim")
    for item in inside[:_MAX_CONTEXT_ROWS]:
        table.add_row(f"{item['tokens']:,}", item["path"], item["about"], " + ".join(item["sources"]))
    more, n_out = inside[_MAX_CONTEXT_ROWS:], len(items) - len(inside)
    notes = [
        f"{len(inside)} snippets of {sum(item['tokens'] for item in inside):,} tokens, {n_seen} seen by the model",
        f"{len(more)} of them not listed" if more else "",
        f"{n_out} more found no room" if n_out else "",
    ]
    return Group(table, Text("; ".join(note for note in notes if note), style="dim"))


def stages(known: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Milliseconds per stage, from the request to its answer; they add up to the whole."""
    laps = known["timingsMs"]
    found = [
        ("parse, context", known["latencyMs"] - laps.get("total", 0.0)),
        ("key before", laps.get("join", 0.0)),  # a completion under way that what was typed agreed with, in vain
        ("trigger", laps.get("trigger", 0.0)),
        ("prompt", laps.get("prompt", 0.0)),
        ("queue", laps.get("queue", 0.0)),
        ("prefill", laps.get("prefill", 0.0)),
        ("first token", laps.get("first token", 0.0)),
        ("rest", laps.get("rest", 0.0)),
        ("filters", laps.get("filters", 0.0)),
        ("second answer", laps.get("opinion", 0.0)),
        ("judge", laps.get("judge", 0.0)),
    ]
    return [(name, max(0.0, ms)) for name, ms in found]


def _timings(known: Mapping[str, Any]) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="cyan", no_wrap=True)
    whole = max(known["latencyMs"], 0.1)
    for name, ms in stages(known):
        if ms >= 0.05:
            table.add_row(name, f"{ms:,.1f} ms", bar(ms / whole, _BAR_COLUMNS))
    table.add_row("[bold]whole", f"[bold]{known['latencyMs']:,.1f} ms")
    return table


def bar(share: float, n_columns: int) -> str:
    """A horizontal bar with a resolution of an eighth of a column."""
    eighths: int = round(8 * n_columns * min(1.0, share))
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def _quoted(text: str, style: str, column: int) -> Text:
    """A text from a column (from 1) on; one line needs no place."""
    quoted, lines = Text(), text.splitlines()
    for number, line in enumerate(lines):
        place = " " * (column - 1) if number == 0 and len(lines) > 1 else ""
        quoted.append("\n" if number else "").append("│ ", style="dim").append(f"{place}{line}", style=style)
    return quoted


def _difference(before: str, after: str) -> Iterator[Text]:
    """What a filter made of a text, line by line."""
    if before == after:
        yield Text("  the text stays; what it replaces changed", style="dim")
        return
    if before.startswith(after) and not before[len(after) :].strip():
        yield Text(f"  cuts {len(before) - len(after)} blanks and line ends", style="dim")
        return
    styles = {"-": "red", "+": "green"}
    for line in difflib.ndiff(before.splitlines(), after.splitlines()):
        if line[0] != "?":
            yield Text(line.rstrip() or line, style=styles.get(line[0], "dim"))
