"""The native kernels against torch, over random shapes, with every instruction set that runs here."""

import ctypes
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.library.catalog import ModelError
from model.native import binding
from model.native.matrix_layout import GROUP
from model.weights.lowbit import quantize_groups
from model.weights.packing import pack, unpack
from tests.model.kernels import ALL, THREADS, available, opened
from tests.processor import best_kernels

pytestmark = pytest.mark.skipif(not available(), reason="the native extension was not built")
every_kernel = pytest.mark.parametrize("kernels", available())
few = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 2**31)


@pytest.fixture(autouse=True)
def best_kernels_afterwards() -> Iterator[None]:
    yield
    binding.load(THREADS)


def matrix(blocks: torch.Tensor, bias: torch.Tensor | None) -> binding.Matrix:
    return binding.matrix(blocks.numpy(), None if bias is None else bias.numpy())


def linear(library: ctypes.CDLL, blocks: torch.Tensor, bias: torch.Tensor | None, x: torch.Tensor) -> torch.Tensor:
    out = torch.empty(x.shape[0], blocks.shape[0] * 16)
    library.midfill_linear(matrix(blocks, bias), binding.STORE, x.data_ptr(), x.shape[0], out.data_ptr())
    return out


def rounded_activations(x: torch.Tensor) -> torch.Tensor:
    """x as the kernels see it: int8 in groups of 32, each with its own scale."""
    groups = x.view(x.shape[0], -1, GROUP)
    scale = groups.abs().amax(2, keepdim=True) / 127
    return ((groups / scale).round() * scale).view(x.shape)


@every_kernel
@few
@given(rows=st.integers(1, 9), groups=st.integers(1, 7), n=st.integers(1, 21), bits=st.sampled_from((4, 8)), seed=seeds)
def test_a_linear_is_its_dequantized_weights_times_rounded_activations(
    kernels: str, rows: int, groups: int, n: int, bits: int, seed: int
) -> None:
    torch.manual_seed(seed)
    quantized = quantize_groups(torch.randn(16 * rows, GROUP * groups), bits)
    bias, x = torch.randn(16 * rows), torch.randn(n, GROUP * groups)
    got = linear(opened(kernels), pack(quantized), bias, x)
    expected = rounded_activations(x) @ quantized.dequantize().T + bias
    # An activation that falls between two integers may round the other way: one step of one input.
    assert (got - expected).abs().max() < 0.02 * expected.abs().max().clamp_min(1.0)


@every_kernel
@few
@given(rows=st.integers(1, 5), groups=st.integers(1, 5), n=st.integers(1, 11), seed=seeds)
def test_swiglu_and_add_finish_a_linear(kernels: str, rows: int, groups: int, n: int, seed: int) -> None:
    torch.manual_seed(seed)
    library = opened(kernels)
    blocks = pack(quantize_groups(torch.randn(32 * rows, GROUP * groups), 8))
    x = torch.randn(n, GROUP * groups)
    plain = linear(library, blocks, None, x)
    gate, up = plain.chunk(2, dim=1)
    got = torch.empty(n, 16 * rows)
    library.midfill_linear(matrix(blocks, None), binding.SWIGLU, x.data_ptr(), n, got.data_ptr())
    torch.testing.assert_close(got, torch.nn.functional.silu(gate) * up, rtol=1e-5, atol=1e-5)
    residual = torch.randn_like(plain)
    total = residual.clone()
    library.midfill_linear(matrix(blocks, None), binding.ADD, x.data_ptr(), n, total.data_ptr())
    torch.testing.assert_close(total, residual + plain, rtol=0, atol=0)


@every_kernel
@few
@given(hidden=st.integers(1, 60), n=st.integers(1, 9), seed=seeds)
def test_rms_norm_is_torchs(kernels: str, hidden: int, n: int, seed: int) -> None:
    torch.manual_seed(seed)
    x, weight = torch.randn(n, 16 * hidden), torch.randn(16 * hidden)
    got = torch.empty_like(x)
    opened(kernels).midfill_rms_norm(x.data_ptr(), weight.data_ptr(), 1e-6, n, 16 * hidden, got.data_ptr())
    torch.testing.assert_close(got, torch.nn.functional.rms_norm(x, (16 * hidden,), weight, 1e-6), rtol=1e-5, atol=1e-5)


