"""The commands of `midfill` that need no torch: each module of this folder adds its own.

Rules: bad input gets one line on standard error and exit code 2, never a traceback.
"""

import argparse
import io
import sys
from importlib.metadata import version

from lsp_server.cli import cache, complete, context, doctor, model, outline, serve, stats, why
from lsp_server.cli.settings_in_force import BadSettings
from lsp_server.grammars import kept_out
from lsp_server.usage.history import BrokenHistory
from model.library.catalog import ModelError


def run(arguments: list[str]) -> int:
    """Run one; the exit code."""
    args = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name may be no text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with kept_out():
            return int(args.run(args))
    except BrokenPipeError:
        raise
    except (ModelError, BrokenHistory, BadSettings, complete.BadPlace, OSError) as error:
        print(f"midfill: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="midfill", description="Local code completion: models, checks and evals")
    parser.add_argument("--version", action="version", version=f"midfill {version('midfill')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (model, complete, context, cache, doctor, outline, serve, stats, why):
        module.add_parser(commands)
    for name, text in (
        ("eval", "score the model (midfill eval --help)"),
        ("bench", "measure speed beside llama.cpp"),
        ("tune", "teach the model your code (midfill tune --help)"),
    ):
        commands.add_parser(name, help=text)
    return parser
