"""Rules that the documents state, held against the tree."""

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest

from lsp_server.config import FIELDS, defaults

ROOT = Path(__file__).parents[1]
PACKAGES = ("completion", "lsp_server", "model", "parsers", "evals", "tuning")
MODULES = [
    path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")) if "samples" not in path.parts
]
MAY_IMPORT = {
    "parsers": {"parsers"},
    "completion": {"completion", "parsers"},
    "model": {"model", "completion"},
    "lsp_server": {"lsp_server", "completion", "parsers", "model"},
    "tuning": {"tuning", "lsp_server", "completion", "parsers", "model"},
    "evals": set(PACKAGES),
}
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 70


def imported(path: Path) -> set[str]:
    """Our own top-level packages that a module imports anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name for name in names if name.split(".")[0] in PACKAGES}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_keeps_the_rules(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    ours = imported(path)
    assert {name.split(".")[0] for name in ours} <= MAY_IMPORT[package]
    if package == "model":
        assert {name for name in ours if name.startswith("completion")} <= {"completion.types"}
    source = path.read_text()
    assert source.count("\n") <= MAX_FILE_LINES
    tree = ast.parse(source)
    assert not source or ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name not in ("build_server",):
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, node.name


def test_the_configuration_page_states_every_default() -> None:
    page = (ROOT / "docs/configuration.md").read_text()
    stated = re.findall(r"^## `([\w.]+)`\n.*?; default `(.*?)`", page, re.MULTILINE | re.DOTALL)
    assert {key: json.loads(value) for key, value in stated} == defaults()
    assert set(FIELDS) == set(defaults())


def test_the_changelog_knows_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_lock_holds_the_pins_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "torch==2.13.0\n" in lock
    assert "tree-sitter-language-pack==0." in lock
    assert "://" not in lock
    assert all("==" in line for line in lock.splitlines() if line and not line.startswith("#"))


def test_what_the_architecture_names_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    named = re.findall(r"`((?:completion|lsp_server|model|parsers)/\w+\.py):([\w.]+)`", text)
    assert len(named) > 10
    for file, symbol in named:
        source = (ROOT / file).read_text()
        for name in symbol.split("."):
            assert re.search(rf"(def|class) {name}\b", source), f"{file}:{symbol}"
