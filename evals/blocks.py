"""`midfill eval blocks --path DIR`: what cross-file snippets are worth, on every rung of an answer.

Lines of Python that use something defined in another file of the tree, scored (NLL per token and token
accuracy of the true line) by the engine itself, its sessions, block store and plans included:

    none      header, file
    exact     header, snippets, file: every token sees all before it
    window    each snippet is a block that sees the header and itself; the file sees everything
    instant   the same with warm blocks and a deadline: the file's far part is missing
    epoch     the same right after the blocks came in: the file's far part is stale, it has not seen them

Rules: the prompt is left to right, the line's own definition stands among others that the file imports, in
a seeded order. Differences are paired by line.
"""

import random
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from completion.types import Piece, PromptSpec, Tokenizer
from evals.progress import tracked
from evals.report import EvalError, Results, open_results
from evals.sources import source_files
from evals.stats import ratio_interval
from evals.symbols import SymbolUse, symbol_uses
from model.catalog import resolve
from model.store import read_manifest

if TYPE_CHECKING:
    import torch

    from model.score import Scorer
    from model.session import Session

_MAX_SNIPPETS = 4
_FILE_TOKENS = 512  # of the text above the line
_NEAR_TOKENS = 128  # of these, what is required before anything is generated
_DEADLINE_MS = 500.0


class Condition(StrEnum):
    """What the line is scored after; see above."""

    NONE = "none"
    EXACT = "exact"
    WINDOW = "window"
    INSTANT = "instant"
    EPOCH = "epoch"


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


class EngineBlockScorer:
    """Implements BlockScorer with the daemon's own sessions, block store and plans. Blocks stay in memory."""

    def __init__(self, scorer: "Scorer", deadline_ms: float = _DEADLINE_MS) -> None:
        from model.blocks import BlockStore
        from model.generate import Engine
        from model.sampler import ByteTable
        from model.speed import Speed

        decoder, self._deadline_ms = scorer.decoder, deadline_ms
        self._decoder = decoder
        self._store = BlockStore(decoder.new_kv, None, 1_000_000_000, 0)
        # Its first estimate, which never learns here, so that a result does not depend on the machine's mood.
        self._engine: Callable[[], Engine] = lambda: Engine(
            decoder, lambda: ByteTable(0, lambda i: b""), self._store, Speed(decoder.architecture)
        )

    def score(self, parts: Parts, condition: Condition) -> list[TokenScore]:
        """Prefill as the condition says, then run the target through."""
        import torch  # the parts of this module that the tests use do without

        from model.session import Session

        ids, pieces = self._prompt(parts, with_snippets=condition is not Condition.NONE)
        if condition in (Condition.NONE, Condition.EXACT):
            pieces = []
        session = Session(kv=self._decoder.new_kv(len(ids) + len(parts.target)))
        if condition is Condition.INSTANT:  # its blocks are warm
            self._prefill(Session(kv=self._decoder.new_kv(len(ids))), ids, pieces, None)
        if condition is Condition.EPOCH:
            self._prefill(session, *self._prompt(parts, with_snippets=False), None)
        deadline = self._deadline_ms if condition in (Condition.INSTANT, Condition.EPOCH) else None
        hidden = [self._prefill(session, ids, pieces, deadline)[-1:]]
        if rest := parts.target[:-1]:
            work = session.start(self._decoder, len(ids), array("I", rest), session.held(len(ids)))
            while (result := session.advance(work)) is None:
                pass
            hidden.append(result)
        logits = self._decoder.logits(torch.cat(hidden))
        target = torch.tensor(parts.target)
        logprobs = logits[torch.arange(len(target)), target] - logits.logsumexp(1)
        correct = logits.argmax(1) == target
        return [TokenScore(p, c) for p, c in zip(logprobs.tolist(), correct.tolist(), strict=True)]

    def _prompt(self, parts: Parts, *, with_snippets: bool) -> tuple[list[int], list[Piece]]:
        """The ids up to the target, and their pieces as `completion.prompt` cuts them."""
        far, near = parts.file[:-_NEAR_TOKENS], parts.file[-_NEAR_TOKENS:]
        cut = [(parts.header, 0, False)]
        if with_snippets:
            cut += [(snippet, 1 + rank, True) for rank, snippet in enumerate(parts.snippets)]
        cut += [(far, 1, False), (near, 0, False)]
        ids = [token_id for piece, _, _ in cut for token_id in piece]
        return ids, [Piece(n_tokens=len(piece), rank=rank, block=block) for piece, rank, block in cut]

    def _prefill(
        self, session: "Session", ids: list[int], pieces: list[Piece], budget_ms: float | None
    ) -> "torch.Tensor":
        from model.decoder import run_to_end
        from model.generate import Generation, Request
        from model.window import window_of

        request = Request(
            key=0,
            session="eval",
            window=window_of(array("I", ids), pieces),
            heal=b"",
            stop_token_ids=frozenset(),
            max_tokens=0,
            on_prefilled=lambda report: None,
            on_token=lambda candidate, token, logprob: None,
            on_finished=lambda report: None,
        )
        generation = Generation(self._engine(), session, request)
        return run_to_end(generation.prefill(budget_ms))


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
    """NLL per token and token accuracy of each condition, and NLL differences to "exact" with intervals."""
    n_tokens = [float(len(tokens)) for tokens in scores[Condition.EXACT]]
    nll = {c: [-sum(t.logprob for t in tokens) for tokens in scores[c]] for c in Condition}
    summary: dict[str, Any] = {}
    for condition in Condition:
        name = condition.value
        correct = [float(sum(token.correct for token in tokens)) for tokens in scores[condition]]
        gap = ratio_interval([x - y for x, y in zip(nll[condition], nll[Condition.EXACT], strict=True)], n_tokens)
        summary[name] = {
            "nll": ratio_interval(nll[condition], n_tokens).mean,
            "accuracy": ratio_interval(correct, n_tokens).mean,
            "minus_exact": gap.mean,
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
        summary = summarize(evaluate(EngineBlockScorer(scorer), examples, results))
        for name, row in summary.items():
            print(
                f"{name:14} NLL {row['nll']:.4f}  accuracy {row['accuracy']:.4f}  "
                f"NLL - exact {row['minus_exact']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"
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
