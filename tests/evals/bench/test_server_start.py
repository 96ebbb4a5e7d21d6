"""The start of a server is measured up to its answer of `initialize`."""

import sys
from pathlib import Path

import pytest

from evals.bench.server_start import start_ms

# Logs first, then answers, as a server may.
_SERVER = """
import json, sys
sys.stdin.buffer.readline(), sys.stdin.buffer.readline()
for message in ({"method": "window/logMessage"}, {"id": 1, "result": %s}):
    body = json.dumps(message).encode()
    sys.stdout.buffer.write(b"Content-Length: %%d\\r\\n\\r\\n" %% len(body) + body)
sys.stdout.buffer.flush()
sys.stdin.buffer.read()
"""


def server(folder: Path, result: str) -> list[str]:
    (folder / "server.py").write_text(_SERVER % result)
    return [sys.executable, str(folder / "server.py")]


def test_the_time_is_that_to_the_answer_and_the_processors_share_is_in_it(tmp_path: Path) -> None:
    passed_ms, cpu_ms = start_ms(server(tmp_path, '{"capabilities": {}}'))
    assert passed_ms > 0
    assert cpu_ms >= 0


def test_what_does_not_answer_is_no_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="does not answer initialize"):
        start_ms(server(tmp_path, "{}"))
    with pytest.raises(RuntimeError, match="ended without an answer"):
        start_ms([sys.executable, "-c", "input()"])
