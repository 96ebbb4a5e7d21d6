"""One completion outside of an editor: the same engine client and the same core, from a file on disk.

Used by `midfill complete`, `midfill doctor` and the evals.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from completion.cache import ReuseCache
from completion.pipeline import Deps
from completion.prompt.segments import SegmentCache
from completion.types import CompletionRequest, DocumentSnapshot, Mode, Trigger
from lsp_server.config import Config
from lsp_server.documents.file_names import shown
from lsp_server.engine.choice import client_for, limits_for
from model.library.catalog import ModelError, resolve
from model.library.store import newest_store
from model.link import tasks
from model.link.client import EngineState, Phase
from model.link.interface import ModelClient
from parsers.languages import for_document
from parsers.parse import parse


@asynccontextmanager
async def ready_engine(
    config: Config, on_state: Callable[[EngineState], None], *, may_start: bool = True
) -> AsyncIterator[ModelClient]:
    """An engine client that has become READY; ModelError when the model cannot be had.

    Without `may_start` it is one of a model process that is there, wherever that stands; ModelError when there is none.
    """
    client = client_for(config, on_state, may_start=may_start)
    task = tasks.start(client.run(), "engine client")
    try:
        while client.state.phase is not Phase.READY:
            if client.state.phase in (Phase.FAILED, Phase.DOWN):
                raise ModelError(client.state.message)
            if client.state.phase is Phase.ASLEEP:  # we met a model process that was leaving
                client.wake()
            if not may_start and client.state.phase is not Phase.STARTING:
                break
            await asyncio.sleep(0.02)
        yield client
    finally:
        task.cancel()
        await asyncio.wait([task])
        await client.close()


def deps_for(client: ModelClient, config: Config) -> Deps:
    """What `complete` needs, for a client that is READY."""
    loaded = client.loaded
    assert loaded is not None
    return Deps(
        engine=client.current,
        tokenizer=loaded.tokenizer,
        spec=config.prompt_spec(loaded.spec),
        limits=limits_for(loaded, replace(config.limits(), deadline_ms=None)),  # asked once, and then gone
        cache=ReuseCache(),
        segments=SegmentCache(loaded.tokenizer),
        has_logprobs=loaded.has_logprobs,
    )


def store_of(model: str) -> Path:
    """The newest store of a model; ModelError when there is none yet."""
    source = resolve(model)
    store = newest_store(source.model_id)
    if store is None:
        raise ModelError(f"{source.model_id} is not on this machine yet: run `midfill model pull {model}` first")
    return store


def repository_of(file: Path) -> Path | None:
    """The nearest folder around a file with a `.git`; not the home folder, whose repository is of settings."""
    around = (parent for parent in file.absolute().parents if parent != Path.home())
    return next((parent for parent in around if (parent / ".git").exists()), None)


def workspace_of(file: Path) -> Path:
    """The folder that an editor would have open: the file's repository, the current folder, or the file's own.

    The home folder, or one around it, is nobody's workspace.
    """
    file, here = file.absolute(), Path.cwd()
    is_around = here in file.parents and here not in (Path.home(), *Path.home().parents)
    return repository_of(file) or (here if is_around else file.parent)


def request_for(
    file: Path, text: str, cursor: int, mode: Mode | None, session: str = "cli", root: Path | None = None
) -> CompletionRequest:
    """A request at an offset of a file's text; its workspace is `root`, the nearest folder with a `.git`, or none."""
    file = file.absolute()
    root = root or repository_of(file)
    language = for_document(str(file)).id
    snapshot = DocumentSnapshot(
        uri=file.as_uri(),
        path=shown(file.relative_to(root).as_posix() if root else file.name),
        repo=shown(root.name) if root else "",
        version=1,
        text=text,
        language=language,
        tree=parse(language, text),
    )
    return CompletionRequest(snapshot=snapshot, cursor=cursor, mode=mode, trigger=Trigger.INVOKED, session=session)
