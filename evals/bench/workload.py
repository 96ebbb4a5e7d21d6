"""The workload "completing real code" of the bench: greedy completions in the middle of real functions.

The code is the Python standard library of the running interpreter: every machine has one, nobody downloads
it, and models know it as well as any code of the kind they are used on. A window is a stretch of a file from
the start of a line; its cuts are at starts of lines inside function bodies, 512 to 2,048 tokens into it. Cuts
of one window share their beginning, which every engine keeps, so that most of the time goes into decoding.

Rules: what is timed is decoding alone, from the first token's choice on; speed is all tokens over all
seconds. Each engine generates every prompt before the next prompt comes. Peers run plainly, with the kind of
attention that was their best for steps. The choice depends on the seed and on the library's version.
"""

import ast
import random
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from completion.types import Tokenizer
from evals.bench.contender import OURS, Contender
from evals.bench.timings import STEP_POSITION, step_figure
from evals.report import EvalError
from evals.sources import source_files

N_TOKENS = 48
_MIN_TOKENS, _MAX_TOKENS = 512, 2048
_CUTS = 6  # per window
# Characters that hold _MAX_TOKENS tokens of Python, with room to spare, yet little to tokenize in vain.
_WINDOW_CHARS = 12_000
_NOT_CODE = frozenset(("test", "tests", "idlelib", "pydoc_data"))  # tests repeat themselves; tables are no code
PLAIN, SPECULATING = "plain", "speculating"

# Engine and mode -> tokens and seconds, prompt by prompt.
Generated = dict[tuple[str, str], list[tuple[int, float]]]


def stdlib_prompts(tokenizer: Tokenizer, n_windows: int, seed: int) -> list[list[int]]:
    """Prompts of the workload, those of one window together and growing; EvalError without a library."""
    root = Path(sysconfig.get_path("stdlib"))
    files = [f for f in source_files(root, ".py") if not _NOT_CODE & set(Path(f.path).parts)]
    order = random.Random(seed)
    order.shuffle(files)
    prompts: list[list[int]] = []
    for file in files:
        prompts += _window(file.text, tokenizer, order)
        if len(prompts) == n_windows * _CUTS:
            return prompts
    raise EvalError(f"{root} holds too little Python for the workload")


def _window(text: str, tokenizer: Tokenizer, order: random.Random) -> list[list[int]]:
    """The prompts of one window at a random place of a file; none where too few cuts fit."""
    lines = text.splitlines(keepends=True)
    try:
        inside = body_lines(ast.parse(text))
    except (SyntaxError, ValueError):
        return []
    begin = order.randrange(max(1, len(lines) // 2))
    prompts: list[list[int]] = []
    n_chars = 0
    for index in range(begin, len(lines)):
        if n_chars > _WINDOW_CHARS:
            break
        # Fewer characters than tokens never happen in code, so what is too short is not even tokenized.
        if index in inside and n_chars > _MIN_TOKENS and lines[index].strip():
            ids = tokenizer.encode("".join(lines[begin:index]))
            if len(ids) > _MAX_TOKENS:
                break
            if len(ids) >= _MIN_TOKENS:
                prompts.append(ids)
        n_chars += len(lines[index])
    if len(prompts) < _CUTS:
        return []
    return [prompts[i] for i in sorted(order.sample(range(len(prompts)), _CUTS))]


def body_lines(tree: ast.Module) -> set[int]:
    """Indices of the lines in function bodies, the first line of each left out."""
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inside.update(range(node.body[0].lineno, node.end_lineno or 0))
    return inside


def time_workload(contenders: Sequence[Contender], prompts: list[list[int]]) -> Generated:
    """Generate every prompt with every engine; midfill with speculation too."""
    generated: Generated = {}
    modes = {c.name: [PLAIN, SPECULATING] if c.name == OURS else [PLAIN] for c in contenders}
    for contender in contenders:
        contender.use(contender.best_settings(step_figure(1, STEP_POSITION)))
    for ids in prompts:
        for contender in contenders:
            for mode in modes[contender.name]:
                asked = {"ids": ids, "n_tokens": N_TOKENS, "speculate": mode == SPECULATING}
                reply = contender.worker.ask("time_generate", **asked)
                generated.setdefault((contender.name, mode), []).append((reply["n"], reply["s"]))
    return generated


def tokens_per_second(pairs: list[tuple[int, float]]) -> float | None:
    """All tokens over all seconds; None when nothing was generated."""
    seconds = sum(s for _, s in pairs)
    return sum(n for n, _ in pairs) / seconds if seconds else None
