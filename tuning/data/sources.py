"""What the shipped adapters are trained on: public repositories with permissive licenses, listed in `sources.toml`.

    python -m tuning.data.sources --into DIR [--mirror DIR]     lay their code out, a folder each

A repository comes out of a local clone (`--mirror`, folders `owner+name/repo`), or is cloned at the listed commit.

Rules: nothing of a repository is run. Only code is laid out: no vendored, built, generated or minified files, nothing
with a license of its own that is not permissive. Of a large repository some folders, chosen by a fixed seed: whole
ones, so that files find what they import. The texts stay outside of this repository.
"""

import argparse
import random
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from parsers.languages import BlockStyle, for_document

MANIFEST = Path(__file__).parents[1] / "sources.toml"
PERMISSIVE = frozenset(("MIT", "BSD", "Apache-2.0", "ISC", "Unlicense", "CC0-1.0"))
_FORGE = "https://github.com"
_MAX_FILES = 1_000  # of a repository: what its index is made of
_MIN_BYTES, _MAX_BYTES = 400, 80_000
_NOT_THEIRS = frozenset(
    (
        "node_modules", "bower_components", "vendor", "vendored", "third_party", "thirdparty", "3rdparty", "3rd-party",
        "deps", "bundled",
        "external", "extern", "site-packages", "venv", "dist", "build", "out", "target", "generated", "gen",
        "testdata", "fixtures", "__fixtures__", "__snapshots__", "snapshots", "__pycache__", "migrations", "locales",
        "locale", "i18n", "lang", "single_include", "singleheader", "amalgamation",
    )
)  # fmt: skip
# What a license text of each kind says; the first that is found decides.
_SAYS = (
    ("", re.compile(r"GNU (?:AFFERO |LESSER )?GENERAL PUBLIC LICENSE|Mozilla Public License|Server Side Public|"
                    r"Business Source License|Elastic License|Eclipse Public License|Commons Clause", re.I)),
    ("Apache-2.0", re.compile(r"Apache License,?\s+Version 2\.0|apache\.org/licenses/LICENSE-2\.0", re.I)),
    ("MIT", re.compile(r"Permission is hereby granted, free of charge")),
    ("BSD", re.compile(r"Redistribution and use in source and binary forms")),
    ("ISC", re.compile(r"Permission to use, copy, modify, and(?:/or)? distribute this software for any\s+purpose")),
    ("Unlicense", re.compile(r"free and unencumbered software released into the public domain")),
    ("CC0-1.0", re.compile(r"CC0 1\.0 Universal")),
)  # fmt: skip
_LICENSE_FILE = re.compile(r"(?:[\w.]+-)?(?:licen[sc]e|copying)(?:[-.][\w-]+)*", re.I)
_OWN_LICENSE = re.compile(
    r"\b(?:A?GPL|LGPL|MPL|EPL|SSPL|BUSL)\b|General[\s/*#]+Public[\s/*#]+License|Mozilla[\s/*#]+Public", re.I
)
_HEAD_CHARACTERS = 2_000


class SourceError(Exception):
    """A source that cannot be had, or must not be used; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A repository of the list, at a commit. `heldout`: nothing of it is trained on."""

    name: str  # owner/name
    commit: str
    license: str
    languages: tuple[str, ...]
    heldout: bool = False

    @property
    def folder(self) -> str:
        """Where it lies below the folder of all; the repository's own name comes last, as in an editor's window."""
        return self.name


def sources(manifest: Path = MANIFEST) -> list[Source]:
    """All sources of a list; SourceError for one whose license is not permissive."""
    rows = [
        Source(**{**row, "languages": tuple(row["languages"])})
        for row in tomllib.loads(manifest.read_text(encoding="utf-8"))["source"]
    ]
    for source in rows:
        if source.license not in PERMISSIVE:
            raise SourceError(f"{source.name} has the license {source.license!r}: {', '.join(sorted(PERMISSIVE))}")
    return rows


def license_of(texts: Iterable[str]) -> str:
    """The kind of license that texts speak of, "" where one is not permissive or not known."""
    kinds = {kind for text in texts for kind in [_kind(text)] if kind is not None}
    return "" if "" in kinds or not kinds else sorted(kinds)[0]


def _kind(text: str) -> str | None:
    return next((kind for kind, says in _SAYS if says.search(text)), None)


def is_license_file(path: str) -> bool:
    """Whether a path in a repository is that of its license."""
    return "/" not in path and _LICENSE_FILE.fullmatch(path) is not None


