"""What a large document leaves in the memory of the server and of its children, once it is closed."""

import time
from pathlib import Path

import psutil
import pytest

from tests.lsp_server.session import Session

pytestmark = pytest.mark.e2e
CODE = (Path(__file__).parents[3] / "lsp_server" / "server.py").read_text()
_WITHIN_S = 60.0
_SHARE = 1.3  # of before; what a process uses is never the same twice


def used(session: Session) -> int:
    """Bytes of the server and of what parses for it."""
    server = psutil.Process(session.pid)
    return server.memory_info().rss + sum(_used_by_parser(child) for child in server.children())


def _used_by_parser(child: psutil.Process) -> int:
    """Bytes; none of a child that parses nothing, or that just ended and is not waited for yet."""
    try:
        return child.memory_info().rss if "parsers.guard_child" in child.cmdline() else 0
    except psutil.NoSuchProcess:  # a zombie is one, too
        return 0


def test_a_closed_document_of_two_megabytes_leaves_nothing(ready_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    with Session(tmp_path, options={"model": str(tiny_model), "maxWaitMs": 0}, folders=[tmp_path]) as session:
        session.wait_for_phase("ready")
        small = (tmp_path / "ok.py").as_uri()
        session.open(small, CODE)
        for line in range(40, 60):
            session.complete(small, line, 0, 2)
        before = used(session)
        for number in range(2):
            large = (tmp_path / f"large{number}.py").as_uri()
            session.open(large, (CODE * 200)[: 1_900_000 - number])
            session.complete(large, 1_000, 0, 2)
            assert used(session) > before + 20_000_000
            session.notify("textDocument/didClose", {"textDocument": {"uri": large}})
            deadline = time.monotonic() + _WITHIN_S
            while (after := used(session)) > _SHARE * before:
                assert time.monotonic() < deadline, (before, after)
                time.sleep(0.5)
