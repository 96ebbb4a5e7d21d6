"""Which file an import means: by the end of its path, in whatever way a language spells it.

    from ..a.b import c    ./a/b    java.util.List    "a/b.h"    crate::a::b    github.com/x/y/a/b    App\\Http\\Kernel

Rules: pure; one way for all languages, since all of them name a file or a folder by the last parts of its path. What
is outside of the workspace resolves to nothing, or to a file of the same name: a few wrong answers are a few wrong
snippets, and rank low.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from parsers.languages import for_document

# Files that stand for their folder: `import a.b` may mean a/b/__init__.py.
_FOLDER_FILES = frozenset(("__init__", "index", "mod", "lib", "init"))
# Folders that hold sources and are no part of an import's path.
_ROOTS = frozenset(("src", "lib", "libs", "include", "main", "java", "kotlin", "scala", "app", "sources", "packages"))
# Trees of the same packages beside each other: src/main/java/a and src/test/java/a.
_TREES = frozenset(("main", "test", "tests", "testFixtures", "androidTest"))
_SEPARATOR = re.compile(r"::|\\|\.|/")
_UP = re.compile(r"^(\.+)(?=[^./]|$)")
_NO_PART = frozenset(("", "crate", "self", "super", "*", "@", "~", "_"))
# Of a folder's path so many parts will do: that of a module may begin in the middle of the workspace.
_ENOUGH = 2
# Languages whose files import each other.
_FAMILIES = (
    ("javascript", "typescript", "tsx", "vue", "svelte"),
    ("c", "cpp", "objc"),
    ("java", "kotlin", "scala"),
    ("css", "scss"),
    ("ocaml", "ocaml_interface"),
)
_MAX_FILES = 60  # of a package that is a folder of files


@dataclass(frozen=True, slots=True)
class Spec:
    """An import's path as parts in lower case. An anchored one is a path from the workspace, not the end of one."""

    parts: tuple[str, ...]
    anchored: bool


def specs(path: str, name: str, from_path: str) -> list[Spec]:
    """What `path` may mean in the file `from_path`, the likeliest first: with the imported name as a module, as it
    is, and without its last part, which may be a definition."""
    folder = PurePosixPath(from_path).parent
    anchored = True
    if path.startswith(("./", "../")):
        parts = _parts_of_file(posixpath.normpath(str(folder / path)))
    elif match := _UP.match(path):
        for _ in range(len(match.group(1)) - 1):
            folder = folder.parent
        parts = [*folder.parts, *_SEPARATOR.split(path[match.end() :])]
    else:
        anchored = False
        path = path.removeprefix("node:").removeprefix("package:")
        parts = _parts_of_file(path) if "/" in path else _SEPARATOR.split(path)
    clean = tuple(part.lower() for part in parts if part not in _NO_PART)
    found = [(*clean, name.lower())] if name else []
    found.append(clean)
    if "/" not in path:  # the last part of a dotted name may be a definition
        found.append(clean[:-1])
    return [Spec(spec, anchored) for spec in found if spec]


def module_of(path: str) -> tuple[str, ...]:
    """A file's own path as an import would spell it, in lower case."""
    parts = _parts_of_file(path.lower())
    return tuple(parts[:-1] if parts[-1] in _FOLDER_FILES and len(parts) > 1 else parts)


def matching(spec: Spec, paths: Iterable[str], from_path: str, language: str = "") -> list[str]:
    """Of files whose name fits, those that the spec means: the best match, and the nearest of equal ones."""
    scored = [(_match(spec, module_of(path), from_path), path) for path in _related(paths, from_path, language)]
    best = max((score for score, _ in scored), default=0)
    if best == 0:
        return []
    near = sorted((path for score, path in scored if score == best), key=lambda path: -shared_folders(path, from_path))
    return near[:1]


def matching_folder(spec: Spec, paths: Iterable[str], from_path: str, language: str = "") -> list[str]:
    """Of files, those that lie in the folder that the spec means (a package of Go, Java or C#), or in several: a
    package may be spread over trees."""
    folders: dict[str, list[str]] = {}
    for path in _related(paths, from_path, language):
        folders.setdefault(str(PurePosixPath(path).parent), []).append(path)
    scored = [(_match(spec, tuple(folder.lower().split("/")), from_path, _ENOUGH), folder) for folder in folders]
    best = max((score for score, _ in scored), default=0)
    if best == 0:
        return []
    equal = sorted(
        (folder for score, folder in scored if score == best), key=lambda f: (-shared_folders(f, from_path), f)
    )
    return [path for folder in equal for path in sorted(folders[folder])][:_MAX_FILES]


def _related(paths: Iterable[str], from_path: str, language: str) -> Iterator[str]:
    """Other files of a language that the file may import from. `language` is its own, where its name does not tell."""
    language = language or for_document(from_path).id
    family = next((family for family in _FAMILIES if language in family), (language,))
    return (path for path in paths if path != from_path and for_document(path).id in family)


def _match(spec: Spec, module: tuple[str, ...], from_path: str, enough: int = 1_000) -> int:
    """How many last parts are the same, when these are all of the spec, all of the file's, or `enough`; else 0."""
    if spec.anchored:
        return len(spec.parts) if spec.parts == module else 0
    n = 0
    while n < min(len(spec.parts), len(module)) and spec.parts[-1 - n] == module[-1 - n]:
        n += 1
    own = list(_without_roots(module))
    if n == 0 or (n < min(len(spec.parts), len(own), enough)):
        return 0
    # `import json` is the library's, unless there is a json beside this file or at the top.
    beside = module[:-1] == tuple(part.lower() for part in PurePosixPath(from_path).parent.parts)
    return n if n > 1 or beside or len(own) == 1 else 0


def _without_roots(module: tuple[str, ...]) -> Iterator[str]:
    leading = True
    for index, part in enumerate(module):
        leading = leading and part in _ROOTS and index < len(module) - 1
        if not leading:
            yield part


def _parts_of_file(path: str) -> list[str]:
    """The parts of a path, the last one without its endings: a.b.ts is a.b or a, `lodash.js` lodash."""
    *folders, last = path.split("/")
    stem = last.split(".", 1)[0]
    return [*folders, stem or last]


def package_of(folder: str) -> tuple[str, ...]:
    """A folder's path as a package: tests that lie in a tree of their own belong to the package they test."""
    return tuple(part for part in folder.split("/") if part not in _TREES)


def shared_folders(left: str, right: str) -> int:
    """How many leading folders two paths share."""
    n = 0
    for a, b in zip(left.split("/"), right.split("/"), strict=False):
        if a != b:
            break
        n += 1
    return n
