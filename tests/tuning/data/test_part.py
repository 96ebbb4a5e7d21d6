"""The examples of one repository: snippets come from its index, never from the file itself."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from completion.types import Format
from tests.fakes import FILE, MIDDLE, SPEC, ByteTokenizer
from tests.tuning.data.test_spans import PYTHON
from tuning.data.examples import Example, Maker
from tuning.data.part import Wanted, examples_of

_PRICES = "def price_of(item: str, tax: float) -> float:\n    return len(item) * (1 + tax)\n"
_SHOP = "from prices import price_of\n\n\ndef total(items):\n" + "".join(
    f"    part_{n} = price_of(items[{n}], tax=0.{n})\n" for n in range(20)
)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "shop"
    root.mkdir()
    for name, text in {"prices.py": _PRICES, "shop.py": _SHOP, "area.py": PYTHON}.items():
        (root / name).write_text(text)
    return root


ALL: list[Wanted] = [("shop.py", 120, None), ("area.py", 5, None)]


def examples(tree: Path, wanted: list[Wanted] = ALL) -> list[Example]:
    spec = replace(SPEC, block_format=Format.FIM)
    maker = Maker(spec=spec, tokenizer=ByteTokenizer(), rng=random.Random(1))
    return examples_of(tree, "a/shop@1", wanted, maker)


def test_snippets_of_other_files_stand_in_some_prompts(tree: Path) -> None:
    found = examples(tree)
    of_shop = [example for example in found if example.source == "a/shop@1:shop.py"]
    assert len(of_shop) > 20
    assert len(found) > len(of_shop)
    shown = [example for example in of_shop if example.has_snippets]
    assert 0 < len(shown) < len(of_shop)
    for example in of_shop:
        prompt = example.ids[: example.ids.index(MIDDLE)]
        assert bytes(token for token in prompt if token < 256).startswith(b"shop\n")
        assert prompt.count(FILE) == 1 or example.has_snippets
    assert any(b"price_of(item: str" in bytes(t for t in example.ids if t < 256) for example in shown)
    assert not any(b"price_of(item: str" in bytes(t for t in e.ids if t < 256) for e in of_shop if not e.has_snippets)


def test_the_same_seed_makes_the_same_examples(tree: Path) -> None:
    assert examples(tree) == examples(tree)


def test_of_some_lines_alone_if_asked(tree: Path) -> None:
    lines = [number for number, line in enumerate(_SHOP.split("\n")) if "part_7 " in line or "part_12 " in line]
    found = examples(tree, [("shop.py", 40, lines), ("area.py", 40, [])])
    whole = {example.truth for example in found if example.kind == "line"}
    assert whole == {f"part_{n} = price_of(items[{n}], tax=0.{n})" for n in (7, 12)}
    assert {example.source for example in found} == {"a/shop@1:shop.py"}
