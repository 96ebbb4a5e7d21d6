"""`midfill eval compare A.jsonl B.jsonl`: the paired difference of two results files, with its interval."""

import json
from pathlib import Path
from typing import Any

from evals.report import EvalError, read_results
from tuning.stats import mean_interval, paired_difference


def compare(path_a: Path, path_b: Path, measure: str = "score") -> dict[str, Any]:
    """A measure of both over the examples that have it in both (by `id`), and B minus A; EvalError without any."""
    a, b = _scores(path_a, measure), _scores(path_b, measure)
    shared = [key for key in a if key in b]
    if not shared:
        raise EvalError("the two files share no examples")
    scores_a, scores_b = [a[key] for key in shared], [b[key] for key in shared]
    difference = paired_difference(scores_a, scores_b)
    return {
        "suite": "compare",
        "measure": measure,
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


def _scores(path: Path, measure: str) -> dict[str, float]:
    """By id; what is null has no such measure: a test that was not run, a text that was not shown."""
    try:
        return {row["id"]: float(row[measure]) for row in read_results(path) if row[measure] is not None}
    except (KeyError, TypeError, ValueError) as error:
        raise EvalError(f"{path}: its examples have no id and {measure} to compare") from error


def run(path_a: Path, path_b: Path, measure: str = "score") -> int:
    """Print the comparison in words and as the last JSON line."""
    result = compare(path_a, path_b, measure)
    print(
        f"{result['n']} shared examples, {measure}: A {result['a']:.4f}, B {result['b']:.4f}, "
        f"B - A {result['difference']:+.4f} [{result['low']:+.4f}, {result['high']:+.4f}] "
        f"({result['better']} better, {result['worse']} worse)"
    )
    print(json.dumps(result))
    return 0
