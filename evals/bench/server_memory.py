"""What memory an editor's window takes: the server, its index worker and the children that parse, on a source tree.

    python -m evals.bench.server_memory --path DIR "OLD/bin/lsp_server --stdio" "NEW/bin/lsp_server --stdio"

A server opens a copy of the tree, waits until its index is ready, has some of the files open, and asks in each for a
completion, by which its model is loaded. Then it does nothing for some seconds, and every process is looked at. The
last line is JSON.

Rules: a server is a command, so that any version can be measured. Each gets an index of its own, since the copy has a
name of its own; models come from the cache in use.
"""

import argparse
import asyncio
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import psutil

from evals.bench.machine import memory_of
from lsp_server.cli.editor import Editor

_OPEN_FILES = 4
_READY_S, _SETTLE_S = 600.0, 6.0
# A process by what stands in its command line.
ROLES = {"index": "index worker", "guard_child": "parsing child", "model.daemon": "model process"}


async def measure(command: list[str], tree: Path) -> dict[str, list[tuple[float, float | None]]]:
    """(resident MB, proportional MB) of each process of a server, by what it is."""
    with tempfile.TemporaryDirectory(prefix="midfill-bench-") as temporary:
        root = Path(temporary).resolve() / tree.name
        shutil.copytree(tree, root, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        (root / ".git").mkdir(exist_ok=True)
        async with await Editor.start(lambda method, params: None, subprocess.DEVNULL, command) as editor:
            folder = {"uri": root.as_uri(), "name": root.name}
            await editor.request(
                "initialize",
                {"processId": None, "rootUri": root.as_uri(), "workspaceFolders": [folder], "capabilities": {}},
            )
            editor.notify("initialized", {})
            files = sorted(root.rglob("*.py"), key=lambda file: (abs(file.stat().st_size - 12_000), file))[:_OPEN_FILES]
            for file in files:
                await _complete(editor, file)
            await _until_ready(editor)
            for file in files:
                await _complete(editor, file)
            await asyncio.sleep(_SETTLE_S)
            return _memory(editor.pid)


async def _complete(editor: Editor, file: Path) -> None:
    text = file.read_text(errors="replace")
    document = {"uri": file.as_uri(), "languageId": "python", "version": 1, "text": text}
    editor.notify("textDocument/didOpen", {"textDocument": document})
    position = {"line": text.count("\n") // 2, "character": 0}
    where = {"textDocument": {"uri": file.as_uri()}, "position": position}
    asked = editor.request("textDocument/inlineCompletion", {**where, "context": {"triggerKind": 1}})
    await asyncio.wait_for(asked, _READY_S)


async def _until_ready(editor: Editor) -> None:
    end = time.monotonic() + _READY_S
    while time.monotonic() < end:
        said = json.dumps(status := await editor.request("midfill/status", {}))
        if status["phase"] == "failed":
            raise RuntimeError(said)
        if status["phase"] == "ready" and not any(word in said for word in ('"indexing"', "not started")):
            return
        await asyncio.sleep(0.5)
    raise RuntimeError("the index was not ready in time")


def _memory(pid: int) -> dict[str, list[tuple[float, float | None]]]:
    found = defaultdict(list)
    found["server"].append(memory_of(pid))
    for child in psutil.Process(pid).children(recursive=True):
        line = " ".join(child.cmdline())
        role = next((role for part, role in ROLES.items() if part in line), line)
        found[role].append(memory_of(child.pid))
    return dict(found)


def main(arguments: list[str]) -> None:
    """Print the memory of each command's processes."""
    parser = argparse.ArgumentParser(prog="evals.bench.server_memory", description=__doc__)
    parser.add_argument("commands", nargs="+", metavar="COMMAND")
    parser.add_argument("--path", type=Path, required=True, metavar="DIR", help="a source tree with Python files")
    given = parser.parse_args(arguments)
    found = {}
    for command in given.commands:
        processes = asyncio.run(measure(shlex.split(command), given.path.resolve()))
        found[command] = processes
        print(command)
        for role, sizes in processes.items():
            for rss_mb, pss_mb in sizes:
                print(f"{rss_mb:7.0f} MB resident, {pss_mb or 0:5.0f} MB proportional  {role}")
    n_files = sum(1 for _ in given.path.rglob("*.py"))
    print(json.dumps({"bench": "server_memory", "tree": given.path.name, "files": n_files, "commands": found}))


if __name__ == "__main__":
    main(sys.argv[1:])
