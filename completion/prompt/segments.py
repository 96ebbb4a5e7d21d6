"""Token ids of text, cached by segment, so that a keystroke tokenizes one line and not the file.

A text is cut only before a line that holds a visible character. Byte-level BPE splits text by a regular
expression first, and none of its pieces (the patterns of Qwen2.5 and Llama 3) spans such a cut: a run of
blank lines stays with the line before it. So the ids of the segments, joined, are the ids of the whole
text; a property test holds the two against each other. With GPT-2's own pattern, which StarCoder uses, a
piece may hold a newline and the indentation behind it: there the ids are valid, but not the same.

Rules: pure but for the cache; the cache is bounded by characters. Threads may share one: prompts are built in them.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Iterator

from completion.types import Tokenizer

# About 20 MB of Python objects at the very most; a 16k window is 60,000 characters.
_MAX_CACHED_CHARACTERS = 1_000_000
# Before a line that starts with something visible, after blanks that hold no carriage return.
_CUT = re.compile(r"(?<=\n)(?=[^\S\r\n]*\S)")


def segments(text: str) -> Iterator[str]:
    """The segments of a text; joined they are the text."""
    start = 0
    for cut in _CUT.finditer(text):
        if cut.start() > start:
            yield text[start : cut.start()]
            start = cut.start()
    if start < len(text):
        yield text[start:]


class SegmentCache:
    """Encodes text through the cache; what was used longest ago leaves first."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids: OrderedDict[str, tuple[int, ...]] = OrderedDict()
        self._characters = 0
        self._turn = threading.Lock()

    def encode(self, text: str) -> list[int]:
        """Token ids of a text."""
        return [token_id for segment in segments(text) for token_id in self.segment(segment)]

    def segment(self, segment: str) -> tuple[int, ...]:
        """Token ids of one segment."""
        with self._turn:
            if segment in self._ids:
                self._ids.move_to_end(segment)
                return self._ids[segment]
            ids = self._ids[segment] = tuple(self._tokenizer.encode(segment))
            self._characters += len(segment)
            while self._characters > _MAX_CACHED_CHARACTERS and len(self._ids) > 1:
                oldest, _ = self._ids.popitem(last=False)
                self._characters -= len(oldest)
            return ids
