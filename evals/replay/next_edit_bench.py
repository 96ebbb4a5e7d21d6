"""`midfill bench next-edit --path DIR`: how long next edits without a model take, over the real server.

Files of the tree are opened one after the other. In each a line of another file is written at the end, a function is
renamed where it is defined, what is offered is taken, and so on until nothing is left of it:

    typed       the answer after the written line; most often nothing follows from it
    here        after the rename, and after each use of the name that was taken: the other uses in the file
    elsewhere   when none is left in the file: the name is looked for in the rest of the tree

Rules: the tree is copied, and only the copy is indexed; it and its index go at the end. No model is loaded. An answer
is waited for before the next change, and nothing else is asked meanwhile.
"""

import asyncio
import random
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from evals.replay.index_bench import copies, indexed, n_indexed
from evals.replay.ours import Ours
from evals.replay.run import Run
from evals.report import EvalError, open_results
from evals.sources import SourceFile, source_files
from parsers.outline import SymbolKind, outline
from parsers.parse import parse

_OPTIONS = {"model": "/nonexistent/model.gguf", "nextEdit": {"enabled": True}}
_MIN_NAME, _MAX_TAKEN = 4, 40
KINDS = ("typed", "here", "elsewhere")


@dataclass(frozen=True, slots=True)
class Rename:
    """A function that its file uses, and that is renamed where it is defined; and a line that is written before."""

    file: SourceFile
    name: str
    line: int
    column: int
    written: str


def renames_of(files: Sequence[SourceFile], draw: random.Random) -> Iterator[Rename]:
    """At most one of each file, in a drawn order. Only of files in which every character is one unit to any editor."""
    order = [file for file in files if file.text.isascii() and file.text.endswith("\n")]
    draw.shuffle(order)
    for number, file in enumerate(order):
        lines = file.text.split("\n")
        other = next((each for each in order[:number][::-1] if each.language == file.language), file)
        for symbol in outline(parse(file.language, file.text)).symbols:
            found = re.search(rf"\b{re.escape(symbol.name)}\b", lines[symbol.line])
            n_uses = len(re.findall(rf"\b{re.escape(symbol.name)}\b", file.text))
            is_usual = symbol.kind is SymbolKind.FUNCTION and symbol.parent is None and len(symbol.name) >= _MIN_NAME
            if found is not None and is_usual and n_uses > 1:
                written = draw.choice([line for line in other.text.split("\n") if line.strip()])
                yield Rename(file, symbol.name, symbol.line, found.start(), written)
                break


class Typist:
    """Edits one file in the server's window, and takes what it offers."""

    def __init__(self, player: Ours, root: Path, rename: Rename) -> None:
        self._editor, self._rename = player.editor, rename
        self._uri = (root / rename.file.path).as_uri()
        self._lines, self._version = rename.file.text.split("\n"), 1

    async def play(self) -> list[tuple[str, float]]:
        """What each answer was to, and milliseconds to it."""
        item = {
            "uri": self._uri,
            "languageId": self._rename.file.language,
            "version": 1,
            "text": self._rename.file.text,
        }
        self._editor.notify("textDocument/didOpen", {"textDocument": item})
        await self._ask()  # the file is parsed
        end = len(self._lines) - 1
        self._change({"line": end, "character": 0}, {"line": end, "character": 0}, f"{self._rename.written}\n")
        times = [("typed", (await self._ask())[1])]
        self._change({"line": end, "character": 0}, {"line": end + 1, "character": 0}, "")
        place = {"line": self._rename.line, "character": self._rename.column + len(self._rename.name)}
        self._change(place, place, "_now")
        for _ in range(_MAX_TAKEN):
            edits, ms = await self._ask()
            here = [edit for edit in edits if edit["textDocument"]["uri"] == self._uri]
            times.append(("here" if here else "elsewhere", ms))
            if not here:
                break
            self._change(here[0]["range"]["start"], here[0]["range"]["end"], here[0]["text"])
        self._editor.notify("textDocument/didClose", {"textDocument": {"uri": self._uri}})
        return times

    def _change(self, start: dict[str, int], end: dict[str, int], text: str) -> None:
        self._version += 1
        head = self._lines[start["line"]][: start["character"]]
        tail = self._lines[end["line"]][end["character"] :]
        self._lines[start["line"] : end["line"] + 1] = f"{head}{text}{tail}".split("\n")
        identifier = {"uri": self._uri, "version": self._version}
        changes = [{"range": {"start": start, "end": end}, "text": text}]
        self._editor.notify("textDocument/didChange", {"textDocument": identifier, "contentChanges": changes})

    async def _ask(self) -> tuple[list[dict[str, Any]], float]:
        place = {"line": self._rename.line, "character": self._rename.column}
        params = {"textDocument": {"uri": self._uri, "version": self._version}, "position": place}
        began = time.perf_counter()
        answer = await self._editor.request("midfill/nextEdit", params)
        return answer["edits"], 1e3 * (time.perf_counter() - began)


def figures_of(times: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Number, median and 95th percentile of each kind of answer, and of all."""
    found: dict[str, float] = {}
    for kind in (*KINDS, ""):
        ms = sorted(each for name, each in times if kind in ("", name)) or [0.0]
        prefix = f"{kind}_" if kind else ""
        found |= {f"{prefix}n": sum(kind in ("", name) for name, _ in times)}
        found |= {f"{prefix}p{share}_ms": ms[min(len(ms) - 1, len(ms) * share // 100)] for share in (50, 95)}
    return found


async def _measure(root: Path, renames: Sequence[Rename]) -> tuple[list[tuple[str, float]], int]:
    player = await Ours.start(_OPTIONS, Run("midfill", "next-edit"), root.as_uri())
    async with player.editor:
        await indexed(player, root)
        await Typist(player, root, renames[0]).play()  # what is done once is done now
        times: list[tuple[str, float]] = []
        for rename in renames:
            times += await Typist(player, root, rename).play()
        return times, n_indexed(root)


def _table(figures: dict[str, float]) -> Table:
    table = Table("asked", "answers", "p50", "p95", title=f"next edits in {figures['n_files']:,.0f} files")
    for kind in (*KINDS, ""):
        prefix = f"{kind}_" if kind else ""
        row = (
            f"{figures[f'{prefix}n']:,.0f}",
            f"{figures[f'{prefix}p50_ms']:.1f} ms",
            f"{figures[f'{prefix}p95_ms']:.1f} ms",
        )
        table.add_row(kind or "all", *row)
    return table


async def run(*, path: Path, n_files: int, seed: int, out: Path | None) -> int:
    """Measure, print the table and the JSON line."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    name = f"{path.resolve().name}-{time.time_ns():x}"
    with open_results("next-edit", out) as results, copies(path, [name]) as (root,):
        files = await asyncio.to_thread(lambda: list(source_files(root)))
        found = renames_of(files, random.Random(seed))
        renames = [each for _, each in zip(range(n_files), found, strict=False)]
        if not renames:
            raise EvalError(f"no file of {path} has a function that it uses itself")
        times, n_known = await _measure(root, renames)
        for number, (kind, ms) in enumerate(times):
            results.add({"id": f"{kind} {number}", "ms": ms})
        figures = {"n_files": float(n_known), "n_edited": float(len(renames)), **figures_of(times)}
        console.print(_table(figures))
        results.finish({"suite": "bench-next-edit", "seed": seed, **figures})
    return 0
