import pytest

from completion.code.words import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("getUserName(x)", ["getusername", "get", "user", "name"]),
        ("user_name = 1", ["user_name", "user", "name"]),
        ("HTTPServer2", ["httpserver2", "http", "server"]),
        ("MAX_SIZE", ["max_size", "max", "size"]),
        ("if a of be", []),
        ("total total", ["total", "total"]),
        ("größeÄndern", ["größeändern"]),
        ("x" * 100, []),
    ],
)
def test_words_of_code(text: str, expected: list[str]) -> None:
    assert list(words(text)) == expected
