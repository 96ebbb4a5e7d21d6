"""Opens what a suite is run on: midfill's own engine through its daemon, the llama.cpp peer, or a server.

Used by the suites through `open_subject`. Both get the same tokenizer, prompt layout and formats: those of
midfill's store of the model. midfill's daemon is the one that editors use, and stays when the suite ends.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from completion.types import Delta, Engine, Format, Priority, Prompt, PromptSpec, Tokenizer, Trigger
from evals.peers.client import WorkerError
from evals.peers.library import PeerSettings
from evals.peers.llamacpp import LlamaCppEngine
from evals.report import EvalError
from lsp_server.config import Config, EngineConfig
from lsp_server.local import ready_engine
from model.library.catalog import ModelError, resolve
from model.library.fetch import fetch
from model.library.store import present_spec, read_manifest
from model.library.vocabulary import StoreTokenizer, open_tokenizer
from model.link.client import EngineClient, EngineState, Phase
from model.link.spawn import EngineSettings

KINDS = ("fp32", "int8", "int4")
# midfill as it answers invoked requests, without a bound of time and as it is set up; as it answers automatic ones;
# with one kind of weights; and the peer.
_AS_SET_UP = (INVOKED, TYPING) = ("midfill-invoked", "midfill-typing")
REMOTE = "remote"  # a server, by its address
ENGINES = ("midfill", INVOKED, TYPING, *(f"midfill-{kind}" for kind in KINDS), "llamacpp", REMOTE)
FORMATS = ("auto", "fim", "left")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An engine under evaluation, ready to generate, with what `complete` needs besides."""

    name: str  # of ENGINES, or a test's own
    model: str
    engine: Engine
    tokenizer: Tokenizer
    spec: PromptSpec
    rank_ms: int | None = None  # as Limits has it: 0 for engines and formats that answer alone
    trigger: Trigger = Trigger.INVOKED
    is_ahead: bool = False  # whether what idle time computes is there before a request comes


class RecordingEngine:
    """Passes generations on and remembers the first, so that results can keep the prompt and the raw text."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.prompt: Prompt | None = None
        self.token_ids: list[int] = []

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        """As the engine's own."""
        is_first = self.prompt is None
        if is_first:
            self.prompt = prompt
        deltas = self._engine.generate(prompt, session=session, priority=priority)
        try:
            async for delta in deltas:
                if is_first:
                    self.token_ids += delta.token_ids
                yield delta
        finally:  # closing this iterator must stop the engine too
            if (aclose := getattr(deltas, "aclose", None)) is not None:
                await aclose()


@asynccontextmanager
async def open_subject(engine: str, model: str, prompt_format: str, url: str = "") -> AsyncIterator[Subject]:
    """Open an engine of ENGINES, REMOTE at `url`; `prompt_format` of FORMATS. EvalError when it cannot be had."""
    async with _opening(engine, model, url) as subject:
        yield subject if prompt_format == "auto" else with_format(subject, Format(prompt_format))


def _opening(engine: str, model: str, url: str) -> AbstractAsyncContextManager[Subject]:
    if (engine == REMOTE) != bool(url):
        raise EvalError("--engine remote goes with --url, and the other way round")
    if engine == REMOTE:
        return _open_remote(model, url)
    return _open_llamacpp(model) if engine == "llamacpp" else _open_midfill(engine, model)


def kind_of(engine: str) -> str:
    """The quantization that an engine of ENGINES stands for: "auto" for plain midfill."""
    if engine in _AS_SET_UP:
        return "auto"
    return engine.removeprefix("midfill").lstrip("-") or "auto"


def with_format(subject: Subject, chosen: Format) -> Subject:
    """The same subject with one prompt format for every mode; EvalError when the model lacks sentinels."""
    if chosen is Format.FIM and not subject.spec.has_fim:
        raise EvalError(f"{subject.model} has no fill-in-the-middle tokens: use --format left")
    spec = replace(subject.spec, line_format=chosen, block_format=chosen, body_format=None)
    return replace(subject, spec=spec, rank_ms=0)


