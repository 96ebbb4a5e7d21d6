"""What the text around a line says of it: what cannot stand there, and what the lines below need. Called by `ranking`.

A left-to-right prompt does not know the text below, and a small model often ignores it. Two things can be told without
any model: that a line there makes what follows dead, or takes it out of its block; and that the lines below use a name
which nothing above defines, so that the line missing here is likely to define it.

Rules: pure; by lines and names, not by syntax: half-typed code has little of it. Nothing is dropped here, only ranked.
"""

import re
from collections.abc import Iterator
from itertools import islice

from completion.builtins import builtins_of
from completion.candidate import Candidate
from completion.lines import before_cursor, columns, line_above, lines_below, opens_block
from completion.types import CompletionRequest
from completion.words import identifiers
from parsers.languages import BlockStyle, by_id

_JUMP = re.compile(r"\s*(?:return|raise|throw|break|continue|goto)\b")
# What may stand at the level of a jump and is not dead: another branch, or a label.
_BRANCH = re.compile(r"\s*(?:else|elif|elsif|elseif|except|catch|finally|rescue|ensure|case|default|when|end|\}|\)|\])")
# How a name is bound, by language; "{}" is the name.
_BINDINGS = {
    "python": ("{} = ", "for {}"),
    "ruby": ("{} = ",),
    "julia": ("{} = ", "for {}"),
    "r": ("{} <- ", "for ({}"),
    "javascript": ("const {} = ", "for (const {}"),
    "typescript": ("const {} = ", "for (const {}"),
    "tsx": ("const {} = ",),
    "go": ("{} := ",),
    "rust": ("let {} = ", "for {}"),
    "lua": ("local {} = ",),
    "kotlin": ("val {} = ", "for ({}"),
    "scala": ("val {} = ",),
    "swift": ("let {} = ", "for {}"),
}
_BINDING = re.compile(
    r"\bfor\s*\(?(.*?)\s(?:in|of)\b|\blambda\b(.*?):|\bas\s+(\w+)|^\s*(?:\w+\s+)*?([\w, ]+?)\s*(?::=|<-|=(?![=>]))"
)
# A name that is used: not behind a dot, and neither called (functions may stand anywhere) nor assigned.
_USED = re.compile(r"(?<![\w.])[^\W\d]\w*\b(?!\s*(?:\(|=(?!=)|:=))")
_NEAR_LINES = 12
_MAX_NAMES = 2
_KEYWORDS = frozenset(
    re.split(
        r"\s+",
        """and as assert async await break case catch class const continue def default del do elif else end enum except
    export extends false finally fn for from func function global if impl import in interface is lambda let local match
    mut new nil none nonlocal not null or pass private protected pub public raise return self static struct super switch
    then this throw true try type typeof unless until use val var void when where while with yield""",
    )
)
_STRINGS = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|`[^`\n]*`")


def misfits(candidate: Candidate, request: CompletionRequest) -> bool:
    """Whether a line is only a comment, makes what follows it dead, or takes it out of its block."""
    language = by_id(request.snapshot.language)
    text, cursor = request.snapshot.text, request.cursor
    line = (before_cursor(text, cursor) + candidate.text).split("\n")[0]
    if language.line_comment is not None and line.lstrip().startswith(language.line_comment):
        return True
    if "\n" in candidate.text:
        return False
    below = next(lines_below(text, cursor), "")
    if _JUMP.match(line) and columns(below) == columns(line) > 0 and not _BRANCH.match(below):
        return True
    return language.block_style is BlockStyle.INDENT and columns(line) < _least_columns(text, cursor, below)


def _least_columns(text: str, cursor: int, below: str) -> int:
    """The indentation that a line needs so that the one below stays in its block."""
    above, _ = line_above(text, cursor)
    if opens_block(above, BlockStyle.INDENT) and columns(below) > columns(above):
        return columns(below)
    return min(columns(above), columns(below))


def openings(request: CompletionRequest) -> list[str]:
    """What the line at the cursor may begin with (its indentation included), to define what is used below it.

    Nothing where something stands in the line already, or the language has no row.
    """
    text, cursor = request.snapshot.text, request.cursor
    typed = before_cursor(text, cursor)
    below = next(lines_below(text, cursor), "")
    bindings = _BINDINGS.get(request.snapshot.language, ())
    indentation = below[: len(below) - len(below.lstrip())]
    if typed.strip() or not bindings or not indentation.startswith(typed):
        return []
    names = list(islice(missing_names(request), _MAX_NAMES))
    targets = names[:1] + ([", ".join(names)] if len(names) > 1 else [])
    lead = indentation[len(typed) :]
    assignments = [lead + bindings[0].format(target) for target in targets]
    return [*assignments[:1], *(lead + other.format(names[0]) for other in bindings[1:] if names), *assignments[1:]]


def missing_names(request: CompletionRequest) -> Iterator[str]:
    """Names that the lines below use, up to where their block ends, and that stand nowhere above; in order."""
    text, cursor = request.snapshot.text, request.cursor
    level: int | None = None
    known = set(identifiers(text[:cursor])) | builtins_of(request.snapshot.language) | _KEYWORDS
    for line in islice(lines_below(text, cursor), _NEAR_LINES):
        level = columns(line) if level is None else level
        if columns(line) < level:
            return
        code = _STRINGS.sub("''", line)
        bound = set(_bound(code))
        for match in _USED.finditer(code):
            name = match.group()
            if name not in known and name not in bound:
                known.add(name)
                yield name
        known |= bound


def _bound(line: str) -> Iterator[str]:
    """Names that a line itself binds: assigned, looped over, declared, a parameter of a lambda."""
    for match in _BINDING.finditer(line):
        for group in match.groups():
            yield from identifiers(group or "")
