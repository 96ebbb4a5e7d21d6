"""What `auto` is follows from what was measured of the machine, and from what is on it."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from lsp_server.engine import auto
from lsp_server.engine.auto import chosen, fit_here, larger_that_fit, machine_file, machine_key
from model.library.catalog import CATALOG, DEFAULT_MODEL, resolve

SMALL, LARGE = CATALOG[0], CATALOG[1]
FAST, SLOW = 3_000.0, 280.0  # tokens a second that the small one reads


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path))
    monkeypatch.setattr(auto.psutil, "virtual_memory", lambda: SimpleNamespace(total=16e9))


def measured(name: str, tokens_per_s: float, quantization: str = "auto") -> None:
    model_id = resolve(name).model_id
    record = {"model_id": model_id, "n_threads": 8, "kernels": "avx2", "tokens_per_s": tokens_per_s}
    machine_file().parent.mkdir(exist_ok=True)
    known = json.loads(machine_file().read_text()) if machine_file().exists() else {}
    machine_file().write_text(json.dumps({**known, machine_key(model_id, quantization): record}))


def fetched(tmp_path: Path) -> None:
    """As large as the file is, and empty."""
    (tmp_path / "models").mkdir()
    with (tmp_path / "models" / LARGE.file).open("wb") as file:
        file.truncate(LARGE.size_bytes)


def test_a_name_or_a_path_is_itself() -> None:
    assert [chosen(name) for name in (LARGE.name, "~/mine.gguf", "no such model")] == [
        LARGE.name,
        "~/mine.gguf",
        "no such model",
    ]


def test_it_is_the_larger_model_where_that_is_there_and_fast_enough(tmp_path: Path) -> None:
    assert chosen("auto") == DEFAULT_MODEL == SMALL.name  # nothing is known
    measured(SMALL.name, FAST)
    assert chosen("auto") == DEFAULT_MODEL  # it is not there
    assert larger_that_fit() == [LARGE]
    fetched(tmp_path)
    assert chosen("auto") == LARGE.name
    assert chosen("auto", "int8") == DEFAULT_MODEL  # of which nothing is known


def test_a_slow_machine_keeps_the_small_one_whatever_is_there(tmp_path: Path) -> None:
    measured(SMALL.name, SLOW)
    fetched(tmp_path)
    assert larger_that_fit() == []
    assert chosen("auto") == DEFAULT_MODEL


def test_what_was_measured_of_the_model_itself_counts_more(tmp_path: Path) -> None:
    fetched(tmp_path)
    measured(SMALL.name, FAST)
    measured(LARGE.name, 20.0)
    assert chosen("auto") == DEFAULT_MODEL
    measured(LARGE.name, FAST)
    measured(SMALL.name, 20.0)
    assert chosen("auto") == LARGE.name


def test_the_small_ones_speed_says_the_large_ones() -> None:
    measured(SMALL.name, FAST)
    small, large = fit_here(SMALL, "auto"), fit_here(LARGE, "auto")
    assert small is not None
    assert large is not None
    assert 2 < large.line_s / small.line_s < 5


def test_a_machine_without_room_keeps_the_small_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto.psutil, "virtual_memory", lambda: SimpleNamespace(total=4e9))
    measured(SMALL.name, FAST)
    fetched(tmp_path)
    assert chosen("auto") == DEFAULT_MODEL


@pytest.mark.parametrize("text", ["", "[]", "{", '{"qwen2.5-coder-0.5b auto": {"speed": 1}}'])
def test_a_damaged_file_is_nothing_known(tmp_path: Path, text: str) -> None:
    fetched(tmp_path)
    machine_file().parent.mkdir()
    machine_file().write_text(text)
    assert chosen("auto") == DEFAULT_MODEL