@asynccontextmanager
async def _open_midfill(engine: str, model: str) -> AsyncIterator[Subject]:
    client, running = await connect(EngineSettings(model=model, quantization=kind_of(engine)))
    try:
        loaded = client.loaded
        assert loaded is not None
        limits = Config().limits()
        yield Subject(
            name=engine,
            model=loaded.name,
            engine=client,
            tokenizer=loaded.tokenizer,
            spec=loaded.spec,
            rank_ms=limits.rank_ms if engine in _AS_SET_UP else None,
            trigger=Trigger.AUTOMATIC if engine == TYPING else Trigger.INVOKED,
            is_ahead=engine in _AS_SET_UP,
        )
    finally:
        await disconnect(client, running)


@asynccontextmanager
async def _open_remote(model: str, url: str) -> AsyncIterator[Subject]:
    """A server, asked as editors ask it; the key, if it wants one, is in the variable MIDFILL_KEY."""
    variable = "MIDFILL_KEY" if "MIDFILL_KEY" in os.environ else ""
    engine = EngineConfig(url=url, fallback=False, key_variable=variable, timeout_ms=60_000)
    try:
        async with ready_engine(replace(Config(), model=model, engine=engine), lambda state: None) as client:
            loaded = client.loaded
            assert loaded is not None
            yield Subject(
                name=REMOTE,
                model=loaded.name,
                engine=client,
                tokenizer=loaded.tokenizer,
                spec=loaded.spec,
                rank_ms=None if loaded.can_rank else 0,
            )
    except ModelError as error:
        raise EvalError(str(error)) from error


@asynccontextmanager
async def _open_llamacpp(model: str) -> AsyncIterator[Subject]:
    gguf = gguf_file(model)
    name, tokenizer, spec = await asyncio.to_thread(vocabulary, model, gguf)
    try:
        engine = await asyncio.to_thread(LlamaCppEngine, gguf, tokenizer, PeerSettings())
    except WorkerError as error:
        raise EvalError(f"llama.cpp: {error}") from error
    try:
        yield Subject(
            name="llamacpp",
            model=name,
            engine=engine,
            tokenizer=tokenizer,
            spec=spec,
            rank_ms=0,
        )
    finally:
        engine.close()


def vocabulary(model: str, gguf: Path) -> tuple[str, StoreTokenizer, PromptSpec]:
    """The model's name, tokenizer and prompt layout as midfill itself would use them."""
    from model.weights.prepare import choose_kind, ensure_store

    source = resolve(model)
    store = ensure_store(source, gguf, choose_kind("auto"), lambda done: None)
    return read_manifest(store).model_id, open_tokenizer(store), present_spec(store, source.row)


def gguf_file(model: str) -> Path:
    """The model's GGUF on this machine, fetched if needed; EvalError when it has none."""
    try:
        file = fetch(resolve(model))
    except ModelError as error:
        raise EvalError(str(error)) from error
    if file.suffix != ".gguf":
        raise EvalError(f"{file.name} is not a GGUF file: llama.cpp cannot run it")
    return file


async def connect(settings: EngineSettings) -> tuple[EngineClient, asyncio.Task[None]]:
    """A client whose engine is ready, and the task that keeps it; EvalError when the model cannot be had."""
    settled = asyncio.Event()

    def on_state(state: EngineState) -> None:
        if state.phase in (Phase.READY, Phase.FAILED):
            settled.set()
        elif sys.stderr.isatty():
            percent = "" if state.fraction is None else f" {state.fraction:.0%}"
            print(f"\r\033[K{state.message}{percent}", end="", file=sys.stderr, flush=True)

    client = EngineClient(settings, on_state)
    running = asyncio.create_task(client.run())
    waiting = asyncio.create_task(settled.wait())
    await asyncio.wait((waiting, running), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    if client.state.phase is not Phase.READY:
        message = client.state.message
        if running.done() and (error := running.exception()) is not None:
            message = str(error)
        await disconnect(client, running)
        raise EvalError(message)
    return client, running


async def disconnect(client: EngineClient, running: "asyncio.Task[None]") -> None:
    """Leave the daemon to others."""
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError, ModelError):
        await running
    await client.close()
