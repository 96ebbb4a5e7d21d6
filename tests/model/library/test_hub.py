"""Models whose files and hashes the hub lists, from a hub on this machine: the real code, a tiny real model."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from completion.types import Format
from model.engine.device import choose
from model.library import catalog, fetch
from model.library.architecture import foreign_reason
from model.library.catalog import ModelError, ModelRow, ModelSource, resolve
from model.library.paths import models_dir
from model.library.store import read_manifest
from model.weights.prepare import EXPECTED_FAILURES, source_hash
from model.weights.quantize import make_store
from tests.model.local_hub import QuietHandler, served

REPO, COMMIT = "someone/tiny-base", "c0ffee"
ROW = ModelRow(
    name="tiny-base",
    title="Tiny-Base",
    source_repo=REPO,
    file="",
    size_bytes=1_000_000,
    sha256="",
    license="Apache-2.0",
    wheels=None,
    architecture="qwen2",
    context_tokens=4096,
    line_format=Format.FIM,
    block_format=Format.FIM,
    files=("config.json", "tokenizer.json", "model*.safetensors"),
)
SOURCE = ModelSource(model_id=ROW.name, row=ROW, path=None)


class Hub(QuietHandler):
    """A repository's files by name; `listed` is what the listing says of each."""

    files: dict[str, bytes]
    listed: list[dict[str, Any]]
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path.startswith(f"/api/models/{REPO}/"):
            body = json.dumps({"sha": COMMIT, "siblings": self.listed}).encode()
        else:
            name = self.path.removeprefix(f"/{REPO}/resolve/{COMMIT}/")
            body = self.files[name][int(self.headers["Range"].removeprefix("bytes=").removesuffix("-")) :]
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def entry(name: str, data: bytes, *, in_git: bool = False) -> dict[str, Any]:
    """What the hub says of a file: Git's blob id, and for large files the sha256 beside it."""
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    lfs = {} if in_git else {"lfs": {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}}
    return {"rfilename": name, "size": len(data), "blobId": blob, **lfs}


