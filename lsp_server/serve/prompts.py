"""What a client sends, as a prompt for the engine: its own prompt as it is, or a document around a cursor.

A client's own prompt may hold the model's special tokens by their names, as other servers read it: a client that lays
out the prompt itself says so what is prefix and suffix. The text of a document never does: it becomes the prompt that
midfill sends for a document of its own, with other files as blocks that are computed once.

Rules: pure but for the cache of tokens. A document is cut to what fits; a client's own prompt is refused.
"""

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from completion.prompt.layout import build_prompt
from completion.prompt.segments import SegmentCache
from completion.types import (
    CompletionRequest,
    DocumentSnapshot,
    Format,
    Limits,
    Mode,
    Prompt,
    PromptSpec,
    Snippet,
    Trigger,
)
from lsp_server.serve.refusals import Refused, bad
from model.library.tokenizer import byte_alphabet
from model.library.vocabulary import StoreTokenizer
from model.link.client import LoadedModel
from parsers.parse import PlainTree

# Less says nothing of a document.
_LEAST_TOKENS = 256
# What the model is told of a document that no client names.
_UNNAMED = "untitled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document around a cursor, and passages of others, the nearest to it last."""

    before: str
    after: str
    others: Sequence[Snippet] = ()


class Prompts:
    """Makes the prompts of one model; any thread may."""

    def __init__(self, loaded: LoadedModel, spec: PromptSpec, limits: Limits) -> None:
        self._loaded, self._limits = loaded, limits
        self._spec = replace(spec, line_format=Format.FIM, block_format=Format.FIM, body_format=None)
        self._segments = SegmentCache(loaded.tokenizer)
        assert loaded.architecture is not None, "it is the model process's"
        self.n_vocabulary = loaded.architecture.vocab
        self._special = cast("StoreTokenizer", loaded.tokenizer).special_tokens()
        names = sorted(map(re.escape, self._special), key=len, reverse=True)
        self._special_name = re.compile(f"({'|'.join(names)})") if names else None

    def ids_of(self, text: str, *, special: bool) -> list[int]:
        """Token ids of a text; with `special` the names of special tokens are these."""
        parts = self._special_name.split(text) if special and self._special_name is not None else [text]
        ids: list[int] = []
        for part in parts:
            known = self._special.get(part) if special else None
            ids += self._segments.encode(part) if known is None else [known]
        return ids

    def spellings(self, ids: Sequence[int]) -> list[str]:
        """What tokens are in a byte-level vocabulary: special ones their names, others a character for each byte."""
        names = {token_id: name for name, token_id in self._special.items()}
        characters = {byte: character for character, byte in byte_alphabet().items()}
        token_bytes = self._loaded.tokenizer.token_bytes
        return [names.get(i) or "".join(characters[byte] for byte in token_bytes(i)) for i in ids]

    def own(self, prompt: str | Sequence[int], max_tokens: int, n_candidates: int) -> Prompt:
        """A client's own prompt, as text or as token ids."""
        bos = [] if self._spec.bos is None else [self._spec.bos]
        ids = [*bos, *self.ids_of(prompt, special=True)] if isinstance(prompt, str) else list(prompt)
        if not ids:
            ids = [self._spec.stop_token_ids[0]]
        n_more, most = max_tokens * n_candidates, self._loaded.context_tokens
        if len(ids) + n_more > most:
            raise bad("prompt", f"has {len(ids)} tokens: with {n_more} more that exceeds the model's {most}")
        return Prompt(
            token_ids=array("I", ids),
            heal=b"",
            stop_token_ids=self._spec.stop_token_ids,
            max_tokens=max_tokens,
            format=Format.LEFT,
            n_candidates=n_candidates,
        )

    def around(self, document: Document, max_tokens: int, n_candidates: int, deadline_ms: float | None) -> Prompt:
        """The prompt for a document at its cursor; what else than the nearest is ready in `deadline_ms` takes part."""
        if not self._spec.has_fim:
            raise Refused(501, f"the model {self._loaded.name} cannot fill in: it has no tokens for that")
        room = self._loaded.context_tokens - max_tokens * n_candidates
        n_prompt = min(self._limits.max_prompt_tokens, room)
        if n_prompt < _LEAST_TOKENS:
            raise Refused(
                400, f"so many tokens leave no room for a prompt in the model's {self._loaded.context_tokens}"
            )
        limits = replace(
            self._limits,
            max_prompt_tokens=n_prompt,
            max_file_tokens=n_prompt // 2 if document.others else n_prompt,
            deadline_ms=None,
        )
        text = document.before + document.after
        snapshot = DocumentSnapshot(
            uri="",
            path=_UNNAMED,
            repo="",
            version=0,
            text=text,
            language="plaintext",
            tree=PlainTree("plaintext", text.encode("utf-8", "replace")),
        )
        request = CompletionRequest(
            snapshot=snapshot,
            cursor=len(document.before),
            mode=Mode.BLOCK,
            trigger=Trigger.INVOKED,
            session="",
            snippets=tuple(reversed(document.others)),
        )
        prompt = build_prompt(self._spec, self._loaded.tokenizer, self._segments, limits, request, Mode.BLOCK)
        n_healed = len(self._segments.encode(prompt.heal.decode("utf-8", "replace")))
        return replace(
            prompt,
            max_tokens=max_tokens and max_tokens + n_healed,
            line_only=False,
            n_candidates=n_candidates,
            deadline_ms=deadline_ms,
        )
