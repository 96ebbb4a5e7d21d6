"""Packs: every example is in them once, within their size; what several begin with is there once."""

import random
from pathlib import Path

import pytest

from tests.tuning.simple_examples import simple_examples
from tuning.data.example_file import ExampleFile, read, write
from tuning.data.packing import Pack, families, packs_of


def kin(path: Path, n_families: int, n_each: int, n_shared: int = 100) -> ExampleFile:
    """Examples in random order that begin alike, and further alike with those next to them."""
    chance = random.Random(1)
    sequences = []
    for _ in range(n_families):
        trunk = [chance.randrange(97, 123) for _ in range(n_shared + 10 * n_each)]
        for index in range(n_each):
            own = [chance.randrange(97, 123) for _ in range(chance.randrange(3, 40))]
            sequences.append([*trunk[: n_shared + 10 * index], 32 + index, *own])
    chance.shuffle(sequences)
    targets = [len(sequence) - 2 for sequence in sequences]
    labels = [{"language": "python", "kind": "line", "source": "tests", "end": "text"}] * len(sequences)
    write(path, sequences, targets, labels)
    return read(path)


def example_in(pack: Pack, index: int) -> tuple[list[int], list[int]]:
    """The ids and positions that one example's last row sees, itself among them."""
    run = pack.runs[index]
    seen = [] if run.seen is None else run.seen.tolist()
    if run.mask is not None:
        assert run.mask[-1].all()
        assert run.mask.sum(dim=1).tolist() == [len(seen) + n for n in range(1, run.end - run.start + 1)]
    rows = [*seen, *range(run.start, run.end)]
    return pack.ids[rows].tolist(), pack.positions[rows].tolist()


@pytest.mark.parametrize("max_tokens", [1, 150, 4_000])
@pytest.mark.parametrize("is_kin", [False, True], ids=["strangers", "kin"])
def test_each_example_is_in_one_pack_that_is_not_too_large(tmp_path: Path, max_tokens: int, is_kin: bool) -> None:
    path = tmp_path / "examples.safetensors"
    examples = kin(path, 8, 5) if is_kin else simple_examples(path, 40)
    packs = packs_of(examples, range(5, 40), max_tokens)
    assert sorted(number for pack in packs for number in pack.numbers) == list(range(5, 40))
    for pack in packs:
        first = len(examples[pack.numbers[0]])
        assert len(pack.ids) <= max_tokens + (first if first > max_tokens else 0)
        assert sum(run.end - run.start for run in pack.runs) == len(pack.ids)
        for index, number in enumerate(pack.numbers):
            example = examples[number].tolist()
            assert example_in(pack, index) == (example, list(range(len(example))))
            mine = pack.owners == index
            target = int(examples.targets[number])
            assert pack.labels[mine].tolist() == example[target:]
            assert pack.ids[pack.scored[mine]].tolist() == example[target - 1 : -1]


@pytest.mark.parametrize("max_tokens", [10_000, 300], ids=["whole", "longer than a pack"])
def test_what_examples_begin_with_is_computed_once(tmp_path: Path, max_tokens: int) -> None:
    examples = kin(tmp_path / "examples.safetensors", 1, 5, n_shared=500)
    (pack,) = packs_of(examples, range(5), max_tokens)
    assert sum(len(examples[number]) for number in range(5)) > 2_500
    assert len(pack.ids) < 750
    assert [run.seen is None for run in pack.runs] == [True, False, False, False, False]


def test_a_family_begins_alike_and_is_no_larger_than_a_step(tmp_path: Path) -> None:
    examples = kin(tmp_path / "examples.safetensors", 3, 20)
    found = families(examples, range(60))
    assert sorted(len(family) for family in found) == [4, 4, 4, 16, 16, 16]
    assert all(len({tuple(examples[number][:100]) for number in family}) == 1 for family in found)
    strangers = simple_examples(tmp_path / "strangers.safetensors", 20)
    assert sorted(families(strangers, range(20))) == [[number] for number in range(20)]
