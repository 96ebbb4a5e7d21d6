"""What `bench index` types and saves: lines of a tree's own file typed again, and a file of many lines made of others.

Rules: pure and seeded. Playing a script on its `before` gives the file back.
"""

import itertools
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evals.replay.keystrokes import Action, Kind
from evals.report import EvalError
from evals.sources import SourceFile

# How a file is saved with a function more, by language; {0} is its name.
SAVED = {
    "python": "\n\ndef {0}():\n    pass\n",
    "typescript": "\nfunction {0}() {{}}\n",
    "tsx": "\nfunction {0}() {{}}\n",
    "javascript": "\nfunction {0}() {{}}\n",
    "go": "\nfunc {0}() {{}}\n",
    "rust": "\nfn {0}() {{}}\n",
    "c": "\nvoid {0}(void) {{}}\n",
    "cpp": "\nvoid {0}() {{}}\n",
    "ruby": "\ndef {0}\nend\n",
}
# A file of such a length is typed into, if there is one.
_LINES = range(200, 1_000)
# Of the lines below the place where typing begins, every so manieth is typed; shorter ones are not.
_EVERY, _MIN_CHARS = 3, 8


@dataclass(frozen=True, slots=True)
class Script:
    """Keys typed into a file; at the beginning the lines they make are blank."""

    path: str
    before: str
    actions: tuple[Action, ...]


def chosen_file(files: Sequence[SourceFile], draw: random.Random) -> SourceFile:
    """A file of the tree's main language and usual length; EvalError when the tree has none at all."""
    if not files:
        raise EvalError("the tree has no source files")
    language = Counter(file.language for file in files).most_common(1)[0][0]
    own = [file for file in files if file.language == language]
    usual = [file for file in own if file.text.count("\n") in _LINES]
    return draw.choice(usual) if usual else max(own, key=lambda file: len(file.text))


def long_text(files: Sequence[SourceFile], like: SourceFile, n_lines: int) -> tuple[str, str]:
    """(path, text) of a file of so many lines: files of one language, one after the other, again where they are few."""
    ending = like.path.rpartition(".")[2]
    lines = [line for file in files if file.language == like.language for line in file.text.splitlines()]
    text = "".join(f"{line}\n" for line in itertools.islice(itertools.cycle(lines), n_lines))
    return f"long_file.{ending}", text


def script_of(path: str, text: str, n_keys: int, draw: random.Random) -> Script:
    """Type lines below a random one of a file again, key by key, so many in all; fewer when the file has no more."""
    lines = text.splitlines(keepends=True)
    begin = draw.randrange(max(1, len(lines) // 2))
    chosen: set[int] = set()
    actions: list[Action] = []
    for number, start in _worth_typing(lines, begin):
        if len(actions) >= n_keys:
            break
        content = lines[number].strip()
        at = start + len(lines[number]) - len(lines[number].lstrip())
        # Lines are typed from the top: those above are whole again, and the offset is that of the whole text.
        keys = [Action(Kind.KEY, path, at + n, "", key, 0.0) for n, key in enumerate(content)]
        chosen.add(number)
        actions += keys
    if not actions:
        raise EvalError(f"{path} has no lines to type")
    before = "".join(_blank(line) if number in chosen else line for number, line in enumerate(lines))
    return Script(path, before, tuple(actions[:n_keys]))


def _worth_typing(lines: Sequence[str], begin: int) -> Iterator[tuple[int, int]]:
    """(number, offset) of lines from `begin` on."""
    starts = itertools.accumulate((len(line) for line in lines), initial=0)
    for number, start in enumerate(starts):
        if number >= begin and number < len(lines) and (number - begin) % _EVERY == 0:
            content = lines[number].strip()
            if len(content) >= _MIN_CHARS:
                yield number, start


def _blank(line: str) -> str:
    """A line with its indentation and end alone."""
    indentation = line[: len(line) - len(line.lstrip())]
    return indentation + line[len(line.rstrip()) :]
