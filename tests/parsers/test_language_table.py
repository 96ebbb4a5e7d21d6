"""The table of languages in the documentation is the data's."""

from pathlib import Path

from parsers.language_table import table
from parsers.languages import LANGUAGES

DOCUMENT = Path(__file__).parents[2] / "docs" / "LANGUAGES.md"


def test_the_document_is_up_to_date() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == table()


def test_every_language_has_a_line_with_what_is_known_of_it() -> None:
    lines = {line.split(" | ")[1]: line for line in table().splitlines() if line.startswith("| ")}
    assert {f"`{row.id}`" for row in LANGUAGES} <= set(lines)
    assert lines["`python`"] == "| Python | `python` | `.py` `.pyi` `.pyw` | indent | yes | yes | yes |"
    assert lines["`json`"].endswith("| brace | yes | no | no |")