@pytest.fixture
def hub(tiny_cache: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    files = {file.name: file.read_bytes() for file in tiny_model.iterdir()}
    files |= {"pytorch_model.bin": b"never asked for", "README.md": b"#"}
    listed = [entry(name, data, in_git=name.endswith(".json")) for name, data in files.items()]
    handler = type("TestHub", (Hub,), {"files": files, "listed": listed, "asked": []})
    monkeypatch.setattr(catalog, "CATALOG", (*catalog.CATALOG, ROW))
    with served(handler, monkeypatch):
        yield handler


def test_a_listed_model_is_fetched_at_its_commit_verified_and_quantized(hub: type[Hub], tiny_model: Path) -> None:
    seen: list[float] = []
    folder = fetch.fetch(resolve("Tiny-Base"), lambda p: seen.append(p.done_bytes / p.total_bytes))
    names = {"config.json", "tokenizer.json", "model.safetensors"}
    assert {n: (folder / n).read_bytes() for n in names} == {n: (tiny_model / n).read_bytes() for n in names}
    assert hub.asked[0] == f"/api/models/{REPO}/revision/main?blobs=true"
    assert {path.rsplit("/", 1)[1] for path in hub.asked[1:]} == names  # and nothing else
    assert 0 <= min(seen) <= max(seen) == 1
    assert fetch.is_cached(ROW)
    manifest = read_manifest(make_store(SOURCE, folder, "int8", lambda done: None))
    assert manifest.source_sha256 == source_hash(SOURCE, folder)
    assert manifest.source == REPO


def test_what_was_listed_once_is_kept_to_without_a_network(hub: type[Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fetch.fetch(SOURCE)
    known = source_hash(SOURCE, folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert fetch.fetch(SOURCE) == folder
    assert source_hash(SOURCE, folder) == known
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE is set"):
        fetch.fetch(SOURCE)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    asked = len(hub.asked)
    assert fetch.fetch(SOURCE) == folder
    assert hub.asked[asked:] == [f"/{REPO}/resolve/{COMMIT}/config.json"]


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"], ids=["Git's hash", "sha256"])
def test_a_file_that_is_not_what_was_listed_is_refused(hub: type[Hub], name: str) -> None:
    hub.files[name] = bytes(len(hub.files[name]))
    with pytest.raises(ModelError, match="hub: wrong file"):
        fetch.fetch(SOURCE)
    assert not (models_dir() / ROW.name / name).exists()
    assert not fetch.is_cached(ROW)


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ([], "has no config.json and no tokenizer.json and no model"),
        ([entry("config.json", b""), entry("tokenizer.json", b""), entry("../model.safetensors", b"")], "has no model"),
        ([{"rfilename": "config.json", "size": 1}], "cannot be read"),
        ([{"rfilename": "config.json", "size": 1, "blobId": "zz"}], "cannot be read"),
        ([{"rfilename": "config.json", "size": "big", "blobId": "00" * 20}], "cannot be read"),
        ([7], "cannot be read"),
    ],
)
def test_a_listing_that_makes_no_sense_is_one_clear_error(hub: type[Hub], listed: list[Any], words: str) -> None:
    hub.listed = listed
    with pytest.raises(ModelError, match=f"tiny-base could not be fetched. hub: .*{words}.*give its path as the model"):
        fetch.fetch(SOURCE)


def test_without_a_network_the_cause_and_the_remedy_are_named(
    tiny_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match=r"hub: HF_HUB_OFFLINE is set\. Connect this machine to the network once"):
        fetch.fetch(SOURCE)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(ModelError, match=r"hub: .*refused"):
        fetch.fetch(SOURCE)


def test_one_gguf_file_is_the_model_itself(hub: type[Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    row = replace(ROW, file="m.gguf", files=("m.gguf",))
    hub.files["m.gguf"] = b"GGUF"
    hub.listed.append(entry("m.gguf", b"GGUF"))
    path = fetch.fetch(replace(SOURCE, row=row))
    assert path == fetch.place_of(row) == models_dir() / ROW.name / "m.gguf"
    assert path.read_bytes() == b"GGUF"


def test_removing_a_listed_model_frees_all_of_it(hub: type[Hub]) -> None:
    folder = fetch.fetch(SOURCE)
    size = sum(file.size_bytes for file in fetch._listed(ROW))
    assert fetch.remove(ROW) >= size
    assert not folder.exists()
    assert fetch.remove(ROW) == 0


# -- what the decoder does not run -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_type": "starcoder2"}, "'starcoder2' is not one that midfill runs itself (those are llama and qwen2)"),
        ({"attention_bias": True}, "attention_bias is not supported"),
        ({"rope_scaling": {"type": "yarn", "factor": 4}, "rope_parameters": None}, "RoPE scaling 'yarn'"),
    ],
)  # fmt: skip
def test_another_architecture_is_transformers_and_the_reason_is_told(
    change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    from tests.model.tiny import make_tiny_model

    folder = make_tiny_model(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    assert words in foreign_reason(folder)
    choice = choose("auto", "auto", "m", folder)
    assert (choice.device, choice.kind) == ("cpu", "int8")
    assert words in choice.reason
    assert choice.reason.endswith("; transformers runs it, slower")


def test_of_another_architecture_without_sizes_the_missing_ones_are_named(tiny_cache: Path, tmp_path: Path) -> None:
    from tests.model.tiny import make_tiny_model

    folder = make_tiny_model(tmp_path / "m")
    (folder / "config.json").write_text(json.dumps({"model_type": "own", "hidden_size": 96, "vocab_size": 272}))
    with pytest.raises(EXPECTED_FAILURES, match=r"'own' is not one .* has no num_hidden_layers and no num_att"):
        make_store(resolve(str(folder)), folder, "int8", lambda done: None)


def test_a_tokenizer_without_bytes_is_refused_by_name(tiny_cache: Path, tmp_path: Path) -> None:
    from tests.model.tiny import make_tiny_model

    folder = make_tiny_model(tmp_path / "m")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["byte_fallback"] = True
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(EXPECTED_FAILURES, match="kind SentencePiece, which is not supported"):
        make_store(resolve(str(folder)), folder, "int8", lambda done: None)
