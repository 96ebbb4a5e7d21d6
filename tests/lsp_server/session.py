"""A small LSP client over the real `lsp_server --stdio`. It fails when the server says something unexpected.

Messages are read in a thread. `close` checks that the server left cleanly, that no server notification of
error level was left unread, and that no traceback was written to standard error.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TIMEOUT_S = 60.0

# Sizes that do not follow the speed of the machine that the tests run on.
BUDGETS = {"maxPromptTokens": 8_192, "maxFileTokens": 4_096}


class Session:
    """One running server; a context manager."""

    def __init__(
        self,
        cwd: Path,
        *,
        encoding: str = "utf-16",
        options: dict[str, Any] | None = None,
        configuration: dict[str, Any] | None = None,
        folders: list[Path] | None = None,
        root: Path | None = None,
        environment: dict[str, str] | None = None,
        progress: bool = True,
        experimental: dict[str, Any] | None = None,
        command: Sequence[str] = (sys.executable, "-P", "-m", "lsp_server"),
    ) -> None:
        self.messages: list[dict[str, Any]] = []  # everything the server said beside answers
        self.answered: list[int] = []  # ids of requests in the order in which their answers came
        self.allowed_errors = 0
        self._configuration = configuration
        self.choice: str | None = None  # of what the server asks the user
        self._answers: dict[int, queue.Queue[dict[str, Any]]] = {}
        self._next_id = 0
        self._lock = threading.Lock()
        self._burst: bytes | None = None
        self._process = subprocess.Popen(
            [*command, "--stdio", "--log-level", "debug"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
        )
        self.stderr: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._read_stderr, daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        workspace = {"configuration": configuration is not None, "workspaceFolders": True}
        self.capabilities = self.request(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": root.as_uri() if root is not None else None,
                "initializationOptions": {**BUDGETS, **(options or {})},
                "workspaceFolders": [{"uri": f.as_uri(), "name": f.name} for f in (folders or [])],
                "capabilities": {
                    "general": {"positionEncodings": [encoding]},
                    "window": {"workDoneProgress": progress},
                    **({} if experimental is None else {"experimental": experimental}),
                    "workspace": workspace,
                    "textDocument": {"completion": {"dynamicRegistration": True}},
                },
            },
        )["capabilities"]
        self.notify("initialized", {})

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:
            self.close()
        else:
            self._process.kill()

    @property
    def pid(self) -> int:
        """The server process."""
        return self._process.pid

    def close(self) -> None:
        """Shut down; AssertionError when the server did not behave."""
        self.request("shutdown", None)
        self.notify("exit", None)
        assert self._process.wait(TIMEOUT_S) == 0
        for reader in self._readers:
            reader.join(5)
        text = "".join(self.stderr)
        assert "Traceback" not in text, text
        shown = [m for m in self.messages if m["method"] == "window/showMessage"]
        assert len(shown) <= self.allowed_errors, shown

    def send_raw(self, request_id: int | None, method: str, params: Any) -> None:
        """Send one JSON-RPC message."""
        body: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            body["params"] = params
        if request_id is not None:
            body["id"] = request_id
        self._write(body)

    def _write(self, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self._send(b"Content-Length: %d\r\n\r\n" % len(data) + data)

    def _send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        with self._lock:
            if self._burst is not None:
                self._burst += data
                return
            self._process.stdin.write(data)
            self._process.stdin.flush()

    @contextmanager
    def burst(self) -> Iterator[None]:
        """What is sent inside goes out in one piece, as fast as can be typed."""
        self._burst = b""
        yield
        data, self._burst = self._burst, None
        self._send(data)

    def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        self.send_raw(None, method, params)

    def start(self, method: str, params: Any) -> int:
        """Send a request without waiting; `finish` takes the id."""
        self._next_id += 1
        self._answers[self._next_id] = queue.Queue()
        self.send_raw(self._next_id, method, params)
        return self._next_id

    def finish(self, request_id: int) -> dict[str, Any]:
        """The whole answer of a started request: it holds "result" or "error"."""
        answer = self._answers[request_id].get(timeout=TIMEOUT_S)
        time.sleep(0)
        assert self._answers[request_id].empty(), "a request was answered twice"
        return answer

    def request(self, method: str, params: Any) -> Any:
        """Send a request and return its result; AssertionError when it is an error."""
        answer = self.finish(self.start(method, params))
        assert "error" not in answer, answer
        return answer["result"]

    # -- documents -----------------------------------------------------------------------------------------

    def open(self, uri: str, text: str, language: str = "python") -> None:
        item = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def change(self, uri: str, version: int, changes: list[dict[str, Any]]) -> None:
        document = {"uri": uri, "version": version}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": changes})

    def complete_params(self, uri: str, line: int, character: int, kind: int | None = 1) -> dict[str, Any]:
        params: dict[str, Any] = {
            "textDocument": {"uri": uri},
            "position": {"line": line, "character": character},
        }
        if kind is not None:
            params["context"] = {"triggerKind": kind}
        return params

    def complete(self, uri: str, line: int, character: int, kind: int | None = 1) -> list[dict[str, Any]]:
        """The items of an inline completion."""
        params = self.complete_params(uri, line, character, kind)
        result = self.request("textDocument/inlineCompletion", params)
        items: list[dict[str, Any]] = result["items"]
        return items

    def status(self) -> dict[str, Any]:
        """`midfill/status`."""
        result: dict[str, Any] = self.request("midfill/status", {})
        return result

    def wait_for_phase(self, *phases: str, timeout_s: float = 300.0) -> dict[str, Any]:
        """Poll the status until the engine is in one of the phases."""
        deadline = time.monotonic() + timeout_s
        while (status := self.status())["phase"] not in phases:
            assert time.monotonic() < deadline, status
            time.sleep(0.1)
        return status

    def wait_for_log(self, words: str, timeout_s: float = TIMEOUT_S) -> None:
        """Wait until a line of the server's log holds these words."""
        deadline = time.monotonic() + timeout_s
        while not any(words in line for line in list(self.stderr)):
            assert time.monotonic() < deadline, words
            time.sleep(0.02)

    # -- reading -------------------------------------------------------------------------------------------

    def _read(self) -> None:
        out = self._process.stdout
        assert out is not None
        while header := out.readline():
            if not header.lower().startswith(b"content-length"):
                continue
            length = int(header.split(b":")[1])
            while out.readline().strip():
                pass
            message = json.loads(out.read(length))
            if "method" not in message:
                self.answered.append(message["id"])
                self._answers[message["id"]].put(message)
            elif "id" in message:
                self._serve(message)
            else:
                self.messages.append(message)

    def _serve(self, message: dict[str, Any]) -> None:
        """Answer a request of the server."""
        self.messages.append(message)
        result: Any = None
        if message["method"] == "workspace/configuration":
            result = [self._configuration]
        elif message["method"] == "window/showMessageRequest" and self.choice is not None:
            result = {"title": self.choice}
        self._write({"jsonrpc": "2.0", "id": message["id"], "result": result})

    def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.stderr.append(line.decode("utf-8", "replace"))
