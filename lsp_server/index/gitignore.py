"""One ignore file's patterns, as git matches them (its `dir.c` and `wildmatch.c`): byte by byte, the last match wins.

The patterns that are plain names are looked up; the others are one regular expression, whose first alternative is the
file's last pattern.

Rules: pure; no pattern is an error, one that makes no sense matches nothing. No pattern takes more than polynomial time
of low degree: what follows a star is looked for once, as far to the left as it can be.
"""

import re

_BOM = b"\xef\xbb\xbf"
_SPECIAL = b"*?[\\"
# Of POSIX's classes in brackets, for bytes.
_CLASSES = {
    b"alnum": rb"0-9A-Za-z",
    b"alpha": rb"A-Za-z",
    b"blank": rb" \t",
    b"cntrl": rb"\x00-\x1f\x7f",
    b"digit": rb"0-9",
    b"graph": rb"\x21-\x7e",
    b"lower": rb"a-z",
    b"print": rb"\x20-\x7e",
    b"punct": rb"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
    b"space": rb"\x09-\x0d\x20",
    b"upper": rb"A-Z",
    b"xdigit": rb"0-9A-Fa-f",
}
_STARS = re.compile(rb"\*+")


class _NoSense(Exception):
    """A pattern that matches nothing."""


class _Matcher:
    """Patterns for one kind of subject; compiled when the first subject comes."""

    def __init__(self, flags: int) -> None:
        self._flags = flags
        self._plain: dict[bytes, int] = {}  # subject -> the last pattern of exactly this text
        self._others: list[tuple[int, bytes]] = []
        self._regex: re.Pattern[bytes] | None = None

    def add(self, number: int, pattern: bytes, regex: bytes | None) -> None:
        """A pattern; `regex` is None when it stands for nothing but itself."""
        if regex is None:
            self._plain[pattern] = number
        else:
            self._others.append((number, regex))

    def last(self, subject: bytes) -> int:
        """The number of the last pattern that matches; -1 when none does."""
        found = self._plain.get(subject, -1)
        if not self._others:
            return found
        if self._regex is None:
            self._others.reverse()  # the first alternative that matches is the one that counts
            self._regex = re.compile(b"|".join(b"(" + regex + b")" for _, regex in self._others), self._flags)
        match = self._regex.fullmatch(subject)
        if match is None:
            return found
        assert match.lastindex is not None
        return max(found, self._others[match.lastindex - 1][0])


class Patterns:
    """An ignore file. Paths are relative to its folder."""

    def __init__(self, content: bytes, *, ignore_case: bool = False) -> None:
        self._ignores_case = ignore_case
        self._is_exclusion: list[bool] = []
        flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
        # Of files and of folders, which patterns with a slash at their end are for alone.
        self._names, self._paths = ((_Matcher(flags), _Matcher(flags)) for _ in range(2))
        for line in content.removeprefix(_BOM).split(b"\n"):
            self._add(line)

    def __bool__(self) -> bool:
        return bool(self._is_exclusion)

    def verdict(self, path: bytes, *, folder: bool) -> bool | None:
        """Whether the last pattern that matches a path excludes it; None when none matches."""
        if self._ignores_case:
            path = path.lower()
        number = max(self._names[folder].last(path.rpartition(b"/")[2]), self._paths[folder].last(path))
        return None if number < 0 else self._is_exclusion[number]

    def _add(self, line: bytes) -> None:
        if not line or line.startswith(b"#"):
            return
        pattern = _without_trailing_spaces(line.removesuffix(b"\r").partition(b"\0")[0])
        is_exclusion = not pattern.startswith(b"!")
        pattern = pattern if is_exclusion else pattern[1:]
        folders_only = pattern.endswith(b"/")
        pattern = pattern[:-1] if folders_only else pattern
        matchers = self._paths if b"/" in pattern else self._names
        pattern = pattern.removeprefix(b"/")
        n_plain = next((n for n, byte in enumerate(pattern) if byte in _SPECIAL), len(pattern))
        try:
            regex = _regex(pattern, n_plain) if n_plain < len(pattern) else None
        except _NoSense:
            return
        if pattern:
            for matcher in matchers[folders_only:]:
                matcher.add(len(self._is_exclusion), pattern.lower() if self._ignores_case else pattern, regex)
            self._is_exclusion.append(is_exclusion)


