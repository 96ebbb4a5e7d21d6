"""Finds lines of a source tree that use something another file of it defines, and where that is defined.

Who defines what is decided by the language's own tools (jedi, TypeScript's language service, javac), never by
midfill's index: `recall` scores that index against it.

Rules: asking is slow, so lines are sampled: files in a seeded order, a few lines of each. Targets are files of
the tree alone. Import lines, comments, the inside of strings and very short lines are out. What was found is kept
in the cache, under a hash of everything it depends on.
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tree_sitter import Node

from evals.context.needs import NeededLine, Open, Resolver, Target
from evals.context.resolve_child import open_java, open_typescript
from evals.context.resolve_python import open_python
from evals.progress import tracked
from evals.report import EvalError
from evals.sources import SourceFile
from model.library.paths import cache_dir
from parsers.languages import Language, by_id
from parsers.parse import SyntaxTree, byte_offset, parse
from parsers.scope import CursorKind, cursor_kind

_MIN_LINE_CHARS = 6
# Of one file, so that a sample has many files; and how many lines are tried for them, since each takes time.
_MAX_PER_FILE = 3
_MAX_TRIED = 24
# Of a body, the lines whose needs count: about the 64 tokens that are scored.
_BODY_LINES = 8
# Part of the cache's key: what was found by other rules is not used. Raise it when a resolver changes.
_VERSION = 1
_IMPORTS = frozenset(
    (
        "import_statement",
        "import_from_statement",
        "future_import_statement",
        "import_declaration",
        "package_declaration",
    )
)
_BODIES = frozenset(("block", "statement_block", "constructor_body"))


# A candidate: the first line and the number of lines to hide, and the lines whose needs are asked for.
Candidate = tuple[int, int, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Family:
    """Languages (ids of parsers.languages) that use each other's files, and what resolves them."""

    languages: tuple[str, ...]
    open: Open


_SCRIPT = Family(("typescript", "tsx", "javascript"), open_typescript)
_FAMILIES = {
    "python": Family(("python",), open_python),
    "typescript": _SCRIPT,
    "tsx": _SCRIPT,
    "javascript": _SCRIPT,
    "java": Family(("java",), open_java),
}


def needed_lines(root: Path, language: str, files: Sequence[SourceFile], limit: int, seed: int) -> list[NeededLine]:
    """Up to `limit` (0: all) single lines; EvalError when the language or its tool is missing."""
    return _needed("lines", root, language, files, limit, seed)


def needed_bodies(root: Path, language: str, files: Sequence[SourceFile], limit: int, seed: int) -> list[NeededLine]:
    """The same with whole bodies of functions; the needs are those of a body's first lines."""
    return _needed("bodies", root, language, files, limit, seed)


def _needed(
    split: str, root: Path, language: str, files: Sequence[SourceFile], limit: int, seed: int
) -> list[NeededLine]:
    if language not in _FAMILIES:
        raise EvalError(f"no resolver for {language!r}: use --lang {', '.join(sorted(_FAMILIES))}")
    family = _FAMILIES[language]
    known = [file for file in files if file.language in family.languages]
    if not known:
        raise EvalError(f"{root} holds no {language} files")
    place = _cache_file(split, language, known, limit, seed)
    if (cached := _read(place)) is not None:
        return cached
    with family.open(root.resolve(), known) as resolver:
        found = sample(resolver, known, _CANDIDATES[split], limit, seed)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps([asdict(line) for line in found]), encoding="utf-8")
    return found


def sample(
    resolver: Resolver,
    files: Sequence[SourceFile],
    candidates: Callable[[SourceFile], list[Candidate]],
    limit: int,
    seed: int,
) -> list[NeededLine]:
    """Take up to three candidates with needs from each file, in a seeded order, until there are `limit` (0: all)."""
    order = sorted(files, key=lambda file: file.path)
    random.Random(seed).shuffle(order)
    found: list[NeededLine] = []
    for file in tracked(order, "definitions"):
        if limit and len(found) >= limit:
            break
        tried = candidates(file)
        # By file, so that what is taken from one does not depend on the others.
        random.Random(f"{seed} {file.path}").shuffle(tried)
        found += list(_with_needs(resolver, file, tried[:_MAX_TRIED]))
    return found[: limit or None]


