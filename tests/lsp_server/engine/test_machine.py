"""What was measured of the machine is kept, survives damage, and decides where the user has not."""

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lsp_server.cli.__main__ import main
from lsp_server.config import Config
from lsp_server.engine import machine
from model.library.catalog import CATALOG
from model.library.machine_fit import WINDOW_TOKENS, Machine
from model.link.counters import EngineCounters

SLOW = Machine(model_id=CATALOG[0].name, n_threads=2, kernels="avx2", tokens_per_s=60.0)
LOADED = SimpleNamespace(name=CATALOG[0].name, architecture=CATALOG[0].size)


class Client:
    """A client whose daemon has measured so many tokens."""

    host = ""

    loaded = LOADED

    def __init__(self, n_measured: int) -> None:
        self.n_measured = n_measured

    async def daemon_status(self) -> Any:
        return SimpleNamespace(
            counters=EngineCounters(
                n_measured_tokens=self.n_measured, n_threads=2, kernels="avx2", best_tokens_per_s=60.04
            )
        )


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path))


def test_what_was_kept_is_remembered_by_model_and_quantization() -> None:
    assert machine.remembered(Config()) is None
    other = replace(Config(), quantization="int8")
    machine.remember(Config(), SLOW)
    machine.remember(other, replace(SLOW, tokens_per_s=40.0))
    assert machine.remembered(Config()) == SLOW
    assert machine.remembered(other) == replace(SLOW, tokens_per_s=40.0)
    assert machine.remembered(replace(Config(), model="no such model")) is None


def test_clearing_all_of_the_cache_forgets_it() -> None:
    machine.remember(Config(), SLOW)
    assert main(["cache", "clear", "blocks"]) == 0
    assert machine.remembered(Config()) == SLOW
    assert main(["cache", "clear", "all"]) == 0
    assert machine.remembered(Config()) is None


@pytest.mark.parametrize(
    "text", ["", "[]", '{"qwen2.5-coder-0.5b auto": {"speed": 1}}', '{"qwen2.5-coder-0.5b auto": 3}']
)
def test_a_damaged_file_is_nothing_known_and_is_written_anew(tmp_path: Path, text: str) -> None:
    file = tmp_path / "state" / "machine.json"
    file.parent.mkdir()
    file.write_text(text)
    assert machine.remembered(Config()) is None
    machine.remember(Config(), SLOW)
    assert machine.remembered(Config()) == SLOW
    assert [path.name for path in file.parent.iterdir()] == ["machine.json"]


def test_a_folder_that_cannot_be_written_disturbs_nobody(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    machine.remember(Config(), SLOW)
    assert machine.remembered(Config()) is None


def seen(n_measured: int) -> Machine | None:
    return asyncio.run(machine.seen(Client(n_measured)))  # type: ignore[arg-type]


def test_little_says_nothing_and_enough_does() -> None:
    assert seen(100) is None
    assert seen(2_000) == replace(SLOW, tokens_per_s=60.0)


def window(config: Config, known: Machine | None, client: Any) -> tuple[int, int]:
    limits = machine.limits(config, known, client)
    return limits.max_prompt_tokens, limits.max_file_tokens


def test_the_budgets_follow_the_machine_unless_the_user_has_said() -> None:
    client = Client(0)
    assert window(Config(), None, client) == (WINDOW_TOKENS, WINDOW_TOKENS // 2)
    assert window(Config(), SLOW, None) == (WINDOW_TOKENS, WINDOW_TOKENS // 2)
    assert window(Config(), SLOW, client) == (2_048, 1_024)
    assert window(Config(max_prompt_tokens=16_384), SLOW, client) == (16_384, 8_192)
    assert window(Config(max_file_tokens=512), SLOW, client) == (2_048, 512)
    assert window(Config(max_prompt_tokens=1, max_file_tokens=1), SLOW, client) == (256, 256)


def test_it_is_told_in_words_before_and_after() -> None:
    client: Any = Client(0)
    assert "not been measured yet" in machine.in_words(Config(), None, client)
    assert "a window of 2,048 tokens, a line" in machine.in_words(Config(), SLOW, client)
    assert "set by maxPromptTokens" in machine.in_words(Config(max_prompt_tokens=4_096), SLOW, client)
