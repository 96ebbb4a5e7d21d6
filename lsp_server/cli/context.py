"""`midfill context FILE:LINE[:COL]`: the prompt window of a completion there, and why it holds what it holds.

Rules: the index is brought up to date first, with a progress bar, unless an editor keeps it. No model process is
needed: tokens are counted with the store's tokenizer, and what is warm is looked up in the block cache on disk.
"""

import argparse
import json
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from completion.context.selection import Ranked, select
from completion.prompt.layout import build_prompt, snippet_ids
from completion.prompt.segments import SegmentCache
from completion.trigger import decide
from completion.types import Prompt
from lsp_server.cli.complete import parse_place
from lsp_server.config import MAX_PROMPT_TOKENS, Config
from lsp_server.documents.file_names import shown
from lsp_server.index.build import bring_up_to_date
from lsp_server.local import request_for, store_of, workspace_of
from lsp_server.workspace.repository import Repository
from model.engine.layout import block_key, window_of
from model.library.catalog import resolve
from model.library.machine_fit import WINDOW_TOKENS
from model.library.paths import blocks_dir
from model.library.store import present_spec
from model.library.vocabulary import open_tokenizer

_SHOWN_LEFT_OUT = 8


def add_parser(commands: Any) -> None:
    """Register `context`."""
    parser = commands.add_parser("context", help="show what a completion sees of the repository, and why")
    parser.add_argument("place", metavar="FILE:LINE[:COL]", help="1-based; without COL the end of the line")
    parser.add_argument("--model", default=Config().model)
    parser.add_argument("--tokens", type=int, default=WINDOW_TOKENS, help="size of the window")
    parser.add_argument("--text", action="store_true", help="print the snippets themselves, too")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    file, text, cursor = parse_place(args.place)
    config = replace(Config(), model=args.model, max_prompt_tokens=min(args.tokens, MAX_PROMPT_TOKENS))
    model = config.chosen_model()
    store = store_of(model)
    root = workspace_of(file)
    bring_up_to_date(root, Console(stderr=True))
    request = request_for(file, text, cursor, None, root=root)
    repository = Repository.open(root)
    sources = repository.candidates(request.snapshot.path, text, cursor, request.snapshot.tree)
    repository.close()
    limits = config.limits()
    ranked = select(sources, limits.max_prompt_tokens - limits.max_file_tokens)
    chosen = [entry for entry in ranked if not entry.left_out]
    request = replace(request, snippets=tuple(entry.snippet for entry in chosen))
    tokenizer, spec = open_tokenizer(store), present_spec(store, resolve(model).row)
    cache = SegmentCache(tokenizer)
    prompt = build_prompt(spec, tokenizer, cache, limits, request, decide(request).mode)
    window = _Window(prompt, store)
    rows = [_row(entry, array("I", snippet_ids(spec, cache, entry.snippet)), window) for entry in ranked]
    if args.json:
        print(json.dumps({"tokens": len(prompt.token_ids), "items": rows}))
        return 0
    title = f"{shown(args.place)}: {len(prompt.token_ids)} of at most {limits.max_prompt_tokens} tokens, the best first"
    texts = [entry.snippet.text if args.text else "" for entry in ranked]
    Console().print(_tree(title, rows, texts))
    return 0


class _Window:
    """What of a prompt is a block, and which blocks are on disk."""

    def __init__(self, prompt: Prompt, store: Path) -> None:
        window = window_of(prompt.token_ids, prompt.pieces)
        self._header = window.ids[: window.n_header]
        self._blocks = {window.ids[part.begin : part.end].tobytes() for part in window.blocks}
        self._folders = list(blocks_dir().glob(f"{store.name}-*"))

    def state(self, ids: "array[int]") -> str:
        """ "warm" is in the window and computed, "cold" in the window; "" is what is not in it."""
        if ids.tobytes() not in self._blocks:
            return ""
        key = block_key(self._header, ids)
        return "warm" if any((folder / f"{key}.kv").exists() for folder in self._folders) else "cold"


def _row(entry: Ranked, ids: "array[int]", window: _Window) -> dict[str, Any]:
    state = window.state(ids) if not entry.left_out else ""
    return {
        "path": entry.path,
        "lines": [[first + 1, last + 1] for first, last in entry.ranges],
        "about": entry.item.about,
        "sources": list(entry.sources),
        "score": round(entry.score, 4),
        "tokens": len(ids),
        "state": state,
        "leftOut": entry.left_out or ("" if state else "no room"),
    }


def _tree(title: str, rows: list[dict[str, Any]], texts: list[str]) -> Tree:
    """Items in the window with their numbers, then the best of those left out."""
    tree = Tree(Text(title))
    shown = [(row, text) for row, text in zip(rows, texts, strict=True) if row["state"]]
    n_tokens = sum(row["tokens"] for row, _ in shown)
    n_warm = sum(row["tokens"] for row, _ in shown if row["state"] == "warm")
    inside = tree.add(f"other files: {len(shown)} items, {n_tokens} tokens, {n_warm} of them warm")
    for row, text in shown:
        branch = inside.add(_line(row))
        if text:
            branch.add(Text(text.rstrip(), style="dim"))
    left_out = [row for row in rows if not row["state"]]
    outside = tree.add(f"left out: {len(left_out)} items, the best of them")
    for row in left_out[:_SHOWN_LEFT_OUT]:
        outside.add(_line(row).append(f"  {row['leftOut']}", style="yellow"))
    return tree


def _line(row: dict[str, Any]) -> Text:
    first, last = row["lines"][0][0], row["lines"][-1][1]
    text = Text(f"{row['score']:.4f} {row['tokens']:5d} ", style="cyan")
    text.append(f"{row['state']:5}", style="green" if row["state"] == "warm" else "blue")
    text.append(f" {row['path']}:{first}-{last} ").append(row["about"], style="bold")
    return text.append(f"  {' + '.join(row['sources'])}", style="dim")
