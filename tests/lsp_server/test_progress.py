"""Every progress that begins in the editor ends there, whatever the work comes to."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from lsprotocol import types as t
from pygls.exceptions import JsonRpcInternalError

from lsp_server.progress import ProgressReporter


class FakeEditor:
    """Stands in for the server: records what is sent to the editor's progress."""

    def __init__(self, *, supported: bool = True, refuses: bool = False) -> None:
        self.client_capabilities = t.ClientCapabilities(window=t.WindowClientCapabilities(work_done_progress=supported))
        self.work_done_progress = self
        self.sent: list[Any] = []
        self.created = asyncio.Event()
        self.answers = asyncio.Event()
        self._refuses = refuses

    async def create_async(self, token: str) -> None:
        self.created.set()
        await self.answers.wait()
        if self._refuses:
            raise JsonRpcInternalError

    def _send(self, token: str, value: Any) -> None:
        self.sent.append(value)

    begin = report = end = _send

    def kinds(self) -> list[str]:
        return [value.kind for value in self.sent]


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def body() -> None:
        async with asyncio.timeout(30):
            await scenario()

    asyncio.run(body())


async def begun(editor: FakeEditor, reporter: ProgressReporter) -> None:
    """Show some work until the editor has answered."""
    editor.answers.set()
    reporter.show("fetching", 0.1)
    await editor.created.wait()
    while not editor.sent:  # noqa: ASYNC110 (two turns of the loop)
        await asyncio.sleep(0)


def test_the_phases_are_one_progress_with_whole_per_cents() -> None:
    async def scenario() -> None:
        editor = FakeEditor()
        reporter = ProgressReporter(editor, "work")  # type: ignore[arg-type]
        await begun(editor, reporter)
        for fraction in (0.101, 0.102, 0.5):
            reporter.show("fetching", fraction)
        reporter.show("loading", None)
        reporter.end("ready")
        assert editor.kinds() == ["begin", "report", "report", "report", "end"]
        assert [value.percentage for value in editor.sent[1:4]] == [10, 50, None]

    run(scenario)


def test_a_failure_and_a_change_of_engine_end_the_progress() -> None:
    async def scenario() -> None:
        for finish in (lambda r: r.end("failed"), lambda r: r.end()):
            editor = FakeEditor()
            reporter = ProgressReporter(editor, "work")  # type: ignore[arg-type]
            await begun(editor, reporter)
            finish(reporter)
            finish(reporter)
            assert editor.kinds() == ["begin", "report", "end"]

    run(scenario)


def test_a_model_that_is_ready_before_the_editor_answers_shows_nothing() -> None:
    async def scenario() -> None:
        editor = FakeEditor()
        reporter = ProgressReporter(editor, "work")  # type: ignore[arg-type]
        reporter.show("loading", None)
        await editor.created.wait()
        reporter.end("ready")
        editor.answers.set()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
        assert editor.sent == []

    run(scenario)


def test_an_editor_that_declines_is_left_alone() -> None:
    async def scenario() -> None:
        for editor in (FakeEditor(refuses=True), FakeEditor(supported=False)):
            reporter = ProgressReporter(editor, "work")  # type: ignore[arg-type]
            editor.answers.set()
            reporter.show("loading", None)
            others = asyncio.all_tasks() - {asyncio.current_task()}
            assert await asyncio.gather(*others) in ([None], [])
            reporter.end("ready")
            assert editor.sent == []

    run(scenario)
