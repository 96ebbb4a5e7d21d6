"""The tokenizer and the prompt layout of a server's model.

The local model's tokenizer is taken where the server's says the same of a text that tells tokenizers apart (all of
Qwen2.5-Coder have one). Else the server is asked, once for each piece of text. A server that tokenizes nothing gets
text: then the local tokenizer only measures, and spells what comes back. So does one whose tokens do not say a text as
it is, piece by piece: SentencePiece begins each piece with a blank.

Rules: a tokenizer that differs is never used for token ids.
"""

import asyncio
import functools
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from completion.types import EngineUnavailable, Outcome, PromptSpec, Tokenizer
from model.library.catalog import CATALOG, ModelError, ModelRow, resolve
from model.library.sentinels import SPELLINGS, TURN_END, TURN_START, family_of, in_order, spec_of
from model.library.store import SPECIAL_TOKENS, StoreError, newest_store, present_spec
from model.library.tokenizer import UnsupportedTokenizer
from model.library.vocabulary import open_tokenizer
from model.remote.dialect import Abilities, Dialect
from model.remote.problem import Kind, RemoteProblem
from model.remote.settings import RemoteSettings
from model.remote.tokenizer_file import read_tokenizer
from model.remote.transport import Transport, garbage


class Tokens(Protocol):
    """Asks a server for the tokens of a text: ids, and what they stand for."""

    def __call__(self, text: str, *, begun: bool = False) -> Coroutine[Any, Any, list[tuple[int, bytes]]]: ...


# What families of tokenizers disagree on: numbers, blanks, cases, quotes, letters of other scripts, ends of lines.
_TELLING = "def f(x1234, y):\n\n\n        return 'naïve Ünïcode 漢字 don\\'t' + \"I'LL\" != x//=2\t;\r\n}});  #!?\n"
# No vocabulary is so large.
_FIRST_OWN_ID = 1 << 31
# Pieces of text whose ids are kept: a window has some 400 lines.
_MOST_TEXTS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What a prompt for the server's model is made with. `special` are the sentinels' spellings by id."""

    tokenizer: Tokenizer
    spec: PromptSpec
    special: dict[int, str]
    are_ids_its_own: bool  # the ids are the server's; else only its texts are
    is_of_its_model: bool = False  # what measures is of the server's model, though no id is sent

    @property
    def is_exact(self) -> bool:
        """Whether the tokenizer says how many tokens the server makes of a text."""
        return self.are_ids_its_own or self.is_of_its_model

    def text_of(self, ids: Sequence[int]) -> str:
        """A prompt as text."""
        spelled = (self.special[i].encode() if i in self.special else self.tokenizer.token_bytes(i) for i in ids)
        return b"".join(spelled).decode("utf-8", "ignore")


async def vocabulary_of(
    dialect: Dialect,
    transport: Transport,
    abilities: Abilities,
    settings: RemoteSettings,
    on_problem: Callable[[RemoteProblem], None],
) -> Vocabulary:
    """The vocabulary of a probed server; RemoteProblem where it tokenizes nothing, and no local model is there.

    `on_problem` hears when the server is later asked for tokens in vain.
    """
    local_model = settings.tokenizer_of
    local = await asyncio.to_thread(_local, local_model)
    row = _row_of(abilities.model)

    async def tokens(text: str, *, begun: bool = False) -> list[tuple[int, bytes]]:
        path, body = dialect.vocabulary_request(abilities, text, begun=begun)
        try:
            return dialect.vocabulary_answer(await transport.post(path, body))
        except (KeyError, TypeError, ValueError) as error:
            raise garbage(transport.host, path) from error

    if not abilities.can_tokenize or not await _say_what_they_are_of(tokens):
        if settings.tokenizer:
            return _with_formats(await asyncio.to_thread(_of_file, settings.tokenizer, abilities.model), row)
        if local is None:
            raise RemoteProblem(
                f"{transport.host} does not tokenize as midfill needs it, and the tokenizer of {local_model} is not on "
                f"this machine: run `midfill model pull {local_model}`, or set engine.tokenizer",
                Kind.REFUSED,
            )
        return _with_formats(_spelled_for(local, abilities.model), row)
    spelled = [(i, says.decode("utf-8", "replace")) for i, says in await tokens("\n".join(SPELLINGS))]
    special = {name: i for i, name in spelled if name in SPELLINGS}
    if local is not None and await _are_same(local, special, tokens):
        return _with_formats(replace(local, are_ids_its_own=True), row)
    spec = spec_of(special, special.values(), bos=await _bos(tokens), row=row)
    spec = in_order(spec, abilities.model)
    spec = replace(spec, turn_start=special.get(TURN_START), turn_end=special.get(TURN_END))
    own = ServerTokenizer(_blocking(tokens, transport.host, on_problem), frozenset(special.values()))
    named = {i: name for name, i in special.items()}
    return Vocabulary(tokenizer=own, spec=spec, special=named, are_ids_its_own=True)


async def _say_what_they_are_of(tokens: Tokens) -> bool:
    """Whether the tokens of a text spell it, also of one that is a single word."""
    return all([b"".join(says for _, says in await tokens(text)) == text.encode() for text in (_TELLING, "x")])


async def _bos(tokens: Tokens) -> int | None:
    """The token that the server puts before a text, and does not before ids."""
    begun, plain = await tokens("x", begun=True), await tokens("x")
    return begun[0][0] if begun[:1] != plain[:1] else None


def _blocking(
    tokens: Tokens, host: str, on_problem: Callable[[RemoteProblem], None]
) -> Callable[[str], list[tuple[int, bytes]]]:
    """The same for another thread than the event loop's."""
    loop, its_thread = asyncio.get_running_loop(), threading.get_ident()

    def ask(text: str) -> list[tuple[int, bytes]]:
        assert threading.get_ident() != its_thread, "it would wait for itself"
        try:
            return asyncio.run_coroutine_threadsafe(tokens(text), loop).result()
        except RemoteProblem as problem:
            loop.call_soon_threadsafe(on_problem, problem)
            raise EngineUnavailable(
                f"{host} cannot be asked for its tokens: {problem}", Outcome.ENGINE_DOWN
            ) from problem

    return ask


