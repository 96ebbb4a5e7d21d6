"""Drops what no automatic suggestion holds: closers of nothing, the end of the file in words, runs of digits, one key.

Filters, for automatic requests alone: an invoked one may have a reason. To a grammar most of these are no errors: a
directive may stand anywhere, a word is an expression, and a number has any number of digits.

Rules: pure; by lines, so words in strings and comments may count as openers. When in doubt a closer has its opener.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from completion.candidate import Candidate
from completion.code.lines import before_cursor, columns, lines_above, lines_below
from completion.types import CompletionRequest, Trigger

_WORD = re.compile(r"(?<![\w.-])\d[\w.']*")
_DECIMAL = re.compile(r"[\d_'.]+(?:[eE]\d*)?(?:[uUlLnNfFdDmM]\w*)?")
# Of one digit, or a few, again and again: a longer run is a model that cannot stop. 2**64 has 20 digits, a quintillion
# 18 zeros; these, and what stands in the text already, are meant (`midfill eval refusals`).
_RUN = re.compile(r"(\d)\1{9,}|(\d{2,5})\2{4,}")
_MAX_DIGITS = 24
_FLOAT_CHARACTERS = 20  # 0.3333333333333333 is a third
_HEXADECIMAL = re.compile(r"0[xX]")
_MAX_HEX_DIGITS = 40

_END_OF_FILE = re.compile(r"\W*(?:<?EOF>?|EOT|EOD|END[ _]OF[ _]FILE|[Ee]nd of (?:the )?file)\W*")
_HEREDOC = re.compile(r"<<[-~<]?\s*[\"'`\\]?(\w+)")
_GOES_ON = (",", "(", "[", "{", "|", "=", "+", ":", "\\")


@dataclass(frozen=True, slots=True)
class _Pair:
    """Lines that open something, that go on with it, and that close it; in these languages, or all."""

    opens: re.Pattern[str]
    goes_on: re.Pattern[str] | None
    closes: re.Pattern[str]
    languages: frozenset[str] = frozenset()


def _pair(opens: str, goes_on: str, closes: str, languages: str = "") -> _Pair:
    return _Pair(
        opens=re.compile(opens, re.MULTILINE),
        goes_on=re.compile(goes_on, re.MULTILINE) if goes_on else None,
        closes=re.compile(closes, re.MULTILINE),
        languages=frozenset(languages.split()),
    )


_COMMAND = r"(?:^|[;&|({]|\b(?:then|else|do|if|elif|while|until|time)\b|!)[ \t]*"
# Of editors' folds: a directive, or a comment.
_FOLD = r"^[ \t]*(?:#|(?://|--|/\*|<!--|%|;)[ \t]*#?)[ \t]*(?:pragma[ \t]+)?"
_PAIRS = (
    _pair(
        r"^[ \t]*#[ \t]*if(?:n?def)?\b",
        r"^[ \t]*#[ \t]*el(?:se|if|ifn?def|seif)\b",
        r"^[ \t]*#[ \t]*endif\b",
        "c cpp objc csharp swift",
    ),
    _pair(rf"{_FOLD}region\b", "", rf"{_FOLD}end[ \t]*region\b"),
    _pair(rf"{_COMMAND}if\b", r"^[ \t]*(?:elif|else)\b", r"^[ \t]*fi\b", "bash"),
    _pair(r"(?:^|[;\s])do(?=[\s;]|$)", "", r"^[ \t]*done\b(?!\))", "bash"),
    _pair(rf"{_COMMAND}case\b", "", r"^[ \t]*esac\b", "bash"),
    _pair(r"\{[ \t]*(?:#.*)?$", "", r"^\}", "bash"),
    _pair(r"^-if(?:n?def)?\b", r"^-el(?:se|if)\b", r"^-endif\b", "erlang"),
    _pair(r"^ *if(?:n?eq|n?def)\b", r"^ *else\b", r"^ *endif\b", "make"),
    _pair(r"^[ \t]*define\b", "", r"^[ \t]*endef\b", "make"),
    *(
        _pair(rf"(?i)^[ \t]*{word}[ \t]*\(", "", rf"(?i)^[ \t]*end{word}[ \t]*\(", "cmake")
        for word in ("if", "foreach", "while", "function", "macro", "block")
    ),
    *(
        _pair(rf"\b{word}[ \t]*\(.*\)[ \t]*:", "", rf"^[ \t]*(?:<\?php[ \t]+)?end{word}\b", "php")
        for word in ("if", "for", "foreach", "while", "switch")
    ),
    _pair(r"^=(?!cut)\w+", "", r"^=cut\b", "perl"),
    _pair(r"^[ \t]*@(?:interface|implementation|protocol)\b", "", r"^[ \t]*@end\b", "objc"),
    _pair(r"<!--(?!.*-->)", "", r"^[ \t]*-->", "html vue svelte markdown"),
)
_TAGS = frozenset(("html", "vue", "svelte"))
_CLOSING_TAG = re.compile(r"^[ \t]*</([\w:-]+)")
_WORD_END = re.compile(r"^[ \t]*end\b(?![ \t]*=)", re.MULTILINE)
_WORD_OPENS = re.compile(
    r"\b(?:begin|case|class|def|do|fn|for|function|if|let|macro|module|quote|struct|try|unless|until|while)\b|\{$"
)
# To their grammars an `end` that closes nothing is a name.
_END_IS_A_NAME = frozenset(("ruby", "julia", "elixir"))


def long_numbers(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Keep no line with a number that goes on and on, unless it stands in the document, or in a snippet, already."""
    if request.trigger is not Trigger.AUTOMATIC:
        return candidate
    line = before_cursor(request.snapshot.text, request.cursor)
    for number, said in enumerate(candidate.text.split("\n")):
        whole = line + said if number == 0 else said
        begin = len(line) if number == 0 else 0
        if any(_runs_on(match, request) for match in _WORD.finditer(whole) if match.end() > begin):
            return _cut_before(candidate, number)
    return candidate


