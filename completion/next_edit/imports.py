"""Rule (d): an import whose last use was just removed goes; a name that is used and not imported gets its import.

What a file imports, and where, say the queries of its language (`parsers.outline`). How the repository imports a name
is looked up by the caller, which hands the lines over: a tree is in another process than the index.

Rules: pure; runs where the tree is.
"""

import bisect
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from completion.code.builtins import builtins_of
from completion.code.lines import indentation, same_ends
from completion.next_edit.edits import Layer, Proposal
from completion.next_edit.names import binder, is_key, named, owner, text_of
from completion.next_edit.renames import binding_of, is_import
from completion.next_edit.scene import Scene
from parsers.outline import Import

_LAST_WORD = re.compile(r"[\w$]+(?=\W*$)")
_LEAST_CHARACTERS = 2
_PATH = re.compile(r"[\w.:$]+")
_IMPORT_LINE = re.compile(r"(?:from|import|use)\b(.*)")
# What means another thing in another file.
_RELATIVE = re.compile(r"from \.|from ['\"]\.|\b(?:self|super)::| as ")


def unused(scene: Scene) -> Iterator[Proposal]:
    """Imports whose last use one of the edits removed."""
    gone: set[bytes] = set()
    for edit in scene.here:
        old, new = scene.names(edit)
        gone |= {name for name in old if name not in new} - {each.old for each in scene.replaced(edit)}
    if not any(_stands(scene, name) and not _is_used(scene, name) for name in gone):  # an outline takes its time
        return
    imports = scene.imports
    found: list[Proposal] = []
    for imported in imports:
        name = local_name(imported)
        if not name or name.encode() not in gone or scene.is_edited(imported.line):
            continue
        uses = named(scene.root, scene.source, name.encode())
        if any(use.start_point.row != imported.line for use in uses) or _is_quoted(scene, name, imported.line):
            continue
        if (proposal := _without(scene, imported, name, imports)) is not None:
            found.append(proposal)
    yield from (replace(each, n_places=len(found)) for each in found)


def local_name(imported: Import) -> str:
    """What an import is called in its file."""
    word = _LAST_WORD.search(imported.alias or imported.name or imported.path)
    return word.group(0) if word else ""


def _stands(scene: Scene, name: bytes) -> bool:
    """Whether a name stands anywhere as a word: in an import it may be in a string, as Go's are."""
    word = re.escape(name)  # first, since `re` looks for a literal beginning much faster
    return re.search(rb"%b(?<![\w$]%b)(?![\w$])" % (word, word), scene.source) is not None


def _is_used(scene: Scene, name: bytes) -> bool:
    """Whether a name stands anywhere but in an import."""
    found = (binding_of(node) for node in named(scene.root, scene.source, name))
    return any(bound is None or not is_import(bound) for bound in found)


def _is_quoted(scene: Scene, name: str, but: int) -> bool:
    """Whether a name stands in quotes in another line than this: it may be exported by it."""
    quoted = re.compile(rf"[\"'`]{re.escape(name)}[\"'`]")
    return any(number != but and quoted.search(line) for number, line in enumerate(scene.lines) if name in line)


def _without(scene: Scene, imported: Import, name: str, imports: tuple[Import, ...]) -> Proposal | None:
    line = scene.lines[imported.line]
    n_there = sum(other.line == imported.line for other in imports)
    if n_there == 1:
        if line.count("(") != line.count(")") or line.count("{") != line.count("}"):
            return None
        return Proposal(Layer.UNUSED, imported.line, (line,), ())
    spelled = rf"(?:{re.escape(imported.name)}\s+as\s+)?(?:type\s+)?{re.escape(name)}"
    for expression in (rf"\b{spelled}\b\s*,[ \t]*", rf"\s*,\s*\b{spelled}\b"):
        new, n = re.subn(expression, "", line, count=1)
        if n:
            return Proposal(Layer.UNUSED, imported.line, (line,), (new,))
    return None


def imports_alone(line: str, name: str) -> bool:
    """Whether a line imports this name and no other: then it is of use to another file as it is."""
    words = _IMPORT_LINE.fullmatch(line.strip())
    if words is None or re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", words[1]) is None:
        return False
    return line.count("(") == line.count(")") and "," not in line and not _RELATIVE.search(line)


