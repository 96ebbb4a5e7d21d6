"""How long an honest document waits while hostile ones are opened and edited: `python -m tests.fuzz beside`.

The real server and model over stdio. Somebody types into `ok.py`; in every other block of keys a hostile document is
opened and edited between the keys. Blocks alternate, so that the machine's mood is the same for both.

Rules: a key's time is that from its request to its answer, whatever that is. No figure is asserted.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from tests.lsp_server.session import Session

HOSTILE = (
    ("mail.md", "markdown", ">" * 300),
    ("a.swift", "swift", "/*" * 1_200),
    ("list.md", "markdown", "1. " * 260),
    ("deep.py", "python", "(" * 60_000),
    ("a.jl", "julia", "#=" * 20_000),
)
_LINE = "    total = add(first, second)\n"
_KEY_S = 0.15


def main(arguments: list[str]) -> int:
    """Entry point of `beside`."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz beside", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--blocks", type=int, default=10, help="blocks of a line's keys, half of them beside hostility")
    args = parser.parse_args(arguments)
    taken: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as folder, Session(Path(folder), folders=[Path(folder)]) as session:
        session.wait_for_phase("ready")
        typist = _Typist(session, Path(folder))
        typist.line([])  # the file is read
        for block in range(args.blocks):
            is_beside = block % 2 == 1
            taken[is_beside] += typist.line([HOSTILE[block // 2 % len(HOSTILE)]] if is_beside else [])
    found = {name: _figures(taken[beside]) for name, beside in (("alone", False), ("beside", True))}
    ratio = {name: round(found["beside"][name] / found["alone"][name], 2) for name in ("p50_ms", "mean_ms", "p95_ms")}
    print(json.dumps({"bench": "fuzz beside", **found, "ratio": ratio}))
    return 0


class _Typist:
    """Types lines at the end of ok.py."""

    def __init__(self, session: Session, folder: Path) -> None:
        self._session, self._folder = session, folder
        self._uri, self._version, self._row, self._n = (folder / "ok.py").as_uri(), 1, 3, 0
        session.open(
            self._uri, "def add(a, b):\n    return a + b\n\n\ndef run(first, second):\n".replace("\n\n\n", "\n\n")
        )

    def line(self, hostile: list[tuple[str, str, str]]) -> list[float]:
        """Type a line; a hostile document is opened at its third key, and edited at every later one."""
        self._n += 1
        self._row += 1
        times = []
        for column, key in enumerate(_LINE.replace("total", f"total_{self._n}")):
            for name, language, text in hostile:
                self._provoke(name, language, text, column)
            began = time.perf_counter()
            place = {"line": self._row, "character": column}
            self._version += 1
            self._session.change(self._uri, self._version, [{"range": {"start": place, "end": place}, "text": key}])
            at = (self._row + 1, 0) if key == "\n" else (self._row, column + 1)
            self._session.complete(self._uri, *at, 2)
            times.append((time.perf_counter() - began) * 1e3)
            time.sleep(_KEY_S)
        return times

    def _provoke(self, name: str, language: str, text: str, column: int) -> None:
        uri = (self._folder / f"{self._n}-{name}").as_uri()
        if column == 2:  # a request has it parsed; nothing waits for the answer
            self._session.open(uri, f"{text}\n{self._n}", language)
            self._session.start("textDocument/inlineCompletion", self._session.complete_params(uri, 1, 1, 2))
        if column > 2:
            start = {"line": 1, "character": 0}
            self._session.change(uri, column, [{"range": {"start": start, "end": start}, "text": "x"}])


def _figures(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {
        "keys": len(times),
        "p50_ms": round(statistics.median(ordered), 1),
        "mean_ms": round(statistics.mean(ordered), 1),
        "p95_ms": round(ordered[int(0.95 * len(ordered))], 1),
        "max_ms": round(ordered[-1], 1),
    }
