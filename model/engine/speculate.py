"""Drafts for speculative decoding: what probably comes next, by lookup alone.

A step that verifies eight tokens costs two to three steps of one, so a guess that is right often enough pays.
Guesses come from text that is likely to be repeated (prompt lookup decoding, Saxena 2023): what the engine
suggested last in this document, whose tail usually stays valid when the user types something else first, and
the prompt with what has been generated, its latest occurrence first.

Rules: pure; a draft is only a guess, the verifying forward decides. No model, no second vocabulary.
"""

from array import array
from dataclasses import dataclass, field

# Lengths of a match, longest first. A single token predicts too little in a prompt, but enough in the last suggestion.
_PROMPT_MATCHES = (8, 4, 2)
_SUGGESTION_MATCHES = (8, 4, 2, 1)
# Of the prompt's end, remembered with a suggestion, so that the next prompt's end can be found in it.
SUGGESTION_CONTEXT = 8
# Of the prompt, a match of n tokens is trusted for n - 2 more: with the cost of longer steps this is within two
# per cent of the best of thirty rules on real completions (evals/LOG.md).
_UNTRUSTED = 2
# A step of 1 + 7 tokens fills one tile of the native kernels.
MAX_DRAFT = 7
_ITEM_BYTES = array("I").itemsize


@dataclass(slots=True)
class Drafter:
    """Proposes drafts for one generation; the longest follows how many tokens of the last were accepted."""

    suggestion: "array[int]" = field(default_factory=lambda: array("I"))
    n_drafted: int = 0
    n_accepted: int = 0
    _longest: int = MAX_DRAFT

    def propose(self, text: "array[int]", at_most: int) -> "array[int]":
        """Up to `at_most` tokens that may follow `text`; empty when nothing in it repeats."""
        longest = min(self._longest, at_most)
        for n in _SUGGESTION_MATCHES:
            if draft := _after_last_match(self.suggestion, text, n, longest):
                return draft
        for n in _PROMPT_MATCHES:
            if draft := _after_last_match(text, text, n, min(longest, max(1, n - _UNTRUSTED))):
                return draft
        return array("I")

    def verified(self, n_drafted: int, n_accepted: int) -> None:
        """Learn how far the last draft was right."""
        self.n_drafted += n_drafted
        self.n_accepted += n_accepted
        if n_drafted:
            self._longest = min(MAX_DRAFT, 2 * n_accepted + 1)


def _after_last_match(source: "array[int]", text: "array[int]", n: int, longest: int) -> "array[int]":
    """Up to `longest` tokens after the last place in `source` that reads like the last n tokens of `text`."""
    if n > len(text) or longest <= 0:
        return array("I")
    data = source.tobytes()
    # In `text` itself the last place is its own end, which nothing follows yet.
    end = len(data) - (_ITEM_BYTES if source is text else 0)
    found = _last_index(data, text[-n:].tobytes(), end)
    return array("I") if found is None else source[found + n : found + n + longest]


def _last_index(data: bytes, pattern: bytes, end: int) -> int | None:
    """Index in tokens of the last occurrence of `pattern` within data[:end]."""
    while (at := data.rfind(pattern, 0, end)) >= 0:
        if at % _ITEM_BYTES == 0:
            return at // _ITEM_BYTES
        end = at + len(pattern) - 1
    return None
