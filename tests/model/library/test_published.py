"""Models that a user gives by path: split ones open by any part, and what is missing or cut off is said first."""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from gguf import GGML_QUANT_SIZES, GGUFReader

from model.engine.device import needed_bytes
from model.library.architecture import UnsupportedModel
from model.library.catalog import ModelError, resolve
from model.library.fetch import fetch
from model.library.published import BLOCKS, check
from model.library.shards import files_of
from model.library.store import read_manifest
from model.weights.prepare import source_hash
from model.weights.quantize import make_store
from model.weights.source import open_source
from tests.lsp_server.cli.test_main import midfill
from tests.lsp_server.session import Session
from tests.model.tiny import make_tiny_model
from tests.model.tiny_gguf import make_tiny_gguf

PER_PART = 16


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("split")
    assert len(make_tiny_gguf(folder, "whole")) == 1
    assert len(make_tiny_gguf(folder, "split", PER_PART)) == 3
    return folder


@pytest.fixture
def parts(made: Path, tmp_path: Path) -> list[Path]:
    return [Path(shutil.copy2(part, tmp_path)) for part in sorted(made.glob("split-*.gguf"))]


def test_the_formats_numbers_are_those_of_its_library() -> None:
    assert {int(kind): size for kind, size in GGML_QUANT_SIZES.items()} == BLOCKS


def test_a_split_model_has_the_tensors_of_the_whole_one(made: Path, parts: list[Path]) -> None:
    with open_source(made / "whole.gguf") as whole, open_source(parts[0]) as split:
        assert split.architecture == whole.architecture
        assert split.tokenizer_json == whole.tokenizer_json
        names = ["embed", "head", "norm", *(f"layers.{n}.{part}" for n in range(3) for part in whole.layer_names())]
        for name in names:
            assert torch.equal(split.tensor(name), whole.tensor(name)), name


