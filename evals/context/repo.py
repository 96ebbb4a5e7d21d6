"""`midfill eval repo --path DIR`: what context from other files is worth to a model, in any repository.

Lines, or beginnings of function bodies, that use something of another file (as the language's own tools say, see
`resolve`) are taken away and asked for, each with four prompts of at most the same number of tokens:

    none     the file's nearest lines alone
    infile   all of the file that fits
    ours     half of the tokens for the file, the other half for what midfill chooses from the repository
    oracle   the same half for the file, and exactly the definitions that are needed

Scored: NLL per token of the true text, and of what the model writes by itself, exact match, edit similarity (difflib's
ratio, as CrossCodeEval, Ding et al. 2023, has it) and identifiers (exact, F1). `nll_gain_share` is how much of what the
oracle gains over `infile` ours gains. `--split any` takes any line: there is no oracle, but a question: does it harm?

Rules: full attention, every token sees all before it: this measures the choice of context, not the engine's way with it
(`blocks` does that). Differences are paired by example, intervals are bootstrapped over examples.
"""

import difflib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from completion.code.words import identifiers
from completion.context.selection import Ranked, select
from completion.prompt.layout import build_prompt
from completion.prompt.segments import SegmentCache
from completion.types import Prompt, PromptSpec, Snippet
from evals.context.masked import Masked, Oracle, masked
from evals.context.recall import BUDGETS, ROOM_TOKENS, found
from evals.progress import tracked
from evals.report import EvalError, open_results
from evals.scoring.documents import LIMITS
from evals.scoring.engine_scorer import Cut, EngineScorer
from evals.sources import source_files
from lsp_server.index.build import bring_up_to_date
from lsp_server.workspace.repository import Repository
from model.library.catalog import resolve
from model.library.store import present_spec
from tuning.stats import mean_interval, ratio_interval

if TYPE_CHECKING:
    from model.engine.score import Scorer

_NEAREST_TOKENS = 192
_MAX_NEW_TOKENS = 96


class Condition(StrEnum):
    """What a prompt holds; see above."""

    NONE = "none"
    INFILE = "infile"
    OURS = "ours"
    ORACLE = "oracle"


@dataclass(frozen=True, slots=True)
class Score:
    """One example under one condition; `nll` is the sum over `n_tokens` tokens."""

    nll: float
    n_tokens: int
    n_prompt: int
    text: str
    exact: float
    similarity: float
    identifiers_exact: float
    identifiers_f1: float


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens of a prompt, and of the file in it, by condition."""

    n_tokens: int

    def limits_of(self, condition: Condition) -> tuple[int, int]:
        """(of the prompt, of the file)."""
        match condition:
            case Condition.NONE:
                return self.n_tokens, min(_NEAREST_TOKENS, self.n_tokens)
            case Condition.INFILE:
                return self.n_tokens, self.n_tokens
            case Condition.OURS | Condition.ORACLE:
                return self.n_tokens, self.n_tokens // 2


class Prompter:
    """Makes the product's own prompts."""

    def __init__(self, scorer: "Scorer", spec: PromptSpec, repo: str, n_tokens: int) -> None:
        self._tokenizer, self._spec, self._repo = scorer.tokenizer, spec, repo
        self._budget = Budget(n_tokens)
        self._segments = SegmentCache(scorer.tokenizer)

    def prompt(self, example: Masked, condition: Condition, snippets: Sequence[Snippet]) -> Prompt:
        """The prompt of an example with these snippets, the best first."""
        n_prompt, n_file = self._budget.limits_of(condition)
        limits = replace(LIMITS, max_prompt_tokens=n_prompt, max_file_tokens=n_file)
        request = example.request(self._repo, snippets)
        return build_prompt(self._spec, self._tokenizer, self._segments, limits, request, example.mode)

    def target(self, example: Masked, prompt: Prompt) -> list[int]:
        """The ids of the true text and its line end, beginning with what token healing took back."""
        return self._tokenizer.encode(prompt.heal.decode("utf-8", "replace") + example.truth + "\n")


