"""Several answers to one prompt: the best, and others that part from it where they are most probable.

    the best first line -> the most probable other tokens anywhere in it -> each continued greedily, side by side

Where only the first token may differ, all answers are wrong together whenever what is wrong is a condition, a constant
or an argument further on (evals/LOG.md). All share the keys and values of the prompt and of what they have in common
with the best; the session keeps those of the best, as if it had been generated alone.

Rules: used by `decode` alone. Yields between layers, and the numbers are those of plain greedy decoding.
"""

import heapq
from array import array
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from model.decoders.interface import Scores, States
from model.decoders.kv import Span
from model.engine.generate import Generation
from model.engine.sampler import ByteTable
from model.engine.speculate import SUGGESTION_CONTEXT, Drafter


class _Other(NamedTuple):
    """A token that might have stood in the best line."""

    total: float  # log-probability of the line up to it, itself included
    n_before: int  # tokens of the line before it
    token: int
    logprob: float


@dataclass(slots=True)
class _Candidate:
    index: int
    n_shared: int  # of its tokens, those that the best line begins with
    tokens: "array[int]"  # behind these


@dataclass(slots=True)
class _Line:
    """The best first line so far, and what else might stand in it."""

    tokens: "array[int]" = field(default_factory=lambda: array("I"))
    logprobs: list[float] = field(default_factory=list)
    others: list[_Other] = field(default_factory=list)
    text: bytes = b""  # behind what was to be spelled
    outstanding: bytes = b""
    has_ended: bool = False  # with its line's end
    has_stopped: bool = False  # before a stop token


def decode_candidates(work: Generation, hidden: States) -> Generator[None, None, str]:
    """Generate the request's candidates from the prompt's last hidden state (1, hidden); returns how that finished."""
    request, session = work.request, work.session
    n_prompt = len(request.window.ids)
    line = yield from _best_line(work, hidden)
    session.suggestion = request.window.ids[-SUGGESTION_CONTEXT:] + line.tokens
    if not line.text:  # the bytes to spell take all the tokens there may be, or nothing else may come
        return "length"
    best = _Candidate(0, 0, line.tokens)
    live = [best] if not (line.has_stopped or (line.has_ended and request.line_only)) else []
    others = [other for other in line.others if not (request.line_only and _is_same(work.engine.table(), line, other))]
    for index, other in enumerate(heapq.nlargest(request.n_candidates - 1, others), 1):
        candidate = _Candidate(index, other.n_before, array("I"))
        for token, logprob in zip(line.tokens[: other.n_before], line.logprobs, strict=False):
            _deliver(work, index, token, logprob)
        if _append(work, candidate, other.token, other.logprob):
            live.append(candidate)
    yield from _continue(work, live)
    n_computed = n_prompt + max(0, len(best.tokens) - 1)
    attend = work.attend(n_prompt)
    more = best.tokens[len(session.ids) - n_prompt : n_computed - n_prompt]
    session.level.extend(bytes([session.level_after(attend, n_prompt)]) * len(more))
    session.ids.extend(more)
    session.suggestion = request.window.ids[-SUGGESTION_CONTEXT:] + best.tokens
    return "length" if live else "stop"


def _best_line(work: Generation, hidden: States) -> Generator[None, None, _Line]:
    """The first line of the best answer, as far as there is room; it is candidate 0, and handed out as it comes."""
    request, session = work.request, work.session
    line, text = _Line(outstanding=request.heal), request.window.ids[:]
    work.drafter, n_drafted = Drafter(session.suggestion), 0
    # The tokens of an earlier answer to this window have been run already: they are only read again.
    draft, states = session.recall(work.attend(len(text)))
    hidden = hidden if states is None else states
    answer, pending = work.begin_answer(hidden[:1]), array("I")
    while True:
        n_right, scores = 0, work.engine.decoder.scores(hidden)
        for row in range(len(scores)):
            _read(work, line, scores, row)
            is_done = line.has_ended or line.has_stopped or len(line.tokens) == request.max_tokens
            if is_done or n_right == len(draft) or line.tokens[-1] != draft[n_right]:
                break
            n_right += 1
        work.drafter.verified(n_drafted, min(n_right, n_drafted))
        session.forget(len(text) + n_right, len(text) + len(draft))
        answer.read(pending + draft[:n_right], hidden[1 - len(pending) : n_right + 1])
        if is_done:
            return line
        text = request.window.ids + line.tokens
        pending, draft = text[-1:], array("I")
        if request.speculate and not line.outstanding:
            draft = work.drafter.propose(text, request.max_tokens - len(line.tokens) - 1)
        n_drafted = len(draft)
        hidden = yield from work.forward(len(text) - 1, pending + draft)


