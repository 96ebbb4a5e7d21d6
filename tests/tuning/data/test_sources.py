"""The list of sources, and what of a repository is laid out."""

import subprocess
from pathlib import Path

import pytest

from tests.tuning.data import test_spans
from tuning.data.sources import PERMISSIVE, SourceError, is_license_file, is_wanted, lay_out, license_of, sources

PYTHON = test_spans.PYTHON * 2
_MIT = "MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining a copy\n"
_GPL = "GNU GENERAL PUBLIC LICENSE\nVersion 3\n"
# What the harness measures on; nothing of it is ever learned.
_MEASURED = (
    "huggingface_hub", "transformers", "viem", "langchain4j", "httpx", "typer", "zod", "cobra", "okio",
    "swift-argument-parser", "plug", "effect", "human-eval", "click",
)  # fmt: skip


def test_the_list_is_permissive_broad_and_without_what_is_measured() -> None:
    rows = sources()
    assert {row.license for row in rows} <= PERMISSIVE
    trained = [row for row in rows if not row.heldout]
    languages = {language for row in trained for language in row.languages}
    assert {"python", "typescript", "tsx", "javascript", "go", "rust", "java", "c", "cpp", "csharp", "ruby", "php",
            "kotlin"} <= languages  # fmt: skip
    assert {language for row in rows if row.heldout for language in row.languages} >= {"python", "go", "java", "rust"}
    assert not {row.name.split("/")[1].lower() for row in rows} & set(_MEASURED)
    assert len({row.name for row in rows}) == len(rows)
    assert all(len(row.commit) == 40 for row in rows)


def test_a_list_with_another_license_is_refused(tmp_path: Path) -> None:
    row = '[[source]]\nname = "a/b"\ncommit = "c"\nlicense = "GPL-3.0"\nlanguages = ["c"]\n'
    (tmp_path / "list.toml").write_text(row)
    with pytest.raises(SourceError, match="GPL"):
        sources(tmp_path / "list.toml")


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        ([_MIT], "MIT"),
        (["Apache License\n   Version 2.0, January 2004", _MIT], "Apache-2.0"),
        ([_MIT, _GPL], ""),
        ([_GPL], ""),
        (["All rights reserved"], ""),
        ([], ""),
    ],
)
def test_licenses(texts: list[str], kind: str) -> None:
    assert license_of(texts) == kind


def test_what_is_a_license_and_what_is_code() -> None:
    assert all(is_license_file(path) for path in ("LICENSE", "LICENSE.md", "LICENSE-MIT", "COPYING", "MIT-LICENSE"))
    assert not any(is_license_file(path) for path in ("docs/LICENSE", "licenses.py.txt.in", "README.md"))
    assert all(is_wanted(path, 1_000) for path in ("src/a.py", "lib/a.rb", "a.ex", "x.tsx"))
    assert not any(
        is_wanted(path, 1_000)
        for path in (
            "vendor/a.go",
            "a.min.js",
            "package.json",
            "a.yml",
            "x/node_modules/y.js",
            "3rd-party/e.cpp",
            ".github/a.py",
            "a.md",
        )
    )
    assert not is_wanted("a.py", 10)
    assert not is_wanted("a.py", 10_000_000)


def test_only_code_of_its_own_is_laid_out(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    files = {
        "LICENSE": _MIT,
        "src/area.py": PYTHON.replace("\n", "\r\n"),
        "src/copied.py": "# License: GPL-2.0, GNU General Public License\n" + PYTHON,
        "vendor/area.py": PYTHON,
        "notes.md": PYTHON,
    }
    for path, text in files.items():
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_bytes(text.encode())
    (clone / "src" / "binary.py").write_bytes(b"\xff\xfe" * 1_000)
    (clone / "src" / "link.py").symlink_to("/etc/passwd")
    git = ["git", "-C", str(clone), "-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.autocrlf=false"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "all"]):
        subprocess.run([*git, *command], check=True)
    assert lay_out(clone, "HEAD", tmp_path / "out") == ("MIT", 1)
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert [path.relative_to(tmp_path / "out").as_posix() for path in written] == ["src/area.py"]
    assert written[0].read_text() == PYTHON
