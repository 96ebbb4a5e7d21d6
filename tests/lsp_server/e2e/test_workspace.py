"""The real server over stdio: which folders are indexed, and which of their files; no model is needed."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from lsp_server.index.query import IndexReader
from tests.lsp_server.session import TIMEOUT_S, Session

pytestmark = pytest.mark.e2e
NO_MODEL = {"model": "/nonexistent/model.gguf"}


def session_in(folder: Path, **more: Any) -> Session:
    """A server whose model cannot be had, which it says once."""
    session = Session(folder, options=NO_MODEL, **more)
    session.allowed_errors = 1
    return session


def wait_for_indexes(session: Session, *roots: Path) -> None:
    """Wait until these folders are indexed, and no others."""
    deadline = time.monotonic() + TIMEOUT_S
    while {root: index["phase"] for root, index in session.status()["indexes"].items()} != {
        str(root): "ready" for root in roots
    }:
        assert time.monotonic() < deadline, session.status()["indexes"]
        time.sleep(0.05)


def change_folders(session: Session, added: tuple[str, ...] = (), removed: tuple[str, ...] = ()) -> None:
    event = {key: [{"uri": uri, "name": ""} for uri in uris] for key, uris in (("added", added), ("removed", removed))}
    session.notify("workspace/didChangeWorkspaceFolders", {"event": event})


def workers_of(root: Path) -> list[int]:
    """Process ids of the workers that keep a folder's index."""
    words = b"lsp_server.index.worker\0--root\0" + os.fsencode(root) + b"\0"
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if words in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def known(root: Path, name: str) -> list[str]:
    """The files whose definitions of a name the index has."""
    reader = IndexReader.open(root)
    assert reader is not None
    try:
        return [found.path for found in reader.named(name, 9)]
    finally:
        reader.close()


@pytest.fixture
def root(tmp_path: Path, tiny_cache: Path) -> Path:
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / "a.py").write_text("def one(): ...\n")
    return folder


@pytest.mark.parametrize(("how", "ending"), [("folders", ""), ("folders", "/"), ("root", "/"), ("both", "")])
def test_a_folder_that_was_removed_is_indexed_no_more(root: Path, how: str, ending: str) -> None:
    folders = {"folders": [root]} if how != "root" else {}
    roots = {"root": root} if how != "folders" else {}
    with session_in(root, **folders, **roots) as session:
        wait_for_indexes(session, root)
        assert len(workers_of(root)) == 1
        change_folders(session, removed=(root.as_uri() + ending,))
        wait_for_indexes(session)
        deadline = time.monotonic() + TIMEOUT_S
        while workers_of(root):  # it is asked to leave
            assert time.monotonic() < deadline
            time.sleep(0.05)
        (root / "a.py").write_text("def two(): ...\n")
        session.open((root / "a.py").as_uri(), "def three(): ...\n")
        session.complete((root / "a.py").as_uri(), 0, 3)
        assert (known(root, "two"), workers_of(root)) == ([], [])
        change_folders(session, added=(root.as_uri(),))
        wait_for_indexes(session, root)
        assert known(root, "two") == ["a.py"]


def test_a_folder_beside_the_root_is_indexed_when_it_is_added(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with session_in(root, root=root) as session:
        wait_for_indexes(session, root)
        change_folders(session, added=(other.as_uri(),))
        wait_for_indexes(session, root, other)
        change_folders(session, removed=(root.as_uri(),))
        wait_for_indexes(session, other)


def test_names_codings_and_keys_of_any_kind_end_nothing(root: Path) -> None:
    os.mkdir(root / os.fsdecode(b"\xff"))
    (root / os.fsdecode(b"\xff/caf\xe9.py")).write_text("def at_the_table(): ...\n")
    (root / "latin.py").write_bytes("def größe(): ...\n".encode("latin-1"))
    (root / "wide.py").write_bytes("def weite(): ...\n".encode("utf-16"))
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEAx5cKq1uDNVJ8\n"
    (root / "notes.md").write_text(f"# Notes\n\n{key}")
    (root / "target").mkdir()
    (root / "target" / "b.py").write_text("def built(): ...\n")
    (root / ".midfillignore").write_text("[z-a]\n!target/\n")
    with session_in(root, folders=[root]) as session:
        wait_for_indexes(session, root)
        session.open((root / "a.py").as_uri() + "%E9", "x = 1\n")
        session.complete((root / "a.py").as_uri() + "%E9", 0, 5)
    assert known(root, "at_the_table") == ["\\xff/caf\\xe9.py"]
    assert (known(root, "größe"), known(root, "weite"), known(root, "built")) == (
        ["latin.py"],
        ["wide.py"],
        ["target/b.py"],
    )
    reader = IndexReader.open(root)
    assert reader is not None
    assert reader.lines("notes.md", 0, 9) == ""


def test_a_folder_whose_name_is_no_utf_8_is_a_workspace(root: Path) -> None:
    folder = root / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "b.py").write_text("def inside(): ...\n")
    with session_in(root, folders=[folder]) as session:
        wait_for_indexes(session, Path(f"{root}/caf\\xe9"))
    assert known(folder, "inside") == ["b.py"]
