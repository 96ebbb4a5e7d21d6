"""The llama.cpp peer, with the real wheel and the default model; skipped where either is not on this machine."""

import asyncio
import ctypes
from array import array
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from completion.types import Format, Prompt
from evals.peers import library, llamacpp_binding
from evals.peers.client import Worker, WorkerError
from evals.peers.library import PeerSettings, PeerUnavailable
from evals.peers.llamacpp import LlamaCppEngine, load_peer, open_peer
from evals.peers.llamacpp_binding import XLLAMACPP_VERSION, ContextParams, LlamaCpp, PlainContextParams
from evals.peers.worker_process import LIBRARIES, ByteTable
from model.library.catalog import DEFAULT_MODEL, resolve
from model.library.paths import models_dir

# "def add(a, b):\n    return"
IDS = [750, 912, 2877, 11, 293, 982, 262, 470]
_SPELLED = {262: b"   ", 470: b" return", 264: b" a", 488: b" +", 293: b" b", 271: b"\n\n"}


class KnownBytes:
    """The bytes of the few tokens that the tests meet, and of single characters (ids below 95)."""

    def encode(self, text: str) -> list[int]:
        raise NotImplementedError

    def token_bytes(self, token_id: int) -> bytes:
        return bytes([token_id + 33]) if token_id < 94 else _SPELLED.get(token_id, b"")


def default_gguf() -> Path:
    """The default model's file; the test is skipped where it is not."""
    row = resolve(DEFAULT_MODEL).row
    assert row is not None
    gguf = models_dir() / row.file
    if not gguf.is_file():
        pytest.skip("the default model is not in the cache")
    return gguf


def skip_if_missing(error: WorkerError) -> None:
    """Skip the test for a wheel that is not installed; any other error is one."""
    if "pip install" not in str(error):
        raise error
    pytest.skip(str(error))


@pytest.fixture(scope="module")
def engine() -> Iterator[LlamaCppEngine]:
    try:
        engine = LlamaCppEngine(default_gguf(), KnownBytes(), PeerSettings(n_ctx=512))
    except WorkerError as error:
        skip_if_missing(error)
    yield engine
    engine.close()


def generate(engine: LlamaCppEngine, ids: list[int], heal: bytes = b"", max_tokens: int = 6) -> tuple[list[int], int]:
    """Generated ids and how many prompt tokens were reused."""
    prompt = Prompt(
        token_ids=array("I", ids), heal=heal, stop_token_ids=(151643,), max_tokens=max_tokens, format=Format.LEFT
    )

    async def collect() -> tuple[list[int], int]:
        tokens: list[int] = []
        n_cached = -1
        async for delta in engine.generate(prompt, session="test"):
            tokens += delta.token_ids
            n_cached = delta.stats.n_cached if delta.stats else n_cached
        return tokens, n_cached

    return asyncio.run(collect())


def test_it_completes_code(engine: LlamaCppEngine) -> None:
    tokens, _ = generate(engine, IDS, max_tokens=4)
    assert tokens[:3] == [264, 488, 293]  # " a + b"


def test_the_common_prefix_is_reused_and_changes_nothing(engine: LlamaCppEngine) -> None:
    generate(engine, IDS[:3], max_tokens=1)
    cold, _ = generate(engine, [500, *IDS])
    warm, n_cached = generate(engine, [500, *IDS])
    assert n_cached == len(IDS)  # all but the last token, whose logits are needed
    assert warm == cold


def test_a_generation_begins_with_the_bytes_that_were_taken_back(engine: LlamaCppEngine) -> None:
    tokens, _ = generate(engine, IDS[:-2], heal=b"    return", max_tokens=3)
    assert tokens == [262, 470, 264]


def test_a_consumer_that_stops_early_leaves_the_engine_usable(engine: LlamaCppEngine) -> None:
    async def stop_after_two() -> None:
        prompt = Prompt(token_ids=array("I", IDS), heal=b"", stop_token_ids=(), max_tokens=50, format=Format.LEFT)
        deltas = engine.generate(prompt, session="test")
        seen = 0
        async for delta in deltas:
            seen += len(delta.token_ids)
            if seen == 2:
                break
        await deltas.aclose()  # type: ignore[attr-defined]

    asyncio.run(stop_after_two())
    assert generate(engine, IDS, max_tokens=3)[0] == [264, 488, 293]


def test_the_greedy_continuation_is_the_most_probable_of_its_scores(engine: LlamaCppEngine) -> None:
    best = engine.target_logprobs(IDS, [264, 488, 293])
    other = engine.target_logprobs(IDS, [488, 264, 293])
    assert len(best) == 3
    assert best[0] > other[0]
    assert all(value <= 0 for value in best)
    assert engine.target_logprobs(IDS[:4], [*IDS[4:], 264])[-1] == pytest.approx(best[0], abs=0.05)


