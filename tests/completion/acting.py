"""For each filter an answer that it changes: what tests of all rows of `completion.filters.chain` go over."""

from typing import NamedTuple

from completion.types import CompletionRequest, Trigger
from tests.fakes import request_at


class Acting(NamedTuple):
    """An answer of a model at a place in a document, which one filter changes."""

    marked: str
    says: str
    language: str = "python"

    def request(self) -> CompletionRequest:
        """An automatic request."""
        return request_at(self.marked, language=self.language, trigger=Trigger.AUTOMATIC)


ACTING = {
    "odd_characters": Acting("x = ▮\n", "pri\u202ece"),
    "chat": Acting("▮\n", "x = 1\n```\nHere is the code"),
    "license_header": Acting("▮", "# Copyright 2020 Somebody\n# All rights reserved.\n\nimport os"),
    "repetition": Acting("▮", "print(1)\nprint(1)\nprint(1)\nprint(1)"),
    "phrases": Acting("x = '▮'\n", "token and other token and other token and other "),
    "placeholders": Acting("▮\n", "x = 1\n# your code here\npass"),
    "comment_run": Acting("▮\n", "x = 1\n# One.\n# Two."),
    "long_numbers": Acting("n = ▮\n", "9999999999999999"),
    "end_of_file": Acting("x = 1\n▮", "EOF"),
    "surplus_closers": Acting("int a;\n▮", "#endif", "c"),
    "trailing_blanks": Acting("x = ▮\n", "a + b  "),
    "first_indentation": Acting("def f():\n    ▮", "    return 1"),
    "later_indentation": Acting("func f() {\n\tif x {\n\t\t▮", "a()\n        b()\n    }", "plaintext"),
    "misplaced_closer": Acting("function f() {\n  g();\n  ▮\n", "}", "javascript"),
    "next_lines": Acting("x = 1\n▮\ny = 2\nz = 3\n", "y = 2"),
    "defined_already": Acting("def f(a):\n    return a\n\n\n▮\n", "def f(a):\n    return 1"),
    "suffix_overlap": Acting("foo(▮)\n", "bar)"),
    "line_ends": Acting("a\r\n▮", "b\nc", "plaintext"),
    "parse_check": Acting("x = f(a)▮\n", "))"),
    "nothing_new": Acting("f(a▮) {\n", ") {", "typescript"),
    "single_key": Acting("total = firs▮\n", "t"),
}
