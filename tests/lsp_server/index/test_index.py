"""Writer and reader over one small workspace, on real files."""

import random
import sqlite3
from pathlib import Path

import pytest

from lsp_server.index import query
from lsp_server.index.query import IndexReader
from lsp_server.index.schema import database_of, folder_of, open_for_writing, remove
from lsp_server.index.write import IndexWriter, Progress
from lsp_server.repository import Repository

SHOP = '''\
"""Prices."""
from .money import Money, EURO as DEFAULT
import os


class Price(Money):
    """What a thing costs."""

    rate: float = 0.2

    def with_tax(self, country: str) -> "Price":
        return apply_rate(self, country)


def apply_rate(price, country):
    return price
'''
MONEY = "class Money:\n    pass\n\n\nEURO = Money()\n"
USES = "from shop.prices import Price\n\n\ndef total(prices):\n    return sum(apply_rate(p, None) for p in prices)\n"


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "prices.py").write_text(SHOP)
    (tmp_path / "shop" / "money.py").write_text(MONEY)
    (tmp_path / "uses.py").write_text(USES)
    return tmp_path


def nothing(progress: Progress) -> None:
    pass


def built(root: Path) -> IndexReader:
    writer = IndexWriter(root)
    writer.sync(nothing)
    writer.close()
    reader = IndexReader.open(root)
    assert reader is not None
    return reader


def test_there_is_no_reader_before_there_is_an_index(root: Path) -> None:
    assert IndexReader.open(root) is None


def test_definitions_of_a_file_and_of_a_name(root: Path) -> None:
    reader = built(root)
    assert [(d.name, d.kind) for d in reader.defined_in("shop/prices.py")] == [
        ("Price", "class"),
        ("rate", "field"),
        ("with_tax", "method"),
        ("apply_rate", "function"),
    ]
    price, _, with_tax, apply_rate = reader.defined_in("shop/prices.py")
    assert with_tax.parent == price.id
    assert price.bases == ("Money",)
    assert "def with_tax(self, country: str)" in with_tax.signature
    assert reader.named("apply_rate", 5) == (apply_rate,)
    assert reader.named("nobody", 5) == ()
    assert reader.defined_in("nowhere.py") == ()


def test_imports_as_spelled_and_what_they_mean(root: Path) -> None:
    reader = built(root)
    assert reader.imported_by("shop/prices.py") == [
        (".money", "Money", ""),
        (".money", "EURO", "DEFAULT"),
        ("os", "", ""),
    ]
    assert reader.resolve(".money", "Money", "shop/prices.py") == ["shop/money.py"]
    assert reader.resolve("shop.prices", "Price", "uses.py") == ["shop/prices.py"]
    assert reader.resolve("os", "", "uses.py") == ()


def test_lines_come_back_as_they_are(root: Path) -> None:
    reader = built(root)
    lines = SHOP.split("\n")
    assert reader.lines("shop/prices.py", 5, 11) == "\n".join(lines[5:12]) + "\n"
    assert reader.lines("nowhere.py", 0, 3) == ""


def test_callers_are_found_by_what_they_call(root: Path) -> None:
    found = built(root).callers("apply_rate", 5)
    assert sorted(passage.path for passage in found) == ["shop/prices.py", "uses.py"]
    assert built(root).callers("Apply", 5) == []


def test_similar_passages_share_rare_words(root: Path) -> None:
    found = built(root).similar({"euro": 1.0, "class": 0.5, "unheard": 1.0}, 1)
    assert [passage.path for passage in found] == ["shop/money.py"]


def test_a_pass_reads_only_what_has_changed(root: Path) -> None:
    writer = IndexWriter(root)
    assert writer.sync(nothing) == 3
    assert writer.sync(nothing) == 0
    (root / "uses.py").write_text("def other(): ...\n")
    (root / "shop" / "money.py").unlink()
    assert writer.sync(nothing) == 1
    writer.close()
    reader = IndexReader.open(root)
    assert reader is not None
    assert reader.named("total", 1) == ()
    assert [d.name for d in reader.defined_in("uses.py")] == ["other"]
    assert reader.named("EURO", 1) == ()
    assert reader.similar({"prices": 1.0}, 5)[0].path == "shop/prices.py"


