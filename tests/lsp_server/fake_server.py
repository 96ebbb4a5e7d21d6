"""The real server over stdio with an engine that says TEXT: `python -m tests.lsp_server.fake_server TEXT`."""

import sys

from lsp_server.methods.table import build_server
from tests.lsp_server.fake_engine import FakeClient


class ReadyClient(FakeClient):
    """Does not wait for a test to let it speak."""

    def __init__(self, says: str) -> None:
        super().__init__(says)
        self.go.set()
        self.go_ahead.set()

    async def close(self) -> None:
        pass

    async def warm(self, *prompt: object, **more: object) -> None:
        pass


def main() -> None:
    """Serve until the editor says exit."""
    server = build_server()
    server.engine.client = ReadyClient(sys.argv[1])  # type: ignore[assignment]
    server.start_io()


if __name__ == "__main__":
    main()
