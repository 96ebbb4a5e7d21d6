"""Which engine a configuration means: the local model process, or a server that somebody else runs.

Rules: without `engine.url` nothing that could reach another machine is even imported.
"""

from collections.abc import Callable
from dataclasses import replace

from completion.types import Limits
from lsp_server.config import Config
from model.link.client import EngineClient, EngineState, LoadedModel
from model.link.interface import ModelClient


def client_for(config: Config, on_state: Callable[[EngineState], None], *, may_start: bool = True) -> ModelClient:
    """The engine of a configuration: the model process (`may_start` is of that), unless a server is named."""
    if (settings := config.remote_settings()) is None:
        return EngineClient(config.engine_settings(), on_state, may_start=may_start)
    # Who has no server needs no HTTP: it is a tenth of a second of a window's start, and cannot be used by mistake.
    from model.remote.client import RemoteClient
    from model.remote.fallback import RemoteFirst

    if not config.engine.fallback:
        return RemoteClient(settings, on_state)
    return RemoteFirst(settings, config.engine_settings(), on_state)


def limits_for(loaded: LoadedModel, limits: Limits) -> Limits:
    """The budgets as far as an engine can use them: what does not fit, and comparing without scores, is left out."""
    room = loaded.context_tokens - limits.max_block_tokens
    return replace(
        limits,
        max_prompt_tokens=min(limits.max_prompt_tokens, room),
        rank_ms=limits.rank_ms if loaded.can_rank else 0,
    )
