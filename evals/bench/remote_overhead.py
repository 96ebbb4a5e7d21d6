"""What a server costs beside what it computes: `python -m evals.bench.remote_overhead URL --file F`.

Types the last lines of a file, key by key, and asks at each with the prompt that the editor's request has. Of each
request the time from asking to the end of the answer, less what the server says it computed for; and how much of the
prompts it had kept (its own counters).

Rules: nothing of the answer is used, so that every prompt is what was typed.
"""

import argparse
import asyncio
import statistics
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from completion.pipeline import prompt_for
from completion.types import GenerationStats
from lsp_server.config import Config, EngineConfig
from lsp_server.local import deps_for, ready_engine, request_for


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: how long it took, and the engine's own counters."""

    ms: float
    stats: GenerationStats

    @property
    def overhead_ms(self) -> float:
        """What was not computing."""
        return self.ms - self.stats.queue_ms - self.stats.prefill_ms - self.stats.decode_ms


async def ask_at_keys(config: Config, file: Path, n_keys: int, max_tokens: int) -> list[Asked]:
    """Ask at the last keys of a file, in order; the first request reads the window and does not count."""
    text = file.read_text(encoding="utf-8")
    found = []
    async with ready_engine(config, lambda state: None) as client:
        deps = deps_for(client, config)
        for cursor in range(len(text) - n_keys - 1, len(text)):
            prompt = await prompt_for(deps, request_for(file, text[:cursor], cursor, None))
            prompt = replace(prompt, max_tokens=max_tokens)
            began, stats = time.perf_counter(), None
            async for delta in client.generate(prompt, session="bench"):
                stats = delta.stats or stats
            if stats is not None:
                found.append(Asked((time.perf_counter() - began) * 1e3, stats))
    return found[1:]


def report(name: str, asked: list[Asked]) -> str:
    """One line."""
    overheads = sorted(each.overhead_ms for each in asked)
    kept = sum(each.stats.n_cached for each in asked) / sum(each.stats.n_prompt for each in asked)
    return (
        f"{name}: {len(asked)} requests of {statistics.mean(each.stats.n_prompt for each in asked):,.0f} tokens; "
        f"overhead {statistics.median(overheads):.1f} ms at the median, "
        f"{overheads[int(0.95 * (len(overheads) - 1))]:.1f} at p95; {kept:.1%} of the prompts' tokens were kept"
    )


def main(argv: list[str]) -> int:
    """Measure a server, and the local model process beside it with --local."""
    parser = argparse.ArgumentParser(prog="python -m evals.bench.remote_overhead")
    parser.add_argument("url")
    parser.add_argument("--file", type=Path, default=Path(__file__))
    parser.add_argument("--keys", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=8, help="at most, of an answer")
    parser.add_argument("--local", action="store_true", help="the local model process, too")
    a = parser.parse_args(argv)
    remote = replace(Config(), engine=EngineConfig(url=a.url, fallback=False, timeout_ms=300_000))
    for name, config in (("remote", remote), *((("local", Config()),) if a.local else ())):
        print(report(name, asyncio.run(ask_at_keys(config, a.file, a.keys, a.tokens))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
