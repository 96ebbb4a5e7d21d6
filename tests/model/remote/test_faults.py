"""Whatever a server does, each request ends with text or a sentence, and nothing hangs."""

import asyncio
import json
import shutil
import ssl
import subprocess
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from completion.types import EngineUnavailable, Format, Outcome, Prompt
from model.link.client import EngineState, Phase
from model.remote.client import RemoteClient
from model.remote.settings import RemoteSettings
from tests.model.remote.server import SAYS, Call, ModelServer, model_server, well

# What a server may take that is not meant to be slow, and one that is.
_TIMEOUT_S, _SHORT_S = 20.0, 1.5


def prompt(text: str = "def add(a, b):\n    ret", heal: str = "", **changes: Any) -> Prompt:
    ids = array("I", list(text.encode()))
    return Prompt(
        token_ids=ids,
        heal=heal.encode(),
        stop_token_ids=tuple(range(256, 262)),
        format=Format.LEFT,
        **{"max_tokens": 40, "line_only": True, **changes},
    )


@asynccontextmanager
async def client_of(
    url: str, *, phases: tuple[Phase, ...] = (Phase.READY,), **settings: Any
) -> AsyncIterator[RemoteClient]:
    """A running client that has come to one of the phases."""
    states: asyncio.Queue[EngineState] = asyncio.Queue()
    settings = {"kind": "llamacpp", "timeout_s": _TIMEOUT_S, "tokenizer_of": "qwen2.5-coder-7b", **settings}
    client = RemoteClient(RemoteSettings(url=url, **settings), states.put_nowait)
    task = asyncio.create_task(client.run())
    try:
        async with asyncio.timeout(20):
            while (await states.get()).phase not in phases:
                pass
        yield client
    finally:
        task.cancel()
        await asyncio.wait([task])


async def said(client: RemoteClient, asked: Prompt | None = None) -> str:
    """The text that a generation says."""
    text = b""
    async for delta in client.generate(asked or prompt(), session="s"):
        text += bytes(i for i in delta.token_ids if i < 256)
    return text.decode()


def run(test: Callable[[ModelServer], Any]) -> None:
    """Run a test with a server, and in time."""

    async def whole() -> None:
        async with asyncio.timeout(60), model_server() as server:
            await test(server)

    asyncio.run(whole())


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something to hold."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.01)


async def problem_of(client: RemoteClient) -> EngineUnavailable:
    with pytest.raises(EngineUnavailable) as caught:
        await said(client)
    return caught.value


def test_a_good_server_answers_by_token_ids_and_is_asked_once() -> None:
    async def test(server: ModelServer) -> None:
        async with client_of(server.url) as client:
            assert client.loaded is not None
            assert await asyncio.to_thread(client.loaded.tokenizer.encode, "def") == list(b"def")
            assert (client.loaded.spec.fim_prefix, client.loaded.context_tokens) == (259, 4_096)
            n_before = len(server.calls)
            assert await said(client) == SAYS
            assert len(server.calls) == n_before + 1
            body = server.calls[-1].body
            assert body["prompt"] == list(b"def add(a, b):\n    ret")
            assert (body["stop"], body["cache_prompt"], body["temperature"]) == (["\n"], True, 0.0)

    run(test)


def _status(status: int, body: Any = b"", **headers: str) -> Callable[[Call], Any]:
    async def behave(call: Call) -> None:
        await call.answer(body, status, **headers)

    return behave


async def _half_closed(call: Call) -> None:
    await call.head()
    await call.tokens(b"ur")


async def _cut_off(call: Call) -> None:
    await call.head(Content_Length="5000")
    await call.tokens(b"ur")


async def _garbage(call: Call) -> None:
    await call.head()
    await call.send(b'data: {"stop": false, "completion_probabilities": [{"id": "x"}]}\n\n')
    await asyncio.sleep(60)


async def _binary(call: Call) -> None:
    await call.head()
    await call.send(b"data: " + bytes(range(256)) * 40 + b"\n")
    await asyncio.sleep(60)


async def _no_http(call: Call) -> None:
    await call.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    await asyncio.sleep(60)


async def _endless_tokens(call: Call) -> None:
    await call.head()
    while True:
        await call.tokens(b"x" * 50)
        await asyncio.sleep(0)


async def _endless_comments(call: Call) -> None:
    await call.head()
    while True:
        await call.send(b": still here\n\n")
        await asyncio.sleep(0.01)


async def _endless_line(call: Call) -> None:
    await call.head()
    while True:
        await call.send(b"data: " + b"x" * 100_000)
        await asyncio.sleep(0)


async def _dribble(call: Call) -> None:
    await call.head()
    for byte in b'data: {"content": "u", "stop": false, "completion_probabilities": []}' * 99:
        await call.send(bytes([byte]))
        await asyncio.sleep(0.05)


async def _slow_head(call: Call) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Padding: " + b"x" * 999:
        await call.send(bytes([byte]))
        await asyncio.sleep(0.05)


async def _silent(call: Call) -> None:
    await asyncio.sleep(60)


async def _error_event(call: Call) -> None:
    await call.head()
    await call.event({"error": {"code": 500, "message": "out of memory"}})


