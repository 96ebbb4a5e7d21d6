"""The one question whether a larger model is wanted, and what comes of its answers."""

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lsprotocol import types as t

from lsp_server.config import Config
from lsp_server.engine import auto, larger, machine
from lsp_server.engine.larger import CAN_ASK, LargerModel
from model.library.catalog import CATALOG, resolve
from model.library.machine_fit import Machine

SMALL, LARGE = CATALOG[0], CATALOG[1]
FAST = Machine(model_id=resolve(SMALL.name).model_id, n_threads=8, kernels="avx2", tokens_per_s=3_000.0)
YES = "Fetch 1.1 GB"


@pytest.fixture(autouse=True)
def _fast_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path))
    monkeypatch.setattr(auto.psutil, "virtual_memory", lambda: SimpleNamespace(total=16e9))
    machine.remember(Config(), FAST)


class Window:
    """An editor whose user gives an answer, and what it was told."""

    def __init__(self, answer: str | None = None, *, can_ask: bool = True) -> None:
        self.asked: list[t.ShowMessageRequestParams] = []
        self.told: list[str] = []
        self.n_begun_anew = 0
        self.shown: list[tuple[str | None, int | None]] = []  # of the progress
        self.client_capabilities = t.ClientCapabilities(
            experimental={CAN_ASK: True} if can_ask else None,
            window=t.WindowClientCapabilities(work_done_progress=True),
        )
        self._answer = answer
        self.work_done_progress = SimpleNamespace(
            create_async=self._create,
            begin=lambda token, value: None,
            report=self._report,
            end=lambda token, value: None,
        )

    async def window_show_message_request_async(self, params: t.ShowMessageRequestParams) -> t.MessageActionItem | None:
        self.asked.append(params)
        return None if self._answer is None else t.MessageActionItem(title=self._answer)

    async def _create(self, token: str) -> None:
        pass

    def _report(self, token: str, value: t.WorkDoneProgressReport) -> None:
        self.shown.append((value.message, value.percentage))


def offer(window: Window, config: Config | None = None, *, stopping: bool = False) -> None:
    """A pause in a window, and then its end."""

    async def use() -> None:
        window.n_begun_anew += 1

    async def scenario() -> None:
        model = LargerModel(
            window,  # type: ignore[arg-type]
            config=lambda: config or Config(),
            show_message=lambda kind, text: window.told.append(text),
            use=use,
        )
        model.consider()
        model.consider()
        if model._task is not None and not stopping:
            await asyncio.wait_for(model._task, 60)
        await asyncio.sleep(0.3 if stopping else 0)
        await asyncio.wait_for(model.stop(), 20)

    asyncio.run(scenario())


def pulling(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(larger, "_COMMAND", (sys.executable, "-c", script))


def test_it_is_asked_once_with_the_size_and_a_no_is_a_no() -> None:
    window = Window("No")
    offer(window)
    (asked,) = window.asked
    assert LARGE.name in asked.message
    assert [action.title for action in asked.actions or ()] == [YES, "No"]
    again = Window("No")
    offer(again)
    assert (window.n_begun_anew, window.told, again.asked) == (0, [], [])


def test_a_question_that_is_closed_is_answered_too() -> None:
    offer(Window(None))
    again = Window(YES)
    offer(again)
    assert again.asked == []


def test_an_editor_whose_questions_take_the_keys_is_told_instead() -> None:
    window = Window(can_ask=False)
    offer(window)
    assert window.asked == []
    (told,) = window.told
    assert f"`midfill model pull {LARGE.name}` fetches it (1.1 GB)" in told
    again = Window(can_ask=False)
    offer(again)
    assert again.told == []


@pytest.mark.parametrize(
    "config",
    [Config(model=SMALL.name), Config(enabled=False), Config(engine=Config().engine.__class__(url="http://a:1"))],
    ids=["a model is set", "switched off", "a server answers"],
)
def test_who_has_chosen_is_not_asked(config: Config) -> None:
    window = Window("No")
    offer(window, config)
    assert (window.asked, window.told) == ([], [])


def test_what_is_there_is_used_and_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(larger, "is_here", lambda row: True)
    window = Window("No")
    offer(window)
    assert window.asked == []


def test_a_slow_machine_is_not_asked() -> None:
    machine.forget()
    machine.remember(Config(), Machine(model_id=FAST.model_id, n_threads=2, kernels="avx2", tokens_per_s=200.0))
    window = Window("No")
    offer(window)
    assert window.asked == []


def test_after_a_yes_it_is_fetched_with_progress_and_then_used(monkeypatch: pytest.MonkeyPatch) -> None:
    pulling(
        monkeypatch,
        "import json, sys, time\n"
        f"assert sys.argv[1:] == ['{LARGE.name}'], sys.argv\n"
        "for done in (.1, .6):\n"
        "    print(json.dumps({'message': 'fetching', 'fraction': done}), flush=True)\n"
        "    time.sleep(.05)\n",
    )
    window = Window(YES)
    offer(window)
    assert window.n_begun_anew == 1
    assert window.told == []
    assert ("fetching", 60) in window.shown


def test_what_fails_is_said_and_all_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pulling(monkeypatch, "import sys; sys.stderr.write('x\\nmidfill: the disk is full\\n'); sys.exit(1)")
    window = Window(YES)
    offer(window)
    assert window.n_begun_anew == 0
    assert window.told == [f"midfill: {LARGE.name} was not fetched: the disk is full"]


def test_a_window_that_closes_ends_what_it_fetches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = tmp_path / "note"
    pulling(monkeypatch, f"import pathlib, time; time.sleep(20); pathlib.Path({str(note)!r}).touch()")
    window = Window(YES)
    offer(window, stopping=True)
    assert (window.n_begun_anew, window.told) == (0, [])
    assert not note.exists()


def test_where_it_cannot_be_kept_that_it_was_asked_it_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(larger, "write_record", full)
    window = Window("No")
    offer(window)
    assert window.asked == []
