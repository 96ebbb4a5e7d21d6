import os
from pathlib import Path

import pytest

from lsp_server.index.files import MAX_FILE_BYTES, read, stat_file, walk


def make(root: Path, **files: str) -> None:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def found(root: Path) -> list[str]:
    return [file.path for file in walk(root)]


def tree(root: Path, files: dict[str, str]) -> Path:
    make(root, **files)
    return root


def test_code_of_all_languages_is_found_in_order(tmp_path: Path) -> None:
    tree(tmp_path, {"b.py": "x", "a/z.rs": "x", "a/b/c.go": "x", "notes.txt": "x", "picture.png": "x"})
    assert found(tmp_path) == ["b.py", "a/z.rs", "a/b/c.go"]


@pytest.mark.parametrize("ignore_file", [".gitignore", ".midfillignore", ".git/info/exclude"])
def test_ignore_files_hold_for_their_folder(tmp_path: Path, ignore_file: str) -> None:
    tree(tmp_path, {"keep.py": "x", "made/a.py": "x", "sub/skip_me.py": "x", ignore_file: "made/\nskip_*.py\n"})
    assert found(tmp_path) == ["keep.py"]


def test_an_inner_ignore_file_overrules_an_outer_one(tmp_path: Path) -> None:
    tree(tmp_path, {".gitignore": "*.gen.py\n", "a/.gitignore": "!keep.gen.py\n", "a/keep.gen.py": "", "b.gen.py": ""})
    assert found(tmp_path) == ["a/keep.gen.py"]


def test_our_own_ignore_file_adds_to_gits(tmp_path: Path) -> None:
    tree(tmp_path, {".gitignore": "a.py\n", ".midfillignore": "b.py\n", "a.py": "", "b.py": "", "c.py": ""})
    assert found(tmp_path) == ["c.py"]


@pytest.mark.parametrize(
    "name", ["credentials.json", "config/secrets.yaml", "prod.tfvars", "client_secret_1.json", "deploy-secret.yml"]
)
def test_secrets_are_never_read(tmp_path: Path, name: str) -> None:
    tree(tmp_path, {name: "{}", "secrets.py": "def rotate(): ..."})
    assert found(tmp_path) == ["secrets.py"]
    assert stat_file(tmp_path, name) is None


def test_dependencies_environments_and_builds_are_skipped(tmp_path: Path) -> None:
    files = {"node_modules/x/a.js": "", "mine/pyvenv.cfg": "", "mine/lib/b.py": "", ".hidden/c.py": "", "d.py": ""}
    tree(tmp_path, files)
    assert found(tmp_path) == ["d.py"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    tree(tmp_path, {"a/b.py": "x"})
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "outside.py").symlink_to("/etc/hosts")
    assert found(tmp_path) == ["a/b.py"]


def test_large_files_are_left_out(tmp_path: Path) -> None:
    tree(tmp_path, {"big.py": "x" * (MAX_FILE_BYTES + 1), "data.json": "1" * 200_000, "small.json": "{}"})
    assert found(tmp_path) == ["small.json"]


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_left_out(tmp_path: Path) -> None:
    tree(tmp_path, {"closed/a.py": "x", "b.py": "x"})
    (tmp_path / "closed").chmod(0)
    try:
        assert found(tmp_path) == ["b.py"]
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_a_missing_root_has_no_files(tmp_path: Path) -> None:
    assert found(tmp_path / "gone") == []


@pytest.mark.parametrize("content", [b"a\0b", b"\xff\xfe", b"x" * 5_000])
def test_what_is_no_text_for_people_is_not_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.py").write_bytes(content)
    (file,) = walk(tmp_path)
    assert read(tmp_path, file) is None


def test_a_file_that_went_away_is_not_read(tmp_path: Path) -> None:
    tree(tmp_path, {"a.py": "x = 1\n"})
    (file,) = walk(tmp_path)
    assert read(tmp_path, file) == "x = 1\n"
    (tmp_path / "a.py").unlink()
    assert read(tmp_path, file) is None
    assert stat_file(tmp_path, "a.py") is None


def test_one_file_is_found_as_the_walk_finds_it(tmp_path: Path) -> None:
    tree(tmp_path, {"a/b.py": "x", ".gitignore": "c/\n", "c/d.py": "x"})
    assert stat_file(tmp_path, "a/b.py") == next(walk(tmp_path))
    assert stat_file(tmp_path, "c/d.py") is None
