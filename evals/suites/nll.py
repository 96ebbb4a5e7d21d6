"""`midfill eval nll --path DIR`: teacher-forced NLL of midfill and of llama.cpp on the very same tokens.

What quantization costs, and nothing else: windows of code, every token given all before it in its window.

Rules: one engine is loaded at a time. The interval is a bootstrap over runs of 64 tokens, since neighbouring
tokens depend on each other.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from completion.types import Tokenizer
from evals.engines import gguf_file
from evals.peers.library import PeerSettings
from evals.peers.llamacpp import ask_logprobs, load_peer, open_peer
from evals.progress import tracked
from evals.report import EvalError, open_results
from evals.scoring.teacher_forced import MidfillScorer, open_midfill_scorer
from evals.sources import source_files
from model.library.catalog import resolve
from tuning.stats import Interval, ratio_interval

WINDOW_TOKENS = 2048
_RUN_TOKENS = 64


def windows(root: Path, n_tokens: int, tokenizer: Tokenizer) -> list[list[int]]:
    """The tree's code, file after file, in windows of WINDOW_TOKENS; EvalError when it has too little."""
    ids: list[int] = []
    for file in source_files(root):
        ids += tokenizer.encode(file.text)
        if len(ids) >= n_tokens:
            break
    ids = ids[:n_tokens]
    if len(ids) < 2:
        raise EvalError(f"{root} holds no code")
    cut = [ids[begin : begin + WINDOW_TOKENS] for begin in range(0, len(ids), WINDOW_TOKENS)]
    return [window for window in cut if len(window) > 1]


def difference(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """Mean NLL of ours minus theirs per token, from log-probabilities of the same tokens."""
    runs = range(0, len(ours), _RUN_TOKENS)
    gaps = [y - x for x, y in zip(ours, theirs, strict=True)]
    return ratio_interval(
        [sum(gaps[begin : begin + _RUN_TOKENS]) for begin in runs],
        [len(gaps[begin : begin + _RUN_TOKENS]) for begin in runs],
    )


def _score_all(cut: Sequence[list[int]], score: Callable[[list[int]], list[float]], name: str) -> list[float]:
    return [logprob for window in tracked(cut, name) for logprob in score(window)]


def _ours(scorer: MidfillScorer) -> Callable[[list[int]], list[float]]:
    return lambda window: scorer.target_logprobs(window[:1], window[1:])


def run(root: Path, *, n_tokens: int, model: str, kinds: Sequence[str], out: Path | None) -> int:
    """Score with each engine in turn, print a table and the JSON line."""
    gguf = gguf_file(model)
    scorer = open_midfill_scorer(model)
    cut = windows(root, n_tokens, scorer.tokenizer)
    logprobs = {"midfill": _score_all(cut, _ours(scorer), "midfill")}
    del scorer
    for kind in kinds:
        logprobs[kind] = _score_all(cut, _ours(open_midfill_scorer(model, kind)), kind)
    with open_peer("llamacpp") as worker:
        load_peer(worker, gguf, PeerSettings(n_ctx=WINDOW_TOKENS))
        logprobs["llamacpp"] = _score_all(
            cut, lambda window: ask_logprobs(worker, window, len(window) - 1), "llama.cpp"
        )
    means = {name: -sum(values) / len(values) for name, values in logprobs.items()}
    gap = difference(logprobs["midfill"], logprobs["llamacpp"])
    summary: dict[str, Any] = {
        "suite": "nll",
        "n": len(logprobs["midfill"]),
        **{f"nll_{name}": mean for name, mean in means.items()},
        "difference": gap.mean,
        "low": gap.low,
        "high": gap.high,
        "model": resolve(model).model_id,
        "engine": "midfill,llamacpp",
        "format": "left",
    }
    for name, mean in means.items():
        print(f"{name:10} NLL {mean:.4f}")
    print(f"midfill - llama.cpp {gap.mean:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]")
    for kind in kinds:
        cost = difference(logprobs["midfill"], logprobs[kind])
        summary |= {f"difference_{kind}": cost.mean, f"low_{kind}": cost.low, f"high_{kind}": cost.high}
        print(f"midfill - {kind:9} {cost.mean:+.4f} [{cost.low:+.4f}, {cost.high:+.4f}]")
    with open_results("nll", out) as results:
        begin = 0
        for index, window in enumerate(cut):
            end = begin + len(window) - 1
            scored = {f"logprobs_{name}": values[begin:end] for name, values in logprobs.items()}
            results.add({"id": str(index), "token_ids": window, **scored})
            begin = end
        results.finish(summary)
    return 0
