"""The results of `midfill bench` as the keys of its JSON line and the rows of its tables.

Keys: `<figure>_s` are seconds of ours and `<figure>_s_<peer>` those of a peer at its best settings;
`..._ratio` is our speed over the best speed of llama.cpp, above 1 where midfill is faster, and `..._ratio_ik`
the same over ik_llama.cpp. The first model's keys stand as they are; another's end in its size
(`decode_ratio_1_5b`), before a peer's ending (`decode_ratio_1_5b_ik`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from evals.bench.contender import OURS, PEERS, Contender
from evals.bench.machine import Footprint
from evals.bench.timings import CHUNK_TOKENS, STEP_POSITION, Plan, step_figure
from evals.bench.workload import PLAIN, SPECULATING, Generated, tokens_per_second

_ENDINGS = {"llamacpp": "", "ik_llama": "_ik"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResult:
    """All that was measured of one model."""

    model: str
    contenders: Sequence[Contender]
    generated: Generated
    kind: str  # of our weights
    bytes_per_step: int
    footprints: dict[str, Footprint]  # by engine

    def seconds(self, engine: str, figure: str) -> float | None:
        """An engine's best median of a figure; None when it has none."""
        best = next((c.best(figure) for c in self.contenders if c.name == engine), None)
        return None if best is None else best[0]

    def speed(self, engine: str, mode: str) -> float | None:
        """Tokens per second of the workload; None when the mode was left out."""
        return tokens_per_second(self.generated.get((engine, mode), []))


def figures(plan: Plan) -> list[str]:
    """The figures that are compared, in the order of the tables."""
    steps = [step_figure(n, position) for position in sorted(plan.positions) for n in plan.steps]
    return [*(f"prefill_{n}" for n in plan.prefills), *steps]


def ratio_keys(plan: Plan) -> dict[str, str]:
    """Name of a ratio -> its figure."""
    named = {"prefill_ratio": "prefill_512", "decode_ratio": "step_1"}
    named |= {f"prefill_ratio_{n}": f"prefill_{n}" for n in plan.prefills if n != 512}
    named |= {f"step{n}_ratio": f"step_{n}" for n in plan.steps}
    for position in plan.positions:
        if position != STEP_POSITION:
            named[f"decode_ratio_{position // 1024}k"] = step_figure(1, position)
    return named


def summary_of(result: ModelResult, plan: Plan, bandwidth: float) -> dict[str, Any]:
    """The keys of one model, without its ending."""
    keys: dict[str, Any] = {}
    for peer, ending in _ENDINGS.items():
        for name, figure in ratio_keys(plan).items():
            ours, theirs = result.seconds(OURS, figure), result.seconds(peer, figure)
            if ours and theirs:
                keys[name + ending] = theirs / ours
        plain = result.speed(peer, PLAIN)
        for name, mode in (("workload_ratio", PLAIN), ("spec_ratio", SPECULATING)):
            if plain and (speed := result.speed(OURS, mode)):
                keys[name + ending] = speed / plain
    for contender in result.contenders:
        ending = "" if contender.name == OURS else f"_{contender.name}"
        for figure in figures(plan):
            if (seconds := result.seconds(contender.name, figure)) is not None:
                keys[f"{figure}_s{ending}"] = seconds
        for mode, name in ((PLAIN, "workload_tokens_per_s"), (SPECULATING, "spec_tokens_per_s")):
            if speed := result.speed(contender.name, mode):
                keys[name + ending] = speed
    for depth, ms in token_costs_ms(result, plan):
        keys[f"token_ms_at_{depth}"] = ms
    keys["bytes_per_step"] = result.bytes_per_step
    for name, footprint in result.footprints.items():
        ending = "" if name == OURS else f"_{name}"
        keys |= {f"{figure}{ending}": value for figure, value in asdict(footprint).items() if value is not None}
    if step := result.seconds(OURS, "step_1"):
        keys["bandwidth_share"] = result.bytes_per_step / step / bandwidth
    return keys


def summary(results: Sequence[ModelResult], plan: Plan, bandwidth: float) -> dict[str, Any]:
    """The whole JSON line, but for what every suite adds."""
    keys: dict[str, Any] = {
        "suite": "bench",
        "n": plan.repetitions,
        "model": ",".join(result.model for result in results),
        "engine": ",".join(contender.name for contender in results[0].contenders),
        "format": ",".join(results[0].kind if c.name == OURS else "gguf" for c in results[0].contenders),
        "bandwidth_gb_s": bandwidth / 1e9,
    }
    for index, result in enumerate(results):
        size = ending_of(result.model) if index else ""
        keys |= {_with_ending(name, size): value for name, value in summary_of(result, plan, bandwidth).items()}
    return keys


def ending_of(model: str) -> str:
    """What a further model's keys end in: `_1_5b` for qwen2.5-coder-1.5b."""
    return "_" + re.sub(r"[^a-z0-9]+", "_", model.lower().rsplit("-", 1)[-1])


def _with_ending(name: str, size: str) -> str:
    """A key with the model's ending before the peer's."""
    for peer in ("_ik", *(f"_{peer}" for peer in PEERS)):
        if name.endswith(peer):
            return name.removesuffix(peer) + size + peer
    return name + size


def token_costs_ms(result: ModelResult, plan: Plan) -> Iterator[tuple[int, float]]:
    """Depth and milliseconds per token that midfill's prefill takes there."""
    for depth in plan.depths:
        if (seconds := result.seconds(OURS, f"chunk_at_{depth}")) is not None:
            yield depth, seconds / CHUNK_TOKENS * 1e3


def table_of(result: ModelResult, plan: Plan) -> Table:
    """Medians, ratios, and the settings that each peer was best at."""
    peers = [c for c in result.contenders if c.name != OURS]
    table = Table("figure", OURS, title=result.model)
    for peer in peers:
        for column in (PEERS[peer.name], "ratio", "its best settings"):
            table.add_column(column)
    for figure in figures(plan):
        if (ours := result.seconds(OURS, figure)) is None:
            continue
        row = [_title(figure), _speed(figure, ours)]
        for peer in peers:
            best = peer.best(figure)
            row += ["", "", ""] if best is None else [_speed(figure, best[0]), f"{best[0] / ours:.2f}", best[1]]
        table.add_row(*row)
    for mode in (PLAIN, SPECULATING):
        if speed := result.speed(OURS, mode):
            row = [f"real code, {mode}", f"{speed:.1f} tok/s"]
            for peer in peers:
                plain = result.speed(peer.name, PLAIN)
                row += [f"{plain:.1f} tok/s", f"{speed / plain:.2f}", "plain"] if plain else ["", "", ""]
            table.add_row(*row)
    return table


def table_of_footprints(result: ModelResult) -> Table:
    """How soon each engine says something, and what memory it takes."""
    table = Table("", "start to first token", "resident", "proportional", title=f"{result.model}, 4k context")
    for name, footprint in result.footprints.items():
        pss = "" if footprint.pss_mb is None else f"{footprint.pss_mb:.0f} MB"
        title = OURS if name == OURS else PEERS[name]
        table.add_row(title, f"{footprint.first_token_s:.2f} s", f"{footprint.rss_mb:.0f} MB", pss)
    return table


def _title(figure: str) -> str:
    kind, n, *at = figure.split("_")
    return f"prefill {n} tokens" if kind == "prefill" else f"step of {n} at {at[1] if at else STEP_POSITION}"


def _speed(figure: str, seconds: float) -> str:
    kind, n, *_ = figure.split("_")
    return f"{int(n) / seconds:.0f} tok/s" if kind == "prefill" else f"{seconds * 1e3:.1f} ms"
