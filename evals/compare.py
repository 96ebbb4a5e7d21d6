"""`midfill eval compare A.jsonl B.jsonl`: the paired difference of two results files, with its interval."""

import json
from pathlib import Path
from typing import Any

from evals.report import EvalError, read_results
from evals.stats import mean_interval, paired_difference


def compare(path_a: Path, path_b: Path) -> dict[str, Any]:
    """Scores of both over the examples they share (by `id`), and B minus A; EvalError without any."""
    a, b = _scores(path_a), _scores(path_b)
    shared = [key for key in a if key in b]
    if not shared:
        raise EvalError("the two files share no examples")
    scores_a, scores_b = [a[key] for key in shared], [b[key] for key in shared]
    difference = paired_difference(scores_a, scores_b)
    return {
        "suite": "compare",
        "n": len(shared),
        "only_a": len(a) - len(shared),
        "only_b": len(b) - len(shared),
        "a": mean_interval(scores_a).mean,
        "b": mean_interval(scores_b).mean,
        "difference": difference.mean,
        "low": difference.low,
        "high": difference.high,
        "better": sum(y > x for x, y in zip(scores_a, scores_b, strict=True)),
        "worse": sum(y < x for x, y in zip(scores_a, scores_b, strict=True)),
    }


def _scores(path: Path) -> dict[str, float]:
    try:
        return {row["id"]: float(row["score"]) for row in read_results(path)}
    except (KeyError, TypeError) as error:
        raise EvalError(f"{path}: its examples have no id and score to compare") from error


def run(path_a: Path, path_b: Path) -> int:
    """Print the comparison in words and as the last JSON line."""
    result = compare(path_a, path_b)
    print(
        f"{result['n']} shared examples: A {result['a']:.4f}, B {result['b']:.4f}, "
        f"B - A {result['difference']:+.4f} [{result['low']:+.4f}, {result['high']:+.4f}] "
        f"({result['better']} better, {result['worse']} worse)"
    )
    print(json.dumps(result))
    return 0
