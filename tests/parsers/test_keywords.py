"""What a language keeps for itself."""

import pytest

from parsers.keywords import keywords_of


@pytest.mark.parametrize(
    ("language", "word", "other"),
    [("python", "lambda", "end"), ("lua", "end", "lambda"), ("go", "switch", "class"), ("javascript", "class", "then")],
)
def test_words_that_are_no_names(language: str, word: str, other: str) -> None:
    assert word in keywords_of(language)
    assert other not in keywords_of(language)


def test_plain_text_has_none() -> None:
    assert keywords_of("plaintext") == frozenset()
