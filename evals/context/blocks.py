"""`midfill eval blocks --path DIR`: what cross-file snippets are worth, on every rung of an answer.

Lines of Python that use something defined in another file of the tree, scored (NLL per token and token
accuracy of the true line) by the engine itself, its sessions, block store and plans included:

    none      header, file
    exact     header, snippets, file: every token sees all before it
    window    each snippet is a block that sees the header and itself; the file sees everything
    int8      the same with the blocks' keys and values in 8 bits
    instant   the same with warm blocks and a deadline: the file's far part is missing
    epoch     the same right after the blocks came in: the file's far part is stale, it has not seen them

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
from evals.context.symbols import SymbolUse, symbol_uses
from evals.progress import tracked
from evals.report import EvalError, Results, open_results
from evals.scoring.engine_scorer import Cut, EngineScorer, TokenScore, print_summary, summarize
from evals.sources import source_files
from model.library.catalog import resolve
from model.library.store import read_manifest

if TYPE_CHECKING:
    from model.engine.score import Scorer

_MAX_SNIPPETS = 4
_FILE_TOKENS = 512  # of the text above the line
_PIECE_TOKENS = 128  # of these, what is required before anything is generated, and the size of the other pieces
_DEADLINE_MS = 1_000.0  # the product's default


class Condition(StrEnum):
    """What the line is scored after; see above."""

    NONE = "none"
    EXACT = "exact"
    WINDOW = "window"
    INT8 = "int8"
    INSTANT = "instant"
    EPOCH = "epoch"


@dataclass(frozen=True, slots=True)
class Parts:
    """The pieces of one prompt as token ids, and the true line."""

    header: list[int]
    snippets: list[list[int]]
    path: list[int]
    file: list[int]
    target: list[int]


class BlockScorer(Protocol):
    """Scores a target after its parts under a condition; one entry per target token."""

    def score(self, parts: Parts, condition: Condition) -> list[TokenScore]: ...


class EngineBlockScorer:
    """Implements BlockScorer with the daemon's own sessions, block store and plans."""

    def __init__(self, scorer: "Scorer", deadline_ms: float = _DEADLINE_MS) -> None:
        self._plain = EngineScorer(scorer)
        self._rounded = EngineScorer(scorer, rounded_from=self._plain)
        self._deadline_ms = deadline_ms

    def score(self, parts: Parts, condition: Condition) -> list[TokenScore]:
        """Prefill as the condition says, then run the target. `WINDOW` comes before those that use its blocks."""
        bare, with_snippets = _cuts(parts, snippets=False), _cuts(parts, snippets=True)
        n_tokens = sum(len(cut.ids) for cut in with_snippets) + len(parts.target)
        scorer = self._rounded if condition is Condition.INT8 else self._plain
        session = scorer.session(n_tokens)
        match condition:
            case Condition.NONE:
                return scorer.score(session, bare, parts.target)
            case Condition.EXACT:
                return scorer.score(session, [Cut(cut.ids) for cut in with_snippets], parts.target)
            case Condition.WINDOW | Condition.INT8:
                return scorer.score(session, with_snippets, parts.target)
            case Condition.EPOCH:
                scorer.prefill(session, bare)
            case Condition.INSTANT:
                pass
        return scorer.score(session, with_snippets, parts.target, self._deadline_ms)


def _cuts(parts: Parts, *, snippets: bool) -> list[Cut]:
    """A window up to the target, cut and ranked as `completion.prompt.layout` does; the last snippet is the best."""
    n_snippets = len(parts.snippets) if snippets else 0
    blocks = [Cut(ids, 1 + 2 * (n_snippets - 1 - i), block=True) for i, ids in enumerate(parts.snippets[:n_snippets])]
    ends = range(len(parts.file), 0, -_PIECE_TOKENS)
    above = [Cut(parts.file[max(0, end - _PIECE_TOKENS) : end], rank) for rank, end in enumerate(ends)]
    return [Cut(parts.header), *blocks, Cut(parts.path), *reversed(above)]


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
        path=file_start(use.file.path),
        file=above[-_FILE_TOKENS:],
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


def run(root: Path, *, limit: int, seed: int, model: str, out: Path | None) -> int:
    """Run the experiment, print a table and the JSON line."""
    from model.engine.score import Scorer

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
        summary = summarize(evaluate(EngineBlockScorer(scorer), examples, results), Condition.EXACT)
        print_summary(summary)
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
