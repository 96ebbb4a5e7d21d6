"""A method that a suggestion calls and that the receiver's class has not: small models make up what would be handy.

Called by the pipeline for automatic requests: such a suggestion is not shown. Which class a receiver has is seen from
the lines above the cursor: an annotated parameter or variable, or an assignment from a constructor. A class is judged
only if all of it is in the repository: its bases too, and nothing that answers to any name (`__getattr__`).

- Members are the names of all classes of that name and of their bases.
- Of a receiver that is only called like a class (`customer`, `Customer`), of `self`, which may be put together from
  several classes, and in languages that give every object methods that stand nowhere (`clone`, `let`), the name must be
  unknown to the whole repository, too.

Rules: pure but for the injected lookup; by lines, not by syntax. When in doubt a member is there.
"""

import re
from collections import deque
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from completion.candidate import Candidate
from completion.code.lines import before_cursor, columns, lines_above
from completion.switches import Switch
from completion.types import CompletionRequest, Definition, Index

# How much above the cursor may say what a receiver is, and how much at the beginning, where imports stand.
_CHARACTERS, _IMPORT_CHARACTERS = 20_000, 5_000
_CALL = re.compile(r"(?<![\w.$>)\]?!])(\w+)\s*(?:\.|->|\?\.)\s*(\w+)(?=\s*\()")
_TEXTS = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|`[^`\n]*`|#.*|//.*")
_TYPE_KINDS = frozenset(("class", "struct", "interface", "enum", "extension"))
# Bases that add nothing that is called on an object, and decorators likewise.
_EMPTY_BASES = frozenset(("object", "ABC", "Object", "Protocol", "Generic", "Any", "Display", "Debug"))
_DECORATOR = re.compile(
    r"^\s*@(?!dataclass|dataclasses\.|final|runtime_checkable|typing\.|functools\.total_ordering)", re.M
)
# What answers to any name.
_ANSWERS_ALL = frozenset(
    ("__getattr__", "__getattribute__", "method_missing", "respond_to_missing?", "__call", "__get", "noSuchMethod")
)
# Every object has them, or a class gets them without a word of it.
_OF_ALL_OBJECTS = re.compile(
    r"__\w+__|hashCode|equals|toString|getClass|valueOf|hasOwnProperty|constructor|(?:get|set|is)[A-Z]\w*"
)
# Where no object has methods that stand nowhere.
_PLAIN_OBJECTS = frozenset(("python", "starlark", "go", "typescript", "javascript", "tsx"))
_CLASS = re.compile(r"\b(?:class|impl(?:<[^>]*>)?(?:\s+[\w:<>]+\s+for)?|struct|object)\s+([A-Z]\w*)")
_MAX_BASES, _MAX_NAMED, _MAX_FILES = 20, 20, 60
_IMPORT_BY_NAME = frozenset(("python", "javascript", "typescript", "tsx"))
_SELF = frozenset(("self", "this", "cls"))


@dataclass(frozen=True, slots=True)
class Members:
    """What the classes of one name have: all of it, or only what is in the repository. And where they are defined."""

    names: frozenset[str]
    is_all: bool
    paths: frozenset[str]


def members_of(index: Index, name: str) -> Members | None:
    """The members of all classes of a name with those of their bases; None when there is no such class."""
    classes = _classes(index, name)
    if not classes:
        return None
    names, is_all, todo, done = set[str](), True, [*classes], {name}
    while todo:
        found = todo.pop()
        names |= _own(index, found)
        is_all &= _DECORATOR.search(found.signature) is None and "metaclass" not in found.signature
        for base in found.bases:
            is_all &= base != found.name  # `class Form(lib.Form)`
            if base in done or base in _EMPTY_BASES:
                continue
            done.add(base)
            of_base = _classes(index, base)
            is_all &= bool(of_base) and len(done) <= _MAX_BASES
            todo += of_base if len(done) <= _MAX_BASES else []
    is_all &= not names & _ANSWERS_ALL
    return Members(frozenset(names), is_all, frozenset(found.path for found in classes))


def _classes(index: Index, name: str) -> list[Definition]:
    return [found for found in index.named(name, _MAX_NAMED) if found.kind in _TYPE_KINDS]


def _own(index: Index, of: Definition) -> set[str]:
    """What stands in a class; and where methods stand beside their type, as in Go, in its folder."""
    names = {found.name for found in index.defined_in(of.path) if found.parent == of.id}
    if of.kind == "struct" and of.path.endswith(".go"):
        receiver = re.compile(rf"func\s*\([^)]*\b{re.escape(of.name)}\b")
        folder = of.path.rpartition("/")[0]
        for path in list(index.in_folder(folder))[:_MAX_FILES]:
            names |= {found.name for found in index.defined_in(path) if receiver.match(found.signature)}
    return names


class Classes(Protocol):
    """What is known of a repository's classes and names. From a worker thread."""

    def members(self, class_name: str) -> Members | None:
        """What classes of a name have; None when there is none, or that cannot be told right now."""
        ...

    def is_known(self, name: str) -> bool:
        """Whether a name stands anywhere in the repository; True when that cannot be told right now."""
        ...


def invented_member(candidate: Candidate, request: CompletionRequest, known: Classes | None) -> str:
    """Which class lacks a method that a suggestion calls, in words; "" where none does."""
    if known is None or not candidate.text.strip() or Switch.MEMBERS in request.without:
        return ""
    text, cursor = request.snapshot.text, request.cursor
    typed = before_cursor(text, cursor)
    said = _bare(typed + candidate.text)
    near = max(0, cursor - _CHARACTERS)
    above = _bare(text[: min(near, _IMPORT_CHARACTERS)] + "\n" + text[near : cursor - len(typed)])
    for call in _CALL.finditer(said):
        receiver, member = call.groups()
        if call.end() <= len(typed) or _OF_ALL_OBJECTS.fullmatch(member):
            continue
        lines = above + said[: said.rfind("\n", 0, call.start()) + 1]
        of = _self_class(request) if receiver in _SELF else _class_of(receiver, lines)
        members = None if of is None else known.members(of.name)
        if of is None or members is None or not members.is_all or member in members.names:
            continue
        if _is_foreign(of, members, text, request.snapshot.language) or _stands(receiver, member, of.name, text):
            continue
        is_certain = of.is_certain and request.snapshot.language in _PLAIN_OBJECTS
        if is_certain or not (_is_word_of(member, text) or known.is_known(member)):
            return f"{receiver}.{member} is made up: {of.name} has no such method"
    return ""


@dataclass(frozen=True, slots=True)
class _Class:
    name: str
    is_certain: bool


def _class_of(receiver: str, above: str) -> _Class | None:
    """The class that the nearest line above gives a receiver; if none does, the one that is called like it."""
    name = re.escape(receiver)
    bound = re.compile(
        rf"\b{name}[ \t]*:[ \t]*[&*]?(?:mut[ \t]+)?(?P<annotated>[A-Z]\w*)(?![\w\[<.|?]|[ \t]*\|)"
        rf"|\b{name}[ \t]*(?::[^=\n]*)?:?=[ \t]*(?:new[ \t]+|await[ \t]+|&)?(?P<made>[A-Z]\w*)"
        r"[ \t]*(?:\(|\{|\.new\b|::new\b)(?!.*\)[ \t]*[.\[])"
        rf"|(?<![\w.])(?P<declared>[A-Z]\w*)[ \t]*[*&]?[ \t]+[*&]?\$?{name}[ \t]*[=;,)]"
        rf"|\b{name}[ \t]+\*?(?P<go>[A-Z]\w*)[ \t]*[,)]"
        rf"|\b{name}\b[ \t]*(?:(?::[^=\n]*)?:?=(?!=)|\bin\b|:(?!:)|,[\w \t,]*=(?!=))"
        rf"|\b(?:let|var|const)[ \t]+{name}\b(?![ \t]*[:=])|\b(?:as|for|import|use|require|include)\b[^\n]*\b{name}\b",
        re.MULTILINE,
    )
    last = next(iter(deque(bound.finditer(above), maxlen=1)), None)
    if last is None:
        parts = [part.capitalize() for part in receiver.split("_") if part]
        return _Class("".join(parts) or receiver, is_certain=False) if receiver[:1].islower() else None
    found = next((group for group in last.groupdict().values() if group), None)
    return _Class(found, is_certain=True) if found else None


def _self_class(request: CompletionRequest) -> _Class | None:
    """The class around the cursor."""
    level = columns(before_cursor(request.snapshot.text, request.cursor) + "x")
    for line in lines_above(request.snapshot.text, request.cursor):
        if columns(line) < level:
            level = columns(line)
            if found := re.search(
                r"\b(?:class|impl(?:<[^>]*>)?(?:\s+[\w:<>]+\s+for)?|struct|object)\s+([A-Z]\w*)", line
            ):
                return _Class(found[1], is_certain=False)
    return None


def _is_foreign(of: _Class, members: Members, text: str, language: str) -> bool:
    """Whether the file has a class of that name from somewhere else than the repository: from a library, a builtin."""
    name = of.name
    imports = re.findall(
        rf"^\s*from\s+([\w.]+)\s+import\s+[^#\n]*\b{name}\b|\bimport\b[^;\n]*\b{name}\b[^;\n]*\bfrom\s+['\"]([^'\"]+)"
        rf"|^\s*(?:import|use)\s+([\w.:\\\\]+)[.:\\\\]{name}\b",
        text,
        re.MULTILINE,
    )
    if not imports:
        is_global = of.is_certain and language in _IMPORT_BY_NAME and not _defines(name, text)
        return is_global and re.search(r"\bimport\b.*\*", text) is None
    parts = {part for path in members.paths for part in (*PurePosixPath(path).parts, PurePosixPath(path).stem)}
    spelled = [re.split(r"[./:\\\\]+", next(filter(None, found)).rstrip(".")) for found in imports]
    # A package is called by its name, a file by its path: `from 'router'` and `from './router'`.
    is_path = language == "python" or any(first in ("", "@", "~", "crate", "super", *parts) for first, *_ in spelled)
    return not is_path or not any(last in parts or not last for *_, last in spelled)


def _stands(receiver: str, member: str, class_name: str, text: str) -> bool:
    """Whether the file uses the member of this receiver already, or defines the class, and says the member anywhere."""
    if re.search(rf"\b{re.escape(receiver)}\s*(?:\.|->|\?\.)\s*{re.escape(member)}\b", text):
        return True
    return _defines(class_name, text) and _is_word_of(member, text)


def _defines(name: str, text: str) -> bool:
    kinds = "class|struct|interface|trait|type|enum|impl|object|module"
    return re.search(rf"\b(?:{kinds})\s+{name}\b", text) is not None


def _is_word_of(name: str, text: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", text) is not None


def _bare(text: str) -> str:
    """A text without its strings and comments, as long as before."""
    return _TEXTS.sub(lambda match: " " * len(match[0]), text)
