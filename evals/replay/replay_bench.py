"""`midfill bench replay`: real edits typed at human speed, midfill over stdio beside llama.cpp with llama.vim.

The edits of one release of a package to the next (`evals.replay.history`) become keystrokes
(`evals.replay.keystrokes`); both contenders get the same ones, one after the other, with the package's other files
open or visited. For each context size: how long after a keystroke a suggestion for the text is there
(`evals.replay.run`), prompt tokens computed per keystroke, CPU seconds and memory. Then a file switch: a fresh
daemon, blocks warm on disk, a file of 1,000 tokens that was never open.

Rules: each contender has the machine to itself.
"""

import asyncio
import functools
import random
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from evals.engines import gguf_file
from evals.peers.llama_vim import LlamaVim
from evals.replay.history import read_history
from evals.replay.keystrokes import Action, play
from evals.replay.ours import Ours, options_of, stop_daemon
from evals.replay.peer import Peer, llama_server
from evals.replay.run import Run, Size, figures, play_script, script_of, sizes
from evals.report import Results, open_results

_N_PRESSES = 30
_SWITCH_CHARACTERS = 3_300  # of a file of about 1,000 tokens


async def play_ours(
    size: Size,
    model: str,
    script: Sequence[Action],
    files: dict[str, str],
    console: Console,
    *,
    next_edits: bool = False,
) -> Run:
    """midfill at one size; with `next_edits` what follows is asked for behind every key, of the model too."""
    run = Run("midfill", size.name)
    following = {"nextEdit": {"enabled": True, "eagerness": 1.0}} if next_edits else {}
    player = await Ours.start({**options_of(size, model), **following}, run)
    player.asks_next_edits = next_edits
    async with player.editor:
        await player.warm_up(files, script[0].path)
        await play_script(player, script, files, console)
        path = script[-1].path
        text = functools.reduce(play, (action for action in script if action.path == path), files[path])
        await player.press(path, text, _places(text, random.Random(len(script))))
    return run


def _places(text: str, draw: random.Random) -> list[tuple[int, int]]:
    """Where somebody presses the key, and how many characters behind it are not there yet.

    Half of the places are ends of lines. At the other half the rest of a line is missing, from where a word ends.
    """
    lines = [line for line in re.finditer(r"[^\n]+", text) if line.group().strip()]
    chosen = draw.sample(lines, min(_N_PRESSES, len(lines)))
    places = [(line.end(), 0) for line in chosen[::2]]
    for line in chosen[1::2]:
        ends = [word.end() for word in re.finditer(r"\w+\W?", line.group()) if word.end() < len(line.group())]
        at = line.start() + draw.choice(ends or [0])
        places.append((at, line.end() - at))
    return places


async def play_peer(
    size: Size, gguf: Path, script: Sequence[Action], files: dict[str, str], console: Console, seed: int
) -> Run:
    """llama.cpp with llama.vim at one size."""
    run = Run("llama.vim", size.name)
    with llama_server(gguf, size.max_prompt_tokens + 4_096) as (address, pid):
        vim = LlamaVim(address, size.vim, random.Random(seed), lambda cached: None)
        player = Peer(vim, run, pid)
        await player.warm_up(files, script[0].path)
        await play_script(player, script, files, console)
    return run


def table_of(rows: Sequence[tuple[Run, dict[str, float]]]) -> Table:
    """Both contenders at every size."""
    table = Table()
    for title in (
        "context",
        "",
        "keys",
        "engine p50",
        "p95",
        "all keys p50",
        "p95",
        "tokens/key",
        "ahead/key",
        "CPU s",
        "MB",
        "whole window",
    ):
        table.add_column(title, justify="right")
    for run, f in rows:
        table.add_row(
            run.size,
            run.name,
            f"{f['n_engine']:.0f}/{f['n_keystrokes']:.0f}",
            f"{f['p50_ms']:.0f} ms",
            f"{f['p95_ms']:.0f} ms",
            f"{f['keystroke_p50_ms']:.0f} ms",
            f"{f['keystroke_p95_ms']:.0f} ms",
            f"{f['computed_per_keystroke']:.1f}",
            f"{f['ahead_per_keystroke']:.1f}",
            f"{f['cpu_s']:.0f}",
            f"{f['rss_mb']:.0f}",
            f"{f['warm_up_s']:.0f} s",
        )
    return table


