import random
from pathlib import Path

import pytest

from evals.context.blocks import Condition, EngineBlockScorer, Parts, build_parts, evaluate
from evals.context.symbols import symbol_uses
from evals.report import open_results, read_results
from evals.scoring.engine_scorer import TokenScore, summarize
from evals.scoring.teacher_forced import MidfillScorer
from evals.sources import SourceFile
from model.engine.score import Scorer
from tests.evals.scripted import ByteTokenizer, scripted_subject
from tests.model.tiny import make_tiny_model

CLIENT = """\
from shop.prices import Price, tax
from .stock import Stock as Shelf
import os

def total(price):
    shelf = Shelf()
    return tax(price) + os.getpid()
"""
PRICES = """\
class Price:
    amount: int

@cached
def tax(price):
    return price // 5
"""
STOCK = "class Stock:\n    pass\n"


def files(**texts: str) -> list[SourceFile]:
    return [SourceFile(name.replace("__", "/") + ".py", "python", text) for name, text in texts.items()]


def test_a_line_is_found_with_the_definition_it_uses_and_the_others_of_its_file() -> None:
    uses = list(symbol_uses(files(shop__client=CLIENT, shop__prices=PRICES, shop__stock=STOCK), "repo"))
    assert [(use.number, [s.name for s in use.used]) for use in uses] == [(6, ["Stock"]), (7, ["tax"])]
    assert sorted(s.name for s in uses[1].others) == ["Price", "Stock"]
    assert uses[1].used[0].path == "shop/prices.py"
    assert uses[1].used[0].text == "@cached\ndef tax(price):\n    return price // 5\n"


@pytest.mark.parametrize("folder", ["", "src__shop__"])
def test_imports_are_found_from_above_the_root_and_from_src(folder: str) -> None:
    texts = {f"{folder}client": CLIENT, f"{folder}prices": PRICES, f"{folder}stock": STOCK}
    assert len(list(symbol_uses(files(**texts), "shop"))) == 2


def test_files_that_do_not_parse_and_imports_from_elsewhere_are_left_out() -> None:
    other = "from torch.prices import tax\nvalue = tax(1)\n"
    assert not list(symbol_uses(files(prices=PRICES, broken="def (:\n", client=other), "shop"))


def test_parts_hold_the_file_above_the_line_and_the_line_itself() -> None:
    use = list(symbol_uses(files(shop__client=CLIENT, shop__prices=PRICES, shop__stock=STOCK), "repo"))[1]
    parts = build_parts(use, "repo", ByteTokenizer(), scripted_subject(str).spec, random.Random(0))
    assert bytes(parts.target) == b"    return tax(price) + os.getpid()\n"
    assert bytes(parts.file).endswith(b"    shelf = Shelf()\n")
    assert sorted(bytes(snippet).split(b"\n")[0] for snippet in parts.snippets) == [
        b"shop/prices.py",
        b"shop/prices.py",
        b"shop/stock.py",
    ]


@pytest.fixture
def scorer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scorer:
    """A tiny random model, in fp32, so that equal computations give equal numbers."""
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    return Scorer.open(str(make_tiny_model(tmp_path / "tiny")), "fp32")


def random_ids(n: int, seed: int) -> list[int]:
    return random.Random(seed).choices(range(256), k=n)


def logprobs(tokens: list[TokenScore]) -> list[float]:
    return [token.logprob for token in tokens]


def test_exact_is_the_plain_forward_over_all_parts(scorer: Scorer) -> None:
    parts = Parts(
        random_ids(9, 1),
        [random_ids(40, 2), random_ids(30, 3)],
        random_ids(6, 9),
        random_ids(300, 4),
        random_ids(12, 5),
    )
    plain = scorer.logprobs(
        [*parts.header, *parts.snippets[0], *parts.snippets[1], *parts.path, *parts.file, *parts.target]
    )
    exact = EngineBlockScorer(scorer).score(parts, Condition.EXACT)
    assert logprobs(exact) == pytest.approx(plain[-12:], abs=1e-3)
    without = scorer.logprobs([*parts.header, *parts.path, *parts.file, *parts.target])
    none = EngineBlockScorer(scorer).score(parts, Condition.NONE)
    assert logprobs(none) == pytest.approx(without[-12:], abs=1e-3)


