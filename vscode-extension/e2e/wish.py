"""The edits of a history as JSON, for `evening.mjs`: what a person wants to type, and the files as they are before.

usage: python vscode-extension/e2e/wish.py ./tool==v1..HEAD [KEYS]
"""

import json
import sys
from dataclasses import asdict

from evals.replay.histories import named
from evals.replay.history import read_history
from evals.typing.wish import wish_of

_SEED = 3  # others than the Neovim's session types


def main() -> int:
    """Print them."""
    (one,) = named(sys.argv[1:2])
    history = read_history(one.spec)
    wish = wish_of(history, int(sys.argv[2]) if len(sys.argv) > 2 else 300, _SEED)
    said = {"history": one.name, "language": history.language, "files": history.files, "edits": list(map(asdict, wish))}
    json.dump(said, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
