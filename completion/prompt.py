"""Lays out the prompt, what the user types last (see DESIGN 2.2 in ARCHITECTURE.md). Called by the pipeline.

    fim:   repo header | file path | <prefix> lines above <suffix> text after <middle> current line
    left:  repo header | file path | lines above | current line

Typing on a line so changes only the last tokens, in both formats. Token healing (Lundberg, guidance): the
prompt ends before the word the cursor stands in or behind, and the generation must begin with its bytes; a
word or an indentation that is half typed would else be cut where the model never saw a cut.

Rules: pure. Sentinels appear as ids only; a document that contains their spelling is ordinary text.
"""

from array import array

from completion.segments import SegmentCache
from completion.types import CompletionRequest, Format, Limits, Mode, Prompt, PromptSpec, Tokenizer
from completion.window import choose_window

# Ids that a prompt may hold besides header and window: three sentinels.
_N_SENTINELS = 3
# At 6,000 random cursors in this repository's sources and language samples, the prompt's tokens were those of
# the whole line for 87 % when one token was taken back, and for 99 % when the word was (Qwen2.5-Coder's
# tokenizer; 1.2 tokens on average). Each costs a decoding step; a word of more tokens than this is not code.
_MAX_HEALED_TOKENS = 4


def prompt_format(spec: PromptSpec, mode: Mode) -> Format:
    """The format measured best for this model and mode; left-to-right when it has no sentinels."""
    wanted = spec.line_format if mode is Mode.LINE else spec.block_format
    has_fim = None not in (spec.fim_prefix, spec.fim_suffix, spec.fim_middle)
    return wanted if has_fim else Format.LEFT


def build_prompt(
    spec: PromptSpec, tokenizer: Tokenizer, cache: SegmentCache, limits: Limits, request: CompletionRequest, mode: Mode
) -> Prompt:
    """The prompt of a request: at most `limits.max_prompt_tokens` ids."""
    snapshot = request.snapshot
    assert 0 <= request.cursor <= len(snapshot.text), "the server clamps the cursor to its snapshot"
    chosen = prompt_format(spec, mode)
    header = _header(spec, cache, snapshot.repo, snapshot.path, limits.max_prompt_tokens // 4)
    budget = limits.max_prompt_tokens - len(header) - _N_SENTINELS
    share = limits.suffix_share if chosen is Format.FIM else 0.0
    window = choose_window(snapshot.text, request.cursor, budget, share, cache)
    n_kept = len(window.line) - _n_healed(window.line, tokenizer)
    line, healed = window.line[:n_kept], window.line[n_kept:]
    if chosen is Format.FIM:
        ids = [*header, spec.fim_prefix, *window.above, spec.fim_suffix, *window.after, spec.fim_middle, *line]
    else:
        ids = [*header, *window.above, *line]
    ids = ids or [spec.stop_token_ids[0]]  # an empty file without a header: the model still needs one token
    return Prompt(
        token_ids=array("I", [i for i in ids if i is not None]),
        heal=b"".join(tokenizer.token_bytes(token_id) for token_id in healed),
        stop_token_ids=spec.stop_token_ids,
        max_tokens=limits.max_line_tokens if mode is Mode.LINE else limits.max_block_tokens,
        format=chosen,
    )


def _header(spec: PromptSpec, cache: SegmentCache, repo: str, path: str, most: int) -> list[int]:
    """Repository and path, as far as the model has tokens for them; without them when longer than `most`."""
    bos = [] if spec.bos is None else [spec.bos]
    ids: list[int] = []
    if spec.repo_name is not None and repo:
        ids += [spec.repo_name, *cache.encode(f"{repo}\n")]
    if spec.file_sep is not None:
        ids += [spec.file_sep, *cache.encode(f"{path}\n")]
    return bos + ids if len(ids) <= most else bos


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
