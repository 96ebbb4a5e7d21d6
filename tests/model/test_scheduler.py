"""The scheduler on a real (tiny, fp32) decoder: reuse equals recomputation, and a newer request comes first."""

import threading
from array import array
from pathlib import Path

import pytest
import torch

from model.generate import CHUNK_TOKENS, Finished, Request
from model.kv import SessionPool
from model.load import load_fp32
from model.sampler import ByteTable
from model.scheduler import Scheduler
from model.source import open_source
from tests.model.tiny import make_tiny_model

VOCAB = 262


class Answer:
    """Collects what the scheduler says about one request."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.candidates: dict[int, list[int]] = {}
        self.logprobs: list[float] = []
        self.finished: list[Finished] = []
        self.ended = threading.Event()
        self.first_token = threading.Event()

    def on_token(self, candidate: int, token_id: int, logprob: float) -> None:
        self.candidates.setdefault(candidate, []).append(token_id)
        self.tokens.append(token_id)
        self.logprobs.append(logprob)
        self.first_token.set()

    def on_finished(self, finished: Finished) -> None:
        self.finished.append(finished)
        self.ended.set()

    def wait(self) -> Finished:
        assert self.ended.wait(30), "no Finished within 30 s"
        assert len(self.finished) == 1
        return self.finished[0]


class Engine:
    """A scheduler with its thread, and short ways to ask it."""

    def __init__(self, folder: Path, max_slots: int = 8192) -> None:
        with open_source(folder) as weights:
            decoder = load_fp32(weights)
        table = ByteTable(VOCAB, lambda i: bytes([i]) if i < 256 else b"")
        self.scheduler = Scheduler(decoder, lambda: table, SessionPool(decoder.new_kv, max_slots))
        self._thread = threading.Thread(target=self.scheduler.run)
        self._n = 0

    def __enter__(self) -> "Engine":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.scheduler.stop()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def submit(
        self,
        prompt: list[int],
        session: str = "s",
        heal: bytes = b"",
        stop: tuple[int, ...] = (),
        n: int = 8,
        warm: bool = False,
        candidates: int = 1,
    ) -> tuple[int, Answer]:
        self._n += 1
        answer = Answer()
        self.scheduler.submit(
            Request(
                key=self._n,
                session=session,
                prompt=array("I", prompt),
                heal=heal,
                stop_token_ids=frozenset(stop),
                max_tokens=0 if warm else n,
                n_candidates=candidates,
                warm=warm,
                on_prefilled=lambda report: None,
                on_token=answer.on_token,
                on_finished=answer.on_finished,
            )
        )
        return self._n, answer

    def ask(self, prompt: list[int], session: str = "s", **more: object) -> tuple[Answer, Finished]:
        _, answer = self.submit(prompt, session, **more)  # type: ignore[arg-type]
        return answer, answer.wait()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


def prompt(n: int, seed: int = 0) -> list[int]:
    return torch.randint(0, 256, (n,), generator=torch.Generator().manual_seed(seed)).tolist()


def test_reused_keys_and_values_give_the_answer_of_a_fresh_computation(folder: Path) -> None:
    with Engine(folder) as engine:
        text = prompt(300)
        engine.ask(text[:200])
        warm, stats = engine.ask(text)
        fresh, fresh_stats = engine.ask(text, session="other")
        assert stats.n_cached == 200
        assert stats.n_computed == 100
        assert fresh_stats.n_cached == 0
        assert warm.tokens == fresh.tokens
        assert warm.logprobs == pytest.approx(fresh.logprobs, abs=1e-5)


def test_the_same_chunks_reused_give_the_same_bits(folder: Path) -> None:
    """Where the cut between reused and computed tokens is the same, fp32 reuse is exact."""
    with Engine(folder) as engine:
        text = prompt(CHUNK_TOKENS + 40)
        engine.ask([*text[:CHUNK_TOKENS], 1], n=1)
        warm, stats = engine.ask(text)
        fresh, _ = engine.ask(text, session="other")
        assert stats.n_cached == CHUNK_TOKENS
        assert warm.logprobs == fresh.logprobs


def test_the_generated_tokens_are_reused_when_they_are_accepted(folder: Path) -> None:
    with Engine(folder) as engine:
        text = prompt(50)
        first, _ = engine.ask(text, n=6)
        _, stats = engine.ask(text + first.tokens[:5] + [3])
        assert stats.n_cached >= 55
        assert stats.n_computed == 1


def test_a_changed_beginning_reuses_nothing_after_it(folder: Path) -> None:
    with Engine(folder) as engine:
        text = prompt(120)
        engine.ask(text)
        changed = [*text[:30], (text[30] + 1) % 256, *text[31:]]
        again, stats = engine.ask(changed)
        fresh, _ = engine.ask(changed, session="other")
        assert stats.n_cached == 30
        assert again.tokens == fresh.tokens


def test_generation_begins_with_the_healed_bytes(folder: Path) -> None:
    with Engine(folder) as engine:
        answer, _ = engine.ask(prompt(20), heal=b"retu")
        assert bytes(answer.tokens[:4]) == b"retu"


def test_candidates_are_the_best_beginnings_continued_greedily(folder: Path) -> None:
    with Engine(folder) as engine:
        text = prompt(300)
        plain, _ = engine.ask(text, n=12)
        answer, stats = engine.ask(text, session="other", n=12, candidates=4)
        assert answer.candidates[0] == plain.tokens
        assert len({tokens[0] for tokens in answer.candidates.values()}) == 4
        for tokens in answer.candidates.values():
            alone, _ = engine.ask([*text, tokens[0]], session="third", n=11)
            assert tokens[1:] == alone.tokens
        assert stats.n_generated == 48
        assert stats.finish == "length"


def test_the_first_candidate_stays_cached_and_the_others_leave_no_trace(folder: Path) -> None:
    with Engine(folder) as engine:
        text = prompt(60)
        answer, _ = engine.ask(text, n=10, candidates=3)
        again, stats = engine.ask(text + answer.candidates[0], n=5)
        fresh, _ = engine.ask(text + answer.candidates[0], session="other", n=5)
        assert stats.n_computed == 1
        assert again.tokens == fresh.tokens
        other, stats = engine.ask(text + answer.candidates[2], n=5)
        fresh, _ = engine.ask(text + answer.candidates[2], session="other", n=5)
        assert stats.n_cached == len(text)
        assert other.tokens == fresh.tokens


def test_every_candidate_begins_with_the_healed_bytes(folder: Path) -> None:
    with Engine(folder) as engine:
        answer, _ = engine.ask(prompt(20), heal=b"re", candidates=3)
        assert all(bytes(tokens[:2]) == b"re" for tokens in answer.candidates.values())


def test_a_stop_token_ends_the_generation_and_is_not_delivered(folder: Path) -> None:
    with Engine(folder) as engine:
        free, _ = engine.ask(prompt(40), n=8)
        stop = free.tokens[3]
        answer, stats = engine.ask(prompt(40), n=8, stop=(stop,))
        assert answer.tokens == free.tokens[: free.tokens.index(stop)]
        assert stats.finish == "stop"


def test_cancelling_ends_a_request_and_the_session_goes_on(folder: Path) -> None:
    with Engine(folder) as engine:
        key, answer = engine.submit(prompt(60), n=100_0)
        assert answer.first_token.wait(30)
        engine.scheduler.cancel(key)
        assert answer.wait().finish == "cancelled"
        again, stats = engine.ask(prompt(60))
        fresh, _ = engine.ask(prompt(60), session="other")
        assert stats.n_cached == 59
        assert again.tokens == fresh.tokens


def test_a_newer_request_of_the_same_session_supersedes_the_older(folder: Path) -> None:
    with Engine(folder) as engine:
        _, older = engine.submit(prompt(60), n=1000)
        _, newer = engine.submit([*prompt(60), 5])
        assert older.wait().finish == "superseded"
        assert newer.wait().finish in ("length", "stop")


def test_warming_gives_way_to_a_request_and_is_then_finished(folder: Path) -> None:
    with Engine(folder) as engine:
        _, warming = engine.submit(prompt(2000), session="warm", warm=True)
        answer, _ = engine.ask(prompt(30), session="now")
        assert len(answer.tokens) == 8
        warmed_before_answer = warming.ended.is_set()
        warming.wait()
        _, stats = engine.ask(prompt(2000), session="warm", n=1)
        assert stats.n_cached == 1999
        assert not warmed_before_answer


def test_a_cancelled_prefill_is_taken_up_by_the_next_prompt(folder: Path) -> None:
    """Typing during a cold prefill must not throw half-done chunks away: the answer is still right."""
    with Engine(folder) as engine:
        text = prompt(1500)
        for extra in range(5):
            _, answer = engine.submit([*text, *range(extra)], n=4)
        last, _ = engine.ask([*text, *range(5)], n=4)
        answer.wait()
        fresh, _ = engine.ask([*text, *range(5)], session="other", n=4)
        assert last.tokens == fresh.tokens


def test_a_failing_request_is_answered_and_the_next_one_works(folder: Path) -> None:
    with Engine(folder) as engine:
        _, stats = engine.ask([VOCAB + 100])  # outside of the vocabulary: the gather fails
        assert stats.finish == "failed"
        assert stats.error
        assert engine.ask(prompt(10))[1].finish == "length"


def test_stopping_answers_what_is_still_running(folder: Path) -> None:
    with Engine(folder) as engine:
        _, answer = engine.submit(prompt(60), n=3000)
        assert answer.first_token.wait(30)
    assert answer.wait().finish == "cancelled"
