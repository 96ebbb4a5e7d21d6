"""`midfill doctor [FILE:LINE[:COL]]`: says in words what works, and why nothing would be shown somewhere.

Also `midfill status` and `midfill stop`, for the model process.
"""

import argparse
import asyncio
import platform
import shutil
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lsp_server.cli import typing_check
from lsp_server.cli.asking_at import answers_at, in_words
from lsp_server.cli.complete import complete_once, parse_place
from lsp_server.cli.editor import ServerFailed
from lsp_server.cli.settings_in_force import Settings, given, of_workspace
from lsp_server.config import Config, load
from lsp_server.engine import machine
from lsp_server.index.codings import codings_in_words
from lsp_server.local import ready_engine, workspace_of
from lsp_server.status import describe
from model.library import extras, fetch
from model.library.architecture import foreign_reason
from model.library.catalog import ModelError, ModelSource, resolve
from model.library.paths import cache_dir, runtime_dir
from model.library.store import newest_store
from model.link.address import answers
from model.link.client import EngineClient
from model.link.messages import facts_of
from model.link.spawn import socket_path
from model.remote.settings import host_of

_PROBE = "def add(a, b):\n    return"


def add_parser(commands: Any) -> None:
    """Register `doctor`, `status` and `stop`."""
    doctor = commands.add_parser("doctor", help="check everything, and say in words what is wrong")
    doctor.add_argument("place", nargs="?", metavar="FILE:LINE[:COL]", help="say why nothing is shown here")
    doctor.add_argument(
        "--config", metavar="JSON|FILE", help="the editor's midfill settings (default: .vscode/settings.json's)"
    )
    doctor.set_defaults(run=_doctor)
    for name, run, text in (
        ("status", _status, "show the model process"),
        ("stop", _stop, "end the model processes, or that of one model"),
    ):
        commands.add_parser(name, help=text).set_defaults(run=run)
    doctor.add_argument("--model", help="instead of the settings'")
    commands.choices["status"].add_argument("--model", default=Config().model)
    commands.choices["stop"].add_argument("--model", help="only this model's")


