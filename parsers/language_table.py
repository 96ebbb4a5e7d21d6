"""Writes docs/LANGUAGES.md: `python -m parsers.language_table > docs/LANGUAGES.md`; a test holds the file to it.

Rules: every cell comes from a row of `parsers.languages` or from the query files.
"""

import sys

from parsers.languages import LANGUAGES, Language
from parsers.query_files import query_text

_HEAD = """# Languages

Made from `parsers/languages.py` and `parsers/queries/` by `python -m parsers.language_table`. Every other file is
completed as plain text. *Blocks* says what ends a block; the last three columns what is known of other files: what
they define, what they refer to, what they import.

| Language | Id | Files | Blocks | Definitions | References | Imports |
|---|---|---|---|---|---|---|
"""


def table() -> str:
    """The whole document."""
    return _HEAD + "".join(f"| {' | '.join(_cells(row))} |\n" for row in sorted(LANGUAGES, key=_name))


def _cells(row: Language) -> tuple[str, ...]:
    queries = query_text(row)
    files = " ".join(f"`{name}`" for name in row.extensions + row.filenames)
    known = (_yes_or_no(f"@{capture}" in queries) for capture in ("definition.", "reference.", "import."))
    return (row.name, f"`{row.id}`", files, row.block_style.value, *known)


def _name(row: Language) -> str:
    return row.name.lower()


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.write(table())
