"""The tree-sitter queries of a language: `queries/<name>.scm`, joined as its row says and compiled once.

Rules: what differs between languages is in the .scm files. A compiled query is immutable and shared by threads;
a cursor is not, and each call of `outline` makes its own. Compiling takes 4 to 30 ms for most languages, up to 400 ms
where the grammar is large (C++, Objective-C): once in each process that asks, which is a child of `guard`.

Captures: `@definition.<kind>` (a SymbolKind, `clause` or `attribute`: see `outline`) with `@name` (several are joined
with dots) and `@body`, what the signature stands
before, `@start` and `@end` where it begins and ends outside of its node; `@name` with `@base`; `@wrapped` in
`@wrapper`, a node that takes in all of a definition; `@decorator`, a sibling above it; `@scope`, a body without a
name, whose variables are local; `@import.path`, `.name`, `.alias`; `@reference.call`, `@reference.type`;
`@embedded.<language>`. What only a predicate looks at has any other name.
"""

from functools import cache
from pathlib import Path

from tree_sitter import Query

from parsers.languages import Language, by_id

QUERY_FOLDER = Path(__file__).parent / "queries"


def query_text(language: Language) -> str:
    """All queries of a language in one text; comments are captured by its row's node types."""
    texts = [(QUERY_FOLDER / f"{name}.scm").read_text(encoding="utf-8") for name in language.queries]
    return "\n".join([*texts, *(f"({kind}) @comment" for kind in language.comments)])


@cache
def compiled_query(language_id: str) -> Query | None:
    """The compiled query of a language; None for plain text."""
    from tree_sitter_language_pack import get_language

    language = by_id(language_id)
    if language.grammar is None:
        return None
    return Query(get_language(language.grammar), query_text(language))  # type: ignore[arg-type]
