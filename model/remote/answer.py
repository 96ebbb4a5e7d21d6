"""One generation by a server: what is asked, and the deltas that its answer is.

An answer must begin with what the user has typed already. Where the server can be made to, it is; else it is read until
it does not, and asked anew with the typed bytes as part of the prompt.

Rules: an answer that says nothing for too long, or more than was asked for, is given up. Closing the iterator hangs up.
"""

import asyncio
import contextlib
import time
from array import array
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from completion.types import Delta, GenerationStats, Prompt
from model.remote.dialect import Abilities, Dialect, Event, Question, Said, no_score, stats_with
from model.remote.healing import agree, spelled
from model.remote.problem import Kind, RemoteProblem
from model.remote.transport import Transport, garbage, too_late
from model.remote.vocabulary import ServerTokenizer, Vocabulary

# A server may send more than one piece for a token, and one at the end.
_SPARE_PIECES = 8
# What follows the end of an answer is a few bytes, already here.
_READ_OUT_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that was probed, and is ready."""

    transport: Transport
    dialect: Dialect
    abilities: Abilities
    vocabulary: Vocabulary
    timeout_s: float


async def deltas(server: Server, prompt: Prompt) -> AsyncGenerator[Delta, None]:
    """What the server says to a prompt; RemoteProblem when it does not."""
    if prompt.target:
        async with aclosing(_scored(server, prompt)) as scored:
            async for delta in scored:
                yield delta
        return
    begins_with = _as_text(prompt.heal) if server.abilities.constraint else ""
    if not prompt.heal or begins_with:
        async with aclosing(_said(server, prompt, begins_with)) as answer:
            async for delta in answer:
                yield delta
        return
    async with aclosing(_said(server, prompt, "")) as answer:
        held, outstanding = list[Delta](), prompt.heal
        async for delta in answer:
            says = b"".join(map(server.vocabulary.tokenizer.token_bytes, delta.token_ids))
            if outstanding and says:
                if not agree(says, outstanding):
                    break
                outstanding = outstanding[len(says) :]
            held.append(delta)
            if not outstanding:
                for each in held:
                    yield each
                held = []
    if not outstanding:
        return
    typed = server.vocabulary.tokenizer.encode(_as_text(prompt.heal) or prompt.heal.decode("utf-8", "replace"))
    unhealed = replace(prompt, token_ids=prompt.token_ids + array("I", typed), heal=b"", pieces=())
    yield Delta(token_ids=tuple(typed), logprobs=(0.0,) * len(typed))
    async with aclosing(_said(server, unhealed, "")) as answer:
        async for delta in answer:
            yield delta


async def _scored(server: Server, prompt: Prompt) -> AsyncGenerator[Delta, None]:
    """The log-probabilities of a prompt's target."""
    if not server.abilities.can_score:
        raise no_score(server.transport)
    ids = [*prompt.token_ids, *prompt.target]
    values = await server.dialect.score(server.transport, server.abilities, ids, len(prompt.target))
    yield Delta(token_ids=prompt.target, logprobs=tuple(values))


async def _said(server: Server, prompt: Prompt, begins_with: str) -> AsyncGenerator[Delta, None]:
    """The deltas of one request."""
    path, body = server.dialect.request(server.abilities, _question(server, prompt, begins_with))
    asked = time.perf_counter()
    stats = GenerationStats(
        n_prompt=len(prompt.token_ids),
        n_cached=0,
        n_computed=len(prompt.token_ids),
        n_generated=0,
        queue_ms=0.0,
        prefill_ms=0.0,
        decode_ms=0.0,
    )
    outstanding, n_said, first_at, has_ended = prompt.heal, 0, 0.0, False
    async with aclosing(_events(server, path, body)) as events:
        async for event in events:
            if event.said and not first_at:
                first_at = time.perf_counter()
                stats = stats_with(replace(stats, prefill_ms=(first_at - asked) * 1e3), event)
                yield Delta(token_ids=(), logprobs=(), stats=stats)
            for said in (_understood(server, each) for each in event.said):
                n_said += 1
                if n_said > prompt.max_tokens + _SPARE_PIECES:
                    raise RemoteProblem(f"{server.transport.host} says more than it was asked for", Kind.AWAY)
                if has_ended := _stops(server, said, prompt):
                    break
                if (delta := await _delta(server, said, outstanding)) is None:
                    continue
                outstanding = outstanding[len(_bytes(server, said)) :]
                yield delta
            stats = stats_with(stats, event) if event.is_finished or event.is_end else stats
            if has_ended:
                break
    decode_ms = stats.decode_ms or ((time.perf_counter() - first_at) * 1e3 if first_at else 0.0)
    yield Delta(token_ids=(), logprobs=(), stats=replace(stats, n_generated=n_said, decode_ms=decode_ms))


