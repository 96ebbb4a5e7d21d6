"""Words of code: identifiers, and the parts they are made of. What the index and the ranking count.

Rules: pure. Words are lower case; `getUserName` gives itself, `get`, `user` and `name`, so that `user_name` meets it.
"""

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

IDENTIFIER = re.compile(r"[^\W\d]\w*")
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\dA-Z_]+|\d+")
# Shorter parts (`i`, `of`, `to`) say nothing, longer identifiers are data.
_MIN_CHARS, _MAX_CHARS = 3, 60


def is_word_character(character: str) -> bool:
    """Whether a character stands in words of code; "" does not."""
    return character.isalnum() or character == "_"


def identifiers(text: str) -> Iterator[str]:
    """Every identifier and keyword in order, as it is spelled."""
    for match in IDENTIFIER.finditer(text):
        yield match.group()


def likeness(one: AbstractSet[str], other: AbstractSet[str]) -> float:
    """How many of their words two texts have in common (Jaccard); of two without words none."""
    return len(one & other) / len(one | other) if one or other else 0.0


def words(text: str) -> Iterator[str]:
    """Every word in order, repeated as often as it stands there."""
    for identifier in identifiers(text):
        yield from words_of(identifier)


def words_of(identifier: str) -> list[str]:
    """An identifier's words: itself, and its parts when it has several."""
    if (found := _KNOWN.get(identifier)) is not None:
        return found
    parts = PART.findall(identifier)
    spelled = [identifier, *(parts if len(parts) > 1 else ())]
    result = [word.lower() for word in spelled if _MIN_CHARS <= len(word) <= _MAX_CHARS]
    if len(_KNOWN) > _MAX_KNOWN:
        _KNOWN.clear()
    _KNOWN[identifier] = result
    return result


# Code repeats its identifiers: looking one up is ten times as fast as cutting it again.
_KNOWN: dict[str, list[str]] = {}
_MAX_KNOWN = 200_000
