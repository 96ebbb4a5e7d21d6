"""A real `midfill serve` as a process of its own."""

import json
import os
import queue
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_READY_S = 300


def fetched(url: str, body: Any = None) -> bytes:
    """What a path answers."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(
        urllib.request.Request(url, data, {"Content-Type": "application/json"}), timeout=60
    ) as got:
        return bytes(got.read())


@contextmanager
def serve_process(*arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Its address, once its model is ready."""
    command = [sys.executable, "-m", "lsp_server.cli", "serve", "--port", "0", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})})
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    try:
        said, url = "", ""
        while not said.endswith("midfill: ready\n"):
            line = lines.get(timeout=_READY_S)
            assert line, f"it ended: {said}"
            said += line
            url = found[0] if (found := re.findall(r"http://\S+", line)) else url
        yield url
        assert process.poll() is None, "it ended by itself"
    finally:
        process.terminate()
        process.wait(30)
