"""The int8 linear: each row is its own, close to fp32, and never saturated."""

import pytest
import torch

from model.weights.linear import Fp32Linear, Int8Linear, needs_reduced_range, quantize_rows


def make(reduce_range: bool, bias: bool = True) -> tuple[Int8Linear, Fp32Linear]:
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(96, 64, generator=generator)
    offset = torch.randn(96, generator=generator) if bias else None
    rows, scale = quantize_rows(weight)
    return Int8Linear(rows, scale, offset, reduce_range=reduce_range), Fp32Linear(weight, offset)


@pytest.mark.parametrize("reduce_range", [False, True])
def test_a_row_does_not_depend_on_the_rows_beside_it_bit_for_bit(reduce_range: bool) -> None:
    int8, _ = make(reduce_range)
    x = torch.randn(64, 64, generator=torch.Generator().manual_seed(2))
    x[7] *= 1000  # with one scale per call this row would flatten all others
    together = int8(x)
    for row in (0, 7, 63):
        assert torch.equal(together[row], int8(x[row : row + 1])[0])
    assert torch.equal(together[:5], int8(x[:5]))


def test_int8_is_close_to_fp32() -> None:
    int8, fp32 = make(needs_reduced_range())
    x = torch.randn(32, 64, generator=torch.Generator().manual_seed(3))
    error = (int8(x) - fp32(x)).norm() / fp32(x).norm()
    assert error < 0.03


def test_a_zero_row_gives_the_bias() -> None:
    int8, _ = make(needs_reduced_range())
    assert torch.allclose(int8(torch.zeros(1, 64))[0], int8._bias, atol=1e-6)  # type: ignore[arg-type]


def test_the_chosen_range_does_not_saturate_at_full_scale() -> None:
    """All weights and activations at their maximum: where 16-bit sums overflow, this is far off."""
    layer = Int8Linear(
        torch.full((16, 512), 127, dtype=torch.int8),
        torch.full((16,), 1 / 127),
        None,
        reduce_range=needs_reduced_range(),
    )
    assert torch.allclose(layer(torch.ones(3, 512)), torch.full((3, 16), 512.0), rtol=0.01)


def test_quantized_rows_are_within_half_a_step() -> None:
    weight = torch.randn(8, 40, generator=torch.Generator().manual_seed(4))
    rows, scale = quantize_rows(weight)
    assert rows.dtype == torch.int8
    assert ((rows * scale[:, None] - weight).abs() <= scale[:, None] / 2 + 1e-6).all()
