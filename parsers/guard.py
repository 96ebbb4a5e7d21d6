"""Keeps grammars out of a process that must not die: texts are parsed, and trees asked, in children (`guard_child`).

Called by the server, the index worker and the commands as they start (`Guard.install`); from then on `parse` gives
trees of this module. Blocking: for worker threads.

A text that is seen for the first time is parsed by a *scout* first, which may take a second for it. Only what has
passed comes to the *home* child, which holds the trees of what is being typed: an edit has a tenth of a second there.
So a grammar that crashes or hangs costs its own document: other documents' trees are elsewhere, or are parsed
again within milliseconds. Times are processor time.

Rules: a question is always answered. A text that ends its child twice, or takes too long, is plain text from then
on, and so is every later version of its document; it is remembered by content (`refusals`). One thread talks to
a child at a time.
"""

import itertools
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgpack

from parsers.guard_wire import MAX_MESSAGE_BYTES, Reply, Request, plain, unpacked
from parsers.languages import by_id
from parsers.parse import Question, SyntaxTree, has_grammar, parse_elsewhere
from parsers.refusals import Refusals

log = logging.getLogger(__name__)

# Seconds of processor time. Texts of half a megabyte take .15 s, an edit in one of 100 kB 3 to 25 ms.
FIRST_SIGHT_S, EDIT_S = 1.0, 0.1
# Beyond these sizes they grow with the text: an edit in 1.5 MB of C++ takes 190 ms, of Markdown 270.
_LARGE_BYTES, _LARGE_BYTES_FOR_EDITS = 500_000, 200_000
# Of a question: while somebody types (checking a suggestion may take two dozen parses), and over a whole file.
ANSWER_S, SLOW_ANSWER_S = 1.0, 5.0
# Children that look at new texts and answer slow questions; the second is started where the first is busy.
_MAX_SCOUTS = 2
# Of a document, before its text is taken for hostile: a child may die of what another text broke.
_MAX_LOSSES = 2
_READ_BYTES = 1 << 18
# Without setitimer (Windows) wall time has to do.
_WALL_FACTOR = 3.0


@dataclass(slots=True)
class Lineage:
    """A document as the guard knows it: all trees that came of one text by edits."""

    refused: str = ""
    trusted: bool = False  # its last text has been parsed without harm
    n_lost: int = 0  # children
    told: bool = False  # a question that failed


class _Died(Exception):
    """The child ended over a request."""

    def __init__(self, reason: str, *, is_slow: bool) -> None:
        super().__init__(reason)
        self.is_slow = is_slow


