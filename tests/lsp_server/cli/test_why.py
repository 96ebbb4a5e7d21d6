"""`midfill why`: from a real completion of the core, with an engine that says what the test wants."""

import asyncio
import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from completion.pipeline import complete
from completion.ranking.trust import Trust
from completion.types import Completion, CompletionRequest, Snippet, Trigger
from lsp_server.cli.__main__ import main
from lsp_server.cli.why import bar, render, stages
from lsp_server.usage.explain import Origin, Spot, explanation, sentence
from lsp_server.usage.history import history_file, write
from tests.fakes import LIMITS, ScriptedEngine, deps_with, request_at

SNIPPET, LARGE = Snippet(path="lib/tax.py", text="def tax():\n"), Snippet(path="lib/all.py", text="x" * 9000)
ORIGINS = {SNIPPET: Origin(about="tax", sources=("imported", "near"))}
SPOT = Spot(
    at=1e9, uri="file:///src/file.py", path="src/file.py", line=7, column=12, language="python", latency_ms=50.0
)


def completed(request: CompletionRequest, *pieces: str) -> Completion:
    limits = replace(LIMITS, max_file_tokens=LIMITS.max_prompt_tokens // 2)
    return asyncio.run(complete(deps_with(ScriptedEngine(pieces), limits=limits), request))


def explained(marked: str, *pieces: str, **facts: Any) -> dict[str, Any]:
    request = replace(request_at(marked), snippets=(SNIPPET, LARGE))
    told = explanation("w-1", SPOT, completed(request, *pieces), ORIGINS)
    assert json.loads(json.dumps(told)) == told
    return told | facts


def page(told: dict[str, Any], width: int = 80) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(render(told, 1e9 + 125))
    return console.export_text()


@pytest.mark.parametrize(("quietness", "shown"), [(0.0, "a)"), (1.0, "")])
def test_an_explanation_has_what_was_left_of_an_answer_shown_or_not(quietness: float, shown: str) -> None:
    request = request_at("foo(▮)\n", trigger=Trigger.AUTOMATIC)
    deps = deps_with(ScriptedEngine(["a)   \n"]), limits=replace(LIMITS, quietness=quietness))
    told = explanation("w-1", SPOT, asyncio.run(complete(deps, request)), ORIGINS)
    assert (told["candidate"], told["covered"], told["text"]) == (shown, shown[1:], shown)
    assert (told["probability"] is None) == (not shown)


def test_an_explanation_names_context_prompt_text_and_filters() -> None:
    told = explained("def f():\n    ret▮\n", "urn 1", "   \n", "x")
    assert (told["trigger"], told["mode"], told["format"], told["outcome"]) == ("invoked", "line", "fim", "ok")
    assert told["context"] == [
        {"path": "lib/tax.py", "about": "tax", "sources": ["imported", "near"], "tokens": told["context"][0]["tokens"]},
        {"path": "lib/all.py", "about": "", "sources": [], "tokens": 0},
    ]
    assert told["context"][0]["tokens"] == len("F" + "lib/tax.py\ndef tax():\n")  # a sentinel, and bytes
    assert (told["raw"], told["text"]) == ("urn 1   ", "urn 1")
    assert told["steps"] == [{"name": "trailing_blanks", "before": "urn 1   ", "after": "urn 1"}]
    assert told["tokenProbability"] == pytest.approx(0.6065, abs=1e-3)  # of -0.5
    assert 0 <= told["probability"] < 1
    assert told["probability"] == pytest.approx(Trust().probability(math.exp(-5.5)), abs=1e-4)
    assert (told["unknownNames"], told["ranked"]) == ([], [])


def test_the_page_shows_all_of_it_in_80_columns() -> None:
    told = explained("def f():\n    ret▮\n", "urn 1", "   \n", fate="accepted", keptShare=0.8)
    shown = page(told)
    assert max(map(len, shown.splitlines())) <= 80
    for words in (
        "src/file.py:7:12 ",
        "2 minutes ago",
        "It was accepted. Later, 80%",
        "by the user · line mode · fim prompt · python",
        "lib/tax.py",
        "imported + near",
        "1 more found no room",
        "mean probability is 61%",
        "│ urn 1",
        "trailing_blanks",
        "cuts 3 blanks",
        "50.0 ms",
    ):
        assert words in shown, words


def test_a_filter_that_takes_all_is_shown_line_by_line() -> None:
    told = explained("def f():\n    ▮\n    return 1\n", "return 1\n")
    assert told["outcome"] == "filtered"
    shown = page(told)
    assert "- return 1" in shown
    assert "The model wrote something, but nothing was shown" in shown


def test_another_one_that_was_accepted_is_shown() -> None:
    shown = page(explained("def f():\n    ret▮\n", "urn 1\n", fate="accepted", acceptedInstead="urn 2"))
    assert "Another one beside it was" in shown
    assert "│ urn 2" in shown


def test_what_was_not_asked_says_why_and_nothing_else() -> None:
    request = replace(request_at("x = ab▮cd\n"), trigger=Trigger.AUTOMATIC)
    told = explanation("w-1", SPOT, completed(request), {})
    assert sentence(told) == "The model was not asked: a word stands right behind the cursor."
    assert "prompt" not in page(told)


def test_the_stages_add_up_to_the_whole() -> None:
    told = explained("def f():\n    ret▮\n", "urn 1\n")
    told["latencyMs"] = told["timingsMs"]["total"] + 3
    total = sum(ms for _, ms in stages(told))
    assert total == pytest.approx(told["latencyMs"], abs=1.5)  # the fake engine's own numbers are not measured


@pytest.mark.parametrize(
    ("share", "drawn"), [(0, ""), (0.5, "█" * 5), (1.0, "█" * 10), (0.51, "█████▏"), (9, "█" * 10)]
)
def test_a_bar_is_as_long_as_its_share(share: float, drawn: str) -> None:
    assert bar(share, 10) == drawn


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"outcome": "ok", "fate": "dismissed"}, "a suggestion of 5 characters. It was dismissed."),
        ({"outcome": "ok", "fate": None}, "The editor did not say that it showed it."),
        ({"outcome": "ok", "reused": True, "fate": "typed"}, "what was left of an earlier suggestion. It was typed"),
        ({"outcome": "deadline", "reason": "too slow"}, "Nothing was shown in time: too slow."),
        ({"outcome": "engine_down", "reason": ""}, "could not answer: no further reason."),
        ({"outcome": "not_ready", "reason": "loading"}, "The model was not ready: loading."),
    ],
)
def test_every_outcome_is_a_sentence(facts: dict[str, Any], says: str) -> None:
    assert says in sentence(explained("def f():\n    ret▮\n", "urn 1\n") | {"reason": ""} | facts)


def test_the_command_shows_the_last_or_the_last_few(tiny_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why"]) == 1
    assert "midfill doctor" in capsys.readouterr().err
    told = explained("def f():\n    ret▮\n", "urn 1\n")
    write(history_file(), [told | {"id": "w-1", "path": "one.py"}, told | {"id": "w-2", "path": "two.py"}])
    assert main(["why"]) == 0
    out = capsys.readouterr().out
    assert "two.py:7:12" in out
    assert "one.py" not in out
    assert main(["why", "--last", "2"]) == 0
    out = capsys.readouterr().out
    assert out.index("one.py") < out.index("two.py")
    assert main(["why", "--last", "2", "--json"]) == 0
    assert [one["path"] for one in json.loads(capsys.readouterr().out)] == ["two.py", "one.py"]