def test_a_lone_block_right_behind_the_header_is_exact(scorer: Scorer) -> None:
    parts = Parts(random_ids(9, 1), [random_ids(40, 2)], random_ids(6, 9), random_ids(50, 4), random_ids(12, 5))
    score = EngineBlockScorer(scorer).score
    exact, window = score(parts, Condition.EXACT), score(parts, Condition.WINDOW)
    assert logprobs(window) == pytest.approx(logprobs(exact), abs=1e-3)


def test_the_rungs_differ_where_they_should(scorer: Scorer) -> None:
    """Two blocks and a file of which a part is far: independent, missing and stale parts each change the numbers."""
    parts = Parts(
        random_ids(9, 1),
        [random_ids(40, 2), random_ids(30, 3)],
        random_ids(6, 9),
        random_ids(400, 4),
        random_ids(12, 5),
    )
    score = EngineBlockScorer(scorer, deadline_ms=0.5).score
    by_rung = [logprobs(score(parts, condition)) for condition in Condition]
    for index, one in enumerate(by_rung):
        for other in by_rung[index + 1 :]:
            assert one != pytest.approx(other, abs=1e-4)


def test_a_token_is_correct_when_it_was_the_most_probable(scorer: Scorer) -> None:
    parts = Parts(random_ids(9, 1), [], random_ids(6, 9), random_ids(20, 4), [0])
    best = max(range(256), key=lambda i: scorer.logprobs([*parts.header, *parts.path, *parts.file, i])[-1])
    score = EngineBlockScorer(scorer).score
    assert score(Parts(parts.header, [], parts.path, parts.file, [best]), Condition.EXACT)[0].correct
    assert not score(Parts(parts.header, [], parts.path, parts.file, [(best + 1) % 256]), Condition.EXACT)[0].correct


def test_a_target_is_scored_after_its_prompt_as_the_whole_text_would_be(scorer: Scorer) -> None:
    prompt, target = random_ids(300, 1), random_ids(7, 2)
    scored = MidfillScorer(scorer).target_logprobs(prompt, target)
    assert scored == pytest.approx(scorer.logprobs([*prompt, *target])[-7:], abs=1e-3)


def test_the_summary_is_paired_by_line() -> None:
    def tokens(nll: float) -> list[TokenScore]:
        return [TokenScore(-nll, True), TokenScore(-nll, False)]

    scores = {condition: [tokens(1.0), tokens(9.0)] for condition in Condition}
    scores[Condition.NONE] = [tokens(1.5), tokens(9.5)]
    summary = summarize(scores, Condition.EXACT)
    assert summary["exact"] == {"nll": 5.0, "accuracy": 0.5, "minus_exact": 0.0, "low": 0.0, "high": 0.0}
    assert summary["none"]["nll"] == 5.5
    assert (summary["none"]["low"], summary["none"]["high"]) == (0.5, 0.5)


class LengthScorer:
    """Log-probability is minus the number of snippets that the condition lets take part."""

    def score(self, parts: Parts, condition: Condition) -> list[TokenScore]:
        n = 0 if condition is Condition.NONE else len(parts.snippets)
        return [TokenScore(-float(n), False)] * len(parts.target)


def test_every_example_is_scored_under_every_condition_and_kept(tmp_path: Path) -> None:
    parts = Parts(header=[1], snippets=[[2], [3]], path=[7], file=[4], target=[5, 6])
    with open_results("blocks", tmp_path / "out.jsonl") as results:
        scores = evaluate(LengthScorer(), [("a.py:1", parts)], results)
    assert scores[Condition.NONE][0] == [TokenScore(0.0, False)] * 2
    assert read_results(tmp_path / "out.jsonl")[0]["window"] == [[-2.0, False], [-2.0, False]]
