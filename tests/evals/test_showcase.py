import io
from typing import Any

import pytest
from rich.console import Console

from evals.showcase import Sample, Shown, ghost_text, load_samples, render
from parsers.languages import for_document


def sample(text: str) -> Sample:
    """A sample whose cursor is marked by ▮."""
    return Sample("x.py", "python", text.replace("▮", ""), text.index("▮"))


def test_there_are_six_samples_with_one_cursor_each_in_languages_midfill_knows() -> None:
    samples = load_samples()
    assert [s.language for s in samples] == ["java", "python", "go", "c", "typescript", "rust"]
    assert all(for_document(s.name, None).id == s.language for s in samples)
    assert all("▮" not in s.text and 25 <= s.text.count("\n") <= 50 for s in samples)


def test_the_position_is_in_utf_16_units() -> None:
    assert sample("a\n'🙂é'▮\n").position == {"line": 1, "character": 5}
    assert sample("▮").position == {"line": 0, "character": 0}


@pytest.mark.parametrize(
    ("answer", "expect"),
    [
        (None, ""),
        ({"items": []}, ""),
        ({"items": [{"insertText": "a + b"}]}, "a + b"),
        ([{"insertText": {"kind": "snippet", "value": "a + b"}}], "a + b"),
        (
            {
                "items": [
                    {
                        "insertText": "    return a + b",
                        "range": {"start": {"line": 1, "character": 0}, "end": {"line": 1, "character": 11}},
                    }
                ]
            },
            "a + b",
        ),
    ],
)
def test_the_ghost_text_is_what_stands_after_the_cursor(answer: Any, expect: str) -> None:
    assert ghost_text(sample("def f(a, b):\n    return ▮\n"), answer) == expect


def test_the_rendering_shows_the_completion_in_its_place() -> None:
    console = Console(file=io.StringIO(), width=60)
    console.print(render(Shown(sample("x = 1\ny = ▮)\nz = 3\n"), "f(x", 0.25, {})))
    output = console.file.getvalue()  # type: ignore[attr-defined]
    assert "y = f(x)" in output
    assert output.index("x = 1") < output.index("y = f(x)") < output.index("z = 3")
    assert "250 ms" in output
