"""The scheduler on a real (tiny, fp32) decoder: reuse equals recomputation, and a newer request comes first."""

import shutil
import threading
import time
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from completion.types import GenerationStats, Piece, Priority
from model.decoders.interface import run_to_end
from model.decoders.kv import Span
from model.engine.generate import CHUNK_TOKENS, Finished, Request
from model.engine.layout import window_of
from model.engine.sampler import ByteTable
from model.engine.scheduler import Scheduler
from model.engine.session import SessionPool
from model.weights.load_torch import load_fp32
from model.weights.source import open_source
from tests.model.tiny import engine_of, make_tiny_model

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

    def on_token(self, candidate: int, token_id: int, logprob: float, spelled: float) -> None:
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

    def __init__(
        self,
        folder: Path,
        max_mb: int = 100,
        exact_after_s: float | None = None,
        may_idle: Callable[[], bool] = lambda: True,
    ) -> None:
        with open_source(folder) as weights:
            decoder = load_fp32(weights)
        table = ByteTable(VOCAB, lambda i: bytes([i]) if i < 256 else b"")
        self.pool = SessionPool(decoder.new_kv, max_mb * 1_000_000)
        self.scheduler = Scheduler(engine_of(decoder, table), self.pool, may_idle, exact_after_s)
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
        line_only: bool = False,
        pieces: tuple[Piece, ...] = (),
        deadline_ms: float | None = None,
        target: list[int] | None = None,
        priority: Priority = Priority.INTERACTIVE,
    ) -> tuple[int, Answer]:
        self._n += 1
        answer = Answer()
        self.scheduler.submit(
            Request(
                key=self._n,
                session=session,
                window=window_of(array("I", prompt), pieces),
                heal=heal,
                stop_token_ids=frozenset(stop),
                max_tokens=0 if warm else n,
                n_candidates=candidates,
                line_only=line_only,
                target=array("I", target or []),
                priority=Priority.WARM if warm else priority,
                deadline_ms=deadline_ms,
                on_prefilled=lambda report: None,
                on_token=answer.on_token,
                on_finished=answer.on_finished,
            )
        )
        return self._n, answer

    def ask(self, prompt: list[int], session: str = "s", **more: object) -> tuple[Answer, GenerationStats]:
        _, answer = self.submit(prompt, session, **more)  # type: ignore[arg-type]
        return answer, answer.wait().stats


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


def test_a_target_is_scored_as_it_would_have_been_generated(folder: Path) -> None:
    with Engine(folder) as engine:
        text = prompt(300)
        generated, _ = engine.ask(text, n=6)
        scored, stats = engine.ask(text, target=generated.tokens)
        assert (scored.tokens, scored.wait().finish, stats.n_generated) == (generated.tokens, "stop", 0)
        assert scored.logprobs == pytest.approx(generated.logprobs, abs=1e-4)
        assert stats.n_computed <= 1


@pytest.mark.parametrize("n_prompt", [100, 256, 257, 300])  # a prompt is read in chunks of 256
def test_scores_are_those_of_one_pass_over_it_all(folder: Path, n_prompt: int) -> None:
    with Engine(folder) as engine:
        text, target = prompt(n_prompt), prompt(20, seed=1)
        before, _ = engine.ask(text, session="first")
        scored, _ = engine.ask(text, target=target)
        for n in (0, 1, 10, 19):
            (logprob,) = engine.ask([*text, *target[:n]], session="other", target=[target[n]])[0].logprobs
            assert scored.logprobs[n] == pytest.approx(logprob, abs=1e-4)
        after, stats = engine.ask(text)
        assert after.tokens == before.tokens
        assert stats.n_computed <= 1


def test_of_a_text_that_begins_like_one_that_was_scored_only_the_rest_is_computed(folder: Path) -> None:
    with Engine(folder) as engine:
        text, target = prompt(100), prompt(20, seed=1)
        other = [*target[:12], *prompt(8, seed=2)]
        engine.ask(text, target=target)
        rest, stats = engine.ask([*text, *target[:12]], target=other[12:])
        assert stats.n_computed <= 1
        whole, _ = engine.ask(text, session="other", target=other)
        assert rest.logprobs == pytest.approx(whole.logprobs[12:], abs=1e-4)