def _with_needs(resolver: Resolver, file: SourceFile, tried: Iterable[Candidate]) -> Iterator[NeededLine]:
    n_found = 0
    for number, n_lines, asked in tried:
        uses = resolver.uses(file, asked)
        needs = tuple(dict.fromkeys(target for line in sorted(uses) for target in uses[line]))
        if needs:
            yield NeededLine(file.path, number, needs, n_lines)
            n_found += 1
        if n_found == _MAX_PER_FILE:
            return


def code_lines(file: SourceFile) -> list[Candidate]:
    """The lines of a file that may be asked for, each as a candidate."""
    tree = parse(file.language, file.text)
    imports = _import_rows(tree)
    result: list[Candidate] = []
    offset = 0
    for number, line in enumerate(file.text.split("\n"), 1):
        code = line.strip()
        begin = offset + len(line) - len(line.lstrip())
        if len(code) >= _MIN_LINE_CHARS and number - 1 not in imports and _is_code(tree, file.text, begin):
            result.append((number, 1, (number,)))
        offset += len(line) + 1
    return result


def _is_code(tree: SyntaxTree, text: str, begin: int) -> bool:
    """Whether the line that begins there is no comment, and no string that began before it."""
    at = byte_offset(text, begin)
    # Right before a comment's first character is still code.
    return cursor_kind(tree, at) is CursorKind.CODE and cursor_kind(tree, at + 1) is not CursorKind.COMMENT


def _import_rows(tree: SyntaxTree) -> set[int]:
    """Rows (from 0) of imports, of exports from elsewhere, and of `x = require(...)`."""
    rows: set[int] = set()
    stack = [] if tree.root is None else [tree.root]
    while stack:
        node = stack.pop()
        if node.type in _IMPORTS or _is_required(node) or _is_export_from(node):
            rows.update(range(node.start_point.row, node.end_point.row + 1))
        else:
            stack.extend(node.children)
    return rows


def _is_export_from(node: Node) -> bool:
    return node.type == "export_statement" and node.child_by_field_name("source") is not None


def _is_required(node: Node) -> bool:
    if node.type != "variable_declarator" or (value := node.child_by_field_name("value")) is None:
        return False
    return value.text is not None and value.text.startswith(b"require(")


def function_bodies(file: SourceFile) -> list[Candidate]:
    """The bodies of a file's functions that begin on a line of their own; a docstring stays above."""
    tree, language = parse(file.language, file.text), by_id(file.language)
    usable = {number for number, _, _ in code_lines(file)}
    result: list[Candidate] = []
    stack = [] if tree.root is None else [tree.root]
    while stack:
        node = stack.pop()
        stack.extend(node.children)
        if (rows := _body_rows(node, language)) is None:
            continue
        first, last = rows
        asked = [row + 1 for row in range(first, min(last + 1, first + _BODY_LINES)) if row + 1 in usable]
        if asked:
            result.append((first + 1, last + 1 - first, asked))
    return sorted(result)


def _body_rows(node: Node, language: Language) -> tuple[int, int] | None:
    """First and last row (from 0) inside of a function's body; None for anything else."""
    if node.type not in language.definitions or "class" in node.type:
        return None
    body = node.child_by_field_name("body")
    if body is None or body.type not in _BODIES or not body.named_children:
        return None
    statements = body.named_children
    if statements[0].type == "string" or [child.type for child in statements[0].named_children] == ["string"]:
        statements = statements[1:]
    if not statements or statements[0].start_point.row <= node.start_point.row:
        return None
    first, last = statements[0].start_point.row, statements[-1].end_point.row
    if first == body.start_point.row and body.children[0].type == "{":
        return None
    return first, last


_CANDIDATES: dict[str, Callable[[SourceFile], list[Candidate]]] = {"lines": code_lines, "bodies": function_bodies}


def _cache_file(split: str, language: str, files: Sequence[SourceFile], limit: int, seed: int) -> Path:
    """Named by what the result depends on: the texts themselves, not only their sizes."""
    digest = hashlib.sha256(json.dumps([_VERSION, split, language, limit, seed]).encode())
    for file in sorted(files, key=lambda file: file.path):
        text = file.text.encode("utf-8", "replace")
        digest.update(f"\0{file.path}\0{len(text)}\0".encode("utf-8", "replace") + text)
    return cache_dir() / "resolved" / f"{digest.hexdigest()[:32]}.json"


def _read(place: Path) -> list[NeededLine] | None:
    """What an earlier run found; None without a file that can be read."""
    try:
        rows = json.loads(place.read_text(encoding="utf-8"))
        return [
            NeededLine(row["path"], row["number"], tuple(Target(**need) for need in row["needs"]), row["n_lines"])
            for row in rows
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return None
