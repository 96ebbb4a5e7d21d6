"""Where context comes from, on a real index over a small workspace; and what is never shown."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from completion.context.selection import select
from completion.context.sources import Item
from completion.prompt.layout import build_prompt
from completion.prompt.segments import SegmentCache
from completion.types import CompletionRequest, DocumentSnapshot, Mode, Trigger
from lsp_server.index.write import IndexWriter
from lsp_server.workspace.repository import Repository
from parsers.parse import parse
from tests.fakes import LIMITS, SPEC, ByteTokenizer

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


Candidates = Callable[[str], dict[str, list[Item]]]


@pytest.fixture
def indexed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], Repository]:
    """Writes files into a workspace and indexes it."""
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))

    def index(files: dict[str, str]) -> Repository:
        root = tmp_path / "w"
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        writer = IndexWriter(root)
        writer.sync(lambda progress: None)
        writer.close()
        return Repository.open(root)

    return index


@pytest.fixture
def sources(indexed: Callable[[dict[str, str]], Repository]) -> Candidates:
    """The candidates for the end of the line of APP that begins with a text."""
    repository = indexed({**FILES, "app.py": APP})
    return lambda near: repository.candidates("app.py", APP, APP.index(near) + len(near))


def texts(items: list[Item]) -> str:
    return "\n".join(item.snippet.text for item in items)


def test_what_is_imported_is_found_through_a_re_export(sources: Candidates) -> None:
    imported = sources('load_settings("a")')["imported"]
    assert {item.snippet.path for item in imported} == {"shop/prices.py", "shop/tax.py"}
    assert imported[0].about == "net"  # nearest to the cursor
    assert imported[0].snippet.text == "def net(gross):\n    return gross / (1 + RATE)\n"


def test_of_a_module_what_is_not_used_comes_later(sources: Candidates) -> None:
    found = sources('load_settings("a")')
    assert "UNUSED" not in texts(found["imported"])
    assert "UNUSED = 1" in texts(found["modules"])


def test_names_near_the_cursor_are_found_without_an_import(sources: Candidates) -> None:
    assert "load_settings" in [item.about for item in sources('load_settings("a")')["near"]]


def test_all_that_a_class_inherits_is_shown(sources: Candidates) -> None:
    bases = sources("return self.")["bases"]
    assert bases[0].about == "Price"
    assert "class Price(Money):" in bases[0].snippet.text
    assert len(bases[0].snippet.text) < 2_000
    everything = texts(bases)
    assert all(f"def rule_{n}(" in everything for n in range(60))
    assert "def round(self)" in everything  # of the base's base


def test_types_of_signatures_are_followed(sources: Candidates) -> None:
    assert "Currency" in [item.about for item in sources("return self.")["types"]]


def test_callers_of_the_enclosing_function(sources: Candidates) -> None:
    assert [item.snippet.path for item in sources('load_settings("a")')["callers"]] == ["other/calls.py"]


def test_the_file_itself_is_never_its_own_context(sources: Candidates) -> None:
    for near in ("return self.", 'load_settings("a")'):
        for items in sources(near).values():
            assert all(item.snippet.path != "app.py" for item in items)


def test_the_shown_lines_are_the_lines_of_the_file(sources: Candidates) -> None:
    for items in sources('load_settings("a")').values():
        for item in items:
            lines = FILES[item.snippet.path].split("\n")
            for first, last in item.ranges:
                assert lines[first].split("(")[0].strip() in item.snippet.text
                assert 0 <= first <= last < len(lines)


def test_without_an_index_there_are_no_candidates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    assert Repository.open(tmp_path).candidates("app.py", APP, 10) == {}


JAVA = {
    "core/src/main/java/org/shop/Order.java": "package org.shop;\n\npublic class Order {\n    private String id;\n"
    + "".join(f"    private String secret{n}() {{\n        return null;\n    }}\n\n" for n in range(80))
    + "    public static Builder builder() {\n        return new Builder();\n    }\n\n"
    "    public static class Builder {\n        public Builder id(String id) {\n            return this;\n        }\n"
    "    }\n}\n",
    "core/src/main/java/org/shop/Checks.java": "package org.shop;\n\npublic class Checks {\n"
    "    public static String notBlank(String text) {\n        return text;\n    }\n}\n",
    "core/src/main/java/org/store/Store.java": "package org.store;\n\npublic interface Store {}\n",
    "more/src/main/java/org/store/Shelf.java": "package org.store;\n\npublic class Shelf {}\n",
}
TEST = """\
package org.shop;

import static org.shop.Checks.notBlank;
import org.store.*;

