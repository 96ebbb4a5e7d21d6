"""The `midfill` command: models, a completion in the terminal, doctor, statistics, evals and benchmarks.

`commands` has those that need no torch.

Rules: a reader of our output that leaves early gets what it has read, and nothing is said. All but `isolation` is
imported in functions, after it.
"""

import sys

from lsp_server.isolation import isolate

# As shells tell of a program that SIGPIPE ended.
_PIPE_CLOSED = 141
# Commands with a command line of their own, and the extra that each may need.
_EXTRAS = {"eval": "eval", "bench": "eval", "tune": "tune"}


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
    word = arguments[0] if arguments else ""
    extra = _EXTRAS.get(word)
    if extra is None:
        from lsp_server.cli import commands

        return commands.run(arguments)
    from model.library.extras import PACKAGES, lack

    try:
        if extra == "tune":
            from tuning.cli import main as tune

            return tune(arguments[1:])
        from evals.cli import main as evaluate

        return evaluate(arguments)
    except ModuleNotFoundError as error:  # most suites need no more than what serves
        why = lack(extra, word)
        if not why or (error.name or "").partition(".")[0] not in PACKAGES[extra]:
            raise
        print(f"midfill: {why}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