class ServerTokenizer:
    """The server's own tokenizer, asked over HTTP; implements completion.types.Tokenizer.

    Rules: `encode` blocks, so it is for worker threads. EngineUnavailable when the server does not answer.
    """

    def __init__(self, ask: Callable[[str], list[tuple[int, bytes]]], special: frozenset[int]) -> None:
        self._ask, self._special = ask, special
        self._texts = OrderedDict[str, list[int]]()
        self._bytes = dict[int, bytes]()
        self._lock = threading.Lock()

    def encode(self, text: str) -> list[int]:
        """Ids of a text; a sentinel's spelling in it is taken apart, so that it stays text."""
        with self._lock:
            if (ids := self._texts.get(text)) is not None:
                self._texts.move_to_end(text)
                return list(ids)
        tokens = [token for part in _without_sentinels(text) for token in self._ask(part)]
        ids = [i for i, _ in tokens]
        with self._lock:
            self._bytes |= {i: says for i, says in tokens if i not in self._special}
            self._texts[text] = ids
            while len(self._texts) > _MOST_TEXTS:
                self._texts.popitem(last=False)
        return list(ids)

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes of a token that was in a text, or was said."""
        return self._bytes.get(token_id, b"")

    def learn(self, token_id: int, says: bytes) -> None:
        """A token that the server said."""
        if token_id not in self._special:
            self._bytes.setdefault(token_id, says)


def _without_sentinels(text: str) -> list[str]:
    """The parts of a text none of which holds a sentinel's spelling."""
    cuts = {
        at + len(spelling) // 2
        for spelling in SPELLINGS
        if spelling in text
        for at in range(len(text))
        if text.startswith(spelling, at)
    }
    edges = [0, *sorted(cuts), len(text)]
    return [text[begin:end] for begin, end in pairwise(edges) if begin < end]


def _local(model: str) -> Vocabulary | None:
    """That of a model whose store is on this machine."""
    try:
        source = resolve(model)
        store = newest_store(source.model_id)
        return None if store is None else _read(store, source.row)
    except (ModelError, StoreError, UnsupportedTokenizer, OSError, ValueError):
        return None


@functools.lru_cache(maxsize=2)  # a server may be probed often
def _read(store: Path, row: ModelRow | None) -> Vocabulary:
    named: dict[str, int] = json.loads((store / SPECIAL_TOKENS).read_text())
    return Vocabulary(
        tokenizer=open_tokenizer(store),
        spec=present_spec(store, row),
        special={i: name for name, i in named.items()},
        are_ids_its_own=False,
    )


def _of_file(path: str, model: str) -> Vocabulary:
    """The user's file of the tokenizer that the server's model has. RemoteProblem when it cannot be used."""
    tokenizer, special = read_tokenizer(path)
    named = {name: i for name, i in special.items() if name in SPELLINGS}
    spec = in_order(spec_of(named, named.values(), bos=None, row=None), model)
    found = Vocabulary(
        tokenizer=tokenizer,
        spec=spec,
        special={i: name for name, i in named.items()},
        are_ids_its_own=False,
        is_of_its_model=True,
    )
    return found if spec.has_fim else _spelled_for(found, model)


def _spelled_for(local: Vocabulary, model: str) -> Vocabulary:
    """The local tokenizer, to measure with, and the sentinels of the model's family: ids of our own for their texts."""
    if not (spellings := family_of(model)):
        return local
    special = {name: _FIRST_OWN_ID + n for n, name in enumerate(spellings)}
    spec = in_order(spec_of(special, special.values(), bos=None, row=None), model)
    return replace(local, spec=spec, special={i: name for name, i in special.items()})


async def _are_same(local: Vocabulary, special: dict[str, int], tokens: Tokens) -> bool:
    """Whether two tokenizers say the same of a telling text, and have the same sentinels."""
    known = {name: i for i, name in local.special.items() if name in SPELLINGS}
    return known == special and [i for i, _ in await tokens(_TELLING)] == local.tokenizer.encode(_TELLING)


def _with_formats(vocabulary: Vocabulary, row: ModelRow | None) -> Vocabulary:
    """With the formats that the server's own model has in the catalog."""
    if row is None:
        return vocabulary
    spec = replace(
        vocabulary.spec,
        line_format=row.line_format,
        block_format=row.block_format,
        body_format=row.body_format,
        chat_system=row.chat_system,
    )
    return replace(vocabulary, spec=spec)


def _row_of(name: str) -> ModelRow | None:
    """The catalog's row of a model as a server calls it: a repository, or a file with the model's name in its own."""
    known = [(published, row) for row in CATALOG if (published := _published(row)) in name.lower()]
    return max(known, key=lambda pair: len(pair[0]), default=("", None))[1]


def _published(row: ModelRow) -> str:
    return row.source_repo.split("/")[1].removesuffix("-GGUF").lower()
