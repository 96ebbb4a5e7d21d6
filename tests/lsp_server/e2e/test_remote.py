"""A server of the tests' own as the engine, over the real stdio server: answers, faults, and nothing unasked."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from model.library.catalog import DEFAULT_MODEL, resolve
from tests.conftest import daemons_of, stop_daemons
from tests.lsp_server.session import Session
from tests.model.remote.llama_server import llama_server
from tests.model.remote.server import SAYS, Call, ModelServer, server_in_thread, well

pytestmark = pytest.mark.e2e

_TEXT = "def add(a, b):\n    ret\n\n\ndef sub(a, b):\n    return a - b\n"
Run = Callable[[Any], Any]


@pytest.fixture
def remote() -> Iterator[tuple[ModelServer, Run]]:
    with server_in_thread() as (server, run):
        yield server, run


def _options(server: ModelServer, model: Path, **engine: Any) -> dict[str, Any]:
    engine = {"url": server.url, "fallback": False, **engine}
    return {"model": str(model), "engine": engine, "context": {"index": False}, "maxPromptTokens": 1_024}


def _opened(session: Session, folder: Path, text: str = _TEXT) -> str:
    uri = (folder / "a.py").as_uri()
    session.open(uri, text)
    return uri


def _texts(items: list[dict[str, Any]]) -> list[str]:
    return [item["insertText"].strip() for item in items]


def _until(holds: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _shown(session: Session) -> list[str]:
    return [m["params"]["message"] for m in session.messages if m["method"] == "window/showMessage"]


def test_it_answers_without_a_model_process_and_says_where_code_is_sent(
    remote: tuple[ModelServer, Run], tiny_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    server, _ = remote
    with Session(tmp_path, folders=[tmp_path], options=_options(server, tiny_model)) as session:
        status = session.wait_for_phase("ready")
        host = server.url.removeprefix("http://")
        assert (status["host"], status["engine"]) == (host, f"tiny at {host}")
        assert f"code is sent to {host}" in status["message"]
        assert "not on this machine" in status["machine"]
        uri = _opened(session, tmp_path)
        for kind in (1, 2):
            assert _texts(session.complete(uri, 1, 7, kind)) == [f"ret{SAYS}"]
        asked = server.completions[-1].body["prompt"]
        assert asked.count(259) == asked.count(261) == 1, "a fill-in-the-middle prompt, in the server's own ids"
        assert daemons_of(tiny_cache) == []


def test_a_secret_is_sent_nowhere_also_when_it_is_asked_for(
    remote: tuple[ModelServer, Run], tiny_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    server, _ = remote
    with Session(tmp_path, folders=[tmp_path], options=_options(server, tiny_model)) as session:
        session.wait_for_phase("ready")
        uri = (tmp_path / ".env").as_uri()
        session.open(uri, "TOKEN=hunter2\nPASS", "plaintext")
        for kind in (1, 2):
            assert session.complete(uri, 1, 4, kind) == []
            assert session.status()["last"]["outcome"] == "skipped"
        assert (
            f"is not sent to {server.url.removeprefix('http://')}"
            in session.request("midfill/why", {"last": 2})["explanations"][1]["reason"]
        )
        assert server.completions == []


def test_a_cancelled_request_hangs_up(
    remote: tuple[ModelServer, Run], tiny_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    server, _ = remote

    async def never_done(call: Call) -> None:
        await call.head()
        await call.tokens(b"ret")
        await asyncio.sleep(60)

    with Session(tmp_path, folders=[tmp_path], options=_options(server, tiny_model, timeoutMs=60_000)) as session:
        session.wait_for_phase("ready")
        uri = _opened(session, tmp_path)
        server.completion = never_done
        request = session.start("textDocument/inlineCompletion", session.complete_params(uri, 1, 7))
        _until(lambda: any(call.body["n_predict"] > 1 for call in server.completions))
        asked = next(call for call in server.completions if call.body["n_predict"] > 1)
        session.notify("$/cancelRequest", {"id": request})
        session.finish(request)
        _until(asked.hung_up.is_set)


def test_the_local_model_takes_the_place_of_a_server_that_dies_and_gives_it_back(
    remote: tuple[ModelServer, Run], ready_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    server, run = remote
    port = int(server.url.rsplit(":", 1)[1])

    async def dies(call: Call) -> None:
        await call.head()
        await call.tokens(b"ret")
        await server.stop()

    with Session(tmp_path, folders=[tmp_path], options=_options(server, tiny_model, fallback=True)) as session:
        session.allowed_errors = 1
        session.wait_for_phase("ready")
        uri = _opened(session, tmp_path)
        assert _texts(session.complete(uri, 1, 7)) == [f"ret{SAYS}"]
        server.completion = dies
        text = _TEXT
        for version, key in enumerate("urn x", start=2):  # the user types on, whatever becomes of the server
            at = text.index("\n    ret") + 8 + version - 2
            text = text[:at] + key + text[at:]
            place = {"line": 1, "character": 7 + version - 2}
            session.change(uri, version, [{"range": {"start": place, "end": place}, "text": key}])
            session.complete(uri, 1, 8 + version - 2)
        assert session.request("midfill/document", {"uri": uri})["characters"] == len(text)

        _until(lambda: session.status()["host"] == "")
        status = session.wait_for_phase("ready")
        assert "the local model takes its place" in status["engine"]
        n_answered = sum(session.status()["outcomes"].values())
        session.complete(uri, 4, 14)
        assert sum(session.status()["outcomes"].values()) == n_answered + 1
        assert session.status()["last"]["outcome"] not in ("engine_down", "not_ready")

        server.completion = well
        run(server.start(port))
        _until(lambda: session.status()["host"] != "")
        n_asked = len(server.completions)
        session.complete(uri, 5, 4)
        assert len(server.completions) > n_asked
        assert session.status()["last"]["outcome"] != "engine_down"
        (told,) = _shown(session)
        assert "takes its place until it is back" in told


def test_a_server_that_is_gone_before_it_is_asked_for_tokens(
    remote: tuple[ModelServer, Run], tiny_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    """The tokenizer is the server's, too: no prompt can be made."""
    server, run = remote
    with Session(tmp_path, folders=[tmp_path], options=_options(server, tiny_model)) as session:
        session.allowed_errors = 1
        session.wait_for_phase("ready")
        run(server.stop())
        uri = _opened(session, tmp_path)
        assert session.complete(uri, 1, 7) == []
        status = session.status()
        assert (status["phase"], status["last"]["outcome"]) == ("down", "engine_down")
        assert "cannot be reached" in status["engine"]


