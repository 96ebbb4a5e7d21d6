"""The application behind `midfill serve`: its paths, each with what answers it.

Rules: no torch, and no model in this process: it is a front of the same model process as the editors' servers. Every
request is answered in JSON, errors too. While the model cannot be asked all but `/v1/models` is 503 with Retry-After.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lsp_server.config import Config
from lsp_server.serve import completions, infill
from lsp_server.serve.fields import Fields, token_ids
from lsp_server.serve.gate import Gate, body_of
from lsp_server.serve.generation import Generations, unavailable
from lsp_server.serve.prompts import Prompts
from lsp_server.serve.refusals import Refused, error_response
from lsp_server.serve.replies import ClientGone, Events, while_connected
from model.link import tasks
from model.link.client import EngineClient, LoadedModel, Phase

T = TypeVar("T")
_UNHEEDED = "midfill-ignored"
_CLIENT_GONE = 499  # nobody reads it


@dataclass(slots=True)
class Service:
    """What the paths answer from. `name` is what the model is called, beside its id."""

    client: EngineClient
    config: Config
    name: str
    generations: Generations = field(init=False)
    _prompts: tuple[LoadedModel, Prompts] | None = None

    def __post_init__(self) -> None:
        self.generations = Generations(self.client)

    def ready(self) -> tuple[LoadedModel, Prompts]:
        """The model, and what makes its prompts; Refused while it cannot be asked."""
        loaded = self.client.loaded
        if loaded is None or self.client.state.phase is not Phase.READY:
            self.client.wake()
            raise unavailable(self.client, self.client.state.message)
        if self._prompts is None or self._prompts[0] is not loaded:
            limits = self.config.limits()
            self._prompts = (loaded, Prompts(loaded, self.config.prompt_spec(loaded.spec), limits))
        return self._prompts

    def check_model(self, fields: Fields) -> None:
        """Refused for another model than the one that is served; llama.vim says "" where none is chosen."""
        names = {"", self.name} if self.client.loaded is None else {"", self.name, self.client.loaded.name}
        if (asked := fields.text("model")) not in names:
            raise Refused(404, f"there is no model {asked!r} here, but {self.name!r}", field="model")


def build(service: Service, key: str | None) -> Starlette:
    """The application; its lifespan is the engine client's."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        running = tasks.start(service.client.run(), "engine client")
        try:
            yield
        finally:
            running.cancel()
            await asyncio.wait([running])
            await service.client.close()

    def path(name: str, method: str, answer: Callable[[Service, Request], Awaitable[Response]]) -> Route:
        async def endpoint(request: Request) -> Response:
            return await answer(service, request)

        return Route(name, endpoint, methods=[method])

    return Starlette(
        routes=[
            path("/v1/models", "GET", _models),
            path("/v1/completions", "POST", _completions),
            path("/infill", "POST", _infill),
            path("/tokenize", "POST", _tokenize),
            path("/detokenize", "POST", _detokenize),
            path("/health", "GET", _health),
            path("/metrics", "GET", _metrics),
        ],
        middleware=[Middleware(Gate, key=key)],
        exception_handlers={
            Refused: lambda request, error: error_response(error if isinstance(error, Refused) else _internal()),
            ClientGone: lambda request, error: Response(status_code=_CLIENT_GONE),
            HTTPException: _wrong_path,
            Exception: lambda request, error: error_response(_internal()),
        },
        lifespan=lifespan,
    )


def _internal() -> Refused:
    return Refused(500, "an error inside of midfill, which stands in its log")


async def _wrong_path(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    why = "no such path" if status == 404 else f"no {request.method} here"
    return error_response(Refused(status, f"{request.url.path}: {why} (docs/serve.md has what there is)"))


async def _fields(service: Service, request: Request) -> Fields:
    data = await body_of(request)
    fields = await asyncio.to_thread(Fields, data)
    service.check_model(fields)
    return fields


async def _models(service: Service, request: Request) -> Response:
    loaded = service.client.loaded
    model: dict[str, Any] = {"id": service.name, "object": "model", "created": int(time.time()), "owned_by": "midfill"}
    if loaded is not None:
        model["max_model_len"] = loaded.context_tokens
    return JSONResponse({"object": "list", "data": [model]})


async def _completions(service: Service, request: Request) -> Response:
    fields = await _fields(service, request)
    _, prompts = service.ready()
    headers = {_UNHEEDED: ", ".join(unheeded)} if (unheeded := fields.unheeded()) else {}
    asked = await asyncio.to_thread(completions.read, fields, prompts, service.name, prompts.n_vocabulary)
    if fields.flag("stream"):
        return Events(completions.events(asked, service.generations), headers)
    return await _whole(request, completions.whole(asked, service.generations), headers)


async def _infill(service: Service, request: Request) -> Response:
    fields = await _fields(service, request)
    _, prompts = service.ready()
    headers = {_UNHEEDED: ", ".join(unheeded)} if (unheeded := fields.unheeded()) else {}
    asked = await asyncio.to_thread(infill.read, fields, prompts, service.name)
    if fields.flag("stream"):
        return Events(infill.events(asked, service.generations), headers)
    return await _whole(request, infill.whole(asked, service.generations), headers)


async def _whole(request: Request, work: Coroutine[Any, Any, dict[str, Any]], headers: dict[str, str]) -> Response:
    return JSONResponse(await while_connected(request.receive, work), headers=headers)


async def _tokenize(service: Service, request: Request) -> Response:
    """As llama.cpp's server (`content`) and vLLM's (`prompt`) do it."""
    fields = await _fields(service, request)
    loaded, prompts = service.ready()
    text = fields.text("content") if "content" in fields else fields.text("prompt")
    special = fields.flag("parse_special") if "parse_special" in fields else True
    ids = await asyncio.to_thread(prompts.ids_of, text, special=special)
    spelled = {"token_strs": prompts.spellings(ids)} if fields.flag("return_token_strs") else {}  # vLLM's name for it
    return JSONResponse({"tokens": ids, "count": len(ids), "max_model_len": loaded.context_tokens, **spelled})


async def _detokenize(service: Service, request: Request) -> Response:
    """Both servers' answers in one; special tokens spell nothing."""
    fields = await _fields(service, request)
    loaded, prompts = service.ready()
    ids = token_ids("tokens", fields.get("tokens"), prompts.n_vocabulary)
    text = b"".join(map(loaded.tokenizer.token_bytes, ids)).decode("utf-8", "replace")
    return JSONResponse({"content": text, "prompt": text})


async def _health(service: Service, request: Request) -> Response:
    """Who only asks how it is wakes nobody: a model that left for want of work is as well as one that is there."""
    state = service.client.state
    if state.phase not in (Phase.READY, Phase.ASLEEP):
        raise unavailable(service.client, state.message)
    return JSONResponse({"status": "ok" if state.phase is Phase.READY else "asleep"})


async def _metrics(service: Service, request: Request) -> Response:
    is_ready = service.client.state.phase is Phase.READY
    status = await service.client.daemon_status() if is_ready else None
    return Response(service.generations.meter.text(status), media_type="text/plain; version=0.0.4; charset=utf-8")
