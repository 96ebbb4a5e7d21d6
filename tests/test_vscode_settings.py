"""The extension's settings are the server's: names, defaults, allowed values and descriptions."""

import json
import runpy
from pathlib import Path
from typing import Any

from lsp_server.config import defaults, load

_EXTENSION = Path(__file__).parent.parent / "vscode-extension"


def _package() -> dict[str, Any]:
    package: dict[str, Any] = json.loads((_EXTENSION / "package.json").read_text(encoding="utf-8"))
    return package


def test_they_are_as_the_server_has_them() -> None:
    wanted = runpy.run_path(str(_EXTENSION / "settings.py"))["configuration"]()
    assert _package()["contributes"]["configuration"] == wanted, "run vscode-extension/settings.py"


def test_its_version_is_the_servers() -> None:
    wanted = runpy.run_path(str(_EXTENSION / "settings.py"))["version"]()
    assert _package()["version"] == wanted, "run vscode-extension/settings.py"


def test_the_server_knows_each_with_its_default() -> None:
    rows = _package()["contributes"]["configuration"]["properties"]
    sent: dict[str, Any] = {}
    for name, row in rows.items():
        _, *path, key = name.split(".")
        if path != ["server"]:
            (sent.setdefault(path[0], {}) if path else sent)[key] = row["default"]
    assert load(sent)[1] == []
    assert {name.removeprefix("midfill."): row["default"] for name, row in rows.items() if ".server." not in name} == (
        defaults()
    )


def test_a_workspace_cannot_choose_what_is_run_nor_where_code_is_sent() -> None:
    rows = _package()["contributes"]["configuration"]["properties"]
    assert {row["scope"] for name, row in rows.items() if ".engine." in name} == {"machine"}
    assert {row["scope"] for name, row in rows.items() if ".server." in name} == {"machine"}
