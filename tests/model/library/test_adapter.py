"""Reading, refusing, naming and keeping adapters; made by hand, without PEFT and without torch."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from model.library.adapter import HEAD, AdapterError, add, added, default_name, find_base, open_adapter, remove
from model.library.catalog import CATALOG, DEFAULT_MODEL, ModelError, resolve

ROW = next(row for row in CATALOG if row.name == DEFAULT_MODEL)
PREFIX = "base_model.model.model.layers.0.self_attn.q_proj"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def make(folder: Path, tensors: dict[str, tuple[int, ...]] | None = None, **config: Any) -> Path:
    """An adapter of rank 4 on one projection of 16 -> 8, or with other tensors and settings."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "base_model_name_or_path": f"Qwen/{ROW.title}", **config}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    shapes = {f"{PREFIX}.lora_A.weight": (4, 16), f"{PREFIX}.lora_B.weight": (8, 4)} if tensors is None else tensors
    save_file(
        {name: np.ones(shape, dtype=np.float32) for name, shape in shapes.items()}, folder / "adapter_model.safetensors"
    )
    return folder


def check_refused(folder: Path, words: str) -> None:
    with pytest.raises(AdapterError, match=words):
        open_adapter(folder)


def test_an_adapter_is_read_with_its_scale(tmp_path: Path) -> None:
    adapter = open_adapter(make(tmp_path / "a"))
    assert adapter.targets == {"layers.0.q": "model.layers.0.self_attn.q_proj"}
    assert adapter.shapes == {"layers.0.q": (8, 4, 16)}
    assert adapter.scale("layers.0.q") == 2.0
    assert open_adapter(make(tmp_path / "b", use_rslora=True)).scale("layers.0.q") == 4.0
    assert open_adapter(make(tmp_path / "c", alpha_pattern={"q_proj": 6})).scale("layers.0.q") == 1.5
    assert open_adapter(make(tmp_path / "d", alpha_pattern={"proj": 6})).scale("layers.0.q") == 2.0  # no whole name


# -- what is refused ---------------------------------------------------------------------------------------


def test_what_is_no_adapter_folder_is_named(tmp_path: Path) -> None:
    check_refused(tmp_path / "absent", "there is no adapter folder at .*absent")
    (tmp_path / "empty").mkdir()
    check_refused(tmp_path / "empty", "not an adapter folder: it has no adapter_config.json")
    folder = make(tmp_path / "a")
    (folder / "adapter_model.safetensors").unlink()
    check_refused(folder, "has no adapter_model.safetensors$")
    (folder / "adapter_model.bin").write_bytes(b"")
    check_refused(folder, "is a pickle, which can run code")


@pytest.mark.parametrize("text", ["", "{", "[]", "\udcff"])
def test_a_broken_configuration_is_named(text: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "a")
    (folder / "adapter_config.json").write_bytes(text.encode(errors="surrogateescape"))
    check_refused(folder, "adapter_config.json (cannot be read|is not an object)")


@pytest.mark.parametrize("data", [b"", b"x" * 100, b"\xff" * 8 + b"{}"])
def test_a_broken_tensor_file_is_named(data: bytes, tmp_path: Path) -> None:
    folder = make(tmp_path / "a")
    (folder / "adapter_model.safetensors").write_bytes(data)
    check_refused(folder, "adapter_model.safetensors is not a readable safetensors file")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"peft_type": "IA3"}, "of the kind IA3: only LORA"),
        ({"use_dora": True}, "use_dora is not supported"),
        ({"bias": "lora_only"}, "bias='lora_only' is not supported"),
        ({"lora_bias": True}, "lora_bias is not supported"),
        ({"fan_in_fan_out": True}, "fan_in_fan_out is not supported"),
        ({"modules_to_save": ["embed_tokens"]}, "modules_to_save is not supported"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices is not supported"),
        ({"init_lora_weights": "pissa_niter_4"}, "init_lora_weights='pissa_niter_4' .* is not supported"),
        ({"layer_replication": [[0, 2], [1, 3]]}, "layer_replication is not supported"),
        ({"something_of_next_year": True}, "something_of_next_year is not supported"),
    ],
)
def test_what_is_more_than_lora_is_refused_by_name(config: dict[str, Any], words: str, tmp_path: Path) -> None:
    check_refused(make(tmp_path / "a", **config), f"{words}|{words}. Merge it with PEFT")


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({}, "holds no tensors"),
        ({f"{PREFIX}.lora_A.weight": (4, 16)}, "q_proj lacks its A or B"),
        ({f"{PREFIX}.lora_magnitude_vector": (8,)}, "lora_magnitude_vector, which is not LoRA's A or B"),
        ({"base_model.model.model.embed_tokens.lora_embedding_A": (4, 9)}, "lora_embedding_A, which is not"),
        ({f"{PREFIX}.lora_A.weight": (4, 16), f"{PREFIX}.lora_B.weight": (8, 5)}, r"A \(4, 16\) and B \(8, 5\)"),
        ({f"{PREFIX}.lora_A.weight": (2, 16), f"{PREFIX}.lora_B.weight": (8, 2)}, "says rank 4"),
        ({"base_model.model.h.0.c.lora_A.weight": (4, 1), "base_model.model.h.0.c.lora_B.weight": (1, 4)}, "adapts h"),
        ({f"{PREFIX}.lora_A.weight": (4, 16), f"{PREFIX}.lora_B.weight": (8, 4), HEAD: (1, 1)}, "holds a head"),
    ],
)  # fmt: skip
def test_tensors_that_are_not_whole_lora_pairs_are_refused(
    tensors: dict[str, tuple[int, ...]], words: str, tmp_path: Path
) -> None:
    check_refused(make(tmp_path / "a", tensors), words)