def missing(scene: Scene) -> Iterator[str]:
    """Names that the last edits brought in, and that nothing in the file binds or imports."""
    known: set[str] | None = None
    told: set[str] = set()
    for edit in scene.here:
        old, new = scene.names(edit)
        for node in scene.leaves_now(edit):
            name = text_of(node, scene.source)
            if name not in new or name in old or len(name) <= _LEAST_CHARACTERS or binding_of(node) is not None:
                continue
            word = name.decode("utf-8", "replace")
            if owner(node, scene.source) is not None or is_key(node) or word in builtins_of(scene.tree.language):
                continue
            uses = named(scene.root, scene.source, name)
            # What is used elsewhere already is seen in some way: inherited, of a wildcard, of the same package.
            if not all(scene.is_edited(use.start_point.row) and binder(use) is None for use in uses):
                continue
            # An import that holds the name as it is used is no other use; one may hold it in a string, as Go's do.
            if known is None and scene.source.count(name) > len(uses):
                known = {local_name(each) for each in scene.imports}
            if word not in (known or ()) and word not in told:
                told.add(word)
                yield word


def added(scene: Scene, lines: Mapping[str, str]) -> Iterator[Proposal]:
    """The import lines of names, as the repository writes them, behind the import that is most like each."""
    imports = scene.imports if lines else ()
    if not imports:
        return
    imports = tuple(each for each in imports if not scene.lines[each.line][:1].isspace()) or imports
    for name, line in lines.items():
        if line in scene.lines or _is_seen(scene, line, name):
            continue
        joined = _into_list(scene, name, line)
        if joined is not None:
            yield joined
            continue
        like = max(imports, key=lambda each: (same_ends(scene.lines[each.line].strip(), line.strip())[0], each.line))
        yield Proposal(
            Layer.IMPORT, _place(scene, like.line, line.strip(), imports), (), (_indented(scene, like.line, line),)
        )


def _place(scene: Scene, like: int, line: str, imports: tuple[Import, ...]) -> int:
    """Where a line comes among the imports around the one that is most like it: in order, if they are in order."""
    there = {each.line for each in imports}
    first = last = like
    while first - 1 in there:
        first -= 1
    while last + 1 in there:
        last += 1
    block = [each.strip() for each in scene.lines[first : last + 1]]
    return first + bisect.bisect(block, line) if block == sorted(block) else like + (line > scene.lines[like].strip())


def _indented(scene: Scene, like: int, line: str) -> str:
    return indentation(scene.lines[like]) + line.strip()


def _is_seen(scene: Scene, line: str, name: str) -> bool:
    """Whether a name is seen without this import: by a wildcard, or as of the file's own folder."""
    words = _PATH.findall(line.strip().rstrip(";"))
    package = words[-1].removesuffix(name).rstrip(".:") if words else ""
    if package and re.search(rf"{re.escape(package)}(?:\.|::)?(?:\*| import \*)", "\n".join(scene.lines)):
        return True
    folder = scene.here[0].path.rpartition("/")[0] if scene.here else ""
    return scene.language.folder_scope and bool(package) and folder.endswith(package.replace(".", "/"))


def _into_list(scene: Scene, name: str, line: str) -> Proposal | None:
    """A name beside others that the file imports from the same place."""
    head, found, tail = line.strip().partition(name)
    if not found:
        return None
    for number, there in enumerate(scene.lines):
        stripped = there.strip()
        if head and stripped.startswith(head) and stripped.endswith(tail) and stripped != line.strip():
            inner = stripped[len(head) : len(stripped) - len(tail) if tail else None]
            names = [each.strip() for each in inner.split(",")]
            if (
                "," in head
                or len(head.split()) < 2
                or not all(re.fullmatch(r"[\w$]+(?: as [\w$]+)?", each) for each in names)
            ):
                continue
            is_sorted = names == sorted(names)
            names = sorted([*names, name]) if is_sorted else [*names, name]
            return Proposal(Layer.IMPORT, number, (there,), (indentation(there) + head + ", ".join(names) + tail,))
    return None
