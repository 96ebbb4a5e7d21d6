"""`python -m tests.fuzz COMMAND`: long runs that look for what hurts; `make test` runs each in small."""

import importlib
import sys

COMMANDS = {"beside": "tests.fuzz.beside", "faults": "tests.fuzz.faults", "texts": "tests.fuzz.texts"}


def main(arguments: list[str]) -> int:
    """Hand over to a command's module; its `main` takes the other arguments."""
    if not arguments or arguments[0] not in COMMANDS:
        print(f"usage: python -m tests.fuzz {{{','.join(COMMANDS)}}} ...", file=sys.stderr)
        return 2
    return int(importlib.import_module(COMMANDS[arguments[0]]).main(arguments[1:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
