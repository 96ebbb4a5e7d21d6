"""The examples of one repository: a child process of `build`, which hands it the files on standard input.

Rules: it parses texts of strangers, so it may crash; nothing but its own file depends on it.
"""

import argparse
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from completion.context.selection import select
from completion.types import Snippet
from lsp_server.index.build import bring_up_to_date
from lsp_server.local import store_of
from lsp_server.workspace.repository import Repository
from model.library.catalog import DEFAULT_MODEL, resolve
from model.library.store import present_spec
from model.library.vocabulary import open_tokenizer
from parsers.parse import SyntaxTree
from tuning.data import example_file
from tuning.data.examples import Example, Maker, SourceText

# A file's path, how many examples of it, and of which of its lines (numbered from 0; None: of all).
Wanted = tuple[str, int, list[int] | None]


def examples_of(root: Path, source: str, wanted: Sequence[Wanted], maker: Maker) -> list[Example]:
    """Examples of files of a repository, so many of each, with snippets from its index."""
    bring_up_to_date(root, Console(stderr=True, quiet=True))
    repository = Repository.open(root)
    found: list[Example] = []
    try:
        for path, n_examples, lines in wanted:

            def retrieve(text: str, cursor: int, tree: SyntaxTree, room: int, path: str = path) -> list[Snippet]:
                ranked = select(repository.candidates(path, text, cursor, tree), room)
                return [entry.snippet for entry in ranked if not entry.left_out]

            text = (root / path).read_text(encoding="utf-8")
            file = SourceText(path=path, repo=root.name, text=text, source=f"{source}:{path}")
            found += maker.examples(file, n_examples, retrieve, None if lines is None else frozenset(lines))
    finally:
        repository.close()
    return found


def main() -> int:
    """Make one part."""
    parser = argparse.ArgumentParser(
        prog="python -m tuning.data.part", description="Make the examples of one repository"
    )
    parser.add_argument("--tree", type=Path, required=True)
    parser.add_argument("--source", required=True, help="what the list calls it")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="whose prompts")
    arguments = parser.parse_args()
    store = store_of(arguments.model)
    spec = present_spec(store, resolve(arguments.model).row)
    maker = Maker(spec=spec, tokenizer=open_tokenizer(store), rng=random.Random(arguments.source))
    found = examples_of(arguments.tree, arguments.source, json.load(sys.stdin), maker)
    # The list is part of every file: a whole path in each label would be as long as the ids.
    labels = [replace(example, source=example.source.split("@")[0]).label() for example in found]
    example_file.write(arguments.out, [e.ids for e in found], [e.target for e in found], labels)
    return 0


if __name__ == "__main__":
    sys.exit(main())
