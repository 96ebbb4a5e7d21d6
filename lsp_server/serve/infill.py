"""`/infill`, as llama.vim and others ask llama.cpp's server: the text around a cursor, and passages of other files.

The prompt is the one that midfill itself sends for such a document, and not the server's: what the user types comes
last in it, and what is typed in the middle of a word is spelled anew.

Rules: `n_predict` 0 only has the prompt computed. Names of fields, and what they mean, are that server's.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from completion.types import Snippet
from lsp_server.serve.fields import Fields
from lsp_server.serve.generation import Generations, Part, Tally, Wish
from lsp_server.serve.prompts import Document, Prompts
from lsp_server.serve.refusals import bad
from lsp_server.serve.replies import Event

_MOST_STOPS, _MOST_OTHERS = 64, 256
_N_PREDICT, _MOST_PREDICT = 128, 4_096  # where a client sets none, or no bound
_STOP_TYPES = {"length": "limit"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InfillRequest:
    """A request that was checked. `wanted` are the fields of the answer; None: all."""

    wish: Wish
    model: str
    wanted: tuple[str, ...] | None


def read(fields: Fields, prompts: Prompts, model: str) -> InfillRequest:
    """Check a request's fields and make its prompt; Refused where something is wrong."""
    n_predict = fields.whole("n_predict", _N_PREDICT, -2, 1 << 20)
    n_predict = _MOST_PREDICT if n_predict < 0 else min(n_predict, _MOST_PREDICT)
    document = Document(
        before=fields.text("input_prefix") + fields.text("prompt"),
        after=fields.text("input_suffix"),
        others=tuple(_others(fields)),
    )
    if fields.begins_with():
        raise bad("structured_outputs", "is not supported around a cursor")
    wanted = fields.get("response_fields")
    wish = Wish(
        prompt=prompts.around(document, n_predict, 1, fields.milliseconds("t_max_prompt_ms")),
        max_tokens=n_predict,
        ignore_eos=fields.flag("ignore_eos"),
        stops=fields.texts("stop", _MOST_STOPS),
        min_indent=fields.whole("n_indent", 0, 0, 1_000),
        predict_ms=fields.milliseconds("t_max_predict_ms"),
    )
    return InfillRequest(
        wish=wish, model=model, wanted=None if wanted is None else fields.texts("response_fields", _MOST_STOPS)
    )


def _others(fields: Fields) -> list[Snippet]:
    found = fields.get("input_extra")
    found = [] if found is None else found
    if not isinstance(found, list) or len(found) > _MOST_OTHERS:
        raise bad("input_extra", f"is no list of at most {_MOST_OTHERS} passages")
    for one in found:
        if not isinstance(one, dict) or not isinstance(one.get("text"), str):
            raise bad("input_extra", "has something in it that is no object with a text")
        if not isinstance(one.get("filename", ""), str):
            raise bad("input_extra", "has a filename that is no string")
    return [Snippet(path=one.get("filename", ""), text=one["text"]) for one in found]


async def whole(request: InfillRequest, generations: Generations) -> dict[str, Any]:
    """The answer at once, of it the fields that are wanted."""
    tally, text = Tally(), ""
    async with aclosing(generations.run(request.wish, tally)) as parts:
        async for part in parts:
            text, last = text + part.passage.text, part
    return _selected(_end(request, text, last, tally), request.wanted)


async def events(request: InfillRequest, generations: Generations) -> AsyncGenerator[Event, None]:
    """The answer as it comes; the last event has what came of it."""
    tally = Tally()
    async with aclosing(generations.run(request.wish, tally)) as parts:
        async for part in parts:
            if part.finish:
                last = part
            else:
                yield {"index": 0, "content": part.passage.text, "stop": False}
    yield _end(request, last.passage.text, last, tally)


def _end(request: InfillRequest, text: str, last: Part, tally: Tally) -> dict[str, Any]:
    return {
        "index": 0,
        "content": text,
        "stop": True,
        "model": request.model,
        "tokens_predicted": tally.n_generated,
        "tokens_evaluated": tally.n_prompt,
        "tokens_cached": tally.n_cached,
        "truncated": False,
        "stop_type": "word" if last.stopped_by else _STOP_TYPES.get(last.finish, "eos"),
        "stopping_word": last.stopped_by,
        "timings": {
            "cache_n": tally.n_cached,
            **_timings("prompt", tally.n_computed, tally.prompt_ms),
            **_timings("predicted", tally.n_generated, tally.predict_ms),
        },
    }


def _timings(name: str, n: int, ms: float) -> dict[str, float]:
    return {
        f"{name}_n": n,
        f"{name}_ms": ms,
        f"{name}_per_token_ms": ms / n if n else 0.0,
        f"{name}_per_second": 1e3 * n / ms if ms else 0.0,
    }


def _selected(answer: Mapping[str, Any], wanted: tuple[str, ...] | None) -> dict[str, Any]:
    """Of an answer what is wanted: paths such as `timings/prompt_n`, which are names in what comes back."""
    if wanted is None:
        return dict(answer)
    found: dict[str, Any] = {}
    for path in wanted:
        value: Any = answer
        for name in path.split("/"):
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is not None:
            found[path] = value
    return found
