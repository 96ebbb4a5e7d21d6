"""The shared vocabulary: every piece of data that crosses a module boundary, and the three Protocols.

A reader who knows these types knows the program. They are plain frozen data: nothing here does I/O,
knows LSP, or imports torch.

Rules: text offsets are *code-point offsets* into `DocumentSnapshot.text` unless a name says `_bytes`
or `_utf16`; times are milliseconds when a name ends in `_ms`, and `time.monotonic()` seconds when it
ends in `_at`. Expected outcomes are values (`Outcome`), never exceptions.
"""

from array import array
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum
from typing import TYPE_CHECKING, Protocol

from completion.switches import Switch

if TYPE_CHECKING:  # the daemon and the client import this module too, and need no parser
    from parsers.parse import SyntaxTree


class Mode(StrEnum):
    """How much to complete: the rest of the line, or up to the end of the enclosing block."""

    LINE = "line"
    BLOCK = "block"


class Trigger(Enum):
    """What made the editor send a request: the user pressed the key for it, or typed."""

    INVOKED = "invoked"
    AUTOMATIC = "automatic"


class Format(StrEnum):
    """Prompt layout: fill-in-the-middle with the text after the cursor, plain left-to-right, or a request in a chat."""

    FIM = "fim"
    LEFT = "left"
    CHAT = "chat"


class RewriteForm(StrEnum):
    """How a model is asked to rewrite lines after an edit; `completion.next_edit.rewriting` has the prompts."""

    SWEEP = "sweep"
    PAIRS = "pairs"
    FIM = "fim"
    CHAT = "chat"


