"""What the kinds of servers have in common: what one can do, what it is asked, what it says.

A dialect is one kind of server's way to say these things over HTTP (`llamacpp`, `openai`, `ollama`).

Rules: what a server cannot do is left out of what it is asked, and never made up from what it can.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from completion.types import GenerationStats
from model.remote.problem import Kind, RemoteProblem
from model.remote.transport import Json, Transport

# So many of the likeliest tokens are asked for beside each: what they share with what is typed is known of them only.
N_TOP = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a server was found to do."""

    kind: str  # of settings.KINDS
    model: str  # its name there; "" where the server has only one and does not say
    context_tokens: int | None = None
    takes_ids: bool = False  # token ids as a prompt
    has_logprobs: bool = False
    n_top: int = 0  # of the likeliest tokens beside each
    returns_ids: bool = False  # when it is asked to, by a field of the request
    constraint: str = ""  # the request's field that makes an answer begin as it must; "": there is none
    can_score: bool = False  # log-probabilities of a given text
    can_tokenize: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A token, or a piece of text from a server that tells none; `top` are the likeliest, by what they stand for."""

    token_id: int | None
    says: bytes | None  # None: as its id says
    logprob: float | None = None
    top: tuple[tuple[bytes, float], ...] = ()
    spelled: float | None = None  # as `Delta.spelled`, from a server that tells it: `midfill serve`


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of an answer, understood."""

    said: tuple[Said, ...] = ()
    is_finished: bool = False  # no token will follow
    is_end: bool = False  # nothing will
    n_cached: int | None = None  # of the prompt's tokens, where the server says it
    prefill_ms: float | None = None
    decode_ms: float | None = None
    model: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to generate, in what the server takes."""

    prompt: Sequence[int] | str
    max_tokens: int
    stop_token_ids: tuple[int, ...]
    stop_texts: tuple[str, ...]  # how they are spelled
    ends_with_line: bool
    begins_with: str = ""  # only where there is a `constraint`
    is_healed: bool = False  # the likeliest tokens are wanted: what is typed has to be spelled


class Dialect(Protocol):
    """One kind of server. All raise RemoteProblem."""

    async def probe(self, transport: Transport, model: str) -> Abilities:
        """Find out what the server can do; `model` is the one wanted, "" for the only one."""
        ...

    def request(self, abilities: Abilities, question: Question) -> tuple[str, Json]:
        """Path and body of a request for a stream."""
        ...

    def event(self, line: bytes) -> Event | None:
        """What a line says; None for one that says nothing. ValueError, KeyError or TypeError for nonsense."""
        ...

    async def score(
        self, transport: Transport, abilities: Abilities, prompt: Sequence[int], n_last: int
    ) -> list[float]:
        """Log-probabilities of the last ids of a prompt, where `can_score`."""
        ...

    def vocabulary_request(self, abilities: Abilities, text: str, *, begun: bool) -> tuple[str, Json]:
        """Path and body of a request for the tokens of a text, sentinels in it understood; where `can_tokenize`.

        `begun`: with what the server puts before a prompt that is text.
        """
        ...

    def vocabulary_answer(self, answer: Mapping[str, Any]) -> list[tuple[int, bytes]]:
        """Ids and bytes in the answer to it."""
        ...


def no_score(transport: Transport) -> RemoteProblem:
    """A server without scoring was asked for it."""
    return RemoteProblem(f"{transport.host} cannot say how probable a given text is", Kind.REQUEST)


def chosen_model(transport: Transport, wanted: str, names: Sequence[str]) -> str:
    """The model to ask for; RemoteProblem when the server has not that one, or several and none is chosen."""
    known = f"it has {', '.join(names[:5])}{' and more' if len(names) > 5 else ''}"
    if wanted and names and wanted not in names:
        raise RemoteProblem(f"{transport.host} has no model {wanted} (engine.model); {known}", Kind.REFUSED)
    if not wanted and len(names) > 1:
        raise RemoteProblem(f"{transport.host} has several models: set engine.model; {known}", Kind.REFUSED)
    return wanted or (names[0] if names else "")


def stats_with(stats: GenerationStats, event: Event) -> GenerationStats:
    """The counters, with what an event adds to them."""
    if event.n_cached is not None:
        n_cached = min(event.n_cached, stats.n_prompt)
        stats = replace(stats, n_cached=n_cached, n_computed=stats.n_prompt - n_cached)
    if event.prefill_ms is not None:
        stats = replace(stats, prefill_ms=event.prefill_ms)
    return stats if event.decode_ms is None else replace(stats, decode_ms=event.decode_ms)
