"""What the text around a line says of it: what cannot stand there, and what the lines below need. Called by `ranking`.

A left-to-right prompt does not know the text below, and a small model often ignores it. Two things can be told without
any model: that a line there makes what follows dead, or takes it out of its block; and that the lines below use a name
which nothing above defines, so that the line missing here is likely to define it. A third holds for invoked requests in
finished code: that with the line the code is not finished.

Rules: pure; by lines and names, not by syntax: half-typed code has little of it. Nothing is dropped here, only ranked.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate, islice

from completion.candidate import Candidate
from completion.code.builtins import builtins_of
from completion.code.lines import (
    before_cursor,
    columns,
    header_above,
    indentation,
    line_above,
    lines_above,
    lines_below,
    opens_block,
)
from completion.code.words import identifiers
from completion.switches import Switch
from completion.types import CompletionRequest, Trigger
from parsers.keywords import keywords_of
from parsers.languages import BlockStyle, by_id
from parsers.parse import SyntaxTree, question

_JUMP = re.compile(r"\s*(?:return|raise|throw|break|continue|goto)\b")
# What may stand at the level of a jump and is not dead: another branch, or a label; and the `break` that ends a case.
_BRANCH = re.compile(r"\s*(?:else|elif|elsif|elseif|except|catch|finally|rescue|ensure|case|default|when|end|\}|\)|\])")
_BREAK = re.compile(r"\s*break\b")
_DEFINES = re.compile(r"(?:[\w<>\[\], ]+ )?(?:def|class|func|fn|function|fun|sub)\s")
# How a name is bound, by language; "{}" is the name. No blank at the end: it belongs to the token that comes next.
_BINDINGS = {
    "python": ("{} =", "for {} in"),
    "ruby": ("{} =",),
    "julia": ("{} =", "for {} in"),
    "r": ("{} <-", "for ({} in"),
    "javascript": ("const {} =", "for (const {} of"),
    "typescript": ("const {} =", "for (const {} of"),
    "tsx": ("const {} =",),
    "go": ("{} :=",),
    "rust": ("let {} =", "for {} in"),
    "lua": ("local {} =",),
    "kotlin": ("val {} =", "for ({} in"),
    "scala": ("val {} =",),
    "swift": ("let {} =", "for {} in"),
}
_LOCAL = re.compile(r"\bfor\s*\(?(.*?)\s(?:in|of)\b|\blambda\b(.*?):|\bas\s+(\w+)")
_ASSIGNS = re.compile(r"\s*(?:\w+\s+)*?([\w, ]+?)\s*(?::=|<-|=(?![=>]))")
# A name that is used: not behind a dot, and neither called (functions may stand anywhere) nor assigned.
_USED = re.compile(r"(?<![\w.])[^\W\d]\w*\b(?!\s*(?:\(|=(?!=)|:=))")
_USED_OR_CALLED = re.compile(r"(?<![\w.])[^\W\d]\w*\b(?!\s*(?:=(?!=)|:=))")
_NEAR_LINES, _FUNCTION_CHARACTERS = 12, 20_000
_MAX_NAMES = 2
# A name that is bound alone, or several: an attribute or an item is something that others may read.
_ASSIGNED = re.compile(r"\s*\w+(?:\s*,\s*\w+)*\s*(?::[^=]*)?=(?!=)")
_RETURNING = frozenset(
    ("python", "javascript", "typescript", "tsx", "go", "lua", "java", "csharp", "c", "cpp", "php", "dart")
)
_DOCSTRINGS = re.compile(r"\"\"\".*?(?:\"\"\"|\Z)|'''.*?(?:'''|\Z)|/\*.*?(?:\*/|\Z)", re.DOTALL)
_STRINGS = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|`[^`\n]*`")


def fits(candidate: Candidate, request: CompletionRequest) -> bool:
    """Whether a line can well stand there; of an invoked request, whether it needs nothing more, too."""
    if Switch.FITS in request.without:
        return True
    return not misfits(candidate, request) and not is_unfinished(candidate, request)


def misfits(candidate: Candidate, request: CompletionRequest) -> bool:
    """Whether a line is only a comment, makes what follows it dead, or takes it out of its block or too deep."""
    language = by_id(request.snapshot.language)
    text, cursor = request.snapshot.text, request.cursor
    line = (before_cursor(text, cursor) + candidate.text).split("\n")[0]
    if language.line_comment is not None and line.lstrip().startswith(language.line_comment):
        return True
    if "\n" in candidate.text:
        return False
    below = next(lines_below(text, cursor), "")
    is_dead = not is_branch(below) and not _BREAK.match(below)
    if _JUMP.match(line) and columns(below) == columns(line) > 0 and is_dead:
        return True
    if _says_header_again(line, text[:cursor]):
        return True
    if language.block_style is not BlockStyle.INDENT:
        return False
    header, _ = header_above(text, cursor, request.snapshot.language)
    if header.lstrip().startswith(("def ", "async def ")) and columns(line) <= columns(header):
        return True  # nothing but a docstring stands in the function's body
    if opens_block(line, BlockStyle.INDENT) and columns(line):  # the lines below may be its own
        return False
    if n_open(line) > 0 or is_in_brackets(text, cursor):  # indentation says nothing within brackets
        return False
    if language.id == "python" and columns(below) > columns(line) and not _is_continued(line, below):
        return True  # what is below would be indented for no reason
    return columns(line) < _least_columns(text, cursor, below)


def is_unfinished(candidate: Candidate, request: CompletionRequest) -> bool:
    """Whether an invoked request's line leaves the code unfinished: it begins a block that has no body below, or is the
    last of a function and assigns what nothing reads. An automatic line is never unfinished: the user goes on.
    """
    if request.trigger is not Trigger.INVOKED:
        return False
    language = by_id(request.snapshot.language)
    text, cursor = request.snapshot.text, request.cursor
    line, *more = (before_cursor(text, cursor) + candidate.text).split("\n")
    if more:
        return False
    below = next(lines_below(text, cursor), "")
    if opens_block(line, language.block_style):
        return columns(below) <= columns(line)
    is_last = language.id == "python" and columns(below) < columns(line) and n_open(line) == 0
    return is_last and _ASSIGNED.match(line) is not None and _is_in_body(columns(line), request)


def _is_in_body(level: int, request: CompletionRequest) -> bool:
    """Whether a line of this level belongs to a function, and to no block in it."""
    outer = next((line for line in code_above(request) if columns(line) < level), "")
    return _DEFINES.match(outer.strip()) is not None and not outer.lstrip().startswith("class")


def _is_continued(line: str, below: str) -> bool:
    """Whether a line may go on in the one below, or that is not code."""
    return line.rstrip().endswith("\\") or below.lstrip().startswith("#")


def _says_header_again(line: str, above: str) -> bool:
    """Whether a line is the header of a definition that stands above: models begin the function anew."""
    said = line.strip()
    return _DEFINES.match(said) is not None and any(said == other.strip() for other in above.split("\n"))


def _least_columns(text: str, cursor: int, below: str) -> int:
    """The indentation that a line needs so that the one below stays in its block."""
    above, _ = line_above(text, cursor)
    if opens_block(above, BlockStyle.INDENT) and columns(below) > columns(above):
        return columns(below)
    return min(columns(_statement_above(text, cursor)), columns(below))


def is_branch(line: str) -> bool:
    """Whether a line goes on with what stands above it: another branch, or a label; or ends a block."""
    return _BRANCH.match(line) is not None


def n_open(line: str) -> int:
    """How many brackets more a line opens than it closes."""
    code = _STRINGS.sub("''", line)
    return sum(map(code.count, "([{")) - sum(map(code.count, ")]}"))


def is_in_brackets(text: str, cursor: int) -> bool:
    """Whether one of the lines close above opens a bracket that is not closed by the cursor."""
    return any(balance > 0 for balance in accumulate(n_open(line) for line in islice(lines_above(text, cursor), 12)))


def _statement_above(text: str, cursor: int) -> str:
    """The first line of the statement that ends above: where that closes brackets, the line that opened them."""
    balance = 0
    for line in islice(lines_above(text, cursor), 40):
        balance += n_open(line)
        if balance >= 0:
            return line
    return line_above(text, cursor)[0]


def openings(request: CompletionRequest, found: Sequence[Candidate]) -> list[str]:
    """What the line at the cursor may begin with, its indentation included, beside the candidates that were found.

    It may define what is used below it; and if nothing that was found fits, begin the block that is below, or return
    at the end of a function. Nothing where something stands in the line already, or the language has no row.
    """
    if Switch.OPENINGS in request.without:
        return []
    needed = _defining(request)
    if needed or any(fits(each, request) for each in found):
        return needed
    return _heading(request, found) or _returning(request)


def _heading(request: CompletionRequest, found: Sequence[Candidate]) -> list[str]:
    text, cursor = request.snapshot.text, request.cursor
    typed, below = before_cursor(text, cursor), columns(next(lines_below(text, cursor), ""))
    if request.snapshot.language != "python":
        return []
    lines = [(typed + candidate.text).split("\n")[0] for candidate in found if candidate.text.strip()]
    return _begun(typed, [line for line in lines if columns(line) < below], ("if", "for"))


def ending(request: CompletionRequest) -> list[str]:
    """What the line begins with that ends a function, below which nothing of it stands; [] elsewhere."""
    return _returns(request, blocks_around(request)[-1:])


def _returning(request: CompletionRequest) -> list[str]:
    blocks = blocks_around(request)
    # Behind the function's blocks more often than in the last one.
    return _returns(request, [*blocks[-1:], *blocks[:1]])


def _returns(request: CompletionRequest, blocks: Sequence[str]) -> list[str]:
    """A return beside a line of each of these blocks that ends here."""
    text, cursor = request.snapshot.text, request.cursor
    typed, below = before_cursor(text, cursor), columns(next(lines_below(text, cursor), ""))
    if request.snapshot.language not in _RETURNING:
        return []
    return _begun(typed, [line for line in blocks if columns(line) > below], ("return",))


def _begun(typed: str, beside: Sequence[str], words: Sequence[str]) -> list[str]:
    """Each word at the level of each of these lines, behind the blanks that are typed; nothing behind anything else."""
    if typed.strip():
        return []
    levels = dict.fromkeys(map(indentation, beside))
    return [level[len(typed) :] + word for level in levels if level.startswith(typed) for word in words]


def blocks_around(request: CompletionRequest) -> list[str]:
    """A line of each block that the next one may go on with, the inner ones first: of the function's, last."""
    found: list[str] = []
    for line in code_above(request):
        if _DEFINES.match(line.strip()):
            break
        if not found or columns(line) < columns(found[-1]):
            found.append(line)
    # Nothing stands behind a jump: its block has ended.
    return found[1:] if len(found) > 1 and _JUMP.match(found[0]) else found


