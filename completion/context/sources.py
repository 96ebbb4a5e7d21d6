"""Where context comes from: each source looks at the cursor's file and names passages of others, the best first.

    imported     definitions that the file imports, those used near the cursor first
    near         definitions of other names used near the cursor
    bases        base classes of the class around the cursor, with their members
    types        what the definitions found so far inherit from, and the types that their signatures speak of
    modules      what else is in the modules that the file imports as a whole
    package      what the file's own folder defines, in languages that see it without an import
    callers      who calls the function around the cursor
    similar      passages that share rare words with the text around the cursor

Rules: pure given an `Index`. A definition is shown as a signature, a class with its members' signatures; a short one
whole. The order within a source depends on the file and the cursor's place, never on anything random.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from completion.code.words import identifiers, words
from completion.context.imports import shared_folders
from completion.types import Definition, Index, Passage, Snippet
from parsers.chunks import chunks
from parsers.languages import by_id, for_document
from parsers.outline import Outline, scope_at
from parsers.parse import SyntaxTree

CLASSES = frozenset(("class", "interface", "enum", "struct", "extension", "module", "type"))
_STATIC = frozenset(("method", "constant", "field"))
# Of the lines around the cursor: what the next line uses is mostly used there already.
_NEAR_LINES = 20
# A definition of so many lines is shown whole, a longer one by its signature.
_WHOLE_LINES = 14
_MAX_SIGNATURE_CHARS = 400
# Of a class, characters of its members' signatures; of an outline; of one signature in either.
_MAX_MEMBER_CHARS, _MAX_OUTLINE_CHARS, _MAX_SHORT_CHARS = 2000, 800, 140
# A name with more definitions than this is `get` or `run`: any choice would be a guess.
_MAX_HOMONYMS = 6
_MAX_BASE_DEPTH = 4
_MAX_REEXPORTS, _MAX_LOOKED_AT = 4, 60
_MAX_IN_SOURCE = 80


@dataclass(frozen=True, slots=True)
class Item:
    """A candidate: a snippet, the lines of its file that it shows, where it comes from, and what it is about."""

    snippet: Snippet
    ranges: tuple[tuple[int, int], ...]
    source: str
    about: str


@dataclass(slots=True)
class Cursor:
    """The file being completed, and where in it. `text` is what is known of it: the editor's, not the disk's."""

    path: str
    language: str  # which the path need not tell: a notebook's cells
    text: str
    line: int  # 0-based
    outline: Outline
    near: list[str] = field(init=False)  # names near the cursor, the nearest first
    used: Counter[str] = field(init=False)  # how often each name stands in the file

    def __post_init__(self) -> None:
        lines = self.text.split("\n")
        self.used = Counter(identifiers(self.text))
        by_distance = sorted(
            range(max(0, self.line - _NEAR_LINES), min(len(lines), self.line + _NEAR_LINES // 2)),
            key=lambda number: abs(number - self.line) if number <= self.line else 2 * (number - self.line),
        )
        self.near = list(dict.fromkeys(name for number in by_distance for name in identifiers(lines[number])))


class Sources:
    """All sources for one cursor. Later ones build on what earlier ones found."""

    def __init__(self, index: Index, cursor: Cursor) -> None:
        self._index, self._cursor = index, cursor
        self._own = {symbol.name for symbol in cursor.outline.symbols}
        self._found: dict[int, tuple[Definition, Item]] = {}
        self._imports: dict[str, tuple[Definition, ...]] = {}  # local name -> what it means
        self._left: dict[int, list[Definition]] = {}  # of classes found, members that their items have no room for
        self._inherited: list[int] = []  # classes that the one around the cursor inherits from
        self._unused: list[Definition] = []  # of modules imported as a whole, what the file does not name

    def all(self) -> dict[str, list[Item]]:
        """Source -> its items, best first."""
        sources = (
            self.imported, self.near, self.bases, self.types, self.modules, self.package, self.callers, self.similar
        )  # fmt: skip
        return {source.__name__: list(islice(source(), _MAX_IN_SOURCE)) for source in sources}

    def imported(self) -> Iterator[Item]:
        """What the file imports; names near the cursor first, then by how often the file uses them."""
        order = {name: rank for rank, name in enumerate(self._cursor.near)}
        found: list[tuple[str, Definition]] = []
        for statement in self._cursor.outline.imports:
            local = statement.alias or statement.name or statement.path.replace("/", ".").rsplit(".", 1)[-1]
            definitions = self._meant(statement.path, statement.name, self._cursor.path)
            self._imports[local] = (*self._imports.get(local, ()), *definitions)
            # Of a module that comes in whole what the file speaks of; the rest is the business of `modules`.
            used = [d for d in definitions if len(definitions) == 1 or d.name in self._cursor.used]
            self._unused += [d for d in definitions if d not in used]
            found += [(local, definition) for definition in used]

        def rank(pair: tuple[str, Definition]) -> tuple[int, int]:
            names = (pair[0], pair[1].name)
            nearest = min(order.get(name, len(order)) for name in names)
            return nearest, -max(self._cursor.used[name] for name in names)

        ranked = sorted(found, key=rank)
        n_near = sum(rank(pair)[0] < len(order) for pair in ranked)
        near, far = ([definition for _, definition in part] for part in (ranked[:n_near], ranked[n_near:]))
        for definition in near:
            yield from self._items(definition, "imported")
        # A line may use anything that the file imports: first the signatures of it all, then more, if there is room.
        yield from outlines(sorted(far, key=lambda d: d.path), "imported")
        for definition in far:
            yield from self._items(definition, "imported")

    def _named_by(self, definition: Definition) -> Iterator[str]:
        """The names in a definition's signature, and in its members'."""
        yield from identifiers(definition.signature)
        if definition.kind in CLASSES:
            for member in self._index.defined_in(definition.path):
                if member.parent == definition.id:
                    yield from identifiers(member.signature)

    def modules(self) -> Iterator[Item]:
        """What else the modules hold that the file imports as a whole."""
        yield from outlines(sorted(self._unused, key=lambda d: self._distance(d.path)), "modules")
        yield from outlines([d for left in self._left.values() for d in left], "modules")

    def near(self) -> Iterator[Item]:
        """Names near the cursor that the file neither defines nor imports: members, and what is seen without import."""
        for name in self._cursor.near:
            if name not in self._own and name not in self._imports:
                yield from self._named(name, "near")

    def bases(self) -> Iterator[Item]:
        """Base classes of the enclosing classes, and theirs."""
        for enclosed in scope_at(self._cursor.outline, self._cursor.line):
            for base in enclosed.bases:
                yield from self._lineage(base, self._cursor.path, _MAX_BASE_DEPTH, "bases")
        # What else is inherited: a line of a method may use any of it.
        yield from outlines([d for above in self._inherited for d in self._left.pop(above, ())], "bases")

    def types(self) -> Iterator[Item]:
        """What has been found inherits from, and the types in its signatures: what a parameter or a result can do."""
        seen: set[str] = set()
        for known in [definition for definition, _ in self._found.values()]:
            for base in known.bases:
                if base not in seen:
                    seen.add(base)
                    yield from self._lineage(base, known.path, 1, "types")
            for name in self._named_by(known):
                if name.lstrip("_")[:1].isupper() and name not in seen | self._own and name not in self._imports:
                    seen.add(name)
                    yield from self._named(name, "types")

    def package(self) -> Iterator[Item]:
        """What the neighbours in the file's folder define, those that the file speaks of first."""
        if not by_id(self._cursor.language).folder_scope:
            return
        folder = self._cursor.path.rpartition("/")[0]
        neighbors = [p for p in self._index.in_folder(folder) if for_document(p).id == self._cursor.language]
        scored = []
        for path in neighbors:
            if path != self._cursor.path:
                definitions = _top(self._index.defined_in(path))
                scored += [(-self._cursor.used[d.name], d.path, d.line, d) for d in definitions]
        spoken_of = [d for rank, *_, d in sorted(scored, key=lambda entry: entry[:3]) if rank]
        for definition in spoken_of:
            yield from self._items(definition, "package")
        yield from outlines([d for rank, *_, d in scored if not rank], "package")

    def callers(self) -> Iterator[Item]:
        """Passages that call the function around the cursor."""
        for enclosed in scope_at(self._cursor.outline, self._cursor.line)[:1]:
            if enclosed.kind not in CLASSES:
                yield from self._passages(self._index.callers(enclosed.name, 6), "callers")

    def similar(self) -> Iterator[Item]:
        """Passages with the rarest words of the lines above the cursor, the nearest lines counting most."""
        yield from self._passages(self._index.similar(words_near(self._cursor.text, self._cursor.line), 20), "similar")

    # -- from names to definitions, from definitions to items ---------------------------------------------

    def _meant(self, spelled: str, name: str, from_path: str) -> list[Definition]:
        """What an import means: the named definition, through re-exports, or what a whole module defines."""
        return self._through(spelled, name, from_path, _MAX_REEXPORTS, set())

    def _through(
        self, spelled: str, name: str, from_path: str, depth: int, seen: set[tuple[str, str]]
    ) -> list[Definition]:
        """`_meant`, looking at each name of each file once: packages re-export each other in circles."""
        found: list[Definition] = []
        language = self._cursor.language if from_path == self._cursor.path else for_document(from_path).id
        for path in self._index.resolve(spelled, name, from_path, language):
            if (path, name) in seen or len(seen) > _MAX_LOOKED_AT:
                continue
            seen.add((path, name))
            defined = self._index.defined_in(path)
            top = _top(defined)
            named = [d for d in top if d.name == name] if name else []
            if name and not named:  # a class's own members can be imported: `import static`
                named = [d for d in defined if d.name == name and d.kind in _STATIC]
            if named or not name or path.rpartition("/")[2].split(".", 1)[0] == name:
                found += named or top
            elif depth:
                for other, imported, alias in self._index.imported_by(path):
                    if name in (imported, alias) or not imported:
                        through = self._through(other, imported or name, path, depth - 1, seen)
                        found += [d for d in through if d.name in (name, imported)]
        return found

    def _distance(self, path: str) -> int:
        """How near to the cursor a module's name stands; modules that are not named there come last."""
        stem = path.rpartition("/")[2].split(".", 1)[0]
        return self._cursor.near.index(stem) if stem in self._cursor.near else len(self._cursor.near)

    def _named(self, name: str, source: str) -> Iterator[Item]:
        """Definitions of a name anywhere, the nearest folder first; none when too many have it."""
        found = self._index.named(name, _MAX_HOMONYMS + 1)
        if len(found) > _MAX_HOMONYMS:  # many classes have a field of a name that one function has
            found = [definition for definition in found if definition.kind != "field"]
        if len(found) <= _MAX_HOMONYMS:
            for definition in sorted(found, key=lambda d: (-shared_folders(d.path, self._cursor.path), d.path, d.line)):
                yield from self._items(definition, source)

    def _lineage(self, base: str, from_path: str, depth: int, source: str) -> Iterator[Item]:
        """A base class, as the file means it, then its own bases."""
        meant = self._imports.get(base) if from_path == self._cursor.path else None
        if not meant:
            imports = [i for i in self._index.imported_by(from_path) if base in (i[1], i[2])]
            meant = tuple(d for spelled, name, _ in imports for d in self._meant(spelled, name, from_path))
        if not meant:
            beside = [d for d in self._index.defined_in(from_path) if d.name == base]
            meant = tuple(beside or self._index.named(base, 2))
        for definition in meant:
            if definition.kind in CLASSES:
                yield from self._items(definition, source)
                self._inherited.append(definition.id)
                if depth:
                    for upper in definition.bases:
                        yield from self._lineage(upper, definition.path, depth - 1, source)

    def _items(self, definition: Definition, source: str) -> Iterator[Item]:
        if definition.path == self._cursor.path:
            return
        if definition.id not in self._found:
            item, self._left[definition.id] = item_of(self._index, definition, source, self._cursor.used)
            self._found[definition.id] = definition, item
        yield replace(self._found[definition.id][1], source=source)

    def _passages(self, passages: Sequence[Passage], source: str) -> Iterator[Item]:
        for passage in passages:
            if passage.path != self._cursor.path:
                yield item_of_passage(passage, source)


