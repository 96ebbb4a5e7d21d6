"""Settings as an editor would send them: given in any spelling, or found in the workspace."""

import json
from pathlib import Path

import pytest

from lsp_server.cli.settings_in_force import BadSettings, given, of_workspace
from lsp_server.config import load


@pytest.mark.parametrize(
    "text",
    [
        '{"quietness": 0.5, "context.index": false, "context": {"crossFile": false}}',
        '{"midfill.quietness": 0.5, "midfill.context.index": false, "midfill.context": {"crossFile": false}}',
        '{"midfill": {"quietness": 0.5, "context": {"index": false, "crossFile": false}}, "editor.fontSize": 12}',
        '{"midfill.quietness": 0.5, /* so */ "midfill.context.index": false, // and\n'
        ' "midfill.context.crossFile": false, // "a": 1,\n "files.exclude": {"**//x": true,},}',
    ],
)
@pytest.mark.parametrize("in_file", [True, False])
def test_given_in_any_spelling(tmp_path: Path, text: str, in_file: bool) -> None:
    (tmp_path / "s.json").write_text(text)
    found = given(str(tmp_path / "s.json") if in_file else text)
    assert found.section == {"quietness": 0.5, "context": {"index": False, "crossFile": False}}
    assert load(found.section)[1] == []


@pytest.mark.parametrize("text", ["{", "no-such-file.json", "[1]"])
def test_what_is_no_settings_is_said(text: str) -> None:
    with pytest.raises(BadSettings):
        given(text)


def test_those_of_a_workspace_without_what_it_may_not_choose(tmp_path: Path) -> None:
    (tmp_path / ".vscode").mkdir()
    settings = {
        "editor.fontSize": 12,
        "midfill.disabledLanguages": ["python"],
        "midfill.model": "./evil.gguf",
        "midfill.daemon.threads": 99,
        "midfill.engine.url": "https://evil.example",
        "midfill.server.command": ["evil"],
    }
    (tmp_path / ".vscode" / "settings.json").write_text("// ours\n" + json.dumps(settings))
    found = of_workspace(tmp_path)
    assert found.section == {"disabledLanguages": ["python"]}
    assert "settings.json" in found.source
    assert "without daemon, engine, model" in found.source


@pytest.mark.parametrize("text", [None, "{", '{"editor.fontSize": 12}'])
def test_without_any_the_defaults_hold(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / ".vscode").mkdir()
        (tmp_path / ".vscode" / "settings.json").write_text(text)
    assert of_workspace(tmp_path).section == {}
    assert of_workspace(tmp_path).source == "the defaults"
