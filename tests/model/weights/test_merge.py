"""A LoRA adapter merged by midfill, against PEFT's own merged model."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from model.library.adapter import AdapterError, add, find_base, open_adapter
from model.library.catalog import CATALOG, AddedAdapter, ModelSource, resolve
from model.library.store import read_manifest
from model.weights.load_torch import load_fp32
from model.weights.merge import merged, open_weights
from model.weights.prepare import source_hash
from model.weights.quantize import make_store
from model.weights.source import open_source
from tests.model.decoders.test_torch_decoder import SIZES, run
from tests.model.tiny import make_tiny_model
from tests.model.tiny_adapter import LINEAR, make_tiny_adapter

# What PEFT can be asked for that is still B @ A on linear layers.
CASES: dict[str, dict[str, Any]] = {
    "all linear layers and the head": {},
    "two layers of one kind": {"target_modules": ["q_proj"], "layers_to_transform": [0, 2]},
    "alpha over the root of the rank": {"use_rslora": True},
    "ranks and alphas by pattern": {
        "target_modules": LINEAR,
        "rank_pattern": {"down_proj": 4, "layers.1.self_attn.q_proj": 2},
        "alpha_pattern": {"layers.[01].mlp.*": 32, "v_proj": 3},
    },
    "a gaussian start": {"init_lora_weights": "gaussian", "target_modules": ["up_proj", "o_proj"]},
}


def check_logits(base: Path, folder: Path, reference: torch.nn.Module) -> None:
    """midfill's merged logits are PEFT's, and not the base's."""
    ids = torch.randint(0, SIZES["vocab_size"], (40,), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = reference(ids[None]).logits[0]
        before = AutoModelForCausalLM.from_pretrained(base)(ids[None]).logits[0]
    with open_source(base) as weights:
        decoder = load_fp32(merged(weights, open_adapter(folder)))
    got = run(decoder, ids, decoder.new_kv(64), 0)
    assert (expected - before).abs().mean() > 0.05  # else the adapter does nothing, and equality would say nothing
    torch.testing.assert_close(got, expected, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_merged_logits_equal_those_of_peft(case: str, tiny_model: Path, tmp_path: Path) -> None:
    reference = make_tiny_adapter(tiny_model, tmp_path / "adapter", n_steps=15, **CASES[case])
    check_logits(tiny_model, tmp_path / "adapter", reference.merge_and_unload())


def test_an_adapter_of_a_llama_model_merges_too(tmp_path: Path) -> None:
    base = make_tiny_model(tmp_path / "base")
    torch.manual_seed(2)
    LlamaForCausalLM(LlamaConfig(**{**SIZES, "vocab_size": 272}, tie_word_embeddings=False)).save_pretrained(base)
    reference = make_tiny_adapter(base, tmp_path / "adapter", n_steps=15)
    check_logits(base, tmp_path / "adapter", reference.merge_and_unload())


def test_an_adapter_of_another_size_is_refused_by_its_shapes(tiny_model: Path, tmp_path: Path) -> None:
    make_tiny_adapter(tiny_model, tmp_path / "adapter", n_steps=0)
    for sizes, words in (
        ({"hidden_size": 48}, r"lm_head is \(272, 96\) in the adapter and \(272, 48\)|_proj is \(.*\) in the adapter"),
        ({"num_hidden_layers": 2}, r"adapts model\.layers\.2\..*, the base has 2 layers"),
    ):
        other = make_tiny_model(tmp_path / f"other{len(words)}")
        config = Qwen2Config(**{**SIZES, "vocab_size": 272, **sizes}, tie_word_embeddings=False)
        Qwen2ForCausalLM(config).save_pretrained(other)
        with open_source(other) as weights, pytest.raises(AdapterError, match=words):
            merged(weights, open_adapter(tmp_path / "adapter"))


def test_a_head_that_is_the_embedding_cannot_be_adapted(tmp_path: Path) -> None:
    base = make_tiny_model(tmp_path / "base")
    Qwen2ForCausalLM(Qwen2Config(**{**SIZES, "vocab_size": 272}, tie_word_embeddings=True)).save_pretrained(base)
    make_tiny_adapter(base, tmp_path / "adapter", n_steps=0)
    with (
        open_source(base) as weights,
        pytest.raises(AdapterError, match="lm_head, which in this base is the embedding"),
    ):
        merged(weights, open_adapter(tmp_path / "adapter"))


def test_a_store_is_the_bases_with_the_adapter(tiny_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    make_tiny_adapter(tiny_model, folder, n_steps=5)
    found = open_adapter(folder)
    base = find_base(found, None)  # the folder that PEFT recorded
    source = add(found, base, "mine")
    shutil.rmtree(folder)  # the cache has a copy
    stores = [make_store(which, tiny_model, "int8", lambda done: None) for which in (base, source)]
    manifests = [read_manifest(store) for store in stores]
    assert manifests[0].source_sha256 == source_hash(base, tiny_model)
    assert manifests[1].source_sha256 not in ("", manifests[0].source_sha256)
    # Blocks lie in a folder called after the store: never those of another adapter.
    assert stores[0].name != stores[1].name
    assert source.model_id == f"mine-{found.sha256[:8]}"
    (source.adapter.folder / "adapter_model.safetensors").write_bytes(b"cut")  # type: ignore[union-attr]
    with pytest.raises(AdapterError, match=r"cannot be read|not a readable"), open_weights(source, tiny_model):
        pass


def test_a_changed_copy_of_an_adapter_is_noticed(tiny_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    make_tiny_adapter(tiny_model, tmp_path / "adapter", n_steps=0)
    found = open_adapter(tmp_path / "adapter")
    source = add(found, find_base(found, None), "mine")
    assert source.adapter is not None
    config = json.loads((source.adapter.folder / "adapter_config.json").read_text())
    (source.adapter.folder / "adapter_config.json").write_text(json.dumps({**config, "lora_alpha": 99}))
    words = r"adapter mine is damaged: .midfill model rm mine."
    with pytest.raises(AdapterError, match=words), open_weights(source, tiny_model):
        pass


def test_without_room_for_the_store_one_sentence_says_so(
    tiny_cache: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model.library.catalog import resolve

    usage = shutil.disk_usage(tiny_model)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(OSError, match=r"takes \d+ MB in .* which has 0 MB free: make room, or set MIDFILL_CACHE"):
        make_store(resolve(str(tiny_model)), tiny_model, "int8", lambda done: None)


def test_an_adapter_that_was_added_is_merged_on_top_of_the_one_that_ships(
    tiny_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    known = []
    for seed in (1, 2):
        make_tiny_adapter(tiny_model, folder := tmp_path / f"adapter-{seed}", 4 * seed, target_modules=LINEAR)
        adapter = open_adapter(folder)
        known.append(AddedAdapter(name=f"a{seed}", folder=folder, base="x", sha256=adapter.sha256))
    source = ModelSource(model_id="x", row=None, path=tiny_model, shipped=known[0], adapter=known[1])
    alone = ModelSource(model_id="x", row=None, path=tiny_model, adapter=known[1])
    with open_source(tiny_model) as weights, open_weights(source, tiny_model) as both:
        first, second = (merged(weights, open_adapter(adapter.folder)) for adapter in known)
        for name in open_adapter(known[0].folder).targets:
            base = weights.tensor(name)
            assert torch.allclose(
                both.tensor(name) - base, first.tensor(name) + second.tensor(name) - 2 * base, atol=1e-6
            )
    assert source_hash(source, tiny_model) != source_hash(alone, tiny_model)


def test_what_an_adapter_was_trained_on_decides_what_it_is_merged_into(
    tiny_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    row = next(row for row in CATALOG if row.adapter_sha256)
    make_tiny_adapter(tiny_model, tmp_path / "a", 1)
    published = row.source_repo.removesuffix("-GGUF")
    for base, shipped in ((published, False), (f"{row.name}@none", False), (f"{row.name}@fim", True)):
        config = json.loads((tmp_path / "a/adapter_config.json").read_text())
        (tmp_path / "a/adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": base}))
        adapter = open_adapter(tmp_path / "a")
        for wanted in (None, row.name):
            source = find_base(adapter, wanted)
            assert (source.row, source.shipped is not None) == (row, shipped)
        name = f"of-{base.split('/')[-1].replace('@', '-').lower()}"[:32]
        added = add(adapter, find_base(adapter, None), name)
        assert (added.row, added.shipped is not None) == (row, shipped)
        assert added.adapter is not None
        assert [known.name for known in added.adapters][-1] == name


def test_an_adapter_from_when_nothing_shipped_stays_on_the_published_model(
    tiny_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    row = next(row for row in CATALOG if row.adapter_sha256)
    make_tiny_adapter(tiny_model, tmp_path / "a", 1)
    source = add(open_adapter(tmp_path / "a"), resolve(f"{row.name}@none"), "old")
    assert source.adapter is not None
    note = source.adapter.folder / "added.json"
    note.write_text(json.dumps({**json.loads(note.read_text()), "base": row.name}))
    assert resolve("old").shipped is None
