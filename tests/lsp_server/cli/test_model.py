"""`midfill model ...` as the user types it, over an empty or a made-up cache and without a network."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from completion.types import Format, PromptSpec
from lsp_server.cli.__main__ import main
from model.library.architecture import Architecture
from model.library.catalog import CATALOG, DEFAULT_MODEL, resolve
from model.library.paths import adapters_dir, models_dir, stores_dir
from model.library.store import NUMERICS_VERSION, Manifest, write_manifest

ROW = next(row for row in CATALOG if row.name == DEFAULT_MODEL)
REPOSITORY = Path(__file__).parents[3]
ARCHITECTURE = Architecture(
    family="qwen2",
    n_layers=1,
    hidden=8,
    n_heads=1,
    n_kv_heads=1,
    head_dim=8,
    intermediate=8,
    vocab=1,
    rope_theta=1e4,
    rope_scaling=None,
    norm_eps=1e-6,
    qkv_bias=True,
    context_tokens=64,
)
PROMPT = PromptSpec(
    repo_name=None,
    file_sep=None,
    fim_prefix=None,
    fim_suffix=None,
    fim_middle=None,
    stop_token_ids=(0,),
    bos=None,
    line_format=Format.LEFT,
    block_format=Format.LEFT,
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "no-wheels").mkdir()
    for name, value in (
        ("MIDFILL_CACHE", str(tmp_path / "cache")),
        ("PIP_NO_INDEX", "1"),
        ("PIP_FIND_LINKS", str(tmp_path / "no-wheels")),
        ("HF_HUB_OFFLINE", "1"),
    ):
        monkeypatch.setenv(name, value)
    return tmp_path / "cache"


def put_model_file() -> Path:
    """A file of the right name and size, which takes no room on the disk."""
    path = models_dir() / ROW.file
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(ROW.size_bytes)
    return path


def put_store(model_id: str, source: str) -> Path:
    """A store of 3 MB that is complete as far as its manifest tells."""
    folder = stores_dir() / f"{model_id}-int8-0123456789ab-n{NUMERICS_VERSION}"
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(bytes(3_000_000))
    manifest = Manifest(
        model_id=model_id,
        kind="int8",
        numerics_version=NUMERICS_VERSION,
        source=source,
        source_sha256="",
        architecture=ARCHITECTURE,
        prompt=PROMPT,
        n_tokens=1,
        file_bytes={"weights.safetensors": 3_000_000},
    )
    write_manifest(folder, manifest)
    return folder


def listed(capsys: pytest.CaptureFixture[str], name: str) -> str:
    """The line of `midfill model list` about a model."""
    capsys.readouterr()
    assert main(["model", "list"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.split()[0] == name)
    return line


def check_fails(capsys: pytest.CaptureFixture[str], arguments: list[str], *words: str) -> None:
    """Exit code 2, nothing on standard output, and one line with all the words on standard error."""
    assert main(["model", *arguments]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("midfill: ")
    assert errors.count("\n") == 1
    assert [word for word in words if word not in errors] == []


# -- list --------------------------------------------------------------------------------------------------


def test_list_shows_every_model_with_its_size_and_license(capsys: pytest.CaptureFixture[str]) -> None:
    for row in CATALOG:
        line = listed(capsys, row.name)
        assert f"{row.size_bytes / 1e6:,.0f} MB" in line
        assert row.license in line
        assert "not downloaded" in line
        assert ("(default)" in line) == (row.name == DEFAULT_MODEL)


def test_list_follows_the_state_of_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    path = put_model_file()
    assert "in cache" in listed(capsys, ROW.name)
    assert "store" not in listed(capsys, ROW.name)
    assert str(path) in listed(capsys, ROW.name)
    store = put_store(resolve(ROW.name).model_id, ROW.file)
    assert "in cache, store int8 ready" in listed(capsys, ROW.name)
    (store / "weights.safetensors").write_bytes(b"cut")
    assert "store" not in listed(capsys, ROW.name)


def test_list_shows_the_stores_of_local_models(capsys: pytest.CaptureFixture[str]) -> None:
    put_store("own-12345678", "/home/me/own.gguf")
    line = listed(capsys, "own-12345678")
    assert "3 MB" in line
    assert "store int8 ready" in line
    assert "/home/me/own.gguf" in line


def test_list_for_programs_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    put_model_file()
    put_store(resolve(ROW.name).model_id, ROW.file)
    assert main(["model", "list", "--json"]) == 0
    models = {model["name"]: model for model in json.loads(capsys.readouterr().out)}
    assert list(models) == [row.name for row in CATALOG]
    known = models.pop(ROW.name)
    assert (known["isDefault"], known["isCached"], known["stores"]) == (True, True, ["int8"])
    assert (known["sizeBytes"], known["license"], known["title"]) == (ROW.size_bytes, ROW.license, ROW.title)
    assert {(model["isDefault"], model["isCached"], *model["stores"]) for model in models.values()} == {(False, False)}


# -- path --------------------------------------------------------------------------------------------------


def test_path_prints_where_the_file_is_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    path = put_model_file()
    assert main(["model", "path", ROW.title]) == 0
    assert capsys.readouterr() == (f"{path}\n", "")


def test_path_of_a_model_that_is_not_there_says_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    check_fails(capsys, ["path", ROW.name], "not downloaded", f"midfill model pull {ROW.name}")


def test_an_unknown_model_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for action in ("pull", "path", "rm"):
        check_fails(capsys, [action, "gpt-17"], "unknown model 'gpt-17'", ROW.name)


# -- pull --------------------------------------------------------------------------------------------------


def test_pull_without_a_network_names_the_sources_and_the_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    check_fails(capsys, ["pull"], ROW.name, "hub: HF_HUB_OFFLINE", "wheels: pip", f"put {ROW.file}")


def test_pull_of_a_file_that_is_no_model_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "note.gguf").write_text("not a model")
    check_fails(capsys, ["pull", str(tmp_path / "note.gguf")], "cannot be prepared", "note.gguf")


def test_pull_of_a_local_model_makes_its_store_and_rm_leaves_the_users_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from tests.model.tiny import make_tiny_model  # imports torch and transformers

    folder = make_tiny_model(tmp_path / "my-model")
    model_id = resolve(str(folder)).model_id
    assert main(["model", "pull", str(folder)]) == 0
    assert f"{model_id} is ready" in capsys.readouterr().err
    assert re.search(r"store int[48] ready", listed(capsys, model_id))
    assert main(["model", "rm", str(folder)]) == 0
    assert list(stores_dir().iterdir()) == []
    assert (folder / "model.safetensors").exists()


# -- rm ----------------------------------------------------------------------------------------------------


def test_rm_deletes_the_file_and_its_stores_and_says_what_was_freed(capsys: pytest.CaptureFixture[str]) -> None:
    path, store = put_model_file(), put_store(resolve(ROW.name).model_id, ROW.file)
    interrupted = store.with_name(f".{store.name}.x1y2")
    interrupted.mkdir()
    other = put_store(resolve(CATALOG[1].name).model_id, CATALOG[1].file)
    assert main(["model", "rm", ROW.name]) == 0
    assert capsys.readouterr().err == f"{ROW.name}: {(ROW.size_bytes + 3_000_000) / 1e6:,.0f} MB freed\n"
    assert not path.exists()
    assert list(stores_dir().iterdir()) == [other]


def test_rm_of_a_model_names_the_adapters_that_are_merged_into_it(capsys: pytest.CaptureFixture[str]) -> None:
    for name, base in (("mine", ROW.name), ("yours", CATALOG[1].name)):
        (folder := adapters_dir() / name).mkdir(parents=True)
        (folder / "added.json").write_text(json.dumps({"base": base, "sha256": "0" * 64}))
    put_model_file()
    assert main(["model", "rm", ROW.name]) == 0
    said = capsys.readouterr().err
    assert "mine is merged into it, and fetches it again" in said
    assert "yours" not in said


def test_rm_of_what_is_not_there_fails(capsys: pytest.CaptureFixture[str]) -> None:
    check_fails(capsys, ["rm", ROW.name], f"nothing of {ROW.name}")


# -- the command line --------------------------------------------------------------------------------------


def test_an_action_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["model"])
    assert caught.value.code == 2
    assert "ACTION" in capsys.readouterr().err


def test_looking_at_models_does_not_load_torch() -> None:
    main = "import sys; from lsp_server.cli.__main__ import main"
    code = f"{main}; main(['model', 'list']); sys.exit('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.DEVNULL).returncode == 0
