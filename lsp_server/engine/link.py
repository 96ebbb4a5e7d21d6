"""The editor window's link to the model process: it follows the settings, and says what the completion core needs.

Rules: one asyncio thread owns it. Nothing waits here for the model to become ready: where it stands is the `state`.
"""

import asyncio
import logging
from collections.abc import Callable

from lsprotocol import types as t

from completion.ahead import look_ahead
from completion.cache import ReuseCache
from completion.filters.names import Names
from completion.inflight import InFlight
from completion.pipeline import Deps
from completion.prompt.segments import SegmentCache
from completion.ranking.trust import Trust
from completion.types import Completion, CompletionRequest, Limits, Outcome
from lsp_server import ablation
from lsp_server.config import Config
from lsp_server.engine import machine
from lsp_server.engine.choice import client_for, limits_for
from lsp_server.progress import ProgressReporter
from model.library.machine_fit import Machine
from model.link import tasks
from model.link.client import EngineState, Phase
from model.link.interface import ModelClient

log = logging.getLogger(__name__)

ShowMessage = Callable[[t.MessageType, str], None]
OnWhole = Callable[[Deps, CompletionRequest, Completion], None]


class EngineLink:
    """One window's engine."""

    def __init__(
        self,
        *,
        config: Callable[[], Config],
        progress: ProgressReporter,
        show_message: ShowMessage,
        names_of: Callable[[str], Names | None],
        on_whole: OnWhole,
        on_measured: Callable[[], None],
    ) -> None:
        """`names_of` as in `Deps`; `on_whole` hears of a completion that is done after it was shown in part.

        `on_measured` is called in pauses, once it is known how fast this machine is.
        """
        self.client: ModelClient | None = None
        self.machine: Machine | None = None
        self.trust = Trust()
        self._config, self._progress, self._show_message = config, progress, show_message
        self._names_of, self._on_whole, self._on_measured = names_of, on_whole, on_measured
        self._client_task: asyncio.Task[None] | None = None
        self._deps: Deps | None = None
        self._told_failure = ""
        self._told_down = False

    @property
    def state(self) -> EngineState:
        """Where the engine stands; also before there is one."""
        if self.client is not None:
            return self.client.state
        return EngineState(phase=Phase.STARTING, message="the model process has not been asked for yet", fraction=None)

    @property
    def host(self) -> str:
        """Where code is sent; "" while it stays on this machine."""
        return self.client.host if self.client is not None else ""

    async def start(self) -> None:
        """Use the daemon of the present settings; how it gets on comes through the state."""
        self.machine = machine.remembered(self._config())
        self.trust = Trust()  # another model is sure in another way
        client = client_for(self._config(), self._on_state)
        await self._replace(client, tasks.start(client.run(), "engine client"))

    async def stop(self) -> None:
        """Let go of the daemon; it stays for other windows."""
        await self._replace(None, None)

    def deps(self) -> Deps | None:
        """What the completion core needs; None until a model has been loaded once."""
        if self._deps is not None and self.client is not None and self._deps.engine is not self.client.current:
            self.cancel_all()  # another engine answers by now, perhaps with another model
            self._deps = None
        if self._deps is None and self.client is not None and (loaded := self.client.loaded) is not None:
            self._deps = Deps(
                engine=self.client.current,
                tokenizer=loaded.tokenizer,
                spec=self._config().prompt_spec(loaded.spec),
                limits=limits_for(loaded, self.limits()),
                cache=ReuseCache(),
                segments=SegmentCache(loaded.tokenizer),
                inflight=InFlight(self._came_whole),
                trust=self.trust,
                names_of=self._names_of,
                has_logprobs=loaded.has_logprobs,
            )
        return self._deps

    def renew_deps(self) -> None:
        """Something that they depend on has changed: make them anew when they are next needed."""
        self._deps = None

    def limits(self) -> Limits:
        """The budgets on this machine."""
        return ablation.in_slow_motion(machine.limits(self._config(), self.machine, self.client))

    def machine_in_words(self) -> str:
        """How fast this machine is and what fits it, in a sentence."""
        return machine.in_words(self._config(), self.machine, self.client)

    async def learn_machine(self) -> None:
        """In a pause: take what the model process has measured while it read, and keep it when it is news."""
        await self._learn_machine()
        if self.machine is not None:
            self._on_measured()

    async def _learn_machine(self) -> None:
        config, client = self._config(), self.client
        measured = None if client is None else await machine.seen(client)
        if client is None or self.client is not client or measured is None or not measured.is_news(self.machine):
            return
        before = machine.limits(config, self.machine, client)
        self.machine = measured
        if machine.limits(config, measured, client) != before:  # else what was suggested stays at hand
            self.renew_deps()
        await asyncio.to_thread(machine.remember, config, measured)
        log.info("machine: %s", machine.in_words(config, measured, client))

    def look_ahead(self, deps: Deps, request: CompletionRequest, shown: Completion) -> None:
        """Have computed what comes when this suggestion is accepted, unless nothing is to be computed ahead."""
        if self._config().daemon.idle != "never" and (task := look_ahead(deps, request, shown)) is not None:
            task.add_done_callback(_log_end)

    def cancel(self, session: str) -> None:
        """End the session's completion, and what is computed ahead in it."""
        if self._deps is not None:
            self._deps.inflight.cancel(session)

    def leave(self, session: str, text: str, cursor: int) -> None:
        """The cursor went to an offset of the document: end what is only of use where it was."""
        if self._deps is not None:
            self._deps.inflight.leave(session, text, cursor)

    def cancel_all(self) -> None:
        """End everything that is under way."""
        if self._deps is not None:
            self._deps.inflight.cancel_all()

    async def _replace(self, client: ModelClient | None, task: asyncio.Task[None] | None) -> None:
        # All is swapped before the first await: of two configurations in a row the later one's engine stays.
        old_client, old_task = self.client, self._client_task
        self.client, self._client_task, self._deps = client, task, None
        self._progress.end()
        if old_task is not None:
            old_task.cancel()
            await asyncio.wait([old_task])
        if old_client is not None:
            await old_client.close()

    def _came_whole(self, request: CompletionRequest, whole: Completion) -> None:
        if whole.outcome is Outcome.OK and self._deps is not None:
            self._on_whole(self._deps, request, whole)

    def _on_state(self, state: EngineState) -> None:
        log.debug("engine %s: %s", state.phase, state.message)
        if state.phase in (Phase.FETCHING, Phase.QUANTIZING, Phase.LOADING):
            self._progress.show(state.message, state.fraction)
        else:
            self._progress.end(state.message)
        if state.phase is Phase.DOWN:
            log.warning("engine down: %s", state.message)
            if not self._told_down:  # once per window: it heals by itself, and `midfill/status` knows the rest
                self._told_down = True
                self._show_message(t.MessageType.Warning, f"midfill: {state.message}")
        elif state.phase is Phase.FAILED:
            log.warning("engine failed: %s", state.message)
            if state.message != self._told_failure:  # a pop-up once, not at every attempt
                self._show_message(t.MessageType.Error, f"midfill: {state.message}")
            self._told_failure = state.message
        elif state.phase is Phase.READY:
            log.info("engine ready: %s", state.message)
            self._told_failure = ""


def _log_end(task: "asyncio.Task[None]") -> None:
    if task.cancelled():
        return
    if (error := task.exception()) is not None:
        log.error("looking ahead failed", exc_info=error)
    else:
        log.debug("looked ahead")