def test_whichever_part_is_named_it_is_one_model_with_one_store(
    parts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    sources = [resolve(str(part)) for part in parts]
    assert {source.model_id for source in sources} == {sources[0].model_id}
    assert {fetch(source) for source in sources} == {parts[0]}
    store = make_store(sources[1], fetch(sources[1]), "int8", lambda done: None)
    assert read_manifest(store).architecture.n_layers == 3
    before = source_hash(sources[0], parts[0])
    os.utime(parts[2], ns=(1, 1))  # another file
    assert source_hash(sources[0], parts[0]) != before


def test_a_card_must_hold_all_parts(parts: list[Path]) -> None:
    working = needed_bytes(parts[0], "bf16") - needed_bytes(parts[1], "bf16")
    assert working == 0


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("named", [0, 1, 2])
def test_a_missing_part_is_named_at_once(parts: list[Path], number: int, named: int) -> None:
    parts[number].unlink()
    with pytest.raises(ModelError, match=f"part {number + 1} of 3 .*missing.*{parts[number].name}"):
        resolve(str(parts[named]))


def cut_header(part: Path) -> None:
    os.truncate(part, 40)


def cut_end(part: Path) -> None:
    os.truncate(part, part.stat().st_size - 1000)


def cut_half(part: Path) -> None:
    os.truncate(part, part.stat().st_size // 2)


def cut_all(part: Path) -> None:
    os.truncate(part, 0)


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("cut", [cut_header, cut_end, cut_half])
def test_a_part_that_is_cut_off_is_named_before_anything_is_read(
    parts: list[Path], number: int, cut: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    cut(parts[number])

    def never(*arguments: object) -> None:
        raise AssertionError("the slow reader was asked")

    monkeypatch.setattr(GGUFReader, "__init__", never)
    for ask in (lambda: fetch(resolve(str(parts[1]))), lambda: open_source(parts[0]).__enter__()):
        with pytest.raises(ModelError, match=f"{parts[number].name} is cut off"):
            ask()


@pytest.mark.parametrize("cut", [cut_header, cut_end, cut_all])
def test_so_is_a_model_in_one_file(made: Path, tmp_path: Path, cut: Callable[[Path], None]) -> None:
    file = Path(shutil.copy(made / "whole.gguf", tmp_path))
    check(file)
    cut(file)
    with pytest.raises(ModelError, match=r"whole\.gguf is (cut off|not a GGUF file)"):
        check(file)


def test_every_length_of_a_header_is_an_answer(made: Path, tmp_path: Path) -> None:
    file, whole = tmp_path / "m.gguf", (made / "whole.gguf").read_bytes()
    for length in range(0, 12_000, 37):
        file.write_bytes(whole[:length])
        with pytest.raises(ModelError):
            check(file)


def test_damage_in_a_header_is_an_answer(made: Path, tmp_path: Path) -> None:
    file, whole = tmp_path / "m.gguf", (made / "whole.gguf").read_bytes()
    for at in range(4, 9_000, 61):
        file.write_bytes(whole[:at] + b"\xff" * 8 + whole[at + 8 :])
        with suppress(ModelError):  # what only changes a word is no damage that could be seen here
            check(file)


def test_parts_that_do_not_belong_together_are_told(made: Path, parts: list[Path], tmp_path: Path) -> None:
    shutil.copy(parts[0], parts[1])
    with pytest.raises(ModelError, match="another part than its name says"):
        check(parts[0])
    shutil.copy(made / "whole.gguf", parts[1])
    with pytest.raises(ModelError, match="no part of a model in 3 parts"):
        check(parts[0])
    alone = parts[2].rename(tmp_path / "renamed.gguf")
    with pytest.raises(ModelError, match="one of 3 parts, and its name does not say which"):
        check(alone)


def test_a_model_without_some_of_its_tensors_is_told_before_any_is_read(made: Path, tmp_path: Path) -> None:
    (whole,) = make_tiny_gguf(tmp_path, "m")
    data = whole.read_bytes().replace(b"blk.2.attn_norm.weight", b"blk.2.attn_nose.weight")
    whole.write_bytes(data)
    with pytest.raises(UnsupportedModel, match=r"1 tensors are missing, blk\.2\.attn_norm\.weight first"):
        open_source(whole).__enter__()


def test_a_folder_that_lacks_a_part_or_holds_one_that_is_cut_off_is_told(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "tiny")
    check(folder)
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match=r"part 1 of 2 .*missing.*model-00001-of-00002\.safetensors"):
        check(folder)
    (folder / "model.safetensors.index.json").unlink()
    cut_end(folder / "model.safetensors")
    with pytest.raises(ModelError, match=r"model\.safetensors is cut off"):
        fetch(resolve(str(folder)))


def test_a_name_that_only_looks_like_a_part_is_a_file(tmp_path: Path) -> None:
    for name in ("m-00004-of-00003.gguf", "m-1-of-3.gguf", "m-00000-of-00002.gguf"):
        assert files_of(tmp_path / name) == [tmp_path / name]


@pytest.mark.e2e
def test_a_split_model_completes_by_any_part_and_says_what_is_wrong_with_it(
    tiny_cache: Path, parts: list[Path], tmp_path: Path
) -> None:
    source = tmp_path / "a.py"
    source.write_text("def add(a, b):\n    return ")
    told = midfill("complete", f"{source}:2", "--json", "--mode", "line", "--model", str(parts[2]))
    assert json.loads(told.stdout)["outcome"] in ("ok", "empty", "filtered")
    midfill("stop")
    cut_half(parts[1])
    told = midfill("complete", f"{source}:2", "--model", str(parts[0]))
    assert (told.returncode, told.stderr.splitlines()[-1][:9]) == (2, "midfill: ")
    assert f"{parts[1].name} is cut off" in told.stderr
    told = midfill("model", "pull", str(parts[2]))
    assert f"{parts[1].name} is cut off" in told.stderr
    assert not list(tiny_cache.glob("stores/.*"))  # nothing was begun
    with Session(tmp_path, options={"model": str(parts[2])}) as session:
        session.allowed_errors = 1
        assert f"{parts[1].name} is cut off" in session.wait_for_phase("failed")["message"]