def test_a_missing_model_is_an_error_in_words(tmp_path: Path, engine: LlamaCppEngine) -> None:
    with pytest.raises(WorkerError, match=r"cannot load gone\.gguf"):
        LlamaCppEngine(tmp_path / "gone.gguf", KnownBytes(), PeerSettings())


def test_another_version_of_the_wheel_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "version", lambda name: "1.0")
    with pytest.raises(PeerUnavailable, match=f"pip install xllamacpp=={XLLAMACPP_VERSION}"):
        LlamaCpp()


def test_a_shifted_struct_is_refused() -> None:
    params = ContextParams(n_batch=512)
    with pytest.raises(PeerUnavailable, match="n_batch is 512, not 2048"):
        library.check_defaults("params", params, {"n_batch": 2048})


class Laid:
    """A library of one layout: it writes its struct into room for the one that the caller believes in."""

    def __init__(self, layout: type[ctypes.Structure], **defaults: object) -> None:
        self.written = bytes(layout(**{**llamacpp_binding.KNOWN_CONTEXT_DEFAULTS, **defaults}))
        self.llama_context_default_params = self
        self.llama_init_from_model = SimpleNamespace(argtypes=[])
        self.restype: type[ctypes.Structure] = ContextParams

    def __call__(self) -> ctypes.Structure:
        assert len(self.written) <= ctypes.sizeof(self.restype), "a library would write over what is behind it"
        return self.restype.from_buffer_copy(self.written.ljust(ctypes.sizeof(self.restype), b"\0"))


@pytest.mark.parametrize("layout", [ContextParams, PlainContextParams])
def test_the_layout_that_shows_the_defaults_is_used(layout: type[ctypes.Structure]) -> None:
    laid = Laid(layout)
    llamacpp_binding.check_context_layout(laid)  # type: ignore[arg-type]
    assert laid.restype is layout


def test_a_library_of_neither_layout_is_refused() -> None:
    laid = Laid(PlainContextParams, n_batch=512)
    with pytest.raises(PeerUnavailable, match="n_batch is 512, not 2048"):
        llamacpp_binding.check_context_layout(laid)  # type: ignore[arg-type]


def test_the_byte_table_allows_what_continues_or_covers_the_outstanding_bytes() -> None:
    table = ByteTable([b"", b"re", b"return", b"retry", b"r", b"x", b"returned"])
    assert table.allowed(b"return") == [1, 2, 4, 6]
    assert table.allowed(b"ret") == [1, 2, 3, 4, 6]


def test_a_worker_that_cannot_start_is_an_error() -> None:
    with Worker("evals.no_such_module") as worker, pytest.raises(WorkerError, match="ended with code 1"):
        worker.ask("load")


@pytest.mark.model
@pytest.mark.parametrize("name", LIBRARIES)
def test_each_peer_generates_steps_and_fills_its_cache_with_copies(name: str) -> None:
    gguf = default_gguf()
    with open_peer(name) as peer:
        try:
            load_peer(peer, gguf, PeerSettings(n_ctx=512))
        except WorkerError as error:
            skip_if_missing(error)
        peer.ask("start", ids=IDS, heal="", keep=True)
        assert peer.ask("next", after=None)["id"] == 264
        generated = peer.ask("time_generate", ids=IDS, n_tokens=2, speculate=False)
        assert generated["n"] == 2
        assert peer.ask("time_prefill", ids=IDS * 10)["s"] > 0
        peer.ask("fill", n=203)
        for position in (203, 80):
            assert peer.ask("time_step", ids=IDS, position=position)["s"] > 0
        # What was copied is beyond the truncation: the prefix is as good as new.
        peer.ask("start", ids=IDS, heal="", keep=True)
        assert peer.ask("next", after=None)["id"] == 264


def test_a_library_that_somebody_built_is_used_in_place_of_the_wheels() -> None:
    try:
        path = library.wheel_file("xllamacpp", XLLAMACPP_VERSION, "xllamacpp", "xllamacpp*.so")
    except PeerUnavailable as error:
        pytest.skip(str(error))
    with open_peer("llamacpp", path) as worker:
        assert load_peer(worker, default_gguf(), PeerSettings(n_ctx=256)) > 100_000


@pytest.mark.parametrize("content", [None, b"no library"])
def test_what_is_no_llamacpp_is_refused_with_its_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "libother.so"
    if content is not None:
        path.write_bytes(content)
    with open_peer("llamacpp", path) as worker, pytest.raises(WorkerError, match=r"libother\.so is no llama\.cpp"):
        worker.ask("load", model="x", settings={})
