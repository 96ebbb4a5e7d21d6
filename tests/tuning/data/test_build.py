"""Choosing files and mixing examples: evenly, each once, and never what is held out."""

import itertools
from collections import Counter
from pathlib import Path

from tests.tuning.data.test_spans import PYTHON, TYPESCRIPT
from tuning.data import example_file
from tuning.data.build import Chooser, mix, plan
from tuning.data.clean import Benchmarks
from tuning.data.example_file import ExampleFile
from tuning.data.sources import Source


def source(name: str, *languages: str) -> Source:
    return Source(name=name, commit="c" * 40, license="MIT", languages=languages)


def laid_out(trees: Path) -> list[Source]:
    """Two repositories of ten files, all different; one of them holds a benchmark, one a copy."""
    for name in ("a/one", "b/two"):
        for n in range(10):
            file = trees / name / f"module_{n}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            words = [f"value_{name[0]}_{n}_{k}" for k in range(40)]
            file.write_text("".join(f"{word} = make({word!r}, {word}_of)\n" for word in words))
    (trees / "a/one/module_0.py").write_text(PYTHON * 3)
    (trees / "b/two/copy.py").write_text((trees / "b/two/module_1.py").read_text())
    (trees / "b/two/page.ts").write_text(TYPESCRIPT * 3)
    return [source("a/one", "python"), source("b/two", "python", "typescript")]


def test_files_are_chosen_evenly_and_without_copies_and_benchmarks(tmp_path: Path) -> None:
    rows = laid_out(tmp_path)
    chooser = Chooser(tmp_path, Benchmarks([PYTHON]))
    chosen = chooser.choose(rows, ["python"], 10_000)
    assert {name: len(paths) for name, paths in chosen.items()} == {"a/one": 9, "b/two": 10}
    assert chooser.left_out == {"taken": 19, "benchmark": 1, "near-duplicate": 1}
    few = Chooser(tmp_path, Benchmarks([])).choose(rows, ["python"], 37)  # eight of a file, and some to spare
    assert {name: len(paths) for name, paths in few.items()} == {"a/one": 3, "b/two": 3}


def test_what_one_set_has_the_next_has_not(tmp_path: Path) -> None:
    one, two = laid_out(tmp_path)
    (tmp_path / "a/one/module_5.py").write_text((tmp_path / "b/two/module_5.py").read_text())
    chooser = Chooser(tmp_path, Benchmarks([]))
    assert len(chooser.choose([one], ["python"], 10_000)["a/one"]) == 10
    assert "module_5.py" not in chooser.choose([two], ["python"], 10_000)["b/two"]


def test_a_plan_names_the_languages_that_a_repository_is_listed_with(tmp_path: Path) -> None:
    rows = laid_out(tmp_path)
    (tmp_path / "a/one/stray.ts").write_text(TYPESCRIPT.replace("read", "open") * 3)
    wanted = {each.source.name: each.paths for each in plan(Chooser(tmp_path, Benchmarks([])), rows, 1_000)}
    assert not any(path.endswith(".ts") for path, _ in wanted["a/one"])
    assert any(path.endswith(".ts") for path, _ in wanted["b/two"])
    assert all(8 <= n <= 24 for paths in wanted.values() for _, n in paths)


def part(path: Path, language: str, n: int) -> ExampleFile:
    sequences = [[sum(map(ord, language)), k, 7] for k in range(n)] + [[1, 2, 3]]
    labels = [{"language": language, "kind": "line", "source": "a", "end": "text"}] * (n + 1)
    example_file.write(path, sequences, [1] * (n + 1), labels)
    return example_file.read(path)


def test_a_mix_has_each_example_once_and_its_beginning_is_a_fair_sample(tmp_path: Path) -> None:
    parts = [part(tmp_path / f"{name}.safetensors", name, 900) for name in ("python", "go", "rust")]
    mixed = mix(parts, 2_000, seed=1)
    assert len({part[number].tobytes() for part, number in mixed}) == len(mixed)
    labels = [part.examples[number] for part, number in mixed]
    counted = Counter(label["language"] for label in labels)
    assert counted == {"python": 360, "go": 200, "rust": 180}
    first = Counter(label["language"] for label in labels[: len(labels) // 4])
    assert all(abs(first[language] - count / 4) < count / 10 for language, count in counted.items())
    assert mix(parts, 2_000, seed=1) == mixed
    assert mix(parts, 2_000, seed=2) != mixed


def test_a_mix_keeps_the_examples_of_a_place_together(tmp_path: Path) -> None:
    places = [[*range(100 * place, 100 * place + 80), 7, k] for place in range(50) for k in range(6)]
    labels = [{"language": "python", "kind": "line", "source": "a", "end": "text"}] * len(places)
    example_file.write(tmp_path / "p", places, [81] * len(places), labels)
    mixed = mix([example_file.read(tmp_path / "p")], 1_000, seed=1)
    said = [int(part[number][0]) for part, number in mixed]
    assert len(said) == 180  # Python's share
    assert sum(a != b for a, b in itertools.pairwise(said)) == 29
