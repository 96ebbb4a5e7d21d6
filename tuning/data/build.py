"""Builds the files of examples that the shipped adapters are trained on, from sources that are laid out.

    python -m tuning.data.build --trees DIR --out DIR --benchmarks DIR [DIR ...] [--examples N] [--heldout N]

Chooses files language by language, evenly over the repositories, leaves out what `clean` knows; has each repository's
examples made by a child process (`part`), since a text may crash a grammar; mixes what came back. Parts that are there
are not made again. What is held out comes from repositories of its own.

Rules: the same sources and seed give the same files, on any machine. Any beginning of a file is a fair sample of it.
"""

import argparse
import json
import random
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from parsers.languages import for_document
from tuning.data import example_file
from tuning.data.clean import Benchmarks, Seen, why_not
from tuning.data.example_file import ExampleFile
from tuning.data.packing import families
from tuning.data.sources import MANIFEST, Source, is_wanted, sources

# Shares of the languages: what people write, and enough of each.
SHARES = {
    ("python",): 0.18,
    ("typescript", "tsx"): 0.14,
    ("javascript",): 0.09,
    ("go",): 0.10,
    ("rust",): 0.09,
    ("java",): 0.09,
    ("cpp",): 0.05,
    ("csharp",): 0.06,
    ("c",): 0.06,
    ("ruby",): 0.04,
    ("php",): 0.04,
    ("kotlin",): 0.04,
    ("swift", "scala", "lua", "bash", "elixir", "dart"): 0.02,
}
_PER_FILE = 8  # examples, of one place: breadth is worth more than depth
_MAX_PER_FILE = 24  # where a language has few files
_SPARE = 1.3  # more files than needed: not every place makes an example
_PART_TIMEOUT_S = 900.0
_SEED = 20_261_128


@dataclass(frozen=True, slots=True)
class Wanted:
    """Files of one repository that examples are to be made of, and how many of each."""

    source: Source
    paths: list[tuple[str, int]]


class Chooser:
    """Chooses files, each once, and counts why others were left out."""

    def __init__(self, trees: Path, benchmarks: Benchmarks) -> None:
        self._trees, self._benchmarks = trees, benchmarks
        self._seen = Seen()
        self.left_out: Counter[str] = Counter()

    def choose(self, rows: Sequence[Source], languages: Sequence[str], n_examples: int) -> dict[str, list[str]]:
        """Paths by repository of files in some languages: one of each repository in turn, until there are enough."""
        queues = {row.name: self._files(row, set(languages) & set(row.languages)) for row in rows}
        chosen: dict[str, list[str]] = defaultdict(list)
        n_left = round(n_examples * _SPARE / _PER_FILE)
        while n_left > 0 and any(queues.values()):
            for name, queue in queues.items():
                while queue and n_left > 0:
                    path = queue.pop()
                    if self._is_fit(name, path):
                        chosen[name].append(path)
                        n_left -= 1
                        break
        return chosen

    def _files(self, row: Source, languages: Collection[str]) -> list[str]:
        root = self._trees / row.folder
        found = [path for path in sorted(root.rglob("*")) if path.is_file()]
        paths = [path.relative_to(root).as_posix() for path in found if is_wanted(path.name, path.stat().st_size)]
        paths = [path for path in paths if for_document(path, None).id in languages]
        random.Random(f"{_SEED} {row.name}").shuffle(paths)
        return paths

    def _is_fit(self, name: str, path: str) -> bool:
        text = (self._trees / name / path).read_text(encoding="utf-8")
        reason = why_not(path, text)
        if not reason and self._benchmarks.overlaps(text):
            reason = "benchmark"
        if not reason and not self._seen.is_new(text):
            reason = "near-duplicate"
        self.left_out[reason or "taken"] += 1
        return not reason


def plan(chooser: Chooser, rows: Sequence[Source], n_examples: int) -> list[Wanted]:
    """Which files to make examples of."""
    by_source: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for languages, share in SHARES.items():
        n_wanted = share * n_examples
        chosen = chooser.choose(rows, languages, round(n_wanted))
        n_files = sum(map(len, chosen.values()))
        if not n_files:
            continue
        n_each = min(_MAX_PER_FILE, max(_PER_FILE, round(_SPARE * n_wanted / n_files)))
        for name, paths in chosen.items():
            by_source[name] += [(path, n_each) for path in paths]
    return [Wanted(row, by_source[row.name]) for row in rows if by_source[row.name]]


