"""A daemon is told its settings in one argument."""

import pytest

from model.daemon import settings_of
from model.link.spawn import EngineSettings, as_argument


@pytest.mark.parametrize(
    "settings",
    [
        EngineSettings(model="qwen2.5-coder-0.5b"),
        EngineSettings(model="/a folder/\udcff.gguf", n_threads=3, idle_exit_s=2.5, device="cpu", idle="never"),
    ],
)
def test_settings_arrive_as_they_were_sent(settings: EngineSettings) -> None:
    assert settings_of([as_argument(settings)]) == settings


@pytest.mark.parametrize("given", ["", "--model", "{}", '{"model": "m", "colour": 1}', "[1]"])
def test_what_is_no_settings_is_refused(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        settings_of([given])
    assert "settings" in capsys.readouterr().err
