"""The `midfill` command: models, a completion in the terminal, doctor, statistics, evals and benchmarks.

`commands` has those that need no torch.

Rules: a reader of our output that leaves early gets what it has read, and nothing is said. All but `isolation` is
imported in functions, after it.
"""

import sys

from lsp_server.isolation import isolate

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
    except BrokenPipeError:  # the reader of our output has enough of it (`| head -1`)
        to_nowhere(sys.stdout)
        return _PIPE_CLOSED


def _run(arguments: list[str]) -> int:
    if arguments[:1] in (["eval"], ["bench"]):  # they import torch and have a command line of their own
        from evals.cli import main as evaluate

        return evaluate(arguments)
    if arguments[:1] == ["tune"]:  # as above
        try:
            from tuning.cli import main as tune
        except ModuleNotFoundError as error:
            print(f'midfill: tune needs {error.name}: pip install "midfill[tune]"', file=sys.stderr)
            return 2
        return tune(arguments[1:])
    from lsp_server.cli import commands

    return commands.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
