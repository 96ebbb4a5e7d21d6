"""A server as what a suite is run on."""

import asyncio
from pathlib import Path

import pytest

from evals.engines import open_subject
from evals.report import EvalError
from tests.model.remote.server import SAYS, server_in_thread
from tests.model.remote.test_faults import prompt


async def _said(url: str, model: str) -> tuple[int | None, str]:
    async with open_subject("remote", model, "auto", url) as subject:
        answer = subject.engine.generate(prompt(), session="s")
        text = bytes([i async for delta in answer for i in delta.token_ids]).decode()
        return subject.rank_ms, text


def test_a_suite_can_be_run_against_a_server(tiny_cache: Path, tiny_model: Path) -> None:
    with server_in_thread() as (server, _):
        assert asyncio.run(_said(server.url, str(tiny_model))) == (0, SAYS)
        server.key = "right"
        with pytest.raises(EvalError, match="wants a key"):
            asyncio.run(_said(server.url, str(tiny_model)))


@pytest.mark.parametrize(("engine", "url"), [("remote", ""), ("midfill", "http://127.0.0.1:1")])
def test_a_server_and_its_address_go_together(engine: str, url: str) -> None:
    async def opened() -> None:
        async with open_subject(engine, "qwen2.5-coder-0.5b", "auto", url):
            pass

    with pytest.raises(EvalError, match="--engine remote goes with --url"):
        asyncio.run(opened())
