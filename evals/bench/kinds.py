"""What quantization buys: midfill's own decoder in fp32, int8 and int4 side by side, for `midfill bench`.

Rules: the kinds are opened one after another (fp32 of the 1.5B alone is 6 GB); each has the machine to itself.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from statistics import median
from typing import Any

from rich.table import Table

from evals.bench.contender import Asker
from evals.bench.machine import some_ids
from evals.bench.timings import STEP_POSITION
from evals.engines import KINDS
from evals.peers.client import Worker

_STEPS, _PREFILLS = 9, 2

# Kind -> prefill_s (of 512 tokens), step_s (of one token behind them), rss_mb, bytes_per_step.
KindFigures = dict[str, dict[str, float]]


def measure_kinds(
    model: str, open_worker: Callable[[], AbstractContextManager[Asker]] = lambda: Worker("evals.bench.midfill_worker")
) -> KindFigures:
    """Medians of every kind of a model."""
    figures: KindFigures = {}
    ids = some_ids(STEP_POSITION)
    for kind in KINDS:
        with open_worker() as worker:
            loaded = worker.ask("load", model=model, n_ctx=STEP_POSITION + 16, kind=kind)
            worker.ask("time_prefill", ids=ids[:128])
            prefills = [worker.ask("time_prefill", ids=ids)["s"] for _ in range(_PREFILLS)]
            steps = [worker.ask("time_step", ids=ids[:1], position=STEP_POSITION)["s"] for _ in range(_STEPS)]
            figures[kind] = {
                "prefill_s": median(prefills),
                "step_s": median(steps),
                "rss_mb": worker.ask("rss")["mb"],
                "bytes_per_step": loaded["bytes_per_step"],
            }
    return figures


def kind_keys(figures: KindFigures, spec_tokens_per_s: float | None) -> dict[str, Any]:
    """Keys for the JSON line: speeds over fp32's, and what every kind took.

    `int4_everything_over_fp32` is generation of the workload with speculation against a plain step in fp32.
    """
    keys: dict[str, Any] = {f"{name}_{kind}": value for kind, row in figures.items() for name, value in row.items()}
    fp32 = figures["fp32"]["step_s"]
    keys |= {f"{kind}_over_fp32": fp32 / figures[kind]["step_s"] for kind in KINDS if kind != "fp32"}
    if spec_tokens_per_s:
        keys["int4_everything_over_fp32"] = fp32 * spec_tokens_per_s
    return keys


def table_of_kinds(model: str, figures: KindFigures) -> Table:
    """Prefill, decode and memory of each kind."""
    table = Table(
        "weights", "prefill 512", "one token at 512", "over fp32", "MB a step", "memory", title=f"{model}, midfill"
    )
    for kind, row in figures.items():
        table.add_row(
            kind,
            f"{STEP_POSITION / row['prefill_s']:.0f} tok/s",
            f"{row['step_s'] * 1e3:.1f} ms",
            f"{figures['fp32']['step_s'] / row['step_s']:.2f}",
            f"{row['bytes_per_step'] / 1e6:.0f}",
            f"{row['rss_mb']:.0f} MB",
        )
    return table