async def _other_model(call: Call) -> None:
    await call.head()
    await call.end(model="another")


@pytest.mark.parametrize(
    ("behaviour", "words", "phase"),
    [
        (_status(401, {"error": {"message": "Invalid API Key"}}), "wants a key (engine.keyFile)", Phase.FAILED),
        (_status(403, {"detail": "not for you"}), "does not let this key do that (not for you)", Phase.FAILED),
        (_status(404, {"error": {"message": "no model x"}}), "has no /completion, or no such model", Phase.FAILED),
        (_status(302, Location="http://192.0.2.1/completion"), "redirects elsewhere", Phase.FAILED),
        (_status(429, Retry_After="20"), "asks to be left alone for 20 s", Phase.DOWN),
        (_status(429), "has too many requests at the moment", Phase.DOWN),
        (_status(500, b"<html>Oops</html>"), "failed with status 500", Phase.DOWN),
        (_status(503, {"error": {"message": "Loading model"}}), "failed with status 503 (Loading model)", Phase.DOWN),
        (_half_closed, "hung up in the middle of an answer", Phase.DOWN),
        (_cut_off, "hung up", Phase.DOWN),
        (_garbage, "something that midfill does not understand", Phase.DOWN),
        (_binary, "something that midfill does not understand", Phase.DOWN),
        (_no_http, "hung up", Phase.DOWN),
        (_endless_tokens, "says more than it was asked for", Phase.DOWN),
        (_endless_comments, "has said nothing for 1.5 s (engine.timeoutMs)", Phase.DOWN),
        (_endless_line, "sends a line without an end", Phase.DOWN),
        (_dribble, "has said nothing for 1.5 s", Phase.DOWN),
        (_slow_head, "has said nothing for 1.5 s", Phase.DOWN),
        (_silent, "has said nothing for 1.5 s", Phase.DOWN),
        (_error_event, "gave up: out of memory", Phase.DOWN),
        (_other_model, "has another model by now: another", Phase.DOWN),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)[:24]),
)
def test_a_fault_is_a_sentence_and_the_server_is_away_at_once(
    behaviour: Callable[[Call], Any], words: str, phase: Phase
) -> None:
    async def test(server: ModelServer) -> None:
        timeout_s = _SHORT_S if "1.5 s" in words else _TIMEOUT_S
        async with client_of(server.url, timeout_s=timeout_s) as client:
            server.completion = behaviour
            problem = await problem_of(client)
            assert words in str(problem)
            assert str(problem).startswith(server.url.removeprefix("http://"))
            assert problem.outcome is Outcome.ENGINE_DOWN
            assert client.state.phase is phase
            assert words in client.state.message
            n_asked = len(server.completions)
            assert words in str(await problem_of(client)), "who comes next is told the same, and nobody is asked"
            assert len(server.completions) == n_asked

    run(test)


def test_a_request_that_the_server_refuses_for_itself_alone_changes_nothing() -> None:
    async def test(server: ModelServer) -> None:
        async with client_of(server.url) as client:
            server.completion = _status(400, {"error": {"message": "request (9 tokens) exceeds the context"}})
            assert "refused the request with status 400 (request (9 tokens) exceeds" in str(await problem_of(client))
            server.completion = well
            assert client.state.phase is Phase.READY
            assert await said(client) == SAYS

    run(test)


def test_it_is_sent_again_only_while_nothing_of_an_answer_has_come() -> None:
    async def test(server: ModelServer) -> None:
        async with client_of(server.url) as client:

            async def fails_twice(call: Call) -> None:
                await (call.answer(b"", 502) if len(server.completions) < 3 else well(call))

            server.completion = fails_twice
            assert await said(client) == SAYS
            n_asked = len(server.completions)
            assert n_asked == 3
            server.completion = _half_closed
            await problem_of(client)
            assert len(server.completions) == n_asked + 1

    run(test)


def test_a_server_that_asks_for_a_moment_gets_it() -> None:
    async def test(server: ModelServer) -> None:
        async with client_of(server.url) as client:

            async def busy(call: Call) -> None:
                await (call.answer(b"", 429, Retry_After="0.2") if len(server.completions) < 2 else well(call))

            server.completion = busy
            assert await said(client) == SAYS

    run(test)


def test_closing_a_generation_hangs_up_at_once() -> None:
    async def test(server: ModelServer) -> None:
        async with client_of(server.url) as client:

            async def never_done(call: Call) -> None:
                await call.head()
                await call.tokens(b"u")
                await asyncio.sleep(60)

            server.completion = never_done
            answer = client.generate(prompt(), session="s")
            async for delta in answer:
                if delta.token_ids:
                    break
            await answer.aclose()  # type: ignore[attr-defined]
            async with asyncio.timeout(2):
                await server.calls[-1].hung_up.wait()
            assert client.state.phase is Phase.READY

            waiting = asyncio.create_task(said(client))  # one that is cancelled before anything came
            server.completion = _silent
            await until(lambda: len(server.completions) == 2)
            waiting.cancel()
            async with asyncio.timeout(2):
                await server.calls[-1].hung_up.wait()

    run(test)


