"""`midfill doctor FILE:LINE:COL` asks as the editor does, with the settings in force, automatic and invoked."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from lsp_server.cli import doctor
from lsp_server.cli.__main__ import main
from lsp_server.cli.asking_at import answers_at, in_words
from tests.conftest import daemons_of
from tests.model.remote.server import saying, server_in_thread

pytestmark = pytest.mark.e2e
_TEXT = "def add(first, second):\n    return "


def _told(file: Path, section: dict[str, Any]) -> list[str]:
    file.write_text(_TEXT)
    return list(in_words(asyncio.run(answers_at(file, _TEXT, len(_TEXT), section))))


@pytest.mark.parametrize(
    ("settings", "typing", "asked"),
    [
        ({"disabledLanguages": ["python"]}, "disabledLanguages", "disabledLanguages"),
        ({"enabled": False}, "switched off", "switched off"),
        ({"automatic": False}, "only when asked", "asked explicitly"),
    ],
)
def test_what_the_settings_switch_off_is_named(
    tiny_cache: Path, tiny_model: Path, tmp_path: Path, settings: dict[str, Any], typing: str, asked: str
) -> None:
    place, told_typing, told_asked = _told(tmp_path / "a.py", {"model": str(tiny_model), **settings})
    assert place == "at this place: language python, line mode"
    assert told_typing.startswith("while typing nothing is asked here: ")
    assert typing in told_typing
    assert asked in told_asked
    assert "only when asked" not in told_asked


@pytest.mark.model
def test_quietness_is_named_and_an_invoked_request_is_answered(
    real_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(real_cache))
    _, typing, asked = _told(tmp_path / "a.py", {"quietness": 1.0})
    assert typing.startswith("while typing nothing is shown (quiet): the model is certain of nothing")
    assert typing.endswith("quietness is 100%")
    assert asked.startswith("asked explicitly: '")
    _, typing, _ = _told(tmp_path / "a.py", {"quietness": 0.0})
    assert typing.startswith("while typing: '")


def test_the_command_takes_the_workspaces_settings_or_those_given(
    ready_cache: Path,
    tiny_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "_event_loop", lambda model: "not measured here")  # takes five seconds
    (tmp_path / ".git").mkdir()
    (tmp_path / ".vscode").mkdir()
    (tmp_path / ".vscode" / "settings.json").write_text('{"midfill.disabledLanguages": ["python"], }')
    (tmp_path / "a.py").write_text(_TEXT)
    place = f"{tmp_path}/a.py:2"
    main(["doctor", place, "--model", str(tiny_model)])
    told = capsys.readouterr().out
    assert f"settings: {tmp_path}/.vscode/settings.json" in told
    assert "while typing nothing is asked here: python is in midfill.disabledLanguages" in told
    assert "asked explicitly, nothing is shown (skipped): python is in midfill.disabledLanguages" in told
    main(["doctor", place, "--config", json.dumps({"model": str(tiny_model), "automatic": False, "quitness": 1})])
    told = capsys.readouterr().out
    assert "settings: --config" in told
    assert "settings: unknown key quitness" in told
    assert "midfill suggests only when asked (midfill.automatic)" in told
    assert main(["doctor", place, "--config", "{"]) == 2


def test_a_server_is_named_with_what_it_can_do_and_what_is_wrong(
    tiny_cache: Path,
    tiny_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with server_in_thread() as (server, _):
        server.completion = saying(" a + b")
        host = server.url.removeprefix("http://")
        settings = json.dumps({"model": str(tiny_model), "engine.url": server.url})
        assert main(["doctor", "--config", settings]) == 0
        told = capsys.readouterr().out
        assert f"engine: code leaves this machine, and is sent to {host} (engine.url)" in told
        assert "server: llamacpp with tiny; a context of 4,096 tokens; prompts as token ids" in told
        assert "test completion: return' a + b'" in told
        assert daemons_of(tiny_cache) == []
        server.key = "right"
        assert main(["doctor", "--config", settings]) == 1
        assert f"server: {host} wants a key (engine.keyFile)" in capsys.readouterr().out
        server.key = ""
        (tmp_path / ".vscode").mkdir()
        (tmp_path / ".vscode" / "settings.json").write_text(json.dumps({"midfill.engine.url": server.url}))
        server.calls.clear()
        main(["doctor", "--model", str(tiny_model)])
        told = capsys.readouterr().out
        assert "engine: the model on this machine; no code leaves it" in told
        assert "(without engine: give those with --config)" in told
        assert server.calls == []
