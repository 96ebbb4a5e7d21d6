"""Which sentinels a vocabulary has, by the spellings that families of models use, and the prompt layout they make.

Rules: pure. Of several spellings of the same thing a vocabulary has one.
"""

from collections.abc import Iterable, Mapping

from completion.types import Format, PromptSpec
from model.library.catalog import ModelRow

# ChatML's marks (OpenAI 2023), which Qwen's models were trained with.
TURN_START, TURN_END = "<|im_start|>", "<|im_end|>"
_REPO_NAME = ("<|repo_name|>", "<reponame>", "<repo_name>")
_FILE_SEP = ("<|file_sep|>", "<file_sep>", "<filename>")
_FIM_PREFIX = ("<|fim_prefix|>", "<fim_prefix>", "<|fim_begin|>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>")
_FIM_SUFFIX = ("<|fim_suffix|>", "<fim_suffix>", "<|fim_hole|>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>")
_FIM_MIDDLE = ("<|fim_middle|>", "<fim_middle>", "<|fim_end|>", "<｜fim▁end｜>", "<MID>", "▁<MID>")
# What ends a text, beside the sentinels. (`</s>` is an ordinary token in some vocabularies.)
_ENDS = ("<|endoftext|>", "<｜end▁of▁sentence｜>", "<|end_of_text|>", "<|EOT|>", "<|fim_pad|>", "<fim_pad>")
SPELLINGS = (*_REPO_NAME, *_FILE_SEP, *_FIM_PREFIX, *_FIM_SUFFIX, *_FIM_MIDDLE, TURN_START, TURN_END, *_ENDS)


def spec_of(special: Mapping[str, int], stops: Iterable[int], *, bos: int | None, row: ModelRow | None) -> PromptSpec:
    """The prompt layout: sentinels found in the vocabulary, formats from the catalog where it has the model."""

    def find(spellings: tuple[str, ...]) -> int | None:
        return next((special[s] for s in spellings if s in special), None)

    has_fim = all(find(s) is not None for s in (_FIM_PREFIX, _FIM_SUFFIX, _FIM_MIDDLE))
    default = Format.FIM if has_fim else Format.LEFT
    return PromptSpec(
        repo_name=find(_REPO_NAME),
        file_sep=find(_FILE_SEP),
        fim_prefix=find(_FIM_PREFIX),
        fim_suffix=find(_FIM_SUFFIX),
        fim_middle=find(_FIM_MIDDLE),
        stop_token_ids=tuple(sorted(set(stops))),
        bos=bos,
        line_format=row.line_format if row else default,
        block_format=row.block_format if row else default,
    )
