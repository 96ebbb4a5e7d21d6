"""How long from the start of the model process to its first token, by phase.

    python -m evals.bench.model_start [--model NAME] [--starts 10]

A client starts the process as an editor's server does, and asks for one token after a prompt of 64 as soon as it may. A
process that runs already is asked to leave before each start. The last line is JSON.

    connected   the process answers at its socket
    ready       the weights are mapped, and the client has read what it needs of the model
    first token

Rules: the weights are in the system's page cache, since the first start is not counted.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time

import psutil

from evals.bench.machine import FIRST_PROMPT_TOKENS, one_token_after, some_ids, stop_daemon
from model.library.catalog import DEFAULT_MODEL
from model.link.client import EngineClient, EngineState, Phase
from model.link.spawn import EngineSettings

PHASES = ("connected_ms", "ready_ms", "first_token_ms")


async def start_ms(settings: EngineSettings) -> dict[str, float]:
    """Milliseconds from the start of a process until each phase is over, and the processor time it took by then."""
    await stop_daemon(settings)
    over: dict[str, float] = {}
    ready = asyncio.Event()
    started = time.perf_counter()

    def passed() -> float:
        return (time.perf_counter() - started) * 1e3

    def on_state(state: EngineState) -> None:
        if client._writer is not None:
            over.setdefault("connected_ms", passed())
        if state.phase is Phase.READY:
            over.setdefault("ready_ms", passed())
            ready.set()
        elif state.phase in (Phase.FAILED, Phase.DOWN):
            raise SystemExit(state.message)

    client = EngineClient(settings, on_state)
    running = asyncio.create_task(client.run())
    try:
        await ready.wait()
        assert client.loaded is not None
        assert client.loaded.architecture is not None
        vocab = client.loaded.architecture.vocab
        prompt = one_token_after([number % vocab for number in some_ids(FIRST_PROMPT_TOKENS)])
        async for delta in client.generate(prompt, session="bench"):
            if delta.token_ids:
                over["first_token_ms"] = passed()
                break
        status = await client.daemon_status()
        assert status is not None
        cpu = psutil.Process(status.pid).cpu_times()
        over["cpu_ms"] = (cpu.user + cpu.system) * 1e3
    finally:
        running.cancel()
        await asyncio.wait([running])
        await client.close()
        await stop_daemon(settings)
    return over


def main(arguments: list[str]) -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(prog="evals.bench.model_start", description=__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--starts", type=int, default=10, help="after one that is not counted")
    given = parser.parse_args(arguments)
    settings = EngineSettings(model=given.model)
    starts = [asyncio.run(start_ms(settings)) for _ in range(given.starts + 1)][1:]
    medians = {name: statistics.median(start[name] for start in starts) for name in (*PHASES, "cpu_ms")}
    for name, median in medians.items():
        values = [start[name] for start in starts]
        print(
            f"{median:7.0f} ms ({min(values):.0f} to {max(values):.0f})  {name.removesuffix('_ms').replace('_', ' ')}"
        )
    print(json.dumps({"bench": "model_start", "model": given.model, "starts": given.starts, **medians}))


if __name__ == "__main__":
    main(sys.argv[1:])