def score(scorer: EngineScorer, example: Masked, prompt: Prompt, target: Sequence[int]) -> Score:
    """NLL of the truth, then what the model itself writes after the same prompt."""
    window = [Cut(prompt.token_ids)]
    session = scorer.session(len(prompt.token_ids) + max(len(target), _MAX_NEW_TOKENS) + 1)
    tokens = scorer.score(session, window, target)
    written = scorer.write(session, window, prompt.heal, prompt.stop_token_ids, _MAX_NEW_TOKENS, _has(example.n_lines))
    text = "\n".join(written.decode("utf-8", "replace").split("\n")[: example.n_lines]).strip()
    return Score(
        nll=-sum(token.logprob for token in tokens),
        n_tokens=len(tokens),
        n_prompt=len(prompt.token_ids),
        text=text,
        exact=float(_lines(text) == _lines(example.truth)),
        similarity=difflib.SequenceMatcher(None, text, example.truth, autojunk=False).ratio(),
        identifiers_exact=float(list(identifiers(text)) == list(identifiers(example.truth))),
        identifiers_f1=f1(list(identifiers(text)), list(identifiers(example.truth))),
    )


def _has(n_lines: int) -> Callable[[bytes], bool]:
    return lambda written: written.lstrip().count(b"\n") >= n_lines


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.split("\n")]


def f1(got: Sequence[str], wanted: Sequence[str]) -> float:
    """Harmonic mean of precision and recall, of multisets; 1 when both are empty."""
    shared = (Counter(got) & Counter(wanted)).total()
    return 2 * shared / (len(got) + len(wanted)) if got or wanted else 1.0


Scores = dict[Condition, list[Score]]


def summarize(scores: Scores) -> dict[str, Any]:
    """Keys of the JSON line; `<measure>_<condition>`, differences to `infile`, and the share of the oracle's gain."""
    summary: dict[str, Any] = {}
    n_tokens = [float(row.n_tokens) for row in scores[Condition.INFILE]]
    for name, rows in scores.items():
        summary[f"nll_{name}"] = ratio_interval([row.nll for row in rows], n_tokens).mean
        summary[f"exact_match_{name}"] = mean_interval([row.exact for row in rows]).mean
        summary[f"edit_similarity_{name}"] = mean_interval([row.similarity for row in rows]).mean
        summary[f"identifier_match_{name}"] = mean_interval([row.identifiers_exact for row in rows]).mean
        summary[f"identifier_f1_{name}"] = mean_interval([row.identifiers_f1 for row in rows]).mean
        summary[f"prompt_tokens_{name}"] = mean_interval([float(row.n_prompt) for row in rows]).mean
    summary |= _interval("nll_gain", ratio_interval(_gains(scores, Condition.OURS), n_tokens))
    exact = [
        ours.exact - bare.exact for ours, bare in zip(scores[Condition.OURS], scores[Condition.INFILE], strict=True)
    ]
    summary |= _interval("exact_match_gain", mean_interval(exact))
    if Condition.ORACLE in scores:
        share = ratio_interval(_gains(scores, Condition.OURS), _gains(scores, Condition.ORACLE))
        summary |= _interval("nll_gain_share", share)
    return summary


