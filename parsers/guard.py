"""Keeps grammars out of a process that must not die: texts are parsed, and trees asked, in children (`guard_child`).

Called by the server, the index worker and the commands as they start (`Guard.install`); from then on `parse` gives
trees of this module. Blocking: for worker threads.

A text that is seen for the first time is parsed by a *scout* first, which may take a second for it. Only what has
passed comes to the *home* child, which holds the trees of what is being typed: an edit has a tenth of a second there.
So a grammar that crashes or hangs costs its own document: other documents' trees are elsewhere, or are parsed
again within milliseconds. Times are processor time.

Rules: a question is always answered. A text that a child of its own dies of, or that takes too long, is plain text
from then on, and so is every later version of its document; it is remembered by content (`refusals`). One thread talks
to a child at a time.
"""

import itertools
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cattrs.errors import BaseValidationError

from parsers.guard_lanes import Died, Lane
from parsers.guard_wire import Request, plain, unpacked
from parsers.languages import by_id
from parsers.parse import PlainTree, Question, SyntaxTree, has_grammar, parse_elsewhere
from parsers.refusals import Refusals

log = logging.getLogger(__name__)

# Seconds of processor time. Texts of half a megabyte take .15 s, an edit in one of 100 kB 3 to 25 ms.
FIRST_SIGHT_S, EDIT_S = 1.0, 0.1
# Beyond these sizes they grow with the text: an edit in 1.5 MB of C++ takes 190 ms, of Markdown 270.
_LARGE_BYTES, _LARGE_BYTES_FOR_EDITS = 500_000, 200_000
# Of a question: for an automatic request (checking a suggestion may take two dozen parses), and over a whole file.
ANSWER_S, SLOW_ANSWER_S = 1.0, 5.0
# Children that look at new texts and answer slow questions; the second is started where the first is busy.
_MAX_SCOUTS = 2
# Children that a document may cost although none that is its own dies of it: there are texts that hang as edits only.
_MAX_LOSSES = 3


@dataclass(slots=True)
class Lineage:
    """A document as the guard knows it: all trees that came of one text by edits."""

    refused: str = ""
    trusted: bool = False  # its last text has been parsed without harm
    n_lost: int = 0  # children
    told: bool = False  # a question that failed


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
        return question.function(PlainTree(self.language, self.source), *args)

    def successor(self, source: bytes) -> SyntaxTree:
        """The tree of an edited text, not parsed yet."""
        return self.guard.tree(self.language, source, self.lineage, self.key)

    def release(self) -> None:
        """Start the children anew that are idle."""
        self.guard.renew()

    def settle(self) -> "GuardedTree":
        """Parse it now, so that the next edit finds it; itself."""
        self.guard.answer(self, None, ())
        return self


class Guard:
    """The children of one process."""

    def __init__(self, modules: Sequence[str] = (), refusals: Refusals | None = None) -> None:
        """`modules` are those with questions, besides the ones of `parsers`."""
        asked = ("parsers.scope", "parsers.outline", "parsers.chunks", *modules)
        self._command = [sys.executable, "-I", "-m", "parsers.guard_child", *asked]
        self._refusals = refusals or Refusals(None)
        self._home, self._scouts = Lane(self._command, 1), Lane(self._command, _MAX_SCOUTS)
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
        for lane in (self._home, self._scouts):
            if lane.renew():
                lane.warm()

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
            request = _request(tree, question, args) if is_home or is_slow else _request(tree, None, ())
            try:
                reply = (self._home if is_home else self._scouts).call(request, tree.source)
            except Died as died:
                if not self._closed:
                    self._lost(tree, request, died, is_home)
                continue
            except OSError as error:  # no process can be started
                log.warning("no grammar can be asked: %s", error)
                break
            lineage.trusted = True
            if not (is_home or is_slow):  # the scout has seen it: now at home
                continue
            if question is None:
                return None
            try:
                if reply.kind == "ok":
                    return unpacked(question, reply.value)
                problem = reply.value
            except (BaseValidationError, ValueError, TypeError, KeyError) as error:
                problem = error
            if not lineage.told:
                lineage.told = True
                log.warning("%s takes a %s text for plain text: %s", question.name, tree.language, problem)
            break
        return None if question is None else tree.ask_as_plain(question, args)

    def _lost(self, tree: GuardedTree, request: Request, died: Died, is_home: bool) -> None:
        """A child ended: refuse the text if it is to blame.

        It is where it took too long, and where a child of its own dies of it, too. A shared one may have died of what
        another text broke in it.
        """
        lineage = tree.lineage
        lineage.n_lost += 1
        lineage.trusted = False
        if is_home or not died.is_slow:
            verdict = self._trial(tree, request)
            if verdict is None and lineage.n_lost < _MAX_LOSSES:
                return
            died = verdict or died
        lineage.refused = f"the grammar of {by_id(tree.language).name} {died}"
        log.warning("a text of %d bytes is plain text from now on: %s", len(tree.source), lineage.refused)
        self._refusals.add(tree.language, tree.source, lineage.refused)

    def _trial(self, tree: GuardedTree, request: Request) -> Died | None:
        """How a child that has seen nothing else ends over a request; None where it does not."""
        lane = Lane(self._command, 1)
        try:
            lane.call(request, tree.source)
            return None
        except Died as died:
            return died
        except OSError:  # no process can be started
            return None
        finally:
            lane.close()


def _request(tree: GuardedTree, question: Question | None, args: tuple[Any, ...]) -> Request:
    share, edit_share = (max(1.0, len(tree.source) / n) for n in (_LARGE_BYTES, _LARGE_BYTES_FOR_EDITS))
    return Request(
        key=tree.key,
        base=tree.base,
        language=tree.language,
        source=None,
        question="" if question is None else question.name,
        args=plain(args),
        first_s=FIRST_SIGHT_S * share,
        edit_s=EDIT_S * edit_share,
        answer_s=(SLOW_ANSWER_S if question is not None and question.is_slow else ANSWER_S) * share,
    )