def keys_of(rows: Sequence[tuple[Run, dict[str, float]]]) -> dict[str, float]:
    """The JSON keys: those of the largest size have no suffix."""
    by_size: dict[str, dict[str, dict[str, float]]] = {}
    for run, f in rows:
        by_size.setdefault(run.size, {})[run.name] = f
    keys: dict[str, float] = {}
    for size, both in by_size.items():
        suffix = "" if size == list(by_size)[-1] else f"_{size}"
        ours = both["midfill"]
        keys |= {f"replay_p50_ms{suffix}": ours["p50_ms"], f"replay_p95_ms{suffix}": ours["p95_ms"]}
        keys |= {f"{name}_{size}": value for name, value in ours.items() if name not in ("p50_ms", "p95_ms")}
        if peer := both.get("llama.vim"):
            keys[f"replay_p50_ratio{suffix}"] = _ratio(ours["p50_ms"], peer["p50_ms"])
            keys[f"replay_p95_ratio{suffix}"] = _ratio(ours["p95_ms"], peer["p95_ms"])
            keys[f"keystroke_p50_ratio{suffix}"] = _ratio(ours["keystroke_p50_ms"], peer["keystroke_p50_ms"])
            keys |= {f"{name}_{size}_llamavim": value for name, value in peer.items()}
    return keys


def _ratio(a: float, b: float) -> float:
    return a / b if b else 0.0


def keep(results: Results, run: Run) -> None:
    """Write every keystroke of a run, and every press of the key that asks."""
    for index, (ms, computed) in enumerate(run.waits_ms()):
        results.add({"id": f"{run.name} {run.size} {index}", "ms": ms, "engine": computed})
    for index, press in enumerate(run.pressed):
        results.add({"id": f"{run.name} {run.size} press {index}", **asdict(press)})


async def file_switch(size: Size, model: str, files: dict[str, str]) -> dict[str, float]:
    """A fresh daemon, the blocks of a 16k window on disk, and a file that was never open: when is what there?"""
    path, text = _cold_file(files)
    others = {other: content for other, content in files.items() if other != path}
    await _with_blocks_on_disk(size, model, {**others, path: text}, path)
    await stop_daemon(model)
    run = Run("midfill", size.name)
    player = await Ours.start(options_of(size, model), run)
    async with player.editor:
        await player.ready()
        player.open("scratch.py", "import os\n")
        await player.ask("scratch.py", "import os\n", 10)  # the engine's first forward is slower than all others
        for other, content in others.items():
            player.open(other, content)
        await asyncio.sleep(2.0)
        player.open(path, text)
        started = time.perf_counter()
        await player.ask(path, text, len(text))
        first_s = time.perf_counter() - started
        last = (await player.status())["last"]
        await player.complete()
        full_s = time.perf_counter() - started - first_s
    return {
        "file_switch_s": first_s,
        "full_window_s": full_s,
        "file_switch_attended": last["nAttended"],
        "file_switch_blocks": last["nBlocks"],
        "file_switch_computed": last["nComputed"],
    }


async def _with_blocks_on_disk(size: Size, model: str, files: dict[str, str], path: str) -> None:
    player = await Ours.start(options_of(size, model), Run("midfill", size.name))
    async with player.editor:
        await player.warm_up(files, path)


def _cold_file(files: dict[str, str]) -> tuple[str, str]:
    """The beginning of a file, up to the end of a line, of about 1,000 tokens."""
    path = max(files, key=lambda name: len(files[name]))
    text = files[path][:_SWITCH_CHARACTERS]
    return path, text[: text.rfind("\n") + 1]


async def peer_window_s(size: Size, gguf: Path, files: dict[str, str], seed: int) -> float:
    """Seconds that llama.cpp needs for the same switch: the whole window in one cold request."""
    path, text = _cold_file(files)
    with llama_server(gguf, size.max_prompt_tokens + 4_096) as (address, _):
        vim = LlamaVim(address, size.vim, random.Random(seed), lambda cached: None)
        for other in [name for name in files if name != path] * 8:
            if vim.ring_missing:
                vim.pick_whole(other, files[other], 1)
                vim.take_queued()
        vim.enter(path, text, len(text))
        started = time.perf_counter()
        vim.move(text, len(text))
        await vim.first_answer()
        seconds = time.perf_counter() - started
        vim.close()
    return seconds


async def run(
    *,
    history: str,
    names: Sequence[str],
    n_keystrokes: int,
    model: str,
    peer: bool,
    next_edits: bool,
    seed: int,
    out: Path | None,
) -> int:
    """Play, print the table and the JSON line."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    past = await asyncio.to_thread(read_history, history)
    script = script_of(past, n_keystrokes, seed)
    gguf, chosen = gguf_file(model), [sizes(48)[name] for name in names]
    rows: list[tuple[Run, dict[str, float]]] = []
    with open_results("replay", out) as results:
        for size in chosen:
            runs = [await play_ours(size, model, script, past.files, console, next_edits=next_edits)]
            await stop_daemon(model)
            if peer:
                runs.append(await play_peer(size, gguf, script, past.files, console, seed))
            for each in runs:
                keep(results, each)
                rows.append((each, figures(each)))
            console.print(table_of(rows[-len(runs) :]))
        keys = keys_of(rows)
        keys |= await file_switch(chosen[-1], model, past.files)
        if peer:
            keys["peer_window_s"] = await peer_window_s(chosen[-1], gguf, past.files, seed)
        console.print(table_of(rows))
        results.finish({"suite": "replay", "history": history, "n_actions": len(script), "model": model, **keys})
    return 0
