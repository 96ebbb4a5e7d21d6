"""A device that fails in the middle of requests: the processor goes on, and no request is lost or answered twice."""

from array import array
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from model.decoders.interface import Chunks, Decoder, Ids, States
from model.decoders.kv import KV, Span
from model.engine.device import Choice
from model.engine.generate import Engine, Finished, Request
from model.engine.layout import Part, Window, window_of
from model.engine.resume import rest_of
from model.engine.sampler import ByteTable
from model.engine.scheduler import Scheduler
from model.engine.session import SessionPool
from model.engine.startup import Loaded, Loader
from model.library.catalog import resolve
from model.link.spawn import EngineSettings
from model.weights.load_torch import load_fp32
from model.weights.source import open_source
from tests.model.engine.test_scheduler import VOCAB, Answer
from tests.model.tiny import engine_of

OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
UNPLUGGED = RuntimeError("CUDA error: unspecified launch failure")
PROMPT = [number * 7 % 250 for number in range(300)]
TABLE = ByteTable(VOCAB, lambda i: bytes([i]) if i < 256 else b"")


class FailingDecoder:
    """A decoder whose forwards fail from the given one on, in the given layer, as an unplugged card's would."""

    def __init__(self, inner: Decoder, n_good: int, error: Exception) -> None:
        self._inner, self._n_good, self._error = inner, n_good, error
        self.architecture, self.chunks = inner.architecture, Chunks(prefill=100)
        self.new_kv, self.new_block, self.move = inner.new_kv, inner.new_block, inner.move
        self.scores, self.greedy, self.join = inner.scores, inner.greedy, inner.join

    def forward(self, ids: Ids, positions: Ids, kv: KV, spans: Sequence[Span]) -> Generator[None, None, States]:
        self._n_good -= 1
        steps = self._inner.forward(ids, positions, kv, spans)
        if self._n_good < 0:
            next(steps)
            yield
            raise self._error
        return (yield from steps)


@dataclass
class Other:
    engine: Engine
    pool: SessionPool
    device: str = "on the processor: the card failed"


def decoder_of(folder: Path) -> Decoder:
    with open_source(folder) as weights:
        return load_fp32(weights)


def request(answer: Answer, prefilled: list[object], key: int = 0, **more: object) -> Request:
    fields: dict[str, object] = {
        "key": key,
        "session": f"s{key}",
        "window": window_of(array("I", PROMPT), ()),
        "heal": b"",
        "stop_token_ids": frozenset(),
        "max_tokens": 12,
        "speculate": False,
        "on_prefilled": prefilled.append,
        "on_token": answer.on_token,
        "on_finished": answer.on_finished,
    }
    return Request(**{**fields, **more})  # type: ignore[arg-type]


def answer_of(scheduler: Scheduler, **more: object) -> Answer:
    """One request, run to its end in this thread."""
    answer, prefilled = Answer(), []

    def on_finished(report: Finished) -> None:
        answer.on_finished(report)
        scheduler.stop()

    scheduler.submit(request(answer, prefilled, on_finished=on_finished, **more))
    scheduler.run()
    assert len(answer.finished) == 1
    assert len(prefilled) <= 1
    return answer


def run(folder: Path, n_good: int, error: Exception, rescued: bool = True, **more: object) -> tuple[Answer, Scheduler]:
    """One request on a decoder that fails after `n_good` forwards."""
    failing = FailingDecoder(decoder_of(folder), n_good, error)
    scheduler = Scheduler(engine_of(failing, TABLE), SessionPool(failing.new_kv, 100_000_000))
    if rescued:
        healthy = decoder_of(folder)
        other = Other(engine_of(healthy, TABLE), SessionPool(healthy.new_kv, 100_000_000))
        scheduler.rescue = lambda failed: other if failed is error else None
    return answer_of(scheduler, **more), scheduler


@pytest.mark.parametrize("error", [OUT_OF_MEMORY, UNPLUGGED])
@pytest.mark.parametrize("n_good", [0, 2, 3, 5, 13])
def test_a_request_ends_as_if_nothing_had_failed(tiny_model: Path, n_good: int, error: Exception) -> None:
    """Failing in the prefill's chunks (three), at the first token and later."""
    expected, _ = run(tiny_model, 10_000, error)
    answer, scheduler = run(tiny_model, n_good, error)
    assert answer.tokens == expected.tokens
    assert answer.logprobs == pytest.approx(expected.logprobs, abs=1e-3)
    assert answer.finished[0].finish == expected.finished[0].finish == "length"
    assert answer.finished[0].stats.n_generated == 12
    assert scheduler.device == "on the processor: the card failed"
    assert type(error).__name__ in scheduler.counters.last_error