class OrderTest {
    void test(Store store, Shelf shelf) {
        Order order = null;
    }
}
"""


def test_java_sees_its_package_static_members_builders_and_packages_in_several_trees(
    indexed: Callable[[dict[str, str]], Repository],
) -> None:
    path = "core/src/test/java/org/shop/OrderTest.java"
    found = indexed({**JAVA, path: TEST}).candidates(path, TEST, TEST.index("Order order"))
    assert {item.about for item in found["imported"]} == {"notBlank", "Store", "Shelf"}
    (order,) = (item.snippet.text for item in found["package"] if item.about == "Order")
    assert "        public Builder id(String id)" in order  # of the class in it, deeper than the class's own
    assert "    public static Builder builder()" in order
    assert "secret79" not in order  # private members give way


def test_signatures_of_all_imports_come_before_what_is_far_from_the_cursor(
    indexed: Callable[[dict[str, str]], Repository],
) -> None:
    names = [f"helper_{n}" for n in range(30)]
    helpers = "".join(f"def {name}(value: int) -> int:\n    return value\n\n\n" for name in names)
    text = f"from helpers import {', '.join(names)}\n" + "\n" * 60 + "x = helper_3(1)\n"
    imported = indexed({"helpers.py": helpers, "app.py": text}).candidates("app.py", text, len(text))["imported"]
    assert imported[0].snippet.text == "def helper_3(value: int) -> int:\n    return value\n"
    assert imported[1].snippet.text.count("def helper_") > 10
    shown = [item.snippet.text for item in imported[1:]]
    assert (
        shown.index("def helper_9(value: int) -> int:\n    return value\n")
        > len([text for text in shown if "return" not in text]) - 1
    )


def test_a_function_is_found_whose_name_is_a_field_of_many_classes(
    indexed: Callable[[dict[str, str]], Repository],
) -> None:
    classes = "".join(f"class C{n}:\n    def __init__(self):\n        self.price = {n}\n\n\n" for n in range(20))
    files = {"a.py": classes, "b.py": "def price(of):\n    return of\n", "app.py": "y = price(1)\n"}
    near = indexed(files).candidates("app.py", files["app.py"], 12)["near"]
    assert [item.snippet.path for item in near] == ["b.py"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    near=st.sampled_from(["return self.", 'load_settings("a")']),
    budget=st.integers(64, 16_384),
    share=st.floats(0.1, 0.9),
    repeated=st.integers(1, 400),
)
def test_a_window_never_has_more_tokens_than_it_may_and_keeps_the_order(
    sources: Candidates, near: str, budget: int, share: float, repeated: int
) -> None:
    """From sources to token ids: whatever they propose, however large the file is."""
    n_file = int(budget * share)
    chosen = [entry for entry in select(sources(near), budget - n_file) if not entry.left_out]
    text = APP * repeated
    snapshot = DocumentSnapshot(
        uri="file:///app.py", path="app.py", repo="shop", version=1, text=text, language="python",
        tree=parse("python", text),
    )  # fmt: skip
    request = CompletionRequest(
        snapshot=snapshot, cursor=len(text) // 2, mode=Mode.LINE, trigger=Trigger.AUTOMATIC, session="s",
        snippets=tuple(entry.snippet for entry in chosen),
    )  # fmt: skip
    limits = replace(LIMITS, max_prompt_tokens=budget, max_file_tokens=n_file)
    tokenizer = ByteTokenizer()
    prompt = build_prompt(SPEC, tokenizer, SegmentCache(tokenizer), limits, request, Mode.LINE)
    assert len(prompt.token_ids) <= budget
    chosen_texts = [f"{entry.path}\n{entry.snippet.text}" for entry in chosen]
    shown, begin = [], 0
    for piece in prompt.pieces:
        ids = prompt.token_ids[begin : begin + piece.n_tokens]
        begin += piece.n_tokens
        if piece.block:
            shown.append(bytes(token_id for token_id in ids if token_id < 256).decode())
    places = [chosen_texts.index(text) for text in shown]
    assert places == sorted(places, reverse=True)  # the best stands next to the file


def test_what_an_imported_type_inherits_from_is_offered(indexed: Callable[[dict[str, str]], Repository]) -> None:
    client = """type Base<T> = {
  request: (method: string) => T
}
export type Client<T> = Base<T> & { close: () => void }
"""
    text = (
        "import type { Client } from './client.js'\n\nexport function chainId(client: Client<string>) {\n  client.\n}\n"
    )
    repository = indexed({"client.ts": client, "app.ts": text})
    offered = repository.candidates("app.ts", text, text.index("client.\n") + len("client."))
    assert "request: (method" in texts(offered["types"])


def test_all_lines_of_a_long_signature_count_as_shown(indexed: Callable[[dict[str, str]], Repository]) -> None:
    parameters = "".join(f"    argument_{n}: int,\n" for n in range(5))
    function = f"\n@cached\ndef area(\n{parameters}) -> int:\n" + "    print()\n" * 20
    text = "from shapes import area\n\narea(\n"
    repository = indexed({"shapes.py": function, "app.py": text})
    (item, *_) = repository.candidates("app.py", text, len(text) - 1)["imported"]
    assert (item.snippet.text.count("\n"), item.ranges) == (8, ((1, 8),))


def test_a_member_without_a_name_is_no_obstacle(indexed: Callable[[dict[str, str]], Repository]) -> None:
    """A struct of C++ in a header, which is taken for C: `public:` is read as the beginning of a nameless field."""
    methods = "".join(f"  void Record{n}(int n);\n" for n in range(20))  # too long to be shown whole
    header = f"struct Explanations {{\n public:\n  Explanations(Status* status = nullptr);\n{methods}}};\n"
    app = '#include "explanations.h"\n\nvoid run() {\n  Explanations known;\n  known.'
    repository = indexed({"src/explanations.h": header})
    proposed = repository.candidates("src/app.cc", app, len(app))
    assert any(item.snippet.path == "src/explanations.h" for items in proposed.values() for item in items)
