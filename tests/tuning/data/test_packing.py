"""Packs: everything is in them once, within their size, and what is where."""

from pathlib import Path

import pytest
import torch

from tests.tuning.simple_examples import simple_examples
from tuning.data.packing import packs_of


@pytest.mark.parametrize("max_tokens", [1, 70, 400])
def test_each_example_is_in_one_pack_that_is_not_too_large(tmp_path: Path, max_tokens: int) -> None:
    examples = simple_examples(tmp_path / "examples.safetensors", 40)
    packs = packs_of(examples, range(5, 40), max_tokens)
    assert sorted(number for pack in packs for number in pack.numbers) == list(range(5, 40))
    for pack in packs:
        assert len(pack.ids) <= max_tokens or len(pack.numbers) == 1
        assert sum(block.end - block.start for block in pack.blocks) == len(pack.ids)
        row = 0
        for index, number in enumerate(pack.numbers):
            ids = torch.from_numpy(examples[number].astype("int64"))
            assert torch.equal(pack.ids[row : row + len(ids)], ids)
            assert pack.positions[row : row + len(ids)].tolist() == list(range(len(ids)))
            assert torch.equal(pack.labels[pack.owners == index], ids[examples.targets[number] :])
            row += len(ids)


def test_little_of_a_block_is_padding(tmp_path: Path) -> None:
    examples = simple_examples(tmp_path / "examples.safetensors", 40)
    (pack,) = packs_of(examples, range(40), 10_000)
    assert 1 < len(pack.blocks) < 20
    for block in pack.blocks:
        assert block.is_real.sum() == block.end - block.start
        assert block.is_real.mean() >= 0.75
