"""Asks at a place in a file as an editor does, automatic and invoked, and says what would be shown. For `doctor`.

A server of its own is started as editors start theirs, with the settings in force, so that whatever keeps a suggestion
from being shown keeps it here: a language that is switched off, quietness, the file itself. The model process and the
index are the user's.

Rules: nothing is remembered of it (`statistics` is off).
"""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from completion.types import Outcome
from lsp_server.cli.editor import Editor, ServerFailed
from lsp_server.index.state import IndexPhase
from lsp_server.local import workspace_of
from parsers.languages import for_document

_ASKED, _TYPING = 1, 2
# The model may have to be loaded, or fetched; an index that takes longer goes on beside.
_READY_S, _INDEX_S, _POLL_S = 600.0, 20.0, 0.1


@dataclass(frozen=True, slots=True)
class Answers:
    """How a place's two requests were answered, as `midfill/why` tells it."""

    typing: Mapping[str, Any]
    asked: Mapping[str, Any]


async def answers_at(file: Path, text: str, cursor: int, section: Mapping[str, Any]) -> Answers:
    """Ask with these settings. ServerFailed when there is no model to ask."""
    async with await Editor.start(lambda method, params: None, subprocess.DEVNULL) as editor:
        root = workspace_of(file)
        params = {
            "processId": os.getpid(),
            "capabilities": {"general": {"positionEncodings": ["utf-32"]}, "workspace": {"workspaceFolders": True}},
            "workspaceFolders": [{"uri": root.as_uri(), "name": root.name}],
            "initializationOptions": {**section, "statistics": False},
        }
        await editor.request("initialize", params)
        editor.notify("initialized", {})
        await _ready(editor)
        uri = file.absolute().as_uri()
        item = {"uri": uri, "languageId": for_document(str(file)).id, "version": 1, "text": text}
        editor.notify("textDocument/didOpen", {"textDocument": item})
        line, character = text.count("\n", 0, cursor), cursor - text.rfind("\n", 0, cursor) - 1
        place = {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}
        return Answers(typing=await _asked(editor, place, _TYPING), asked=await _asked(editor, place, _ASKED))


async def _ready(editor: Editor) -> None:
    """Wait for the model, and for a while for the index."""
    began = time.monotonic()
    while True:
        status = await editor.request("midfill/status", {})
        phases = [index["phase"] for index in status["indexes"].values()]
        waited_s = time.monotonic() - began
        if not status["config"]["enabled"]:
            return
        if status["phase"] == "failed" or waited_s > _READY_S:
            raise ServerFailed(status["message"])
        is_reading = IndexPhase.INDEXING in phases and waited_s < _INDEX_S
        if status["phase"] == "ready" and not is_reading:
            return
        await asyncio.sleep(_POLL_S)


async def _asked(editor: Editor, place: Mapping[str, Any], kind: int) -> Mapping[str, Any]:
    await editor.request("textDocument/inlineCompletion", {**place, "context": {"triggerKind": kind}})
    told: list[dict[str, Any]] = (await editor.request("midfill/why", {"last": 1}))["explanations"]
    if not told:
        raise ServerFailed("the language server did not say how it answered")
    return told[0]


def in_words(answers: Answers) -> Iterator[str]:
    """A line about each of the two."""
    typing, asked = answers.typing, answers.asked
    yield f"at this place: language {typing['language']}, {typing['mode']} mode"
    if refused := typing["refused"] or asked["refused"]:
        yield f"parsed as plain text: {refused}"
    if typing["text"]:
        yield f"while typing: {typing['text']!r}{_kept(typing)}"
    elif typing["outcome"] == Outcome.SKIPPED:
        yield f"while typing nothing is asked here: {typing['reason']}"
    else:
        yield f"while typing nothing is shown ({typing['outcome']}): {typing['reason']}"
    if asked["text"]:
        yield f"asked explicitly: {asked['text']!r}{_kept(asked)}"
    else:
        yield f"asked explicitly, nothing is shown ({asked['outcome']}): {asked['reason']}"


def _kept(told: Mapping[str, Any]) -> str:
    return "" if told["probability"] is None else f" (kept with a probability of {told['probability']:.0%})"
