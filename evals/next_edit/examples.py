"""Training examples for next edits, of the commits of the repositories that weights are trained on.

    python -m evals.next_edit.examples --mirror DIR --out FILE [--per N] [--model MODEL]

A situation is made of a commit as `commits` makes those that next edits are scored on. The model is then asked as
layer two asks it: about the lines that the commit changed, about a line that is half typed, and about the place of the
last edit. It should write each region as the commit left it, and as it is where nothing follows; copies at the end are
cut off, since they teach nothing more.
The file is one of `tuning.data.example_file`: what trains on completions trains on these, or on both.

Rules: only repositories of `tuning/sources.toml`, none of which is scored on; those that are held out there are left
out. Every prompt is the product's own. What a benchmark has is left out. Seeded.
"""

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from completion.code.lines import same_ends
from completion.code.words import words
from completion.next_edit.edits import LineEdit, is_of_blanks
from completion.next_edit.places import Region
from completion.next_edit.rewriting import form_of, prompt_for, text_of
from completion.prompt.segments import SegmentCache
from completion.types import PromptSpec, Tokenizer
from evals.next_edit.asking import scene_of
from evals.next_edit.commits import situations
from evals.next_edit.situations import Situation
from evals.replay.histories import Named
from evals.report import EvalError
from lsp_server.local import store_of
from model.library.catalog import DEFAULT_MODEL, resolve
from model.library.store import present_spec
from model.library.vocabulary import open_tokenizer
from tuning.data import example_file
from tuning.data.clean import Benchmarks
from tuning.data.examples import Example, target_ids
from tuning.data.sources import Source, sources

# Of the regions in which nothing follows, so many are kept for one in which something does.
_QUIET_SHARE = 0.35
# A change whose words stand nowhere in what is shown cannot be told: so many of them are kept.
_GUESSED_SHARE = 0.2
# Lines of a region before and behind what changes in it, at most; lines of a region in all.
_MOST_BEFORE, _MOST_BEHIND, _MOST_LINES = 5, 6, 16
_MAX_TOKENS = 420
# Characters of a line that is half typed: new ones in all, and left to type.
_LEAST_TYPED, _MOST_TO_TYPE = 4, 60
_SEED = 20_261_129


@dataclass(slots=True)
class Maker:
    """Makes examples for one model."""

    spec: PromptSpec
    tokenizer: Tokenizer
    segments: SegmentCache
    draw: random.Random

    def examples(self, situation: Situation) -> Iterator[Example]:
        """What a situation shows: each change that came, a line that is half typed, and a place where nothing comes."""
        for edit in situation.wanted:
            yield from self._asked(nearest_last(situation, edit), self._around(situation, edit))
        if (typed := self._half_typed(situation)) is not None:
            yield from self._asked(typed, self._around(typed, typed.wanted[-1]))
        for edit in situation.edits[-1:]:
            yield from self._asked(situation, self._around(situation, replace(edit, old=edit.new, new=())))

    def _asked(self, situation: Situation, region: Region) -> Iterator[Example]:
        if (new := rewritten(situation, region)) is None:
            return
        old = situation.lines[region.first : region.end]
        if tuple(new) != old and not self._is_told(situation, old, new):
            return
        if (example := self._example(situation, region, new)) is not None:
            yield example

    def _is_told(self, situation: Situation, old: Sequence[str], new: Sequence[str]) -> bool:
        """Whether the words that come stand in what is shown, and something is more than white space."""
        if is_of_blanks(old, new):
            return False
        shown = [*old, *(line for edit in situation.edits for line in (*edit.old, *edit.new))]
        known = {word for line in shown for word in words(line)}
        came = {word for line in new for word in words(line)} - known
        return not came or self.draw.random() < _GUESSED_SHARE

    def _half_typed(self, situation: Situation) -> Situation | None:
        """One of the edits as if it were being typed: its line ends in the middle, and the rest should come."""
        fit = [each for each in situation.edits if len(each.new) == 1 and len(each.old) <= 1 and each.new[0].strip()]
        if not fit:
            return None
        edit = self.draw.choice(fit)
        if (half := self._half(edit)) is None:
            return None
        begun = replace(edit, new=half)
        others = tuple(each for each in situation.edits if each is not edit)
        lines = (*situation.lines[: edit.line], *half, *situation.lines[edit.line + 1 :])
        rest = LineEdit(edit.path, edit.line, half, edit.new)
        return replace(
            situation, lines=lines, edits=(*others, begun), wanted=(*situation.wanted, rest), cursor=edit.line
        )

    def _half(self, edit: LineEdit) -> tuple[str] | None:
        """The new line of an edit, cut off somewhere; None where too little or too much of it would be left to type."""
        (line,) = edit.new
        begin = len(line) - len(line.lstrip())
        if edit.old:  # what both have in common is no typing
            same = next((n for n, (a, b) in enumerate(zip(line, edit.old[0], strict=False)) if a != b), begin)
            begin = max(begin, same)
        if len(line) - begin < _LEAST_TYPED:
            return None
        half = line[: self.draw.randrange(begin + 1, len(line) - 1)].rstrip()
        return None if (half,) == edit.old or len(line) - len(half) > _MOST_TO_TYPE else (half,)

    def _around(self, situation: Situation, edit: LineEdit) -> Region:
        """Lines around a change, drawn: where in its region something changes must not be told by the place."""
        end = edit.line + len(edit.old)
        first = max(0, edit.line - self.draw.randint(0, _MOST_BEFORE))
        last = min(len(situation.lines), end + self.draw.randint(1, _MOST_BEHIND))
        return Region(first, max(last, end), 0.0)

    def _example(self, situation: Situation, region: Region, new: Sequence[str]) -> Example | None:
        question = scene_of(situation).question(region)
        if len(question.old) > _MOST_LINES:
            return None
        form = form_of(self.spec)
        assert form is not None, "the caller has looked"
        prompt = prompt_for(question, self.spec, self.segments, form)
        kept = n_needed(question.old, new)
        truth = text_of(new[:kept])
        ids = (*prompt.token_ids, *target_ids(self.tokenizer, prompt, truth))
        if kept < len(new):
            ids = ids[:-1]  # what is cut off is no end
        if len(ids) > _MAX_TOKENS:
            return None
        return Example(
            ids=ids,
            target=len(prompt.token_ids),
            language=situation.language,
            kind="quiet" if tuple(new) == question.old else "change",
            source=situation.source,
            has_snippets=False,
            truth=truth,
        )


