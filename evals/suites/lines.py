"""`midfill eval lines --path DIR`: masks real lines of any source tree and asks for them back.

The cursor stands at the end of the line's indentation; above and below it is the real file. Two numbers: how
often the completed line equals the true one, and how probable the true line was under the very same prompt
(NLL per token, its newline included), which tells more per example.

Rules: exact match ignores white space at the line's end. Blank lines, comments, text inside of strings, and
lines shorter than six characters are not asked for.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from completion.types import Mode
from evals.engines import Subject, kind_of
from evals.peers.llamacpp import LlamaCppEngine
from evals.progress import tracked
from evals.report import EvalError, Results
from evals.scoring.documents import LIMITS, Answer, Document
from evals.scoring.figures import by_suite, figures, print_table, with_interval
from evals.scoring.teacher_forced import TargetScorer, open_midfill_scorer
from evals.setup import Setup, opened
from evals.sources import SourceFile, source_files
from evals.suites.examples import Example, Record
from evals.suites.examples import evaluate as evaluate_example
from parsers.parse import byte_offset, parse
from parsers.scope import CursorKind, cursor_kind
from tuning.stats import ratio_interval

_MIN_LINE_CHARS = 6
_DOCSTRING_QUOTES = ('"""', "'''")


@dataclass(frozen=True, slots=True)
class MaskedLine:
    """Line `number` (from 1) of a file; `begin` and `end` are code-point offsets of its code."""

    file: SourceFile
    number: int
    begin: int
    end: int

    @property
    def truth(self) -> str:
        """The code that was masked, without the white space around it."""
        return self.file.text[self.begin : self.end]

    def document(self, repo: str) -> Document:
        """The file without the line's code, the cursor where it began."""
        before, after = self.file.text[: self.begin], self.file.text[self.end :]
        # Blanks at the line's end go with the line: nobody has them before the code is typed.
        after = after.lstrip(" \t")
        return Document(path=self.file.path, repo=repo, text=before + after, cursor=self.begin, mode=Mode.LINE)

    def example(self, repo: str) -> Example:
        """The line as an example, without a test."""
        return Example(
            id=f"{self.file.path}:{self.number}",
            suite="lines",
            language=self.file.language,
            document=self.document(repo),
            truth=self.truth,
        )


def masked_lines(root: Path, limit: int, seed: int, language: str = "") -> list[MaskedLine]:
    """A seeded sample of `limit` lines (0: all) of the tree, or of a language in it; EvalError when it has no code."""
    files = (file for file in source_files(root) if language in ("", file.language))
    lines = [line for file in files for line in code_lines(file)]
    random.Random(seed).shuffle(lines)
    chosen: list[MaskedLine] = []
    for line in lines:
        if limit and len(chosen) == limit:
            break
        if is_code(line):
            chosen.append(line)
    if not chosen:
        raise EvalError(f"{root} holds no lines of code that can be scored")
    return chosen


def code_lines(file: SourceFile) -> list[MaskedLine]:
    """The lines of a file that are long enough to be asked for; whether each is code, `is_code` says."""
    result, offset = [], 0
    for number, line in enumerate(file.text.split("\n"), 1):
        code = line.strip()
        if len(code) >= _MIN_LINE_CHARS:
            begin = offset + len(line) - len(line.lstrip())
            result.append(MaskedLine(file, number, begin, begin + len(code)))
        offset += len(line) + 1
    return result


def is_code(line: MaskedLine) -> bool:
    """Whether the line begins outside of comments and strings. Parses: asked of sampled lines only."""
    text = line.file.text
    if line.truth.startswith(_DOCSTRING_QUOTES):
        return False
    tree = parse(line.file.language, text)
    if cursor_kind(tree, byte_offset(text, line.begin)) is not CursorKind.CODE:
        return False
    # Right before a comment's first character is still code.
    return cursor_kind(tree, byte_offset(text, line.begin + 1)) is not CursorKind.COMMENT


async def evaluate(
    subject: Subject,
    lines: Sequence[MaskedLine],
    scorer: TargetScorer | None,
    repo: str,
    results: Results,
    window_tokens: int = LIMITS.max_prompt_tokens,
) -> list[Record]:
    """Ask for every line; `nll` is the sum over `n_target_tokens`, 0 of 0 without a scorer."""
    records = []
    for line in tracked(lines, subject.name):

        def nll(got: Answer, line: MaskedLine = line) -> Record:
            logprobs: list[float] = []
            if scorer is not None and got.prompt is not None:
                logprobs = scorer.target_logprobs(list(got.prompt.token_ids), _target(subject, got, line))
            return {"nll": -sum(logprobs), "n_target_tokens": len(logprobs)}

        example = line.example(repo)
        records.append(await evaluate_example(subject, example, results, window_tokens=window_tokens, more=nll))
    return records


def _target(subject: Subject, got: Answer, line: MaskedLine) -> list[int]:
    """Ids of the true line and its newline, beginning with the indentation that token healing took back."""
    heal = got.prompt.heal.decode("utf-8", "replace") if got.prompt else ""
    return subject.tokenizer.encode(heal + line.truth + "\n")


async def run(root: Path, setup: Setup, *, limit: int, seed: int, nll: bool, window_tokens: int) -> int:
    """Run the suite and print its JSON line."""
    lines = masked_lines(root, limit, seed)
    async with opened("lines", setup) as (subject, results):
        scorer = _scorer(subject, setup.model) if nll else None
        records = await evaluate(subject, lines, scorer, root.resolve().name, results, window_tokens)
        found = figures(records)
        summary: dict[str, Any] = {
            "suite": "lines",
            "low": found["exact_match_low"],
            "high": found["exact_match_high"],
            **found,
            "model": subject.model,
            "engine": subject.name,
            "format": subject.spec.line_format.value,
            "seed": seed,
            "window_tokens": window_tokens,
        }
        print(f"lines: exact match {with_interval(found, 'exact_match', 4)} over {len(records)} lines")
        print_table(by_suite(records))
        if scored := [(record["nll"], record["n_target_tokens"]) for record in records if record["n_target_tokens"]]:
            sums, counts = zip(*scored, strict=True)
            per_token = ratio_interval(sums, counts)
            summary |= {"nll": per_token.mean, "nll_low": per_token.low, "nll_high": per_token.high}
            print(f"lines: NLL per token {per_token} over {sum(counts)} tokens")
        results.finish(summary)
    return 0


def _scorer(subject: Subject, model: str) -> TargetScorer:
    if isinstance(subject.engine, LlamaCppEngine):
        return subject.engine
    return open_midfill_scorer(model, kind_of(subject.name))