class Outcome(StrEnum):
    """Why a request ended the way it did; `midfill/status` shows the last one in words."""

    OK = "ok"
    EMPTY = "empty"  # the model had nothing to add here
    FILTERED = "filtered"  # the model answered, a filter removed all of it
    QUIET = "quiet"  # automatic, and the user would probably not keep it
    SKIPPED = "skipped"  # a trigger rule said not to ask
    STALE = "stale"  # the document changed while the model was working
    CANCELLED = "cancelled"
    DEADLINE = "deadline"
    NOT_READY = "not_ready"  # the model is being fetched, quantized or loaded
    ENGINE_DOWN = "engine_down"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentSnapshot:
    """One version of one document, never changed after it is made."""

    uri: str
    path: str  # what the model is shown: POSIX path relative to the workspace, or the buffer's name
    repo: str  # name of the workspace folder; "" when there is none
    version: int
    text: str
    language: str  # a `parsers.languages` id; "plaintext" when unknown
    tree: "SyntaxTree"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """A piece of another file, as the model is shown it."""

    path: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """A cursor in a snapshot. `mode` None lets the trigger decide between line and block.

    `snippets` of other files, the best first, stand before the file in the prompt as far as the budget allows.
    """

    snapshot: DocumentSnapshot
    cursor: int
    mode: Mode | None
    trigger: Trigger
    session: str  # names the KV session: one per editor window and document
    snippets: tuple[Snippet, ...] = ()
    without: frozenset[Switch] = frozenset()  # what is off: for benchmarks alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Budgets in tokens and in time; None means no bound. `max_prompt_tokens` covers the whole prompt, snippets and
    sentinels included.
    """

    max_prompt_tokens: int
    max_file_tokens: int  # of it, for the file itself
    max_line_tokens: int
    max_block_tokens: int
    suffix_share: float  # part of the window's text budget reserved for the text after the cursor
    max_wait_ms: int | None  # from request to answer; what is there by then is used
    deadline_ms: int | None  # what the engine may spend on a prompt that is not ready
    quietness: float = 0.0  # an automatic answer is kept with at least this probability; it is cut where it would not
    rank_ms: int | None = 0  # what an invoked line's comparison with others may take; 0: it is not compared
    patience_ms: int | None = None  # after so long what there is by then is the answer


class Priority(IntEnum):
    """How urgent a request is to the engine; a lower value goes first."""

    INTERACTIVE = 0  # an editor's request waits for it
    SERVED = 1  # another program's request waits for it (`midfill serve`)
    NEXT = 2  # the next request may want it
    WARM = 3  # only to have the window ready; generates nothing

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for it now: it does not wait for a good time."""
        return self <= Priority.SERVED


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a prompt. Rank 0 must be computed before anything is generated; of the others a lower rank is better.

    A block is a snippet of another file: the engine computes it once and reuses it in every prompt that has it. What
    is `loose` may be taken as it was computed at another place of an earlier prompt.
    """

    n_tokens: int
    rank: int
    block: bool
    loose: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Token ids for the engine. The generation is forced to begin with the bytes `heal`.

    `heal` holds what stands between the end of the prompt and the cursor: the partial token that
    token healing took back from the current line. It is part of what the user already typed.
    """

    token_ids: "array[int]"  # array('I')
    heal: bytes
    stop_token_ids: tuple[int, ...]
    max_tokens: int
    format: Format
    n_candidates: int = 1  # the best, and others that part from it in its first line, each continued greedily
    line_only: bool = False  # several candidates end with their lines
    target: tuple[
        int, ...
    ] = ()  # scored instead of generating: these very tokens come back with their log-probabilities
    pieces: tuple[Piece, ...] = ()  # cut the ids into parts; without any, all of them are required
    deadline_ms: float | None = None  # what the engine may spend on other than required pieces; None: no bound
    n_snippet_tokens: tuple[int, ...] = ()  # of each of the request's snippets; 0: it found no room


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationStats:
    """The engine's own counters for one generation."""

    n_prompt: int  # tokens in the prompt
    n_cached: int = 0  # of them, tokens whose keys and values were reused
    n_computed: int = 0  # of them, tokens run through the model for this request
    n_attended: int = 0  # of them, tokens that took part
    n_blocks: int = 0  # blocks that took part
    rung: str = ""  # "instant": some of the prompt was missing or stale; "window": all was there; "exact"
    n_generated: int = 0
    n_drafted: int = 0  # tokens that speculation guessed
    n_accepted: int = 0  # of them, tokens that were right
    queue_ms: float = 0.0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """Newly generated tokens with their log-probabilities; `stats` is set when the prompt is done and at the end.

    Of a token that had to spell what is typed `spelled` is the log-probability of all that could have: the token's own
    less that is how sure the model is of it, since the user has typed these bytes.
    """

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    spelled: float = 0.0
    candidate: int = 0
    stats: GenerationStats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterStep:
    """What one filter made of a suggestion."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """How an answer came about, for `midfill why`. Holds source text: it is shown to the user and never logged."""

    trigger: Trigger
    format: Format | None = None  # of the prompt; None when the model was not asked
    snippets: tuple[Snippet, ...] = ()  # of other files, as offered to the prompt, the best first
    n_snippet_tokens: tuple[int, ...] = ()  # of each of them; 0: the prompt had no room for it
    raw: str = ""  # what the model wrote from the cursor on, cut by the stop rule
    steps: tuple[FilterStep, ...] = ()  # the filters that changed it
    candidate: str = ""  # what they left, shown or not
    covered: str = ""  # of the document, right of the cursor: what it would replace
    sure: tuple[tuple[int, float], ...] = ()  # of each token the characters of `raw` before it, and its log-probability
    ranked: tuple[tuple[str, float], ...] = ()  # answers that were compared, with their scores, the best first
    unknown_names: tuple[str, ...] = ()  # names in what is left that neither file, snippets nor repository have
    refused: str = ""  # why the document is plain text although its language has a grammar


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """Another text that could be shown, as in `Completion`."""

    text: str
    replace_right: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What is shown: `text` goes in at the cursor and replaces `replace_right` characters after it."""

    text: str
    outcome: Outcome
    mode: Mode
    replace_right: int = 0
    alternatives: tuple[Alternative, ...] = ()  # of an invoked request: the next best, in order
    is_partial: bool = False  # there is more to come: the rest of the text, or a second opinion
    reason: str = ""  # in words: why nothing is shown, or which filter cut
    reused: bool = False  # answered by an earlier completion that the user is typing through
    mean_logprob: float | None = 0.0  # None: nobody knows
    probability: float | None = None  # that the user keeps it in whole; None when there is no text, or nobody knows
    stats: GenerationStats | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)
    trace: Trace | None = None  # None when nothing was decided here: the engine is not ready, the editor cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSpec:
    """How a model wants its prompt: sentinel token ids (None where the model has none) and formats."""

    repo_name: int | None
    file_sep: int | None
    fim_prefix: int | None
    fim_suffix: int | None
    fim_middle: int | None
    stop_token_ids: tuple[int, ...]  # end of text, and every sentinel: none may appear in a completion
    bos: int | None  # prepended when the model was trained with one
    line_format: Format
    block_format: Format
    body_format: Format | None = None  # for the whole body of a function; None: as for any block
    rewrite_form: RewriteForm = RewriteForm.PAIRS
    chat_system: str = ""  # what a chat begins with, as the model was trained
    suffix_first: bool = False  # the text after the cursor stands before that above it
    turn_start: int | None = None  # around each turn of a chat
    turn_end: int | None = None

    @property
    def has_fim(self) -> bool:
        """Whether the model fills in. One that has the text after the cursor first may have no middle's sentinel."""
        begins = self.fim_prefix is not None and self.fim_suffix is not None
        return begins and (self.suffix_first or self.fim_middle is not None)

    @property
    def fim_marks(self) -> tuple[list[int], list[int], list[int]]:
        """What stands before the text above the cursor, that after it, and the middle: nothing where there is none."""
        prefix, suffix, middle = (
            [] if mark is None else [mark] for mark in (self.fim_prefix, self.fim_suffix, self.fim_middle)
        )
        return prefix, suffix, middle

    @property
    def has_chat(self) -> bool:
        """Whether the model knows what a turn of a chat is."""
        return self.turn_start is not None and self.turn_end is not None


