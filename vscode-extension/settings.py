"""Writes the settings of `package.json` from the server's configuration: `python vscode-extension/settings.py`.

And its version, which is pyproject's, there and in the lock.

Rules: every setting of the server is one of the extension, with the same default; the extension's own begin with
`midfill.server.` and hold for the machine only, so that no workspace can choose what is run. So do `midfill.engine.*`,
so that none can choose where code is sent.
"""

import json
import tomllib
from pathlib import Path
from typing import Any

from lsp_server.config import FIELDS, defaults

PACKAGE = Path(__file__).parent / "package.json"
LOCK = PACKAGE.with_name("package-lock.json")
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
_OWN: dict[str, dict[str, Any]] = {
    "midfill.server.command": {
        "type": "string",
        "default": "",
        "description": "The server's program, lsp_server. Empty: the installed one, or one on the PATH.",
    },
    "midfill.server.python": {
        "type": "string",
        "default": "",
        "description": "The Python (3.11 or newer) that the server's environment is made with. Empty: one is found.",
    },
    "midfill.server.package": {
        "type": "string",
        "default": "midfill",
        "description": "What pip installs as the server: a name, a version (midfill==0.2.0), a wheel or a folder.",
    },
    "midfill.server.pipOptions": {
        "type": "array",
        "items": {"type": "string"},
        "default": [],
        "description": "More options of pip install, such as --no-index and --find-links for offline wheels. "
        "A proxy and an index of your own are taken from pip's configuration.",
    },
    "midfill.server.torch": {
        "type": "string",
        "enum": ["auto", "cpu", "cuda"],
        "default": "auto",
        "description": "Which build of PyTorch is installed; auto looks for an NVIDIA card.",
    },
    "midfill.server.cpuIndex": {
        "type": "string",
        "description": "The package index that has PyTorch's CPU build for Linux, beside pip's own: the build there is "
        "without it brings gigabytes for NVIDIA cards. Not used with an index in pipOptions, nor when empty.",
    },
}
# Written in package.json alone, where the user reads it: no address stands in the code.
_WRITTEN_THERE = "midfill.server.cpuIndex"


def version() -> str:
    """Of midfill, which stands in pyproject.toml alone."""
    project: dict[str, str] = tomllib.loads((PACKAGE.parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    return project["version"]


def configuration() -> dict[str, Any]:
    """The object `contributes.configuration`."""
    written = json.loads(PACKAGE.read_text(encoding="utf-8"))["contributes"]["configuration"]["properties"]
    own = {name: {**row, "scope": "machine", "order": 100 + n} for n, (name, row) in enumerate(_OWN.items())}
    own[_WRITTEN_THERE]["default"] = written[_WRITTEN_THERE]["default"]
    return {"title": "midfill", "properties": {**_servers(), **own}}


def _servers() -> dict[str, Any]:
    rows = {}
    for order, ((key, (text, allowed)), default) in enumerate(zip(FIELDS.items(), defaults().values(), strict=True)):
        row: dict[str, Any] = {"type": _TYPES[type(default)], "default": default, "markdownDescription": f"{text}."}
        if isinstance(default, list):
            row["items"] = {"type": "string"}
        elif isinstance(default, str) and allowed:
            row["enum"] = list(allowed)
        elif allowed:
            row["minimum"], row["maximum"] = allowed
        rows[f"midfill.{key}"] = {**row, "scope": _scope(key), "order": order}
    return rows


def _scope(key: str) -> str:
    """Who may set it: where code is sent is never a workspace's to say."""
    if key.startswith("engine."):
        return "machine"
    return "resource" if key.startswith("context") else "window"


def main() -> None:
    """Write them."""
    package, lock = (json.loads(file.read_text(encoding="utf-8")) for file in (PACKAGE, LOCK))
    package["version"] = lock["version"] = lock["packages"][""]["version"] = version()
    package["contributes"]["configuration"] = configuration()
    for file, content in ((PACKAGE, package), (LOCK, lock)):
        file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
