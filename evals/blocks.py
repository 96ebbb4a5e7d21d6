"""`midfill eval blocks --path DIR`: what cross-file snippets are worth, and whether they may be independent.

Lines of Python that use something defined in another file of the tree, scored (NLL per token and token
accuracy of the true line) after four kinds of context:

    none              header, file
    full              header, snippets, file: every token sees all before it
    independent       each snippet's keys and values see only the snippet itself; the file sees everything
    shared-header     each snippet sees the repository header and itself; the file sees everything

The last one is what a cache of snippets can give: nothing in a snippet depends on the other snippets.

Rules: the prompt is left to right, the line's own definition stands among others that the file imports, in
a seeded order. Differences are paired by line.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from completion.types import PromptSpec, Tokenizer
from evals.progress import tracked
from evals.report import EvalError, Results, open_results
from evals.sources import source_files
from evals.stats import ratio_interval
from evals.symbols import SymbolUse, symbol_uses
from model.catalog import resolve
from model.store import read_manifest

if TYPE_CHECKING:
    from model.kv import KV
    from model.score import Scorer

_MAX_SNIPPETS = 4
_FILE_TOKENS = 512  # of the text above the line
_CHUNK_TOKENS = 256


class Condition(StrEnum):
    """How the snippets take part; see above."""

    NONE = "none"
    FULL = "full"
    INDEPENDENT = "independent"
    SHARED_HEADER = "shared-header"


@dataclass(frozen=True, slots=True)
class Parts:
    """The pieces of one prompt as token ids, and the true line."""

    header: list[int]
    snippets: list[list[int]]
    file: list[int]
    target: list[int]


@dataclass(frozen=True, slots=True)
class TokenScore:
    """A target token: its log-probability, and whether it was the most probable one."""

    logprob: float
    correct: bool


class BlockScorer(Protocol):
    """Scores a target after its parts under a condition; one entry per target token."""

    def score(self, parts: Parts, condition: Condition) -> list[TokenScore]: ...


class DecoderBlockScorer:
    """Implements BlockScorer over the decoder's explicit slots: slot and position of a token are the same."""

    def __init__(self, scorer: "Scorer") -> None:
        self._scorer = scorer

    def score(self, parts: Parts, condition: Condition) -> list[TokenScore]:
        """Run header, snippets, then file and target, each attending to what the condition lets it see."""
        import torch  # the parts of this module that the tests use do without

        snippets = [] if condition is Condition.NONE else parts.snippets
        last = [*parts.file, *parts.target[:-1]]
        kv = self._scorer.decoder.new_kv(len(parts.header) + sum(len(snippet) for snippet in snippets) + len(last))
        end = self._append(kv, parts.header, 0, 0)
        header_end = end
        for snippet in snippets:
            seen = {Condition.FULL: end, Condition.INDEPENDENT: 0, Condition.SHARED_HEADER: header_end}
            end = self._append(kv, snippet, end, seen[condition])
        hidden = []
        for begin in range(0, len(last), _CHUNK_TOKENS):
            chunk = last[begin : begin + _CHUNK_TOKENS]
            hidden.append(self._scorer.run(chunk, kv, position=end, write=end, attend=((0, end),)))
            end += len(chunk)
        logits = self._scorer.decoder.logits(torch.cat(hidden)[-len(parts.target) :])
        target = torch.tensor(parts.target)
        logprobs = logits[torch.arange(len(target)), target] - logits.logsumexp(1)
        correct = logits.argmax(1) == target
        return [TokenScore(p, c) for p, c in zip(logprobs.tolist(), correct.tolist(), strict=True)]

    def _append(self, kv: "KV", ids: list[int], begin: int, seen: int) -> int:
        """Write ids from slot `begin`, attending to slots 0..seen; returns the slot after them."""
        if ids:
            self._scorer.run(ids, kv, position=begin, write=begin, attend=((0, seen),))
        return begin + len(ids)