class EngineUnavailable(Exception):
    """The engine does not answer: it is starting (`not_ready`), it died, or it ended the request for another (`stale`).

    The message is for users.
    """

    def __init__(self, message: str, outcome: Outcome) -> None:
        super().__init__(message)
        self.outcome = outcome


class Engine(Protocol):
    """Generates tokens. Closing the iterator (`aclose`, or cancelling the await) stops the generation."""

    def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        """Yield deltas as tokens come; raise EngineUnavailable at once when there is no engine."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A definition in the repository. Lines are 0-based, both ends included; `line` is the one its name stands in."""

    id: int
    path: str
    name: str
    kind: str  # a `parsers.outline.SymbolKind`
    parent: int | None  # id of the enclosing definition
    line: int
    first_line: int
    last_line: int
    signature: str  # dedented, without the body
    bases: tuple[str, ...]  # names of base classes and the like


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Whole lines first_line..last_line (0-based, both included) of a file."""

    path: str
    first_line: int
    last_line: int
    text: str


class Index(Protocol):
    """What is known of a repository. Paths are relative to it, POSIX. Unknown files and names have nothing."""

    def defined_in(self, path: str) -> Sequence[Definition]:
        """A file's definitions in order."""
        ...

    def named(self, name: str, limit: int) -> Sequence[Definition]:
        """Definitions of that name anywhere, at most `limit`; fields last."""
        ...

    def imported_by(self, path: str) -> Sequence[tuple[str, str, str]]:
        """(path as spelled, name, alias) of each import of a file."""
        ...

    def in_folder(self, folder: str) -> Sequence[str]:
        """The files right in a folder, and in the same package's other trees (main, test)."""
        ...

    def resolve(self, spelled: str, name: str, from_path: str, language: str) -> Sequence[str]:
        """The files that an import of `name` from `spelled` means in the file `from_path` of a language."""
        ...

    def callers(self, name: str, limit: int) -> Sequence[Passage]:
        """Passages that call `name`."""
        ...

    def similar(self, counts: Mapping[str, float], limit: int) -> Sequence[Passage]:
        """The passages that share the rarest of these words (with weights), by BM25, best first."""
        ...

    def lines(self, path: str, first_line: int, last_line: int) -> str:
        """Lines of a file, with their line ends."""
        ...


class Tokenizer(Protocol):
    """Text to token ids and back; never adds special tokens, and treats sentinels in text as plain text."""

    def encode(self, text: str) -> list[int]: ...

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes a token stands for; b"" for special tokens."""
        ...
