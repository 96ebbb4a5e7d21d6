"""Code for an index of any size: real files, then copies of them with other names. Used by `retrieval`.

A copy keeps a file's lines and the borders of its chunks; identifiers get other names, the same everywhere in one copy
of the tree, so that words are as frequent as in so many real chunks, and the vocabulary as large:

    frequent   an identifier in more than 1 % of the chunks (and ten): keywords, `self`, `name`. Stays as it is
    rarest     the share of identifiers that so many more chunks would bring anew gets names that nobody has: the
               vocabulary of n chunks grows as a power of n (Heaps 1978), which half of the real files and all of them
               tell. Such a name is made of parts, as real ones are: the rarest are new too, the others known
    the rest   trades places, by copy, with another real identifier that is about as frequent (within a fifth)

Rules: seeded. Words that stand together in a copy are not those that stand together in the original: but for the
frequent ones, a chunk and its copy share as little as two chunks of the same shape by different people.
"""

import math
import random
import re
import sys
import sysconfig
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from completion.code.words import IDENTIFIER, PART, identifiers
from evals.report import EvalError
from lsp_server.index.files import FileStat, read, walk
from lsp_server.index.write import Contents, contents_of

_FREQUENT_SHARE, _FREQUENT_CHUNKS = 0.01, 10
# Bands of frequency to an octave: 19 % from one to the next.
_BANDS_PER_OCTAVE = 4
_PACKAGES = ("site-packages", "dist-packages")


@dataclass(frozen=True, slots=True)
class RealFile:
    """A file with something in it, as it is on the disk below `root` and as the index keeps it."""

    root: Path
    file: FileStat
    contents: Contents


def installed() -> list[Path]:
    """Trees of Python code that are there wherever midfill is: the standard library and the packages beside midfill."""
    packages = [Path(path) for path in sys.path if Path(path).name in _PACKAGES]
    return [Path(sysconfig.get_paths()["stdlib"]), *(path for path in packages if path.is_dir())]


def real_files(roots: Sequence[Path], n_chunks: int, seed: int) -> Iterator[RealFile]:
    """Python files of the trees, package by package in seeded order, until they have `n_chunks` chunks or end.

    EvalError when there is no such folder, or no Python in it.
    """
    packages: dict[tuple[Path, str], list[FileStat]] = defaultdict(list)
    for root in roots:
        if not root.is_dir():
            raise EvalError(f"there is no folder {root}")
        for file in walk(root):
            if file.language == "python":
                packages[root, file.path.split("/", 1)[0]].append(file)
    if not packages:
        raise EvalError(f"there is no Python below {', '.join(map(str, roots))}")
    order = sorted(packages)
    random.Random(seed).shuffle(order)
    n_left = n_chunks
    for root, package in order:
        for file in packages[root, package]:
            if n_left <= 0:
                return
            if text := read(root, file):
                contents = contents_of(file, text)
                n_left -= len(contents.chunks)
                if contents.chunks:
                    yield RealFile(root, file, contents)


class Vocabulary:
    """The words of real chunks by how many have them, and how their number grows."""

    def __init__(self, chunks: Sequence[set[str]], seed: int) -> None:
        n_in = Counter(word for found in chunks for word in found)
        n_in_half = len(set().union(*chunks[: (len(chunks) + 1) // 2]))
        self.exponent = math.log2(len(n_in) / n_in_half) if n_in_half else 0.0
        bands: dict[int, list[str]] = defaultdict(list)
        for word in sorted(n_in):
            bands[int(_BANDS_PER_OCTAVE * math.log2(n_in[word]))].append(word)
        shuffle = random.Random(seed)
        self._place: dict[str, tuple[list[str], int, int]] = {}  # word -> its band, place in the band, and among all
        for number in sorted(bands, reverse=True):
            shuffle.shuffle(bands[number])
            for place, word in enumerate(bands[number]):
                self._place[word] = bands[number], place, len(self._place)
        at_least = max(_FREQUENT_CHUNKS, _FREQUENT_SHARE * len(chunks))
        self._frequent = {word for word, n in n_in.items() if n > at_least}

    def __contains__(self, word: str) -> bool:
        return word in self._place

    def renamed(self, word: str, copy: int) -> str | None:
        """What a word is called in a copy (1, 2, ...); None when it gets a name that nobody has."""
        if word in self._frequent or word not in self._place:
            return word
        band, place, rank = self._place[word]
        new_share = (copy + 1) ** self.exponent - copy**self.exponent
        if rank >= (1 - new_share) * len(self._place):
            return None
        return band[(place + copy) % len(band)]


class Names:
    """What identifiers are called in the copies of a tree."""

    def __init__(self, files: Sequence[RealFile], seed: int) -> None:
        chunks = [set(identifiers(chunk.text)) for file in files for chunk, _ in file.contents.chunks]
        parts = {word: _parts(word) for found in chunks for word in found}
        self._whole = Vocabulary(chunks, seed)
        self._parts = Vocabulary([{part for word in found for part in parts[word]} for found in chunks], seed)

    def copy(self, number: int) -> "Copy":
        """The names of one copy: 1, 2, ..."""
        return Copy(self._whole, self._parts, number)


class Copy:
    """One copy's names; remembers them."""

    def __init__(self, whole: Vocabulary, parts: Vocabulary, number: int) -> None:
        self._whole, self._parts, self._number = whole, parts, number
        self._ending = _letters(number)
        self._known: dict[str, str] = {}

    def text(self, text: str) -> str:
        """A text with all its identifiers renamed."""
        return IDENTIFIER.sub(self._name, text)

    def contents(self, contents: Contents) -> Contents:
        """A file's contents with all identifiers renamed."""
        return Contents(
            tuple(
                replace(
                    symbol,
                    name=self.text(symbol.name),
                    signature=self.text(symbol.signature),
                    bases=tuple(map(self.text, symbol.bases)),
                )
                for symbol in contents.symbols
            ),
            tuple(
                replace(entry, path=self.text(entry.path), name=self.text(entry.name), alias=self.text(entry.alias))
                for entry in contents.imports
            ),
            tuple(
                (replace(chunk, text=self.text(chunk.text)), [self.text(call) for call in calls])
                for chunk, calls in contents.chunks
            ),
        )

    def _name(self, match: re.Match[str]) -> str:
        word = match.group()
        if (known := self._known.get(word)) is None:
            known = self._known[word] = self._whole.renamed(word, self._number) or self._new(word)
        return known

    def _new(self, word: str) -> str:
        made = PART.sub(self._part, word)
        return f"{made}_{self._ending}" if made in self._whole else made

    def _part(self, match: re.Match[str]) -> str:
        part = match.group()
        if part.isdigit():
            return part
        lower = part.lower()
        known = self._parts.renamed(lower, self._number) or f"{lower}{self._ending}"
        if part.islower():
            return known
        return known.upper() if part.isupper() else known.capitalize()


def _parts(identifier: str) -> list[str]:
    return [part.lower() for part in PART.findall(identifier) if not part.isdigit()]


def _letters(number: int) -> str:
    """A syllable of its own for each number."""
    letters = ""
    while number:
        number, digit = divmod(number, 26)
        letters = chr(ord("a") + digit) + letters
    return f"z{letters}"
