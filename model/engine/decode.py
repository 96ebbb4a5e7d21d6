"""What comes after the prompt: one request's answer decoded greedily, guessing ahead, or its target scored.

Each decode step runs the pending token and a draft of what may follow; drafted tokens are kept as long as
they are what the model itself would have picked. With the native kernels, where a token's scores do not
depend on what is beside it, the output is plain greedy decoding bit for bit; otherwise every token is still
the best of its own verifying forward.

Rules: yields between layers. A rejected draft is forgotten before anything else sees the session. Drafting waits while
bytes are outstanding.
"""

from array import array
from collections.abc import Generator

from model.decoders.interface import States
from model.engine.candidates import decode_candidates
from model.engine.generate import Generation
from model.engine.sampler import pick
from model.engine.session import Answer
from model.engine.speculate import SUGGESTION_CONTEXT, Drafter


def decode(work: Generation, hidden: States) -> Generator[None, None, str]:
    """Generate from the prompt's last hidden states; returns how it finished, "stop" or "length"."""
    request = work.request
    if request.target:
        return _score(work, hidden[-len(request.target) :])
    if request.max_tokens == 0:
        return "length"
    if request.n_candidates > 1:
        return (yield from decode_candidates(work, hidden[-1:]))
    return (yield from _decode_one(work, hidden[-1:]))


def _decode_one(work: Generation, hidden: States) -> Generator[None, None, str]:
    request, session = work.request, work.session
    work.drafter = Drafter(session.suggestion)
    text = request.window.ids[:]
    session.suggestion = text[-SUGGESTION_CONTEXT:]
    answer = work.begin_answer(hidden)
    token = yield from _heal(work, hidden, text, answer)
    while token is not None and work.n_generated < request.max_tokens:
        draft = array("I")
        text.append(token)
        if request.speculate:
            draft = work.drafter.propose(text, request.max_tokens - work.n_generated - 1)
        begin = len(text) - 1
        hidden = yield from work.forward(begin, array("I", [token, *draft]))
        best = work.engine.decoder.greedy(hidden)
        n_right = next((i for i, guess in enumerate(draft) if best[i][0] != guess), len(draft))
        session.forget(begin + 1 + n_right, begin + 1 + len(draft))
        answer.read(array("I", [token, *draft[:n_right]]), hidden[: n_right + 1])
        text.extend(draft[:n_right])
        work.drafter.verified(len(draft), n_right)
        token = _deliver(work, best[: n_right + 1])
    return "stop" if token is None else "length"


def _score(work: Generation, hidden: States) -> str:
    """Hand out the request's target with its log-probabilities.

    hidden: (n, hidden) of the prompt's last token and of the target without its last. The session keeps what was
    read, as it does what was generated: another text to be scored may begin alike.
    """
    target = work.request.target
    for token, logprob in zip(target, work.engine.decoder.scores(hidden).logprobs(target), strict=True):
        work.request.on_token(0, token, logprob, 0.0)
    return "stop"


def _heal(work: Generation, hidden: States, text: "array[int]", answer: Answer) -> Generator[None, None, int | None]:
    """The first token that is free of the outstanding bytes, or the last that spells them; None to stop."""
    outstanding, engine = work.request.heal, work.engine
    while True:
        if outstanding:
            first, logprob, spelled = pick(engine.decoder.scores(hidden), engine.table().allowed(outstanding))
            token = _deliver(work, [(first, logprob)], spelled)
            outstanding = outstanding[len(engine.table()[first]) :]
        else:
            token = _deliver(work, engine.decoder.greedy(hidden))
        if token is None or not outstanding or work.n_generated == work.request.max_tokens:
            return token
        hidden = (yield from work.forward(len(text), array("I", [token])))[-1:]
        answer.read(array("I", [token]), hidden)
        text.append(token)


def _deliver(work: Generation, best: list[tuple[int, float]], spelled: float = 0.0) -> int | None:
    """Hand out tokens with their log-probabilities; returns the last one, or None at a stop token."""
    for token, logprob in best:
        if token in work.request.stop_token_ids:
            return None
        work.n_generated += 1
        work.session.suggestion.append(token)
        work.request.on_token(0, token, logprob, spelled)
    return best[-1][0]
