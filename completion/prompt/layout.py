"""Lays out the prompt, what the user types last (docs/decisions/031). Called by the pipeline.

    fim:   header | snippets | file path | <prefix> lines above <suffix> text after <middle> last lines | current line
    left:  header | snippets | file path | lines above | current line
    chat:  header | snippets | file path | <turn> complete this: lines above <turn> the function so far | current line

Chat is for the whole body of a function that stands nearly alone in its file, and for models that follow instructions:
they write better code when they are asked for it; where there is more to go on, going on is better (evals/LOG.md). The
answer is begun for the model with the function itself, so that what it writes goes on at the cursor.

Models that were trained so have the text after the cursor first. Typing on a line so changes only the last tokens, in
the first two formats. In the first the last lines above stand
behind the text after the cursor, as if the model had begun to write there: it goes on with them, where it would else
often end, or repeat what follows (evals/LOG.md). Snippets stand worst first: the best is
next to the file. The prompt is cut into pieces with ranks, so that the engine can answer from the most useful ones
while the others are not ready. Token healing (Lundberg, guidance): the prompt ends before the word the cursor stands in
or behind, and the generation must begin with its bytes; a word or an indentation that is half typed would else be cut
where the model never saw a cut.

Rules: pure. Sentinels appear as ids only; a document that contains their spelling is ordinary text.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from completion.prompt.body import function_near, missing_body
from completion.prompt.segments import SegmentCache
from completion.prompt.window import PromptWindow, choose_window, split
from completion.switches import Switch
from completion.types import (
    CompletionRequest,
    Format,
    Limits,
    Mode,
    Piece,
    Prompt,
    PromptSpec,
    Snippet,
    Tokenizer,
    Trigger,
)
from parsers.languages import by_id

# Ids that a prompt may hold besides header, path, snippets and window: three sentinels.
_N_SENTINELS = 3
# At 6,000 random cursors in this repository's sources and language samples, the prompt's tokens were those of
# the whole line for 87 % when one token was taken back, and for 99 % when the word was (Qwen2.5-Coder's
# tokenizer; 1.2 tokens on average). Each costs a decoding step; a word of more tokens than this is not code.
_MAX_HEALED_TOKENS = 4
# Of the lines above and of the text after, what must be there before anything is generated; further away the pieces
# are this large, and the less important the further.
_NEAR_TOKENS, _NEAR_AFTER_TOKENS = 128, 64
_FAR_TOKENS = 128
# Of the lines above, how many at least are the beginning of the middle, and how many move up at once: until then a new
# line only adds tokens.
_MIDDLE_LINES, _MIDDLE_STEP = 3, 4
# The chat's file text: the nearest, since the function in it is computed twice, and anew when a line is added.
_CHAT_TOKENS = 1_024
# A function above which more than this stands has a file to go by.
_ALONE_CHARACTERS = 1_000


@dataclass(slots=True)
class _Layout:
    """A prompt in the making: pieces of ids."""

    ids: list[int]
    pieces: list[Piece]

    def add(self, ids: Sequence[int], rank: int = 0, *, block: bool = False, loose: bool = False) -> None:
        """Append a piece; required ones in a row are one."""
        if not ids:
            return
        self.ids += ids
        last = self.pieces[-1] if self.pieces else None
        if last is not None and last.rank == rank == 0 and not (last.block or block or last.loose or loose):
            self.pieces[-1] = Piece(n_tokens=last.n_tokens + len(ids), rank=0, block=False)
        else:
            self.pieces.append(Piece(n_tokens=len(ids), rank=rank, block=block, loose=loose))


def prompt_format(spec: PromptSpec, mode: Mode) -> Format:
    """The format measured best for this model and mode; left-to-right when it has no sentinels."""
    wanted = spec.line_format if mode is Mode.LINE else spec.block_format
    return wanted if spec.has_fim else Format.LEFT


def function_asked_for(spec: PromptSpec, request: CompletionRequest, mode: Mode) -> int | None:
    """Where the function begins whose whole body is asked for in a chat; None where another format is better."""
    return _if_alone(missing_body(request)) if mode is Mode.BLOCK and _may_chat(spec, request) else None


def _may_chat(spec: PromptSpec, request: CompletionRequest) -> bool:
    return spec.body_format is Format.CHAT and spec.has_chat and Switch.BODY_CHAT not in request.without


def _if_alone(begin: int | None) -> int | None:
    return begin if begin is not None and begin <= _ALONE_CHARACTERS else None


def build_prompt(
    spec: PromptSpec, tokenizer: Tokenizer, cache: SegmentCache, limits: Limits, request: CompletionRequest, mode: Mode
) -> Prompt:
    """The prompt of a request: at most `limits.max_prompt_tokens` ids."""
    begin = function_asked_for(spec, request, mode)
    return _build(spec, tokenizer, cache, limits, request, mode, begin)


def chat_ahead(
    spec: PromptSpec, tokenizer: Tokenizer, cache: SegmentCache, limits: Limits, request: CompletionRequest
) -> Prompt | None:
    """The chat about the function that the cursor stands in, as if its body were still missing: most of the one that
    comes when its docstring is written. None where there is no function, or no chat.
    """
    begin = _if_alone(function_near(request)) if _may_chat(spec, request) else None
    return None if begin is None else _build(spec, tokenizer, cache, limits, request, Mode.BLOCK, begin)


def _build(
    spec: PromptSpec,
    tokenizer: Tokenizer,
    cache: SegmentCache,
    limits: Limits,
    request: CompletionRequest,
    mode: Mode,
    begin: int | None,
) -> Prompt:
    """With `begin`, where a function begins, the chat about it."""
    snapshot = request.snapshot
    assert 0 <= request.cursor <= len(snapshot.text), "the server clamps the cursor to its snapshot"
    chosen = prompt_format(spec, mode) if begin is None else Format.CHAT
    header, path = _header(spec, cache, snapshot.repo), _file(spec, cache, snapshot.path)
    if len(header) + len(path) > limits.max_prompt_tokens // 4:
        header, path = header[:1] if spec.bos is not None else [], []
    file_budget = min(limits.max_file_tokens, limits.max_prompt_tokens - len(header) - len(path) - _N_SENTINELS)
    turns = _turns(spec, cache, snapshot.language) if begin is not None else ([], [])
    share = limits.suffix_share if chosen is Format.FIM else 0.0
    budget = file_budget if begin is None else min(_CHAT_TOKENS, (file_budget - sum(map(len, turns))) // 2)
    window = choose_window(snapshot.text, request.cursor, budget, share, cache)
    n_kept = len(window.line) - _n_healed(window.line, tokenizer)
    line, healed = window.line[:n_kept], window.line[n_kept:]

    layout = _Layout([], [])
    layout.add(header)
    # By the size the file may have, not by the one it has: typing must not push a snippet out.
    room = limits.max_prompt_tokens - len(header) - len(path) - _N_SENTINELS - file_budget
    fitted = _fitted(spec, cache, request.snippets, room)
    for rank, ids in reversed(list(enumerate(filter(None, fitted)))):
        layout.add(ids, 1 + 2 * rank, block=True)
    layout.add(path)
    if begin is not None:
        _add_chat(layout, window, turns, n_lines=_n_lines(snapshot.text, begin, request.cursor))
    elif chosen is Format.FIM:
        n_lines = _n_lines(snapshot.text, _middle_begin(snapshot.text, request.cursor), request.cursor)
        _add_fim(layout, window, spec, n_lines=n_lines, loose=request.trigger is Trigger.AUTOMATIC)
    else:
        _add_above(layout, window)
    layout.add(line)
    if not layout.ids:  # an empty file without a header: the model still needs one token
        layout.add([spec.stop_token_ids[0]])
    return Prompt(
        token_ids=array("I", layout.ids),
        heal=b"".join(tokenizer.token_bytes(token_id) for token_id in healed),
        stop_token_ids=spec.stop_token_ids,
        max_tokens=limits.max_line_tokens if mode is Mode.LINE else limits.max_block_tokens,
        line_only=mode is Mode.LINE,
        format=chosen,
        pieces=tuple(_ending_required(layout.pieces)),
        deadline_ms=limits.deadline_ms,
        n_snippet_tokens=tuple(map(len, fitted)),
    )


def _middle_begin(text: str, cursor: int) -> int:
    """Where the first of the last lines begins: a function of the line's number, so that it stays for some lines."""
    n_above = text.count("\n", 0, cursor)
    begin = text.rfind("\n", 0, cursor) + 1
    for _ in range(min(n_above, _MIDDLE_LINES + n_above % _MIDDLE_STEP)):
        begin = text.rfind("\n", 0, begin - 1) + 1
    return begin


