"""What an editor sends as configuration, right or wrong."""

from typing import Any

import pytest

from lsp_server.config import FIELDS, Config, defaults, flatten, load
from model.link.spawn import EngineSettings


def nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return value  # type: ignore[no-any-return]


def check_refused(raw: object, *words: str) -> None:
    """The configuration stays at its defaults, and one problem names every word."""
    config, problems = load(raw)
    assert config == Config()
    (problem,) = problems
    assert all(word in problem for word in words), problem


def test_nothing_sent_is_the_defaults_without_a_complaint() -> None:
    assert load(None) == load({}) == (Config(), [])


def test_the_table_describes_every_key_and_no_other() -> None:
    assert list(FIELDS) == list(defaults())


@pytest.mark.parametrize("key", list(FIELDS))
def test_every_default_may_be_sent_back(key: str) -> None:
    assert load(nested(key, defaults()[key])) == (Config(), [])


@pytest.mark.parametrize("key", list(FIELDS))
def test_a_value_of_the_wrong_type_is_named_and_its_default_used(key: str) -> None:
    check_refused(nested(key, {"no": "value"}), key)


def test_null_means_the_default() -> None:
    assert load({"model": None, "daemon": {"threads": None}}) == (Config(), [])


def test_values_arrive_under_their_wire_names() -> None:
    raw = {"maxPromptTokens": 6000, "disabledLanguages": ["markdown"], "daemon": {"threads": 2}, "quietness": 0}
    config, problems = load(raw)
    assert problems == []
    assert config.limits().max_prompt_tokens == 6000
    assert config.disabled_languages == ("markdown",)
    assert config.engine_settings().n_threads == 2
    assert config.quietness == 0.0
    assert flatten(config) == {**defaults(), **{k: v for k, v in raw.items() if k != "daemon"}, "daemon.threads": 2}


def test_problems_are_all_named_and_the_rest_is_used() -> None:
    config, problems = load({"colour": 1, "maxWaitMs": "soon", "daemon": {"socks": 2}, "mode": "line"})
    assert config == Config(mode="line")
    assert [word for word in ("colour", "maxWaitMs", "daemon.socks") if not any(word in p for p in problems)] == []


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        ({"mode": "novel"}, "auto, line, block"),
        ({"format": "html"}, "auto, fim, left"),
        ({"maxPromptTokens": 16_385}, "16384"),
        ({"maxLineTokens": True}, "whole number"),
        ({"maxLineTokens": 12.5}, "whole number"),
        ({"quietness": 1.5}, "1.0"),
        ({"disabledLanguages": "python"}, "list"),
        ({"daemon": 3}, "object"),
        ([1], "object"),
        ("fast", "object"),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_what_is_allowed(raw: object, word: str) -> None:
    check_refused(raw, word)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"adapter": "none"}, 'adapter is no setting any more: write "NAME@none" as `model`'),
        ({"suffixShare": 0.4}, "suffixShare is no setting any more: "),
        ({"rankMs": 400}, "rankMs is no setting any more: "),
        ({"daemon": {"maxCacheTokens": 9}}, "daemon.maxCacheTokens is no setting any more: `daemon.maxCacheMb`"),
        ({"daemon": {"idleOnBattery": True}}, "daemon.idleOnBattery is no setting any more: `daemon.idle`"),
    ],
)
def test_what_an_older_midfill_was_set_to_is_told_with_what_to_do_instead(raw: object, says: str) -> None:
    check_refused(raw, says)


def test_the_server_and_the_command_line_start_the_same_daemon_by_default() -> None:
    assert Config(model="m").engine_settings() == EngineSettings(model="m")
    assert Config().max_file_tokens <= Config().max_prompt_tokens


def test_no_bound_is_zero_to_the_user_and_none_to_everybody_else() -> None:
    config, problems = load({"maxWaitMs": 0, "deadlineMs": 0, "daemon": {"threads": 0}})
    assert problems == []
    assert (config.limits().max_wait_ms, config.limits().deadline_ms) == (None, None)
    assert config.engine_settings().n_threads is None
