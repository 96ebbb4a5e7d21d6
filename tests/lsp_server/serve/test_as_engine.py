"""midfill before another midfill's `midfill serve`: nothing is lost on the way but scoring."""

import asyncio

from completion.types import Delta
from tests.lsp_server.serve.served import FakeClient, serving
from tests.model.remote.test_faults import client_of, prompt


def test_another_midfill_is_asked_as_the_own_model_process_is() -> None:
    async def test() -> tuple[str, list[Delta], FakeClient]:
        asked = prompt("def f(a):\n   ", heal=" ret")
        async with (
            asyncio.timeout(60),
            serving(client := FakeClient("urn a\nb = 1\n", could=-0.25)) as served,
            client_of(f"http://127.0.0.1:{served.port}", kind="auto") as engine,
        ):
            found = [delta async for delta in engine.generate(asked, session="s") if delta.token_ids]
            return engine.describe(), found, client

    told, found, client = asyncio.run(test())
    assert "openai with fake" in told
    assert "prompts as token ids; log-probabilities; begins with what is typed" in told
    assert (client.prompts[-1].heal, bytes(list(client.prompts[-1].token_ids))) == (b" ret", b"def f(a):\n   ")
    assert bytes(i for delta in found for i in delta.token_ids) == b" return a\n", "to the end of the line, with it"
    assert {delta.logprobs for delta in found} == {(-0.5,)}
    assert [delta.spelled for delta in found] == [-0.25] * 4 + [0.0] * 6
