"""Rules that the documents state, held against the tree."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
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
# What a module may import beside that: the commands of the evals and of tuning, when they are asked for.
MAY_IMPORT_TOO = {"lsp_server/cli/__main__.py": {"evals.cli", "tuning.cli"}}
# What a model process that runs a store with our kernels never imports. torch alone takes 1.5 s and 190 MB.
HEAVY = ("torch", "transformers", "gguf", "huggingface_hub")
# Of model/, what needs them; all else is imported by the daemon, the server or a command, and must not.
NEEDS_TORCH = {
    "decoders": {"gpu_decoder", "gpu_kv", "gpu_linear", "gpu_steps", "torch_decoder", "torch_kv", "torch_scores",
                 "transformers_decoder"},
    "weights": {"calibrate", "gpu_store", "linear", "load_torch", "lowbit", "merge", "packing", "quantize", "source"},
}  # fmt: skip
DOCS = sorted((ROOT / "docs").glob("*.md"))
DECISIONS = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))]
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 70
MAX_FILES_OF_A_FOLDER = 20


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
    ours = imported(path) - MAY_IMPORT_TOO.get(path.relative_to(ROOT).as_posix(), set())
    assert {name.split(".")[0] for name in ours} <= MAY_IMPORT[package]
    if package == "model":
        assert {name for name in ours if name.startswith("completion")} <= {"completion.types"}
    source = path.read_text()
    assert source.count("\n") <= MAX_FILE_LINES
    tree = ast.parse(source)
    assert not source or ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, node.name


def test_the_commands_of_evals_and_tuning_are_imported_when_they_are_asked_for() -> None:
    for module, lazily in MAY_IMPORT_TOO.items():
        tree = ast.parse((ROOT / module).read_text())
        at_once = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
        assert not at_once & lazily
        assert lazily <= imported(ROOT / module)


def test_no_module_is_imported_by_a_name_that_no_rule_sees() -> None:
    ours = re.compile(rf"(?:import_module|__import__)\(\s*f?[\"'](?:{'|'.join(PACKAGES)})\b")
    assert [path for path in MODULES if ours.search(path.read_text())] == []


def test_no_folder_holds_more_modules_than_one_can_look_through() -> None:
    folders = Counter(path.parent for path in MODULES)
    assert {folder: n for folder, n in folders.items() if n > MAX_FILES_OF_A_FOLDER} == {}


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports in functions, and those for types alone, count."""
    names = {_module_name(path): path for path in MODULES}
    found = _circles({name: _imports(path, names.keys()) for name, path in names.items()})
    assert [sorted(circle) for circle in found] == []


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path, modules: Collection[str]) -> set[str]:
    """The modules that one imports, also where `from package import module` names them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= below & set(modules) or {node.module}
    return (names & set(modules)) - {_module_name(path)}


def _circles(imports: Mapping[str, set[str]]) -> set[frozenset[str]]:
    """The sets of modules that reach one another."""
    reached: dict[str, set[str]] = {}
    for start in imports:
        seen, left = set[str](), [start]
        while left:
            new = imports[left.pop()] - seen
            seen |= new
            left += new
        reached[start] = seen
    circles = {start: frozenset(name for name in seen if start in reached[name]) for start, seen in reached.items()}
    return {circle for circle in circles.values() if circle}


def needs_torch(path: Path) -> bool:
    room = path.relative_to(ROOT).parts
    return room[0] == "model" and path.stem in NEEDS_TORCH.get(room[1], set())


def test_what_starts_imports_no_torch() -> None:
    """Every module of model/ that may not need it, and what these import, in a process of its own."""
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in MODULES
        if path.relative_to(ROOT).parts[0] == "model" and path.stem != "__init__" and not needs_torch(path)
    ]
    assert len(names) > 40
    code = f"import importlib, sys; [importlib.import_module(name) for name in {names}]"
    code += f"; print([name for name in {HEAVY} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_link_and_library_never_import_torch_nor_what_needs_it() -> None:
    for path in [*(ROOT / "model/link").glob("*.py"), *(ROOT / "model/library").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            names = [module] if module else [a.name for a in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert name.split(".")[0] not in ("torch", "transformers", "gguf"), path
                assert not needs_torch(ROOT / Path(*name.split(".")).with_suffix(".py")), path


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


def test_what_the_documents_name_exists() -> None:
    for document in (ROOT / "ARCHITECTURE.md", *DOCS, *sorted((ROOT / "docs/decisions").glob("*.md"))):
        files = re.findall(rf"`((?:{'|'.join(PACKAGES)}|tests)/[\w/]+\.(?:py|cpp|h))[:`]", document.read_text())
        assert [file for file in files if not (ROOT / file).is_file()] == [], document.name


@pytest.mark.parametrize(
    ("documents", "at_least"), [(["ARCHITECTURE.md"], 10), (["docs/keystroke.md"], 40), (DECISIONS, 30)]
)
def test_what_the_architecture_and_the_decisions_name_exists(documents: Sequence[str], at_least: int) -> None:
    text = "\n".join((ROOT / document).read_text() for document in documents)
    named = re.findall(r"`((?:completion|lsp_server|model|parsers)/[\w/]+\.py):([\w.]+)`", text)
    assert len(named) > at_least
    for file, symbol in named:
        source = (ROOT / file).read_text()
        for name in symbol.split("."):
            assert re.search(rf"(def|class) {name}\b", source), f"{file}:{symbol}"


def test_the_architecture_has_a_heading_for_every_room() -> None:
    rooms = {f"{path.parent.relative_to(ROOT).as_posix()}/" for path in MODULES if path.stat().st_size}
    headings = re.findall(r"^##+ ([\w/]+/)$", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    assert rooms - set(headings) == set()
    assert [room for room in headings if not (ROOT / room).is_dir()] == []


@pytest.mark.parametrize(("document", "most_bytes"), [("README.md", 6_000), ("ARCHITECTURE.md", 20_000)])
def test_what_everybody_reads_is_short_and_no_laboratory_notebook(document: str, most_bytes: int) -> None:
    text = (ROOT / document).read_text()
    assert len(text.encode()) <= most_bytes
    assert re.findall(r"\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,40}\b", text) == [], "a commit's figures belong to docs/"
    assert re.findall(r"\[[-+]?\d*\.?\d+, [-+]?[\d.∞]+[\])]", text) == [], "intervals belong to docs/"


def test_prose_is_wrapped() -> None:
    for document in (
        *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
        *DOCS,
        *(ROOT / path for path in DECISIONS),
    ):
        prose = re.sub(r"^```.*?^```|^(?:\||!\[).*?$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
        assert [line for line in prose.splitlines() if len(line) > 120] == [], document.name


@pytest.mark.parametrize("path", DECISIONS)
def test_a_decision_has_its_parts(path: str) -> None:
    text = (ROOT / path).read_text()
    assert re.findall(r"^#+ (.*)$", text, re.MULTILINE)[1:] == ["Context", "Decision", "Evidence"]
    assert text.startswith(f"# {Path(path).name[:3]}. ")
    assert f"({Path(path).name})" in (ROOT / "docs/decisions/index.md").read_text()
