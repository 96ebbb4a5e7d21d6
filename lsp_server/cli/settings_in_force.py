"""Which settings hold for a file, outside of an editor: those that are given, or those of its workspace. For `doctor`.

An editor's own settings are its secret: only what a workspace keeps (`.vscode/settings.json`) can be found. As in a
folder that VS Code does not trust, that file does not choose the model, nor where it runs or code is sent.

Rules: reads files, and nothing else. JSON may have comments and trailing commas, as VS Code's has.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# A string, which is kept, or what VS Code allows beside JSON: a comment, a comma before a closing bracket.
_BESIDE_JSON = re.compile(r"(\"(?:[^\"\\]|\\.)*\")|//[^\n]*|/\*.*?\*/|,(?=\s*[}\]])", re.DOTALL)
_NOT_FROM_WORKSPACE = ("model", "quantization", "device", "daemon", "engine")
_EDITORS_OWN = ("server",)  # which server to start: the extension's


class BadSettings(Exception):
    """What was given is no settings; the message says why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an editor would send as its `midfill` section, and in words where it is from."""

    section: dict[str, Any]
    source: str


def given(text: str) -> Settings:
    """Of `--config`: JSON, or the name of a file with it. Keys may be `quietness`, `midfill.quietness` or nested."""
    if text.lstrip().startswith("{"):
        return Settings(_section(_read(text, "--config"), all_keys=True), "--config")
    try:
        found = Path(text).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"{text} cannot be read: {error}") from error
    return Settings(_section(_read(found, text), all_keys=True), text)


def of_workspace(root: Path) -> Settings:
    """The midfill keys of a workspace's settings for VS Code; none when there are none."""
    file = root / ".vscode" / "settings.json"
    try:
        section = _section(_read(file.read_text(encoding="utf-8"), str(file)), all_keys=False)
    except (OSError, UnicodeDecodeError, BadSettings):
        return Settings({}, "the defaults")
    left = {key: value for key, value in section.items() if key not in _NOT_FROM_WORKSPACE}
    ignored = sorted(section.keys() - left.keys())
    note = f" (without {', '.join(ignored)}: give those with --config)" if ignored else ""
    return Settings(left, f"{file}{note}" if section else "the defaults")


def _read(text: str, name: str) -> dict[str, Any]:
    plain = _BESIDE_JSON.sub(lambda match: match[1] or "", text)
    plain = _BESIDE_JSON.sub(lambda match: match[1] or "", plain)  # a comma before a comment before a bracket
    try:
        found = json.loads(plain)
    except ValueError as error:
        raise BadSettings(f"{name} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise BadSettings(f"{name} holds no JSON object")
    return found


def _section(settings: dict[str, Any], *, all_keys: bool) -> dict[str, Any]:
    """midfill's part as nested objects. Where all keys are settings of midfill they need not say so."""
    section: dict[str, Any] = {}
    for key, value in settings.items():
        if key == "midfill" and isinstance(value, dict):
            _lay(section, value)
        elif key.startswith("midfill."):
            _lay(section, {key.removeprefix("midfill."): value})
        elif all_keys and not any(name == "midfill" or name.startswith("midfill.") for name in settings):
            _lay(section, {key: value})
    return {key: value for key, value in section.items() if key not in _EDITORS_OWN}


def _lay(section: dict[str, Any], settings: dict[str, Any]) -> None:
    """Put settings into a section; `context.index` is `index` of `context`."""
    for key, value in settings.items():
        outer, _, inner = key.partition(".")
        if inner:
            within = section.setdefault(outer, {})
            if isinstance(within, dict):
                _lay(within, {inner: value})
        elif isinstance(value, dict):
            within = section.setdefault(outer, {})
            if isinstance(within, dict):
                _lay(within, value)
        else:
            section[outer] = value
