"""llama.cpp's real server in a process of its own: `python -m tests.model.remote.llama_server GGUF PORT [KEY]`.

Prints its address once it listens; leaves when its standard input ends. Its metrics and slots are open.
"""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

N_SLOTS = 2


class LlamaServer:
    """One running server."""

    def __init__(self, gguf: Path, port: int = 0, key: str = "", n_ctx: int = 8_192) -> None:
        command = [sys.executable, "-m", "tests.model.remote.llama_server", str(gguf), str(port), str(n_ctx), key]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self.process.stdout is not None
        self.url: str = json.loads(self.process.stdout.readline())["address"]
        self._key = key

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def page(self, path: str) -> str:
        """What a path answers."""
        request = urllib.request.Request(f"{self.url}{path}", headers={"Authorization": f"Bearer {self._key}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            text: str = answer.read().decode()
        return text

    def metrics(self) -> dict[str, float]:
        """Its own counters."""
        lines = [line.split() for line in self.page("/metrics").splitlines() if not line.startswith("#")]
        return {name.removeprefix("llamacpp:"): float(value) for name, value in lines}

    def n_busy(self) -> int:
        """Slots that work."""
        slots: list[dict[str, Any]] = json.loads(self.page("/slots"))
        return sum(slot["is_processing"] for slot in slots)

    def kill(self) -> None:
        """As a crash does."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()
        self.process.wait()


@contextmanager
def llama_server(gguf: Path, port: int = 0, key: str = "", n_ctx: int = 8_192) -> Iterator[LlamaServer]:
    """A server for as long as the block."""
    server = LlamaServer(gguf, port, key, n_ctx)
    try:
        yield server
    finally:
        server.stop()


def main(gguf: str, port: str, n_ctx: str, key: str) -> int:
    """Serve until standard input ends."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = gguf
    params.n_ctx = int(n_ctx)
    params.n_parallel = N_SLOTS
    params.port = int(port)
    params.endpoint_metrics = params.endpoint_slots = True
    if key:
        params.api_keys = [key]
    server = xllamacpp.Server(params)
    print(json.dumps({"address": server.listening_address}), flush=True)
    sys.stdin.read()
    os._exit(0)  # its threads do not end by themselves


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