async def _events(server: Server, path: str, body: dict[str, object]) -> AsyncGenerator[Event, None]:
    """The events of an answer, each in time. A server's own words for an error, or another model, are a problem."""
    host, loop = server.transport.host, asyncio.get_running_loop()
    async with aclosing(server.transport.lines(path, body)) as lines:
        deadline, is_finished = loop.time() + server.timeout_s, False
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    line = await anext(lines, None)
            except TimeoutError as error:
                raise too_late(host, server.timeout_s) from error
            if line is None and is_finished:
                return
            if line is None:
                raise RemoteProblem(f"{host} hung up in the middle of an answer", Kind.AWAY)
            try:
                event = server.dialect.event(line)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise garbage(host, path) from error
            if event is None:
                continue
            if event.error:
                raise RemoteProblem(f"{host} gave up: {event.error[:200]}", Kind.AWAY)
            if event.model and server.abilities.model and event.model != server.abilities.model:
                raise RemoteProblem(f"{host} has another model by now: {event.model}", Kind.AWAY)
            if event.said:  # what says nothing gives no more time
                deadline = loop.time() + server.timeout_s
            is_finished |= event.is_finished
            yield event
            if event.is_end:
                await _read_out(lines)
                return


async def _read_out(lines: AsyncGenerator[bytes, None]) -> None:
    """Read to the end of an answer that has ended, so that its connection can be used again."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_READ_OUT_S):
            async for _ in lines:
                pass


def _question(server: Server, prompt: Prompt, begins_with: str) -> Question:
    vocabulary = server.vocabulary
    are_ids = server.abilities.takes_ids and vocabulary.are_ids_its_own
    ends = [vocabulary.special[i] for i in prompt.stop_token_ids if i in vocabulary.special]
    return Question(
        prompt=tuple(prompt.token_ids) if are_ids else vocabulary.text_of(prompt.token_ids),
        max_tokens=max(1, prompt.max_tokens),
        stop_token_ids=prompt.stop_token_ids if vocabulary.are_ids_its_own else (),
        stop_texts=tuple(ends),
        ends_with_line=prompt.line_only,
        begins_with=begins_with,
        is_healed=bool(prompt.heal),
    )


async def _delta(server: Server, said: Said, outstanding: bytes) -> Delta | None:
    """A token as the core knows it; None for one that stands for nothing."""
    says, tokenizer = _bytes(server, said), server.vocabulary.tokenizer
    ids: tuple[int, ...]
    if said.token_id is not None and server.vocabulary.are_ids_its_own:
        ids = (said.token_id,)
    elif isinstance(tokenizer, ServerTokenizer):
        ids = tuple(await asyncio.to_thread(tokenizer.encode, says.decode("utf-8", "replace")))
    else:
        ids = tuple(tokenizer.encode(says.decode("utf-8", "replace")))
    if not ids:
        return None
    logprob = 0.0 if said.logprob is None else min(0.0, said.logprob)
    could = said.spelled if said.spelled is not None else spelled(outstanding, says, logprob, said.top)
    return Delta(token_ids=ids, logprobs=(logprob, *[0.0] * (len(ids) - 1)), spelled=could if outstanding else 0.0)


def _understood(server: Server, said: Said) -> Said:
    """A token, or its text alone where its id does not say all of that.

    llama.cpp's server holds back a token that ends within a character: the next one's text has both, its id does not.
    """
    tokenizer = server.vocabulary.tokenizer
    if said.token_id is None or said.says is None or said.token_id in server.vocabulary.special:
        return said
    if said.says.isascii() or not _as_text(said.says):  # nothing can have been held back
        if isinstance(tokenizer, ServerTokenizer):
            tokenizer.learn(said.token_id, said.says)
        return said
    known = tokenizer.token_bytes(said.token_id)
    is_all = known and (len(said.says) <= len(known) or not said.says.endswith(known))
    return said if is_all else replace(said, token_id=None)


def _bytes(server: Server, said: Said) -> bytes:
    if said.says is not None:
        return said.says
    return b"" if said.token_id is None else server.vocabulary.tokenizer.token_bytes(said.token_id)


def _stops(server: Server, said: Said, prompt: Prompt) -> bool:
    """Whether a token ends the text: it is a sentinel, or is spelled like one."""
    if said.token_id is not None and server.vocabulary.are_ids_its_own:
        return said.token_id in prompt.stop_token_ids
    return _bytes(server, said).decode("utf-8", "replace") in server.vocabulary.special.values()


def _as_text(heal: bytes) -> str:
    """What is typed, as text; "" where it is a part of a character."""
    try:
        return heal.decode("utf-8")
    except UnicodeDecodeError:
        return ""
