"""What a file renamed at its top level, and where other files use it."""

from completion.next_edit.edits import LineEdit, applied
from completion.next_edit.elsewhere import renamed, uses
from parsers.parse import parse

OTHER = "from a import load\n\n\nx = load(load.y, load=1)\n"


def changed(language: str, text: str) -> str:
    lines = text.split("\n")
    for proposal in reversed(uses(parse(language, text), "load", "read")):
        lines = applied(lines, proposal)
    return "\n".join(lines)


def test_only_what_is_renamed_at_the_top_level_is_known_elsewhere() -> None:
    text = "def read(path):\n    size = 1\n    return size\n"
    top = LineEdit("a", 0, ("def load(path):",), ("def read(path):",))
    local = LineEdit("a", 1, ("    length = 1",), ("    size = 1",))
    assert renamed(parse("python", text), (top, local)) == {"load": "read"}


def test_an_import_and_the_uses_of_what_it_imports_follow() -> None:
    assert changed("python", OTHER) == "from a import read\n\n\nx = read(read.y, load=1)\n"


def test_the_uses_follow_when_the_import_has_been_changed_already() -> None:
    text = OTHER.replace("import load", "import read")
    assert changed("python", text) == "from a import read\n\n\nx = read(read.y, load=1)\n"


def test_a_file_that_defines_the_name_or_does_not_import_it_is_left_alone() -> None:
    for text in ("def load(): ...\n\n\nload()\n", "load()\n"):
        assert changed("python", text) == text


def test_files_of_one_package_see_each_other_without_an_import() -> None:
    text = "package m\n\nfunc f() {\n\tload(1)\n}\n"
    assert changed("go", text) == text.replace("load", "read")