def build_parts(use: SymbolUse, repo: str, tokenizer: Tokenizer, spec: PromptSpec, shuffle: random.Random) -> Parts:
    """Token ids of one example in midfill's prompt order; `shuffle` chooses and orders the snippets."""
    lines = use.file.text.split("\n")
    line = lines[use.number - 1]
    others = list(use.others)
    shuffle.shuffle(others)
    snippets = [*use.used, *others][:_MAX_SNIPPETS]
    shuffle.shuffle(snippets)

    def file_start(path: str) -> list[int]:
        return _sentinel(spec.file_sep) + tokenizer.encode(f"{path}\n")

    above = tokenizer.encode("".join(f"{text}\n" for text in lines[: use.number - 1]))
    return Parts(
        header=[*_sentinel(spec.bos), *_sentinel(spec.repo_name), *tokenizer.encode(f"{repo}\n")],
        snippets=[file_start(snippet.path) + tokenizer.encode(snippet.text) for snippet in snippets],
        file=file_start(use.file.path) + above[-_FILE_TOKENS:],
        target=tokenizer.encode(line + "\n"),
    )


def _sentinel(token_id: int | None) -> list[int]:
    return [] if token_id is None else [token_id]


def evaluate(
    scorer: BlockScorer, examples: Sequence[tuple[str, Parts]], results: Results
) -> dict[Condition, list[list[TokenScore]]]:
    """Score every example (id, parts) under every condition."""
    scores: dict[Condition, list[list[TokenScore]]] = {condition: [] for condition in Condition}
    for key, parts in tracked(examples, "blocks"):
        row: dict[str, Any] = {"id": key, "n_snippets": len(parts.snippets)}
        for condition in Condition:
            tokens = scorer.score(parts, condition)
            scores[condition].append(tokens)
            row[condition.value] = [[token.logprob, token.correct] for token in tokens]
        results.add(row)
    return scores


def summarize(scores: dict[Condition, list[list[TokenScore]]]) -> dict[str, Any]:
    """NLL per token and token accuracy of each condition, and NLL differences to "full" with intervals."""
    n_tokens = [float(len(tokens)) for tokens in scores[Condition.FULL]]
    nll = {c: [-sum(t.logprob for t in tokens) for tokens in scores[c]] for c in Condition}
    summary: dict[str, Any] = {}
    for condition in Condition:
        name = condition.value
        correct = [float(sum(token.correct for token in tokens)) for tokens in scores[condition]]
        gap = ratio_interval([x - y for x, y in zip(nll[condition], nll[Condition.FULL], strict=True)], n_tokens)
        summary[name] = {
            "nll": ratio_interval(nll[condition], n_tokens).mean,
            "accuracy": ratio_interval(correct, n_tokens).mean,
            "minus_full": gap.mean,
            "low": gap.low,
            "high": gap.high,
        }
    return summary


def run(root: Path, *, limit: int, seed: int, model: str, out: Path | None) -> int:
    """Run the experiment, print a table and the JSON line."""
    from model.score import Scorer  # imports torch

    repo = root.resolve().name
    uses = list(symbol_uses(list(source_files(root, ".py")), repo))
    if not uses:
        raise EvalError(f"no line below {root} uses a function or class of another Python file of it")
    random.Random(seed).shuffle(uses)
    uses = uses[: limit or None]
    scorer = Scorer.open(model)
    spec = read_manifest(scorer.store).prompt
    shuffle = random.Random(seed)
    examples = [
        (f"{use.file.path}:{use.number}", build_parts(use, repo, scorer.tokenizer, spec, shuffle)) for use in uses
    ]
    with open_results("blocks", out) as results:
        summary = summarize(evaluate(DecoderBlockScorer(scorer), examples, results))
        for name, row in summary.items():
            print(
                f"{name:14} NLL {row['nll']:.4f}  accuracy {row['accuracy']:.4f}  "
                f"NLL - full {row['minus_full']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"
            )
        results.finish(
            {
                "suite": "blocks",
                "n": len(examples),
                "conditions": summary,
                "model": resolve(model).model_id,
                "engine": "midfill",
                "format": "left",
                "seed": seed,
            }
        )
    return 0
