"""`/v1/completions`, as OpenAI's clients ask: a prompt, or with `suffix` the text before and after a cursor.

Rules: what greedy decoding cannot give is refused, or named in a header as left out of account (`fields`). With `n` the
answers are the best and the next best, not samples: they part within their first line, and there may be fewer.
"""

import time
import uuid
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from completion.types import Prompt
from lsp_server.serve.assembly import SaidToken
from lsp_server.serve.fields import Fields, token_ids
from lsp_server.serve.generation import Generations, Part, Tally, Wish
from lsp_server.serve.prompts import Document, Prompts
from lsp_server.serve.refusals import bad
from lsp_server.serve.replies import DONE, Event

_MOST_STOPS, _MOST_CANDIDATES, _MOST_PROMPTS = 16, 16, 32
_MAX_TOKENS = 16  # where a client does not say: OpenAI's


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionsRequest:
    """A request that was checked; each of its prompts has `n` answers."""

    wishes: Sequence[Wish]
    n: int
    logprobs: int | None
    begins_with: str  # every answer does
    with_ids: bool
    model: str
    id: str = field(default_factory=lambda: f"cmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))
    with_usage: bool = False

    def body(self, choices: list[dict[str, Any]], **more: object) -> dict[str, Any]:
        """The object around some choices."""
        head = {"id": self.id, "object": "text_completion", "created": self.created, "model": self.model}
        return head | {"choices": choices} | more

    def choice(self, number: int, part: Part) -> dict[str, Any]:
        """A part of an answer to the prompt `number`."""
        # Who asks for ids wants all that were said, as vLLM tells them: the last may go on behind the text's end.
        tokens = part.passage.tokens + (part.passage.cut if self.with_ids else ())
        logprobs = None if self.logprobs is None else _logprobs(tokens, self.logprobs)
        if logprobs is not None and self.begins_with:
            logprobs["spelled_logprobs"] = [token.could for token in tokens]
        return {
            "index": number * self.n + part.candidate,
            "text": part.passage.text,
            "logprobs": logprobs,
            "finish_reason": part.finish or None,
            **({"token_ids": [token.id for token in tokens]} if self.with_ids else {}),
        }


def read(fields: Fields, prompts: Prompts, model: str, n_vocabulary: int) -> CompletionsRequest:
    """Check a request's fields and make its prompts; Refused where something is wrong."""
    n = fields.whole("n", 1, 1, _MOST_CANDIDATES)
    if fields.whole("best_of", n, 1, _MOST_CANDIDATES) != n:
        raise bad("best_of", "is not supported: the answers are the best as they are")
    # Greedy: the token that was chosen is the most probable one, and the only one that the engine tells of.
    logprobs = fields.whole("logprobs", 0, 0, 1) if "logprobs" in fields else None
    max_tokens = fields.whole("max_tokens", _MAX_TOKENS, 0, 1 << 20)
    stops = fields.texts("stop", _MOST_STOPS)
    begins_with = fields.begins_with()
    if begins_with and "suffix" in fields:
        raise bad("structured_outputs", "is not supported around a cursor")
    options = fields.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise bad("stream_options", "is no object")
    return CompletionsRequest(
        wishes=[
            Wish(
                prompt=replace(prompt, heal=begins_with.encode("utf-8", "replace")) if begins_with else prompt,
                max_tokens=max_tokens,
                stops=stops,
                says_begun=bool(begins_with),
                ignore_eos=fields.flag("ignore_eos"),
            )
            for prompt in _prompts(fields, prompts, max_tokens, n, n_vocabulary)
        ],
        n=n,
        logprobs=logprobs,
        begins_with=begins_with,
        with_ids=fields.flag("return_token_ids"),
        model=model,
        with_usage=bool((options or {}).get("include_usage")),
    )


def _prompts(fields: Fields, prompts: Prompts, max_tokens: int, n: int, n_vocabulary: int) -> Iterator[Prompt]:
    given = fields.get("prompt") if "prompt" in fields else ""
    is_one = not isinstance(given, list) or not given or isinstance(given[0], int)
    several: list[Any] = [given] if is_one else list(given)
    if len(several) > _MOST_PROMPTS:
        raise bad("prompt", f"has more than {_MOST_PROMPTS} prompts")
    suffix = fields.text("suffix")
    for one in several:
        if "suffix" in fields:
            if not isinstance(one, str):
                raise bad("prompt", "must be text where there is a suffix")
            yield prompts.around(Document(before=one, after=suffix), max_tokens, n, None)
        elif isinstance(one, str):
            yield prompts.own(one, max_tokens, n)
        elif isinstance(one, list):
            yield prompts.own(token_ids("prompt", one, n_vocabulary), max_tokens, n)
        else:
            raise bad("prompt", "is neither text nor token ids, nor a list of these")


async def whole(request: CompletionsRequest, generations: Generations) -> dict[str, Any]:
    """All of the answers at once."""
    choices: dict[int, dict[str, Any]] = {}
    tally = Tally()
    async with aclosing(_parts(request, generations, tally)) as parts:
        async for number, part in parts:
            more = request.choice(number, part)
            if (choice := choices.setdefault(more["index"], more)) is more:
                continue
            choice["text"] += more["text"]
            choice["finish_reason"] = more["finish_reason"]
            choice.get("token_ids", []).extend(more.get("token_ids", []))
            for name, values in (more["logprobs"] or {}).items():
                choice["logprobs"][name] += values
    ordered = sorted(choices.values(), key=lambda choice: int(choice["index"]))
    return request.body(ordered, usage=_usage(tally))


async def events(request: CompletionsRequest, generations: Generations) -> AsyncGenerator[Event, None]:
    """The answers as they come."""
    tally = Tally()
    async with aclosing(_parts(request, generations, tally)) as parts:
        async for number, part in parts:
            yield request.body([request.choice(number, part)])
    if request.with_usage:
        yield request.body([], usage=_usage(tally))
    yield DONE


async def _parts(
    request: CompletionsRequest, generations: Generations, tally: Tally
) -> AsyncGenerator[tuple[int, Part], None]:
    """Of one prompt after the other; each with its number."""
    for number, wish in enumerate(request.wishes):
        of_prompt = Tally()
        async with aclosing(generations.run(wish, of_prompt)) as parts:
            async for part in parts:
                yield number, part
        tally.add(of_prompt)


def _usage(tally: Tally) -> dict[str, Any]:
    return {
        "prompt_tokens": tally.n_prompt,
        "completion_tokens": tally.n_generated,
        "total_tokens": tally.n_prompt + tally.n_generated,
        "prompt_tokens_details": {"cached_tokens": tally.n_cached},
    }


def _logprobs(tokens: Sequence[SaidToken], n_best: int) -> dict[str, list[Any]]:
    names = [token.spelled.decode("utf-8", "replace") for token in tokens]
    return {
        "tokens": names,
        "token_logprobs": [token.logprob for token in tokens],
        "top_logprobs": [{name: token.logprob} if n_best else {} for name, token in zip(names, tokens, strict=True)],
        "text_offset": [token.offset for token in tokens],
    }