def make_part(trees: Path, wanted: Wanted, out: Path) -> str:
    """Have a child make the examples of one repository; "" or what went wrong."""
    command = [sys.executable, "-m", "tuning.data.part", "--tree", str(trees / wanted.source.folder)]
    command += ["--source", f"{wanted.source.name}@{wanted.source.commit[:12]}", "--out", str(out)]
    whole = json.dumps([(path, n, None) for path, n in wanted.paths])
    try:
        done = subprocess.run(command, input=whole, text=True, capture_output=True, timeout=_PART_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"not done within {_PART_TIMEOUT_S:.0f} s"
    return "" if done.returncode == 0 else done.stderr.strip()[-400:] or f"exit code {done.returncode}"


def mix(parts: Iterable[ExampleFile], n_examples: int, seed: int) -> list[tuple[ExampleFile, int]]:
    """At most `n_examples` of all parts, by part and number: each once, in shares, those of a place together."""
    rng = random.Random(seed)
    by_language: dict[str, list[list[tuple[ExampleFile, int]]]] = defaultdict(list)
    seen: set[bytes] = set()
    for part in parts:
        for numbers in families(part, range(len(part))):
            new = []
            for number in numbers:
                key = part[number].tobytes()
                if key not in seen:
                    seen.add(key)
                    new.append((part, number))
            if new:
                by_language[part.examples[new[0][1]]["language"]].append(new)
    chosen: list[list[tuple[ExampleFile, int]]] = []
    for languages, share in SHARES.items():
        pool = [family for language in languages for family in by_language[language]]
        rng.shuffle(pool)
        room = round(share * n_examples)
        for family in pool:
            if room > 0:
                chosen.append(family[:room])
                room -= len(family)
    rng.shuffle(chosen)
    return [entry for family in chosen for entry in family]


def build(
    trees: Path, rows: Sequence[Source], chooser: Chooser, n_examples: int, parts: Path, out: Path, n_files: int = 1
) -> None:
    """Make and write one set, in so many files of the same size."""
    parts.mkdir(parents=True, exist_ok=True)
    paths = []
    for wanted in plan(chooser, rows, n_examples):
        path = parts / f"{wanted.source.name.replace('/', '+')}.safetensors"
        problem = "" if path.exists() else make_part(trees, wanted, path)
        if problem:
            print(f"{wanted.source.name} is left out: {problem}", file=sys.stderr)
        else:
            paths.append(path)
    chosen = mix([example_file.read(path) for path in paths], n_examples, _SEED)
    step = -(-len(chosen) // n_files)
    for number in range(n_files):
        name = out if n_files == 1 else out.with_stem(f"{out.stem}-{number + 1}")
        example_file.write_some(name, chosen[number * step : (number + 1) * step])
    print_figures(out.stem, chosen)


def print_figures(name: str, chosen: Sequence[tuple[ExampleFile, int]]) -> None:
    """What a set is made of."""
    labels = [part.examples[number] for part, number in chosen]
    n_ids = sum(len(part[number]) for part, number in chosen)
    n_targets = n_ids - sum(int(part.targets[number]) for part, number in chosen)
    print(f"{name}: {len(chosen):,} examples, {n_ids:,} tokens, {n_targets:,} of them in targets")
    for key in ("language", "kind"):
        counted = Counter(label[key] for label in labels).most_common()
        print(f"  {key}: " + ", ".join(f"{value} {count:,}" for value, count in counted))
    print(f"  {len({label['source'].split(':')[0] for label in labels})} repositories")


def main() -> int:
    """Build both sets."""
    parser = argparse.ArgumentParser(prog="python -m tuning.data.build", description="Build the training examples")
    parser.add_argument(
        "--trees", type=Path, required=True, help="where `tuning.data.sources` has laid the sources out"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for train.safetensors and heldout.safetensors")
    parser.add_argument("--benchmarks", type=Path, nargs="+", required=True, help="folders of what is measured on")
    parser.add_argument("--sources", type=Path, default=MANIFEST, help="the list of sources")
    parser.add_argument("--examples", type=int, default=32_000)
    parser.add_argument("--heldout", type=int, default=1_200)
    parser.add_argument("--files", type=int, default=1, help="so many files for the training set")
    arguments = parser.parse_args()
    benchmarks = Benchmarks.read(arguments.benchmarks)
    print(f"{len(benchmarks):,} rows of 13 words of benchmarks")
    chooser = Chooser(arguments.trees, benchmarks)
    rows = [row for row in sources(arguments.sources) if (arguments.trees / row.folder).is_dir()]
    for name, n_examples, heldout, n_files in (
        ("heldout", arguments.heldout, True, 1),
        ("train", arguments.examples, False, arguments.files),
    ):
        of_set = [row for row in rows if row.heldout is heldout]
        out = arguments.out / f"{name}.safetensors"
        build(arguments.trees, of_set, chooser, n_examples, arguments.out / "parts" / name, out, n_files)
    print("files: " + ", ".join(f"{reason} {count:,}" for reason, count in chooser.left_out.most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
