"""A scripted engine and a tokenizer of bytes: the real pipeline runs on them without a model."""

from array import array
from collections.abc import AsyncIterator, Callable

from completion.types import Delta, Format, Priority, Prompt, PromptSpec
from evals.engines import Subject

_SPECIAL = 256


class ByteTokenizer:
    """Token ids are byte values; ids from 256 on are special."""

    def encode(self, text: str) -> list[int]:
        return list(text.encode("utf-8", "replace"))

    def token_bytes(self, token_id: int) -> bytes:
        return bytes([token_id]) if token_id < _SPECIAL else b""


class ScriptedEngine:
    """Answers a prompt with what `answer` makes of its text (healed bytes included), byte by byte."""

    def __init__(self, answer: Callable[[str], str]) -> None:
        self._answer = answer
        self.prompts: list[Prompt] = []
        self.n_closed = 0

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        self.prompts.append(prompt)
        text = prompt_text(prompt.token_ids) + prompt.heal.decode()
        generated = prompt.heal + self._answer(text).encode()
        try:
            for byte in generated[: prompt.max_tokens]:
                yield Delta(token_ids=(byte,), logprobs=(-0.1,))
        finally:
            self.n_closed += 1


def prompt_text(token_ids: "array[int]") -> str:
    """The ordinary text of a prompt, without its sentinels."""
    return bytes(token_id for token_id in token_ids if token_id < _SPECIAL).decode()


def scripted_subject(answer: Callable[[str], str]) -> Subject:
    """A subject whose left-to-right engine is scripted."""
    spec = PromptSpec(
        repo_name=None,
        file_sep=None,
        fim_prefix=None,
        fim_suffix=None,
        fim_middle=None,
        stop_token_ids=(_SPECIAL,),
        bos=None,
        line_format=Format.LEFT,
        block_format=Format.LEFT,
    )
    return Subject(
        name="scripted",
        model="none",
        engine=ScriptedEngine(answer),
        tokenizer=ByteTokenizer(),
        spec=spec,
        rank_ms=0,
    )
