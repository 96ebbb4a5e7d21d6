"""`midfill complete FILE:LINE[:COL]`: one completion in the terminal, as ghost text, with its timings."""

import argparse
import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from completion.pipeline import complete
from completion.types import Completion, Mode
from lsp_server.config import Config
from lsp_server.documents.decoding import decoded
from lsp_server.documents.store import split_lines
from lsp_server.local import deps_for, ready_engine, request_for
from lsp_server.status import summary
from model.link.client import EngineState, Phase

_SHOWN_LINES_ABOVE = 6


class BadPlace(Exception):
    """The place to complete at does not exist; the message says what does."""


def add_parser(commands: Any) -> None:
    """Register `complete`."""
    parser = commands.add_parser("complete", help="show one completion in the terminal")
    parser.add_argument("place", metavar="FILE:LINE[:COL]", help="1-based; without COL the end of the line")
    parser.add_argument("--mode", choices=[mode.value for mode in Mode])
    parser.add_argument("--model", default=Config().model)
    parser.add_argument("--format", choices=["auto", "fim", "left"], default="auto")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.set_defaults(run=_run)


def parse_place(place: str) -> tuple[Path, str, int]:
    """File, its text and the cursor's offset, of FILE:LINE[:COL]; BadPlace when there is no such place."""
    name, *numbers = place.split(":")
    while numbers and not all(number.isdigit() for number in numbers):
        name, numbers = f"{name}:{numbers[0]}", numbers[1:]
    if not 1 <= len(numbers) <= 2:
        raise BadPlace(f"{place!r} is not FILE:LINE or FILE:LINE:COL")
    file = Path(name)
    text = read_text(file)
    lines = split_lines(text)
    line = int(numbers[0])
    if not 1 <= line <= len(lines):
        raise BadPlace(f"{file} has {len(lines)} lines, not {line}")
    content = lines[line - 1].rstrip("\r\n")
    column = int(numbers[1]) if len(numbers) == 2 else len(content) + 1
    if not 1 <= column <= len(content) + 1:
        raise BadPlace(f"line {line} of {file} has columns 1 to {len(content) + 1}, not {column}")
    return file, text, sum(map(len, lines[: line - 1])) + column - 1


def read_text(file: Path) -> str:
    """The text of a file, decoded as the index does; BadPlace when it cannot be read or is binary."""
    try:
        found = decoded(file.read_bytes())
    except OSError as error:
        raise BadPlace(f"{file}: {error.strerror}") from error
    if found is None:
        raise BadPlace(f"{file} is not text")
    return found.text


def _run(args: argparse.Namespace) -> int:
    file, text, cursor = parse_place(args.place)
    config = replace(Config(), model=args.model, format=args.format, max_wait_ms=0)
    mode = Mode(args.mode) if args.mode else None
    completion = asyncio.run(complete_once(config, file, text, cursor, mode))
    if args.json:
        print(json.dumps({"text": completion.text, "replaceRight": completion.replace_right, **summary(completion)}))
    else:
        Console().print(render(text, cursor, completion), soft_wrap=True)
    return 0 if completion.text else 1


async def complete_once(config: Config, file: Path, text: str, cursor: int, mode: Mode | None) -> Completion:
    """Wait for the engine with a progress bar, then complete."""
    columns = (TextColumn("{task.description}"), BarColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def on_state(state: EngineState) -> None:
            total = None if state.fraction is None else 1.0
            bar.update(task, description=state.message, total=total, completed=state.fraction or 0.0)
            bar.update(task, visible=state.phase is not Phase.READY)

        async with ready_engine(config, on_state) as client:
            return await complete(deps_for(client, config), request_for(file, text, cursor, mode))


def render(text: str, cursor: int, completion: Completion) -> Text:
    """The lines above dim, the ghost text in colour, then the counters and timings."""
    above = split_lines(text[:cursor])
    shown = Text("".join(above[-1 - _SHOWN_LINES_ABOVE : -1]), style="dim")
    shown.append(above[-1], style="default")
    shown.append(completion.text, style="bold green")
    rest = split_lines(text[cursor + completion.replace_right :])[0].rstrip("\r\n")
    shown.append(f"{rest}\n", style="default")
    if not completion.text:
        shown.append(f"nothing to show ({completion.outcome}): {completion.reason}\n", style="yellow")
    stats, timings = completion.stats, completion.timings_ms
    if stats is not None:
        per_token = stats.decode_ms / stats.n_generated if stats.n_generated else 0.0
        shown.append(
            f"{completion.mode} | prompt {stats.n_prompt} tokens, {stats.n_cached} cached, {stats.n_computed} computed "
            f"in {stats.prefill_ms:.0f} ms | {stats.n_generated} generated at {per_token:.0f} ms | "
            f"total {timings['total']:.0f} ms",
            style="cyan",
        )
    return shown