def _add_fim(layout: _Layout, window: PromptWindow, spec: PromptSpec, *, n_lines: int, loose: bool) -> None:
    """The last `n_lines` of those above are the middle's beginning.

    `loose`: even the nearest text after the cursor may be as it was computed before lines moved up, above it. That
    keeps nine tenths of its worth (`midfill eval suffix`), and a pause is enough to have it computed anew.
    """
    prefix, suffix, middle = spec.fim_marks
    window, last = split(window, n_lines)
    if spec.suffix_first:
        _add_after(layout, window, suffix, loose=loose)
    layout.add(prefix)
    _add_above(layout, window)
    if not spec.suffix_first:
        _add_after(layout, window, suffix, loose=loose)
    layout.add([*middle, *last])


def _add_after(layout: _Layout, window: PromptWindow, suffix: Sequence[int], *, loose: bool) -> None:
    layout.add(suffix)
    layout.add(window.after[:_NEAR_AFTER_TOKENS], loose=loose)
    for number, begin in enumerate(range(_NEAR_AFTER_TOKENS, len(window.after), _FAR_TOKENS)):
        layout.add(window.after[begin : begin + _FAR_TOKENS], 1 + number)


def _turns(spec: PromptSpec, cache: SegmentCache, language_id: str) -> tuple[list[int], list[int]]:
    """What stands before the file's text, and between that and the function, in a chat (ChatML)."""
    assert None not in (spec.turn_start, spec.turn_end), "function_asked_for says so"
    start, end = ([i for i in (mark,) if i is not None] for mark in (spec.turn_start, spec.turn_end))
    end += cache.encode("\n")
    language = by_id(language_id)
    system = [*start, *cache.encode(f"system\n{spec.chat_system}"), *end]
    asked = cache.encode(f"user\nComplete the function at the end of this {language.name} file.\n```{language.id}\n")
    answered = cache.encode(f"assistant\n```{language.id}\n")
    return [*system, *start, *asked], [*cache.encode("```\n"), *end, *start, *answered]


