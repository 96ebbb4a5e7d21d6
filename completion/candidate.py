"""What the filters pass on: a text to insert at the cursor, and how much of what follows it replaces.

Rules: plain data. A filter never invents text: it cuts, converts line ends and indentation, closes the brackets of a
block, or widens the range that is replaced.
"""

from collections.abc import Callable
from dataclasses import dataclass

from completion.types import CompletionRequest


@dataclass(frozen=True, slots=True)
class Candidate:
    """Text to insert at the cursor, and how many characters after the cursor it replaces."""

    text: str
    replace_right: int = 0

    def accepted(self, request: CompletionRequest) -> str:
        """The document after the suggestion is accepted."""
        text, cursor = request.snapshot.text, request.cursor
        return text[:cursor] + self.text + text[cursor + self.replace_right :]


Filter = Callable[[Candidate, CompletionRequest], Candidate]
