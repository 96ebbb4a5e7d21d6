"""How long `lsp_server --stdio` takes from its start to the answer of `initialize`.

    python -m evals.bench.server_start "OLD/bin/lsp_server --stdio" "NEW/bin/lsp_server --stdio"

Several commands are started in turn, so that what else the machine does falls on all alike. Processor time is counted
beside the time that passed: it tells the same on a machine that has other work. The last line is JSON.

Rules: a server is a command, so that any version can be measured. No workspace is opened: neither a model process nor
an index worker is started.
"""

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import time
from typing import IO

import psutil

_INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"processId": None, "rootUri": None, "capabilities": {}},
}


def start_ms(command: list[str]) -> tuple[float, float]:
    """Milliseconds from the start of a server to its answer, passed and of the processor; the server is then ended."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            body = json.dumps(_INITIALIZE).encode()
            server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            server.stdin.flush()
            answer = _message(server.stdout)
            passed_ms = (time.perf_counter() - started) * 1e3
            if "capabilities" not in answer.get("result", {}):
                raise RuntimeError(f"{shlex.join(command)} does not answer initialize: {answer}")
            return passed_ms, _cpu_ms(server.pid)
        finally:
            server.kill()


def _cpu_ms(pid: int) -> float:
    """Processor time of a process and its children so far."""
    server = psutil.Process(pid)
    times = [process.cpu_times() for process in (server, *server.children(recursive=True))]
    return sum(each.user + each.system for each in times) * 1e3


def _message(stream: IO[bytes]) -> dict[str, dict[str, object]]:
    """The first answer; what a server logs before it is passed over."""
    while True:
        n_bytes = 0
        while line := stream.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                n_bytes = int(value)
        if not n_bytes:
            raise RuntimeError("the server ended without an answer")
        message: dict[str, dict[str, object]] = json.loads(stream.read(n_bytes))
        if message.get("id") == _INITIALIZE["id"]:
            return message


def main(arguments: list[str]) -> None:
    """Print the medians of each command, and the least and the most that passed."""
    parser = argparse.ArgumentParser(prog="evals.bench.server_start", description=__doc__)
    parser.add_argument("commands", nargs="+", metavar="COMMAND")
    parser.add_argument("--starts", type=int, default=10, help="of each command, after one that is not counted")
    given = parser.parse_args(arguments)
    times: dict[str, list[tuple[float, float]]] = {command: [] for command in given.commands}
    for number in range(given.starts + 1):
        for command, measured in times.items():
            start = start_ms(shlex.split(command))
            if number:  # the first reads its files from the disk
                measured.append(start)
    found = {}
    for command, measured in times.items():
        passed, of_processor = zip(*measured, strict=True)
        median, cpu = statistics.median(passed), statistics.median(of_processor)
        found[command] = {"median_ms": median, "cpu_ms": cpu, "least_ms": min(passed), "most_ms": max(passed)}
        print(f"{median:7.0f} ms ({min(passed):.0f} to {max(passed):.0f}), processor {cpu:.0f} ms  {command}")
    print(json.dumps({"bench": "server_start", "starts": given.starts, "commands": found}))


if __name__ == "__main__":
    main(sys.argv[1:])
