"""What the pages of results are made of: runs, figures, tables. Used by `page` and its sections.

Rules: every text from a results file is escaped; a page has everything in itself.
"""

import html
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.report import EvalError, read_all_results


@dataclass(frozen=True, slots=True)
class Run:
    """One results file."""

    name: str
    summary: Mapping[str, Any]
    examples: Sequence[Mapping[str, Any]]

    @property
    def title(self) -> str:
        """What was measured on what."""
        details = (self.summary.get(key) for key in ("language", "split", "tokens", "n_chunks", "model"))
        name = self.summary.get("tree", self.name)
        return f"{name} ({', '.join(str(detail) for detail in details if detail is not None)})"


def read_run(path: Path) -> Run:
    """A results file; EvalError when it is none, or its run did not come to its end."""
    examples, summary = read_all_results(path)
    if summary is None:
        raise EvalError(f"{path} has no summary: its run did not come to its end")
    return Run(path.stem, summary, examples)


def figure(n_groups: int, panels: Sequence[tuple[str, Callable[[Any], None]]]) -> str:
    """Panels below each other as one inline SVG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(6.0, 2.4 * n_groups), 3.0 * len(panels)), layout="constrained")
    for axes, (title, draw) in zip(figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True):
        draw(axes)
        axes.set_title(title, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, its first column to the left."""

    def line(tag: str, cells: Sequence[str]) -> str:
        return f"<tr>{''.join(f'<{tag}>{escaped(cell)}</{tag}>' for cell in cells)}</tr>"

    return f"<table>{line('th', head)}{''.join(line('td', row) for row in rows)}</table>"


def listed(items: Iterable[str]) -> str:
    """A list in small print."""
    return f"<ul class='note'>{''.join(f'<li>{escaped(item)}</li>' for item in items)}</ul>"


def escaped(text: str) -> str:
    """The text as HTML."""
    return html.escape(text)