# -- the base ----------------------------------------------------------------------------------------------


def test_the_base_is_the_model_that_the_adapter_names(tmp_path: Path) -> None:
    assert find_base(open_adapter(make(tmp_path / "a")), None).row is ROW
    moved = open_adapter(make(tmp_path / "b", base_model_name_or_path=f"/home/me/{ROW.title}/"))
    assert find_base(moved, None).row is ROW
    base = open_adapter(make(tmp_path / "c", base_model_name_or_path="Qwen/Qwen2.5-Coder-0.5B"))
    assert find_base(base, None).model_id == "qwen2.5-coder-0.5b-base"  # and not the instruct model of that short name


def test_a_base_that_is_not_here_is_asked_for(tmp_path: Path) -> None:
    for name in ("someone/else", "", None):
        adapter = open_adapter(make(tmp_path / "a", base_model_name_or_path=name))
        with pytest.raises(AdapterError, match=r"trained on (someone/else|a model that it does not name).*--model"):
            find_base(adapter, None)


def test_another_catalog_model_needs_force_and_a_folder_does_not(tmp_path: Path) -> None:
    adapter = open_adapter(make(tmp_path / "a", base_model_name_or_path="someone/else"))
    with pytest.raises(AdapterError, match=f"trained on someone/else, not on {ROW.title}.*--force"):
        find_base(adapter, ROW.name)
    assert find_base(adapter, ROW.name, force=True).row is ROW
    (tmp_path / "own.gguf").touch()
    assert find_base(adapter, str(tmp_path / "own.gguf")).path == tmp_path / "own.gguf"


# -- names -------------------------------------------------------------------------------------------------


def test_an_added_adapter_is_a_model_with_an_id_of_its_own(tmp_path: Path) -> None:
    adapter = open_adapter(make(tmp_path / "My Style"))
    base = find_base(adapter, None)
    assert default_name(adapter, base) == "qwen2.5-coder-0.5b-my-style"
    source = add(adapter, base, "mine")
    assert source == resolve("mine") == add(adapter, base, "mine")
    assert (source.row, source.path, source.model_id) == (ROW, None, f"mine-{adapter.sha256[:8]}")
    assert [known.name for known in added()] == ["mine"]
    with pytest.raises(ModelError, match=r"use one of .*, mine, or the path"):
        resolve("absent")
    with pytest.raises(AdapterError, match="is an adapter itself"):
        find_base(adapter, "mine", force=True)
    assert remove(added()[0]) > 0
    assert added() == []


def test_a_name_is_given_once(tmp_path: Path) -> None:
    first = open_adapter(make(tmp_path / "a"))
    second = open_adapter(make(tmp_path / "b", lora_alpha=9))
    base = find_base(first, None)
    one = add(first, base, "mine")
    with pytest.raises(AdapterError, match="mine is another adapter already: `midfill model rm mine`"):
        add(second, base, "mine")
    remove(added()[0])
    assert add(second, base, "mine").model_id != one.model_id


@pytest.mark.parametrize("name", ["", "..", "a/b", "Ä", "-rf", "x" * 33, "a-int4-b", ROW.name])
def test_a_name_that_would_not_do_is_refused(name: str, tmp_path: Path) -> None:
    adapter = open_adapter(make(tmp_path / "a"))
    with pytest.raises(AdapterError, match=r"is no name for a model|name of a catalog model"):
        add(adapter, find_base(adapter, None), name)
    assert added() == []


def test_a_damaged_record_is_no_model(cache: Path) -> None:
    for name, text in (("a", "{"), ("b", "[]"), ("c", '{"base": 1}')):
        (cache / "adapters" / name).mkdir(parents=True)
        (cache / "adapters" / name / "added.json").write_text(text)
        with pytest.raises(ModelError, match="unknown model"):
            resolve(name)
    assert added() == []


def test_reading_an_adapter_does_not_load_torch(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from model.library.adapter import open_adapter; "
    code += "open_adapter(Path(sys.argv[1])); sys.exit('torch' in sys.modules)"
    command = [sys.executable, "-c", code, str(make(tmp_path / "a"))]
    assert subprocess.run(command, cwd=Path(__file__).parents[3]).returncode == 0