@pytest.mark.parametrize("more", [{"n_candidates": 3}, {"target": array("I", [5, 6, 7])}, {"heal": b"ab"}])
@pytest.mark.parametrize("n_good", [1, 4])
def test_every_kind_of_request_goes_on(tiny_model: Path, n_good: int, more: dict[str, object]) -> None:
    expected, _ = run(tiny_model, 10_000, UNPLUGGED, **more)
    answer, _ = run(tiny_model, n_good, UNPLUGGED, **more)
    assert answer.finished[0].finish in ("length", "stop")
    for candidate, tokens in answer.candidates.items():
        assert tokens == expected.candidates[candidate][: len(tokens)]
    if "n_candidates" not in more or n_good == 1:
        assert answer.tokens == expected.tokens


def test_an_error_that_is_no_devices_fails_its_request_alone(tiny_model: Path) -> None:
    answer, scheduler = run(tiny_model, 1, RuntimeError("shapes"), rescued=False)
    assert answer.finished[0].finish == "failed"
    assert scheduler.device == "on the processor"


def test_what_is_left_of_a_request_spells_the_rest(tiny_model: Path) -> None:
    asked = request(Answer(), [], heal=b"abc", window=Window(array("I", [1, 2]), (Part(0, 2, 0, False),)))
    rest = rest_of(asked, array("I", [97, 98]), TABLE)
    assert rest is not None
    assert (rest.heal, rest.max_tokens, list(rest.window.ids)) == (b"c", 10, [1, 2, 97, 98])
    assert rest.window.parts == (Part(0, 4, 0, False),)
    assert rest_of(asked, array("I", [0] * 12), TABLE) is None


@pytest.fixture
def loader(tiny_model: Path, ready_cache: Path) -> Loader:
    """One that believes to run on a card."""
    settings = EngineSettings(model=str(tiny_model), device="cuda")
    decoder = decoder_of(tiny_model)
    present = Loaded(
        engine_of(decoder),
        SessionPool(decoder.new_kv, 100_000_000),
        ready_cache,
        Choice(device="cuda", kind="bf16", reason="NVIDIA Test"),
    )
    return Loader(settings, resolve(str(tiny_model)), tiny_model, lambda *what: None, present)


def test_full_memory_is_emptied_once_and_then_left(loader: Loader) -> None:
    present = loader._present
    assert present is not None
    present.pool.acquire("document", 100)
    assert loader.rescue(OUT_OF_MEMORY) is present
    assert len(present.pool) == 0
    other = loader.rescue(OUT_OF_MEMORY)
    assert other is not None
    assert other.choice.device == "cpu"
    assert other.device.endswith(
        "the graphics card's memory is full: close what else uses it, or choose a smaller model"
    )
    assert loader.rescue(OUT_OF_MEMORY) is None  # the processor has nothing behind it


def test_a_card_that_is_gone_is_left_at_once(loader: Loader) -> None:
    other = loader.rescue(UNPLUGGED)
    assert other is not None
    assert "on the processor" in other.device
    assert "does not answer any more" in other.device


def test_an_ordinary_error_changes_nothing(loader: Loader) -> None:
    before = loader._present
    assert loader.rescue(RuntimeError("shapes do not match")) is None
    assert loader._present is before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card here")
@pytest.mark.parametrize("kind", ["bf16", "nf4", "llmint8"])
def test_a_card_that_fails_while_loading_is_the_processor_with_a_reason(loader: Loader, kind: str) -> None:
    loaded = loader.load(Choice(device="cuda", kind=kind, reason="NVIDIA Test"))
    assert loaded.choice.device == "cpu"
    assert "this torch is built for the processor alone" in loaded.device or "NVIDIA" in loaded.device


def test_publish_is_called_in_words(tiny_model: Path, tiny_cache: Path) -> None:
    said: list[str] = []
    publish: Callable[..., None] = lambda phase, message, fraction=-1.0: said.append(message)  # noqa: E731
    loader = Loader(EngineSettings(model=str(tiny_model)), resolve(str(tiny_model)), tiny_model, publish)
    loader.load(Choice(device="cpu", kind="int4", reason=""))
    assert any(message.startswith("quantizing") for message in said)
