"""Texts that nobody would write, through the path that the server takes: `python -m tests.fuzz texts`.

Random bytes, random tokens of the language, deep nesting of every token that its grammar has, and the sample files
mutated, in all languages. Each is opened, edited, asked where its cursor is, has a suggestion checked, and is cut and
outlined as for an epoch, while an honest document is asked in between.

Rules: an input follows from the seed and its number alone, so that a run goes on where it was ended (`--state`), and
one input can be tried again (`--only`).
"""

import argparse
import json
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from completion.filters.chain import apply_filters
from completion.trigger import decide
from completion.types import CompletionRequest, DocumentSnapshot, Trigger
from lsp_server.grammars import MODULES
from parsers.chunks import chunks
from parsers.guard import Guard
from parsers.languages import LANGUAGES, by_id
from parsers.outline import outline
from parsers.parse import SyntaxTree, parse, to_bytes
from parsers.scope import cursor_kind

SAMPLES = Path(__file__).parents[1] / "parsers" / "samples"
IDS = [language.id for language in LANGUAGES if language.grammar]
_HONEST = "def add(a, b):\n    return a  # here\n"
_LENGTHS = (10, 30, 60, 100, 200, 255, 300, 300) * 3 + (1_000, 1_000, 3_000)  # long ones take most of the time
_EVERY = 50  # inputs between two questions to the honest document
_SAVE_EVERY = 1_000
# Of the inputs: checking a suggestion and an outline take most of the time.
_SLOW_SHARE = 0.2


@dataclass
class Figures:
    """What came of a run so far."""

    inputs: int = 0
    crashes: int = 0  # of a child over a document
    hangs: int = 0
    documents_lost: int = 0  # honest ones that were refused, or whose answers were wrong
    answers_lost: int = 0  # questions that ended in an exception
    honest_worst_ms: float = 0.0
    by_language: dict[str, int] = field(default_factory=dict)


def make(seed: int, number: int) -> tuple[str, str]:
    """(language, text) of an input."""
    rng = random.Random(f"{seed}-{number}")
    language = IDS[number % len(IDS)]
    kinds = (_random_bytes, _random_tokens, _nested, _mutated, _mutated, _mutated)
    return language, rng.choice(kinds)(language, rng)


def _random_bytes(language: str, rng: random.Random) -> str:
    data = rng.randbytes(rng.randrange(1, 2_000))
    return data.decode(rng.choice(["latin-1", "utf-8"]), "replace")


def _random_tokens(language: str, rng: random.Random) -> str:
    between = rng.choice(["", " ", "\n"])
    return between.join(rng.choice(_tokens(language)) for _ in range(rng.randrange(1, 200)))


def _nested(language: str, rng: random.Random) -> str:
    """One token, or two, again and again; often behind something honest."""
    token = "".join(rng.choice(_tokens(language)) for _ in range(rng.choice([1, 1, 1, 2])))
    before = rng.choice(["", "", _sample(language)])
    return before + (token + rng.choice(["", "", " ", "\n", "x"])) * rng.choice(_LENGTHS)


def _mutated(language: str, rng: random.Random) -> str:
    text = _sample(language)
    for _ in range(rng.randrange(1, 6)):
        at, to = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
        to = min(to, at + rng.choice([1, 5, 40, 400]))
        again = text[at:to] * rng.choice([2, 3, 30])
        new = rng.choice(["", again, rng.choice(_tokens(language)), text[to:at:-1], "\0", "\u2028", "\t"])
        text = (text[:at] + new + text[to:])[:6_000]
    return text


@cache
def _sample(language: str) -> str:
    return next(SAMPLES.glob(f"{language}.*")).read_text()


@cache
def _tokens(language: str) -> list[str]:
    """What a grammar calls tokens, and the row's comments; signs first, which nest."""
    from tree_sitter_language_pack import get_language

    row = by_id(language)
    assert row.grammar is not None
    grammar = get_language(row.grammar)  # type: ignore[arg-type]
    ids = range(1, grammar.node_kind_count)
    kinds = {grammar.node_kind_for_id(n) for n in ids if not grammar.node_kind_is_named(n)}
    marks = {row.line_comment, *(row.block_comment or ()), "(", "[", "{", "<", '"', "'", "`", "#", ">", "-", "*", "/*"}
    return sorted(token for token in kinds | marks if token and token.strip())


