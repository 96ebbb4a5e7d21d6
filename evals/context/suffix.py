"""`midfill eval suffix --path DIR`: what a suffix is worth whose keys and values are older than the prefix.

In a FIM prompt the text after the cursor stands behind the text above it: a new line moves it, and what it has seen has
changed. Masked lines of a tree, scored (NLL per token, token accuracy) with the prompt of four lines further up
already computed:

    exact     the suffix is computed anew
    moved     its keys are turned to the new place; what is near the cursor is computed anew (what a request does)
    empty     no text after the cursor, in FIM's order
    left      no text after the cursor, left to right

Rules: the window is the same otherwise: up to 1,024 tokens above and 512 after. Differences are paired by line.
"""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from completion.types import PromptSpec, Tokenizer
from evals.progress import tracked
from evals.report import EvalError, open_results
from evals.scoring.engine_scorer import Cut, EngineScorer, TokenScore, print_summary, summarize
from evals.suites.lines import MaskedLine, masked_lines
from model.library.catalog import resolve
from model.library.store import read_manifest

if TYPE_CHECKING:
    pass

_ABOVE_TOKENS, _AFTER_TOKENS = 1024, 512
_NEAR_TOKENS, _NEAR_AFTER_TOKENS = 128, 64  # as in completion.prompt.layout
_NEW_LINES = 4
_TIGHT_MS = 0.001  # pays for what is required alone


class Condition(StrEnum):
    """What the line is scored after; see above."""

    EXACT = "exact"
    MOVED = "moved"
    EMPTY = "empty"
    LEFT = "left"


class Prompts:
    """The windows of one masked line, before and after the new lines were typed."""

    def __init__(self, line: MaskedLine, repo: str, tokenizer: Tokenizer, spec: PromptSpec) -> None:
        self._spec = spec
        text = line.file.text
        start = text.rfind("\n", 0, line.begin) + 1
        earlier = start
        for _ in range(_NEW_LINES):
            earlier = text.rfind("\n", 0, max(0, earlier - 1)) + 1
        head = [i for i in (spec.bos, spec.repo_name) if i is not None] + tokenizer.encode(f"{repo}\n")
        head += [i for i in (spec.file_sep,) if i is not None] + tokenizer.encode(f"{line.file.path}\n")
        self._head = head
        after = tokenizer.encode(text[line.end :])[:_AFTER_TOKENS]
        old_above, above = tokenizer.encode(text[:earlier]), tokenizer.encode(text[:start])
        cut = max(0, len(old_above) - _ABOVE_TOKENS)  # the window's start stays, as in completion.prompt.window
        self.indentation = tokenizer.encode(text[start : line.begin])
        self.target = tokenizer.encode(line.truth + "\n")
        self.before = self.fim(old_above[cut:], after, [])
        self.after = self.fim(above[cut:], after, self.indentation)
        self.empty = self.fim(above[cut:], [], self.indentation)
        self.left = [Cut(head), Cut(above[cut:]), Cut(self.indentation)]

    def fim(self, above: Sequence[int], after: Sequence[int], line: Sequence[int]) -> list[Cut]:
        """A FIM window, cut as completion.prompt.layout does."""
        prefix, suffix, middle = self._spec.fim_prefix, self._spec.fim_suffix, self._spec.fim_middle
        assert prefix is not None
        assert suffix is not None
        assert middle is not None
        return [
            Cut([*self._head, prefix]),
            Cut(above[:-_NEAR_TOKENS], 1),
            Cut([*above[-_NEAR_TOKENS:], suffix]),
            Cut(after[:_NEAR_AFTER_TOKENS]),
            Cut(after[_NEAR_AFTER_TOKENS:], 1),
            Cut([middle, *line]),
        ]


def score(scorer: EngineScorer, prompts: Prompts, condition: Condition) -> list[TokenScore]:
    """Score the line under a condition."""
    session = scorer.session(_ABOVE_TOKENS + _AFTER_TOKENS + 2048)
    match condition:
        case Condition.EXACT:
            return scorer.score(session, prompts.after, prompts.target)
        case Condition.MOVED:
            scorer.prefill(session, prompts.before)
            return scorer.score(session, prompts.after, prompts.target, _TIGHT_MS)
        case Condition.EMPTY:
            return scorer.score(session, prompts.empty, prompts.target)
        case Condition.LEFT:
            return scorer.score(session, prompts.left, prompts.target)


def run(root: Path, *, limit: int, seed: int, model: str, out: Path | None) -> int:
    """Run the experiment, print a table and the JSON line."""
    from model.engine.score import Scorer

    lines = masked_lines(root, limit, seed)
    loaded: Scorer = Scorer.open(model)
    spec = read_manifest(loaded.store).prompt
    if None in (spec.fim_prefix, spec.fim_suffix, spec.fim_middle):
        raise EvalError(f"{model} has no tokens for text in the middle")
    scorer = EngineScorer(loaded)
    scores: dict[Condition, list[list[TokenScore]]] = {condition: [] for condition in Condition}
    with open_results("suffix", out) as results:
        for line in tracked(lines, "suffix"):
            prompts = Prompts(line, root.resolve().name, loaded.tokenizer, spec)
            row: dict[str, Any] = {"id": f"{line.file.path}:{line.number}"}
            for condition in Condition:
                tokens = score(scorer, prompts, condition)
                scores[condition].append(tokens)
                row[condition.value] = [[token.logprob, token.correct] for token in tokens]
            results.add(row)
        summary = summarize(scores, Condition.EXACT)
        print_summary(summary)
        results.finish(
            {
                "suite": "suffix",
                "n": len(lines),
                "conditions": summary,
                "model": resolve(model).model_id,
                "engine": "midfill",
                "format": "fim",
                "seed": seed,
            }
        )
    return 0
