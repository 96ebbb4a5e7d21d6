"""Writes docs/configuration.md: `python -m lsp_server.cli.configuration_page > docs/configuration.md`; a test compares.

Rules: types, bounds, defaults and what a key does come from `lsp_server.config`; here stands only when one would change
a key, and a value that a user would write. Every example is accepted by `load` and is no default (a test).
"""

import json
import sys
import textwrap
from collections.abc import Mapping
from typing import Any

from lsp_server.config import FIELDS, defaults

_HEAD = """# Configuration

Made from `lsp_server/config.py` by `python -m lsp_server.cli.configuration_page`. Nothing has to be
set. Where to write a key:

- **VS Code**: *Settings*, "midfill", or `settings.json`, with `midfill.` before the key.
- **Neovim**: in the table `settings` of `require('midfill').setup({ settings = { ... } })`.
- **Other editors**: in the server's `initializationOptions`, or as the section `midfill` of the
  editor's settings for servers; a dot in a key is an object within an object.

A wrong value is named once in a message, and its default is used; so is a key that does not exist,
and for one of an older midfill the message says what to do instead.
Changes hold at once, those of `model`, `quantization` and `daemon` with a new model process.
"""

# key -> (when one would change it, a value to write then)
ADVICE: dict[str, tuple[str, Any]] = {
    "enabled": ("To switch midfill off in a workspace and keep it installed.", False),
    "model": (
        "For the 1.5B on a machine that is slow, for the 0.5B on one where you need the memory, or for a model of "
        "your own. A model that you name is fetched when it is first used; `auto` fetches the 0.5B alone, and asks "
        "you once where a larger one fits.",
        "qwen2.5-coder-1.5b",
    ),
    "quantization": (
        "`int8` where memory and speed do not matter and the last bit of accuracy does; a new store is made.",
        "int8",
    ),
    "device": (
        "`cpu` where the card's memory is wanted for something else; `cuda` to be told why a card is not used.",
        "cpu",
    ),
    "mode": ("`line` if suggestions of several lines are in your way.", "line"),
    "format": (
        "To compare layouts with a model of your own. With anything but `auto` no second answer is compared.",
        "fim",
    ),
    "maxPromptTokens": (
        "More shows the model more of other files, and costs memory and time in the background; less helps where "
        "either is short. 1 to 255 count as 256.",
        16_384,
    ),
    "maxFileTokens": (
        "Less makes room for other files, and a long file ready sooner after it is opened; more for long files that "
        "depend on little else.",
        2_048,
    ),
    "maxLineTokens": ("Less, if long lines are seldom what you want.", 24),
    "maxBlockTokens": ("More for longer functions in one piece; they take longer to come.", 384),
    "maxWaitMs": ("Less, if an answer that comes late is worse than none.", 2_000),
    "deadlineMs": (
        "Less for a sooner first answer in a file just opened, from less context; more for the opposite.",
        500,
    ),
    "quietness": (
        "0.9 for fewer and shorter ones, 0.5 for more; 0 to see everything. An invoked request shows everything.",
        0.9,
    ),
    "automatic": ("To see suggestions only when you press the key for one.", False),
    "disabledLanguages": ("For prose and data, where suggestions disturb.", ["markdown", "plaintext"]),
    "completionFallback": (
        "In [editors](editors.md) without inline completion. Needless in VS Code and Neovim.",
        True,
    ),
    "statistics": ("To have nothing remembered; `midfill stats` and `midfill why` are then empty.", False),
    "context.index": (
        "For a workspace that is too large, or on a slow network disk; open files are still seen.",
        False,
    ),
    "context.crossFile": ("To see what other files are worth, or to save memory and idle work.", False),
    "context.pinned": (
        "For a file of conventions or types that everything should follow.",
        ["docs/style.md", "src/types.ts"],
    ),
    "nextEdit.enabled": ("With an editor that asks for [next edits](next-edit.md).", True),
    "nextEdit.eagerness": ("Less if what is offered is seldom wanted; more to see more of it.", 0.5),
    "daemon.idleExitMinutes": ("Less to have the memory back sooner; more to never wait for loading.", 5.0),
    "daemon.threads": ("To leave cores to other programs; the number of physical cores is the most that helps.", 4),
    "daemon.maxCacheMb": (
        "More to go between many files without reading them anew; less where memory is short.",
        2_048,
    ),
    "daemon.maxDiskMb": ("0 to keep nothing of snippets on the disk; they are then computed anew in each session.", 0),
    "daemon.idle": ("`never` if the fan shall be quiet while you think; `always` on a machine of your own.", "never"),
    "engine.url": (
        "For a larger model on a machine of your own or your team's (docs/team.md). This and the other `engine` keys "
        "count in your own settings only; a workspace's are ignored.",
        "https://models.example.org",
    ),
    "engine.kind": ("To be told what is wrong where `auto` does not find what it should.", "llamacpp"),
    "engine.model": ("Where the server has several.", "Qwen/Qwen2.5-Coder-7B"),
    "engine.keyFile": ("Where the server wants a key. Let nobody else read the file.", "~/.config/midfill/key"),
    "engine.keyVariable": ("Where keys are kept in the environment.", "TEAM_MODEL_KEY"),
    "engine.caFile": ("Where the server's certificate is of an authority of your own.", "/etc/ssl/team-ca.pem"),
    "engine.timeoutMs": ("Less to turn to the local model sooner; more for a slow server.", 3_000),
    "engine.fallback": ("To have nothing rather than the local model's answers, and its memory free.", False),
    "engine.allowPlainHttp": ("In a network where everybody may read your code.", True),
    "engine.tokenizer": ("Behind a gateway such as LiteLLM, for exact lengths of prompts.", "~/models/tokenizer.json"),
}
_COLUMNS = 100
_KINDS = {bool: "true or false", int: "whole number", float: "number", str: "string", list: "list of strings"}


def page() -> str:
    """The whole document."""
    return _HEAD + "".join(_section(key, default) for key, default in defaults().items())


def nested(key: str, value: Any) -> dict[str, Any]:
    """`a.b` and a value as {"a": {"b": value}}."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def _section(key: str, default: Any) -> str:
    what, allowed = FIELDS[key]
    when, example = ADVICE[key]
    value = f"{_KINDS[type(default)]}{_range(default, allowed)}; default `{json.dumps(default)}`."
    return f"""
## `{key}`

{_wrapped(f"{what}.")}

{_wrapped(f"- **Value**: {value}", "  ")}
{_wrapped(f"- **When to change it**: {when}", "  ")}

| | for example |
|---|---|
| VS Code | `"midfill.{key}": {json.dumps(example)}` |
| Neovim | `settings = {_lua(nested(key, example))}` |
| initializationOptions | `{json.dumps(nested(key, example))}` |
"""


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, _COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _range(default: Any, allowed: tuple[Any, ...] | None) -> str:
    if allowed is None:
        return ""
    if isinstance(default, str):
        return ", one of " + ", ".join(f"`{value}`" for value in allowed)
    low, high = (f"{bound:,.15g}" for bound in allowed)
    return f", {low} to {high}"


def _lua(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_lua(inner)}" for name, inner in value.items()) + " }"
    if isinstance(value, list):
        return "{ " + ", ".join(_lua(item) for item in value) + " }"
    return f"'{value}'" if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.write(page())