def run(n: int, seed: int, figures: Figures, state: Path | None = None) -> Figures:
    """Try the inputs that are left of `n`; what is known so far is kept in `state`."""
    guard = Guard(MODULES)
    began, honest = time.monotonic(), guard.first("python", to_bytes(_HONEST)).settle()
    try:
        for number in range(figures.inputs, n):
            before = guard.n_died
            _try(guard, *make(seed, number), figures)
            figures.inputs += 1
            if guard.n_died > before or number % _EVERY == 0:
                honest = _ask_honest(honest, number, figures)
            if number % _SAVE_EVERY == _SAVE_EVERY - 1:
                _save(figures, state)
                print(f"{number + 1:,} of {n:,} after {time.monotonic() - began:.0f} s: {_short(figures)}", flush=True)
    finally:
        guard.close()
    _save(figures, state)
    return figures


def _try(guard: Guard, language: str, text: str, figures: Figures) -> None:
    rng = random.Random(text)
    try:
        tree = guard.first(language, to_bytes(text)).settle()
        for _ in range(2):
            at = rng.randrange(len(text) + 1)
            text = text[:at] + rng.choice(["x", "\n", rng.choice(_tokens(language))]) + text[at:]
            tree = parse(language, text, tree).settle()
            request = _request(tree, at)
            decide(request)
        if rng.random() < _SLOW_SHARE:
            apply_filters(rng.choice(_tokens(language)) * rng.choice([1, 3, 200]), request)
        if rng.random() < _SLOW_SHARE:
            outline(tree)
            chunks(tree)
        list(_after(tree))
    except Exception as error:  # noqa: BLE001 - any would have been an answer lost
        print(f"{language} {text[:60]!r}: {error!r}", flush=True)
        figures.answers_lost += 1
        return
    if tree.refused:
        figures.by_language[language] = figures.by_language.get(language, 0) + 1
        if "too long" in tree.refused:
            figures.hangs += 1
        else:
            figures.crashes += 1


def _after(tree: SyntaxTree) -> Iterator[str]:
    """A document that was refused stays plain text, and costs nothing any more."""
    if tree.refused:
        later = parse(tree.language, tree.source.decode() + "x", tree).settle()
        assert later.refused == tree.refused
        yield later.refused


def _ask_honest(honest: SyntaxTree, number: int, figures: Figures) -> SyntaxTree:
    began = time.perf_counter()
    honest = parse("python", f"{_HONEST}# {number}\n", honest).settle()
    kind = cursor_kind(honest, len(_HONEST) - 2)
    figures.honest_worst_ms = max(figures.honest_worst_ms, (time.perf_counter() - began) * 1e3)
    if kind.value != "comment" or honest.refused:
        figures.documents_lost += 1
    return honest


def _request(tree: SyntaxTree, cursor: int) -> CompletionRequest:
    snapshot = DocumentSnapshot(
        uri="", path="a", repo="", version=1, text=tree.source.decode(), language=tree.language, tree=tree
    )
    return CompletionRequest(snapshot=snapshot, cursor=cursor, mode=None, trigger=Trigger.INVOKED, session="")


def _short(figures: Figures) -> str:
    return (
        f"{figures.crashes} crashes of a child, {figures.hangs} hangs cut, {figures.documents_lost} documents lost, "
        f"{figures.answers_lost} answers lost"
    )


def _save(figures: Figures, state: Path | None) -> None:
    if state is not None:
        state.write_text(json.dumps(asdict(figures)))


def _load(state: Path | None) -> Figures:
    if state is None or not state.exists():
        return Figures()
    return Figures(**json.loads(state.read_text()))


def main(arguments: list[str]) -> int:
    """Entry point of `texts`."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz texts", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--n", type=int, default=200_000, help="inputs (default 200,000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", type=Path, help="a file that keeps how far it is; named again, the run goes on")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="try this input alone, and show it")
    args = parser.parse_args(arguments)
    figures = _load(args.state)
    if args.only is not None:
        language, text = make(args.seed, args.only)
        print(f"{language}: {text!r}")
        guard = Guard(MODULES)
        _try(guard, language, text, figures)
        guard.close()
    else:
        figures = run(args.n, args.seed, figures, args.state)
    print(_short(figures))
    print(json.dumps({"bench": "fuzz texts", "seed": args.seed, **asdict(figures)}))
    return 1 if figures.documents_lost or figures.answers_lost else 0
