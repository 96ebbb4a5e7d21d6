"""Steps of 1, 4 and 8 tokens with static shapes, so that a graphics card replays them as one captured graph.

Launching the thousand small kernels of a step from Python takes longer than running them. A captured graph
(CUDA graphs) launches them at once, but binds shapes and addresses. So everything that differs between two steps is
data in one buffer, which one asynchronous copy fills:

    ids | positions | slots to write | bounds          int64, n of each, bounds 2 * MAX_RANGES of each row

Row i sees slot s if the number of its bounds <= s is odd: bounds are the beginnings and ends of what it sees, in
order, its own slot last; so holes, several sequences in one step and rows that only fill up are all data. Attention
reads whole tiles, as many as reach the furthest slot, rounded up to a power of two: one graph for each such number.

Rules: the same function runs with or without a graph (on the CPU always without). The first step of a shape over a
buffer runs plainly, which also loads what a capture must not; the second captures. Results stay in place until the
next step: hidden states are a view, tokens come to the host in one copy. Nothing is allocated by a replay.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch

from model.decoders.gpu_kv import TILE, GpuKV
from model.decoders.kv import Span

STEP_SIZES = (1, 4, 8)
# More ranges than this are rare (every hole in a window costs one); such a step runs like a prefill.
MAX_RANGES = 32
# The fewest tiles that a step reads: below 1,024 slots there is nothing to win.
_MIN_TILES = 4
_NEVER = 1 << 40


class Capture(Protocol):
    """Turns a function of fixed shapes into one that repeats it."""

    def __call__(self, run: Callable[[], None]) -> Callable[[], None]: ...


def eager(run: Callable[[], None]) -> Callable[[], None]:
    """No capture: the function itself."""
    return run


class CudaCapture:
    """CUDA graphs; all of them share one pool of memory, since only one runs at a time."""

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, run: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        # thread_local: other threads of the process may go on calling CUDA meanwhile.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            run()
        replay: Callable[[], None] = graph.replay
        return replay


class StepBuffer:
    """The places of a step of n tokens: its inputs, and what it leaves.

    hidden: (n, hidden), normalized; best: (n, 2) fp32, the best id (exact below 2**24) and its log-probability.
    """

    def __init__(self, n: int, hidden: int, device: torch.device, dtype: torch.dtype) -> None:
        pinned = device.type == "cuda"
        self.n = n
        self._host_inputs = torch.zeros(n * (3 + 2 * MAX_RANGES), dtype=torch.int64, pin_memory=pinned)
        self._inputs = torch.zeros_like(self._host_inputs, device=device)
        self.ids, self.positions, self.slots = self._inputs[: 3 * n].view(3, n)
        self.bounds = self._inputs[3 * n :].view(n, 2 * MAX_RANGES)
        self.hidden = torch.zeros(n, hidden, device=device, dtype=dtype)
        self.best = torch.zeros(n, 2, device=device)
        self._host_best = torch.zeros(n, 2, pin_memory=pinned)
        self._read: list[tuple[int, float]] | None = None

    def fill(
        self, ids: torch.Tensor, positions: torch.Tensor, slots: list[int], bounds: list[list[int]], spare: int
    ) -> None:
        """Describe a step; rows beyond the given ones write to the slots from `spare` and see slot 0."""
        n, used = self.n, len(ids)
        self._wait()  # the copy of the step before reads the host's buffer
        head = self._host_inputs[: 3 * n].view(3, n)
        head.zero_()
        head[0, :used], head[1, :used] = ids, positions
        head[2] = torch.tensor([*slots, *range(spare, spare + n - used)])
        padded = [row + [_NEVER] * (2 * MAX_RANGES - len(row)) for row in [*bounds, *[[0, 1]] * (n - used)]]
        self._host_inputs[3 * n :].view(n, -1).copy_(torch.tensor(padded))
        self._inputs.copy_(self._host_inputs, non_blocking=True)
        self._read = None

    def row_of(self, hidden: torch.Tensor) -> int | None:
        """Which of this buffer's rows a view of its hidden states begins with; None when it is none."""
        offset = hidden.data_ptr() - self.hidden.data_ptr()
        return offset // self.hidden[0].nbytes if 0 <= offset < self.hidden.nbytes else None

    def results(self, row: int, n: int) -> list[tuple[int, float]]:
        """Best id and log-probability of rows; the first call after a step waits for the device, once."""
        if self._read is None:
            self._host_best.copy_(self.best, non_blocking=True)
            self._wait()
            self._read = [(int(token), logprob) for token, logprob in self._host_best.tolist()]
        return self._read[row : row + n]

    def _wait(self) -> None:
        if self.best.is_cuda:
            torch.cuda.current_stream(self.best.device).synchronize()