def _add_chat(layout: _Layout, window: PromptWindow, turns: tuple[list[int], list[int]], n_lines: int) -> None:
    """The lines above, and of them the last `n_lines`, the function's, once more as the beginning of the answer."""
    asked, answered = turns
    layout.add(asked)
    _add_above(layout, window)
    layout.add(answered)
    layout.add(split(window, n_lines)[1])


def _n_lines(text: str, begin: int, cursor: int) -> int:
    """How many lines with text stand between a line's beginning and the cursor's line: a window has cuts at these."""
    return sum(1 for line in text[begin : text.rfind("\n", 0, cursor) + 1].split("\n") if line.strip())


def _header(spec: PromptSpec, cache: SegmentCache, repo: str) -> list[int]:
    """What all prompts of a repository begin with, and all its snippets have seen."""
    bos = [] if spec.bos is None else [spec.bos]
    return bos if spec.repo_name is None or not repo else [*bos, spec.repo_name, *cache.encode(f"{repo}\n")]


def _file(spec: PromptSpec, cache: SegmentCache, path: str) -> list[int]:
    """What stands before a file's text: its path, where the model has a token for it."""
    return [] if spec.file_sep is None else [spec.file_sep, *cache.encode(f"{path}\n")]


def snippet_ids(spec: PromptSpec, cache: SegmentCache, snippet: Snippet) -> list[int]:
    """A snippet as a block of the prompt: its file's path, then its text."""
    return [*_file(spec, cache, snippet.path), *cache.encode(snippet.text)]


def _fitted(spec: PromptSpec, cache: SegmentCache, snippets: Sequence[Snippet], room: int) -> list[list[int]]:
    """The ids of each snippet, [] for those that do not fit; a model without a token for files gets none."""
    fitted: list[list[int]] = []
    for snippet in snippets:
        ids = snippet_ids(spec, cache, snippet) if spec.file_sep is not None else []
        fitted.append(ids if len(ids) <= room else [])
        room -= len(fitted[-1])
    return fitted


def _add_above(layout: _Layout, window: PromptWindow) -> None:
    """The lines above in pieces that begin with a line; the nearest is required."""
    cuts, end, near = [len(window.above)], len(window.above), _NEAR_TOKENS
    for cut in reversed(window.cuts):
        if end - cut >= near and cut > 0:
            cuts.append(cut)
            end, near = cut, _FAR_TOKENS
    cuts = [0, *reversed(cuts)]
    n_pieces = len(cuts) - 1
    for index in range(n_pieces):
        layout.add(window.above[cuts[index] : cuts[index + 1]], n_pieces - 1 - index)


def _ending_required(pieces: list[Piece]) -> list[Piece]:
    """Generation goes on from the last token: the piece that holds it is required."""
    last = pieces[-1]
    return [*pieces[:-1], Piece(n_tokens=last.n_tokens, rank=0, block=False)] if last.rank or last.block else pieces


def _n_healed(line: list[int], tokenizer: Tokenizer) -> int:
    """How many of the current line's last tokens to take back: back to the start of a word, at least one."""
    n_healed = min(1, len(line))
    while n_healed < min(len(line), _MAX_HEALED_TOKENS):
        left, right = (tokenizer.token_bytes(line[-n_healed - 1]), tokenizer.token_bytes(line[-n_healed]))
        if not _inside_word(left, right):
            break
        n_healed += 1
    return n_healed


def _inside_word(left: bytes, right: bytes) -> bool:
    """Whether the cut between two tokens falls between two letters, or inside of one character's bytes."""
    if right and 0x80 <= right[0] < 0xC0:
        return True
    return left.decode("utf-8", "ignore")[-1:].isalpha() and right.decode("utf-8", "ignore")[:1].isalpha()
