"""Training examples for next edits, of the commits of the repositories that weights are trained on.

    python -m evals.next_edit.examples --mirror DIR --out FILE [--per N] [--model MODEL]

A situation is made of a commit as `commits` makes those that next edits are scored on. The model is then asked as
layer two asks it: about the regions that `places` finds, about the lines that the commit changed, and about one that
is drawn. It should write each region as the commit left it, and as it is where nothing follows, up to end-of-text.
The file is one of `tuning.data.example_file`: what trains on completions trains on these, or on both.

Rules: only repositories of `tuning/sources.toml`, none of which is scored on; those that are held out there are left
out. Every prompt is the product's own. What a benchmark has is left out. Seeded.
"""

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from completion.next_edit.edits import LineEdit
from completion.next_edit.places import LINES_BEFORE, MAX_LINES, Region, regions
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
_QUIET_SHARE = 1.5
_MAX_TOKENS = 900
_SEED = 20_261_128


@dataclass(slots=True)
class Maker:
    """Makes examples for one model."""

    spec: PromptSpec
    tokenizer: Tokenizer
    segments: SegmentCache
    draw: random.Random

    def examples(self, situation: Situation) -> Iterator[Example]:
        """The regions of a situation: those that are found, one around each edit that came, and one that is drawn."""
        found = list(regions(situation.lines, situation.edits))
        for edit in situation.wanted:
            if not any(_holds(region, edit) for region in found):
                found.append(around(situation.lines, edit))
        line = self.draw.randrange(len(situation.lines))
        found.append(around(situation.lines, LineEdit(situation.path, line, situation.lines[line : line + 1], ())))
        for region in found:
            if (new := rewritten(situation, region)) is not None and (example := self._example(situation, region, new)):
                yield example

    def _example(self, situation: Situation, region: Region, new: Sequence[str]) -> Example | None:
        question = scene_of(situation).question(region)
        form = form_of(self.spec)
        assert form is not None, "the caller has looked"
        prompt = prompt_for(question, self.spec, self.segments, form)
        truth = text_of(new)
        ids = (*prompt.token_ids, *target_ids(self.tokenizer, prompt, truth))
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


def around(lines: Sequence[str], edit: LineEdit) -> Region:
    """A region for an edit, as long as those that are found; longer where the edit is."""
    first = max(0, edit.line - LINES_BEFORE)
    end = max(edit.line + len(edit.old), min(first + MAX_LINES, edit.line + len(edit.old) + LINES_BEFORE))
    return Region(first, min(end, len(lines)), 0.0)


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
