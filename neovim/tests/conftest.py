"""Fixtures of the tests in real Neovims: which ones, the server under test, a cache of its own with the real model.

Rules: the Neovims are named in the environment (`run.sh` does it); without them nothing can be tested, and that fails.
"""

import os
import shutil
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from neovim.tests.terminal import INIT, Terminal
from tests.conftest import real_cache as real_cache  # a cache that borrows the user's model; its daemons end with it
from tests.conftest import real_model as real_model

SCREENS = Path(__file__).parent / "screens"
NVIMS = [path for path in os.environ.get("MIDFILL_TEST_NVIMS", "").split(":") if path]

SHAPES = '''"""Shapes."""

import math


class Circle:
    def __init__(self, radius):
        self.radius = radius

    def area(self):
        return math.pi * self.radius ** 2

'''

Open = Callable[..., Terminal]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test in each Neovim."""
    if "nvim" in metafunc.fixturenames:
        if not NVIMS:
            raise pytest.UsageError("MIDFILL_TEST_NVIMS names no Neovim: use neovim/tests/run.sh")
        metafunc.parametrize("nvim", NVIMS, ids=lambda path: Path(path).name)


@pytest.fixture(scope="session")
def server() -> list[str]:
    """The server's command."""
    found = os.environ.get("MIDFILL_TEST_SERVER") or shutil.which("lsp_server")
    assert found, "MIDFILL_TEST_SERVER names no server: use neovim/tests/run.sh"
    return [found, "--stdio"]


@pytest.fixture
def open_file(
    nvim: str, server: list[str], real_cache: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Open]:
    """Opens a file in a terminal."""
    opened: list[Terminal] = []

    def start(
        text: str = SHAPES,
        name: str = "shapes.py",
        cache: Path = real_cache,
        arguments: Sequence[str] = (),
        options: str = "{}",
        init: str = INIT,
        others: Mapping[str, str] | None = None,
        **environment: str,
    ) -> Terminal:
        workspace = tmp_path / "workspace"
        (workspace / ".git").mkdir(parents=True)
        for path, content in {**(others or {}), name: text}.items():
            (workspace / path).write_text(content)
        screens = SCREENS / Path(nvim).name / request.node.originalname
        settings = {"MIDFILL_CACHE": str(cache), **environment}
        terminal = Terminal(nvim, workspace / name, server, settings, screens, arguments, options, init)
        opened.append(terminal)
        return terminal.__enter__()

    yield start
    failed = getattr(request.node, "failed", False)
    for terminal in opened:
        terminal.__exit__(AssertionError if failed else None, None, None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell the fixture whether the test failed, so that it keeps the screen."""
    report = yield
    if report.when == "call":
        item.failed = report.failed  # type: ignore[attr-defined]
    return report