def test_a_wrong_key_is_told_once(
    remote: tuple[ModelServer, Run], tiny_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    server, _ = remote
    server.key = "right"
    with Session(tmp_path, folders=[tmp_path], options=_options(server, tiny_model)) as session:
        session.allowed_errors = 1
        status = session.wait_for_phase("failed")
        uri = _opened(session, tmp_path)
        for _ in range(3):
            assert session.complete(uri, 1, 7) == []
        assert session.status()["last"]["outcome"] == "engine_down"
        assert "wants a key (engine.keyFile)" in status["engine"]
        assert len(_shown(session)) == 1


# -- llama.cpp's real server with the real model -----------------------------------------------------------


@pytest.mark.model
def test_llama_cpps_server_answers_and_the_local_model_when_it_is_killed(real_cache: Path, tmp_path: Path) -> None:
    row = resolve(DEFAULT_MODEL).row
    assert row is not None
    stop_daemons(real_cache)  # those of other tests
    with llama_server(real_cache / "models" / row.file) as server:
        # A busy machine is no failure.
        times = {"maxWaitMs": 0, "deadlineMs": 0, "maxPromptTokens": 1_024}
        engine = {"url": server.url, "timeoutMs": 60_000}
        options = {"engine": engine, "context": {"index": False}, **times}
        environment = {"MIDFILL_CACHE": str(real_cache)}
        with Session(tmp_path, folders=[tmp_path], options=options, environment=environment) as session:
            session.allowed_errors = 1
            assert session.wait_for_phase("ready")["host"] == server.url.removeprefix("http://")
            uri = _opened(session, tmp_path)
            assert _texts(session.complete(uri, 1, 7)) == ["return a + b"]
            assert daemons_of(real_cache) == []
            _until(lambda: server.n_busy() == 0)
            server.kill()
            other = (tmp_path / "b.py").as_uri()  # of the first document the answer is still at hand
            session.open(other, _TEXT)
            assert session.complete(other, 1, 7) == []
            said = session.status()["engine"]  # it hung up on what was computed ahead, if that came first
            assert "cannot be reached" in said or "hung up" in said
            _until(lambda: session.status()["host"] == "" and session.status()["phase"] == "ready")
            assert _texts(session.complete(other, 1, 7)) == ["return a + b"]


# -- nothing is sent ---------------------------------------------------------------------------------------

# Every Python process of the server notes what it would connect to, or look up, beside files in the file system.
_WATCHED = """\
import sys
def note(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        where = args[1] if event in ("socket.connect", "socket.sendto") else args[0]
        if not isinstance(where, str) or event != "socket.connect":
            with open({notes!r}, "a") as file:
                file.write(f"{{event}} {{where}} {{sys.argv}}\\n")
sys.addaudithook(note)
sys.executable = {program!r}
import runpy
arguments = sys.argv[1:]
while arguments[0] not in ("-m", "-c"):
    arguments.pop(0)
kind, name, sys.argv = arguments[0], arguments[1], arguments[1:]
if kind == "-m":
    runpy.run_module(name, run_name="__main__", alter_sys=True)
else:
    exec(name)
"""


def _watched(folder: Path) -> tuple[Path, Path]:
    """A Python that notes what it connects to, and the notes."""
    notes, program, code = folder / "notes.txt", folder / "python", folder / "watched.py"
    notes.touch()
    code.write_text(_WATCHED.format(notes=str(notes), program=str(program)))
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -I {code} "$@"\n')
    program.chmod(0o755)
    return program, notes


def _sends(session: Session, folder: Path) -> None:
    session.wait_for_phase("ready")
    uri = _opened(session, folder)
    session.complete(uri, 1, 7)
    session.complete(uri, 1, 7, 2)
    session.request("midfill/why", {"last": 1})


@pytest.mark.skipif(sys.platform == "win32", reason="the daemon is reached over a port there")
def test_nothing_is_sent_where_no_address_is_configured(
    remote: tuple[ModelServer, Run], ready_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    program, notes = _watched(tmp_path)
    folder = tmp_path / "workspace"
    (folder / ".vscode").mkdir(parents=True)
    (folder / ".vscode" / "settings.json").write_text(json.dumps({"midfill.engine.url": remote[0].url}))
    command = (str(program), "-I", "-m", "lsp_server")
    with Session(folder, folders=[folder], options={"model": str(tiny_model)}, command=command) as session:
        _sends(session, folder)
        assert session.status()["host"] == ""
        assert len(daemons_of(ready_cache)) == 1
    assert notes.read_text() == ""
    assert remote[0].calls == []
    options = _options(remote[0], tiny_model)
    with Session(folder, folders=[folder], options=options, command=command) as session:
        _sends(session, folder)
    assert "socket.connect ('127.0.0.1'" in notes.read_text(), "and it would have been noticed"


def test_without_an_address_there_is_no_http() -> None:
    code = "import sys, lsp_server.handlers, lsp_server.server, lsp_server.engine.choice; "
    code += "print([name for name in ('httpx2', 'httpcore2', 'model.remote.client') if name in sys.modules])"
    import subprocess

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
