"""Which sentinels a vocabulary has, by the spellings that families of models use, and the prompt layout they make.

Rules: pure. Of several spellings of the same thing a vocabulary has one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from completion.types import Format, PromptSpec
from model.library.catalog import ModelRow

# ChatML's marks (OpenAI 2023), which Qwen's models were trained with.
TURN_START, TURN_END = "<|im_start|>", "<|im_end|>"
_REPO_NAME = ("<|repo_name|>", "<reponame>", "<repo_name>")
_FILE_SEP = ("<|file_sep|>", "<file_sep>", "<filename>")
_FIM_PREFIX = (
    "<|fim_prefix|>",
    "<fim_prefix>",
    "<|fim_begin|>",
    "<｜fim▁begin｜>",
    "<[fim-prefix]>",
    "<PRE>",
    "▁<PRE>",
    "[PREFIX]",
)
_FIM_SUFFIX = (
    "<|fim_suffix|>",
    "<fim_suffix>",
    "<|fim_hole|>",
    "<｜fim▁hole｜>",
    "<[fim-suffix]>",
    "<SUF>",
    "▁<SUF>",
    "[SUFFIX]",
)
_FIM_MIDDLE = ("<|fim_middle|>", "<fim_middle>", "<|fim_end|>", "<｜fim▁end｜>", "<[fim-middle]>", "<MID>", "▁<MID>")
# What ends a text, beside the sentinels. (`</s>` is an ordinary token in some vocabularies.)
_ENDS = ("<|endoftext|>", "<｜end▁of▁sentence｜>", "<|end_of_text|>", "<|EOT|>", "<|fim_pad|>", "<fim_pad>")
# By a part of a model's name: what a family calls its sentinels, for servers that take text alone. From the tokenizers
# and cards that were published with bigcode/starcoder2-15b, deepseek-ai/deepseek-coder-6.7b-base,
# ibm-granite/granite-8b-code-base, google/codegemma-2b, JetBrains/Mellum-4b-base; Seed-Coder's order from its paper,
# Codestral's, which has nothing before the middle, from mistralai/mistral-common (`encode_fim`).
_STARCODER = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<|endoftext|>")
_QWEN = ("<|repo_name|>", "<|file_sep|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|endoftext|>")
_FAMILIES: dict[str, tuple[str, ...]] = {
    "qwen": _QWEN,
    "starcoder": ("<repo_name>", "<file_sep>", *_STARCODER),
    "deepseek-coder": ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", "<｜end▁of▁sentence｜>"),
    "granite": _STARCODER,
    "codegemma": ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_separator|>"),
    "mellum": ("<filename>", *_STARCODER),
    "codestral": ("[SUFFIX]", "[PREFIX]", "</s>"),
    "seed-coder": ("<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"),
}
# Of these the text after the cursor comes first.
_SUFFIX_FIRST = ("mellum", "seed-coder", "codestral")
SPELLINGS = (*_REPO_NAME, *_FILE_SEP, *_FIM_PREFIX, *_FIM_SUFFIX, *_FIM_MIDDLE, TURN_START, TURN_END, *_ENDS)


def spec_of(special: Mapping[str, int], stops: Iterable[int], *, bos: int | None, row: ModelRow | None) -> PromptSpec:
    """The prompt layout: sentinels found in the vocabulary, formats from the catalog where it has the model."""

    def find(spellings: tuple[str, ...]) -> int | None:
        return next((special[s] for s in spellings if s in special), None)

    default = Format.FIM if all(find(s) is not None for s in (_FIM_PREFIX, _FIM_SUFFIX)) else Format.LEFT
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


def family_of(model: str) -> tuple[str, ...]:
    """How the family of a model, by its name, spells its sentinels; () for one that nobody here knows."""
    return next((spellings for name, spellings in _FAMILIES.items() if name in model.lower()), ())


def in_order(spec: PromptSpec, model: str) -> PromptSpec:
    """The layout with the order that a model, by its name, was trained with."""
    return replace(spec, suffix_first=any(name in model.lower() for name in _SUFFIX_FIRST))
