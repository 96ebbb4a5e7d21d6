"""Git's configuration files, as far as ignore rules ask for them. Nothing that a configuration names is run.

Rules: a file that is missing, damaged or no regular file has no entries; what it includes is read to a depth.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from lsp_server.index.gitignore import Patterns
from lsp_server.index.regular import read_regular

_MAX_DEPTH = 10  # git's own
_SECTION = re.compile(r'\s*\[\s*([\w.-]+)\s*(?:"((?:[^"\\]|\\.)*)")?\s*\]')
_KEY = re.compile(r"\s*([A-Za-z][\w-]*)\s*")
_ESCAPES = {"n": "\n", "t": "\t", "b": "\b"}


def config_of(git_dir: Path, common_dir: Path) -> dict[str, str]:
    """All values that hold in a repository, by section.key in lower case; those of a later file count."""
    found: dict[str, str] = {}
    for file in (*_personal_files(), common_dir / "config"):
        found |= dict(_entries(file, git_dir, 0))
    if is_true(found.get("extensions.worktreeconfig", "false")):
        found |= dict(_entries(git_dir / "config.worktree", git_dir, 0))
    return found


def is_true(value: str) -> bool:
    """Git's booleans."""
    return value.strip().lower() in ("true", "yes", "on", "1")


def xdg_folder() -> Path:
    """Where git looks for a user's files beside `~/.gitconfig`."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()) / "git"


def expanded(value: str, base: Path) -> Path:
    """A path as a configuration gives it; `~` is a home folder."""
    path = Path(value)
    if value.startswith("~"):
        try:
            path = path.expanduser()
        except RuntimeError:  # no such user
            return base / value
    return base / path


def _personal_files() -> list[Path]:
    files: list[Path] = []
    if not is_true(os.environ.get("GIT_CONFIG_NOSYSTEM", "false")):
        files.append(Path(os.environ.get("GIT_CONFIG_SYSTEM", "/etc/gitconfig")))
    if (own := os.environ.get("GIT_CONFIG_GLOBAL")) is not None:
        return [*files, Path(own)] if own else files
    return [*files, xdg_folder() / "config", expanded("~/.gitconfig", Path("/"))]


def _entries(file: Path, git_dir: Path, depth: int) -> Iterator[tuple[str, str]]:
    content = read_regular(file)
    if content is None or depth > _MAX_DEPTH:
        return
    for section, condition, key, value in _parsed(content.decode("utf-8", "surrogateescape").removeprefix("\ufeff")):
        if key == "path" and (section == "include" or (section == "includeif" and _holds(condition, file, git_dir))):
            yield from _entries(expanded(value, file.parent), git_dir, depth + 1)
        elif not condition:
            yield f"{section}.{key}", value


def _parsed(text: str) -> Iterator[tuple[str, str, str, str]]:
    """(section, subsection, key, value). A line that cannot be read is left out."""
    section = subsection = ""
    for line in text.replace("\r\n", "\n").replace("\\\n", "").split("\n"):
        if match := _SECTION.match(line):
            section, subsection = match[1].lower(), re.sub(r"\\(.)", r"\1", match[2] or "")
            line = line[match.end() :]
        if match := _KEY.match(line):
            rest = line[match.end() :]
            if rest.startswith("="):
                yield section, subsection, match[1].lower(), _value(rest[1:])
            elif not rest or rest[0] in "#;":
                yield section, subsection, match[1].lower(), "true"


def _value(text: str) -> str:
    """A value without its quotes, escapes and comment; spaces at its end count in quotes alone."""
    characters = iter(text.lstrip())
    found: list[str] = []
    n_kept, is_quoted = 0, False
    for character in characters:
        if character in "#;" and not is_quoted:
            break
        if character == '"':
            is_quoted = not is_quoted
        elif character == "\\":
            escaped = next(characters, "")
            found.append(_ESCAPES.get(escaped, escaped))
        else:
            found.append(character)
        if is_quoted or not character.isspace():
            n_kept = len(found)
    return "".join(found[:n_kept])


def _holds(condition: str, file: Path, git_dir: Path) -> bool:
    """Whether an `includeIf` of the kind gitdir holds; the other kinds never do."""
    kind, _, pattern = condition.partition(":")
    if kind not in ("gitdir", "gitdir/i"):
        return False
    ending = "/" if pattern.endswith("/") else ""
    if pattern.startswith("./"):
        pattern = f"{file.parent.as_posix()}/{pattern[2:]}"
    elif pattern.startswith("~"):
        pattern = expanded(pattern, file.parent).as_posix() + ending
    elif not pattern.startswith("/"):
        pattern = f"/**/{pattern}"
    patterns = Patterns(os.fsencode(f"{pattern}**" if ending else pattern), ignore_case=kind.endswith("/i"))
    return bool(patterns.verdict(os.fsencode(git_dir.resolve().as_posix().lstrip("/")), folder=True))