def is_wanted(path: str, size: int) -> bool:
    """Whether a file may be code of the repository's own, by its path and size."""
    *folders, name = PurePosixPath(path).parts
    if not _MIN_BYTES <= size <= _MAX_BYTES or any(f.lower() in _NOT_THEIRS or f.startswith(".") for f in folders):
        return False
    language = for_document(path, None)
    is_code = bool(language.definitions) or language.block_style is BlockStyle.END
    return ".min." not in name and language.block_style is not BlockStyle.NONE and is_code


def has_other_license(text: str) -> bool:
    """Whether a file's head says that it has a license of its own, which is not permissive."""
    return _OWN_LICENSE.search(text[:_HEAD_CHARACTERS]) is not None


def lay_out(clone: Path, commit: str, into: Path, n_most: int = _MAX_FILES) -> tuple[str, int]:
    """Write the code of a commit of a clone, of so many files at most; (its license, files written)."""
    licenses: list[str] = []
    found: dict[str, str] = {}
    for path, size, read in _files(clone, commit):
        if is_license_file(path):
            licenses.append(read())
        elif is_wanted(path, size) and not has_other_license(text := read()):
            found[path] = text
    chosen = _some(found, n_most)
    for path in chosen:
        file = into / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(found[path], encoding="utf-8")
    return license_of(licenses), len(chosen)


def _files(clone: Path, commit: str) -> Iterator[tuple[str, int, Callable[[], str]]]:
    """(path, size, what reads it) of each file of a commit; a clone may lack its largest files."""
    git = ["git", "-c", "safe.directory=*", "-C", str(clone)]
    listed = subprocess.run([*git, "ls-tree", "-r", "-l", "-z", commit], capture_output=True, check=True).stdout
    with subprocess.Popen([*git, "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for row in listed.decode("utf-8", "replace").split("\0")[:-1]:
            (mode, _, object_id, size), path = row.split("\t", 1)[0].split(), row.split("\t", 1)[1]
            if mode.startswith("100") and size.isdigit():
                yield path, int(size), lambda object_id=object_id: _read(process, object_id)  # type: ignore[misc]


def _read(process: "subprocess.Popen[bytes]", object_id: str) -> str:
    """The text of one object; what is no text is ""."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{object_id}\n".encode())
    process.stdin.flush()
    _, kind, *size = process.stdout.readline().split()
    if kind == b"missing":
        return ""
    raw = process.stdout.read(int(size[0]))
    process.stdout.read(1)
    try:
        return raw.decode("utf-8").removeprefix("\ufeff").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return ""


def _some(found: dict[str, str], n_most: int) -> list[str]:
    """The paths of so many files at most: whole folders in a seeded order."""
    folders: dict[str, list[str]] = {}
    for path in sorted(path for path, text in found.items() if text):
        folders.setdefault("/".join(path.split("/")[:-1][:4]), []).append(path)
    order = sorted(folders)
    random.Random(len(order)).shuffle(order)
    chosen: list[str] = []
    for folder in order:
        if len(chosen) + len(folders[folder]) <= n_most:
            chosen += folders[folder]
    return sorted(chosen)


def clone_of(source: Source, mirror: Path | None, into: Path) -> Path:
    """A clone that has the source's commit; SourceError when there is none."""
    if mirror is not None:
        clone = mirror / source.name.replace("/", "+") / "repo"
        if not clone.is_dir():
            raise SourceError(f"{clone} is not there")
        return clone
    clone = into / ".clones" / source.name
    if not clone.is_dir():
        subprocess.run(["git", "init", "--quiet", "--bare", str(clone)], check=True)
    fetch = ["git", "-C", str(clone), "fetch", "--quiet", "--depth=1", f"{_FORGE}/{source.name}", source.commit]
    if subprocess.run(fetch).returncode:
        raise SourceError(f"{source.name} could not be fetched at {source.commit}")
    return clone


def main() -> int:
    """Lay out all sources that are not there yet."""
    parser = argparse.ArgumentParser(prog="python -m tuning.data.sources", description="Lay the training sources out")
    parser.add_argument("--into", type=Path, required=True, help="folder for all of them")
    parser.add_argument("--mirror", type=Path, help="folder of clones, owner+name/repo")
    arguments = parser.parse_args()
    for source in sources():
        tree = arguments.into / source.folder
        if tree.is_dir():
            continue
        try:
            license_, n_files = lay_out(clone_of(source, arguments.mirror, arguments.into), source.commit, tree)
        except SourceError as error:
            print(f"{source.name}: {error}", file=sys.stderr)
            continue
        said = "" if license_ == source.license else f", but its files say {license_ or 'something else'}"
        print(f"{source.name}: {n_files} files, {source.license}{said}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