def test_a_server_that_is_back_is_used_again() -> None:
    async def test(server: ModelServer) -> None:
        async with client_of(server.url) as client:
            port = int(server.url.rsplit(":", 1)[1])
            await server.stop()
            assert "cannot be reached" in str(await problem_of(client))
            await server.start(port)
            await until(lambda: client.state.phase is Phase.READY)
            assert await said(client) == SAYS

    run(test)


def test_a_kept_connection_that_the_server_closed_costs_nothing() -> None:
    async def test(server: ModelServer) -> None:
        async with client_of(server.url) as client:
            for _ in range(3):  # each ends its connection without a word
                assert await said(client) == SAYS
            assert client.state.phase is Phase.READY

    run(test)


def test_the_key_is_sent_and_never_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text("s3cret-key\n")
    monkeypatch.setenv("TEAM_KEY", "s3cret-key")

    async def test(server: ModelServer) -> None:
        server.key = "s3cret-key"
        for settings in ({"key_file": str(file)}, {"key_variable": "TEAM_KEY"}):
            async with client_of(server.url, **settings) as client:
                assert await said(client) == SAYS
                server.key = "another"
                problem = await problem_of(client)
                assert "wants a key" in str(problem)
                assert "s3cret" not in f"{problem} {client.state} {client.describe()} {client.__dict__}"
                server.key = "s3cret-key"

    run(test)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"url": "http://192.0.2.1:8080"}, "use https://, or allow it with engine.allowPlainHttp"),
        ({"url": "http://models.example.org"}, "for everybody on the way to read"),
        ({"url": "ftp://127.0.0.1"}, "must begin with https:// or http://"),
        ({"url": "https://user:word@example.org"}, "put the key into engine.keyFile"),
        ({"url": "http://127.0.0.1:99999"}, "engine.url is no address"),
        ({"url": "http://127.0.0.1:1", "key_file": "/nowhere/key"}, "engine.keyFile /nowhere/key cannot be read"),
        ({"url": "http://127.0.0.1:1", "key_variable": "NO_SUCH_KEY"}, "no environment variable NO_SUCH_KEY"),
        ({"url": "https://127.0.0.1:1", "ca_file": "/nowhere/ca.pem"}, "engine.caFile /nowhere/ca.pem cannot be used"),
    ],
)
def test_a_setting_that_cannot_be_is_named_and_nothing_is_sent(settings: dict[str, Any], words: str) -> None:
    async def test() -> None:
        async with client_of(**settings, phases=(Phase.FAILED,)) as client:
            assert words in client.state.message
            assert words in str(await problem_of(client))

    asyncio.run(test())


def test_a_redirect_is_not_followed_and_no_proxy_stands_before_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(server: ModelServer) -> None:
        async with model_server() as elsewhere:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, elsewhere.url)
            async with client_of(server.url) as client:
                server.completion = _status(307, Location=f"{elsewhere.url}/completion")
                assert "does not follow" in str(await problem_of(client))
            assert elsewhere.calls == []

    run(test)


def _tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS for 127.0.0.1, and the certificate."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=team -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    return tls, certificate


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
def test_a_certificate_is_trusted_by_the_users_word_alone(tmp_path: Path) -> None:
    tls, certificate = _tls(tmp_path)

    async def test(server: ModelServer) -> None:
        await server.stop()
        await server.start(tls=tls)
        async with client_of(server.url, phases=(Phase.FAILED,)) as client:
            assert "shows a certificate that is not trusted here (engine.caFile)" in client.state.message
        assert server.calls == []
        async with client_of(server.url, ca_file=str(certificate)) as client:
            assert await said(client) == SAYS

    run(test)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
def test_a_server_that_could_speak_http_2_is_hung_up_on_as_any(tmp_path: Path) -> None:
    tls, certificate = _tls(tmp_path)
    tls.set_alpn_protocols(["h2", "http/1.1"])
    spoken = []

    async def silent(call: Call) -> None:
        spoken.append(call.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await call.hung_up.wait()

    async def test(server: ModelServer) -> None:
        await server.stop()
        await server.start(tls=tls)
        async with client_of(server.url, ca_file=str(certificate)) as client:
            server.completion = silent
            asking = asyncio.create_task(said(client))
            await until(lambda: bool(spoken))
            assert spoken == ["http/1.1"]
            asking.cancel()
            await until(server.completions[-1].hung_up.is_set)

    run(test)


def test_a_server_of_another_kind_is_said_to_be_one() -> None:
    async def test(server: ModelServer) -> None:
        async def pages(call: Call) -> None:
            await call.answer({"hello": "world"})

        server.pages["/props"] = pages
        async with client_of(server.url, phases=(Phase.FAILED,)) as client:
            assert "is no llama.cpp server (engine.kind)" in client.state.message

    run(test)


def test_the_state_says_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    async def test(server: ModelServer) -> None:
        async with client_of(server.url) as client:
            told = client.describe()
            assert told.startswith("llamacpp with tiny; a context of 4,096 tokens; prompts as token ids")
            assert "not compared" in told
            assert json.dumps(client.state.message).count("tiny") == 1

    run(test)
