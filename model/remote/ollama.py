"""Ollama: `/api/generate` with `raw`, which takes the prompt as it is. It takes and says text, no token ids.

Its newer versions tell log-probabilities; whether this one does is tried once.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from model.remote.dialect import N_TOP, Abilities, Event, Question, Said, chosen_model, no_score
from model.remote.transport import Json, Transport

# What it gives a model whose own settings say nothing, in its smallest version.
_CONTEXT_TOKENS = 4_096


class Ollama:
    """Implements Dialect."""

    async def probe(self, transport: Transport, model: str) -> Abilities:
        """As the protocol says."""
        names = [str(row["name"]) for row in (await transport.get("/api/tags"))["models"]]
        if model and f"{model}:latest" in names:
            model = f"{model}:latest"
        model = chosen_model(transport, model, names)
        shown = await transport.post("/api/show", {"model": model})
        said = await transport.post("/api/generate", {**_body(model, "a", 1), "stream": False, "logprobs": True})
        has_logprobs = bool(said.get("logprobs"))
        return Abilities(
            kind="ollama",
            model=model,
            context_tokens=_context(shown),
            has_logprobs=has_logprobs,
            n_top=N_TOP if has_logprobs else 0,
        )

    def request(self, abilities: Abilities, question: Question) -> tuple[str, Json]:
        """As the protocol says."""
        assert isinstance(question.prompt, str), "it takes no ids"
        stops = [*(["\n"] if question.ends_with_line else []), *question.stop_texts]
        body = _body(abilities.model, question.prompt, question.max_tokens, stops)
        if abilities.has_logprobs:
            body |= {"logprobs": True, "top_logprobs": abilities.n_top if question.is_healed else 0}
        return "/api/generate", body

    def event(self, line: bytes) -> Event | None:
        """As the protocol says."""
        if not line.strip():
            return None
        data = json.loads(line)
        if "error" in data:
            return Event(error=str(data["error"]))
        duration = data.get("prompt_eval_duration")
        return Event(
            said=_said(data),
            is_finished=bool(data["done"]),
            is_end=bool(data["done"]),
            prefill_ms=duration / 1e6 if isinstance(duration, int) else None,
            model=str(data.get("model", "")),
        )

    async def score(
        self, transport: Transport, abilities: Abilities, prompt: Sequence[int], n_last: int
    ) -> list[float]:
        """It has no such thing."""
        raise no_score(transport)

    def vocabulary_request(self, abilities: Abilities, text: str, *, begun: bool) -> tuple[str, Json]:
        """It has no such thing."""
        raise NotImplementedError

    def vocabulary_answer(self, answer: Mapping[str, Any]) -> list[tuple[int, bytes]]:
        """It has no such thing."""
        raise NotImplementedError


def _body(model: str, prompt: str, max_tokens: int, stops: Sequence[str] = ()) -> Json:
    # Its own penalty for repeating would forbid what code is full of.
    options = {"temperature": 0, "top_k": 1, "repeat_penalty": 1, "num_predict": max_tokens, "stop": list(stops)}
    return {"model": model, "prompt": prompt, "raw": True, "stream": True, "options": options}


def _context(shown: Mapping[str, Any]) -> int:
    """What the model's own settings say: lines such as `num_ctx 8192`."""
    for line in str(shown.get("parameters") or "").splitlines():
        name, _, value = line.strip().partition(" ")
        if name == "num_ctx" and value.strip().isdigit():
            return int(value)
    return _CONTEXT_TOKENS


def _said(data: Mapping[str, Any]) -> tuple[Said, ...]:
    if rows := data.get("logprobs"):
        return tuple(
            Said(
                token_id=None,
                says=bytes(row["bytes"]) if row.get("bytes") else str(row["token"]).encode(),
                logprob=float(row["logprob"]),
                top=tuple((str(o["token"]).encode(), float(o["logprob"])) for o in row.get("top_logprobs") or ()),
            )
            for row in rows
        )
    text = str(data.get("response") or "")
    return (Said(token_id=None, says=text.encode()),) if text else ()
