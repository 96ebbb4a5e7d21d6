"""What is masked, what the oracle shows, and the whole suite over a small tree with a tiny model."""

import json
from pathlib import Path

import pytest

from completion.types import Mode
from evals.cli import main
from evals.context.masked import Masked, Oracle, masked
from evals.context.needs import Target
from evals.context.repo import Budget, Condition, Score, by_file_size, f1, summarize
from evals.report import read_results
from evals.sources import SourceFile, source_files
from tests.model.tiny import make_tiny_model

PRICES = """\
class Price:
    amount: int

    def rounded(self, digits):
        return self


def tax(price, rate=5):
    return price // rate
"""
CLIENT = """\
from shop.prices import Price, tax


def total(price):
    cost = tax(price, rate=3)
    return cost


def show(price: Price):
    return price.rounded(2)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "shop").mkdir(parents=True)
    (root / "shop" / "__init__.py").write_text("")
    (root / "shop" / "prices.py").write_text(PRICES)
    (root / "shop" / "client.py").write_text(CLIENT)
    return root


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))


def examples(tree: Path, split: str) -> dict[int, Masked]:
    files = list(source_files(tree))
    return {example.number: example for example in masked(tree, split, "python", files, 0, 1)}


def test_a_line_is_masked_behind_its_indentation(tree: Path) -> None:
    line = examples(tree, "lines")[5]
    assert line.truth == "cost = tax(price, rate=3)"
    assert line.text == CLIENT.replace(line.truth, "")
    assert line.text[: line.cursor].endswith("def total(price):\n    ")
    assert [(need.path, need.line) for need in line.needs] == [("shop/prices.py", 8)]
    assert (line.mode, line.n_lines) == (Mode.LINE, 1)


def test_a_body_is_masked_as_a_whole(tree: Path) -> None:
    body = examples(tree, "bodies")[5]
    assert body.truth == "cost = tax(price, rate=3)\n    return cost"
    assert body.text == CLIENT.replace(body.truth, "")
    assert (body.mode, body.n_lines) == (Mode.BLOCK, 2)


def test_of_a_long_body_the_first_lines_are_asked_for_and_all_are_masked(tree: Path) -> None:
    long = "".join(f"    value_{n} = tax(price, rate={n})\n" for n in range(40))
    (tree / "shop" / "client.py").write_text(f"from shop.prices import tax\n\n\ndef total(price):\n{long}")
    (body,) = examples(tree, "bodies").values()
    assert body.truth.startswith("value_0 = ")
    assert 2 < body.n_lines < 12
    assert "value_" not in body.text


def test_any_line_needs_nothing(tree: Path) -> None:
    found = examples(tree, "any")
    assert {5, 6, 10} <= found.keys()
    assert not any(example.needs for example in found.values())


def test_the_oracle_shows_a_definition_under_the_header_of_its_class() -> None:
    oracle = Oracle({"shop/prices.py": SourceFile("shop/prices.py", "python", PRICES)})
    method, function = Target("shop/prices.py", 4, "rounded"), Target("shop/prices.py", 8, "tax")
    assert [snippet.text for snippet in oracle.snippets([method, function, function])] == [
        "class Price:\n    def rounded(self, digits):\n        return self\n",
        "def tax(price, rate=5):\n    return price // rate\n",
    ]


def test_every_condition_has_the_same_tokens_but_none() -> None:
    budget = Budget(4096)
    assert [budget.limits_of(condition) for condition in Condition] == [
        (4096, 192),
        (4096, 4096),
        (4096, 2048),
        (4096, 2048),
    ]


def test_f1_counts_repeated_identifiers() -> None:
    assert f1(["a", "b", "b"], ["a", "b", "c"]) == pytest.approx(2 * 2 / 6)
    assert f1([], []) == 1.0
    assert f1(["a"], []) == 0.0


def test_the_share_is_the_gain_over_the_oracles() -> None:
    def rows(*nlls: float) -> list[Score]:
        return [
            Score(
                nll=nll,
                n_tokens=2,
                n_prompt=9,
                text="",
                exact=0.0,
                similarity=0.5,
                identifiers_exact=0.0,
                identifiers_f1=0.0,
            )
            for nll in nlls
        ]

    scores = {
        Condition.NONE: rows(9, 9),
        Condition.INFILE: rows(6, 8),
        Condition.OURS: rows(5, 6),
        Condition.ORACLE: rows(4, 6),
    }
    summary = summarize(scores)
    assert summary["nll_infile"] == 14 / 4
    assert summary["nll_gain"] == 3 / 4
    assert summary["nll_gain_share"] == 3 / 4
    del scores[Condition.ORACLE]
    assert "nll_gain_share" not in summarize(scores)


def test_gains_are_told_apart_by_how_much_of_the_budget_the_file_takes() -> None:
    def row(nll: float, n_prompt: int) -> Score:
        return Score(nll, 2, n_prompt, "", exact=0, similarity=0, identifiers_exact=0, identifiers_f1=0)

    scores = {
        Condition.INFILE: [row(6, 40), row(6, 50), row(6, 51)],
        Condition.OURS: [row(4, 90), row(2, 90), row(8, 90)],
    }
    found = by_file_size(scores, 100)
    assert (found["n_short_file"], found["nll_gain_short_file"]) == (2, 6 / 4)
    assert (found["n_long_file"], found["nll_gain_long_file"]) == (1, -2 / 2)
    assert by_file_size({name: rows[:2] for name, rows in scores.items()}, 100)["n_long_file"] == 0


@pytest.mark.parametrize("split", ["lines", "any"])
def test_the_suite_runs_over_a_tree(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], split: str) -> None:
    model, out = make_tiny_model(tmp_path / "tiny"), tmp_path / "out.jsonl"
    arguments = ["--path", str(tree), "--split", split, "--tokens", "512", "--model", str(model), "--out", str(out)]
    assert main(["eval", "repo", *arguments, "--limit", "2"]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["n"] == 2
    assert summary["prompt_tokens_none"] <= summary["prompt_tokens_infile"] < summary["prompt_tokens_ours"] <= 512
    assert ("definition_recall_4k" in summary) == ("nll_gain_share" in summary) == (split == "lines")
    rows = read_results(out)
    assert len(rows) == 2
    for row in rows:
        assert row["none"]["n_tokens"] == row["ours"]["n_tokens"] > 1
        assert row["ours"]["nll"] > 0
        assert row["chosen"]
