"""One request's work as a generator: prefill what is not cached, then decode greedily, guessing ahead.

Each decode step runs the pending token and a draft of what may follow; drafted tokens are kept as long as
they are what the model itself would have picked. With the native kernels, where a token's scores do not
depend on what is beside it, the output is plain greedy decoding bit for bit; otherwise every token is still
the best of its own verifying forward.

Rules: yields between layers, holds no clock, knows no other request. `session.ids` names valid slots only:
a rejected draft is cut off before anything else sees the session. Drafting waits while bytes are outstanding.
"""

from array import array
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import torch

from model.decoder import Decoder
from model.kv import Inflight, Session, Span
from model.sampler import ByteTable, pick
from model.speculate import Drafter

# Tokens per prefill step: a smaller chunk is kept sooner when its request is cancelled.
CHUNK_TOKENS = 256
# Of the prompt's end, remembered with a suggestion, so that the next prompt's end can be found in it.
_SUGGESTION_CONTEXT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to generate. `warm` requests only fill the KV and give way to every other request."""

    key: object  # unique; names the request in the scheduler's `cancel`
    session: str
    prompt: "array[int]"
    heal: bytes
    stop_token_ids: frozenset[int]
    max_tokens: int  # of each candidate
    warm: bool
    n_candidates: int = 1
    speculate: bool = True
    on_prefilled: Callable[["Finished"], None]  # the counters so far, once the prompt is done
    on_token: Callable[[int, int, float], None]  # candidate, id, log-probability
    on_finished: Callable[["Finished"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The end of a request, with the counters that `midfill/status` and the tests read."""

    finish: str  # "stop", "length", "cancelled", "superseded", "failed"
    error: str
    n_prompt: int
    n_cached: int
    n_computed: int
    n_generated: int
    n_drafted: int
    n_accepted: int
    queue_ms: float
    prefill_ms: float
    decode_ms: float


@dataclass(slots=True)
class _Candidate:
    index: int
    tokens: "array[int]"
    outstanding: bytes


