"""The workbench follows documents, and offers their chunks to one another."""

import asyncio
from pathlib import Path

from completion.types import DocumentSnapshot, Snippet
from lsp_server.documents.store import Document
from lsp_server.index.write import IndexWriter
from lsp_server.workspace.privacy import Privacy
from lsp_server.workspace.repository import Repository
from lsp_server.workspace.workbench import Page, Workbench
from parsers.parse import parse

LIBRARY = "def area(width, height):\n    return width * height\n"
USER = "from library import area\n\nprint(area("


def page(name: str, text: str, n_edits: int = 1) -> Page:
    return Page(f"file:///w/{name}", name, "python", n_edits, text)


def saved(file: Path, text: str) -> Page:
    """The page of a file that is open, and on the disk as it is."""
    file.write_text(text)
    return Page(file.as_uri(), file.name, "python", Document(file.as_uri(), "python", 1, text).n_edits, text)


def offered(bench: Workbench, uri: str, text: str, source: str = "open") -> list[str]:
    return [item.snippet.text for item in bench.candidates(uri, text, len(text))[source]]


def snapshot_of(uri: str, text: str) -> DocumentSnapshot:
    return DocumentSnapshot(
        uri=uri, path="main.py", repo="w", version=1, text=text, language="python", tree=parse("python", text)
    )


def epoch(bench: Workbench, snapshot: DocumentSnapshot, repository: Repository | None) -> tuple[Snippet, ...]:
    """The set after an epoch in which one snippet is worth so much that what is new beside it is not."""
    sources = bench.propose(snapshot, len(snapshot.text), repository, ())
    ranked = [(1.0, each) for each in dict.fromkeys(item.snippet for found in sources.values() for item in found)]
    bench.offer(snapshot.uri, [(1_000.0, Snippet(path="big.py", text="big = 1\n")), *ranked])
    return bench.present(snapshot.uri) or ()


def test_an_open_file_is_offered_to_another_one() -> None:
    async def scenario() -> None:
        bench = Workbench(Privacy(list))
        await bench.read([page("library.py", LIBRARY), page("main.py", USER)])
        assert offered(bench, "file:///w/main.py", USER) == [LIBRARY]  # its own text is not offered to it
        edited = LIBRARY.replace("area", "surface")
        await bench.read([page("library.py", edited, n_edits=2)])
        assert offered(bench, "file:///w/main.py", USER) == [edited]

    asyncio.run(scenario())


def test_what_was_edited_last_comes_first_and_what_was_taken_back_is_gone() -> None:
    async def scenario() -> None:
        bench = Workbench(Privacy(list))
        await bench.read([page("a.py", "one = 1\n"), page("b.py", "two = 2\n"), page("main.py", USER)])
        assert offered(bench, "file:///w/main.py", USER, "edited") == []
        await bench.read([page("a.py", "one = 11\n", n_edits=2)])
        await bench.read([page("b.py", "two = 22\n", n_edits=2)])
        assert offered(bench, "file:///w/main.py", USER, "edited") == ["two = 22\n", "one = 11\n"]
        assert offered(bench, "file:///w/b.py", USER, "edited") == ["one = 11\n"]
        await bench.read([page("b.py", "two = 2\n", n_edits=3)])
        assert "two = 22\n" not in offered(bench, "file:///w/main.py", USER, "edited")

    asyncio.run(scenario())


def test_a_document_has_the_set_of_its_last_epoch() -> None:
    bench = Workbench(Privacy(list))
    assert bench.present("file:///w/main.py") is None
    one = Snippet(path="a.py", text="one")
    assert bench.offer("file:///w/main.py", [(1.0, one)])
    assert not bench.offer("file:///w/main.py", [(1.0, one)])
    assert bench.present("file:///w/main.py") == (one,)
    bench.forget("file:///w/main.py")
    assert bench.present("file:///w/main.py") is None


def test_what_was_just_written_in_another_file_is_shown_at_the_next_epoch() -> None:
    """Where all others are as they were, it alone would not be worth a new set."""
    main = page("main.py", USER)
    snapshot = snapshot_of(main.uri, USER)

    async def scenario() -> None:
        bench = Workbench(Privacy(list))
        await bench.read([main])
        assert len(epoch(bench, snapshot, None)) == 1
        await bench.read([main, page("a.py", "one = 1\n")])
        assert len(epoch(bench, snapshot, None)) == 1, "opened, not edited"
        await bench.read([main, page("a.py", "one = 11\n", n_edits=2)])
        assert [each.text for each in epoch(bench, snapshot, None)] == ["big = 1\n", "one = 11\n"]

    asyncio.run(scenario())