@dataclass(frozen=True, slots=True)
class GuardedTree(SyntaxTree):
    """A tree that lives in a child, or will when it is first asked."""

    key: int
    base: int
    lineage: Lineage
    guard: "Guard"
    answers: dict[tuple[Any, ...], Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def root(self) -> Any:
        """Its nodes are in another process."""
        raise TypeError("the tree is in another process: ask it a question (parsers.parse.question)")

    @property
    def is_parsed(self) -> bool:
        """Whether there is more to go by than plain text, as far as is known."""
        return not self.lineage.refused and has_grammar(self.language, self.source)

    @property
    def refused(self) -> str:
        """Why a text with a grammar is plain text."""
        return self.lineage.refused

    def ask(self, question: Question, *args: Any) -> Any:
        """The answer of the child; that of plain text where there is none."""
        known = (question.name, *args)
        if known not in self.answers:
            self.answers[known] = self.guard.answer(self, question, args)
        return self.answers[known]

    def ask_as_plain(self, question: Question, args: tuple[Any, ...]) -> Any:
        """What plain text would answer; no grammar runs."""
        return question.function(SyntaxTree(self.language, self.source, None), *args)

    def successor(self, source: bytes) -> SyntaxTree:
        """The tree of an edited text, not parsed yet."""
        return self.guard.tree(self.language, source, self.lineage, self.key)

    def settle(self) -> "GuardedTree":
        """Parse it now, so that the next edit finds it; itself."""
        self.guard.answer(self, None, ())
        return self


class Guard:
    """The children of one process."""

    def __init__(self, modules: Sequence[str] = (), refusals: Refusals | None = None) -> None:
        """`modules` are those with questions, besides the ones of `parsers`."""
        command = [sys.executable, "-I", "-m", "parsers.guard_child", "parsers.outline", "parsers.chunks"]
        command += ["parsers.scope", *modules]
        self._refusals = refusals or Refusals(None)
        self._home, self._scouts = _Lane(command, 1), _Lane(command, _MAX_SCOUTS)
        self._keys = itertools.count(1)
        self._closed = False

    def install(self) -> None:
        """Have all texts of this process parsed by the guard."""
        parse_elsewhere(self.first)

    def warm(self) -> None:
        """Start the children that the first text needs."""
        self._home.warm()
        self._scouts.warm()

    def renew(self) -> None:
        """Start the idle children anew: what they hold of a large text that was closed goes with them."""
        self._home.renew()
        self._scouts.renew()

    def close(self) -> None:
        """End the children for good; what is asked later, or waits for an answer, is answered as by plain text.

        New texts are parsed by this process again.
        """
        self._closed = True
        parse_elsewhere(None)
        self._home.close()
        self._scouts.close()

    @property
    def pids(self) -> list[int]:
        """Process ids of the children that live: the home child, then the scouts."""
        return [child.pid for lane in (self._home, self._scouts) for child in lane.children]

    @property
    def n_died(self) -> int:
        """How many children ended over a text."""
        return self._home.n_died + self._scouts.n_died

    def first(self, language: str, source: bytes) -> SyntaxTree:
        """The tree of a text that came of no other, not parsed yet."""
        if not has_grammar(language, source):
            return SyntaxTree(language, source, None)
        return self.tree(language, source, Lineage(refused=self._refusals.reason(language, source)), 0)

    def tree(self, language: str, source: bytes, lineage: Lineage, base: int) -> SyntaxTree:
        """A tree, not parsed yet."""
        return GuardedTree(language, source, None, next(self._keys), base, lineage, self)

    def answer(self, tree: GuardedTree, question: Question | None, args: tuple[Any, ...]) -> Any:
        """What a child says, and plain text where no child can; `question` None: only parse."""
        lineage = tree.lineage
        is_slow = question is not None and question.is_slow
        while tree.is_parsed and not self._closed:
            is_home = not is_slow and lineage.trusted
            try:
                reply = self._call(tree, question if is_home or is_slow else None, args, is_home)
            except _Died as died:
                if not self._closed:
                    self._lost(tree, died, is_home)
                continue
            except OSError as error:  # no process can be started
                log.warning("no grammar can be asked: %s", error)
                break
            lineage.trusted = True
            if not (is_home or is_slow):  # the scout has seen it: now at home
                continue
            if reply.kind == "ok":
                return None if question is None else unpacked(question, reply.value)
            if not lineage.told:
                lineage.told = True
                log.warning("a %s text is taken for plain text by %s: %s", tree.language, question, reply.value)
            break
        return None if question is None else tree.ask_as_plain(question, args)

    def _call(self, tree: GuardedTree, question: Question | None, args: tuple[Any, ...], is_home: bool) -> Reply:
        is_slow = question is not None and question.is_slow
        share, edit_share = (max(1.0, len(tree.source) / n) for n in (_LARGE_BYTES, _LARGE_BYTES_FOR_EDITS))
        request = Request(
            key=tree.key,
            base=tree.base,
            language=tree.language,
            source=None,
            question="" if question is None else question.name,
            args=plain(args) if question is not None else [],
            first_s=FIRST_SIGHT_S * share,
            edit_s=EDIT_S * edit_share,
            answer_s=(SLOW_ANSWER_S if is_slow else ANSWER_S) * share,
        )
        return (self._home if is_home else self._scouts).call(request, tree.source)

    def _lost(self, tree: GuardedTree, died: _Died, is_home: bool) -> None:
        """A child ended: look at the text once more from the beginning, or refuse it."""
        lineage = tree.lineage
        lineage.n_lost += 1
        lineage.trusted = False
        if lineage.n_lost < _MAX_LOSSES and (is_home or not died.is_slow):
            return
        lineage.refused = f"the grammar of {by_id(tree.language).name} {died}"
        log.warning("a text of %d bytes is plain text from now on: %s", len(tree.source), lineage.refused)
        self._refusals.add(tree.language, tree.source, lineage.refused)


class _Child:
    """One process. For one caller at a time."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=os.sep, bufsize=0
        )
        self._replies = msgpack.Unpacker(max_buffer_size=MAX_MESSAGE_BYTES, strict_map_key=False)
        self.sent: set[int] = set()  # keys of trees that it has, or had

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def call(self, request: Request, source: bytes) -> Reply:
        """Send a request, with the source where the child does not know the tree; _Died when it ends over it."""
        if request.key not in self.sent:
            request = request._replace(source=source)
        reply = self._exchange(request)
        if reply.kind == "unknown":
            reply = self._exchange(request._replace(source=source))
        self.sent.add(request.key)
        return reply

    def _exchange(self, request: Request) -> Reply:
        timer = self._bound(request)
        try:
            self._write(msgpack.packb(tuple(request)))
            return self._read()
        except (BrokenPipeError, ConnectionResetError):
            raise self._death(request) from None
        finally:
            if timer is not None:
                timer.cancel()

    def _bound(self, request: Request) -> threading.Timer | None:
        """Where the kernel does not end a child that takes too long, a timer does."""
        if hasattr(signal, "setitimer"):
            return None
        timer = threading.Timer(_WALL_FACTOR * (request.first_s + request.answer_s), self._process.kill)
        timer.daemon = True
        timer.start()
        return timer

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        left = memoryview(data)
        while left:
            left = left[self._process.stdin.write(left) or 0 :]

    def _read(self) -> Reply:
        assert self._process.stdout is not None
        while True:
            for fields in self._replies:
                return Reply(*fields)
            data = self._process.stdout.read(_READ_BYTES)
            if not data:
                raise BrokenPipeError
            self._replies.feed(data)

    def _death(self, request: Request) -> _Died:
        code = self._process.wait()
        if code == -getattr(signal, "SIGPROF", 0) or not hasattr(signal, "setitimer"):
            return _Died("takes too long for it", is_slow=True)
        return _Died(f"crashes on it ({_signal_name(code)})", is_slow=False)

    def kill(self) -> None:
        """End it whatever it does; who waits for its answer sees it die."""
        self._process.kill()

    def end(self) -> None:
        """End it, and let go of it."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()


def _signal_name(code: int) -> str:
    return signal.Signals(-code).name if -code in set(signal.Signals) else f"code {code}"


class _Lane:
    """Up to `most` children of one purpose, started as they are needed."""

    def __init__(self, command: Sequence[str], most: int) -> None:
        self._command, self._most = command, most
        self._free = threading.Condition()
        self._idle: list[_Child] = []
        self._busy: list[_Child] = []
        self._n_starting = 0
        self.n_died = 0

    @property
    def children(self) -> list[_Child]:
        """All that live."""
        with self._free:
            return [*self._idle, *self._busy]

    def call(self, request: Request, source: bytes) -> Reply:
        """Have an idle child answer, one that knows the text if there is one; waits for one."""
        child = self._take(request)
        try:
            reply = child.call(request, source)
        except BaseException:
            child.end()
            with self._free:
                self.n_died += 1
                self._busy.remove(child)
                self._free.notify()
            raise
        with self._free:
            self._busy.remove(child)
            self._idle.append(child)
            self._free.notify()
        return reply

    def _take(self, request: Request) -> _Child:
        with self._free:
            while not self._idle and len(self._busy) + self._n_starting >= self._most:
                self._free.wait()
            if self._idle:
                known = [child for child in self._idle if {request.key, request.base} & child.sent]
                child = (known or self._idle)[-1]
                self._idle.remove(child)
                self._busy.append(child)
                return child
            self._n_starting += 1
        return self._start(self._busy)

    def _start(self, place: list[_Child]) -> _Child:
        """Start a child that was counted already."""
        try:
            child = _Child(self._command)
        except BaseException:
            with self._free:
                self._n_starting -= 1
                self._free.notify()
            raise
        with self._free:
            self._n_starting -= 1
            place.append(child)
            self._free.notify()
        return child

    def warm(self) -> None:
        """Start the first child ahead of its first request."""
        with self._free:
            if self._idle or self._busy or self._n_starting:
                return
            self._n_starting += 1
        self._start(self._idle)

    def renew(self) -> None:
        """End the idle children; the next request starts another."""
        with self._free:
            ended, self._idle = self._idle, []
        for child in ended:
            child.end()

    def close(self) -> None:
        """End all children, also in the middle of an answer."""
        self.renew()
        for child in self.children:
            child.kill()
