"""Answers that were recorded, told again: the path as it is now over what the model said then, in milliseconds a key.

Used by `ghosts`: thresholds and filters can so be tried on the same answers, one at a time, and what differs
is theirs alone. Implements `Engine` and `Tokenizer`.

Rules: what is told is a whole answer, recorded without cutting; an engine asked for anything else says nothing.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from completion.types import Delta, Priority, Prompt, Tokenizer

_FIRST_ID = 1 << 24  # of what is told: above all ids of a vocabulary


class Retold:
    """An engine that says what it is told to say, and the tokenizer that goes with it."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._pieces: list[bytes] = []
        self._logprobs: list[float] = []

    def tell(self, said: Mapping[str, Any]) -> None:
        """Take the answer that comes next: `raw` and `sure` of a row of `ghosts`."""
        raw, sure = str(said["raw"]), said["sure"]
        ends = [*(begins for begins, _ in sure[1:]), len(raw)][: len(sure)]
        self._pieces = [raw[begins:end].encode() for (begins, _), end in zip(sure, ends, strict=True)]
        self._logprobs = [logprob for _, logprob in sure]

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        """The typed bytes, and then what was told."""
        if prompt.target:
            return
        heal = tuple(self._tokenizer.encode(prompt.heal.decode("utf-8", "replace")))
        yield Delta(token_ids=heal, logprobs=(0.0,) * len(heal))
        for number, logprob in enumerate(self._logprobs):
            yield Delta(token_ids=(_FIRST_ID + number,), logprobs=(logprob,))

    def encode(self, text: str) -> list[int]:
        """The model's own ids."""
        return self._tokenizer.encode(text)

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes of an id, told or the model's."""
        return self._pieces[token_id - _FIRST_ID] if token_id >= _FIRST_ID else self._tokenizer.token_bytes(token_id)
