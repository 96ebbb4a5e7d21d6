"""`/v1/completions` as OpenAI made it, and vLLM, SGLang, LiteLLM and llama.cpp's server have it.

They differ in what they add: token ids as a prompt and in the answer, a constraint, log-probabilities of the prompt.
Each is tried once with a question of one token, and used where the answer shows that it was understood.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from model.library.tokenizer import byte_alphabet
from model.remote.dialect import N_TOP, Abilities, Event, Question, Said, chosen_model, no_score
from model.remote.healing import grammar, regex
from model.remote.llamacpp import told
from model.remote.problem import Kind, RemoteProblem
from model.remote.transport import Json, Transport

_PATH = "/v1/completions"
# A text that no model writes by itself, and the fields by which servers are made to: vLLM's, its older one, SGLang's,
# llama.cpp's.
_FORCED = "zq7"
_CONSTRAINTS = ("structured_outputs", "guided_regex", "regex", "grammar")
# Servers take at most so many: vLLM 20, OpenAI 5.
_TOPS = (N_TOP, 5, 1)
# The original takes no more.
_MOST_STOPS = 4


class OpenAi:
    """Implements Dialect."""

    def __init__(self) -> None:
        self._tokenize_by = "prompt"

    async def probe(self, transport: Transport, model: str) -> Abilities:
        """As the protocol says."""
        rows = [row for row in (await transport.get("/v1/models")).get("data") or [] if isinstance(row, dict)]
        model = chosen_model(transport, model, [str(row["id"]) for row in rows])
        row = next((row for row in rows if row["id"] == model), {})
        plain = {"model": model, "prompt": "a", "max_tokens": 1, "temperature": 0}
        _choice(await transport.post(_PATH, plain))  # whatever is wrong with key or model is said here
        n_top = await self._n_top(transport, plain)
        ids = await self._ids(transport, model)
        with_ids = {**plain, "prompt": ids, "return_token_ids": True}
        said = await _tried(transport, with_ids) if ids else None
        takes_ids = said is not None or (bool(ids) and await _tried(transport, {**plain, "prompt": ids}) is not None)
        scored = await _tried(transport, {**plain, "prompt": ids, "prompt_logprobs": 0}) if takes_ids else None
        return Abilities(
            kind="openai",
            model=model,
            context_tokens=_context(row),
            takes_ids=takes_ids,
            returns_ids=said is not None and bool(said.get("token_ids")),
            has_logprobs=n_top > 0,
            n_top=n_top,
            constraint=await self._constraint(transport, plain),
            can_score=scored is not None and len(scored.get("prompt_logprobs") or ()) == len(ids),
            can_tokenize=bool(ids),
        )

    async def _n_top(self, transport: Transport, plain: Json) -> int:
        """How many of the likeliest tokens it tells; 0: no log-probabilities at all."""
        for n_top in _TOPS:
            said = await _tried(transport, {**plain, "logprobs": n_top})
            if said is not None and said.get("logprobs"):
                return n_top
        return 0

    async def _ids(self, transport: Transport, model: str) -> list[int]:
        """The ids of a short text; none where it does not tokenize. vLLM and llama.cpp name the text differently."""
        for self._tokenize_by in ("prompt", "content"):
            try:
                answer = await transport.post(*self._tokenize("def f(x):", model))
                if ids := [i for i, _ in self.vocabulary_answer(answer)]:
                    return ids
            except (RemoteProblem, KeyError, TypeError, ValueError):
                continue
        return []

    async def _constraint(self, transport: Transport, plain: Json) -> str:
        """The field that makes an answer begin as it must."""
        for name in _CONSTRAINTS:
            said = await _tried(transport, {**plain, "max_tokens": 6, **_constrained(name, _FORCED)})
            if said is not None and str(said.get("text", "")).startswith(_FORCED):
                return name
        return ""

    def request(self, abilities: Abilities, question: Question) -> tuple[str, Json]:
        """As the protocol says."""
        stops = [*(["\n"] if question.ends_with_line else []), *question.stop_texts]
        body: Json = {
            "model": abilities.model,
            "prompt": question.prompt if isinstance(question.prompt, str) else list(question.prompt),
            "max_tokens": question.max_tokens,
            "temperature": 0,
            "stop": stops[:_MOST_STOPS],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if abilities.has_logprobs:
            body["logprobs"] = abilities.n_top if question.is_healed else 1
        if abilities.returns_ids:
            body["return_token_ids"] = True
            body["stop_token_ids"] = list(question.stop_token_ids)
            body["repetition_penalty"] = 1.0  # vLLM takes what it is not told from the model's own files
        if question.begins_with:
            body |= _constrained(abilities.constraint, question.begins_with)
        return _PATH, body

    def event(self, line: bytes) -> Event | None:
        """As the protocol says."""
        if not line.startswith(b"data:"):
            return None
        if (data := line[5:].strip()) == b"[DONE]":
            return Event(is_finished=True, is_end=True)
        answer = json.loads(data)
        if "error" in answer:
            error = answer["error"]
            return Event(error=str(error.get("message", error) if isinstance(error, dict) else error))
        choice = answer["choices"][0] if answer["choices"] else {}
        usage = answer.get("usage") or {}
        return Event(
            said=_said(choice),
            is_finished=choice.get("finish_reason") is not None,
            n_cached=(usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
            prefill_ms=(answer.get("timings") or {}).get("prompt_ms"),
            model=str(answer.get("model") or ""),
        )

    async def score(
        self, transport: Transport, abilities: Abilities, prompt: Sequence[int], n_last: int
    ) -> list[float]:
        """As the protocol says: by vLLM's `prompt_logprobs`."""
        if not abilities.can_score:
            raise no_score(transport)
        ids = list(prompt)
        body = {"model": abilities.model, "prompt": ids, "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0}
        rows = _choice(await transport.post(_PATH, body))["prompt_logprobs"]
        pairs = list(zip(ids, rows, strict=True))[-n_last:]
        return [float(row[str(token_id)]["logprob"]) for token_id, row in pairs]

    def vocabulary_request(self, abilities: Abilities, text: str, *, begun: bool) -> tuple[str, Json]:
        """As the protocol says."""
        return self._tokenize(text, abilities.model, begun=begun)

    def _tokenize(self, text: str, model: str, *, begun: bool = False) -> tuple[str, Json]:
        if self._tokenize_by == "content":
            return "/tokenize", {"content": text, "with_pieces": True, "add_special": begun}
        return "/tokenize", {"model": model, "prompt": text, "add_special_tokens": begun, "return_token_strs": True}

    def vocabulary_answer(self, answer: Mapping[str, Any]) -> list[tuple[int, bytes]]:
        """As the protocol says."""
        if self._tokenize_by == "content":
            return [(int(t["id"]), _piece(t["piece"])) for t in answer["tokens"]]
        return [
            (int(i), byte_level(spelled)) for i, spelled in zip(answer["tokens"], answer["token_strs"], strict=True)
        ]


def byte_level(spelled: str) -> bytes:
    """What a token stands for by its spelling in a byte-level vocabulary; a sentinel's is itself."""
    alphabet = byte_alphabet()
    if all(character in alphabet for character in spelled):
        return bytes(alphabet[character] for character in spelled)
    return spelled.encode()


def _piece(piece: str | list[int]) -> bytes:
    return piece.encode() if isinstance(piece, str) else bytes(piece)


def _constrained(name: str, begins_with: str) -> Json:
    if name == "grammar":
        return {"grammar": grammar(begins_with)}
    if name == "structured_outputs":
        return {"structured_outputs": {"regex": regex(begins_with)}}
    return {name: regex(begins_with)}


async def _tried(transport: Transport, body: Json) -> Json | None:
    """The answer's choice; None where the server refuses the request as it is."""
    try:
        return _choice(await transport.post(_PATH, body))
    except RemoteProblem as problem:
        # A server that fails at what it does not know is as good as one that refuses it; one that is away is not.
        if problem.kind is Kind.REQUEST or problem.status == 500:
            return None
        raise


def _choice(answer: Json) -> Json:
    choice = answer["choices"][0]
    if not isinstance(choice, dict):
        raise TypeError("a choice is no object")
    return choice


def _context(row: Mapping[str, Any]) -> int | None:
    """vLLM's and llama.cpp's words for it."""
    meta = row.get("meta")
    n = row.get("max_model_len") or (meta.get("n_ctx") if isinstance(meta, dict) else None)
    return n if isinstance(n, int) and n > 0 else None


def _said(choice: Mapping[str, Any]) -> tuple[Said, ...]:
    """The tokens of a piece, with ids where it has them; else its text as one."""
    logprobs, ids, text = choice.get("logprobs") or {}, choice.get("token_ids") or (), choice.get("text") or ""
    if "content" in logprobs:  # llama.cpp's
        return told(logprobs["content"] or ())
    values = [float(value) for value in logprobs.get("token_logprobs") or ()]
    tops: Sequence[Any] = logprobs.get("top_logprobs") or ()
    if ids and len(values) in (0, len(ids)):
        likely = tops if len(tops) == len(ids) else [None] * len(ids)
        could = logprobs.get("spelled_logprobs") or ()
        return tuple(
            Said(
                token_id=int(token_id),
                says=None,
                logprob=values[n] if values else None,
                top=_top(likely[n]),
                spelled=float(could[n]) if len(could) == len(ids) else None,
            )
            for n, token_id in enumerate(ids)
        )
    if not text:
        return ()
    top = _top(tops[0]) if len(tops) == 1 else ()
    return (Said(token_id=None, says=text.encode(), logprob=sum(values) if values else None, top=top),)


def _top(likely: Mapping[str, Any] | None) -> tuple[tuple[bytes, float], ...]:
    return tuple((text.encode(), float(value)) for text, value in (likely or {}).items())
