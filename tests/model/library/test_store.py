"""What a store says of its model's prompts, whenever it was made."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

from completion.types import Format, PromptSpec
from model.library.architecture import Architecture
from model.library.catalog import CATALOG
from model.library.store import (
    MANIFEST,
    NUMERICS_VERSION,
    SPECIAL_TOKENS,
    Manifest,
    newest_store,
    present_spec,
    stores_of,
    write_manifest,
)

_SPEC = PromptSpec(
    repo_name=1, file_sep=2, fim_prefix=3, fim_suffix=4, fim_middle=5, stop_token_ids=(0,), bos=None,
    line_format=Format.LEFT, block_format=Format.LEFT,
)  # fmt: skip
_ARCHITECTURE = Architecture(
    family="qwen2", n_layers=1, hidden=8, n_heads=1, n_kv_heads=1, head_dim=8, intermediate=8, vocab=1,
    rope_theta=1e4, rope_scaling=None, norm_eps=1e-6, qkv_bias=True, context_tokens=64,
)  # fmt: skip


def _store(folder: Path, special: dict[str, int]) -> Path:
    """A store as it was made before chats were known."""
    manifest = Manifest(
        model_id="m", kind="int8", numerics_version=NUMERICS_VERSION, source="m.gguf", source_sha256="0",
        architecture=_ARCHITECTURE, prompt=_SPEC, n_tokens=1, file_bytes={},
    )  # fmt: skip
    write_manifest(folder, manifest)
    written = json.loads((folder / MANIFEST).read_text())
    for name in ("body_format", "turn_start", "turn_end"):
        del written["prompt"][name]
    (folder / MANIFEST).write_text(json.dumps(written))
    (folder / SPECIAL_TOKENS).write_text(json.dumps(special))
    return folder


def test_formats_are_the_catalogs_and_the_marks_of_a_chat_the_vocabularys(tmp_path: Path) -> None:
    row = replace(CATALOG[0], line_format=Format.FIM, block_format=Format.LEFT, body_format=Format.CHAT)
    spec = present_spec(_store(tmp_path, {"<|im_start|>": 6, "<|im_end|>": 7}), row)
    assert (spec.line_format, spec.block_format, spec.body_format) == (Format.FIM, Format.LEFT, Format.CHAT)
    assert spec.chat_system == row.chat_system != ""
    assert (spec.turn_start, spec.turn_end, spec.fim_prefix) == (6, 7, 3)


def test_a_models_stores_are_those_of_every_kind_and_of_no_other_model(tiny_cache: Path) -> None:
    own, partial = ["m-bf16-0123456789ab-n3", "m-int4-0123456789ab-n3"], ".m-nf4-0123456789ab-n3.x"
    names = [*own, partial, "m-bf16-x-01234567-int8-0123456789ab-n3"]
    for name in names:
        (tiny_cache / "stores" / name).mkdir(parents=True)
    assert [store.name for store in stores_of("m")] == own
    assert [store.name for store in stores_of(".m")] == [partial]
    assert len(stores_of("*")) == len(names)


def test_the_newest_store_is_one_that_can_be_used(tiny_cache: Path) -> None:
    stores = tiny_cache / "stores"
    for number, version in enumerate((NUMERICS_VERSION, NUMERICS_VERSION - 1, NUMERICS_VERSION)):
        (folder := stores / f"m-int8-{number:012}-n{version}").mkdir(parents=True)
        manifest = json.loads((_store(folder, {}) / MANIFEST).read_text())
        (folder / MANIFEST).write_text(json.dumps(manifest | {"numerics_version": version}))
        os.utime(folder, (number, number))
    (stores / f"m-int8-{2:012}-n{NUMERICS_VERSION}" / MANIFEST).write_text("{")
    assert newest_store("m") == stores / f"m-int8-{0:012}-n{NUMERICS_VERSION}"
    shutil.rmtree(stores / f"m-int8-{0:012}-n{NUMERICS_VERSION}")
    assert newest_store("m") is None


def test_a_model_of_nobody_and_one_without_marks_have_no_chat(tmp_path: Path) -> None:
    store = _store(tmp_path, {})
    assert present_spec(store, None) == _SPEC
    assert not present_spec(store, CATALOG[0]).has_chat
