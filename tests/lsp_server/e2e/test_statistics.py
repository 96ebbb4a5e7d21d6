"""The real server and the real default model over stdio: a suggestion is accepted, and the commands know of it."""

import contextlib
import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from lsp_server.cli.__main__ import main
from tests.lsp_server.session import Session

pytestmark = [pytest.mark.e2e, pytest.mark.model]
TEXT = "def fibonacci(n: int) -> int:\n    if n < 2:\n        return n\n    ret"


def midfill(cache: Path, *words: str) -> Any:
    """What a command prints as JSON."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as told:
        patch.setenv("MIDFILL_CACHE", str(cache))
        assert main([*words, "--json"]) == 0
    return json.loads(told.getvalue())


def accept_one(cache: Path, folder: Path, **options: Any) -> tuple[list[Any], str]:
    """Complete, accept and say so, shut down; what `midfill/why` said, and the suggestion's text."""
    options = {"maxWaitMs": 0, "mode": "line", **options}
    with Session(folder, folders=[folder], environment={"MIDFILL_CACHE": str(cache)}, options=options) as session:
        assert "midfill.accepted" in session.capabilities["executeCommandProvider"]["commands"]
        session.wait_for_phase("ready")
        uri = (folder / "a.py").as_uri()
        session.open(uri, TEXT)
        item, *_ = session.complete(uri, 3, 7)
        session.notify("textDocument/didShowCompletion", {"item": item})
        session.change(uri, 2, [{"range": item["range"], "text": item["insertText"]}])
        run = {key: item["command"][key] for key in ("command", "arguments")}
        assert session.request("workspace/executeCommand", run) is None
        told = session.request("midfill/why", {"last": 1})["explanations"]
    return told, item["insertText"].removeprefix("    ret")


def test_an_accepted_suggestion_is_remembered_on_this_machine(real_cache: Path, tmp_path: Path) -> None:
    before = midfill(real_cache, "stats")["all"]  # other tests use this cache, too
    (told,), text = accept_one(real_cache, tmp_path)
    assert (told["path"], told["line"], told["fate"], told["text"]) == ("a.py", 4, "accepted", text)
    assert told["nPrompt"] > 10
    assert told["timingsMs"]["prefill"] > 0
    assert 0 < told["probability"] <= 1
    (why,) = midfill(real_cache, "why")
    assert (why["id"], why["fate"], why["keptShare"]) == (told["id"], "accepted", 1.0)
    usage = midfill(real_cache, "stats")["all"]
    counted = [usage[name] - before[name] for name in ("shown", "accepted", "partial", "kept", "judged", "characters")]
    assert counted == [1, 1, 0, 1, 1, len(text)]
    state = real_cache / "state"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in state.iterdir()} == {0o600}


def test_statistics_that_are_switched_off_leave_nothing_on_the_disk(real_cache: Path, tmp_path: Path) -> None:
    before = midfill(real_cache, "stats")["all"]
    (told,), _ = accept_one(real_cache, tmp_path, statistics=False)
    assert told["fate"] == "accepted"  # for the editor, while it is open
    assert midfill(real_cache, "stats")["all"] == before


def test_another_of_several_suggestions_is_accepted(real_cache: Path, tmp_path: Path) -> None:
    environment = {"MIDFILL_CACHE": str(real_cache)}
    before = midfill(real_cache, "stats")["all"]["instead"]
    with Session(tmp_path, folders=[tmp_path], environment=environment, options={"mode": "line"}) as session:
        session.wait_for_phase("ready")
        uri = (tmp_path / "b.py").as_uri()
        session.open(uri, TEXT)
        session.complete(uri, 3, 7)
        first, second, *_ = session.complete(uri, 3, 7)  # the next press has others beside it
        session.change(uri, 2, [{"range": second["range"], "text": second["insertText"]}])
        run = {key: second["command"][key] for key in ("command", "arguments")}
        assert session.request("workspace/executeCommand", run) is None
        (told,) = session.request("midfill/why", {"last": 1})["explanations"]
    assert first["insertText"] != second["insertText"] == "    ret" + told["acceptedInstead"]
    assert told["fate"] == "accepted"
    assert "Another one beside it was accepted" in told["sentence"]
    (why,) = midfill(real_cache, "why")
    assert (why["id"], why["acceptedInstead"]) == (told["id"], told["acceptedInstead"])
    assert "Another one beside it was accepted" in why["sentence"]
    assert midfill(real_cache, "stats")["all"]["instead"] == before + 1