def test_a_closed_file_stays_a_source_and_old_ones_are_forgotten(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Workbench(Privacy(list))
        for n in range(60):
            file = tmp_path / f"{n}.py"
            await bench.read([saved(file, f"value_{n} = 1\n")])
            bench.visit(file.as_uri())
            bench.forget(file.as_uri())
        await bench.read([])
        texts = offered(bench, "file:///w/main.py", "value_59 value_1 ")
        assert texts[0] == "value_59 = 1\n"
        assert len(texts) == 25
        assert "value_1 = 1\n" not in texts

    asyncio.run(scenario())


def test_a_closed_file_is_what_the_disk_has_and_what_was_never_saved_is_gone(tmp_path: Path) -> None:
    file, unsaved = tmp_path / "library.py", "file:///nowhere/new.py"

    async def scenario() -> None:
        bench = Workbench(Privacy(list))
        await bench.read([saved(file, LIBRARY), Page(unsaved, "new.py", "python", 1, "area = 1\n")])
        edited = LIBRARY.replace("area", "surface")
        await bench.read([Page(file.as_uri(), "library.py", "python", 2, edited)])
        bench.forget(file.as_uri())
        bench.forget(unsaved)
        assert offered(bench, "file:///w/main.py", USER) == []  # nobody has looked at the disk yet
        await bench.read([])
        assert offered(bench, "file:///w/main.py", USER) == [LIBRARY]
        assert offered(bench, "file:///w/main.py", USER, "edited") == []
        file.write_text("def area(depth):\n    return depth\n")
        assert offered(bench, "file:///w/main.py", USER) == []
        await bench.read([])
        assert offered(bench, "file:///w/main.py", USER) == ["def area(depth):\n    return depth\n"]
        file.unlink()
        await bench.read([])
        assert offered(bench, "file:///w/main.py", USER) == []

    asyncio.run(scenario())


def test_a_document_that_is_opened_again_is_read_again_whatever_its_version(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Workbench(Privacy(list))
        for text in ("area = 1\n", "area = 2\n", "area = 3\n"):  # each is the first version of a document
            document = Document("file:///w/a.py", "python", 1, text)
            await bench.read([Page(document.uri, "a.py", "python", document.n_edits, document.text)])
            assert offered(bench, "file:///w/main.py", USER) == [text]
            bench.forget("file:///w/a.py")

    asyncio.run(scenario())


def test_a_document_that_is_closed_while_it_is_read_is_closed() -> None:
    async def scenario() -> None:
        bench = Workbench(Privacy(list))
        reading = asyncio.create_task(bench.read([page("a.py", "area = 1\n")]))
        await asyncio.sleep(0)
        bench.forget("file:///w/a.py")
        await reading
        assert offered(bench, "file:///w/main.py", USER) == []

    asyncio.run(scenario())


def test_a_document_that_grows_too_large_is_offered_no_more() -> None:
    async def scenario() -> None:
        bench = Workbench(Privacy(list))
        await bench.read([page("a.py", "area = 1\n")])
        await bench.read([page("a.py", "area = 1\n" * 50_000, n_edits=2)])
        assert offered(bench, "file:///w/main.py", USER) == []

    asyncio.run(scenario())


def test_one_snippet_that_no_file_says_any_more_ends_a_set(tmp_path: Path, tiny_cache: Path) -> None:
    """Where all others are as they were, the new ones alone would not be worth it."""
    functions = [f"def area_{n}(width, height):\n    return width * height + {n}\n" for n in range(12)]
    library, text = tmp_path / "library.py", "from library import *\n\nprint(area_1, area_2, area_3, area_4(1, "
    library.write_text("\n\n".join(functions))
    snapshot = snapshot_of((tmp_path / "main.py").as_uri(), text)

    def shown(snippets: tuple[Snippet, ...]) -> str:
        return "".join(snippet.text for snippet in snippets)

    bench, repository, writer = Workbench(Privacy(list)), Repository.open(tmp_path), IndexWriter(tmp_path)
    writer.sync(lambda progress: None)
    first = epoch(bench, snapshot, repository)
    assert functions[4] in shown(first)
    assert epoch(bench, snapshot, repository) == first
    (tmp_path / "other.py").write_text("nothing = 1\n")
    library.write_text("\n\n".join(functions).replace("def area_4(width, height)", "def area_4(depth)"))
    writer.sync(lambda progress: None)
    second = epoch(bench, snapshot, repository)
    assert "def area_4(depth)" in shown(second)
    assert "def area_4(width, height)" not in shown(second)
    library.unlink()
    writer.sync(lambda progress: None)
    assert shown(epoch(bench, snapshot, repository)) == "big = 1\n"
    repository.close()
    writer.close()
