"""llama.cpp's server with llama.vim's client for a typist. Used by `typing_bench`.

What the plugin does with an answer before it shows it, and what its keys accept, follow its behaviour at the commit
that `llama_vim` names: answers that only repeat the text below or to the right are not shown, blanks that the line has
already are taken off; a word ends at a blank, a line is the first one, and neither takes a line end.

Rules: written from the plugin's behaviour, not its text.
"""

import re
from typing import Any

from evals.peers.llama_vim import LlamaVim
from evals.typing.person import TextChange
from evals.typing.screen import Clock, Ghost, Screen

_WORD = re.compile(r"[^\S\n]*\S+")
_LINE = re.compile(r"[^\n]+")


def shown_text(content: str, lines: list[str], x: int, y: int) -> str:
    """What the plugin shows of an answer for column x of line y; "" for nothing."""
    found = content.rstrip("\n").split("\n")
    line = lines[y]
    if not line.strip():
        lead = min(len(found[0]) - len(found[0].lstrip()), len(line))
        found[0] = found[0][lead:]
    below = lines[y + 1 :]
    right = line[x:]
    if len(found) > 1 and not found[0] and found[1:] == below[: len(found) - 1]:
        return ""
    if found == [right]:
        return ""
    while below and not below[0].strip():
        below = below[1:]
    if below and line[:x] + found[0] == below[0]:
        if len(found) == 1:
            return ""
        if len(found) == 2 and len(below) > 1 and found[1] == below[1][: len(found[1])]:
            return ""
        if len(found) > 2 and found[1:-1] == below[1 : len(found) - 1]:
            return ""
    text = "\n".join(found)
    return text if (text + right).strip() else ""


def first_word(text: str) -> str:
    """Up to the next blank, with the blanks before it, in the first line."""
    found = _WORD.match(text)
    return found.group() if found else ""


def first_line(text: str) -> str:
    """The first line; nothing of a text that begins with a line end."""
    found = _LINE.match(text)
    return found.group() if found else ""


class TypingPeer:
    """A player (`person.Player`) over the client."""

    name = "llama.vim"

    def __init__(self, vim: LlamaVim, screen: Screen, clock: Clock, server_pid: int) -> None:
        self.screen, self.pids = screen, [server_pid]
        self.answers: list[dict[str, Any]] = []
        self._vim, self._clock = vim, clock
        self._text, self._cursor, self._path = "", 0, ""
        self._is_shown = self._is_typing = False
        vim.on_shown = self._on_shown
        vim.on_skipped = self._on_skipped

    def first_word(self, text: str) -> str:
        return first_word(text)

    def first_line(self, text: str) -> str:
        return first_line(text)

    def enter(self, path: str, text: str, cursor: int) -> None:
        self._is_typing = False  # out of insert mode: what still comes is kept, and not shown
        if path != self._path:
            self._vim.enter(path, text, cursor)
            self._path = path

    def change(self, change: TextChange) -> None:
        self._text, self._cursor = change.after, change.cursor
        if not change.is_asked:
            return
        self._is_shown, self._is_typing = False, True
        row = {"position": self.screen.position, "asked": self._clock.now(), "answered": None}
        self.answers.append(row)
        self.screen.is_awaited = True
        self._vim.move(change.after, change.cursor)
        if not self._is_shown:
            self.screen.hide()

    async def settle(self) -> None:
        """The plugin does not cancel what is under way: it goes on, and the next edit comes when it comes."""

    def _on_shown(self, at_once: bool) -> None:
        self._is_shown = True
        if not self._is_typing or not self.answers:
            return
        lines = self._text.split("\n")
        y = self._text.count("\n", 0, self._cursor)
        x = self._cursor - (self._text.rfind("\n", 0, self._cursor) + 1)
        text = shown_text(self._vim.shown, lines, x, y)
        row = self.answers[-1]
        if row["answered"] is None:
            row |= {"answered": self._clock.now(), "text": text, "reused": at_once, "raw": self._vim.shown}
        self.screen.show(Ghost(text))
        self.screen.answered()

    def _on_skipped(self) -> None:
        self.screen.answered()
        if self.answers:
            self.answers[-1]["outcome"] = "skipped"
