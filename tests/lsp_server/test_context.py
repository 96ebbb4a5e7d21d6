"""The workbench follows documents, and offers their chunks to one another."""

import asyncio

from completion.types import Snippet
from lsp_server.context import Page, Workbench

LIBRARY = "def area(width, height):\n    return width * height\n"
USER = "from library import area\n\nprint(area("


def page(name: str, text: str, version: int = 1) -> Page:
    return Page(f"file:///w/{name}", name, "python", version, text)


def offered(bench: Workbench, uri: str, text: str, source: str = "open") -> list[str]:
    return [item.snippet.text for item in bench.candidates(uri, text, len(text))[source]]


def test_an_open_file_is_offered_to_another_one() -> None:
    async def scenario() -> None:
        bench = Workbench()
        await bench.read([page("library.py", LIBRARY), page("main.py", USER)])
        assert offered(bench, "file:///w/main.py", USER) == [LIBRARY]  # its own text is not offered to it
        edited = LIBRARY.replace("area", "surface")
        await bench.read([page("library.py", edited, version=2)])
        assert offered(bench, "file:///w/main.py", USER) == [edited]

    asyncio.run(scenario())


def test_what_was_edited_last_comes_first_and_what_was_taken_back_is_gone() -> None:
    async def scenario() -> None:
        bench = Workbench()
        await bench.read([page("a.py", "one = 1\n"), page("b.py", "two = 2\n"), page("main.py", USER)])
        assert offered(bench, "file:///w/main.py", USER, "edited") == []
        await bench.read([page("a.py", "one = 11\n", version=2)])
        await bench.read([page("b.py", "two = 22\n", version=2)])
        assert offered(bench, "file:///w/main.py", USER, "edited") == ["two = 22\n", "one = 11\n"]
        assert offered(bench, "file:///w/b.py", USER, "edited") == ["one = 11\n"]
        await bench.read([page("b.py", "two = 2\n", version=3)])
        assert "two = 22\n" not in offered(bench, "file:///w/main.py", USER, "edited")

    asyncio.run(scenario())


def test_a_document_has_the_set_of_its_last_epoch() -> None:
    bench = Workbench()
    assert bench.present("file:///w/main.py") is None
    one = Snippet(path="a.py", text="one")
    assert bench.offer("file:///w/main.py", [(1.0, one)])
    assert not bench.offer("file:///w/main.py", [(1.0, one)])
    assert bench.present("file:///w/main.py") == (one,)
    bench.forget("file:///w/main.py")
    assert bench.present("file:///w/main.py") is None


def test_a_closed_file_stays_a_source_and_old_ones_are_forgotten() -> None:
    async def scenario() -> None:
        bench = Workbench()
        for n in range(60):
            await bench.read([page(f"{n}.py", f"value_{n} = 1\n")])
            bench.visit(f"file:///w/{n}.py")
            bench.forget(f"file:///w/{n}.py")
        texts = offered(bench, "file:///w/main.py", "value_59 value_1 ")
        assert texts[0] == "value_59 = 1\n"
        assert len(texts) == 25
        assert "value_1 = 1\n" not in texts

    asyncio.run(scenario())