def test_a_score_that_is_given_up_leaves_nothing_behind(folder: Path) -> None:
    with Engine(folder) as engine:
        text = prompt(60)
        fresh, _ = engine.ask(text, session="other")
        for _ in range(5):
            engine.submit(text, target=prompt(2000, seed=1))
            answer, _ = engine.ask(text)
            assert answer.tokens == fresh.tokens


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


@pytest.fixture(scope="module")
def sure_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that is surer of its tokens than random weights are, as real ones are."""
    folder = make_tiny_model(tmp_path_factory.mktemp("sure"))
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"] = weights["lm_head.weight"] * 30
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def logprobs_after(folder: Path, text: list[int], tokens: list[int]) -> torch.Tensor:
    """Log-probabilities (1 + len(tokens), vocab) of what comes after the text and after each of the tokens."""
    with open_source(folder) as weights:
        decoder = load_fp32(weights)
        ids = text + tokens
        kv = decoder.new_kv(len(ids))
        steps = decoder.forward(torch.tensor(ids), torch.arange(len(ids)), kv, [Span(len(ids), (), 0)])
        return decoder.logits(run_to_end(steps)).log_softmax(1)[len(text) - 1 :]


def n_common(a: list[int], b: list[int]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def test_candidates_part_from_the_best_where_that_is_most_probable_and_go_on_greedily(sure_folder: Path) -> None:
    with Engine(sure_folder) as engine:
        text = prompt(300)
        plain, _ = engine.ask(text, n=12)
        answer, stats = engine.ask(text, session="other", n=12, candidates=5)
        best, *others = answer.candidates.values()
        assert best == plain.tokens
        assert 10 not in best[:-1]  # it is one line
        found = set()
        for tokens in others:
            n = n_common(best, tokens)
            found.add((n, tokens[n]))
            alone, _ = engine.ask(text + tokens[: n + 1], session="third", n=11 - n) if n < 11 else (Answer(), None)
            assert tokens[n + 1 :] == alone.tokens
        assert len({n for n, _ in found}) > 1
        assert stats.n_generated == 60
        assert answer.wait().finish == "length"
    after = logprobs_after(sure_folder, text, best)
    total, totals = 0.0, {}
    for n, token in enumerate(best):
        totals |= {(n, other): total + float(after[n, other]) for other in range(VOCAB) if other != token}
        total += float(after[n, token])
    assert found == set(sorted(totals, key=lambda place: -totals[place])[:4])


def forwards(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens each forward has from now on."""
    decoder, sizes = engine.scheduler._engine.decoder, []
    forward = decoder.forward

    def counting(ids: torch.Tensor, *rest: object) -> object:
        sizes.append(len(ids))
        return forward(ids, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(decoder, "forward", counting)
    return sizes


@pytest.mark.parametrize("heal", [b"", b"ab"])
def test_candidates_behind_a_first_answer_are_those_of_a_fresh_session_and_run_its_tokens_no_more(
    sure_folder: Path, monkeypatch: pytest.MonkeyPatch, heal: bytes
) -> None:
    with Engine(sure_folder) as engine:
        text = prompt(300)
        fresh, _ = engine.ask(text, session="fresh", n=12, candidates=4, heal=heal)
        first, _ = engine.ask(text, n=12, heal=heal)
        sizes = forwards(engine, monkeypatch)
        again, _ = engine.ask(text, n=12, candidates=4, heal=heal)
        assert again.candidates == fresh.candidates
        assert again.logprobs == pytest.approx(fresh.logprobs, abs=1e-3)
        n_parted = [n_common(fresh.candidates[0], fresh.candidates[number]) for number in (1, 2, 3)]
        steps = 11 - min(n_parted)  # side by side, behind the token that differs
        assert len(sizes) == 1 + steps, "the prompt's last token, and the others"
        assert first.tokens == fresh.candidates[0]
        other, _ = engine.ask([*text[:-1], 7], n=12, candidates=4, heal=heal)  # another prompt is not taken for it
        fresh, _ = engine.ask([*text[:-1], 7], session="fresh", n=12, candidates=4, heal=heal)
        assert other.candidates == fresh.candidates


def test_what_was_said_is_not_recalled_when_something_else_was_read_behind_the_prompt(sure_folder: Path) -> None:
    with Engine(sure_folder) as engine:
        text = prompt(300)
        fresh, _ = engine.ask(text, session="fresh", n=12, candidates=4)
        engine.ask(text, n=12)
        engine.ask(text, target=[*fresh.candidates[0][:3], 5, 6, 7, 8])
        again, _ = engine.ask(text, n=12, candidates=4)
        assert again.candidates == fresh.candidates
        assert again.logprobs == pytest.approx(fresh.logprobs, abs=1e-3)


def test_candidates_that_are_lines_end_with_them(folder: Path) -> None:
    with Engine(folder) as engine:
        text = next(text for text in (prompt(40, seed) for seed in range(999)) if line_of(engine, text))
        plain, _ = engine.ask(text, n=12)
        answer, _ = engine.ask(text, session="other", n=12, candidates=4, line_only=True)
        whole, _ = engine.ask(text, session="third", n=12, candidates=4)
        assert answer.candidates[0] == plain.tokens[: plain.tokens.index(10) + 1]
        for number, tokens in answer.candidates.items():
            ends = [i for i, token in enumerate(whole.candidates[number]) if token == 10]
            assert tokens == whole.candidates[number][: ends[0] + 1 if ends else None]


def test_no_candidate_that_is_a_line_is_the_best_but_for_how_it_ends(sure_folder: Path, tmp_path: Path) -> None:
    weights = load_file(sure_folder / "model.safetensors")
    shutil.copytree(sure_folder, tmp_path / "blanks")
    head = weights["lm_head.weight"].clone()
    head[32] = head[10] * 0.999  # a blank is the next best wherever the line ends
    save_file(weights | {"lm_head.weight": head}, tmp_path / "blanks" / "model.safetensors", {"format": "pt"})
    with Engine(tmp_path / "blanks") as engine:
        text = next(text for text in (prompt(40, seed) for seed in range(999)) if line_of(engine, text))
        whole, _ = engine.ask(text, n=6, candidates=8)
        answer, _ = engine.ask(text, session="other", n=6, candidates=8, line_only=True)
    end = whole.candidates[0].index(10)
    assert [*whole.candidates[0][:end], 32] in [tokens[: end + 1] for tokens in whole.candidates.values()]
    assert [*whole.candidates[0][:end], 32] not in [tokens[: end + 1] for tokens in answer.candidates.values()]
    assert len(answer.candidates) == 8


def test_no_candidate_that_is_a_line_says_nothing(folder: Path) -> None:
    with Engine(folder) as engine:
        for seed in range(999):
            text = prompt(40, seed)
            whole, _ = engine.ask(text, n=4, candidates=4)
            begins = [tokens[0] for tokens in whole.candidates.values()]
            if begins[0] != 10 and 10 in begins:
                break
        answer, _ = engine.ask(text, session="other", n=4, candidates=4, line_only=True)
        assert len(answer.candidates) == 4
        assert all(tokens[0] != 10 for tokens in answer.candidates.values())


def test_a_draft_that_goes_on_behind_the_first_line_leaves_no_trace(folder: Path) -> None:
    with Engine(folder) as engine:
        text = next(text for text in (prompt(40, seed) for seed in range(999)) if line_of(engine, text))
        plain, _ = engine.ask(text, n=12)  # what drafts come from
        kept = engine.pool.get("s")
        assert kept is not None
        n_line = plain.tokens.index(10) + 1
        kept.answer = None  # the answer is decoded once more
        kept.suggestion[8 + n_line :] = array("I", [token ^ 1 for token in kept.suggestion[8 + n_line :]])  # not so
        answer, stats = engine.ask(text, n=12, candidates=3)
        assert stats.n_accepted > 0
        assert answer.candidates[0] == plain.tokens
        again, stats = engine.ask(text + plain.tokens, n=6)
        fresh, _ = engine.ask(text + plain.tokens, session="other", n=6)
        assert stats.n_computed == 1
        assert again.tokens == fresh.tokens


def line_of(engine: Engine, text: list[int]) -> bool:
    """Whether the best answer is a line of four to six tokens."""
    answer, _ = engine.ask(text, n=12)
    return 10 in answer.tokens[3:6] and 10 not in answer.tokens[:3]


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
        answer, stats = engine.ask(prompt(20), heal=b"re", candidates=3, n=8)
        assert all(bytes(tokens[:2]) == b"re" for tokens in answer.candidates.values())
        assert len({tuple(tokens) for tokens in answer.candidates.values()}) == 3  # they part behind what was typed
        assert (stats.n_generated, [len(tokens) for tokens in answer.candidates.values()]) == (24, [8, 8, 8])
        plain, _ = engine.ask(prompt(20), heal=b"re", session="other", n=8)
        assert answer.candidates[0] == plain.tokens
        again, stats = engine.ask([*prompt(20), *plain.tokens], n=2)
        assert (stats.n_computed, again.tokens) == (
            1,
            engine.ask([*prompt(20), *plain.tokens], session="3", n=2)[0].tokens,
        )


def test_without_room_behind_the_healed_bytes_there_is_one_candidate(folder: Path) -> None:
    with Engine(folder) as engine:
        answer, _ = engine.ask(prompt(20), heal=b"return", candidates=3, n=4)
        plain, _ = engine.ask(prompt(20), heal=b"return", session="other", n=4)
        assert (answer.candidates, answer.wait().finish) == ({0: plain.tokens}, "length")


def test_a_stop_token_ends_the_generation_and_is_not_delivered(folder: Path) -> None:
    with Engine(folder) as engine:
        free, _ = engine.ask(prompt(40), n=8)
        stop = free.tokens[3]
        answer, _ = engine.ask(prompt(40), n=8, stop=(stop,))
        assert answer.tokens == free.tokens[: free.tokens.index(stop)]
        assert answer.wait().finish == "stop"


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
        failed, _ = engine.ask([VOCAB + 100])  # outside of the vocabulary: the gather fails
        assert failed.wait().finish == "failed"
        assert failed.wait().error
        assert engine.ask(prompt(10))[0].wait().finish == "length"


class Unforeseen(Exception):
    """Of a kind that nobody expects."""


@pytest.mark.parametrize("raised", [OSError(30, "Read-only file system"), Unforeseen("what?"), KeyError("k")])
def test_whatever_a_request_raises_ends_it_and_its_session_and_nothing_else(folder: Path, raised: Exception) -> None:
    text = Composed(n_far=100)
    with Engine(folder) as engine:
        before, _ = engine.ask(text.ids, pieces=text.pieces)
        blocks = engine.scheduler._engine.blocks

        def fail(key: str, n_tokens: int) -> None:
            raise raised

        works, blocks.get = blocks.get, fail  # type: ignore[method-assign]
        failed = engine.ask(text.ids, session="t", pieces=text.pieces)[0].wait()
        assert (failed.finish, failed.error) == ("failed", str(raised))
        blocks.get = works  # type: ignore[method-assign]
        after, _ = engine.ask(text.ids, session="t", pieces=text.pieces)
        assert after.tokens == before.tokens
        assert type(raised).__name__ in engine.scheduler.counters.last_error


def test_a_failure_of_the_loop_itself_ends_what_is_there_and_the_loop_goes_on(folder: Path) -> None:
    broken = threading.Event()

    def may_idle() -> bool:
        if broken.is_set():
            raise OSError("no battery can be asked")
        return True

    with Engine(folder, may_idle=may_idle) as engine:
        before, _ = engine.ask(prompt(100))
        broken.set()
        answers = [engine.submit(prompt(300), session=name, priority=Priority.NEXT)[1] for name in "ab"]
        assert {answer.wait().finish for answer in answers} == {"failed"}
        broken.clear()
        assert engine.ask(prompt(100))[0].tokens == before.tokens


def test_stopping_answers_what_is_still_running(folder: Path) -> None:
    with Engine(folder) as engine:
        _, answer = engine.submit(prompt(60), n=3000)
        assert answer.first_token.wait(30)
    assert answer.wait().finish == "cancelled"


# -- windows of blocks ---------------------------------------------------------------------------------------


class Composed:
    """A prompt of a header, two blocks and a tail, as ids and pieces."""

    def __init__(self, n_far: int = 0, n_near: int = 150) -> None:
        parts = [(12, 0, False), (300, 3, True), (260, 1, True), (n_far, 1, False), (n_near, 0, False)]
        self.ids = prompt(sum(n for n, _, _ in parts), seed=5)
        self.pieces = tuple(Piece(n_tokens=n, rank=rank, block=block) for n, rank, block in parts)


def test_a_window_brought_in_ahead_answers_at_once_and_like_one_that_was_paid_for(folder: Path) -> None:
    text = Composed(n_far=200)
    with Engine(folder) as engine:
        _, warming = engine.submit(text.ids, session="warm", warm=True, pieces=text.pieces)
        assert warming.wait().stats.n_computed == len(text.ids) - 1
        quick, stats = engine.ask(text.ids, session="warm", pieces=text.pieces, deadline_ms=1000.0)
        assert (stats.rung, stats.n_blocks, stats.n_computed) == ("window", 2, 1)
        assert stats.n_attended == len(text.ids)
    with Engine(folder) as engine:
        patient, stats = engine.ask(text.ids, pieces=text.pieces)
        assert (stats.rung, stats.n_computed) == ("window", len(text.ids))
        assert quick.tokens == patient.tokens
        assert quick.logprobs == pytest.approx(patient.logprobs, abs=1e-4)


def test_a_block_is_computed_once_for_all_windows(folder: Path) -> None:
    text = Composed()
    with Engine(folder) as engine:
        engine.ask(text.ids, session="one", pieces=text.pieces)
        _, stats = engine.ask(text.ids, session="two", pieces=text.pieces)
        assert engine.scheduler.counters.blocks.n_computed == 2
        assert stats.n_computed == 12 + 150
        assert stats.rung == "window"


def test_a_cold_request_with_no_time_answers_from_what_is_required(folder: Path) -> None:
    text = Composed(n_far=400)
    with Engine(folder) as engine:
        _, stats = engine.ask(text.ids, pieces=text.pieces, deadline_ms=0.01)
        assert stats.rung == "instant"
        assert stats.n_blocks == 0
        assert stats.n_computed == stats.n_attended == 12 + 150


def test_idle_time_completes_the_window_and_then_makes_it_exact(folder: Path) -> None:
    text = Composed(n_far=400)
    with Engine(folder, exact_after_s=0.0) as engine:
        engine.ask(text.ids, pieces=text.pieces, deadline_ms=0.01)
        rungs = []
        for _ in range(400):
            again, stats = engine.ask(text.ids, pieces=text.pieces, deadline_ms=1000.0)
            if stats.rung not in rungs:
                rungs.append(stats.rung)
            if stats.rung == "exact":
                break
            time.sleep(0.02)
        assert rungs[-1] == "exact"
        plain, _ = engine.ask(text.ids, session="other")
        assert again.tokens == plain.tokens
        assert again.logprobs == pytest.approx(plain.logprobs, abs=1e-4)
        assert engine.scheduler.counters.n_idle_tokens > 0
        assert engine.scheduler.counters.n_failed_checks == 0


def test_typing_does_not_undo_idle_work(folder: Path) -> None:
    """A request every few milliseconds: the window still gets complete, since half-done chunks and blocks are kept."""
    text = Composed(n_far=400)
    with Engine(folder) as engine:
        for typed in range(600):
            extended = (*text.pieces[:-1], Piece(n_tokens=text.pieces[-1].n_tokens + typed % 60, rank=0, block=False))
            ids = [*text.ids, *range(typed % 60)]
            _, stats = engine.ask(ids, pieces=extended, deadline_ms=1000.0 if typed else 0.01, n=1)
            if stats.rung == "window":
                break
            time.sleep(0.004)
        assert stats.rung == "window"


def test_text_below_the_cursor_is_kept_while_the_user_is_further_up(folder: Path) -> None:
    text = prompt(900)
    with Engine(folder) as engine:
        engine.ask(text)
        engine.ask(text[:300])
        pieces = (
            Piece(n_tokens=300, rank=0, block=False),
            Piece(n_tokens=500, rank=1, block=False),
            Piece(n_tokens=100, rank=0, block=False),
        )
        _, stats = engine.ask(text, pieces=pieces, deadline_ms=0.01)
        assert stats.n_computed <= 120  # what is near, not the 600 below the place of the jump
        assert stats.n_attended == 900 - 7  # the slots that the suggestion up there was written to are empty


def test_two_sessions_in_turn_keep_their_windows(folder: Path) -> None:
    one, two = prompt(700, seed=1), prompt(700, seed=2)
    with Engine(folder) as engine:
        engine.ask(one, session="one")
        engine.ask(two, session="two")
        for extra in range(5):
            for name, text in (("one", one), ("two", two)):
                _, stats = engine.ask([*text, *range(extra + 1)], session=name, n=1)
                assert stats.n_computed <= 2


def test_what_somebody_waits_for_comes_before_what_comes_next(folder: Path) -> None:
    with Engine(folder) as engine:
        order: list[str] = []
        answers = []
        for name, priority in (
            ("next", Priority.NEXT),
            ("now", Priority.INTERACTIVE),
            ("served", Priority.SERVED),
        ):
            answer = Answer()
            answers.append(answer)
            engine.scheduler.submit(
                Request(
                    key=name,
                    session=name,
                    window=window_of(array("I", prompt(1200, seed=len(name))), ()),
                    heal=b"",
                    stop_token_ids=frozenset(),
                    max_tokens=2,
                    priority=priority,
                    on_prefilled=lambda report, name=name: order.append(name),  # type: ignore[misc]
                    on_token=answer.on_token,
                    on_finished=answer.on_finished,
                )
            )
        for answer in answers:
            answer.wait()
        assert order == ["now", "served", "next"]


def test_an_editor_comes_before_another_program_that_is_being_served_and_loses_nothing_by_it(folder: Path) -> None:
    with Engine(folder) as engine:
        alone, _ = engine.ask(prompt(60), n=400)
        _, served = engine.submit(prompt(60), session="tool", n=400, priority=Priority.SERVED)
        assert served.first_token.wait(30)
        editor, _ = engine.ask(prompt(300, seed=3), session="editor")
        assert (editor.wait().finish, len(served.finished)) == ("length", 0)
        assert served.wait().finish == "length"
        assert served.tokens == alone.tokens


def test_of_other_programs_who_came_first_is_answered_first_whoever_comes_later(folder: Path) -> None:
    engine = Engine(folder)
    *first, last = (engine.submit(prompt(60, n), f"tool/{n}", n=60, priority=Priority.SERVED)[1] for n in range(6))
    with engine:
        assert last.wait().finish == "length"
        assert [len(answer.finished) for answer in first] == [1] * 5


def test_another_program_does_not_wait_for_a_good_time(folder: Path) -> None:
    with Engine(folder, may_idle=lambda: False) as engine:
        _, ahead = engine.submit(prompt(60), session="editor", priority=Priority.NEXT)
        tool, _ = engine.ask(prompt(60), session="tool", priority=Priority.SERVED)
        assert (tool.wait().finish, len(ahead.finished)) == ("length", 0)


def test_idle_work_waits_for_a_good_time(folder: Path) -> None:
    text, good = Composed(n_far=400), threading.Event()
    with open_source(folder) as weights:
        decoder = load_fp32(weights)
    scheduler = Scheduler(engine_of(decoder), SessionPool(decoder.new_kv, 100_000_000), may_idle=good.is_set)
    thread = threading.Thread(target=scheduler.run)
    thread.start()
    try:
        answer = Answer()
        scheduler.submit(
            Request(
                key=1, session="s", window=window_of(array("I", text.ids), text.pieces), heal=b"",
                stop_token_ids=frozenset(), max_tokens=1, deadline_ms=0.01, on_prefilled=lambda report: None,
                on_token=answer.on_token, on_finished=answer.on_finished,
            )
        )  # fmt: skip
        answer.wait()
        time.sleep(0.3)
        assert scheduler.counters.blocks.n_computed == 0
        good.set()
        for _ in range(1000):
            if scheduler.counters.blocks.n_computed == 2:
                break
            time.sleep(0.02)
        assert scheduler.counters.blocks.n_computed == 2
    finally:
        scheduler.stop()
        thread.join(30)


def test_books_that_do_not_balance_cost_a_recomputation_and_no_more(folder: Path) -> None:
    with Engine(folder) as engine:
        before, _ = engine.ask(prompt(100))
        session = engine.scheduler._pool.get("s")
        assert session is not None
        session.ids.append(3)  # as no code of ours would
        engine.ask(prompt(100), session="t")
        time.sleep(0.1)
        assert engine.scheduler.counters.n_failed_checks == 1
        again, stats = engine.ask(prompt(100))
        assert again.tokens == before.tokens
        assert stats.n_cached == 0


def test_what_waits_for_a_good_time_has_its_deadline_from_then_on(folder: Path) -> None:
    text, good = Composed(n_far=400), threading.Event()
    with Engine(folder, may_idle=good.is_set) as engine:
        _, answer = engine.submit(text.ids, pieces=text.pieces, deadline_ms=2_000.0, priority=Priority.NEXT)
        time.sleep(2.1)
        good.set()
        assert answer.wait().stats.n_attended == len(text.ids)  # nothing was left out for want of time