def n_needed(old: Sequence[str], new: Sequence[str]) -> int:
    """Lines of the new text up to the second behind its last change: what only copies teaches nothing more."""
    if list(old) == list(new):
        return len(new)
    n_same, _ = same_ends(old[::-1], new[::-1])
    return len(new) - max(0, n_same - 2)


def nearest_last(situation: Situation, edit: LineEdit) -> Situation:
    """A situation whose edits came the nearer the later: who changes a file goes on where he is."""
    order = sorted(situation.edits, key=lambda each: -abs(each.line - edit.line))
    return replace(situation, edits=tuple(order))


def rewritten(situation: Situation, region: Region) -> list[str] | None:
    """A region as the commit left it; None where one of the edits that came reaches beyond it."""
    lines = list(situation.lines[region.first : region.end])
    inside = [edit for edit in situation.wanted if _touches(region, edit)]
    if not all(_holds(region, edit) for edit in inside):
        return None
    for edit in sorted(inside, key=lambda each: -each.line):
        at = edit.line - region.first
        lines[at : at + len(edit.old)] = edit.new
    return lines


def _holds(region: Region, edit: LineEdit) -> bool:
    return region.first <= edit.line and edit.line + len(edit.old) <= region.end


def _touches(region: Region, edit: LineEdit) -> bool:
    """Whether an edit changes a line of a region, or puts lines into it."""
    return edit.line < region.end and region.first < edit.line + max(1, len(edit.old))


def histories(rows: Sequence[Source]) -> list[Named]:
    """What git is asked for: of each repository and language its commits up to the listed one."""
    return [
        Named(row.name, language, f"{row.name}==..{row.commit}", "", held_out=False)
        for row in rows
        if not row.heldout
        for language in row.languages
    ]


def balanced(examples: Sequence[Example], draw: random.Random) -> list[Example]:
    """All in which something follows, and some of the others, in random order; each once."""
    unique = list({example.ids: example for example in examples}.values())
    draw.shuffle(unique)
    change = [example for example in unique if example.kind == "change"]
    quiet = [example for example in unique if example.kind == "quiet"][: round(_QUIET_SHARE * len(change))]
    mixed = [*change, *quiet]
    draw.shuffle(mixed)
    return mixed


def main() -> int:
    """Make the file."""
    parser = argparse.ArgumentParser(prog="python -m evals.next_edit.examples", description="Examples of next edits")
    parser.add_argument("--mirror", type=Path, required=True, help="bare clones, folders owner+name/repo")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--benchmarks", type=Path, nargs="+", required=True, help="folders of what is measured on")
    parser.add_argument("--per", type=int, default=80, help="situations of each kind of a repository and language")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="whose prompts")
    given = parser.parse_args()
    store = store_of(given.model)
    tokenizer = open_tokenizer(store)
    spec = present_spec(store, resolve(given.model).row)
    if form_of(spec) is None:
        print(f"midfill: {given.model} has no token for files: it cannot be asked for next edits", file=sys.stderr)
        return 1
    maker = Maker(spec, tokenizer, SegmentCache(tokenizer), random.Random(_SEED))
    benchmarks = Benchmarks.read(given.benchmarks)
    found: list[Example] = []
    for history in histories(sources()):
        try:
            made = situations(history, given.mirror, given.per, _SEED)
        except EvalError as error:
            print(f"midfill: {error}", file=sys.stderr)
            continue
        clean = [each for each in made if not benchmarks.overlaps("\n".join(each.lines))]
        before = len(found)
        found += [example for situation in clean for example in maker.examples(situation)]
        print(f"{history.name} {history.language}: {len(made)} situations, {len(found) - before} examples", flush=True)
    mixed = balanced(found, random.Random(_SEED))
    example_file.write(given.out, [e.ids for e in mixed], [e.target for e in mixed], [e.label() for e in mixed])
    n_change = sum(example.kind == "change" for example in mixed)
    n_tokens = sum(len(example.ids) for example in mixed)
    print(f"{len(mixed):,} examples, {n_change:,} with a change, {n_tokens:,} tokens: {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
