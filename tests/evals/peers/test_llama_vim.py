"""The peer's client behaves as llama.vim does: caches, waits for the running request, speculates, keeps a ring."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

from evals.peers.llama_vim import LlamaVim, VimSettings

FILE = "".join(f"line_{number} = {number}\n" for number in range(60))


class FakeServer:
    """An HTTP server that answers every completion with `says`, when `go` is set; remembers the requests."""

    def __init__(self, says: str) -> None:
        self.says = says
        self.requests: list[dict[str, Any]] = []
        self.go = asyncio.Event()
        self.go.set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("Content-Length"))
        self.requests.append({"path": head.split()[1], **json.loads(await reader.readexactly(length))})
        await self.go.wait()
        body = json.dumps({"content": self.says, "timings": {"prompt_n": 7}}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in (body[:5], body[5:]):
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
        writer.write(b"0\r\n\r\n")
        writer.close()


def play(scenario: Callable[[LlamaVim, FakeServer, list[bool]], Awaitable[None]], says: str, **settings: Any) -> None:
    async def body() -> None:
        fake, shown = FakeServer(says), []
        server = await asyncio.start_server(fake.handle, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        vim = LlamaVim(f"http://127.0.0.1:{port}", VimSettings(**settings), random.Random(0), shown.append)
        await scenario(vim, fake, shown)
        vim.close()
        server.close()

    asyncio.run(asyncio.wait_for(body(), 20))


def test_the_current_line_stands_behind_the_middle_and_what_follows_is_asked_for_too() -> None:
    async def scenario(vim: LlamaVim, fake: FakeServer, shown: list[bool]) -> None:
        text = "a = 1\nb = \nc = 3\n"
        vim.enter("f.py", text, 0)
        vim.move(text, 10)
        await vim.settle()
        first, following = fake.requests
        assert first["prompt"].endswith("<|fim_prefix|>a = 1\n<|fim_suffix|>\nc = 3\n\n<|fim_middle|>b = ")
        assert following["prompt"].endswith("<|fim_prefix|>a = 1\n<|fim_suffix|>\nc = 3\n\n<|fim_middle|>b = compute")
        assert (first["t_max_predict_ms"], following["t_max_predict_ms"]) == (250, 1000)
        assert shown[0] is False
        assert vim.n_prompt_tokens == 14

    play(scenario, "compute")


def test_what_is_typed_through_is_shown_from_the_cache_without_a_request() -> None:
    async def scenario(vim: LlamaVim, fake: FakeServer, shown: list[bool]) -> None:
        vim.move("b = \n", 4)
        await vim.settle()
        n = len(fake.requests)
        shown.clear()
        vim.move("b = comp\n", 8)
        assert shown == [True]
        await vim.settle()
        assert len(fake.requests) > n  # the server is asked all the same

    play(scenario, "compute")


def test_a_request_waits_for_the_running_one_and_comes_after_a_tenth_of_a_second() -> None:
    async def scenario(vim: LlamaVim, fake: FakeServer, shown: list[bool]) -> None:
        fake.go.clear()
        vim.move("b = \n", 4)
        vim.move("b = x\n", 5)
        await asyncio.sleep(0.25)
        assert len(fake.requests) == 1
        fake.go.set()
        await asyncio.sleep(0.4)
        assert [request["prompt"].rpartition(">")[2] for request in fake.requests] == ["b = ", "b = x"]

    play(scenario, "")


def test_a_place_with_much_text_to_the_right_is_not_asked_about() -> None:
    async def scenario(vim: LlamaVim, fake: FakeServer, shown: list[bool]) -> None:
        skipped = []
        vim.on_skipped = lambda: skipped.append(1)
        vim.move("call(argument_number_one)\n", 5)
        await asyncio.sleep(0.1)
        assert (skipped, fake.requests) == ([1], [])

    play(scenario, "x")


def test_the_ring_takes_visited_chunks_and_stays_within_its_size() -> None:
    async def scenario(vim: LlamaVim, fake: FakeServer, shown: list[bool]) -> None:
        for number in range(8):
            vim.pick_whole(f"{number}.py", FILE.replace("line", f"other{number}_{number}"), 1)
        await vim.fill_ring()
        assert vim.ring_missing == 0
        assert len(fake.requests) == 8
        assert all(request["n_predict"] == 0 for request in fake.requests)
        assert fake.requests[-1]["prompt"].count("<|file_sep|>") == 4 + 1
        assert (vim.n_ahead_tokens, vim.n_prompt_tokens) == (56, 0)
        vim.move("x = \n", 4)
        await vim.settle()
        assert "<|file_sep|>7.py\n" in fake.requests[-1]["prompt"]

    play(scenario, "", ring_n_chunks=4)


def test_chunks_like_the_place_that_is_edited_are_left_out() -> None:
    async def scenario(vim: LlamaVim, fake: FakeServer, shown: list[bool]) -> None:
        vim.pick_whole("copy.py", FILE, 1)
        await vim.fill_ring()
        vim.move(FILE, len(FILE))
        await vim.settle()
        assert "copy.py" not in fake.requests[-1]["prompt"]

    play(scenario, "", ring_n_chunks=4)


def test_infill_sends_what_the_plugin_sends() -> None:
    async def scenario(vim: LlamaVim, fake: FakeServer, shown: list[bool]) -> None:
        vim.move("a = 1\nb = \nc = 3\n", 10)
        await vim.settle()
        request = fake.requests[0]
        assert request["path"] == "/infill"
        assert (request["input_prefix"], request["prompt"]) == ("a = 1\n", "b = ")
        assert request["input_suffix"] == "\nc = 3\n\n"

    play(scenario, "", infill=True)
