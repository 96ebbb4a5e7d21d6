"""What a model says instead of writing code: beyond the real outputs in golden/junk.toml, the limits of each filter."""

import pytest

from completion.candidate import Candidate, Filter
from completion.filters.junk import chat, comment_run, license_header, placeholders
from tests.fakes import request_at


def _kept(step: Filter, marked: str, text: str, language: str = "python") -> str:
    return step(Candidate(text), request_at(marked, language=language)).text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\n```\nHere is the code", "x = 1"),
        ("Here is the implementation of the function:", ""),
        ("return x\n\nThis code adds two numbers.", "return x"),
        ("Sure, let me do that", ""),
        ("~~~python\nx = 1", ""),
    ],
)
def test_fences_and_chat_are_cut(text: str, expected: str) -> None:
    assert _kept(chat, "▮\n", text) == expected


@pytest.mark.parametrize(
    ("language", "marked", "text"),
    [
        ("python", "▮\n", "here = 1"),
        ("python", "# ▮\n", "Here is the code that"),
        ("python", '"""▮\n"""\n', "This function adds two numbers."),
        ("python", "f(▮)\n", "sure, here"),
        ("markdown", "▮\n", "```python\nx = 1\n```"),
        ("javascript", "const a = ▮\n", "`a ```"),
    ],
)
def test_code_and_prose_that_look_like_chat_are_kept(language: str, marked: str, text: str) -> None:
    assert _kept(chat, marked, text, language) == text


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("python", "# TODO: implement this function\npass", ""),
        ("python", "pass  # TODO: implement", "pass"),
        ("python", "x = 1\n# your code here\npass", "x = 1"),
        ("python", "# Add your code here", ""),
        ("javascript", "// TODO: Implement\nreturn null;", ""),
        ("javascript", "// ... rest of the code", ""),
        ("c", "/* your implementation goes here */", ""),
        ("go", "a()\n// TODO", "a()"),
        # An empty body is what a stub has, and a comment that says something is a comment.
        ("python", "...", "..."),
        ("python", "pass", "pass"),
        ("python", "raise NotImplementedError", "raise NotImplementedError"),
        ("python", "# Implements the cache\nx = 1", "# Implements the cache\nx = 1"),
        ("python", "todo = 1", "todo = 1"),
        ("c", "// FIXME: do less refcounting here\nfree(a);", "// FIXME: do less refcounting here\nfree(a);"),
    ],
)
def test_what_only_says_that_something_is_to_be_written_is_cut(language: str, text: str, expected: str) -> None:
    assert _kept(placeholders, "▮\n", text, language) == expected


def test_a_comment_that_the_user_begins_is_continued() -> None:
    assert _kept(placeholders, "# TODO▮\n", ": implement this") == ": implement this"
    assert _kept(placeholders, "# ▮\n", "TODO: implement this") == "TODO: implement this"


def test_a_license_is_not_put_at_the_top_of_a_file() -> None:
    header = "# Copyright 2020 Somebody\n# All rights reserved.\n\nimport os"
    assert _kept(license_header, "▮", header) == ""
    assert _kept(license_header, "▮\n", "/*\n * Licensed under the Apache License\n */", "c") == ""
    # One that is begun, and a file that speaks of licenses in its code.
    assert _kept(license_header, "# Copyright ▮", "2020 Me") == "2020 Me"
    assert _kept(license_header, "▮", "LICENSE = 'all rights reserved'") == "LICENSE = 'all rights reserved'"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# a\n# b\n# c", "# a"),
        ("x = 1\n# a\n\n# b", "x = 1"),
        ("# a\n# b\nx = 1", "# a\n# b\nx = 1"),
        ("#\n#", ""),
        ("x = 1  # a", "x = 1  # a"),
        ("", ""),
    ],
)
def test_comments_that_no_code_follows_do_not_run_on(text: str, expected: str) -> None:
    assert _kept(comment_run, "▮\n", text) == expected
