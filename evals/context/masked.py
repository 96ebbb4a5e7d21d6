"""Masked code: a place in a real file whose true text is known and taken away. Used by `repo`.

Rules: what is masked begins behind its line's indentation, where the cursor stands, and ends with a line; of a long
body only the first lines are asked for. Offsets are code points, lines of `NeededLine` count from 1.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from completion.types import CompletionRequest, Mode, Snippet
from evals.context.needs import NeededLine, Target
from evals.context.resolve import needed_bodies, needed_lines
from evals.report import EvalError
from evals.scoring.documents import Document
from evals.sources import SourceFile
from evals.suites.lines import masked_lines
from parsers.outline import Outline, Symbol, outline
from parsers.parse import parse

# Of a definition that a line needs, the lines that an oracle shows.
_ORACLE_LINES = 60
# Of a body, the text that is asked for: whole lines up to about 64 tokens.
_BODY_CHARACTERS = 240


@dataclass(frozen=True, slots=True)
class Masked:
    """A file without `truth` at `cursor`, and the definitions of other files that it uses."""

    path: str
    number: int
    text: str
    cursor: int
    truth: str  # without white space at its ends
    needs: tuple[Target, ...]
    mode: Mode

    @property
    def n_lines(self) -> int:
        """Lines that are asked for."""
        return self.truth.count("\n") + 1

    def request(self, repo: str, snippets: Sequence[Snippet] = ()) -> CompletionRequest:
        """What an editor would ask there."""
        document = Document(path=self.path, repo=repo, text=self.text, cursor=self.cursor, mode=self.mode)
        return document.request(snippets)


def masked(root: Path, split: str, language: str, files: Sequence[SourceFile], limit: int, seed: int) -> list[Masked]:
    """A seeded sample of a split: "lines" or "bodies" that use other files, or "any" line.

    EvalError when there is none.
    """
    if split == "any":
        lines = masked_lines(root, limit, seed, language)
        found = [(line.file, NeededLine(line.file.path, line.number, ())) for line in lines]
    else:
        by_path = {file.path: file for file in files}
        needed = (needed_lines if split == "lines" else needed_bodies)(root, language, files, limit, seed)
        found = [(by_path[line.path], line) for line in needed]
    if not found:
        raise EvalError(f"no {split} of {language} below {root} can be scored")
    return [_mask(file, line, Mode.BLOCK if split == "bodies" else Mode.LINE) for file, line in found]


def _mask(file: SourceFile, line: NeededLine, mode: Mode) -> Masked:
    lines = file.text.split("\n")
    first, last = line.number - 1, line.number + line.n_lines - 2
    start = sum(len(text) + 1 for text in lines[:first])
    indent = len(lines[first]) - len(lines[first].lstrip())
    code = "\n".join(lines[first : last + 1])[indent:].rstrip()
    before, after = file.text[: start + indent], "\n".join(lines[last + 1 :])
    return Masked(
        path=file.path,
        number=line.number,
        text=f"{before}\n{after}",
        cursor=len(before),
        truth=_first_lines(code) if mode is Mode.BLOCK else code,
        needs=line.needs,
        mode=mode,
    )


def _first_lines(code: str) -> str:
    """The beginning of a body, in whole lines."""
    lines = code.split("\n")
    n = 1
    while n < len(lines) and sum(len(line) for line in lines[: n + 1]) <= _BODY_CHARACTERS:
        n += 1
    return "\n".join(lines[:n]).rstrip()


class Oracle:
    """Shows exactly the definitions that are needed: what no retriever can know, and all that it should find."""

    def __init__(self, files: Mapping[str, SourceFile]) -> None:
        self._files = files
        self._outlines: dict[str, Outline] = {}

    def snippets(self, needs: Sequence[Target]) -> list[Snippet]:
        """A snippet for each needed definition: its first lines, under the header of the class that it is in."""
        found = [Snippet(path=need.path, text="".join(self._shown(need))) for need in needs]
        return list(dict.fromkeys(found))

    def _shown(self, need: Target) -> Iterator[str]:
        file = self._files[need.path]
        lines = file.text.split("\n")
        symbol, parent = self._symbol(file, need.line - 1)
        if parent is not None:
            yield f"{lines[parent.line]}\n"
        first, last = (symbol.first_line, symbol.last_line) if symbol is not None else (need.line - 1, need.line - 1)
        for line in lines[first : min(last + 1, first + _ORACLE_LINES)]:
            yield f"{line}\n"

    def _symbol(self, file: SourceFile, line: int) -> tuple[Symbol | None, Symbol | None]:
        """The symbol whose name stands in a line, else the innermost around it; and what encloses it."""
        if file.path not in self._outlines:
            self._outlines[file.path] = outline(parse(file.language, file.text))
        symbols = self._outlines[file.path].symbols
        named = [symbol for symbol in symbols if symbol.line == line]
        around = [symbol for symbol in symbols if symbol.first_line <= line <= symbol.last_line]
        symbol = next(iter(named or around[-1:]), None)
        parent = symbols[symbol.parent] if symbol is not None and symbol.parent is not None else None
        return symbol, parent
