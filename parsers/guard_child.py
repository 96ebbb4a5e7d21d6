"""The process in which grammars run for another: `python -I -m parsers.guard_child MODULE...`, modules with questions.

It reads requests on standard input and answers each on standard output, both in msgpack; `guard` is its other end.

Rules: it may die at any text, and is then started anew: nothing here is worth keeping but trees, which cost a parse.
What takes too much processor time is ended by the kernel (SIGPROF), since a hanging scanner runs no Python; wall
time is not counted, so that a busy machine refuses nobody's text. It ends when its parent does: its input ends then.
"""

import contextlib
import importlib
import os
import signal
import sys
import traceback
from collections import OrderedDict
from typing import Any

import msgpack

from parsers.guard_wire import MAX_MESSAGE_BYTES, Reply, Request, arguments, packed
from parsers.parse import QUESTIONS, SyntaxTree, parse_here

# Of texts whose trees are kept; a tree takes some ten times its text.
_MAX_SOURCE_BYTES = 4_000_000
_LEAST_TREES = 4
# More than this no honest text takes; the address space holds all grammars, which are some 200 MB of files.
_MAX_MEMORY_BYTES = 2_000_000_000


class _Trees:
    """The trees of late by key, used longest ago first."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, SyntaxTree] = OrderedDict()

    def get(self, key: int) -> SyntaxTree | None:
        """A tree that is still here."""
        if key in self._known:
            self._known.move_to_end(key)
        return self._known.get(key)

    def keep(self, key: int, tree: SyntaxTree) -> None:
        """Keep a tree, and let go of old ones."""
        self._known[key] = tree
        n_bytes = sum(len(known.source) for known in self._known.values())
        while n_bytes > _MAX_SOURCE_BYTES and len(self._known) > _LEAST_TREES:
            n_bytes -= len(self._known.popitem(last=False)[1].source)


def _answer(trees: _Trees, request: Request) -> Reply:
    tree = trees.get(request.key)
    if tree is None:
        if request.source is None:
            return Reply("unknown", None)
        base = trees.get(request.base)
        _allow(request.first_s if base is None else request.edit_s)
        tree = parse_here(request.language, request.source, base)
        trees.keep(request.key, tree)
    if not request.question:
        return Reply("ok", None)
    _allow(request.answer_s)
    try:
        question = QUESTIONS[request.question]
        return Reply("ok", packed(question, question.function(tree, *arguments(question, request.args))))
    except Exception:  # noqa: BLE001 - the traceback is the reply, and logged there
        return Reply("failed", traceback.format_exc(limit=-8))


def _allow(seconds: float) -> None:
    """So much processor time from now on; 0: as much as it takes."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _be_bound() -> None:
    """End at too much memory, and leave no core file; what the system does not offer is left out."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the parent's


def main() -> int:
    """Entry point."""
    _be_bound()
    for module in sys.argv[1:]:
        importlib.import_module(module)
    requests, replies = os.dup(0), os.dup(1)
    os.dup2(2, 1)  # what a library prints is no reply
    unpacker = msgpack.Unpacker(max_buffer_size=MAX_MESSAGE_BYTES)
    trees = _Trees()
    while data := os.read(requests, 1 << 20):
        unpacker.feed(data)
        for fields in unpacker:
            reply = _answer(trees, Request(*fields))
            _allow(0.0)
            _write(replies, msgpack.packb(tuple(reply)))
    return 0


def _write(descriptor: int, data: Any) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
