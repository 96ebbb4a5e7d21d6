"""An editor that closes the pipe before the answer to `shutdown` came is no error."""

import json
import os
import subprocess
import sys
from io import BufferedWriter, FileIO
from typing import Any

import pytest

from lsp_server.output import Output


def test_what_nobody_reads_goes_nowhere() -> None:
    read, write = os.pipe()
    with BufferedWriter(FileIO(write, "w")) as pipe:
        output = Output(pipe)
        output.write(b"one")
        output.flush()
        assert os.read(read, 10) == b"one"
        os.close(read)
        for _ in range(3):
            assert output.write(b"x" * 100_000) == 100_000
            output.flush()


@pytest.mark.e2e
@pytest.mark.parametrize("says_exit", [True, False])
def test_the_server_ends_in_peace_when_its_editor_does_not_wait(says_exit: bool) -> None:
    command = [sys.executable, "-I", "-m", "lsp_server", "--stdio"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None

        def send(**message: Any) -> None:
            body = json.dumps({"jsonrpc": "2.0", **message}).encode()
            process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]

        options = {"capabilities": {}, "processId": None, "rootUri": None, "initializationOptions": {"enabled": False}}
        send(id=1, method="initialize", params=options)
        assert process.stdout.readline().startswith(b"Content-Length")
        process.stdout.close()
        send(id=2, method="shutdown")
        if says_exit:
            send(method="exit")
        process.stdin.close()
        told = process.stderr.read().decode()
        assert process.wait(60) == 0
    assert "the editor has closed its end" in told
    assert "Traceback" not in told
    assert "BrokenPipe" not in told