def _read(work: Generation, line: _Line, scores: Scores, row: int) -> None:
    """Take the best token of a row into the line, and note what else could stand there."""
    request, table = work.request, work.engine.table()
    allowed = table.allowed(line.outstanding) if line.outstanding else None
    ranked = scores.best(row, request.n_candidates + len(request.stop_token_ids), allowed)
    if ranked[0][0] in request.stop_token_ids and line.text:
        line.has_stopped = True
    ranked = [(token, logprob) for token, logprob in ranked if token not in request.stop_token_ids]
    total, n_before = sum(line.logprobs), len(line.tokens)
    n_spelled = len(line.outstanding)
    if line.has_stopped or len(table[ranked[0][0]]) > n_spelled:
        others = ranked if line.has_stopped else ranked[1:]
        line.others += [
            _Other(total + logprob, n_before, token, logprob)
            for token, logprob in others
            if len(table[token]) > n_spelled and not _is_blank(request.line_only, line.text + table[token][n_spelled:])
        ]
    if line.has_stopped:
        return
    token, logprob = ranked[0]
    line.tokens.append(token)
    line.logprobs.append(logprob)
    _deliver(work, 0, token, logprob)
    new, line.outstanding = table[token][n_spelled:], line.outstanding[len(table[token]) :]
    line.text += new
    line.has_ended = b"\n" in new and (request.line_only or bool(line.text.strip()))


def _is_blank(line_only: bool, text: bytes) -> bool:
    """Whether an answer that is to be a line would end before it says anything."""
    line, end, _ = text.partition(b"\n")
    return line_only and bool(end) and not line.strip()


def _is_same(table: ByteTable, line: _Line, other: _Other) -> bool:
    """Whether the line with this token is the best one but for blanks and how it ends: `x` for `x` and a line end."""

    def text(tokens: "array[int]") -> bytes:
        return b"".join(table[token] for token in tokens).rstrip()

    return text(line.tokens[: other.n_before] + array("I", [other.token])) == text(line.tokens)


def _continue(work: Generation, live: list[_Candidate]) -> Generator[None, None, None]:
    """Decode side by side until each has ended or has all its tokens; those that have ended leave `live`."""
    request, session, decoder = work.request, work.session, work.engine.decoder
    n_prompt, n_max = len(request.window.ids), request.max_tokens
    attend = work.attend(n_prompt)
    while rows := [row for row in live if row.n_shared + len(row.tokens) < n_max]:
        places, spans = [], []
        for row in rows:
            place = n_prompt + row.n_shared + len(row.tokens) - 1
            start = n_prompt + row.index * n_max
            write = start + len(row.tokens) - 1
            places.append(place)
            spans.append(Span(1, (*attend, (n_prompt, n_prompt + row.n_shared), (start, write)), write))
        hidden = yield from decoder.forward(
            np.array([row.tokens[-1] for row in rows]), np.array(places), session.kv, spans
        )
        for row, (token, logprob) in zip(rows, decoder.greedy(hidden), strict=True):
            if token in request.stop_token_ids or not _append(work, row, token, logprob):
                live.remove(row)


def _append(work: Generation, candidate: _Candidate, token: int, logprob: float) -> bool:
    """Give a candidate its next token; False when that ends it."""
    candidate.tokens.append(token)
    _deliver(work, candidate.index, token, logprob)
    return not (work.request.line_only and b"\n" in work.engine.table()[token])


def _deliver(work: Generation, index: int, token: int, logprob: float) -> None:
    work.n_generated += 1
    work.request.on_token(index, token, logprob, 0.0)
