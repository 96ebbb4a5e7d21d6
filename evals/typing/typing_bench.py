"""`midfill bench typing`: what a typist of real edits gets: characters completed, at what cost in wrong ghosts.

A simulated person (`evals.typing.person`) types the edits of histories of 2026 (`evals.replay.histories`) once with
midfill, over stdio with its default settings, and once with llama.cpp's server and llama.vim's client with the
plugin's. Both get the same wish at the same pace, the same open files, and the same weights; midfill also indexes the
folder, as it does for everybody. What is accepted changes what is typed next. `evals.typing.figures` says what is
counted.

A machine that is so many times as fast is played in slow motion: the person and the waits of midfill's server take
that many times longer, and the clock goes as much slower. (Not so its waits of less than a key's time, for a cursor
that rests and for an answer that may still be wanted.)

Rules: real time, one contender at a time. Every edit is a row of the results file, with all its keys, ghosts and
answers; a run that was cut off goes on behind the last one (`--resume --out FILE`).
"""

import asyncio
import contextlib
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from evals.engines import gguf_file
from evals.peers.llama_vim import LlamaVim
from evals.replay.histories import Named
from evals.replay.history import History, read_history
from evals.replay.ours import Ours, stop_daemon
from evals.replay.peer import llama_server, visit
from evals.replay.run import Run, Size, sizes
from evals.report import Results, open_results
from evals.typing.ours import TypingOurs
from evals.typing.peer import TypingPeer
from evals.typing.person import Person, Player
from evals.typing.report import summary_of, table_of
from evals.typing.screen import Clock, Screen
from evals.typing.shown import ShownLog
from evals.typing.wish import Edit, Pace, files_open, played, wish_of
from lsp_server.ablation import SLOW_MOTION, switch_off

OURS, PEER = "midfill", "llama.vim"
_N_OPEN = 12  # files
_PREDICT = 128  # llama.vim's own n_predict
_INDEX_S = 300.0
_TIMEOUT_MS = 60_000  # of a server: as long as the local model may take
_AHEAD_S = 60.0  # before she begins: what is computed ahead by then


class RealClock:
    """The machine's, or one that goes so many times slower."""

    def __init__(self, times: float = 1.0) -> None:
        self._times, self._woken = times, asyncio.Event()

    def now(self) -> float:
        return time.perf_counter() / self._times

    async def wait(self, until: float) -> None:
        self._woken.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), max(0.0, (until - self.now()) * self._times))

    def wake(self) -> None:
        self._woken.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is played."""

    histories: Sequence[Named]
    n_keys: int
    size: Size
    model: str
    peer: bool
    seed: int
    speed: float
    quietness: float | None
    without: Sequence[str]
    transcript: bool
    shown: Path | None = None
    patience: float = 0.0
    url: str = ""  # of a server that answers instead of the local model
    machine: float = 1.0  # how many times as fast as this one


@dataclass(frozen=True, slots=True)
class Part:
    """One history with one contender."""

    named: Named
    history: History
    wish: Sequence[Edit]
    contender: str

    def row_id(self, edit: Edit) -> str:
        """Names a row of the results."""
        return f"{self.named.name} {self.contender} {edit.number}"


def options_of(plan: Plan) -> dict[str, Any]:
    """The server's settings."""
    options: dict[str, Any] = {"model": plan.model, "maxPromptTokens": plan.size.max_prompt_tokens}
    if plan.quietness is not None:
        options["quietness"] = plan.quietness
    if plan.url:
        options["engine"] = {"url": plan.url, "fallback": False, "timeoutMs": _TIMEOUT_MS}
    return options


@contextlib.asynccontextmanager
async def our_player(
    plan: Plan, part: Part, files: dict[str, str], path: str, clock: Clock
) -> AsyncIterator[TypingOurs]:
    """midfill in a window on a folder with the history's files."""
    with tempfile.TemporaryDirectory() as parent:
        folder = write_files(part, Path(parent))
        ours = await Ours.start(options_of(plan), Run(OURS, plan.size.name), folder.as_uri())
        async with ours.editor:
            await ours.ready()
            await _indexed(ours)
            await ours.warm_up(files, path, _AHEAD_S)
            player = TypingOurs(ours, Screen(clock), clock)
            yield player
            await player.settle()
        await stop_daemon(plan.model)  # the peer has the machine to itself


def write_files(part: Part, parent: Path) -> Path:
    """The history's files as they are before, in a folder of its name."""
    folder = parent / part.named.name
    for name, text in part.history.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


async def _indexed(ours: Ours) -> None:
    deadline = time.monotonic() + _INDEX_S
    while time.monotonic() < deadline:
        indexes = (await ours.status())["indexes"].values()
        if indexes and not any(index["phase"] == "indexing" for index in indexes):
            return
        await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def peer_player(
    plan: Plan, part: Part, files: dict[str, str], path: str, clock: Clock
) -> AsyncIterator[TypingPeer]:
    """llama.cpp's server with the client, its ring full of chunks of the open files."""
    settings = replace(plan.size.vim, n_predict=_PREDICT, stop=())
    with llama_server(gguf_file(plan.model), plan.size.max_prompt_tokens + 4_096) as (address, pid):
        vim = LlamaVim(address, settings, random.Random(plan.seed), lambda at_once: None)
        player = TypingPeer(vim, Screen(clock), clock, pid)
        await visit(vim, files, path)
        ring = asyncio.create_task(vim.run_ring())
        yield player
        ring.cancel()
        vim.close()


