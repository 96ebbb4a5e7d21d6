"""Groups of 4 and 8 bits: the format round-trips, and each method beats the simpler one by its own measure."""

import pytest
import torch

from model.weights import lowbit
from model.weights.lowbit import Groups, hessian_blocks, quantize_compensated, quantize_groups


def random_weight(rows: int = 48, width: int = 192) -> torch.Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(1)) * 0.02


def correlated_inputs(n: int = 512, width: int = 192) -> torch.Tensor:
    """Inputs as a layer sees them: correlated, and a few much larger than the others."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(n, width // 4, generator=generator) @ torch.randn(width // 4, width, generator=generator)
    x += torch.randn(n, width, generator=generator)
    x[:, ::37] *= 10
    return x


def round_to_nearest(weight: torch.Tensor) -> torch.Tensor:
    groups = weight.view(weight.shape[0], -1, 32)
    scale = groups.abs().amax(2, keepdim=True) / 7
    return ((groups / scale).round().clamp(-8, 7) * scale).view(weight.shape)


def test_what_is_on_the_grid_comes_back_exactly() -> None:
    generator = torch.Generator().manual_seed(3)
    codes = torch.randint(0, 16, (8, 64), generator=generator, dtype=torch.uint8)
    codes[:, ::32] = 0  # the largest magnitude of every group is -8 steps
    scales = (torch.rand(8, 2, generator=generator) + 0.5).half()
    groups = quantize_groups(Groups(codes, scales, 4).dequantize(), 4)
    assert torch.equal(groups.codes, codes)
    assert torch.equal(groups.scales, scales)


@pytest.mark.parametrize("bits", [4, 8])
def test_shapes_and_types(bits: int) -> None:
    groups = quantize_groups(random_weight(5, 96), bits)
    assert (groups.codes.shape, groups.codes.dtype) == ((5, 96), torch.uint8)
    assert (groups.scales.shape, groups.scales.dtype) == ((5, 3), torch.float16)
    assert int(groups.codes.max()) < 2**bits
    assert groups.codes.is_contiguous()
    assert groups.scales.is_contiguous()


def test_eight_bits_are_within_half_a_step() -> None:
    weight = random_weight()
    groups = quantize_groups(weight, 8)
    step = groups.scales.float().repeat_interleave(32, 1)
    assert ((groups.dequantize() - weight).abs() <= step * 0.51).all()


@pytest.mark.parametrize("bits", [4, 8])
def test_zeros_stay_zero(bits: int) -> None:
    weight = random_weight(4, 64)
    weight[:, :32] = 0
    assert (quantize_groups(weight, bits).dequantize()[:, :32] == 0).all()


def test_the_search_beats_rounding_to_the_largest_under_its_weighting() -> None:
    weight = random_weight()
    importance = torch.rand(192, generator=torch.Generator().manual_seed(4)) ** 4
    plain = ((round_to_nearest(weight) - weight).square() * importance).sum()
    searched = ((quantize_groups(weight, 4).dequantize() - weight).square() * importance).sum()
    weighted = ((quantize_groups(weight, 4, importance).dequantize() - weight).square() * importance).sum()
    assert weighted < searched < plain


@pytest.mark.parametrize("block", [192, 96, 32])
def test_compensation_lowers_the_error_of_the_outputs(block: int) -> None:
    weight, x = random_weight(), correlated_inputs()
    alone = quantize_groups(weight, 4, x.square().mean(0)).dequantize()
    compensated = quantize_compensated(weight, hessian_blocks(x, block)).dequantize()

    def error(rounded: torch.Tensor) -> float:
        return float((x @ (rounded - weight).t()).square().mean())

    assert error(compensated) < (0.9 if block > 32 else 1.0) * error(alone)


def test_compensation_survives_inputs_that_never_occur_and_repeat() -> None:
    x = correlated_inputs()
    x[:, 5] = 0
    x[:, 7] = x[:, 8]
    weight = random_weight()
    rounded = quantize_compensated(weight, hessian_blocks(x, 192)).dequantize()
    assert (rounded - weight).abs().max() < 0.05


def test_a_row_does_not_depend_on_the_rows_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    weight, hessian = random_weight(), hessian_blocks(correlated_inputs(), 96)
    together = quantize_compensated(weight, hessian)
    monkeypatch.setattr(lowbit, "_CHUNK_ROWS", 5)
    apart = quantize_compensated(weight, hessian)
    assert (together.codes != apart.codes).float().mean() < 1e-3  # products of other sizes may round differently
    assert torch.allclose(together.dequantize(), apart.dequantize(), atol=0.02)


def test_hessian_blocks_are_the_diagonal_of_the_whole() -> None:
    x = correlated_inputs()
    whole, blocks = x.t() @ x, hessian_blocks(x, 64)
    assert blocks.shape == (3, 64, 64)
    for index in range(3):
        span = slice(index * 64, (index + 1) * 64)
        assert torch.allclose(blocks[index], whole[span, span], rtol=1e-3, atol=0.1)


@pytest.mark.parametrize(
    ("shape", "bits", "message"),
    [((4, 40), 4, "whole groups"), ((4, 64), 5, "5 bits"), ((64,), 4, "whole groups"), ((0, 64), 8, "whole groups")],
)
def test_what_has_no_whole_groups_is_refused(shape: tuple[int, ...], bits: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quantize_groups(torch.zeros(shape), bits)


@pytest.mark.parametrize("hessian", [torch.eye(64)[None], torch.eye(48).expand(4, 48, 48)])
def test_a_hessian_that_does_not_fit_is_refused(hessian: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="does not cover 192 inputs"):
        quantize_compensated(random_weight(), hessian)