class Cache:
    """Keys and values of one layer in the kernels' layout, with the fp32 tensors they came from."""

    def __init__(self, n_kv_heads: int, dim: int, capacity: int) -> None:
        self.shape = (n_kv_heads, dim)
        self.keys = torch.full((n_kv_heads, capacity // 16, dim, 16), float("nan"), dtype=torch.float16)
        self.values = torch.full((n_kv_heads, capacity, dim), float("nan"), dtype=torch.float16)
        self.struct = binding.KV(self.keys.data_ptr(), self.values.data_ptr(), capacity)

    def attend(
        self,
        library: ctypes.CDLL,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        ranges: list[tuple[int, int]],
        write: int,
    ) -> torch.Tensor:
        """q (n, heads, dim), k and v (n, kv_heads, dim); the last range ends at write + n."""
        n, n_heads, dim = q.shape
        shape = binding.Shape(n_heads, self.shape[0], dim, n_heads * dim, 0, 0.0)
        scaled, table = (q * dim**-0.5).contiguous(), torch.tensor(ranges, dtype=torch.int32)
        out = torch.empty_like(q)
        k, v = k.contiguous(), v.contiguous()
        span = binding.Span(table.data_ptr(), len(ranges), n, write)
        library.midfill_attention(
            shape, scaled.data_ptr(), k.data_ptr(), v.data_ptr(), self.struct, span, out.data_ptr()
        )
        return out

    def fill(self, library: ctypes.CDLL, k: torch.Tensor, v: torch.Tensor) -> None:
        """Store k and v (n, kv_heads, dim) in the first n slots; a few tokens at once attend to little."""
        q = torch.zeros(len(k), *self.shape)
        for begin in range(0, len(k), 32):
            part = slice(begin, min(len(k), begin + 32))
            self.attend(library, q[part], k[part], v[part], [(begin, part.stop)], begin)


def true_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
    """q (n, heads, dim), k and v (slots, kv_heads, dim), visible (n, slots)."""
    as_heads = (x.transpose(0, 1)[None] for x in (q, k.half().float(), v.half().float()))
    out = torch.nn.functional.scaled_dot_product_attention(*as_heads, attn_mask=visible, enable_gqa=True)
    return out[0].transpose(0, 1)


attention_shapes = {
    "kv_heads": st.integers(1, 3),
    "group": st.integers(1, 9),
    "dim": st.sampled_from((16, 48, 64, 128)),
    "seed": seeds,
}


@every_kernel
@few
@given(before=st.integers(0, 1200), n=st.integers(1, 40), **attention_shapes)
def test_attention_over_a_prefix_is_torchs(
    kernels: str, before: int, n: int, kv_heads: int, group: int, dim: int, seed: int
) -> None:
    torch.manual_seed(seed)
    total = before + n
    k, v = torch.randn(2, total, kv_heads, dim)
    q = torch.randn(total, kv_heads * group, dim)
    cache, library = Cache(kv_heads, dim, 1280), opened(kernels)
    cache.fill(library, k[:before], v[:before])
    got = cache.attend(library, q[before:], k[before:], v[before:], [(0, total)], before)
    visible = torch.ones(total, total, dtype=torch.bool).tril()[before:]
    torch.testing.assert_close(got, true_attention(q[before:], k, v, visible), rtol=1e-4, atol=1e-5)


@every_kernel
@few
@given(
    n=st.integers(1, 40), bounds=st.lists(st.integers(0, 1100), min_size=4, max_size=4, unique=True), **attention_shapes
)
def test_attention_sees_the_given_ranges_and_nothing_else(
    kernels: str, n: int, bounds: list[int], kv_heads: int, group: int, dim: int, seed: int
) -> None:
    torch.manual_seed(seed)
    a, b, c, d = sorted(bounds)
    write, total = 1100, 1100 + n
    k, v = torch.randn(2, total, kv_heads, dim)
    q = torch.randn(total, kv_heads * group, dim)
    cache, library = Cache(kv_heads, dim, 1280), opened(kernels)
    cache.fill(library, k[:write], v[:write])
    got = cache.attend(library, q[write:], k[write:], v[write:], [(a, b), (c, d), (write, total)], write)
    visible = torch.zeros(n, total, dtype=torch.bool)
    visible[:, a:b] = visible[:, c:d] = True
    visible[:, write:] = torch.ones(n, n, dtype=torch.bool).tril()
    torch.testing.assert_close(got, true_attention(q[write:], k, v, visible), rtol=1e-4, atol=1e-5)


@every_kernel
@pytest.mark.parametrize("n_threads", [1, 3])
def test_a_token_is_the_same_bit_for_bit_whatever_is_beside_it(kernels: str, n_threads: int) -> None:
    torch.manual_seed(3)
    blocks = pack(quantize_groups(torch.randn(48, 96), 4))
    x, k, v = torch.randn(700, 96), torch.randn(700, 2, 48), torch.randn(700, 2, 48)
    q = torch.randn(700, 6, 48)
    reference = opened(kernels, 2)
    whole = linear(reference, blocks, None, x)
    attended = Cache(2, 48, 704).attend(reference, q, k, v, [(0, 700)], 0)
    library, cache = opened(kernels, n_threads), Cache(2, 48, 704)
    for begin, end in ((0, 1), (1, 3), (3, 530), (530, 543), (543, 699), (699, 700)):
        part = slice(begin, end)
        assert torch.equal(linear(library, blocks, None, x[part]), whole[part])
        assert torch.equal(cache.attend(library, q[part], k[part], v[part], [(0, end)], begin), attended[part])


def test_no_kernels_are_left_out() -> None:
    """Those that the engine tries are those that the tests force."""
    headers = "".join(path.read_text() for path in Path(binding.__file__).parent.glob("simd_*.h"))
    assert sorted(re.findall(r'kName = "([^"]+)"', headers)) == sorted(ALL)
    assert binding.kernel_name() == available()[0]


@pytest.mark.skipif(sys.platform != "linux" or platform.machine() != "x86_64", reason="reads /proc/cpuinfo")
def test_the_kernels_are_those_that_the_system_says_the_processor_has() -> None:
    assert binding.kernel_name() == best_kernels()


def test_the_instruction_sets_agree_bit_for_bit() -> None:
    torch.manual_seed(4)
    blocks, x = pack(quantize_groups(torch.randn(64, 128), 4)), torch.randn(5, 128)
    results = [linear(opened(name), blocks, None, x) for name in available()]
    assert len(results) >= 2
    assert all(torch.equal(result, results[0]) for result in results)


@pytest.mark.parametrize("mode", [binding.STORE, binding.ADD, binding.SWIGLU])
@few
@given(
    half=st.integers(1, 5), groups=st.sampled_from((1, 7, 8, 19)), n=st.integers(17, 280), bits=st.sampled_from((4, 8))
)
def test_many_tokens_get_the_bits_of_single_ones(mode: int, half: int, groups: int, n: int, bits: int) -> None:
    """Of the scalar kernels, which know one way of doing it."""
    torch.manual_seed(half)
    rows = 32 * half if mode == binding.SWIGLU else 16 * half
    blocks, bias = pack(quantize_groups(torch.randn(rows, GROUP * groups), bits)), torch.randn(rows)
    x, before = torch.randn(n, GROUP * groups), torch.randn(n, rows)
    weights, width = matrix(blocks, bias), rows // 2 if mode == binding.SWIGLU else rows
    got, expected = before[:, :width].clone(), before[:, :width].clone()
    opened(available()[0]).midfill_linear(weights, mode, x.data_ptr(), n, got.data_ptr())
    library = opened("scalar", 1)
    for row in {0, 5, 6, 16, n // 2, n - 2, n - 1}:
        library.midfill_linear(weights, mode, x[row].data_ptr(), 1, expected[row].data_ptr())
        assert torch.equal(got[row], expected[row])


@few
@given(rows=st.integers(1, 4), groups=st.integers(1, 4), bits=st.sampled_from((4, 8)), seed=seeds)
def test_packing_loses_nothing(rows: int, groups: int, bits: int, seed: int) -> None:
    torch.manual_seed(seed)
    quantized = quantize_groups(torch.randn(16 * rows, GROUP * groups), bits)
    again = unpack(pack(quantized))
    assert torch.equal(again.codes, quantized.codes)
    assert torch.equal(again.scales, quantized.scales)
    assert again.bits == bits


@pytest.mark.parametrize("change", ["version", "struct"])
def test_kernels_that_were_built_from_other_source_are_refused(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if change == "version":
        monkeypatch.setattr(binding, "_ABI", binding._ABI + 1)
    else:

        class Longer(ctypes.Structure):
            _fields_: ClassVar = [("first", binding.KV), ("more", ctypes.c_int64)]

        monkeypatch.setattr(binding, "_STRUCTS", (binding.Matrix, Longer, *binding._STRUCTS[2:]))
    with pytest.raises(ModelError, match="built from another version of midfill"):
        binding._library.__wrapped__()


def test_kernels_from_before_there_was_a_version_are_refused() -> None:
    class Old:
        """Has none of the newer functions."""

    with pytest.raises(ModelError, match="make setup"):
        binding._refuse_another_version(Old())  # type: ignore[arg-type]
