"""An answer to a request for next edits as a page of `midfill why`: what was edited, what was thought of, and its fate.

Rules: pure. Only the first proposals and edits are listed; the rest is counted.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from lsp_server.usage.next_edits import OFFERED, sentence

_MAX_PROPOSALS, _MAX_LINES = 12, 8
_STYLES = {OFFERED: "green"}


def render_next_edit(known: Mapping[str, Any], ago: str) -> RenderableType:
    """One answer as a page."""
    at = datetime.fromtimestamp(known["at"])
    title = f"[bold]{known['path']}:{known['line']}:{known['column']}[/] · next edit · {at:%H:%M:%S}, {ago}"
    proposals = known["proposals"]
    page = Table.grid(padding=(0, 2), expand=True)
    page.add_column(style="dim", no_wrap=True)
    page.add_column(ratio=1)
    if known["edits"]:
        page.add_row("edited", Group(*(Group(*_place(edit, known), *_change(edit)) for edit in known["edits"])))
    if proposals:
        page.add_row("thought of", _table(proposals, known))
        page.add_row("the first", Group(*_change(proposals[0])))
    page.add_row("time", f"{known['latencyMs']:,.1f} ms")
    is_offered = any(each["verdict"] == OFFERED for each in proposals)
    panel = Panel(
        Text(sentence(known)), title=title, title_align="left", border_style="green" if is_offered else "yellow"
    )
    return Group(panel, page, Text())


def _place(edit: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Text]:
    if edit["path"] != known["path"]:
        yield Text(edit["path"], style="bold")


def _table(proposals: Sequence[Mapping[str, Any]], known: Mapping[str, Any]) -> RenderableType:
    """Where, by which rule, how probably it is wanted, and whether it was offered."""
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(justify="right", style="cyan", no_wrap=True)
    table.add_column(ratio=2, no_wrap=True, overflow="ellipsis")
    table.add_column(ratio=1, no_wrap=True, style="bold")
    table.add_column(ratio=2, no_wrap=True)
    for each in proposals[:_MAX_PROPOSALS]:
        place = f"line {each['line']}" if each["path"] == known["path"] else f"{each['path']}:{each['line']}"
        verdict = Text(each["verdict"], style=_STYLES.get(each["verdict"], "yellow"))
        table.add_row(f"{each['probability']:.0%}", place, each["layer"], verdict)
    more = len(proposals) - _MAX_PROPOSALS
    return Group(table, Text(f"{more} more are not listed", style="dim")) if more > 0 else table


def _change(edit: Mapping[str, Any]) -> Iterator[Text]:
    lines = [(f"- {line}", "red") for line in edit["old"]] + [(f"+ {line}", "green") for line in edit["new"]]
    yield from (Text(line, style=style) for line, style in lines[:_MAX_LINES])
    if len(lines) > _MAX_LINES:
        yield Text(f"  {len(lines) - _MAX_LINES} more lines", style="dim")