@dataclass(slots=True)
class Generation:
    """The state of one request's work. `table` gives the byte table, made at its first use."""

    decoder: Decoder
    table: Callable[[], ByteTable]
    session: Session
    request: Request
    n_cached: int = 0
    n_computed: int = 0
    n_generated: int = 0
    drafter: Drafter = field(default_factory=Drafter)

    def prefill(self) -> Generator[None, None, torch.Tensor]:
        """Compute the prompt from where the session's tokens end; returns the last chunk's hidden states."""
        prompt, session = self.request.prompt, self.session
        self.n_cached = session.reuse(prompt)
        hidden: torch.Tensor | None = None
        while hidden is None or len(session.ids) < len(prompt):
            begin = len(session.ids)
            if session.inflight is not None:  # begun for an earlier request: these are our tokens too
                chunk = session.inflight.ids
            else:
                chunk = prompt[begin : begin + CHUNK_TOKENS]
            hidden = yield from self._forward(chunk)
            self.n_computed += len(chunk)
        return hidden

    def decode(self, hidden: torch.Tensor) -> Generator[None, None, str]:
        """Generate from the prompt's last hidden states; returns how it finished, "stop" or "length"."""
        request, session = self.request, self.session
        if request.max_tokens == 0:
            return "length"
        if request.n_candidates > 1:
            return (yield from self._decode_candidates(hidden[-1:]))
        self.drafter = Drafter(session.suggestion)
        session.suggestion = request.prompt[-_SUGGESTION_CONTEXT:]
        token = yield from self._heal(hidden[-1:])
        while token is not None and self.n_generated < request.max_tokens:
            begin = len(session.ids)
            draft = array("I")
            if request.speculate:
                text = session.ids + array("I", [token])
                draft = self.drafter.propose(text, request.max_tokens - self.n_generated - 1)
            hidden = yield from self._forward(array("I", [token, *draft]))
            best = self.decoder.greedy(hidden)
            n_right = next((i for i, guess in enumerate(draft) if best[i][0] != guess), len(draft))
            del session.ids[begin + 1 + n_right :]
            self.drafter.verified(len(draft), n_right)
            token = self._deliver(best[: n_right + 1])
        return "stop" if token is None else "length"

    def _heal(self, hidden: torch.Tensor) -> Generator[None, None, int | None]:
        """The first token that is free of the outstanding bytes, or the last that spells them; None to stop."""
        outstanding = self.request.heal
        while True:
            if outstanding:
                best = [pick(self.decoder.logits(hidden)[0], self.table().allowed(outstanding))]
            else:
                best = self.decoder.greedy(hidden)
            token = self._deliver(best)
            outstanding = outstanding[len(self.table()[best[0][0]]) :] if outstanding else b""
            if token is None or not outstanding or self.n_generated == self.request.max_tokens:
                return token
            hidden = (yield from self._forward(array("I", [token])))[-1:]

    def _deliver(self, best: list[tuple[int, float]]) -> int | None:
        """Hand out tokens with their log-probabilities; returns the last one, or None at a stop token."""
        for token, logprob in best:
            if token in self.request.stop_token_ids:
                return None
            self.n_generated += 1
            self.session.suggestion.append(token)
            self.request.on_token(0, token, logprob)
        return best[-1][0]

    def _decode_candidates(self, hidden: torch.Tensor) -> Generator[None, None, str]:
        """Decode the most probable beginnings side by side: one batch, one copy of the prompt's keys and values.

        hidden: (1, hidden), the prompt's last. Candidate c writes its own slots behind the prompt; those of
        the first stay with the session, as if it had been generated alone.
        """
        request, session = self.request, self.session
        live = self._beginnings(hidden)
        self.n_generated = len(live)
        first, n_prompt = live[0], len(session.ids)
        for n in range(request.max_tokens - 1):
            if not live:
                break
            starts = [n_prompt + candidate.index * request.max_tokens for candidate in live]
            hidden = yield from self.decoder.forward(
                torch.tensor([candidate.tokens[-1] for candidate in live]),
                torch.full((len(live),), n_prompt + n),
                session.kv,
                [Span(1, ((0, n_prompt), (start, start + n)), start + n) for start in starts],
            )
            live = [candidate for row, candidate in enumerate(live) if self._extend(candidate, hidden[row : row + 1])]
        session.ids.extend(first.tokens[:-1])
        session.suggestion = request.prompt[-_SUGGESTION_CONTEXT:] + first.tokens
        return "length" if live else "stop"

    def _beginnings(self, hidden: torch.Tensor) -> list["_Candidate"]:
        """The n best first tokens that are no stop, each the start of a candidate."""
        request = self.request
        logprobs = self.decoder.logits(hidden)[0].log_softmax(0)
        allowed = self.table().allowed(request.heal) if request.heal else range(len(logprobs))
        ids = torch.tensor([token for token in allowed if token not in request.stop_token_ids])
        best = ids[logprobs[ids].topk(min(request.n_candidates, len(ids))).indices].tolist()
        candidates = []
        for index, token in enumerate(best):
            outstanding = request.heal[len(self.table()[token]) :] if request.heal else b""
            candidates.append(_Candidate(index, array("I", [token]), outstanding))
            request.on_token(index, token, float(logprobs[token]))
        return candidates

    def _extend(self, candidate: "_Candidate", hidden: torch.Tensor) -> bool:
        """Append the best next token, hidden (1, hidden) being the state after the last; False at a stop."""
        if candidate.outstanding:
            token, logprob = pick(self.decoder.logits(hidden)[0], self.table().allowed(candidate.outstanding))
            candidate.outstanding = candidate.outstanding[len(self.table()[token]) :]
        else:
            ((token, logprob),) = self.decoder.greedy(hidden)
        if token in self.request.stop_token_ids:
            return False
        candidate.tokens.append(token)
        self.n_generated += 1
        self.request.on_token(candidate.index, token, logprob)
        return True

    def _forward(self, ids: "array[int]") -> Generator[None, None, torch.Tensor]:
        """Append tokens to the session, or go on with the suspended forward of these same tokens."""
        session = self.session
        if (inflight := session.inflight) is None:
            begin = len(session.ids)
            steps = self.decoder.forward(
                torch.tensor(ids, dtype=torch.int64),
                torch.arange(begin, begin + len(ids)),
                session.kv,
                [Span(len(ids), ((0, begin),), begin)],
            )
            inflight = session.inflight = Inflight(begin, ids, steps)
        while True:
            try:
                next(inflight.steps)
            except StopIteration as done:
                session.inflight = None
                session.ids.extend(inflight.ids)
                result: torch.Tensor = done.value
                return result
            except BaseException:  # the forward is spent: a later request must not go on with it
                session.inflight = None
                raise
            yield