def test_a_saved_file_is_seen_by_a_reader_that_was_open(root: Path) -> None:
    reader = built(root)
    assert reader.defined_in("uses.py")
    (root / "uses.py").write_text("def renamed(): ...\n")
    writer = IndexWriter(root)
    assert writer.update(["uses.py", "not/there.py"]) == 1
    assert [d.name for d in reader.defined_in("uses.py")] == ["renamed"]
    writer.close()


def test_the_totals_follow_every_change(root: Path) -> None:
    """They weigh words: what is forgotten must be taken away again."""
    writer = IndexWriter(root)
    writer.sync(nothing)
    for text in ("a = b", USES * 3, ""):
        (root / "uses.py").write_text(text)
        writer.update(["uses.py"])
    writer.close()
    db = open_for_writing(root)
    (n_chunks, n_words, _) = db.execute("SELECT * FROM totals").fetchone()
    assert (n_chunks, n_words) == db.execute("SELECT count(*), sum(n_words) FROM chunks").fetchone()
    assert db.execute("SELECT count(*) FROM word_counts WHERE term = 'total'").fetchone() == (0,)
    db.execute("INSERT INTO words (words) VALUES ('integrity-check')")


def test_a_pass_that_is_stopped_keeps_what_it_has(root: Path) -> None:
    class Stopped(Exception):
        pass

    def stop_at_second(progress: Progress) -> None:
        if progress.n_done == 2:
            raise Stopped

    writer = IndexWriter(root)
    with pytest.raises(Stopped):
        writer.sync(stop_at_second)
    writer.close()
    reader = IndexReader.open(root)
    assert reader is not None
    assert not reader.is_complete()
    assert IndexWriter(root).sync(nothing) == 1


def test_a_repository_that_changes_during_a_pass_is_right_after_the_next(root: Path) -> None:
    def change_all(progress: Progress) -> None:
        if progress.n_done == 0:  # the walk has seen the files as they were
            (root / "shop" / "money.py").unlink()
            (root / "shop" / "prices.py").write_text("def after(): ...\n")
            (root / "new.py").write_text("def new(): ...\n")

    writer = IndexWriter(root)
    assert writer.sync(change_all) == 3
    assert writer.sync(nothing) == 2
    assert writer.sync(nothing) == 0
    writer.close()
    reader = IndexReader.open(root)
    assert reader is not None
    assert [d.name for d in reader.defined_in("shop/prices.py")] == ["after"]
    assert [d.name for d in reader.defined_in("new.py")] == ["new"]
    assert reader.in_folder("shop") == ["shop/prices.py"]
    assert reader.defined_in("uses.py")


def test_a_full_disk_leaves_no_file_in_part(root: Path) -> None:
    writer = IndexWriter(root)
    writer.sync(nothing)
    n_pages = writer._db.execute("PRAGMA page_count").fetchone()[0]
    (root / "uses.py").write_text("def renamed(): ...\n")
    (root / "big.py").write_text("".join(f"def function_{n}(): ...\n" for n in range(2_000)))
    writer._db.execute(f"PRAGMA max_page_count = {n_pages + 4}")
    with pytest.raises(sqlite3.Error, match="full"):
        writer.update(["uses.py", "big.py"])
    writer.close()  # which commits
    reader = IndexReader.open(root)
    assert reader is not None
    assert reader.defined_in("big.py") == ()
    assert [d.name for d in reader.defined_in("uses.py")] == ["total"]
    assert built(root).named("function_1999", 1)


@pytest.mark.parametrize("damage", [b"not a database at all" * 100, b""])
def test_a_damaged_index_is_built_anew(root: Path, damage: bytes) -> None:
    built(root).close()
    database_of(root).write_bytes(damage)
    reader = built(root)
    assert len(reader.defined_in("shop/prices.py")) == 4


def test_an_index_of_another_version_is_built_anew(root: Path) -> None:
    built(root).close()
    connection = sqlite3.connect(database_of(root))
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    assert IndexReader.open(root) is None
    assert built(root).named("Price", 1)


