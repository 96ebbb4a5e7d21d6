"""The words that a language's grammar keeps for itself. Called by `completion.ranking.surroundings`.

Rules: data, read from the grammars: a keyword is a token that is spelled like a name and has none in the tree.
"""

from functools import cache

from parsers.languages import by_id


@cache
def keywords_of(language: str) -> frozenset[str]:
    """A language's keywords, those that are none everywhere (`match` in Python) included; none for plain text."""
    from tree_sitter_language_pack import get_language

    grammar = by_id(language).grammar
    if grammar is None:
        return frozenset()
    found = get_language(grammar)  # type: ignore[arg-type]
    ids = range(1, found.node_kind_count)  # 0 is the end of the file
    kinds = (
        found.node_kind_for_id(n) for n in ids if found.node_kind_is_visible(n) and not found.node_kind_is_named(n)
    )
    return frozenset(kind for kind in kinds if kind and kind.isidentifier())
