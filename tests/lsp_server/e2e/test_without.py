"""A mechanism that is off for a benchmark is off in the real server, and a wrong name ends it with the right ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lsp_server.ablation import VARIABLE
from tests.lsp_server.session import Session

pytestmark = pytest.mark.e2e
_TYPING = 2


@pytest.mark.parametrize(("without", "is_skipped"), [("", True), ("junk", True), ("trigger,loops", False)])
def test_a_server_runs_without_what_its_environment_names(
    ready_cache: Path, tiny_model: Path, tmp_path: Path, without: str, is_skipped: bool
) -> None:
    options = {"model": str(tiny_model), "maxWaitMs": 0}
    with Session(tmp_path, options=options, folders=[tmp_path], environment={VARIABLE: without}) as session:
        session.wait_for_phase("ready")
        uri = (tmp_path / "a.py").as_uri()
        session.open(uri, "value = name\n")
        session.complete(uri, 0, 8, kind=_TYPING)  # a word stands right behind
        assert (session.status()["last"]["outcome"] == "skipped") is is_skipped


def test_a_name_that_there_is_not_ends_the_server() -> None:
    command = [sys.executable, "-P", "-m", "lsp_server", "--stdio"]
    ended = subprocess.run(
        command,
        env={**os.environ, VARIABLE: "jnk"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "no mechanism is called 'jnk'; there are ranking, " in ended.stderr
    assert "Traceback" not in ended.stderr
