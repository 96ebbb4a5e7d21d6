"""llama.cpp's own server: `/completion` takes token ids, says the ids and log-probabilities, and takes a grammar.

No `id_slot` is asked for: the server gives a request the slot that has most of its prompt, also where several people
share it, and one that is named would make them wait for each other.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from model.remote.dialect import N_TOP, Abilities, Event, Question, Said, chosen_model, no_score
from model.remote.healing import grammar
from model.remote.problem import Kind, RemoteProblem
from model.remote.transport import Json, Transport


class LlamaCpp:
    """Implements Dialect."""

    async def probe(self, transport: Transport, model: str) -> Abilities:
        """As the protocol says. The public pages need no key; `/tokenize` does, so that a wrong one is noticed here."""
        props = await transport.get("/props")
        settings = props.get("default_generation_settings")
        if not isinstance(settings, dict):
            raise RemoteProblem(f"{transport.host} is no llama.cpp server (engine.kind)", Kind.REFUSED)
        models = (await transport.get("/v1/models")).get("data")
        names = [str(row.get("id", "")) for row in models if isinstance(row, dict)] if isinstance(models, list) else []
        model = chosen_model(transport, model, names)
        await transport.post("/tokenize", {"content": "a"})
        n_ctx = settings.get("n_ctx")
        return Abilities(
            kind="llamacpp",
            model=model,
            context_tokens=n_ctx if isinstance(n_ctx, int) and n_ctx > 0 else None,
            takes_ids=True,
            has_logprobs=True,
            n_top=N_TOP,
            constraint="grammar",
            can_tokenize=True,
        )

    def request(self, abilities: Abilities, question: Question) -> tuple[str, Json]:
        """As the protocol says."""
        body: Json = {
            "prompt": question.prompt if isinstance(question.prompt, str) else list(question.prompt),
            "n_predict": question.max_tokens,
            "stop": ["\n"] if question.ends_with_line else [],
            "samplers": ["top_k"],
            "top_k": 1,
            "temperature": 0.0,
            "n_probs": abilities.n_top if question.is_healed else 1,
            "return_tokens": True,
            "timings_per_token": True,
            "cache_prompt": True,
            "stream": True,
        }
        if abilities.model:
            body["model"] = abilities.model
        if question.begins_with:
            body["grammar"] = grammar(question.begins_with)
        return "/completion", body

    def event(self, line: bytes) -> Event | None:
        """As the protocol says."""
        if not line.startswith((b"data:", b"error:")):
            return None
        data = json.loads(line[line.index(b":") + 1 :])
        if "error" in data or line.startswith(b"error"):
            error = data.get("error", data)
            return Event(error=str(error.get("message", error)))
        timings = data.get("timings") or {}
        return Event(
            said=told(data.get("completion_probabilities") or ()),
            is_finished=bool(data["stop"]),
            is_end=bool(data["stop"]),
            n_cached=timings.get("cache_n"),
            prefill_ms=timings.get("prompt_ms"),
            decode_ms=timings.get("predicted_ms") if data["stop"] else None,
            model=str(data.get("model", "")),
        )

    async def score(
        self, transport: Transport, abilities: Abilities, prompt: Sequence[int], n_last: int
    ) -> list[float]:
        """Not known to this server (2026-10)."""
        raise no_score(transport)

    def vocabulary_request(self, abilities: Abilities, text: str, *, begun: bool) -> tuple[str, Json]:
        """As the protocol says."""
        return "/tokenize", {"content": text, "with_pieces": True, "add_special": begun, "model": abilities.model}

    def vocabulary_answer(self, answer: Mapping[str, Any]) -> list[tuple[int, bytes]]:
        """As the protocol says."""
        return [
            (int(token["id"]), piece.encode() if isinstance(piece := token["piece"], str) else bytes(piece))
            for token in answer["tokens"]
        ]


def told(tokens: Sequence[Mapping[str, Any]]) -> tuple[Said, ...]:
    """The tokens of an event, as llama.cpp's server has them: their bytes are the text that the event has of them."""
    return tuple(
        Said(
            token_id=int(token["id"]),
            says=bytes(token["bytes"]),
            logprob=float(token["logprob"]),
            top=tuple((bytes(other["bytes"]), float(other["logprob"])) for other in token.get("top_logprobs") or ()),
        )
        for token in tokens
    )
