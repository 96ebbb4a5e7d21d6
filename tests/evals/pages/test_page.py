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


def completion(number: int, **differs: Any) -> dict[str, Any]:
    return {
        "id": f"mceval-lines/C/{number}", "suite": "mceval-lines", "language": "C", "score": 1.0, "passed": True,
        "error": "", "unfit": "", "shown": True, "exact": False, "similarity": 0.75, "new_parse_error": False,
        "truth_new_parse_error": False, "truth": "return a < b;", "before": "int f() {\n    ", "after": "\n}\n",
        "completion": "return b > a;", "raw": "return b > a;\n}", "outcome": "ok", "reason": "changed by: balance",
        "timings_ms": {"total": 123.4},
    } | differs  # fmt: skip


def test_completions_are_shown_with_their_verdicts(tmp_path: Path) -> None:
    examples = [
        completion(1),
        completion(2, score=0.0, passed=False, error="exit code 7", new_parse_error=True, completion="broken(<"),
        completion(3, passed=None, language="Go", shown=False, new_parse_error=None, unfit="the true program fails"),
    ]
    summary = {"suite": "all", "n": 3, "unfit": {"the true program fails": 1}, "minutes": 5, "model": "a-model"}
    out = tmp_path / "page.html"
    assert main(["eval", "page", str(results(tmp_path / "all.jsonl", summary, examples)), "--out", str(out)]) == 0
    text = out.read_text()
    assert text.count("<svg") == 2  # by suite, and by language
    assert text.count("<details class='example") == 3
    assert text.count("example passed") == 2
    assert "example failed broken" in text
    assert "example passed unshown" in text
    for words in ("return a &lt; b;", "<ins>broken(&lt;</ins>", "test failed: exit code 7", "adds a parse error",
                  "not executed (the true program fails)", "changed by: balance", "123 ms", "0.50 [",
                  "a-model"):  # fmt: skip
        assert words in text
    assert not re.search(r"""(src|href)=["'](?!#)""", text)


def test_a_results_file_of_an_older_version_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = results(tmp_path / "a.jsonl", {"suite": "lines", "n": 1}, [{"id": "x", "score": 1.0}])
    assert main(["eval", "page", str(file), "--out", str(tmp_path / "page.html")]) == 1
    assert "run its suite again" in capsys.readouterr().err


@pytest.mark.parametrize("cut_off", [True, False])
def test_what_cannot_be_shown_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], cut_off: bool) -> None:
    file = results(tmp_path / "a.jsonl", {} if cut_off else {"suite": "nll"}, [{"id": "x"}])
    assert main(["eval", "page", str(file), "--out", str(tmp_path / "page.html")]) == 1
    said = capsys.readouterr().err
    assert ("did not come to its end" if cut_off else "no page for nll") in said
    assert not (tmp_path / "page.html").exists()