def by_file_size(scores: Scores, n_tokens: int) -> dict[str, Any]:
    """The gain where the file leaves half of the budget free (`short_file`), and where ours takes room from it."""
    summary: dict[str, Any] = {}
    gains = _gains(scores, Condition.OURS)
    is_long = [row.n_prompt > n_tokens // 2 for row in scores[Condition.INFILE]]
    for name, wanted in (("short_file", False), ("long_file", True)):
        chosen = [n for n, long in enumerate(is_long) if long is wanted]
        summary[f"n_{name}"] = len(chosen)
        if chosen:
            n_scored = [float(scores[Condition.INFILE][n].n_tokens) for n in chosen]
            summary |= _interval(f"nll_gain_{name}", ratio_interval([gains[n] for n in chosen], n_scored))
    return summary


def _gains(scores: Scores, condition: Condition) -> list[float]:
    """By how much the NLL of each example is below that of `infile`."""
    return [bare.nll - row.nll for bare, row in zip(scores[Condition.INFILE], scores[condition], strict=True)]


def _interval(name: str, interval: Any) -> dict[str, float]:
    return {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}


def table_of(scores: Scores, title: str) -> Table:
    """One row per condition."""
    table = Table("context", "NLL/token", "exact", "edit sim.", "identifiers", "F1", "prompt tokens", title=title)
    summary = summarize(scores)
    measures = ("nll", "exact_match", "edit_similarity", "identifier_match", "identifier_f1")
    for name in scores:
        table.add_row(
            name,
            *(f"{summary[f'{measure}_{name}']:.3f}" for measure in measures),
            f"{summary[f'prompt_tokens_{name}']:.0f}",
        )
    return table


class Suite:
    """What stays the same over a run."""

    def __init__(self, scorer: "Scorer", prompter: Prompter, repository: Repository, oracle: Oracle, room: int) -> None:
        self._loaded, self._prompter, self._repository, self._oracle = scorer, prompter, repository, oracle
        self._room = room
        self._scorer = EngineScorer(scorer)

    def run(self, example: Masked) -> tuple[dict[Condition, Score], dict[str, list[bool]], list[Ranked]]:
        """(scores, needs found within each budget, what was chosen for `ours`)."""
        candidates = self._repository.candidates(example.path, example.text, example.cursor)
        ranked = [entry for entry in select(candidates, ROOM_TOKENS) if not entry.left_out]
        chosen = [entry for entry in select(candidates, self._room) if not entry.left_out]
        snippets = {
            Condition.NONE: [],
            Condition.INFILE: [],
            Condition.OURS: [entry.snippet for entry in chosen],
            Condition.ORACLE: self._oracle.snippets(example.needs),
        }
        scores = {}
        for condition in Condition if example.needs else list(Condition)[:-1]:
            prompt = self._prompter.prompt(example, condition, snippets[condition])
            scores[condition] = score(self._scorer, example, prompt, self._prompter.target(example, prompt))
        hits = {name: found(example.needs, ranked, self._loaded.tokenizer, budget) for name, budget in BUDGETS.items()}
        return scores, hits, chosen


def run(
    root: Path, *, language: str, split: str, limit: int, seed: int, n_tokens: int, model: str, out: Path | None
) -> int:
    """Measure, print a table and the JSON line, and write a page with plots beside the results."""
    from model.engine.score import Scorer

    everything = {file.path: file for file in source_files(root)}
    files = [file for file in everything.values() if file.language == language]
    if not files:
        raise EvalError(f"{root} holds no {language} files")
    examples = masked(root, split, language, files, limit, seed)
    bring_up_to_date(root, Console(stderr=True))
    scorer = Scorer.open(model)
    prompter = Prompter(scorer, present_spec(scorer.store, resolve(model).row), root.resolve().name, n_tokens)
    repository = Repository.open(root)
    suite = Suite(scorer, prompter, repository, Oracle(everything), n_tokens // 2)
    scores: Scores = {}
    hits: dict[str, list[float]] = {name: [] for name in BUDGETS}
    with open_results("repo", out) as results:
        for example in tracked(examples, split):
            row, verdicts, chosen = suite.run(example)
            for condition, entry in row.items():
                scores.setdefault(condition, []).append(entry)
            for name, of_budget in verdicts.items():
                hits[name].append(float(sum(of_budget)))
            results.add(_example(example, row, verdicts, chosen))
        print_result(scores, f"{root.resolve().name}, {language}, {split}, {n_tokens} tokens")
        results.finish(
            {
                "suite": "repo",
                "tree": root.resolve().name,
                "split": split,
                "language": language,
                "n": len(examples),
                "n_files": len(files),
                "tokens": n_tokens,
                **summarize(scores),
                **by_file_size(scores, n_tokens),
                **_recall(examples, hits),
                "model": resolve(model).model_id,
                "seed": seed,
            }
        )
    repository.close()
    return 0


def print_result(scores: Scores, title: str) -> None:
    """A table, and what it says in words."""
    summary = summarize(scores)
    Console(width=110).print(table_of(scores, title))
    gains = {
        "nll_gain": "NLL below in-file",
        "exact_match_gain": "exact match above",
        "nll_gain_share": "of the oracle's",
    }
    for name, words in gains.items():
        if name in summary:
            print(f"{words}: {summary[name]:+.3f} [{summary[f'{name}_low']:+.3f}, {summary[f'{name}_high']:+.3f}]")


def _recall(examples: Sequence[Masked], hits: Mapping[str, Sequence[float]]) -> dict[str, float]:
    n_needs = [float(len(example.needs)) for example in examples]
    if not sum(n_needs):
        return {}
    return {f"definition_recall_{name}": ratio_interval(values, n_needs).mean for name, values in hits.items()}


def _example(
    example: Masked, row: Mapping[Condition, Score], hits: Mapping[str, Sequence[bool]], chosen: Sequence[Ranked]
) -> dict[str, Any]:
    return {
        "id": f"{example.path}:{example.number}",
        "score": row[Condition.OURS].exact,
        "truth": example.truth,
        "needs": [[need.path, need.line, need.name] for need in example.needs],
        "found": hits,
        "chosen": [[entry.path, list(entry.sources), round(entry.score, 4)] for entry in chosen],
        **{
            condition.value: {name: getattr(entry, name) for name in Score.__dataclass_fields__}
            for condition, entry in row.items()
        },
    }