@dataclass(frozen=True, slots=True)
class Start:
    """What time is, and how a contender is opened."""

    clock: Callable[[], Clock]
    player: Callable[[Plan, Part, dict[str, str], str, Clock], AbstractAsyncContextManager[Player]]


async def play_part(
    plan: Plan, part: Part, results: Results, console: Console, start: Start, shown: ShownLog
) -> list[dict[str, Any]]:
    """Type what is not there yet; the rows of all edits."""
    rows, texts, first = [], dict(part.history.files), 0
    for edit in part.wish:
        if (row := results.resumed("typing", part.row_id(edit))) is None:
            break
        rows.append(row)
        shown.add(row, texts[edit.path])
        texts[edit.path] = played(texts[edit.path], edit)
        first += 1
    todo = part.wish[first:]
    if not todo:
        return rows
    clock, opened = start.clock(), files_open(part.history, part.wish, _N_OPEN)
    now_open = {path: texts[path] for path in opened}
    async with start.player(plan, part, now_open, todo[0].path, clock) as player:
        tell = partial(_tell, console if plan.transcript else None)
        person = Person(player, clock, Pace(plan.seed, plan.speed, plan.patience), texts, tell)
        watched = [psutil.Process(pid) for pid in player.pids]
        for edit in todo:
            tell(f"--- {part.contender}: {edit.path}, {edit.n_keys} keys: {edit.text[: edit.n_typed]!r}")
            before = texts[edit.path]
            row = await _play_edit(person, part, edit, watched, plan.machine)
            rows.append(row)
            results.add(row)
            shown.add(row, before)
            if not plan.transcript:
                console.print(f"[dim]{part.row_id(edit)} of {len(part.wish)}[/]", end="\r")
    return rows


def _tell(console: Console | None, line: str) -> None:
    if console is not None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


async def _play_edit(
    person: Person, part: Part, edit: Edit, watched: Sequence[psutil.Process], times: float
) -> dict[str, Any]:
    player, named = person.player, part.named
    cpu_s = _cpu_s(watched)
    found = await person.play(edit)
    began, left = found.pop("began"), person.clock.now()
    await player.settle()
    answers, player.answers = player.answers, []
    for answer in answers:
        for name in ("asked", "answered"):
            answer[name] = None if answer[name] is None else round(answer[name] - began, 4)
        if "latencyMs" in answer:  # by the server's clock
            answer["latencyMs"] /= times
            answer["timingsMs"] = {stage: ms / times for stage, ms in answer["timingsMs"].items()}
    return {
        "suite": "typing",
        "id": part.row_id(edit),
        "history": named.name,
        "language": part.history.language,
        "held_out": named.held_out,
        "contender": part.contender,
        "edit": edit.number,
        "path": edit.path,
        "at": edit.at,
        "removed": edit.removed,
        "text": edit.text,
        "n_typed": edit.n_typed,
        "left": round(left - began, 4),
        "cpu_s": round(_cpu_s(watched) - cpu_s, 3),
        **found,
        "answers": answers,
    }


def _cpu_s(watched: Sequence[psutil.Process]) -> float:
    """Of these processes and their children, those that have ended included."""
    seconds = 0.0
    for process in watched:
        with contextlib.suppress(psutil.NoSuchProcess):
            for each in [process, *process.children(recursive=True)]:
                seconds += sum(each.cpu_times()[:4])
    return seconds


async def run(plan: Plan, out: Path | None, *, resume: bool) -> int:
    """Play all, print the tables and the JSON line."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    switch_off(plan.without)  # in the server and its daemon, too
    if plan.machine != 1:
        os.environ[SLOW_MOTION] = str(plan.machine)
    rows: list[dict[str, Any]] = []
    with open_results("typing", out, resume=resume) as results, ShownLog(plan.shown) as shown:
        for named in plan.histories:
            history = await asyncio.to_thread(read_history, named.spec, named.language)
            wish = wish_of(history, plan.n_keys, plan.seed)
            for contender in (OURS, PEER) if plan.peer else (OURS,):
                player = our_player if contender == OURS else peer_player
                start = Start(partial(RealClock, plan.machine), player)
                rows += await play_part(plan, Part(named, history, wish, contender), results, console, start, shown)
            console.print(table_of([row for row in rows if row["history"] == named.name], named.name))
        if len(plan.histories) > 1:
            for language in dict.fromkeys(row["language"] for row in rows):
                console.print(table_of([row for row in rows if row["language"] == language], language))
            console.print(table_of(rows, "all"))
        results.finish(
            {
                "suite": "typing",
                "histories": [named.name for named in plan.histories],
                "context": plan.size.name,
                "model": plan.model,
                "url": plan.url,
                "n_keys": plan.n_keys,
                "speed": plan.speed,
                "patience": plan.patience,
                "machine_times": plan.machine,
                "quietness": plan.quietness,
                "without": list(plan.without),
                **summary_of(rows),
            }
        )
    return 0


def size_of(name: str) -> Size:
    """A context size by name."""
    return sizes(_PREDICT)[name]
