"""`python -m evals.showcase`: six files, six completions, by the real language server. What `make run` shows.

It starts `lsp_server --stdio` as an editor would, waits for the model (fetching it the first time), asks for
one completion in each file of `evals/samples/` and prints it where it would appear.

Rules: nothing here knows midfill but through LSP. The place of the cursor is marked by ▮ in the samples.
Exits with 1 when fewer than five of the six files get a completion, or the model cannot be had.
"""

import asyncio
import contextlib
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from lsp_server.cli.editor import Editor, Json, ServerFailed

_MARKER = "▮"
_NEEDED = 5
_POLL_S = 0.1
# Every file is new to the model here and read from its beginning; an editor has warmed it long before.
_MAX_WAIT_MS = 30_000
_LINES_BEFORE, _LINES_AFTER = 8, 4
_LANGUAGE_IDS = {".py": "python", ".ts": "typescript", ".go": "go", ".rs": "rust", ".java": "java", ".c": "c"}
_ROOT = "file:///showcase"


@dataclass(frozen=True, slots=True)
class Sample:
    """A source file with a cursor: `offset` is a code-point offset into `text`."""

    name: str
    language: str
    text: str
    offset: int

    @property
    def uri(self) -> str:
        """Where the editor says the file is; it exists in the editor only."""
        return f"{_ROOT}/{self.name}"

    @property
    def position(self) -> Json:
        """The cursor as LSP wants it (UTF-16 units)."""
        line_start = self.text.rfind("\n", 0, self.offset) + 1
        typed = self.text[line_start : self.offset]
        return {"line": self.text.count("\n", 0, self.offset), "character": len(typed.encode("utf-16-le")) // 2}


@dataclass(frozen=True, slots=True)
class Shown:
    """What the server answered: the text after the cursor ("" for nothing) and how long it took."""

    sample: Sample
    ghost: str
    seconds: float
    status: Json


def load_samples() -> list[Sample]:
    """The sample files, by name."""
    samples = []
    for entry in sorted(files("evals.samples").iterdir(), key=lambda entry: entry.name):
        language = _LANGUAGE_IDS.get("." + entry.name.rsplit(".", 1)[-1])
        text = entry.read_text(encoding="utf-8") if language is not None else ""
        if language is not None and _MARKER in text:
            samples.append(Sample(entry.name, language, text.replace(_MARKER, ""), text.index(_MARKER)))
    return samples


def ghost_text(sample: Sample, answer: Any) -> str:
    """The first item's text from the cursor on; "" when there is none. Items replace what is typed already."""
    items = (answer or {}).get("items", []) if isinstance(answer, dict | None) else answer
    if not items:
        return ""
    text: str = items[0]["insertText"] if isinstance(items[0]["insertText"], str) else items[0]["insertText"]["value"]
    line = sample.text.split("\n")[sample.position["line"]]
    start = items[0].get("range", {"start": sample.position})["start"]["character"]
    return text.removeprefix(line[start : sample.position["character"]])


def render(shown: Shown) -> Panel:
    """The code around the cursor, with the completion in it."""
    sample = shown.sample
    before = sample.text[: sample.offset].split("\n")
    after = sample.text[sample.offset :].split("\n")
    first = max(0, len(before) - 1 - _LINES_BEFORE)
    highlighter = Syntax("", sample.language, theme="ansi_dark", background_color="default")
    code = Text(no_wrap=True, overflow="ellipsis")
    code.append_text(_highlighted(highlighter, before[first:-1]))
    code.append_text(_highlighted(highlighter, before[-1:], newline=""))
    last: Json = shown.status.get("last") or {}
    if shown.ghost:
        code.append(shown.ghost, style="bold black on green")
    else:
        code.append(f"(nothing: {last.get('reason', '')})", style="red")
    code.append(after[0] + "\n")
    code.append_text(_highlighted(highlighter, after[1 : 1 + _LINES_AFTER]))
    code.rstrip()
    detail = f"{shown.seconds * 1e3:.0f} ms"
    if (mode := last.get("mode")) is not None:
        detail = f"{mode} · {detail}"
    return Panel(code, title=f"[bold]{sample.name}[/] [dim]line {len(before)}[/]", subtitle=detail, title_align="left")


def _highlighted(highlighter: Syntax, lines: list[str], newline: str = "\n") -> Text:
    text = Text()
    for line in lines:
        highlighted = highlighter.highlight(line)
        highlighted.right_crop(1)  # the newline that `highlight` adds
        text.append_text(highlighted).append(newline)
    return text


async def initialize(editor: Editor) -> None:
    """Say hello as an editor that shows progress and inline completions."""
    await editor.request(
        "initialize",
        {
            "processId": None,
            "rootUri": _ROOT,
            "workspaceFolders": [{"uri": _ROOT, "name": "showcase"}],
            "initializationOptions": {"maxWaitMs": _MAX_WAIT_MS, "statistics": False},
            "capabilities": {
                "window": {"workDoneProgress": True},
                "textDocument": {"inlineCompletion": {"dynamicRegistration": False}},
            },
        },
    )
    editor.notify("initialized", {})


async def wait_for_model(editor: Editor) -> None:
    """Wait until the model can answer; ServerFailed, with the server's own words, when it never will."""
    while (status := await editor.request("midfill/status", None))["phase"] != "ready":
        if status["phase"] == "failed":
            raise ServerFailed(status["engine"])
        await asyncio.sleep(_POLL_S)


async def ask(editor: Editor, sample: Sample) -> Shown:
    """Open the file, ask for a completion at its cursor, close it."""
    document = {"uri": sample.uri, "languageId": sample.language, "version": 1, "text": sample.text}
    editor.notify("textDocument/didOpen", {"textDocument": document})
    began = time.perf_counter()
    answer = await editor.request(
        "textDocument/inlineCompletion",
        {
            "textDocument": {"uri": sample.uri},
            "position": sample.position,
            "context": {"triggerKind": 1},
        },
    )
    seconds = time.perf_counter() - began
    status = await editor.request("midfill/status", None)
    editor.notify("textDocument/didClose", {"textDocument": {"uri": sample.uri}})
    return Shown(sample, ghost_text(sample, answer), seconds, status or {})


async def show(console: Console) -> int:
    """Run the showcase; returns the exit code."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    progress = Progress(*columns, console=console, transient=True)
    loading = progress.add_task("starting the language server", total=None)

    def on_notification(method: str, params: Json) -> None:
        if method == "$/progress":
            value: Json = params["value"]
            percentage = value.get("percentage")
            progress.update(loading, total=None if percentage is None else 100, completed=percentage or 0)
            progress.update(loading, description=value.get("message") or value.get("title") or "")
        elif method == "window/showMessage":
            console.print(f"[yellow]{params['message']}[/]")

    began = time.perf_counter()
    async with await Editor.start(on_notification, subprocess.DEVNULL) as editor:
        await initialize(editor)
        with progress:
            await wait_for_model(editor)
        console.print(f"[green]✓[/] the model was ready after {time.perf_counter() - began:.1f} s\n")
        shown = []
        for sample in load_samples():
            with console.status(f"{sample.name} …"):
                shown.append(await ask(editor, sample))
            console.print(render(shown[-1]))
    n_good = sum(bool(entry.ghost) for entry in shown)
    console.print(Group(summary_table(shown), Text(f"{n_good} of {len(shown)} files got a completion")))
    return 0 if n_good >= _NEEDED else 1


def summary_table(shown: list[Shown]) -> Table:
    """One row per file: tokens in, tokens out, time."""
    table = Table("file", "lines", "prompt tokens", "computed", "generated", "ms", box=None)
    for entry in shown:
        last: Json = entry.status.get("last") or {}
        counts = [str(last.get(name, "")) for name in ("nPrompt", "nComputed", "nGenerated")]
        n_lines = len(entry.ghost.split("\n")) if entry.ghost else 0
        table.add_row(entry.sample.name, str(n_lines), *counts, f"{entry.seconds * 1e3:.0f}")
    return table


def main() -> int:
    """Entry point."""
    console = Console()
    console.print("[bold]midfill[/]: completions by a model on this machine; nothing leaves it\n")
    try:
        return asyncio.run(show(console))
    except ServerFailed as error:
        console.print(f"[red]✗[/] {error}")
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):
            console.print("interrupted")
    return 1


if __name__ == "__main__":
    sys.exit(main())