def _runs_on(match: re.Match[str], request: CompletionRequest) -> bool:
    number = match.group()
    digits = number.translate(str.maketrans("", "", "_'"))
    if _HEXADECIMAL.match(digits):
        runs_on = len(digits) > _MAX_HEX_DIGITS
    elif _DECIMAL.fullmatch(digits) is None or ("." in digits and len(digits) <= _FLOAT_CHARACTERS):
        runs_on = False  # a hash, or what a division gives
    else:
        runs_on = _RUN.search(digits) is not None or sum(map(str.isdigit, digits)) > _MAX_DIGITS
    return runs_on and not any(number in text for text in _known_texts(request))


def _known_texts(request: CompletionRequest) -> Iterator[str]:
    yield request.snapshot.text
    yield from (snippet.text for snippet in request.snippets)


def end_of_file(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Keep no line that only says that the file ends; a text in a shell's or Ruby's `<<EOF` may end so."""
    text, cursor = request.snapshot.text, request.cursor
    is_last = next(lines_below(text, cursor), None) is None
    if request.trigger is not Trigger.AUTOMATIC or not is_last:
        return candidate
    lines = candidate.text.split("\n")
    for number, line in enumerate(lines):
        if number == 0 and before_cursor(text, cursor).strip():
            continue
        above = next(
            (other for other in reversed(lines[:number]) if other.strip()), next(lines_above(text, cursor), "")
        )
        if _END_OF_FILE.fullmatch(line) and not above.rstrip().endswith(_GOES_ON):
            word = line.strip()
            if not _is_heredoc_open(word, "\n".join((text[:cursor], *lines[:number]))):
                return _cut_before(candidate, number)
    return candidate


def _is_heredoc_open(word: str, text: str) -> bool:
    """Whether a text that ends with this word has begun and not ended."""
    begun = [match.end() for match in _HEREDOC.finditer(text) if match.group(1) == word]
    return bool(begun) and re.search(rf"^\s*{re.escape(word)}\b", text[begun[-1] :], re.MULTILINE) is None


def surplus_closers(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Keep no line that closes, or goes on with, what nothing above opens, or what is closed below already."""
    if request.trigger is not Trigger.AUTOMATIC or not candidate.text.strip():
        return candidate
    language = request.snapshot.language
    typed = before_cursor(request.snapshot.text, request.cursor)
    said = typed + candidate.text
    surplus = [
        line
        for pair in _PAIRS
        if not pair.languages or language in pair.languages
        if (line := _surplus_of(pair, said, request, len(typed))) is not None
    ]
    surplus += [line for line in (_surplus_tag(said, request), _surplus_end(said, request)) if line is not None]
    return _cut_before(candidate, min(surplus)) if surplus else candidate


def _surplus_of(pair: _Pair, said: str, request: CompletionRequest, n_typed: int) -> int | None:
    """The number of the first line in what is said that has nothing to close."""
    if not (pair.closes.search(said) or (pair.goes_on and pair.goes_on.search(said))):
        return None
    text, cursor = request.snapshot.text, request.cursor
    depth = 0
    for step in _steps(pair, text[: cursor - n_typed]):
        depth = max(0, depth + step)
    below = lowest = 0
    for step in _steps(pair, text[text.find("\n", cursor) :] if "\n" in text[cursor:] else ""):
        below += step
        lowest = min(lowest, below)
    left = depth + lowest  # what nothing below closes
    for number, line in enumerate(said.split("\n")):
        left += len(pair.opens.findall(line))
        if pair.closes.search(line):
            left -= 1
            depth -= 1
            if left < 0:
                return number
        elif pair.goes_on and pair.goes_on.search(line) and depth <= 0 and left <= 0:
            return number
    return None


def _steps(pair: _Pair, text: str) -> Iterator[int]:
    """+1 for each opener and -1 for each closer of a text, in order."""
    found = [(match.start(), +1) for match in pair.opens.finditer(text)]
    found += [(match.start(), -1) for match in pair.closes.finditer(text)]
    return (step for _, step in sorted(found))


def _surplus_tag(said: str, request: CompletionRequest) -> int | None:
    """The number of the first line that begins with an end tag of an element that is not open."""
    if request.snapshot.language not in _TAGS:
        return None
    above = request.snapshot.text[: request.cursor - len(before_cursor(request.snapshot.text, request.cursor))]
    for number, line in enumerate(said.split("\n")):
        if (tag := _CLOSING_TAG.match(line)) is not None:
            name = re.escape(tag.group(1))
            n_open = len(re.findall(rf"<{name}(?![\w:-])(?![^<>]*/>)", above))
            if n_open <= len(re.findall(rf"</{name}(?![\w:-])", above)):
                return number
        above += line + "\n"
    return None


def _surplus_end(said: str, request: CompletionRequest) -> int | None:
    """The number of the first `end` in whose column nothing was opened."""
    if request.snapshot.language not in _END_IS_A_NAME or not _WORD_END.search(said):
        return None
    above = list(lines_above(request.snapshot.text, request.cursor))
    for number, line in enumerate(said.split("\n")):
        if _WORD_END.match(line) and not _has_opener(columns(line), above):
            return number
        if line.strip():
            above.insert(0, line)
    return None


def _has_opener(level: int, above: list[str]) -> bool:
    """Whether one of the lines above, the nearest first, opens what an `end` at this level closes."""
    n_ended = 0
    for line in above:
        if columns(line) < level:  # opened in the middle of a line, perhaps: `x = if a`
            return _WORD_OPENS.search(line) is not None
        if columns(line) > level:
            continue
        if _WORD_END.match(line):
            n_ended += 1
        elif _WORD_OPENS.search(line) and not re.search(r"\bend\b", line):
            if n_ended == 0:
                return True
            n_ended -= 1
    return False


def single_key(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Drop a lone character that a key types: accepting it is a key, too, so showing it only distracts."""
    is_one_key = len(candidate.text) == 1 and candidate.text.isascii()
    return Candidate("") if is_one_key and request.trigger is Trigger.AUTOMATIC else candidate


def _cut_before(candidate: Candidate, number: int) -> Candidate:
    """The lines before one."""
    return replace(candidate, text="\n".join(candidate.text.split("\n")[:number]).rstrip())
