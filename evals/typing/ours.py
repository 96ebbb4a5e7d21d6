"""midfill for a typist: its server over stdio with its default settings, driven as VS Code does.

Each change is followed by a request, which cancels the one before. What is left of a ghost stays on the screen until
the answer is there. Where the server says that it knows a longer one by now, it is asked once more, as the Neovim
plugin does. The editor's reports (shown, accepted, accepted in part) are those of the VS Code extension and the Neovim
plugin; words and lines are cut as the Neovim plugin cuts them.

Rules: what a request found is kept as the server tells it; nothing is judged here.
"""

import asyncio
import contextlib
import re
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from evals.replay.keystrokes import Action, Kind
from evals.replay.ours import Ours
from evals.typing.person import TextChange
from evals.typing.screen import Clock, Ghost, Screen
from lsp_server.cli.editor import ServerFailed

_WORD = re.compile(r"\s*\w+|\s*[^\w\s]+")
_LINE = re.compile(r"[^\n]+|\n+[^\n]*")
# What of `midfill/why` is kept of each answer, and how many explanations are looked through for it.
_KEPT = (
    *(
        "outcome",
        "mode",
        "reason",
        "reused",
        "raw",
        "tokenProbability",
        "timingsMs",
        "latencyMs",
        "nGenerated",
    ),
    *("probability", "candidate", "covered"),  # what came of it, by `outcomes`
)
_LAST = 3
_EXPLAINED_S = 5.0
_GROWN = "$/midfill/grown"


def first_word(text: str) -> str:
    """The first word of a text with the blanks before it; signs that stand together are a word."""
    found = _WORD.match(text)
    return found.group() if found else text


def first_line(text: str) -> str:
    """A text up to the end of its first line; the next line when it begins with a line end."""
    found = _LINE.match(text)
    return found.group() if found else text


def ghost_of(item: dict[str, Any], change: TextChange) -> Ghost:
    """What an item's answer to a change adds at the cursor; what it covers there is not added."""
    before = change.after[change.after.rfind("\n", 0, change.cursor) + 1 : change.cursor]
    text = str(item["insertText"]).removeprefix(before)
    line = change.after[change.cursor :].partition("\n")[0]
    covered = line[: max(0, _characters(before + line, item["range"]["end"]["character"]) - len(before))]
    if covered and text.endswith(covered):
        return Ghost(text.removesuffix(covered))
    return Ghost(text, is_whole=not covered)


def _characters(line: str, n_units: int) -> int:
    """How many characters of a line have so many UTF-16 units."""
    return len(line.encode("utf-16-le", "surrogatepass")[: 2 * n_units].decode("utf-16-le", "replace"))


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _place(change: TextChange) -> tuple[int, int]:
    """Line and column of the cursor behind a change."""
    line_start = change.after.rfind("\n", 0, change.cursor) + 1
    return change.after.count("\n", 0, change.cursor), change.cursor - line_start


@dataclass(frozen=True, slots=True)
class _Item:
    """The last item that was shown, and where the cursor was in the wish and in the line when it was asked for."""

    item: dict[str, Any]
    position: int
    column: int


