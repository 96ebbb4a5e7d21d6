"""Where context comes from, on a real index over a small workspace; and what is never shown."""

from collections.abc import Callable
from pathlib import Path

import pytest

from completion.sources import Item
from lsp_server.index.write import IndexWriter
from lsp_server.repository import Repository

FILES = {
    "shop/__init__.py": "from .prices import Price\n",
    "shop/money.py": "class Currency:\n    code: str\n\n\nclass Money:\n    def round(self) -> Currency: ...\n",
    "shop/prices.py": "from .money import Money\n\n\nclass Price(Money):\n"
    + "".join(f"    def rule_{n}(self, value: int) -> int:\n        return value + {n}\n\n" for n in range(60))
    + "    def discount(self) -> float:\n        return 1.0\n",
    "shop/tax.py": "RATE = 0.2\nUNUSED = 1\n\n\ndef net(gross):\n    return gross / (1 + RATE)\n",
    "other/settings.py": "def load_settings(path):\n    return path\n",
    "other/calls.py": "from app import checkout\n\n\ndef run():\n    return checkout(None)\n",
}
APP = """\
from shop import Price
from shop import tax


class Special(Price):
    def cost(self):
        return self.


def checkout(basket):
    total = tax.net(basket.gross)
    load_settings("a")
"""


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, list[Item]]]:
    """The candidates for the end of the line of APP that begins with a text."""
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "w"
    for name, text in {**FILES, "app.py": APP}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    writer = IndexWriter(root)
    writer.sync(lambda progress: None)
    writer.close()
    repository = Repository.open(root)
    return lambda near: repository.candidates("app.py", APP, APP.index(near) + len(near))


def texts(items: list[Item]) -> str:
    return "\n".join(item.snippet.text for item in items)


def test_what_is_imported_is_found_through_a_re_export(sources: Callable[[str], dict[str, list[Item]]]) -> None:
    imported = sources('load_settings("a")')["imported"]
    assert {item.snippet.path for item in imported} == {"shop/prices.py", "shop/tax.py"}
    assert imported[0].about == "net"  # nearest to the cursor
    assert imported[0].snippet.text == "def net(gross):\n    return gross / (1 + RATE)\n"


def test_of_a_module_what_is_not_used_comes_later(sources: Callable[[str], dict[str, list[Item]]]) -> None:
    found = sources('load_settings("a")')
    assert "UNUSED" not in texts(found["imported"])
    assert "UNUSED = 1" in texts(found["modules"])


def test_names_near_the_cursor_are_found_without_an_import(sources: Callable[[str], dict[str, list[Item]]]) -> None:
    assert "load_settings" in [item.about for item in sources('load_settings("a")')["near"]]


def test_all_that_a_class_inherits_is_shown(sources: Callable[[str], dict[str, list[Item]]]) -> None:
    bases = sources("return self.")["bases"]
    assert bases[0].about == "Price"
    assert "class Price(Money):" in bases[0].snippet.text
    assert len(bases[0].snippet.text) < 2_000
    everything = texts(bases)
    assert all(f"def rule_{n}(" in everything for n in range(60))
    assert "def round(self)" in everything  # of the base's base


def test_types_of_signatures_are_followed(sources: Callable[[str], dict[str, list[Item]]]) -> None:
    assert "Currency" in [item.about for item in sources("return self.")["types"]]


def test_callers_of_the_enclosing_function(sources: Callable[[str], dict[str, list[Item]]]) -> None:
    assert [item.snippet.path for item in sources('load_settings("a")')["callers"]] == ["other/calls.py"]


def test_the_file_itself_is_never_its_own_context(sources: Callable[[str], dict[str, list[Item]]]) -> None:
    for near in ("return self.", 'load_settings("a")'):
        for items in sources(near).values():
            assert all(item.snippet.path != "app.py" for item in items)


def test_the_shown_lines_are_the_lines_of_the_file(sources: Callable[[str], dict[str, list[Item]]]) -> None:
    for items in sources('load_settings("a")').values():
        for item in items:
            lines = FILES[item.snippet.path].split("\n")
            for first, last in item.ranges:
                assert lines[first].split("(")[0].strip() in item.snippet.text
                assert 0 <= first <= last < len(lines)


def test_without_an_index_there_are_no_candidates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    assert Repository.open(tmp_path).candidates("app.py", APP, 10) == {}
