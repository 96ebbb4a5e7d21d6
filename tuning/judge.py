"""Says how well a network foretells the targets of examples that it was not trained on.

Under greedy decoding a completion is exact if and only if each of the target's tokens, its end included, is the
likeliest after those before it: one pass over the example says so, without generating.

`text` leaves an end-of-text out of it: a stock model was not taught to stop, and the product's own rules stop it. A
line's end is text, after which the product stops.

Rules: nothing here changes the network. `early` and `late` are of the first token that is wrong: an end where the
target goes on, or going on where end-of-text comes.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import torch

from tuning.data.example_file import ExampleFile
from tuning.data.packing import Pack, packs_of
from tuning.network import Network

# Examples are taken this many at a time, longest first: packs of about one length.
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one example."""

    language: str
    kind: str
    n_tokens: int
    nll: float  # of the whole target, nats
    end_nll: float  # of its end-of-text; 0 where it ends with its line
    n_right: int  # tokens
    exact: bool
    early: bool
    late: bool


@torch.no_grad()
def judge(
    network: Network,
    examples: ExampleFile,
    max_tokens: int,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[Verdict]:
    """A verdict for each example, in their order; `progress` is told how many are done, of how many."""
    verdicts: dict[int, Verdict] = {}
    ends = _ends(examples)
    for first in range(0, len(examples), _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, len(examples)))
        for pack in packs_of(examples, numbers, max_tokens):
            verdicts |= _verdicts(network, examples, pack, ends)
            progress(len(verdicts), len(examples))
    return [verdicts[number] for number in range(len(examples))]


def _ends(examples: ExampleFile) -> dict[str, set[int]]:
    """The tokens that end a target, as far as these examples have them: those of lines, and end-of-text."""
    found: dict[str, set[int]] = {"line": set(), "text": set()}
    for number, example in enumerate(examples.examples):
        found[example["end"]].add(int(examples[number][-1]))
    return {"line": found["line"] | found["text"], "text": found["text"]}


def _verdicts(network: Network, examples: ExampleFile, pack: Pack, ends: dict[str, set[int]]) -> dict[int, Verdict]:
    scores = network.score(pack.to(network.base.device))
    counts = torch.bincount(pack.owners, minlength=len(pack.numbers)).tolist()
    parts = (tensor.cpu().split(counts) for tensor in (scores.nll, scores.best, pack.labels))
    found = {}
    for number, nll, best, labels in zip(pack.numbers, *parts, strict=True):
        right = best == labels
        wrong = None if right.all() else int((~right).nonzero()[0])
        end = examples.examples[number]["end"]
        late = end == "text" and wrong == len(labels) - 1
        found[number] = Verdict(
            language=examples.examples[number]["language"],
            kind=examples.examples[number]["kind"],
            n_tokens=len(labels),
            nll=float(nll.double().sum()),
            end_nll=float(nll[-1]) if end == "text" else 0.0,
            n_right=int(right.sum()),
            exact=wrong is None,
            early=wrong is not None and not late and int(best[wrong]) in ends[end],
            late=late,
        )
    return found


def summary(verdicts: Iterable[Verdict]) -> dict[str, float]:
    """The figures of some verdicts: shares of examples, and NLL and accuracy per token."""
    every = list(verdicts)
    n, tokens = max(len(every), 1), max(sum(v.n_tokens for v in every), 1)
    return {
        "n": len(every),
        "tokens": sum(v.n_tokens for v in every),
        "nll": round(sum(v.nll for v in every) / tokens, 5),
        "token_accuracy": round(sum(v.n_right for v in every) / tokens, 5),
        "exact": round(sum(v.exact for v in every) / n, 5),
        "text": round(sum(v.exact or v.late for v in every) / n, 5),
        "early": round(sum(v.early for v in every) / n, 5),
        "late": round(sum(v.late for v in every) / n, 5),
    }


def report(verdicts: list[Verdict]) -> dict[str, dict[str, float]]:
    """`summary` of all, of each language and of each kind."""
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        groups["all"].append(verdict)
        groups[f"language:{verdict.language}"].append(verdict)
        groups[f"kind:{verdict.kind}"].append(verdict)
    return {name: summary(groups[name]) for name in sorted(groups)}


def write_report(path: Path, verdicts: list[Verdict]) -> dict[str, dict[str, float]]:
    """Write the report and the verdicts themselves, for paired comparisons; returns the report."""
    said = report(verdicts)
    each = {field.name: [getattr(verdict, field.name) for verdict in verdicts] for field in fields(Verdict)}
    path.write_text(json.dumps({"report": said, "each": each}), encoding="utf-8")
    return said


def read_verdicts(path: Path) -> list[Verdict]:
    """The verdicts of a written report."""
    each = json.loads(path.read_text(encoding="utf-8"))["each"]
    return [Verdict(*values) for values in zip(*(each[field.name] for field in fields(Verdict)), strict=True)]