def words_near(text: str, line: int) -> dict[str, float]:
    """Words of the lines up to `line` (0-based) with weights: 1 in that line, half of it twenty lines above."""
    lines = text.split("\n")[: line + 1][-_NEAR_LINES:]
    weights: dict[str, float] = {}
    for distance, near in enumerate(reversed(lines)):
        for word in words(near):
            weights[word] = max(weights.get(word, 0.0), 1.0 - distance / (2 * _NEAR_LINES))
    return weights


def passages_of(path: str, tree: SyntaxTree) -> tuple[Passage, ...]:
    """A file cut by syntax."""
    return tuple(
        Passage(path=path, first_line=chunk.first_line, last_line=chunk.last_line, text=chunk.text)
        for chunk in chunks(tree)
    )


def item_of_passage(passage: Passage, source: str) -> Item:
    """A passage as it is."""
    lines = ((passage.first_line, passage.last_line),)
    return Item(Snippet(path=passage.path, text=passage.text), lines, source, "")


def item_of(
    index: Index, definition: Definition, source: str, used: Mapping[str, int]
) -> tuple[Item, list[Definition]]:
    """A definition as it is shown: whole when it is short, else its signature and its members' signatures.

    Also the members that a large class has no room for: those that the file does not speak of.
    """
    siblings = index.defined_in(definition.path)
    parent = next((d for d in siblings if d.id == definition.parent and d.kind != "module"), None)
    header = [parent.signature.rstrip()] if parent is not None else []
    ranges = [(parent.line, parent.line)] if parent is not None else []
    indent = "    " if parent is not None else ""
    left: list[Definition] = []
    if definition.last_line - definition.first_line < _WHOLE_LINES:
        body = index.lines(definition.path, definition.first_line, definition.last_line).rstrip()
        shown = [body or _indented(definition.signature, indent)]
        ranges.append((definition.first_line, definition.last_line))
    else:
        shown = [_indented(definition.signature, indent)]
        ranges.append(_lines_of(definition, shown[0].count("\n") + 1))
        if definition.kind in CLASSES:
            depths = _members(siblings, definition)
            chosen, left = _members_shown([d for d in siblings if d.id in depths], used)
            shown += [_indented(_short(member.signature), indent + "    " * depths[member.id]) for member in chosen]
            ranges += [(member.line, member.line) for member in chosen]
    text = "\n".join([*header, *shown]) + "\n"
    return Item(Snippet(path=definition.path, text=text), tuple(ranges), source, definition.name), left