def _doctor(args: argparse.Namespace) -> int:
    place = parse_place(args.place) if args.place else None
    settings = _settings(args, place[0] if place else None)
    config, problems = load(settings.section)
    config = replace(config, max_wait_ms=0)
    source = resolve(config.chosen_model())
    print(f"midfill {version('midfill')}, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    print(f"settings: {settings.source}")
    for problem in problems:
        print(f"settings: {problem}")
    is_well = _of_server(config) if config.engine.url else _of_model_process(config, source)
    print(f"files: {codings_in_words(workspace_of(place[0] if place else Path.cwd() / 'any'))}")
    if place is not None:
        _explain(settings, *place)
    return 0 if is_well else 1


def _of_server(config: Config) -> bool:
    """What is known of the server that answers instead of the local model: whether it completes."""
    print(f"engine: code leaves this machine, and is sent to {host_of(config.engine.url)} (engine.url)")
    alone = replace(config, engine=replace(config.engine, fallback=False))
    try:
        print(f"server: {asyncio.run(_server_in_words(alone))}")
        return _completes(alone)
    except ModelError as error:
        print(f"server: {error}")
        return False
    finally:
        then = f"{config.chosen_model()} answers here instead" if config.engine.fallback else "nothing is suggested"
        print(f"while it is away: {then} (engine.fallback)")


async def _server_in_words(config: Config) -> str:
    async with ready_engine(config, lambda state: None) as client:
        return client.describe()


def _of_model_process(config: Config, source: ModelSource) -> bool:
    """What is known of the model on this machine: whether it completes."""
    print("engine: the model on this machine; no code leaves it")
    cache = cache_dir()
    nearest = next(folder for folder in (cache, *cache.parents) if folder.exists())
    print(f"cache: {cache} ({shutil.disk_usage(nearest).free / 1e9:.0f} GB free)")
    cached = source.row is None or fetch.is_cached(source.row)
    print(
        f"model: {source.model_id}, {'on this machine' if cached else 'not downloaded; it is fetched when first used'}"
    )
    print(f"store: {_store(source)}")
    print(f"kernels: {_kernels(source)}")
    if config.device == "cuda" and (why := extras.lack("cuda", "an NVIDIA card")):
        print(f"device: the processor: {why}")
    is_running = asyncio.run(answers(socket_path(config.engine_settings())))
    print(f"model process: {'running' if is_running else 'not running; starting it'}")
    is_well = _completes(config)
    print(f"machine: {asyncio.run(machine.measured_in_words(config))}")
    print(f"event loop: {_event_loop(config.chosen_model())}")
    return is_well


def _completes(config: Config) -> bool:
    """Ask for one completion, and show it."""
    completion = asyncio.run(complete_once(config, Path("probe.py"), _PROBE, len(_PROBE), None))
    total = completion.timings_ms.get("total", 0.0)
    nothing = "" if completion.text else f": {completion.reason}"
    print(f"test completion: {_PROBE.splitlines()[-1].strip()}{completion.text!r} in {total:.0f} ms{nothing}")
    return bool(completion.text)


def _store(source: ModelSource) -> str:
    if newest_store(source.model_id):
        return "ready"
    extra = "transformers" if source.path is not None and foreign_reason(source.path) else "quantize"
    return f"not made yet; {extras.lack(extra, 'quantizing') or 'quantizing takes about a minute'}"


def _kernels(source: ModelSource) -> str:
    from model.native import binding

    if source.path is not None and (why := foreign_reason(source.path)):
        return f"transformers, slower: {why}"
    if name := binding.kernel_name():
        return name
    why = extras.lack("quantize", "running without them")
    name, why = ("none", f"; {why}") if why else ("torch", "")
    return f"{name} (the native extension was not built: is there a C++ compiler?){why}"


def _event_loop(model: str) -> str:
    """How long a server of its own is blocked while a user types; takes some seconds."""
    try:
        return typing_check.in_words(asyncio.run(typing_check.stalls_while_typing(model)))
    except ServerFailed as error:
        return f"not measured: {error}"


def _settings(args: argparse.Namespace, file: Path | None) -> Settings:
    """The settings that hold: those given, else those of the file's workspace; with the model that is given."""
    root = workspace_of(file) if file is not None else Path.cwd()
    found = given(args.config) if args.config else of_workspace(root)
    return found if args.model is None else replace(found, section={**found.section, "model": args.model})


def _explain(settings: Settings, file: Path, text: str, cursor: int) -> None:
    """Why an editor would show something, or nothing, at a place."""
    try:
        answers = asyncio.run(answers_at(file, text, cursor, settings.section))
    except ServerFailed as error:
        print(f"at this place: nobody could be asked: {error}")
        return
    for line in in_words(answers):
        print(line)


def _status(args: argparse.Namespace) -> int:
    config = replace(Config(), model=args.model)
    resolve(config.chosen_model())  # one that nobody knows is an error

    async def ask() -> int:
        async with ready_engine(config, lambda state: None, may_start=False) as client:
            print(describe(client.state, None, enabled=True))
            print(machine.in_words(config, machine.remembered(config), client))
            daemon = await client.daemon_status()
            for name, value in facts_of(daemon).items() if daemon else ():
                print(f"  {name}: {value}")
        return 0

    try:
        return asyncio.run(ask())
    except ModelError as error:
        print(error)
        return 1


def _stop(args: argparse.Namespace) -> int:
    if args.model is None:
        paths = sorted(runtime_dir().glob("*.sock"))  # of other versions of midfill, too
    else:
        paths = [socket_path(replace(Config(), model=args.model).engine_settings())]

    async def stop() -> int:
        return sum(await asyncio.gather(*map(EngineClient.stop_daemon, paths)))

    stopped = asyncio.run(stop())
    words = "1 model process was" if stopped == 1 else f"{stopped} model processes were"
    print(f"{words} asked to leave" if stopped else "no model process is running", file=sys.stderr)
    return 0