def code_above(request: CompletionRequest) -> list[str]:
    """The lines of code close above the cursor's, the nearest first: docstrings are indented as they like."""
    text, cursor = request.snapshot.text, request.cursor
    code = _code(text[max(0, cursor - _FUNCTION_CHARACTERS) : cursor], request.snapshot.language)
    return [line for line in reversed(code.split("\n")[:-1]) if line.strip()]


def _defining(request: CompletionRequest) -> list[str]:
    text, cursor = request.snapshot.text, request.cursor
    typed = before_cursor(text, cursor)
    below = next(lines_below(text, cursor), "")
    bindings = _BINDINGS.get(request.snapshot.language, ())
    above, _ = line_above(text, cursor)
    is_header = columns(below) > columns(above) and not opens_block(above, by_id(request.snapshot.language).block_style)
    beside = above if is_header else below
    if typed.strip() or not bindings:
        return []
    names = list(islice(missing_names(request), _MAX_NAMES))
    # Two names that are missing are often bound together.
    targets = [", ".join(names[:n]) for n in range(len(names), 0, -1)]
    return _begun(typed, [beside], [binding.format(target) for binding in bindings for target in targets])


def missing_names(request: CompletionRequest, *, called: bool = False) -> list[str]:
    """Names that the lines below use, up to where their block ends, and that stand nowhere above; in order.

    Those that are only called count where `called` says so and the file defines them nowhere. It reads all above the
    cursor, 10 to 20 ms of a file of 10,000 lines: not for the event loop.
    """
    return _missing(request.snapshot.tree, request.cursor, called)


