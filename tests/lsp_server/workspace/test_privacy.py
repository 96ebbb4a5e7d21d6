"""What is private: by ignore rules, by name, by what it holds; open, closed or never saved."""

import asyncio
import os
from pathlib import Path

import pytest

from lsp_server.workspace.privacy import Privacy
from lsp_server.workspace.workbench import Page, Workbench

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEAx5cKq1uDNVJ8\n-----END RSA PRIVATE KEY-----\n"
TEXT = "area = 1\n"


def privacy_of(folder: Path) -> Privacy:
    return Privacy(lambda: [folder.as_uri()])


def check(folder: Path, path: str, private: bool, text: str = TEXT) -> None:
    """The file of this path in a workspace is private, or not; it need not be there."""
    reason = privacy_of(folder).reason((folder / path).as_uri(), text)
    assert bool(reason) is private, (path, reason)


@pytest.mark.parametrize(
    "path", [".env", "config/prod.ENV", "Secrets.json", "server.pem", "a/id_rsa", "k8s/db-Secret.yaml"]
)
def test_a_secrets_name_is_enough_whatever_its_case(tmp_path: Path, path: str) -> None:
    check(tmp_path, path, True)


@pytest.mark.parametrize(
    "path", ["a.py", "secrets.py", ".storybook/main.ts", "node_modules/x/a.js", "dist/a.js", ".git/config"]
)
def test_code_is_open_and_so_is_what_is_only_not_indexed(tmp_path: Path, path: str) -> None:
    check(tmp_path, path, False)


def test_ignore_files_count_and_are_read_again(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("generated/\n*.local.py\n")
    (tmp_path / ".midfillignore").write_text("private.py\n!open.local.py\n")
    check(tmp_path, "generated/deep/a.py", True)
    check(tmp_path, "b/my.local.py", True)
    check(tmp_path, "private.py", True)
    check(tmp_path, "open.local.py", False)
    check(tmp_path, "a.py", False)
    (tmp_path / ".gitignore").unlink()
    check(tmp_path, "generated/deep/a.py", False)


def test_a_key_makes_any_text_private_as_long_as_it_is_there(tmp_path: Path) -> None:
    privacy, uri = privacy_of(tmp_path), (tmp_path / "notes.py").as_uri()
    for text, private in ((TEXT, False), (TEXT + KEY, True), (TEXT, False)):
        assert bool(asyncio.run(privacy.of(uri, text))) is private
        assert privacy.is_private(uri) is private


@pytest.mark.parametrize(
    ("uri", "private"),
    [
        ("untitled:Untitled-1", False),
        ("untitled:.env", True),
        ("untitled:/somewhere/Secrets.json", True),
        ("file:///elsewhere/a.py", False),
        ("file:///elsewhere/.env", True),
        ("file:///home/somebody/.ssh/config", True),
        ("vscode-vfs://github/a/b/.env", True),
    ],
)
def test_outside_of_the_workspace_name_and_text_decide(tmp_path: Path, uri: str, private: bool) -> None:
    (tmp_path / ".gitignore").write_text("*\n")
    assert bool(privacy_of(tmp_path).reason(uri, TEXT)) is private
    assert privacy_of(tmp_path).reason(uri, KEY)


def test_a_home_folder_is_nobodys_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("*\n")
    check(tmp_path, "a.py", False)
    check(tmp_path, ".env", True)


def test_a_link_is_what_it_leads_to(tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    (tmp_path / ".env").write_text(TEXT)
    os.symlink(tmp_path / ".env", workspace / "settings.py")
    check(workspace, "settings.py", True)
    os.symlink(workspace, tmp_path / "link")
    (workspace / ".gitignore").write_text("b.py\n")
    check(tmp_path / "link", "b.py", True)


def test_a_notebook_goes_by_its_file(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("scratch.ipynb\n")
    for name, private in (("scratch.ipynb", True), ("report.ipynb", False)):
        assert bool(privacy_of(tmp_path).reason(f"{(tmp_path / name).as_uri()}#python", TEXT)) is private


def test_the_workbench_offers_nothing_private_and_takes_back_what_becomes_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Workbench(privacy_of(tmp_path))
        main, secret, later = ((tmp_path / name).as_uri() for name in ("main.py", ".env", "later.py"))

        def shown() -> list[str]:
            items = bench.candidates(main, "area", 4)
            return [item.snippet.text for item in (*items["open"], *items["edited"])]

        pages = [Page(secret, ".env", "shellscript", 1, "AREA=1\n"), Page(later, "later.py", "python", 2, TEXT)]
        await bench.read(pages)
        assert shown() == [TEXT]
        bench.offer(main, [(1.0, item.snippet) for item in bench.candidates(main, "area", 4)["open"]])
        assert bench.present(main)
        await bench.read([Page(later, "later.py", "python", 3, TEXT + KEY)])  # typed, not saved
        assert shown() == []
        assert bench.present(main) == ()
        await bench.read([Page(later, "later.py", "python", 4, TEXT)])
        assert shown() == [TEXT]
        (tmp_path / ".gitignore").write_text("later.py\n")
        await bench.read([Page(later, "later.py", "python", 4, TEXT)])
        assert shown() == []

    asyncio.run(scenario())


def test_a_closed_document_is_private_by_what_is_on_the_disk(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench, file = Workbench(privacy_of(tmp_path)), tmp_path / "a.py"
        file.write_text(TEXT)
        await bench.read([Page(file.as_uri(), "a.py", "python", 1, TEXT)])
        bench.forget(file.as_uri())
        await bench.read([])
        assert bench.candidates("file:///main.py", "area", 4)["open"]
        file.write_text(TEXT + KEY)
        await bench.read([])
        assert not bench.candidates("file:///main.py", "area", 4)["open"]

    asyncio.run(scenario())
