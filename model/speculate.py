"""Drafts for speculative decoding: what probably comes next, by lookup alone.

A step that verifies eight tokens costs about twice a step of one, so a guess that is right every other time pays.
Guesses come from text that is likely to be repeated (prompt lookup decoding, Saxena 2023): what the engine
suggested last in this document, whose tail usually stays valid when the user types something else first, and
the prompt with what has been generated, its latest occurrence first.

Rules: pure; a draft is only a guess, the verifying forward decides. No model, no second vocabulary.
"""

from array import array
from dataclasses import dataclass, field

# Longest match first; a single token predicts too little in a prompt, but enough in the last suggestion.
_PROMPT_NGRAMS = (4, 3, 2)
_SUGGESTION_NGRAMS = (4, 3, 2, 1)
# A step of 1 + 7 tokens fills one tile of the native kernels.
MAX_DRAFT = 7
_FIRST_DRAFT = 4
_ITEM_BYTES = array("I").itemsize


@dataclass(slots=True)
class Drafter:
    """Proposes drafts for one generation; their length follows how many were accepted."""

    suggestion: "array[int]" = field(default_factory=lambda: array("I"))
    n_drafted: int = 0
    n_accepted: int = 0
    _length: int = _FIRST_DRAFT

    def propose(self, text: "array[int]", at_most: int) -> "array[int]":
        """Up to `at_most` tokens that may follow `text`; empty when nothing in it repeats."""
        n = min(self._length, at_most)
        if n <= 0:
            return array("I")
        draft = _after_last_match(self.suggestion, text, _SUGGESTION_NGRAMS, n)
        return draft or _after_last_match(text, text, _PROMPT_NGRAMS, n)

    def verified(self, n_drafted: int, n_accepted: int) -> None:
        """Learn how far the last draft was right."""
        self.n_drafted += n_drafted
        self.n_accepted += n_accepted
        if n_drafted:
            self._length = min(MAX_DRAFT, 2 * n_accepted + 1)


def _after_last_match(source: "array[int]", text: "array[int]", ngrams: tuple[int, ...], n: int) -> "array[int]":
    """The n tokens after the last place in `source` that reads like the end of `text`."""
    data = source.tobytes()
    for length in ngrams:
        if length > len(text):
            continue
        # In `text` itself the last place is its own end, which nothing follows yet.
        end = len(data) - (_ITEM_BYTES if source is text else 0)
        found = _last_index(data, text[-length:].tobytes(), end)
        if found is not None and (draft := source[found + length : found + length + n]):
            return draft
    return array("I")


def _last_index(data: bytes, pattern: bytes, end: int) -> int | None:
    """Index in tokens of the last occurrence of `pattern` within data[:end]."""
    while (at := data.rfind(pattern, 0, end)) >= 0:
        if at % _ITEM_BYTES == 0:
            return at // _ITEM_BYTES
        end = at + len(pattern) - 1
    return None