@question
def _missing(tree: SyntaxTree, cursor: int, called: bool) -> list[str]:
    """The same where the tree is: another process has no event loop to hold up."""
    keywords = keywords_of(tree.language) if tree.is_parsed else frozenset()  # plain text's grammar is left alone
    return list(_missing_in(tree.source.decode("utf-8"), cursor, tree.language, keywords, called))


def _missing_in(text: str, cursor: int, language: str, keywords: frozenset[str], called: bool) -> Iterator[str]:
    level = _least_columns(text, cursor, next(lines_below(text, cursor), ""))
    known = set(identifiers(_code(text[:cursor], language))) | builtins_of(language) | keywords
    for line in islice(lines_below(text, cursor), _NEAR_LINES):
        if columns(line) < level:
            return
        code = _STRINGS.sub("''", line)
        bound = set(_bound(code))
        for match in (_USED_OR_CALLED if called else _USED).finditer(code):
            name = match.group()
            if name not in known and name not in bound and not (called and _is_defined(name, text)):
                known.add(name)
                yield name
        known |= bound


def n_bound(candidate: Candidate, request: CompletionRequest, names: Collection[str]) -> int:
    """How many of these names the line, accepted, binds: assigns, loops over, defines, or has as parameters of what is
    below."""
    text, cursor = request.snapshot.text, request.cursor
    line = (before_cursor(text, cursor) + candidate.text).split("\n")[0]
    if (defined := _DEFINES.match(line.strip())) is None:
        return len(set(_bound(line)).intersection(names))
    is_header = columns(next(lines_below(text, cursor), "")) > columns(line)
    bound = islice(identifiers(line.strip()[defined.end() :]), None if is_header else 1)
    return len(set(bound).intersection(names))


def _is_defined(name: str, text: str) -> bool:
    return re.search(rf"\b(?:def|class|func|fn|function|fun|sub)\s+{name}\b", text) is not None


def _code(text: str, language: str) -> str:
    """A text without docstrings, strings and comments, roughly."""
    marker = by_id(language).line_comment
    bare = _STRINGS.sub("''", _DOCSTRINGS.sub("''", text))
    return "\n".join(line.partition(marker)[0] for line in bare.split("\n")) if marker else bare


def _bound(line: str) -> Iterator[str]:
    """Names that a line itself binds: looped over, a lambda's parameters, and assigned unless it reads them, too."""
    for match in _LOCAL.finditer(line):
        for group in match.groups():
            yield from identifiers(group or "")
    if assigned := _ASSIGNS.match(line):
        read = set(identifiers(line[assigned.end() :]))
        yield from (name for name in identifiers(assigned[1]) if name not in read)