def _without_trailing_spaces(line: bytes) -> bytes:
    """Spaces at the end count only behind a backslash."""
    stripped = line.rstrip(b" ")
    n_backslashes = len(stripped) - len(stripped.rstrip(b"\\"))
    return stripped + b" " if n_backslashes % 2 and stripped != line else stripped


def _regex(pattern: bytes, n_plain: int) -> bytes:
    """A regular expression; git compares the first `n_plain` bytes by themselves, so that `a**/b` begins with stars."""
    done = re.escape(pattern[:n_plain])
    folders, part, star, piece = b"", b"", b"", b""  # part: what follows folders, but for the last star and its piece
    at = n_plain
    while at < len(pattern):
        if match := _STARS.match(pattern, at):
            part += _first(star, piece)
            star, piece, at = b"", b"", match.end()
            if _spans_folders(pattern, match.start(), at, n_plain):
                done, part = done + _first(folders, part), b""
                is_whole = pattern[at : at + 1] == b"/"
                folders, at = rb"(?:.*?/)??" if is_whole else rb".*?", at + is_whole
            else:
                star = rb"[^/]*?"
        else:
            one, at = _one(pattern, at)
            piece += one
    return done + folders + part + star + piece


def _first(star: bytes, following: bytes) -> bytes:
    """The regex of stars and of what stands between them and further ones. The first place where that is found is as
    good as any, since the further ones can take what lies before another place. So no other is tried."""
    return b"(?>" + star + following + b")" if star else following


def _spans_folders(pattern: bytes, begin: int, end: int, n_plain: int) -> bool:
    """Whether stars match slashes, too: two or more, between slashes."""
    is_begin = begin == n_plain or pattern[begin - 1 : begin] == b"/"
    return end - begin > 1 and is_begin and (end == len(pattern) or pattern.startswith((b"/", b"\\/"), end))


def _one(pattern: bytes, at: int) -> tuple[bytes, int]:
    """The regex of one byte of a path, and where the pattern goes on."""
    byte = pattern[at : at + 1]
    if byte == b"?":
        return rb"[^/]", at + 1
    if byte == b"[":
        return _bracket(pattern, at + 1)
    if byte == b"\\":
        at += 1
        if at == len(pattern):
            raise _NoSense
    return re.escape(pattern[at : at + 1]), at + 1


def _bracket(pattern: bytes, at: int) -> tuple[bytes, int]:
    """A set of bytes, from behind its bracket; never a slash."""
    is_negated = pattern[at : at + 1] in (b"!", b"^")
    at += is_negated
    members, before, is_first = b"", b"", True
    while is_first or pattern[at : at + 1] != b"]":
        is_first = False
        byte = pattern[at : at + 1]
        if byte == b"-" and before and pattern[at + 1 : at + 2] not in (b"", b"]"):
            last, at = _member(pattern, at + 1)
            members += _hex(before) + b"-" + _hex(last) if before <= last else b""
            before = b""
        elif byte == b"[" and (end := _class_end(pattern, at)):
            if (name := pattern[at + 2 : end - 2]) not in _CLASSES:
                raise _NoSense
            members, before, at = members + _CLASSES[name], b"", end
        else:
            before, at = _member(pattern, at)
            members += _hex(before)
    if is_negated:
        return rb"[^/" + members + b"]", at + 1
    return (rb"(?!/)[" + members + b"]" if members else rb"(?!)"), at + 1


def _class_end(pattern: bytes, at: int) -> int:
    """Where `[:name:]` ends that begins at a bracket; 0 when it is no class. Without any end nothing matches."""
    if pattern[at + 1 : at + 2] != b":":
        return 0
    end = pattern.find(b"]", at + 2)
    if end < 0:
        raise _NoSense
    return end + 1 if end - 1 >= at + 2 and pattern[end - 1 : end] == b":" else 0


def _member(pattern: bytes, at: int) -> tuple[bytes, int]:
    at += pattern[at : at + 1] == b"\\"
    if at >= len(pattern):
        raise _NoSense
    return pattern[at : at + 1], at + 1


def _hex(byte: bytes) -> bytes:
    return rb"\x%02x" % byte[0]
