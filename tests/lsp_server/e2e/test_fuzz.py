"""Random edits, cancels and nonsense over the real stdio, and over the model process's socket: nothing is lost.

The server's text must be the client's after thousands of random edits in several documents, with completions asked for,
cancelled and superseded meanwhile. Seeds are fixed: a failure can be repeated.
"""

import hashlib
import random
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from model.link.spawn import EngineSettings, socket_path
from tests.lsp_server.documents.places import client_position, is_position
from tests.lsp_server.e2e.test_tiny import start
from tests.lsp_server.session import Session

pytestmark = pytest.mark.e2e
_EDITS, _COMPARE_EVERY = 2_500, 250
_PIECES = [
    "x", "é", "😀", "漢", "\n", "\r\n", "\t", "    ", "def f(a):\n    return a\n", "if x:\n", "(", ")", '"',
    "# why\n", "", "value = compute(1, 2)\n", "class A:\n    pass\n", "\u2028", "end\n",
]  # fmt: skip
_NONSENSE: list[tuple[str, Any]] = [
    ("textDocument/didChange", {"textDocument": {"uri": "file:///nowhere.py", "version": 1}, "contentChanges": []}),
    ("textDocument/didClose", {"textDocument": {"uri": "file:///nowhere.py"}}),
    ("textDocument/didShowCompletion", {"item": 7}),
    ("textDocument/didPartiallyAcceptCompletion", {}),
    ("midfill/didDismissCompletion", None),
    ("$/cancelRequest", {"id": 987_654}),
    ("$/nothing", {"a": [1, {"b": None}]}),
    ("workspace/didChangeConfiguration", {"settings": {"midfill": {"quietness": "loud", "nope": 1}}}),
]


class Fuzzed:
    """A document as the client has it."""

    def __init__(self, session: Session, uri: str, dice: random.Random, encoding: Any) -> None:
        self._session, self.uri, self._dice, self._encoding = session, uri, dice, encoding
        self.text, self._version = "", 1
        session.open(uri, "")

    def edit(self) -> None:
        first, second = (self._dice.randrange(len(self.text) + 1) for _ in range(2))
        begin, end = sorted((first, min(second, first + self._dice.choice([0, 0, 0, 3, 40]))))
        if not (is_position(self.text, begin) and is_position(self.text, end)):
            return
        new = "".join(self._dice.choices(_PIECES, k=self._dice.randrange(4)))
        span = {
            name: {"line": position.line, "character": position.character}
            for name, offset in (("start", begin), ("end", end))
            for position in [client_position(self.text, offset, self._encoding)]
        }
        self.text = self.text[:begin] + new + self.text[end:]
        self._version += 1
        self._session.change(self.uri, self._version, [{"range": span, "text": new}])

    def anywhere(self) -> dict[str, Any]:
        position = client_position(self.text, self._dice.randrange(len(self.text) + 1), self._encoding)
        kind = self._dice.choice([0, 1, 2, None])
        return self._session.complete_params(self.uri, position.line, position.character, kind)

    def check(self) -> None:
        told = self._session.request("midfill/document", {"uri": self.uri})
        assert told["characters"] == len(self.text)
        assert told["sha256"] == hashlib.sha256(self.text.encode()).hexdigest()
        assert told["version"] == self._version

    def reopen(self) -> None:
        self._session.notify("textDocument/didClose", {"textDocument": {"uri": self.uri}})
        self._version = 1
        self._session.open(self.uri, self.text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_after_thousands_of_random_edits_the_text_is_the_clients(
    ready_cache: Path, tiny_model: Path, tmp_path: Path, encoding: str
) -> None:
    dice = random.Random(encoding)
    with start(tmp_path, tiny_model, encoding=encoding) as session:
        session.allowed_errors = 3  # the wrong configuration is named
        session.wait_for_phase("ready")
        documents = [Fuzzed(session, (tmp_path / f"{n}.py").as_uri(), dice, encoding) for n in range(3)]
        waiting: list[int] = []
        for number in range(1, _EDITS + 1):
            document = dice.choice(documents)
            document.edit()
            if dice.random() < 0.05:
                waiting.append(session.start("textDocument/inlineCompletion", document.anywhere()))
            if waiting and dice.random() < 0.03:
                session.notify("$/cancelRequest", {"id": dice.choice(waiting)})
            if dice.random() < 0.01:
                session.notify(*dice.choice(_NONSENSE))
            if dice.random() < 0.002:
                document.reopen()
            if number % _COMPARE_EVERY == 0:
                for each in documents:
                    each.check()
        for request in waiting:
            answer = session.finish(request)  # each exactly once
            assert "result" in answer or answer["error"]["code"] == -32800, answer


def test_nonsense_on_the_socket_closes_that_client_only(ready_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    dice = random.Random(0)
    with start(tmp_path, tiny_model) as session:
        pid = session.wait_for_phase("ready")["daemon"]["pid"]
        path = str(socket_path(EngineSettings(model=str(tiny_model))))
        for _ in range(200):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)  # waits while the others are being accepted
                body = dice.randbytes(dice.randrange(200))
                length = dice.choice([len(body), dice.randrange(1 << 32)])
                client.sendall(struct.pack(">I", length) + body)
        uri = (tmp_path / "a.py").as_uri()
        session.open(uri, "def add(a, b):\n    return ")
        session.complete(uri, 1, 11)
        assert session.status()["daemon"]["pid"] == pid
