"""Stand-ins for what surrounds the completion core: engine and tokenizers; and requests written as text.

Used by tests/completion. Rules: fake what the core talks to, never the core. A `▮` marks the cursor.
"""

import asyncio
import functools
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from completion.cache import ReuseCache
from completion.pipeline import Deps
from completion.prompt.segments import SegmentCache
from completion.types import (
    CompletionRequest,
    Delta,
    DocumentSnapshot,
    Engine,
    EngineUnavailable,
    Format,
    GenerationStats,
    Limits,
    Mode,
    Priority,
    Prompt,
    PromptSpec,
    Trigger,
)
from completion.types import Tokenizer as TokenizerProtocol
from model.library.tokenizer import VocabTokenizer
from parsers.parse import parse

CURSOR = "▮"
_QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_REPOSITORY = Path(__file__).parent.parent
# Sentinel ids, above every tokenizer used here.
REPO, FILE, PREFIX, SUFFIX, MIDDLE, END, BOS, TURN, OVER = range(1_000_000, 1_000_009)
SPEC = PromptSpec(
    repo_name=REPO,
    file_sep=FILE,
    fim_prefix=PREFIX,
    fim_suffix=SUFFIX,
    fim_middle=MIDDLE,
    stop_token_ids=(END,),
    bos=None,
    line_format=Format.FIM,
    block_format=Format.LEFT,
)
LIMITS = Limits(
    max_prompt_tokens=4096,
    max_file_tokens=4096,
    max_line_tokens=64,
    max_block_tokens=256,
    suffix_share=0.25,
    max_wait_ms=None,
    deadline_ms=None,
)


class ByteTokenizer:
    """Token ids are byte values; ids from 256 on are special."""

    def encode(self, text: str) -> list[int]:
        return list(text.encode("utf-8"))

    def token_bytes(self, token_id: int) -> bytes:
        return bytes([token_id]) if token_id < 256 else b""


@functools.cache
def bpe_tokenizer() -> VocabTokenizer:
    """A byte-level BPE with Qwen's pattern, trained here and now on this repository's own sources."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(_QWEN_PATTERN), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2_000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    files = sorted((_REPOSITORY / "completion").glob("*.py"))
    texts = [path.read_text(encoding="utf-8") for path in files]
    blanks = ["\n" * n + " " * m + "x" for n in range(6) for m in range(0, 17, 4)] * 3  # so that runs have merges
    tokenizer.train_from_iterator([*texts, *blanks, *(blank.replace("\n", "\r\n") for blank in blanks)], trainer)
    return VocabTokenizer(tokenizer, frozenset())


class ScriptedEngine:
    """Says the healed bytes and then the pieces, bytes as token ids, one delta a piece.

    With `hangs` it then waits for ever. `n_closed` counts generations that ended in any way.
    """

    def __init__(
        self,
        pieces: Sequence[str | bytes],
        *,
        hangs: bool = False,
        unavailable: EngineUnavailable | None = None,
        prefill_ms: float = 1.0,
    ) -> None:
        self._prefill_ms = prefill_ms
        self._pieces = [piece.encode() if isinstance(piece, str) else piece for piece in pieces]
        self._hangs = hangs
        self._unavailable = unavailable
        self.prompts: list[Prompt] = []
        self.sessions: list[str] = []
        self.n_said = 0
        self.n_closed = 0
        self.is_hanging = asyncio.Event()

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        self.prompts.append(prompt)
        self.sessions.append(session)
        if self._unavailable is not None:
            raise self._unavailable
        stats = GenerationStats(
            n_prompt=len(prompt.token_ids),
            n_computed=len(prompt.token_ids),
            prefill_ms=self._prefill_ms,
        )
        try:
            yield Delta(token_ids=(), logprobs=(), stats=stats)
            for piece in [prompt.heal, *self._pieces]:
                self.n_said += 1
                yield Delta(token_ids=tuple(piece), logprobs=(-0.5,) * len(piece))
            if self._hangs:
                self.is_hanging.set()
                await asyncio.Event().wait()
        finally:
            self.n_closed += 1


def request_at(
    marked: str,
    *,
    language: str = "python",
    mode: Mode | None = None,
    trigger: Trigger = Trigger.INVOKED,
    path: str = "src/file.py",
    repo: str = "project",
    session: str = "window",
) -> CompletionRequest:
    """A request at the `▮` of a text."""
    cursor = marked.index(CURSOR)
    text = marked[:cursor] + marked[cursor + 1 :]
    snapshot = DocumentSnapshot(
        uri=f"file:///{path}",
        path=path,
        repo=repo,
        version=1,
        text=text,
        language=language,
        tree=parse(language, text),
    )
    return CompletionRequest(snapshot=snapshot, cursor=cursor, mode=mode, trigger=trigger, session=session)


def deps_with(engine: Engine, *, limits: Limits = LIMITS, spec: PromptSpec = SPEC) -> Deps:
    """What `complete` needs, with the byte tokenizer."""
    tokenizer: TokenizerProtocol = ByteTokenizer()
    return Deps(
        engine=engine,
        tokenizer=tokenizer,
        spec=spec,
        limits=limits,
        cache=ReuseCache(),
        segments=SegmentCache(tokenizer),
    )
