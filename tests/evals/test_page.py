"""The page shows what the results files hold, and nothing that they do not."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from evals.cli import main

MACHINE = {"machine": {"cpu": "a processor", "cores": 2}, "commit": "abc1234"}
SCORE = {"n_tokens": 4, "n_prompt": 100, "similarity": 0.5, "identifiers_exact": 0.0, "identifiers_f1": 0.5}


def results(path: Path, summary: dict[str, Any], examples: list[dict[str, Any]]) -> Path:
    rows = [*examples, {"summary": summary | MACHINE}] if summary else examples
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def repo(path: Path) -> Path:
    summary = {"suite": "repo", "tree": "shop-1.0", "split": "lines", "language": "python", "n": 1, "tokens": 4096}
    gains = {f"{name}{end}": 0.123 for name in ("nll_gain", "nll_gain_share") for end in ("", "_low", "_high")}
    example = {
        "id": "a.py:3",
        "truth": "x = List<int>",
        **{
            name: SCORE | {"nll": 2.0, "exact": 1.0, "text": f"by {name}"}
            for name in ("none", "infile", "ours", "oracle")
        },
    }
    return results(path, summary | gains, [example])


def recall(path: Path) -> Path:
    found = {"definition_recall_2k": 0.5, "definition_recall_4k": 0.75, "definition_recall_16k": 1.0}
    times = {"low_4k": 0.6, "high_4k": 0.9, "retrieve_p50_ms": 30.0, "retrieve_p99_ms": 90.0}
    return results(path, {"suite": "recall", "language": "java", "n": 9} | found | times, [])


def retrieval(path: Path) -> Path:
    keys = {"n_chunks": 1000, "query_p50_ms": 2.0, "query_p99_ms": 7.5, "recall": 0.99, "index_mb": 3.0, "build_s": 1.0}
    return results(path, {"suite": "retrieval", "n": 50} | keys, [])


def test_the_page_holds_figures_examples_plots_and_where_they_come_from(tmp_path: Path) -> None:
    files = [repo(tmp_path / "a.jsonl"), recall(tmp_path / "b.jsonl"), retrieval(tmp_path / "c.jsonl")]
    out = tmp_path / "page.html"
    assert main(["eval", "page", *map(str, files), "--out", str(out)]) == 0
    text = out.read_text()
    assert text.count("<svg") == 3
    for words in ("+0.123 [+0.123, +0.123]", "0.750", "7.5", "abc1234", "a processor", "shop-1.0", "by ours"):
        assert words in text
    assert "x = List&lt;int&gt;" in text
    assert not re.search(r"""(src|href)=["'](?!#)""", text)


@pytest.mark.parametrize("cut_off", [True, False])
def test_what_cannot_be_shown_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], cut_off: bool) -> None:
    file = results(tmp_path / "a.jsonl", {} if cut_off else {"suite": "lines"}, [{"id": "x"}])
    assert main(["eval", "page", str(file), "--out", str(tmp_path / "page.html")]) == 1
    said = capsys.readouterr().err
    assert ("did not come to its end" if cut_off else "no page for lines") in said
    assert not (tmp_path / "page.html").exists()
