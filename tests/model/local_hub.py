"""A Hugging Face hub on this machine, for tests of what is fetched from one."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class QuietHandler(http.server.BaseHTTPRequestHandler):
    """A handler that does not write to the terminal."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def served(handler: type[QuietHandler], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Serve with a handler, and have it taken for the hub."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield
        server.shutdown()
