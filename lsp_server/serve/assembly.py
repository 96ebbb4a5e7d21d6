"""From tokens to the text that a client gets: whole characters, up to where a stop string or an indentation ends it.

Rules: pure. What may turn out to be the beginning of a stop string, of a line that ends the text, or of a character is
held back until that is known. What had to be spelled since it is typed (healing) is no part of the text.
"""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, field

_DECODER = codecs.getincrementaldecoder("utf-8")


@dataclass(frozen=True, slots=True)
class SaidToken:
    """A token of the text: where the character stands that it begins with or in."""

    spelled: bytes
    logprob: float
    offset: int
    id: int = 0
    could: float = 0.0  # as `Delta.spelled`


@dataclass(frozen=True, slots=True)
class Passage:
    """What is sure of a text, beyond what was before, with the tokens that end in it."""

    text: str = ""
    tokens: tuple[SaidToken, ...] = ()
    cut: tuple[SaidToken, ...] = ()  # behind these, what the text ends within


@dataclass(slots=True)
class Assembly:
    """One answer's text in the making. A line below the first that is indented less than `min_indent` ends it."""

    stops: Sequence[str] = ()
    min_indent: int = 0
    heal: bytes = b""
    stopped_by: str | None = None  # the stop string that ended it; "" for an indentation
    n_tokens: int = 0
    n_newlines: int = 0
    _bytes: bytearray = field(default_factory=bytearray)  # behind what was to be spelled
    _n_sure: int = 0  # of these, released
    _n_characters: int = 0  # in what was released
    _waiting: list[tuple[int, SaidToken]] = field(default_factory=list)  # not yet released, with where each ends

    def add(self, spelled: bytes, logprob: float, token_id: int = 0, could: float = 0.0) -> Passage:
        """Take a token; `could` as `Delta.spelled`."""
        n_healed = min(len(self.heal), len(spelled))
        self.heal, said = self.heal[n_healed:], spelled[n_healed:]
        if not said and n_healed:
            return Passage()
        self.n_tokens += 1
        self.n_newlines += said.count(b"\n")
        before = _DECODER("replace").decode(bytes(self._bytes[self._n_sure :]))
        self._bytes += said
        offset = self._n_characters + len(before)
        self._waiting.append((len(self._bytes), SaidToken(said, logprob, offset, token_id, could)))
        self._cut()
        return self._release(len(self._bytes) if self.stopped_by is not None else self._sure_end())

    def end(self) -> Passage:
        """Nothing more comes: what was held back is the text's end."""
        return self._release(len(self._bytes))

    def _cut(self) -> None:
        """End the text where one of what ends it stands."""
        ends = [
            (at, stop)
            for stop in self.stops
            if (at := self._bytes.find(stop.encode("utf-8", "replace"), self._n_sure)) >= 0
        ]
        if (dedent := self._dedent()) is not None:
            ends.append((dedent, ""))
        if ends:
            end, self.stopped_by = min(ends)
            del self._bytes[end:]

    def _dedent(self) -> int | None:
        """Where the line before one ends that is indented too little."""
        if not self.min_indent:
            return None
        newline = self._bytes.find(b"\n", self._n_sure)  # it would be held back
        while newline >= 0:
            after = self._bytes.find(b"\n", newline + 1)
            line = self._bytes[newline + 1 : after if after >= 0 else len(self._bytes)]
            if line.strip() and len(line) - len(line.lstrip(b" \t")) < self.min_indent:
                return newline
            newline = after
        return None

    def _sure_end(self) -> int:
        """How much of the bytes is text whatever comes."""
        end = len(self._bytes)
        for stop in self.stops:
            pattern = stop.encode("utf-8", "replace")
            for n in range(min(len(pattern) - 1, len(self._bytes) - self._n_sure), 0, -1):
                if self._bytes.endswith(pattern[:n]):
                    end = min(end, len(self._bytes) - n)
                    break
        if self.min_indent:
            newline = self._bytes.rfind(b"\n")
            if newline >= 0 and not self._bytes[newline:].strip():
                end = min(end, newline)
        for n in range(1, min(4, end) + 1):  # a character that has not all its bytes
            byte = self._bytes[end - n]
            if byte >= 0xC0:
                n_needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
                return end - n if n < n_needed else end
            if byte < 0x80:
                break
        return end

    def _release(self, end: int) -> Passage:
        end = max(end, self._n_sure)
        text = self._bytes[self._n_sure : end].decode("utf-8", "replace")
        tokens = []
        while self._waiting and self._waiting[0][0] <= end:
            tokens.append(self._waiting.pop(0)[1])
        self._n_sure = end
        self._n_characters += len(text)
        cut = () if self.stopped_by is None else tuple(token for _, token in self._waiting)
        return Passage(text, tuple(tokens), cut)