class Steps:
    """Runs steps over any session's keys and values. `body(buffer, kv, n_tiles)` is the decoder's forward."""

    def __init__(
        self,
        buffers: Sequence[StepBuffer],
        body: Callable[[StepBuffer, GpuKV, int], None],
        capture: Capture,
    ) -> None:
        self._buffers, self._body, self._capture = {buffer.n: buffer for buffer in buffers}, body, capture
        self._last: StepBuffer | None = None

    def fits(self, n: int, spans: Sequence[Span]) -> bool:
        """Whether n tokens with these spans can be a step."""
        return n <= STEP_SIZES[-1] and all(len(span.attend) < MAX_RANGES for span in spans)

    def run(self, ids: torch.Tensor, positions: torch.Tensor, kv: GpuKV, spans: Sequence[Span]) -> torch.Tensor:
        """Run a step that fits: (n,) ids and positions -> hidden states (n, hidden), valid until the next step."""
        n = len(ids)
        buffer = self._buffers[next(size for size in STEP_SIZES if size >= n)]
        slots, bounds = describe(spans)
        buffer.fill(ids, positions, slots, bounds, kv.capacity)
        n_tiles = tiles_for(max(row[-1] for row in bounds), kv.capacity // TILE)
        key = (buffer.n, n_tiles)
        if (replay := kv.replays.get(key)) is not None:
            replay()
        elif key not in kv.replays:
            kv.replays[key] = None
            self._body(buffer, kv, n_tiles)
        else:
            replay = kv.replays[key] = self._capture(lambda: self._body(buffer, kv, n_tiles))
            replay()
        self._last = buffer
        return buffer.hidden[:n]

    def greedy(self, hidden: torch.Tensor) -> list[tuple[int, float]] | None:
        """What the last step found for these rows of its hidden states; None when they are not its own."""
        if self._last is None or (row := self._last.row_of(hidden)) is None:
            return None
        return self._last.results(row, len(hidden))


def describe(spans: Sequence[Span]) -> tuple[list[int], list[list[int]]]:
    """The slot that every token writes, and the bounds of what it sees."""
    slots: list[int] = []
    bounds: list[list[int]] = []
    for span in spans:
        for slot in range(span.write, span.write + span.n):
            slots.append(slot)
            bounds.append(_flat([*span.attend, (span.write, slot + 1)]))
    return slots, bounds


def _flat(ranges: list[tuple[int, int]]) -> list[int]:
    """Half-open ranges as sorted bounds; those that touch become one."""
    flat: list[int] = []
    for begin, end in sorted(ranges):
        if flat and begin <= flat[-1]:
            flat[-1] = max(flat[-1], end)
        elif begin < end:
            flat += [begin, end]
    return flat


def tiles_for(end: int, most: int) -> int:
    """How many tiles a step reads to see slots below `end`: a power of two, or all there are."""
    n = _MIN_TILES
    while n * TILE < end:
        n *= 2
    return min(n, most)


def seen(bounds: torch.Tensor, n_tiles: int) -> torch.Tensor:
    """What to add to scores, (tiles, 1, n, TILE) fp32: 0 where a row sees a slot, else -inf.

    bounds: (n, 2 * ranges) int64, ascending in each row.
    """
    slots = torch.arange(n_tiles * TILE, device=bounds.device).repeat(len(bounds), 1)
    is_seen = torch.searchsorted(bounds, slots, right=True).bitwise_and_(1).bool()
    mask = torch.zeros(is_seen.shape, device=bounds.device).masked_fill_(~is_seen, float("-inf"))
    return mask.view(len(bounds), n_tiles, 1, TILE).permute(1, 2, 0, 3)


def attend_tiles(q: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Grouped-query attention over whole tiles: q (n, heads, dim); keys, values (tiles, kv_heads, TILE, dim).

    Every tile of every KV head is one matrix of a batch, so that a long context keeps the whole device busy with a
    single token (the idea of flash decoding, Dao et al. 2023). Scores and sums are fp32. Returns (n, heads * dim).
    """
    n, n_heads, dim = q.shape
    n_tiles, n_kv_heads = keys.shape[:2]
    groups = n_heads // n_kv_heads
    rows = q.view(n, n_kv_heads, groups, dim).permute(1, 2, 0, 3).reshape(n_kv_heads, groups * n, dim)
    batch = rows.expand(n_tiles, -1, -1, -1).reshape(-1, groups * n, dim)
    scores = _product(batch, keys.flatten(0, 1).transpose(1, 2)).view(n_tiles, n_kv_heads, groups, n, TILE)
    # Written where one row's scores lie side by side: then softmax is one kernel, and at this size kernels are counted.
    seen_scores = torch.empty(n_kv_heads, groups, n, n_tiles, TILE, dtype=torch.float32, device=q.device)
    by_row = (1, 2, 3, 0, 4)
    torch.add(mask[:, :, None].permute(by_row), scores.permute(by_row), alpha=dim**-0.5, out=seen_scores)
    weights = seen_scores.flatten(3).softmax(3).view(seen_scores.shape).permute(3, 0, 1, 2, 4)
    by_tile = weights.to(q.dtype, memory_format=torch.contiguous_format).reshape(-1, groups * n, TILE)
    parts = _product(by_tile, values.flatten(0, 1)).view(n_tiles, n_kv_heads, groups, n, dim)
    return parts.sum(0).permute(2, 0, 1, 3).to(q.dtype).reshape(n, -1)


def _product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Batched matrix product with an fp32 result; on the CPU, which has no such kernel, of fp32 factors."""
    if a.is_cuda and a.dtype is not torch.float32:
        return torch.bmm(a, b, out_dtype=torch.float32)
    return a.float() @ b.float()
