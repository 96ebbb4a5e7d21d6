"""The `midfill` command: models, a completion in the terminal, doctor, statistics, evals and benchmarks.

Rules: bad input gets one line on standard error and exit code 2, never a traceback. A reader of our output that leaves
early gets what it has read, and nothing is said. All but `isolation` is imported in functions, after it.
"""

import sys

from lsp_server.isolation import isolate


class UsageError(Exception):
    """What the user asked for makes no sense; the message says why."""


# As shells tell of a program that SIGPIPE ended.
_PIPE_CLOSED = 141


def main(argv: list[str] | None = None) -> int:
    """Entry point of the `midfill` script; with arguments of its own, as the tests call it, in this very process."""
    if argv is None:
        isolate("lsp_server.cli")
    from lsp_server.output import to_nowhere

    try:
        try:
            return _run(sys.argv[1:] if argv is None else argv)
        finally:
            sys.stdout.flush()  # not as the interpreter ends, where nobody hears of it
    except BrokenPipeError:  # who reads our output has enough of it (`| head -1`)
        to_nowhere(sys.stdout)
        return _PIPE_CLOSED


def _run(arguments: list[str]) -> int:
    import argparse
    import importlib
    import io
    from importlib.metadata import version

    from lsp_server.cli import (
        cache,
        complete,
        context,
        doctor,
        model,
        outline,
        stats,
        why,
    )
    from lsp_server.cli.settings_in_force import BadSettings
    from lsp_server.grammars import kept_out
    from lsp_server.usage.history import BrokenHistory
    from model.library.catalog import ModelError

    if arguments[:1] in (["eval"], ["bench"]):  # they import torch and have a command line of their own
        return int(importlib.import_module("evals.cli").main(arguments))
    if arguments[:1] == ["tune"]:  # as above
        try:
            tuning = importlib.import_module("tuning.cli")
        except ModuleNotFoundError as error:
            print(f'midfill: tune needs {error.name}: pip install "midfill[tune]"', file=sys.stderr)
            return 2
        return int(tuning.main(arguments[1:]))
    parser = argparse.ArgumentParser(prog="midfill", description="Local code completion: models, checks and evals")
    parser.add_argument("--version", action="version", version=f"midfill {version('midfill')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    model.add_parser(commands)
    complete.add_parser(commands)
    context.add_parser(commands)
    cache.add_parser(commands)
    doctor.add_parser(commands)
    outline.add_parser(commands)
    stats.add_parser(commands)
    why.add_parser(commands)
    for name, text in (
        ("eval", "score the model (midfill eval --help)"),
        ("bench", "measure speed beside llama.cpp"),
        ("tune", "teach the model your code (midfill tune --help)"),
    ):
        commands.add_parser(name, help=text)
    args = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name may be no text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with kept_out():
            return int(args.run(args))
    except BrokenPipeError:
        raise
    except (ModelError, UsageError, BrokenHistory, BadSettings, complete.BadPlace, OSError) as error:
        print(f"midfill: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
