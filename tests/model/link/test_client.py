"""The client of a real daemon with a tiny model: what it does when the daemon leaves, or another request comes."""

import asyncio
from array import array
from pathlib import Path

import pytest

from completion.types import EngineUnavailable, Format, Outcome, Priority, Prompt
from model.library.system import try_lock
from model.link.client import EngineClient, EngineState, Phase
from model.link.spawn import EngineSettings, socket_path

pytestmark = pytest.mark.e2e


def _prompt(n_tokens: int, max_tokens: int) -> Prompt:
    ids = array("I", [number % 250 for number in range(n_tokens)])
    return Prompt(token_ids=ids, heal=b"", stop_token_ids=(), max_tokens=max_tokens, format=Format.LEFT)


class Watched:
    """A running client, and the phases it went through."""

    def __init__(self, model: Path) -> None:
        self.settings = EngineSettings(model=str(model), idle="always")
        self.phases: list[Phase] = []
        self._changed = asyncio.Event()
        self.client = EngineClient(self.settings, self._note)

    def _note(self, state: EngineState) -> None:
        self.phases.append(state.phase)
        self._changed.set()

    async def until(self, phase: Phase) -> None:
        while self.client.state.phase is not phase:
            self._changed.clear()
            await self._changed.wait()

    async def __aenter__(self) -> "Watched":
        self._running = asyncio.create_task(self.client.run())
        return self

    async def __aexit__(self, *raised: object) -> None:
        self._running.cancel()
        await asyncio.wait([self._running])
        await self.client.close()


def test_who_asks_while_a_model_process_leaves_gets_the_next_one(ready_cache: Path, tiny_model: Path) -> None:
    """One that leaves has its lock until it has left, and answers nobody: what is started meanwhile ends at once."""

    async def scenario() -> None:
        watched = Watched(tiny_model)
        with socket_path(watched.settings).with_suffix(".lock").open("ab") as lock:
            assert try_lock(lock)
            async with watched:
                await watched._changed.wait()  # it says that it starts one
                process = watched.client._process
                assert process is not None
                assert await asyncio.to_thread(process.wait) == 0
                lock.close()
                await watched.until(Phase.READY)
        assert Phase.DOWN not in watched.phases

    asyncio.run(asyncio.wait_for(scenario(), 120))


def test_a_request_that_a_stopped_model_process_left_unanswered_starts_the_next_one(
    ready_cache: Path, tiny_model: Path
) -> None:
    async def scenario() -> None:
        async with Watched(tiny_model) as watched:
            await watched.until(Phase.READY)
            asked = watched.client.generate(_prompt(50, 3_000), session="s")
            while not (await anext(asked)).token_ids:
                pass
            assert await EngineClient.stop_daemon(socket_path(watched.settings))
            with pytest.raises(EngineUnavailable):
                async for _ in asked:
                    pass
            await watched.until(Phase.READY)
            assert Phase.ASLEEP in watched.phases
            assert Phase.DOWN not in watched.phases

    asyncio.run(asyncio.wait_for(scenario(), 120))


def test_another_store_than_the_newest_is_read_when_the_process_names_it(tiny_cache: Path, tiny_model: Path) -> None:
    async def scenario() -> None:
        async with Watched(tiny_model) as watched:
            await watched.until(Phase.READY)
            await EngineClient.stop_daemon(socket_path(watched.settings))
        (store,) = tiny_cache.glob("stores/*")
        other = store.with_name(store.name.replace("int4", "int8"))
        other.mkdir()
        for name in ("manifest.json", "tokenizer.json", "special_tokens.json"):  # complete for `newest_store` alone
            (other / name).write_text("{}")
        async with Watched(tiny_model) as watched:
            await watched.until(Phase.READY)
            assert Phase.DOWN not in watched.phases
            assert watched.client.loaded is not None
            assert watched.client.loaded.tokenizer.encode("x")

    asyncio.run(asyncio.wait_for(scenario(), 120))


def test_a_callback_that_raises_does_not_end_the_client(
    ready_cache: Path, tiny_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        class Failing(Watched):
            def _note(self, state: EngineState) -> None:
                super()._note(state)
                raise KeyError("a bug in the server")

        async with Failing(tiny_model) as watched:
            await watched.until(Phase.READY)

    asyncio.run(asyncio.wait_for(scenario(), 120))
    assert "could not be told" in caplog.text


def test_a_generation_that_another_request_ends_is_no_answer(ready_cache: Path, tiny_model: Path) -> None:
    """What came of it until then is not taken for the whole: it would be shown, and remembered."""

    async def scenario() -> None:
        client = EngineClient(EngineSettings(model=str(tiny_model), idle="always"), lambda state: None)
        running = asyncio.create_task(client.run())
        while client.state.phase is not Phase.READY:
            assert client.state.phase is not Phase.FAILED, client.state.message
            await asyncio.sleep(0.02)
        ahead = client.generate(_prompt(50, 3_000), session="s", priority=Priority.NEXT)
        while not (await anext(ahead)).token_ids:
            pass
        n_now = sum([len(delta.token_ids) async for delta in client.generate(_prompt(60, 2), session="s")])
        assert n_now == 2
        with pytest.raises(EngineUnavailable) as ended:
            async for _ in ahead:
                pass
        assert ended.value.outcome is Outcome.STALE
        running.cancel()
        await asyncio.wait([running])
        await client.close()

    asyncio.run(asyncio.wait_for(scenario(), 120))
