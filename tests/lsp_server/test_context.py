"""The workbench follows documents, and offers their chunks to one another."""

import asyncio

from lsp_server.context import Page, Workbench

LIBRARY = "def area(width, height):\n    return width * height\n"
USER = "from library import area\n\nprint(area("


def page(name: str, text: str, version: int = 1) -> Page:
    return Page(f"file:///w/{name}", name, "python", version, text)


def test_an_open_file_is_offered_to_another_one() -> None:
    async def scenario() -> None:
        bench = Workbench()
        await bench.read([page("library.py", LIBRARY), page("main.py", USER)])
        bench.visit("file:///w/library.py")
        bench.visit("file:///w/main.py")
        assert bench.present("file:///w/main.py") is None
        assert await bench.epoch("file:///w/main.py", USER, len(USER), room=1000)
        (snippet,) = bench.present("file:///w/main.py") or ()
        assert (snippet.path, snippet.text) == ("library.py", LIBRARY)  # its own text is not offered to it
        assert not await bench.epoch("file:///w/main.py", USER, len(USER), room=1000)
        edited = LIBRARY.replace("area", "surface")
        await bench.read([page("library.py", edited, version=2)])
        assert await bench.epoch("file:///w/main.py", USER, len(USER), room=1000)
        assert (bench.present("file:///w/main.py") or ())[0].text == edited

    asyncio.run(scenario())


def test_what_does_not_fit_is_not_offered() -> None:
    async def scenario() -> None:
        bench = Workbench()
        await bench.read([page(f"{n}.py", f"value_{n} = 1\n" * 90) for n in range(9)])
        await bench.epoch("file:///w/main.py", "", 0, room=700)
        snippets = bench.present("file:///w/main.py") or ()
        assert 1 <= len(snippets) <= 3
        assert not await bench.epoch("file:///w/other.py", "", 0, room=0)
        assert bench.present("file:///w/other.py") is None

    asyncio.run(scenario())


def test_a_closed_file_stays_a_source_and_old_ones_are_forgotten() -> None:
    async def scenario() -> None:
        bench = Workbench()
        for n in range(60):
            await bench.read([page(f"{n}.py", f"value_{n} = 1\n")])
            bench.visit(f"file:///w/{n}.py")
            bench.forget(f"file:///w/{n}.py")
        await bench.epoch("file:///w/main.py", "value_59 value_1 ", 9, room=4000)
        snippets = bench.present("file:///w/main.py") or ()
        assert snippets[0].text == "value_59 = 1\n"
        assert len(snippets) == 25
        assert all(snippet.path != "1.py" for snippet in snippets)

    asyncio.run(scenario())
