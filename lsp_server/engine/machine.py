"""What was measured of this machine: kept in `machine.json` of the state folder, by model and quantization.

The server takes what the model process measures anyway while it reads files in idle time; `midfill doctor` and
`midfill bench --quick` have some text read for it where nothing has been yet.
`model.library.machine_fit` says what follows.

Rules: the server measures nothing, so that nothing stands before a request; a command that measures sends pieces of
0.1 to 0.3 s, and a window's request goes first. A file that is missing,
damaged or cannot be written means that nothing is known, and never disturbs.
"""

import asyncio
import contextlib
import logging
from array import array
from dataclasses import asdict
from pathlib import Path

from completion.types import EngineUnavailable, Format, Limits, Prompt
from lsp_server.config import Config
from lsp_server.engine.auto import machine_file, machine_key
from lsp_server.engine.auto import measured as measured_of
from lsp_server.local import ready_engine
from model.library.architecture import Architecture
from model.library.catalog import ModelError, resolve
from model.library.machine_fit import Machine, fit, sentence
from model.library.records import write_record
from model.link.interface import ModelClient

log = logging.getLogger(__name__)

# Sixteen chunks as idle work reads them: one of them will have had the processor for itself.
_ENOUGH_TOKENS = 1_024
# What a very slow machine reads within `_LONGEST_S` says enough of it.
_SOME_TOKENS = 128
# What is read at once when measuring: as much as in idle time.
_PIECE_TOKENS = 64
_LONGEST_S = 30.0


def remembered(config: Config) -> Machine | None:
    """What is known of this machine with the model of a configuration; None when nothing is."""
    try:
        return measured_of(resolve(config.chosen_model()).model_id, config.quantization)
    except ModelError:
        return None


def remember(config: Config, machine: Machine) -> None:
    """Keep it. Windows that do so at once write the same."""
    try:
        write_record(machine_file(), machine_key(machine.model_id, config.quantization), asdict(machine))
    except OSError as error:
        log.warning("the measurement of this machine could not be kept: %s", error)


def forget() -> None:
    """Delete all that is known."""
    machine_file().unlink(missing_ok=True)


async def seen(client: ModelClient, at_least: int = _ENOUGH_TOKENS) -> Machine | None:
    """What the model process has measured so far; None when that is too little."""
    loaded, status = client.loaded, await client.daemon_status()
    if loaded is None or status is None or (counters := status.counters).n_measured_tokens < at_least:
        return None
    return Machine(
        model_id=loaded.name,
        n_threads=counters.n_threads,
        kernels=counters.kernels,
        tokens_per_s=round(counters.best_tokens_per_s, 1),
    )


async def measure(client: ModelClient) -> Machine | None:
    """The same, after some text was read for it if need be; takes at most half a minute. The client is READY."""
    assert client.loaded is not None
    ids = array("I", client.loaded.tokenizer.encode(Path(__file__).read_text(encoding="utf-8")))
    with contextlib.suppress(TimeoutError, EngineUnavailable):
        async with asyncio.timeout(_LONGEST_S):
            for begin in range(0, len(ids), _PIECE_TOKENS):
                if (machine := await seen(client)) is not None:
                    return machine
                piece = ids[begin : begin + _PIECE_TOKENS]
                prompt = Prompt(token_ids=piece, heal=b"", stop_token_ids=(), max_tokens=0, format=Format.LEFT)
                async for _ in client.generate(prompt, session="measuring"):
                    pass
    return await seen(client, _SOME_TOKENS)


async def measured_in_words(config: Config) -> str:
    """How fast this machine is and what fits it, measured now if that was not done yet; starts the model process."""
    async with ready_engine(config, lambda state: None) as client:
        known, measured = remembered(config), await measure(client)
        if measured is not None and measured.is_news(known):
            remember(config, known := measured)
        if known is None:
            return "not measured: the model process did not answer in time"
        return in_words(config, known, client)


def limits(config: Config, machine: Machine | None, client: ModelClient | None) -> Limits:
    """The budgets: what the user chose, else what fits the machine, as far as it is known."""
    if machine is None or (shape := _shape(client)) is None:
        return config.limits()
    return config.limits(fit(shape, machine.tokens_per_s).window_tokens)


def in_words(config: Config, machine: Machine | None, client: ModelClient | None) -> str:
    """One sentence, for doctor, status and the editors; it says so where nothing is known yet."""
    if client is not None and client.host:
        return f"the model runs at {client.host}, not on this machine"
    if machine is None or (shape := _shape(client)) is None:
        return "this machine has not been measured yet: that happens while the model reads files in idle time"
    return sentence(machine, shape, config.max_prompt_tokens)


def _shape(client: ModelClient | None) -> Architecture | None:
    """Of the model that runs on this machine; None while there is none."""
    return client.loaded.architecture if client is not None and client.loaded is not None else None