class TypingOurs:
    """A player (`person.Player`) over a started server."""

    name = "midfill"

    def __init__(self, ours: Ours, screen: Screen, clock: Clock) -> None:
        self.screen, self.pids = screen, ours.pids
        self.answers: list[dict[str, Any]] = []
        self._ours, self._clock = ours, clock
        self._request: asyncio.Task[None] | None = None
        self._others: set[asyncio.Task[None]] = set()
        self._told: set[str] = set()
        self._item: _Item | None = None
        self._last: TextChange | None = None  # that asked
        ours.editor.on_notification = self._on_notification

    def first_word(self, text: str) -> str:
        return first_word(text)

    def first_line(self, text: str) -> str:
        return first_line(text)

    def enter(self, path: str, text: str, cursor: int) -> None:
        """A jump asks for nothing; VS Code's extension and the Neovim plugin tell of it."""
        self._cancel()
        self._ours.move(path, text, cursor)

    def change(self, change: TextChange) -> None:
        self._cancel()
        self._ours.change(Action(Kind.KEY, change.path, change.begin, change.removed, change.text, 0.0), change.after)
        if change.accepted and self._item is not None:
            self._report(change.accepted, self._item)
        if change.is_asked:
            row: dict[str, Any] = {"position": self.screen.position, "asked": self._clock.now(), "answered": None}
            self.answers.append(row)
            self._last, self.screen.is_awaited = change, True
            self._request = asyncio.create_task(self._ask(change, row))

    async def settle(self) -> None:
        """Nothing more is asked, and all is known of what was."""
        self._cancel()
        if self._others:
            await asyncio.wait(self._others, timeout=_EXPLAINED_S)

    async def _ask(self, change: TextChange, row: dict[str, Any]) -> None:
        try:
            answer = await self._ours.ask(change.path, change.after, change.cursor)
        except ServerFailed as error:
            row["outcome"] = str(error)
            self.screen.answered()
            return
        row["answered"] = self._clock.now()
        items = answer["items"]
        ghost = ghost_of(items[0], change) if items else Ghost("")
        row["text"] = ghost.text
        self.screen.show(ghost)
        self.screen.answered()
        place = _place(change)
        if ghost.text:
            self._item = _Item(items[0], row["position"], place[1])
            self._tell_shown(items[0])
        self._beside(self._explain(row, place))

    def _on_notification(self, method: str, params: dict[str, Any]) -> None:
        """A longer ghost than the one that is shown is there: ask for it, as the Neovim plugin does."""
        last, request = self._last, self._request
        if method != _GROWN or last is None or request is None or not request.done() or self.screen.ghost is None:
            return
        if params.get("uri", "").endswith(last.path):
            self._request = asyncio.create_task(self._ask_again(last))

    async def _ask_again(self, change: TextChange) -> None:
        with contextlib.suppress(ServerFailed):
            items = (await self._ours.ask(change.path, change.after, change.cursor))["items"]
            ghost, shown = ghost_of(items[0], change) if items else Ghost(""), self.screen.ghost
            if shown and len(ghost.text) > len(shown.text) and ghost.text.startswith(shown.text):
                self._item = _Item(items[0], self.screen.position, _place(change)[1])
                self.screen.show(ghost)

    async def _explain(self, row: dict[str, Any], place: tuple[int, int]) -> None:
        """Keep what the server tells of the newest answer for a place."""
        with contextlib.suppress(ServerFailed):
            last = (await self._ours.status())["last"] or {}
            row |= {"outcome": last.get("outcome"), "reused": bool(last.get("reused"))}
            if row["reused"]:  # the rest of an earlier one, which has been explained
                return
            why = await self._ours.editor.request("midfill/why", {"last": _LAST})
            for told in why["explanations"]:
                if (told["line"] - 1, told["column"] - 1) == place and told["outcome"] not in ("cancelled", "stale"):
                    row |= {name: told[name] for name in _KEPT if name in told}
                    return

    def _tell_shown(self, item: dict[str, Any]) -> None:
        arguments = (item.get("command") or {}).get("arguments") or [""]
        if arguments[0] not in self._told:
            self._told.add(arguments[0])
            self._ours.editor.notify("textDocument/didShowCompletion", {"item": item})

    def _report(self, how: str, shown: _Item) -> None:
        """Tell what was accepted; it is in the text already."""
        if how == "all":
            self._beside(self._execute(shown.item["command"]))
            return
        text = str(shown.item["insertText"])[: shown.column + self.screen.position - shown.position]
        params = {"item": shown.item, "acceptedLength": _units(text)}
        self._ours.editor.notify("textDocument/didPartiallyAcceptCompletion", params)

    async def _execute(self, command: dict[str, Any]) -> None:
        params = {"command": command["command"], "arguments": command["arguments"]}
        with contextlib.suppress(ServerFailed):
            await self._ours.editor.request("workspace/executeCommand", params)

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._others.add(task)
        task.add_done_callback(self._others.discard)

    def _cancel(self) -> None:
        if self._request is not None:
            self._request.cancel()
            self._request = None
