import os
import stat
from pathlib import Path

import pytest

from model.library import paths
from model.library.adapter import find_base, open_adapter
from model.library.architecture import SUPPORTED
from model.library.catalog import CATALOG, DEFAULT_MODEL, ModelError, ModelRow, resolve


def make_folder(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_the_default_model_is_in_the_catalog() -> None:
    assert resolve(DEFAULT_MODEL).row is not None


@pytest.mark.parametrize("row", CATALOG, ids=lambda row: row.name)
def test_a_row_is_found_by_its_short_name_its_title_and_its_repository(row: ModelRow) -> None:
    for name in (row.name, row.title, row.source_repo, row.title.upper()):
        source = resolve(name)
        assert (source.row, source.path) == (row, None)
        assert source.model_id.startswith(row.name)
        stock = resolve(f"{name}@none")
        assert (stock.row, stock.path, stock.model_id, stock.adapters) == (row, None, row.name, ())
        assert resolve(f"{name}@fim") == source


@pytest.mark.parametrize("row", [row for row in CATALOG if row.adapter_sha256], ids=lambda row: row.name)
def test_a_shipped_adapter_is_there_and_fits_its_row(row: ModelRow) -> None:
    source = resolve(row.name)
    assert source.shipped is not None
    adapter = open_adapter(source.shipped.folder)
    assert adapter.sha256 == row.adapter_sha256
    assert find_base(adapter, None).row == row
    assert row.size is not None
    size = row.size
    assert adapter.shapes[f"layers.{size.n_layers - 1}.down"][::2] == (size.hidden, size.intermediate)
    assert (source.shipped.folder / "CARD.md").is_file()


@pytest.mark.parametrize("row", CATALOG, ids=lambda row: row.name)
def test_a_row_says_all_that_a_download_needs(row: ModelRow) -> None:
    assert bool(row.sha256) != bool(row.files)  # a known hash, or files whose hashes the hub says
    assert len(bytes.fromhex(row.sha256)) in (0, 32)
    assert row.size_bytes > 0
    assert row.file == Path(row.file).name or row.files
    assert row.license
    assert row.architecture in SUPPORTED


def test_terms_that_forbid_some_use_are_told() -> None:
    assert {row.name for row in CATALOG if row.license != "Apache-2.0"} == {row.name for row in CATALOG if row.terms}
    assert "no commercial use" in next(row.terms for row in CATALOG if row.name == "qwen2.5-coder-3b")


def test_names_ids_and_files_are_unique() -> None:
    assert len({row.name for row in CATALOG}) == len({row.source_repo for row in CATALOG}) == len(CATALOG)
    names = [name.lower() for row in CATALOG for name in {row.name, row.title, row.source_repo}]
    assert len(set(names)) == len(names)


def test_an_unknown_name_lists_the_known_ones_and_says_that_a_path_works() -> None:
    with pytest.raises(ModelError) as caught:
        resolve("gpt-17")
    assert "'gpt-17'" in str(caught.value)
    assert all(row.name in str(caught.value) for row in CATALOG)
    assert "path of a .gguf file" in str(caught.value)


def test_a_gguf_file_is_a_model(tmp_path: Path) -> None:
    file = tmp_path / "My Model_Q4.K.gguf"
    file.touch()
    source = resolve(str(file))
    assert (source.row, source.path) == (None, file)
    assert source.model_id.startswith("my-model-q4.k-")


def test_a_home_folder_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "m.gguf").touch()
    assert resolve("~/m.gguf").path == tmp_path / "m.gguf"


def test_a_missing_gguf_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model file at .*absent\.gguf"):
        resolve(str(tmp_path / "absent.gguf"))


def test_a_safetensors_folder_is_a_model_with_its_whole_name_in_the_id(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "Coder-2.5-Base", "config.json", "tokenizer.json", "model-1-of-2.safetensors")
    source = resolve(str(folder))
    assert source.path == folder
    assert source.model_id.startswith("coder-2.5-base-")


def test_a_folder_without_a_model_says_what_it_lacks(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "src", "config.json")
    with pytest.raises(ModelError, match=r"no tokenizer\.json and no \*\.safetensors"):
        resolve(str(folder))


def test_ids_are_stable_and_tell_files_of_the_same_name_apart(tmp_path: Path) -> None:
    files = [make_folder(tmp_path / name, "m.gguf") / "m.gguf" for name in ("a", "b")]
    first, second = (resolve(str(file)).model_id for file in files)
    assert first != second
    assert resolve(str(tmp_path / "b" / ".." / "a" / "m.gguf")).model_id == first


@pytest.mark.parametrize("name", ["...", "é" * 80, "x" * 200, "a/../../b", "*?[x]", "-rf"])
def test_ids_are_safe_in_file_names_whatever_the_file_is_called(tmp_path: Path, name: str) -> None:
    file = tmp_path / f"{name.replace('/', ' ')}.gguf"
    file.touch()
    model_id = resolve(str(file)).model_id
    assert set(model_id) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")
    assert model_id[0] not in ".-"
    assert len(model_id) <= 40


# -- where things are --------------------------------------------------------------------------------------


def test_the_runtime_folder_is_private_and_every_cache_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = set()
    for cache in ("a", "b"):
        monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / cache))
        monkeypatch.setenv("XDG_RUNTIME_DIR", "")
        folder = paths.runtime_dir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        folders.add(folder)
        assert paths.runtime_dir() == folder
        folder.rmdir()
    assert len(folders) == 2


def test_an_open_runtime_folder_is_closed_and_a_planted_link_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    folder = paths.runtime_dir()
    folder.chmod(0o777)
    assert stat.S_IMODE(paths.runtime_dir().stat().st_mode) == 0o700
    folder.rmdir()
    folder.symlink_to(tmp_path)
    try:
        with pytest.raises(paths.UnsafeFolder, match="is not a folder of yours"):
            paths.runtime_dir()
    finally:
        folder.unlink()


def test_a_session_folder_with_a_long_path_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = tmp_path / ("long" * 12)
    session.mkdir()
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(session))
    folder = paths.runtime_dir()
    folder.rmdir()
    assert len(os.fsencode(folder)) <= 56
