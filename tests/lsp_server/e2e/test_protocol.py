"""The real server over stdio without a model: what it answers to clients that are wrong, old or sparse."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lsp_server.session import TIMEOUT_S, Session

pytestmark = pytest.mark.e2e
NO_MODEL = {"model": "/nonexistent/model.gguf"}


@pytest.fixture
def session(tmp_path: Path, tiny_cache: Path) -> Iterator[Session]:
    """A server whose model cannot be had, which it says once."""
    with Session(tmp_path, options=NO_MODEL, folders=[tmp_path]) as running:
        running.allowed_errors = 1
        yield running


def test_the_server_says_what_it_can_do(session: Session) -> None:
    assert session.capabilities["inlineCompletionProvider"] in (True, {})
    assert session.capabilities["textDocumentSync"]["change"] == 2


def test_a_request_without_params_is_answered(session: Session) -> None:
    assert session.request("midfill/status", None)["phase"] in ("starting", "failed")
    assert session.finish(session.start("midfill/unknown", None))["error"]["code"] == -32601
    session.notify("midfill/unknown", None)
    assert session.status()["phase"] in ("starting", "failed")


def test_the_status_tells_what_typing_had_to_wait_for_the_event_loop(session: Session) -> None:
    session.wait_for_phase("failed")
    assert session.status()["stalls"] == {"p50": 0, "p99": 0, "p999": 0, "max": 0, "n": 0}  # nobody has typed
    session.open("untitled:a", "x\n" * 10_000)
    start = {"line": 9_000, "character": 1}
    session.change("untitled:a", 2, [{"range": {"start": start, "end": start}, "text": "y"}])
    deadline = time.monotonic() + TIMEOUT_S
    while not (found := session.status()["stalls"])["n"]:
        assert time.monotonic() < deadline
    assert 0 <= found["p50"] <= found["p99"] <= found["p999"] <= found["max"]


def test_a_failure_is_told_in_words_and_the_same_one_only_once(session: Session) -> None:
    status = session.wait_for_phase("failed")
    assert "/nonexistent/model.gguf" in status["message"]
    session.open("untitled:a", "x")
    assert session.complete("untitled:a", 0, 1) == []
    assert session.status()["outcomes"] == {"engine_down": 1}


def test_the_status_shows_the_configuration_in_force(tmp_path: Path, tiny_cache: Path) -> None:
    options = {**NO_MODEL, "maxLineTokens": 10, "maxWaitMs": 7, "daemon": {"threads": 1}}
    with Session(tmp_path, options=options, configuration={"maxWaitMs": 8}) as session:
        session.allowed_errors = 1
        session.wait_for_phase("failed")
        config = session.status()["config"]
        assert (config["maxLineTokens"], config["maxWaitMs"], config["daemon.threads"]) == (10, 8, 1)


def test_a_setting_that_is_taken_back_is_back_at_its_default(session: Session) -> None:
    def changed(settings: Any) -> Any:
        session.notify("workspace/didChangeConfiguration", {"settings": settings})
        return session.status()["config"]["maxLineTokens"]

    session.wait_for_phase("failed")
    before = session.status()["config"]["maxLineTokens"]
    assert changed({"midfill": {"maxLineTokens": 9}}) == 9
    assert changed({"maxLineTokens": 11}) == 11
    assert changed({"midfill": {}}) == before
    assert changed({"midfill": None}) == before
    assert changed(None) == before
    assert session.status()["config"]["model"] == NO_MODEL["model"]  # of the initializationOptions


def test_midfill_that_is_switched_off_starts_no_engine(tmp_path: Path, tiny_cache: Path) -> None:
    with Session(tmp_path, options={**NO_MODEL, "enabled": False}) as session:
        session.open("untitled:a", "x")
        assert session.complete("untitled:a", 0, 1) == []
        status = session.status()
        assert (status["phase"], status["outcomes"]) == ("starting", {"skipped": 1})
        assert "switched off" in status["message"]
        session.notify("workspace/didChangeConfiguration", {"settings": {"enabled": True}})
        session.wait_for_phase("failed")
        session.allowed_errors = 1


def test_a_malformed_request_is_answered_with_an_error_and_the_server_lives(tmp_path: Path, tiny_cache: Path) -> None:
    session = Session(tmp_path, options=NO_MODEL)
    bad = session.complete_params("untitled:a", -1, 0)
    assert session.finish(session.start("textDocument/inlineCompletion", bad))["error"]["code"] == -32602
    assert "error" in session.finish(session.start("textDocument/inlineCompletion", None))
    assert session.complete("untitled:a", 0, 0) == []
    with pytest.raises(AssertionError, match="Traceback"):  # what the client did wrong is in the log
        session.close()


def run_raw(*messages: bytes) -> int:
    """Send bodies to a server, close its input, and return its exit code."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "lsp_server", "--stdio"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    data = b"".join(b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in messages)
    process.communicate(data, timeout=60)
    return process.returncode


INITIALIZE = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"processId":null,"rootUri":null,"capabilities":{}}}'
)
SHUTDOWN, EXIT = b'{"jsonrpc":"2.0","id":2,"method":"shutdown"}', b'{"jsonrpc":"2.0","method":"exit"}'


def test_the_server_leaves_when_its_input_ends() -> None:
    run_raw(INITIALIZE)
    run_raw()


def test_the_exit_code_says_whether_the_editor_shut_down_properly() -> None:
    assert run_raw(INITIALIZE, SHUTDOWN, EXIT) == 0
    assert run_raw(INITIALIZE, EXIT) == 1


def test_without_stdio_there_is_help_on_standard_error_and_exit_code_2() -> None:
    done = subprocess.run([sys.executable, "-P", "-m", "lsp_server"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--stdio" in done.stderr
