"""The client of a real daemon with a tiny model: how a generation ends that is not let to its end."""

import asyncio
from array import array
from pathlib import Path

import pytest

from completion.types import EngineUnavailable, Format, Outcome, Priority, Prompt
from model.client import EngineClient, Phase
from model.spawn import EngineSettings

pytestmark = pytest.mark.e2e


def _prompt(n_tokens: int, max_tokens: int) -> Prompt:
    ids = array("I", [number % 250 for number in range(n_tokens)])
    return Prompt(token_ids=ids, heal=b"", stop_token_ids=(), max_tokens=max_tokens, format=Format.LEFT)


def test_a_generation_that_another_request_ends_is_no_answer(tiny_cache: Path, tiny_model: Path) -> None:
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
