"""Drafts, and that guessing ahead never changes what is generated."""

from array import array
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model.decoders.interface import Decoder
from model.decoders.native_decoder import NativeDecoder
from model.engine.decode import decode
from model.engine.generate import Generation, Request
from model.engine.layout import window_of
from model.engine.sampler import ByteTable
from model.engine.session import Session
from model.engine.speculate import MAX_DRAFT, Drafter
from model.library.catalog import resolve
from model.weights.load import load_native
from model.weights.load_torch import load_torch
from model.weights.quantize import make_store
from tests.model.kernels import available, computing_with
from tests.model.tiny import engine_of, make_tiny_model

TABLE = ByteTable(262, lambda i: bytes([i]) if i < 256 else b"")


def ids(text: str) -> "array[int]":
    return array("I", list(text.encode()))


def check_draft(text: str, suggestion: str, expect: str, at_most: int = 4) -> None:
    draft = Drafter(ids(suggestion)).propose(ids(text), at_most)
    assert bytes(list(draft)).decode() == expect


def test_the_latest_place_that_reads_like_the_end_is_continued() -> None:
    check_draft("for item in a: for item in b: for item in", "", " b: fo", at_most=9)
    check_draft("abcd12 xabcd", "", "12")


def test_the_last_suggestion_comes_before_the_prompt() -> None:
    check_draft("total = 1; tota", "my totals", "ls")


def test_nothing_repeats_nothing_is_drafted() -> None:
    check_draft("abcdefg", "", "")


def test_a_draft_is_no_longer_than_what_may_be_generated() -> None:
    check_draft("only one two; only one", "", " two; ", at_most=100)
    check_draft("only one two; only one", "", " t", at_most=2)
    check_draft("only one two; only one", "", "", at_most=0)


def test_ids_are_never_matched_across_their_bytes() -> None:
    # 0x01010101 is four equal bytes: a match of bytes at an odd offset is not a match of ids.
    text = array("I", [0x01010101, 0x00000101, 7, 0x01010001, 0x01010101])
    assert list(Drafter().propose(text, 4)) == []


@given(right=st.lists(st.integers(0, MAX_DRAFT), max_size=20))
def test_the_draft_grows_with_acceptance_and_shrinks_with_rejection(right: list[int]) -> None:
    drafter, text = Drafter(), ids("abcdefghijklmn" * 3)
    for n_right in right:
        n = len(drafter.propose(text, 100))
        assert 1 <= n <= MAX_DRAFT
        drafter.verified(n, min(n, n_right))
    for _ in range(4):
        drafter.verified(len(drafter.propose(text, 100)), 0)
    assert len(drafter.propose(text, 100)) == 1


@pytest.fixture(scope="module", params=["torch", *available()])
def decoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Decoder]:
    folder = make_tiny_model(tmp_path_factory.mktemp("tiny"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIDFILL_CACHE", str(tmp_path_factory.mktemp("cache")))
        store = make_store(resolve(str(folder)), folder, "int8", lambda done: None)
        if request.param == "torch":
            yield load_torch(store, exact=True)
        else:
            with computing_with(request.param) as library:
                yield load_native(store, library)


class Run:
    """Generates on one session, step by step, in this thread."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.session = Session(kv=decoder.new_kv(1024))
        self.tokens: list[int] = []
        self.logprobs: list[float] = []

    def generate(
        self, prompt: "array[int]", n: int, *, speculate: bool, stop: frozenset[int], heal: bytes
    ) -> Generation:
        def on_token(candidate: int, token: int, logprob: float, spelled: float) -> None:
            self.tokens.append(token)
            self.logprobs.append(logprob)

        def ignore(report: object) -> None:
            pass

        self.tokens, self.logprobs = [], []
        request = Request(
            key=1, session="s", window=window_of(prompt, ()), heal=heal, stop_token_ids=stop, max_tokens=n,
            speculate=speculate, on_prefilled=ignore, on_token=on_token, on_finished=ignore,
        )  # fmt: skip
        generation = Generation(engine_of(self.decoder, TABLE), self.session, request)

        def work() -> Iterator[None]:
            hidden = yield from generation.prefill()
            yield from decode(generation, hidden)

        for _ in work():
            pass
        return generation


words = st.lists(st.sampled_from([b"if ", b"x = y\n", b"return ", b"items", b"(a, b)", b"\n"]), min_size=1, max_size=30)


@settings(max_examples=25, deadline=None)
@example(prompts=[[b"if ", b"if "], [b"if ", b"(a, b)", b"items", b"(a, b)"]], n=19, heal=b"re")
@given(prompts=st.lists(words, min_size=1, max_size=3), n=st.integers(1, 24), heal=st.sampled_from([b"", b"re"]))
def test_guessing_ahead_gives_exactly_the_greedy_tokens(
    decoder: Decoder, prompts: list[list[bytes]], n: int, heal: bytes
) -> None:
    """Over several prompts of one session, so that drafts come from earlier suggestions too."""
    plain, guessing = Run(decoder), Run(decoder)
    for parts in [*prompts, *prompts]:  # the second time, right drafts abound
        prompt = array("I", list(b"".join(parts)))
        plain.generate(prompt, n, speculate=False, stop=frozenset({10}), heal=heal)
        guessing.generate(prompt, n, speculate=True, stop=frozenset({10}), heal=heal)
        assert guessing.tokens == plain.tokens
        if isinstance(decoder, NativeDecoder):
            assert guessing.logprobs == plain.logprobs
        # Behind them a session may keep what an earlier prompt left there.
        n_ids = min(len(prompt) + len(plain.tokens), len(plain.session.ids))
        assert guessing.session.ids[:n_ids] == plain.session.ids[:n_ids]
    assert len(plain.tokens) <= n


def test_the_tail_of_the_last_suggestion_is_accepted_when_it_still_holds(decoder: Decoder) -> None:
    run, prompt = Run(decoder), ids("def f(a, b):\n    return ")
    run.generate(prompt, 60, speculate=True, stop=frozenset(), heal=b"")
    typed = prompt + array("I", run.tokens[:2])
    expected = run.tokens[2:]
    again = run.generate(typed, 58, speculate=True, stop=frozenset(), heal=b"")
    assert run.tokens == expected
    assert again.drafter.n_accepted > 40
