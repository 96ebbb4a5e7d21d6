"""What no automatic suggestion holds: closers of nothing, the end of the file in words, runs of digits, a lone key."""

import pytest

from completion.filters.chain import apply_filters
from completion.types import Trigger
from tests.fakes import request_at


def _shown(marked: str, says: str, language: str, trigger: Trigger = Trigger.AUTOMATIC) -> str:
    return apply_filters(says, request_at(marked, language=language, trigger=trigger))[0].text


@pytest.mark.parametrize(
    ("language", "marked", "says"),
    [
        ("c", "int a;\n▮", "#endif"),
        ("c", "int a;\n▮", "#endif // A_H"),
        ("c", "#ifdef A\nint a;\n#endif\n\n▮", "#endif"),
        ("c", "#ifdef A\nint a;\n▮\nint b;\n#endif\n", "#endif"),
        ("cpp", "int a;\n▮", "#else\nint b;"),
        ("csharp", "class A {}\n▮", "#endregion"),
        ("typescript", "a();\n▮", "// #endregion"),
        ("python", "a = 1\n▮", "# endregion"),
        ("bash", "echo a\n▮", "fi"),
        ("bash", "for f in *; do\n  echo a\ndone\n▮", "done"),
        ("bash", "echo a\n▮", "esac"),
        ("ruby", "def f\n  1\nend\n\n▮", "end"),
        ("julia", "function f()\n  1\nend\n\n▮", "end"),
        ("elixir", "defmodule A do\n  def f do\n    1\n  end\nend\n▮", "end"),
        ("lua", "function f()\n  return 1\nend\n▮", "end"),
        ("make", "a:\n\tb\n\n▮", "endif"),
        ("cmake", "set(A 1)\n▮", "endif()"),
        ("erlang", "f() -> 1.\n▮", "-endif."),
        ("php", "<?php\necho 1;\n▮", "endif;"),
        ("perl", "my $a = 1;\n▮", "=cut"),
        ("html", "<p>a</p>\n▮", "</div>"),
        ("python", "x = 1\n▮", "EOF"),
        ("go", "package a\n▮", "EOF"),
        ("rust", "fn f() {}\n▮", "// EOF"),
        ("bash", "echo a\n▮", "EOF"),
        ("bash", "cat <<EOF\na\nEOF\n▮", "EOF"),
        ("python", "n = big(▮\n", "1000000000000000000000000000)"),
        ("python", "n = big(▮\n", "123123123123123123123123"),
        ("python", "n = ▮\n", "0.00000000000000000000000000001"),
        ("c", "long n = 1▮;\n", "00000000000000"),
        ("javascript", "const n = ▮\n", "9999999999999n;"),
    ],
)
def test_never_automatic(language: str, marked: str, says: str) -> None:
    assert _shown(marked, says, language) == ""


@pytest.mark.parametrize(
    ("language", "marked", "says"),
    [
        ("c", "#ifdef A\nint a;\n▮", "#endif"),
        ("c", "#if A\n#ifdef B\nint a;\n▮\nint c;\n#endif\n", "#endif"),
        ("c", "#ifdef A\nint a;\n▮", "#else\nint b;\n#endif"),
        ("c", "int a;\n▮", "#ifdef A\nint b;\n#endif"),
        ("csharp", "#region A\nclass A {}\n▮", "#endregion"),
        ("bash", "if true; then\n  echo a\n▮", "fi"),
        ("bash", "for f in *; do\n  echo a\n▮", "done"),
        ("bash", "▮", "for f in *; do\n  echo a\ndone"),
        ("ruby", "def f\n  1\n▮", "end"),
        ("ruby", "class A\n  def f\n    1\n  end\n▮", "end"),
        ("ruby", "x = if a\n  1\n▮", "end"),
        ("make", "ifeq (a,b)\nA = 1\n▮", "endif"),
        ("make", "a:\n\tif b; \\\n\tthen c; \\\n▮", "\telse d; fi"),
        ("cmake", "if(A)\n  set(A 1)\n▮", "endif()"),
        ("html", "<div>\n  <p>a</p>\n▮", "</div>"),
        ("bash", "cat <<EOF\na\n▮", "EOF"),
        ("ruby", "a = <<~EOF\n  a\n▮", "EOF"),
        ("javascript", "const a = [\n  SOF,\n▮", "  EOF"),
        ("python", "n = ▮\n", "1000000000"),
        ("python", "n = ▮\n", "18446744073709551615"),
        ("python", "n = ▮\n", "0.3333333333333333"),
        ("python", "n = ▮\n", "0xFFFFFFFFFFFFFFFF"),
        ("python", "N = 1000000000000000000\nn = ▮\n", "1000000000000000000"),  # somebody wrote it already
        ("python", "i = ▮\n", "'00000000-0000-0000-0000-000000000000'"),
    ],
)
def test_what_has_its_opener_and_ordinary_numbers_stay(language: str, marked: str, says: str) -> None:
    assert _shown(marked, says, language).strip() == says.strip()


def test_of_a_block_what_stands_before_such_a_line_is_kept() -> None:
    assert _shown("def f():\n    ▮\n", "a = 1\n    b = 10000000000000000000000", "python") == "a = 1"
    assert _shown("▮", "echo a\nEOF", "bash") == "echo a"


@pytest.mark.parametrize(
    ("language", "marked", "says"),
    [
        ("c", "int a;\n▮", "#endif"),
        ("python", "x = 1\n▮", "EOF"),
        ("python", "n = big(▮\n", "1000000000000000000000000000)"),
    ],
)
def test_an_invoked_request_may_have_a_reason(language: str, marked: str, says: str) -> None:
    assert _shown(marked, says, language, Trigger.INVOKED) == says


def test_a_lone_character_is_typed_as_fast_as_it_is_accepted() -> None:
    assert _shown("x = value▮\n", "s", "python") == ""
    assert _shown("f(▮\n", ")", "python") == ""
    for says in (" + s", "()", "s1", "値"):  # several keys, or one that takes several
        assert _shown("x = value▮\n", says, "python") == says
    assert _shown("x = value▮\n", "s", "python", Trigger.INVOKED) == "s"