def _lines_of(definition: Definition, n_shown: int) -> tuple[int, int]:
    """The lines of the file that the first `n_shown` lines of a signature stand in."""
    lines = definition.signature.split("\n")[:n_shown]
    n_above = next((number for number, line in enumerate(lines) if definition.name in identifiers(line)), 0)
    first = definition.line - n_above
    return first, max(definition.line, first + n_shown - 1)


def outlines(definitions: Iterable[Definition], source: str) -> Iterator[Item]:
    """Signatures alone, many in one snippet: a path before each would cost as much as they do."""
    lines: list[Definition] = []
    size = 0
    for definition in definitions:
        if lines and (definition.path != lines[0].path or size > _MAX_OUTLINE_CHARS):
            yield _outline_item(lines, source)
            lines, size = [], 0
        lines.append(definition)
        size += len(_short(definition.signature))
    if lines:
        yield _outline_item(lines, source)


def _outline_item(definitions: Sequence[Definition], source: str) -> Item:
    text = "\n".join(_short(definition.signature) for definition in definitions) + "\n"
    ranges = tuple((definition.line, definition.line) for definition in definitions)
    about = f"{definitions[0].name} and {len(definitions) - 1} more" if len(definitions) > 1 else definitions[0].name
    return Item(Snippet(path=definitions[0].path, text=text), ranges, source, about)


