"""A team before a real `midfill serve` over its socket, with an engine that knows what they want."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import openai
import pytest
from rich.console import Console

from completion.types import Delta, EngineUnavailable, Outcome, Priority, Prompt
from evals.replay.history import Change, History
from evals.report import EvalError
from evals.typing.team import Level, TeamPlan, play, table_of, write_plot
from evals.typing.team_player import MIDDLE, PREFIX, SUFFIX, Asked, Server, prompt_of
from tests.lsp_server.serve.served import FakeClient, serving

LINE = "value = compute_everything(first, second)\n"
HISTORY = History("h", {"a.py": "x = 1\n"}, (Change("a.py", "x = 1\n", f"x = 1\n{LINE}"),))


def plan(n_typists: int) -> TeamPlan:
    return TeamPlan(url="", model="", typists=[n_typists], histories=[], n_keys=40, seed=0, speed=2.0)


class Knowing(FakeClient):
    """Says what the line goes on with, if it may, and as late as it may."""

    def __init__(self, *, waits: bool = False, after_s: float = 0.0) -> None:
        super().__init__()
        self._waits, self._after_s = waits, after_s

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        await asyncio.sleep(self._after_s)
        line = bytes(list(prompt.token_ids)).decode().rpartition(MIDDLE)[2]
        self.hangs = self._waits
        self.says = "" if self._waits or not LINE.startswith(line) else LINE.removeprefix(line)
        async for delta in super().generate(prompt, session=session, priority=priority):
            yield delta


def played(client: FakeClient, n_typists: int) -> Level:
    async def inside() -> Level:
        async with serving(client) as served:
            url = f"http://127.0.0.1:{served.port}/v1"
            async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as asking:
                return await play(Server(asking, "fake"), [HISTORY], n_typists, plan(n_typists))

    return asyncio.run(asyncio.wait_for(inside(), 120))


def test_what_a_team_gets_is_counted() -> None:
    figures = (level := played(Knowing(), 3)).figures()
    assert figures["n_wished"] == 3 * len(LINE)
    assert 0 < figures["completed"] < 1
    assert figures["failed"] == 0
    assert 0 < figures["ghost_p50_ms"] <= figures["ghost_p95_ms"]
    assert 0 < figures["cached"] < 1
    assert figures["n_requests"] == len(level.asked) < level.wished  # what is typed through asks nothing


def test_a_request_is_kept_while_what_is_typed_agrees_with_it() -> None:
    level = played(Knowing(after_s=0.4), 1)  # three keys come meanwhile
    figures = level.figures()
    assert figures["completed"] > 0
    assert figures["n_requests"] < level.wished / 2
    assert level.asked[0].outcome == "answered"


def test_what_says_something_else_than_is_typed_is_hung_up_on() -> None:
    class Wrong(Knowing):
        async def generate(
            self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
        ) -> AsyncIterator[Delta]:
            self.hangs, self.says = True, "@"
            async for delta in FakeClient.generate(self, prompt, session=session, priority=priority):
                yield delta

    level = played(client := Wrong(), 1)
    assert {each.outcome for each in level.asked} == {"cancelled"}
    assert client.n_ended == len(client.prompts) > 3


def test_a_server_that_is_too_slow_has_its_requests_closed() -> None:
    level = played(client := Knowing(waits=True), 2)
    assert (level.completed, {each.outcome for each in level.asked}) == (0, {"cancelled"})
    assert client.n_ended == len(client.prompts) > 0
    console = Console(record=True, width=160)
    console.print(table_of([(figures := level.figures())], "m"))
    assert figures["ghost_p50_ms"] is None
    assert "none" in console.export_text()


def test_a_server_that_refuses_all_is_an_error() -> None:
    client = Knowing()
    client.fails = EngineUnavailable("away", Outcome.NOT_READY)
    level = played(client, 1)
    assert {each.outcome for each in level.asked} == {"failed"}
    with pytest.raises(EvalError, match="answered none"):
        level.figures()


def test_typing_changes_the_end_of_the_prompt_alone() -> None:
    text = "".join(f"line {number}\n" for number in range(600)) + "foo = bar\nend\n"
    cursor = text.index("foo") + 3
    one, other = (prompt_of(text, cursor + more) for more in (0, 0))
    typed = prompt_of(text[:cursor] + "x" + text[cursor:], cursor + 1)
    assert (one, typed) == (other, one + "x")
    assert one.startswith(f"{PREFIX}line 384\n")
    assert one.endswith(f"{SUFFIX} = bar\nend\n{MIDDLE}foo")
    before = prompt_of("new\n" + text, cursor + 4)
    assert before.startswith(f"{PREFIX}line 383\n")


def test_the_table_and_the_plot_have_a_row_and_a_point_for_each_number(tmp_path: Path) -> None:
    asked = [Asked("answered", 20.0, 100, 60, 5), Asked("cancelled")]
    rows = [Level(n, 10.0, asked, 100, 25).figures() for n in (1, 4)] + [Level(16, 10.0, asked[1:], 9, 0).figures()]
    assert rows[0]["cached"] == 0.6
    assert rows[0]["cancelled"] == 0.5
    console = Console(record=True, width=120)
    console.print(table_of(rows, "m"))
    assert "25.0%" in console.export_text()
    path = write_plot(rows, "m", tmp_path / "team.jsonl", console)
    assert path is not None
    assert path.read_text().startswith("<?xml")
