"""A workspace folder as a source: which files a renamed name is looked for in."""

from pathlib import Path

from lsp_server.index.write import IndexWriter
from lsp_server.workspace.repository import Repository

_FILES = {
    "a.py": "def load_rows(): ...\n",
    "uses.py": "from a import load_rows\n\nload_rows()\n",
    "own.py": "def load_rows(): ...\n\n\nload_rows()\n",
    "a.go": "package a\n\nfunc loadRows() {}\n",
    "uses.go": "package a\n\nfunc other() { loadRows() }\n",
}


def _indexed(root: Path, files: dict[str, str]) -> Repository:
    root.mkdir()
    for name, text in files.items():
        (root / name).write_text(text)
    writer = IndexWriter(root)
    writer.sync(lambda progress: None)
    writer.close()
    return Repository.open(root)


def test_a_name_is_looked_for_where_it_is_imported_or_seen_without(tiny_cache: Path, tmp_path: Path) -> None:
    root = tmp_path / "tree"
    repository = _indexed(root, _FILES)
    assert repository.files_with("load_rows", "python", 9) == ["uses.py"]
    assert set(repository.files_with("loadRows", "go", 9)) == {"a.go", "uses.go"}
    assert repository.text_of("uses.py") == _FILES["uses.py"]
    (root / "uses.py").unlink()
    assert repository.text_of("uses.py") is None


_IMPORTERS = {
    "a.py": "from rows import load_rows\n\nload_rows()\n",
    "b.py": "import os\nfrom rows import load_rows\n\nload_rows()\n",
    "c.py": "import rows as load_rows\nfrom .rows import load_rows\n",
    "d.py": "from rows import load_rows, save_rows\n\nsave_rows()\n",
    "e.py": "x = 1\n" * 400 + "from late import late_rows\n",
    "f.ts": "import { load_rows } from './rows'\n",
    "rows.py": "def load_rows(): ...\ndef save_rows(): ...\n",
}


def test_a_name_is_imported_as_most_files_do(tiny_cache: Path, tmp_path: Path) -> None:
    repository = _indexed(tmp_path / "tree", _IMPORTERS)
    names = ["load_rows", "save_rows", "late_rows", "nowhere"]
    # What stands only beside others, or far down, is not taken over.
    assert repository.import_lines(names, "python") == {"load_rows": "from rows import load_rows"}