def _members(siblings: Sequence[Definition], definition: Definition) -> dict[int, int]:
    """Ids of what is in a class -> how deep; of the types in it, too: a builder is used like its class."""
    depths: dict[int, int] = {}
    types = {definition.id: 0}
    for sibling in siblings:  # a symbol stands behind its parent
        if sibling.parent in types:
            depths[sibling.id] = types[sibling.parent] + 1
            if sibling.kind in CLASSES:
                types[sibling.id] = depths[sibling.id]
    return depths


def _members_shown(members: Sequence[Definition], used: Mapping[str, int]) -> tuple[list[Definition], list[Definition]]:
    """(shown, left out) of a class's members, each in the order of the file; those that the file speaks of go first."""
    room = _MAX_MEMBER_CHARS
    shown: set[int] = set()
    for member in sorted(members, key=lambda m: (m.name not in used, _is_private(m))):
        room -= len(_short(member.signature)) + 5
        if room < 0:
            break
        shown.add(member.id)
    return [m for m in members if m.id in shown], [m for m in members if m.id not in shown]


def _is_private(member: Definition) -> bool:
    """Whether other files are not meant to use it, by its name or by what it is declared as."""
    declared = member.signature.split(member.name or None, 1)[0].split()  # broken code has members without a name
    return member.name.startswith(("_", "#")) or "private" in declared or "fileprivate" in declared


def _short(signature: str) -> str:
    """A signature in one line."""
    line = " ".join(signature.split())
    return line if len(line) <= _MAX_SHORT_CHARS else f"{line[:_MAX_SHORT_CHARS]}..."


def _indented(signature: str, indent: str) -> str:
    cut = signature if len(signature) <= _MAX_SIGNATURE_CHARS else signature[:_MAX_SIGNATURE_CHARS].rsplit("\n", 1)[0]
    return "\n".join(f"{indent}{line}" if line else line for line in cut.rstrip().split("\n"))


def _top(definitions: Sequence[Definition]) -> list[Definition]:
    """Of a file's definitions those that other files see by name: at its top, or right in a namespace."""
    modules = {d.id for d in definitions if d.kind == "module"}
    return [d for d in definitions if d.parent is None or d.parent in modules]