def test_a_repository_notices_an_index_that_was_built_anew(root: Path) -> None:
    repository = Repository.open(root)
    built(root).close()
    text = "from shop.prices import apply_rate\n"
    assert repository.candidates("new.py", text, len(text))["imported"]
    remove(database_of(root))
    assert repository.candidates("new.py", text, len(text)) == {}
    (root / "shop" / "prices.py").write_text("def apply_rate(): ...\n")
    built(root).close()
    (found,) = repository.candidates("new.py", text, len(text))["imported"]
    assert found.snippet.text == "def apply_rate(): ...\n"


def test_a_reader_of_an_index_that_breaks_has_nothing_to_say(root: Path) -> None:
    reader = built(root)
    reader._db.close()
    assert reader.named("Price", 1) == ()
    assert reader.lines("uses.py", 0, 1) == ""
    assert reader.similar({"price": 1.0}, 3) == ()


def test_an_index_lies_in_the_cache_and_only_its_owner_may_look(root: Path) -> None:
    built(root)
    assert folder_of(root).stat().st_mode & 0o777 == 0o700
    assert (folder_of(root) / "workspace").read_text() == f"{root}\n"


def test_the_fast_query_finds_what_the_exhaustive_one_finds(tmp_path: Path) -> None:
    """Chunks of random words with a long tail: the ten best are the same ten."""
    shuffle = random.Random(0)
    vocabulary = [f"word{int(1.5**n)}" for n in range(2, 40)]
    for number in range(60):
        chosen = shuffle.choices(vocabulary, [1 / (rank + 1) for rank in range(len(vocabulary))], k=80)
        (tmp_path / f"file{number}.py").write_text("\n".join(chosen))
    reader = built(tmp_path)
    for _ in range(20):
        asked = dict.fromkeys(shuffle.sample(vocabulary, 15), 1.0)
        fast, exact = reader.ranked(asked, 10), reader.exhaustive(asked, 10)
        assert [chunk_id for chunk_id, _ in fast] == [chunk_id for chunk_id, _ in exact]
        assert [score for _, score in fast] == pytest.approx([score for _, score in exact])


def test_frequent_words_are_counted_again_when_the_index_has_grown(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "_FREQUENT", 1)
    reader = built(root)
    (before,) = reader.ranked({"apply_rate": 1.0}, 1)
    for number in range(20):
        (root / f"more{number}.py").write_text("def apply_rate(): ...\n")
    built(root).close()
    (after,) = reader.ranked({"apply_rate": 1.0}, 1)
    assert after[1] < before[1]
    fresh = IndexReader.open(root)
    assert fresh is not None
    assert fresh.ranked({"apply_rate": 1.0}, 1) == [after]
    # One more is less than the drift that is put up with.
    monkeypatch.setattr(query, "_MAX_DRIFT", 0.5)
    (root / "last.py").write_text("def apply_rate(): ...\n")
    built(root).close()
    assert reader._frequencies(["apply_rate"], 24) == {"apply_rate": 22}


def test_a_name_is_known_that_stands_anywhere(root: Path) -> None:
    reader = built(root)
    assert reader.is_known("with_tax")  # defined
    assert reader.is_known("country")  # a parameter
    assert not reader.is_known("with_vat")
    (root / "more.py").write_text("def with_vat(): ...\n")
    built(root).close()
    assert reader.is_known("with_vat")


def test_as_long_as_not_all_files_are_read_every_name_is_known(root: Path) -> None:
    reader = built(root)
    connection = sqlite3.connect(database_of(root))
    connection.execute("UPDATE totals SET complete = 0")
    connection.commit()
    connection.close()
    assert reader.is_known("with_vat")
    reader._db.close()
    assert reader.is_known("nobody")


def test_a_suggestion_does_not_wait_for_a_repository_that_is_being_read(root: Path) -> None:
    repository = Repository.open(root)
    assert repository.is_known("with_vat")  # no index yet
    built(root).close()
    assert not repository.is_known("with_vat")
    with repository._turn:
        assert repository.is_known("with_vat")
