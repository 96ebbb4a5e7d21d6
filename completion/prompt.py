"""Lays out the prompt, what the user types last (see DESIGN 2.2 in ARCHITECTURE.md).

    fim:   repo header | file path | <prefix> lines above <suffix> text after <middle> current line
    left:  repo header | file path | lines above | current line

Typing on a line so changes only the last tokens, in both formats. Token healing (Lundberg, guidance): the
prompt ends before the last token of the current line, whose bytes the generation must begin with; a word
or an indentation that is half typed would else be cut where the model never saw a cut.

Rules: pure. Sentinels appear as ids only; a document that contains their spelling is ordinary text.
"""

from array import array

from completion.segments import SegmentCache
from completion.types import CompletionRequest, Format, Limits, Mode, Prompt, PromptSpec, Tokenizer
from completion.window import choose_window

# Ids that a prompt may hold besides header and window: bos and three sentinels.
_N_SENTINELS = 4


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
    chosen = prompt_format(spec, mode)
    header = _header(spec, cache, snapshot.repo, snapshot.path)
    budget = max(0, limits.max_prompt_tokens - len(header) - _N_SENTINELS)
    share = limits.suffix_share if chosen is Format.FIM else 0.0
    window = choose_window(snapshot.text, request.cursor, budget, share, cache)
    line, heal = _heal(window.line, cache, tokenizer)
    if chosen is Format.FIM:
        ids = [*header, spec.fim_prefix, *window.above, spec.fim_suffix, *window.after, spec.fim_middle, *line]
    else:
        ids = [*header, *window.above, *line]
    ids = ids or [spec.stop_token_ids[0]]  # an empty file without a header: the model still needs one token
    return Prompt(
        token_ids=array("I", [i for i in ids if i is not None]),
        heal=heal,
        stop_token_ids=spec.stop_token_ids,
        max_tokens=limits.max_line_tokens if mode is Mode.LINE else limits.max_block_tokens,
        format=chosen,
    )


def _header(spec: PromptSpec, cache: SegmentCache, repo: str, path: str) -> list[int]:
    ids = [] if spec.bos is None else [spec.bos]
    if spec.repo_name is not None and repo:
        ids += [spec.repo_name, *cache.encode(f"{repo}\n")]
    if spec.file_sep is not None:
        ids += [spec.file_sep, *cache.encode(f"{path}\n")]
    return ids


def _heal(line: str, cache: SegmentCache, tokenizer: Tokenizer) -> tuple[tuple[int, ...], bytes]:
    """The current line's ids without the last token, and that token's bytes."""
    ids = cache.segment(line) if line else ()
    return ids[:-1], tokenizer.token_bytes(ids[-1]) if ids else b""
