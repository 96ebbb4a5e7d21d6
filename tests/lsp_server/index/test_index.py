"""Writer and reader over one small workspace, on real files."""

import os
import random
import sqlite3
from pathlib import Path

import pytest

from lsp_server.index import query
from lsp_server.index.codings import codings_in_words
from lsp_server.index.files import FileStat
from lsp_server.index.query import IndexReader
from lsp_server.index.schema import database_of, folder_of, open_for_writing, remove
from lsp_server.index.write import Contents, IndexWriter, Progress
from lsp_server.workspace.repository import Repository
from parsers.chunks import Chunk

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


# -- one file never ends a pass ------------------------------------------------------------------------------

BAD_NAME = os.fsdecode(b"caf\xe9.py")


def test_a_name_that_is_no_utf_8_is_a_name(root: Path) -> None:
    (root / BAD_NAME).write_text("def at_the_table(): ...\n")
    writer = IndexWriter(root)
    assert writer.sync(nothing) == 4
    assert writer.sync(nothing) == 0  # it is known again
    (root / BAD_NAME).write_text("def at_the_bar(seats): ...\n")
    assert writer.update([BAD_NAME]) == 1
    reader = built(root)
    assert [d.name for d in reader.defined_in("caf\\xe9.py")] == ["at_the_bar"]
    assert [d.path for d in reader.named("at_the_bar", 5)] == ["caf\\xe9.py"]
    (root / BAD_NAME).unlink()
    assert writer.update([BAD_NAME]) == 1
    writer.close()
    assert built(root).named("at_the_bar", 5) == ()


def test_a_file_that_cannot_be_written_down_ends_nothing(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Two files of one name as text: the database takes one of them."""
    (root / BAD_NAME).write_text("def first(): ...\n")
    (root / "caf\\xe9.py").write_text("def second(): ...\n")
    (root / "zz.py").write_text("def last(): ...\n")
    reader = built(root)
    assert [d.name for d in reader.defined_in("zz.py")] == ["last"]
    assert reader.is_complete()


@pytest.mark.parametrize(
    "text", ["x = " + " +\n".join("1" for _ in range(3_000)), "[" * 3_000, "{" * 3_000 + "}" * 3_000]
)
def test_a_text_that_nothing_can_be_made_of_ends_nothing(root: Path, text: str) -> None:
    (root / "aa.py").write_text(text)
    writer = IndexWriter(root)
    writer.sync(nothing)
    assert writer.sync(nothing) == 0  # it is not tried again
    writer.close()
    reader = built(root)
    assert [d.name for d in reader.named("apply_rate", 5)] == ["apply_rate"]
    assert reader.is_complete()


def test_what_was_half_written_of_a_file_is_taken_back(root: Path) -> None:
    """The index counts its chunks; one that fails leaves the counts as they were."""
    writer = IndexWriter(root)
    writer.sync(nothing)
    before = writer._db.execute("SELECT * FROM totals").fetchall()
    broken = Contents((), (), ((Chunk(0, 0, "x = 1"), []), (Chunk(1, 1, "y = 1"), [object()])))  # type: ignore[list-item]
    with pytest.raises(TypeError):
        writer._write(FileStat("new.py", "python", 1, 1), broken)
    assert writer._db.execute("SELECT * FROM totals").fetchall() == before
    assert writer._db.execute("SELECT * FROM files WHERE path = 'new.py'").fetchall() == []
    writer.close()


# -- codings, keys and pins ----------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["latin-1", "utf-16", "utf-8-sig", "cp1251"])
def test_files_of_other_codings_are_known(root: Path, coding: str) -> None:
    text = "def größe(): ...\n" if coding != "cp1251" else "# coding: cp1251\ndef размер(): ...\n"
    (root / "other.py").write_bytes(text.encode(coding))
    name = "größe" if coding != "cp1251" else "размер"
    assert [d.name for d in built(root).defined_in("other.py")] == [name]
    words = codings_in_words(root)
    assert ("4 in" in words, "0 of them not UTF-8" in words) == (True, coding == "utf-8-sig")


def test_codings_are_told_in_words(root: Path) -> None:
    for number in range(2):
        (root / f"l{number}.py").write_bytes(b"# \xe9\n")
    (root / "u.py").write_bytes("x = 1\n".encode("utf-16-le").join((b"\xff\xfe", b"")))
    (root / "binary.py").write_bytes(b"a\0b")
    assert codings_in_words(root) == (
        f"7 in {root}, 3 of them not UTF-8 (2 latin-1, 1 utf-16-le), "
        "1 left out (binary, minified, or with a key in them)"
    )


def test_a_key_is_in_no_index_whatever_its_file_is_called(root: Path) -> None:
    body = "MIIEpAIBAAKCAQEAx5cKq1uDNVJ8"
    (root / "settings.py").write_text(f"KEY = '''-----BEGIN RSA PRIVATE KEY-----\n{body}\n'''\ndef load(): ...\n")
    built(root)
    assert body.encode() not in database_of(root).read_bytes()
    reader = IndexReader.open(root)
    assert reader is not None
    assert (reader.defined_in("settings.py"), reader.named("load", 5)) == ((), ())
    assert reader.lines("settings.py", 0, 5) == ""


def pinned(root: Path, *patterns: str) -> list[str]:
    return [item.snippet.path for item in Repository.open(root).pinned(patterns)]


def test_pins_bring_back_what_ignore_rules_leave_out(root: Path) -> None:
    (root / ".gitignore").write_text("local.py\n")
    for name in ("target/api.py", "node_modules/x/y.py", "local.py", "target/Secrets.json", BAD_NAME):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x = 1\n")
    assert pinned(root, "target/*.py", "local.py") == ["target/api.py", "local.py"]
    assert pinned(root, "target/*.json") == []  # a secret is one though it is pinned
    assert pinned(root, "**/y.py") == ["node_modules/x/y.py"]
    assert pinned(root, "*.py") == ["caf\\xe9.py", "uses.py"]  # where there are sources, they are what is meant
