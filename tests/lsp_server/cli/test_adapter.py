"""`midfill model add` as a user types it, and what the model process then serves."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lsp_server.cli.__main__ import main
from model.library.catalog import CATALOG, resolve
from model.library.paths import adapters_dir, stores_dir
from tests.lsp_server.session import Session
from tests.model.tiny_adapter import LEARNED, make_tiny_adapter

REPOSITORY = Path(__file__).parents[3]
TEXT = "def add(a, b):\n    return "


@pytest.fixture(scope="module")
def adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapters") / "letters"
    make_tiny_adapter(tiny_model, folder)
    return folder


def complete(model: str, file: Path) -> str:
    """What `midfill complete` writes at the end of a file; by a process of its own."""
    program = "import sys; from lsp_server.cli.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "complete", f"{file}:2", "--model", model, "--json"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode in (0, 1), result.stderr
    return str(json.loads(result.stdout)["text"])


def test_an_added_adapter_is_listed_completes_and_goes(
    ready_cache: Path, tiny_model: Path, adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file := tmp_path / "a.py").write_text(TEXT)
    assert main(["model", "add", "--adapter", str(adapter), "--name", "letters"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert 'setting "model": "letters"' in said.err
    assert main(["model", "list"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "letters" in line)
    assert "adapter, store int" in line
    assert str(tiny_model) in line
    assert main(["model", "list", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)[-1]
    assert (facts["name"], facts["base"], len(facts["stores"])) == ("letters", str(tiny_model), 1)

    assert complete("letters", file).strip() == LEARNED
    assert LEARNED not in complete(str(tiny_model), file)

    assert main(["model", "rm", "letters"]) == 0
    assert list(adapters_dir().iterdir()) == []
    assert [store for store in stores_dir().iterdir() if "letters" in store.name] == []
    assert (tiny_model / "model.safetensors").exists()


@pytest.mark.e2e
def test_two_workspaces_have_each_its_model(ready_cache: Path, tiny_model: Path, adapter: Path, tmp_path: Path) -> None:
    assert main(["model", "add", "--adapter", str(adapter), "--name", "letters"]) == 0
    shown = {}
    for name, model in (("with", "letters"), ("without", str(tiny_model))):
        (workspace := tmp_path / name).mkdir()
        with Session(workspace, options={"model": model, "maxWaitMs": 0}, folders=[workspace]) as session:
            session.wait_for_phase("ready")
            uri = (workspace / "a.py").as_uri()
            session.open(uri, TEXT)
            shown[name] = [item["insertText"] for item in session.complete(uri, 1, 11)]
    assert any(LEARNED in text for text in shown["with"])
    assert not any(LEARNED in text for text in shown["without"])
    blocks = [folder.name for folder in (ready_cache / "blocks").iterdir()]
    assert len([name for name in blocks if name.startswith("letters-")]) == 1
    assert len(blocks) == 2  # keys and values of one are never the other's


def test_an_adapter_that_does_not_fit_leaves_nothing_behind(
    tiny_cache: Path, adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.model.decoders.test_torch_decoder import make_folder

    make_folder(tmp_path / "other", "llama")
    command = ["model", "add", "--adapter", str(adapter), "--model", str(tmp_path / "other"), "--name", "letters"]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert "midfill: letters-" in said
    assert "the adapter does not fit this base" in said
    assert list(adapters_dir().iterdir()) == []
    assert main(["model", "add", "--adapter", str(tmp_path)]) == 2
    assert "not an adapter folder" in capsys.readouterr().err


def test_an_adapter_of_a_catalog_model_says_what_cannot_be_fetched(
    tiny_cache: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", str(tmp_path)), ("HF_HUB_OFFLINE", "1")):
        monkeypatch.setenv(name, value)
    command = ["model", "add", "--adapter", str(adapter), "--model", CATALOG[0].name, "--force", "--name", "letters"]
    assert main(command) == 2
    assert f"{CATALOG[0].name} could not be fetched" in capsys.readouterr().err
    with pytest.raises(Exception, match="unknown model"):
        resolve("letters")
