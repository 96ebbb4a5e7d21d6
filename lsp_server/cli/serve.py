"""`midfill serve`: the model process for other tools, over HTTP (docs/serve.md).

Rules: other addresses than this machine's own need a key, which comes from a file or from the environment and never
from the command line, where every user of the machine can read it. The packages of the extra are imported when it runs.
"""

import argparse
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from lsp_server.cli.settings_in_force import BadSettings, given, of_workspace
from lsp_server.config import Config, load
from model.library import extras
from model.library.catalog import resolve
from model.link.client import EngineClient, EngineState, Phase

KEY_VARIABLE = "MIDFILL_SERVE_KEY"
# llama.vim's own.
_PORT = 8012
_GRACE_S = 2


def add_parser(commands: Any) -> None:
    """Register `serve`."""
    parser = commands.add_parser("serve", help="serve the model to other tools over HTTP")
    parser.add_argument("--host", default="127.0.0.1", help="another than this machine's own needs a key")
    parser.add_argument("--port", type=int, default=_PORT, help=f"default: {_PORT}, llama.vim's")
    parser.add_argument("--key-file", type=Path, help=f"the key that clients send; or in {KEY_VARIABLE}")
    parser.add_argument("--model", help="instead of the settings'")
    parser.add_argument("--config", metavar="JSON|FILE", help="the editor's midfill settings")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    try:
        import uvicorn

        from lsp_server.serve.app import Service, build
        from lsp_server.serve.gate import is_loopback
    except ModuleNotFoundError:
        print(f"midfill: {extras.lack('serve', 'serving other tools')}", file=sys.stderr)
        return 2
    config = _config(args)
    model = config.chosen_model()
    source = resolve(model)  # one that nobody knows is an error
    key = _key(args.key_file)
    if key is None and not is_loopback(args.host):
        raise BadSettings(f"to serve at {args.host} takes a key: --key-file FILE, or {KEY_VARIABLE}")
    client = EngineClient(config.engine_settings(), _Told().tell)
    name = model if source.path is None else source.model_id  # a path is nobody's business
    app = build(Service(client, config, name), key)
    family = socket.AF_INET6 if ":" in args.host else socket.AF_INET
    with socket.create_server((args.host, args.port), family=family) as listening:
        host = f"[{args.host}]" if ":" in args.host else args.host
        print(f"midfill: serving {name} at http://{host}:{listening.getsockname()[1]}", file=sys.stderr)
        settings = uvicorn.Config(
            app,
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
            ws="none",
        )
        uvicorn.Server(settings).run([listening])
    return 0


def _config(args: argparse.Namespace) -> Config:
    settings = given(args.config) if args.config else of_workspace(Path.cwd())
    section = settings.section if args.model is None else {**settings.section, "model": args.model}
    config, problems = load(section)
    for problem in problems:
        print(f"midfill: settings: {problem}", file=sys.stderr)
    return replace(config, max_wait_ms=0)


def _key(file: Path | None) -> str | None:
    """The key that clients must send; None: none."""
    if file is None:
        return os.environ.get(KEY_VARIABLE, "").strip() or None
    try:
        key = file.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError as error:
        raise BadSettings(f"{file} is no text") from error
    if not key:
        raise BadSettings(f"{file} has no key in it")
    return key


class _Told:
    """Says on standard error where the model stands, each thing once."""

    def __init__(self) -> None:
        self._last = ""

    def tell(self, state: EngineState) -> None:
        """Hear of a state."""
        message = "ready" if state.phase is Phase.READY else state.message
        if message != self._last and state.fraction in (None, 0.0, 1.0):
            print(f"midfill: {message}", file=sys.stderr, flush=True)
            self._last = message
