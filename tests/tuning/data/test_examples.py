"""Training examples: the prompt is the one that the product sends, the target what the engine is to answer."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from completion.pipeline import complete, prompt_for
from completion.prompt.segments import SegmentCache
from completion.trigger import decide
from completion.types import CompletionRequest, Format, Limits, Mode, Prompt, Snippet
from lsp_server.config import Config
from parsers.parse import SyntaxTree, parse
from tests.fakes import END, FILE, MIDDLE, SPEC, SUFFIX, ByteTokenizer, ScriptedEngine, bpe_tokenizer, deps_with
from tests.tuning.data.test_spans import PYTHON, TYPESCRIPT
from tuning.data import examples as examples_module
from tuning.data.examples import Example, Maker, Place, SourceText, build_prompt, request_at, target_ids
from tuning.data.spans import Places, Span

_SPEC = replace(SPEC, block_format=Format.FIM, body_format=Format.CHAT)
_FILES = [
    SourceText(path="src/area.py", repo="shapes", text=PYTHON, source="a/shapes"),
    SourceText(path="src/load.ts", repo="shapes", text=TYPESCRIPT, source="a/shapes"),
]
_SNIPPETS = (Snippet(path="src/os.py", text="def getpid() -> int: ...\n"), Snippet(path="src/b.py", text="x = 1\n"))


class Retriever:
    """Remembers for what texts it was asked, and with how much room."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def __call__(self, text: str, cursor: int, tree: SyntaxTree, room: int) -> Sequence[Snippet]:
        self.asked.append((text, room))
        return _SNIPPETS


def made(file: SourceText, n: int, seed: int = 1) -> list[Example]:
    maker = Maker(spec=_SPEC, tokenizer=bpe_tokenizer(), rng=random.Random(seed))
    return maker.examples(file, n, Retriever())


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.path)
def test_examples_end_with_their_line_or_with_end_of_text(file: SourceText) -> None:
    tokenizer, examples = bpe_tokenizer(), made(file, 200)
    assert len(examples) > 30
    for example in examples:
        if example.ends_with_line:
            end = tokenizer.token_bytes(example.ids[-1])
            assert end.endswith(b"\n")
            assert end.count(b"\n") == 1
            assert "\n" not in example.truth
        else:
            assert example.ids[-1] == END
        assert example.ids.count(END) == (not example.ends_with_line)
        assert example.ids.count(MIDDLE) == example.ids[: example.target].count(MIDDLE) == 1
        assert example.ids.index(SUFFIX) < example.ids.index(MIDDLE)
    assert all(example.kind not in ("statement", "block", "body") for example in examples if example.ends_with_line)
    assert {"line", "text"} == {example.label()["end"] for example in examples}
    assert {True, False} == {example.has_snippets for example in examples}
    assert any(example.ids.count(FILE) == 1 + len(_SNIPPETS) for example in examples)


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.path)
def test_prompt_and_target_are_a_text_of_the_file(file: SourceText) -> None:
    tokenizer = bpe_tokenizer()
    for example in made(file, 200):
        ids = example.ids[example.ids.index(MIDDLE) + 1 :]
        written = b"".join(tokenizer.token_bytes(token_id) for token_id in ids).decode()
        assert written.endswith("\n") or not example.ends_with_line
        written = written.removesuffix("\n") if example.ends_with_line else written
        assert written.endswith(example.truth)
        assert written in file.text or example.kind in ("block", "body")  # which may be closed by their targets


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.path)
def test_a_prompt_is_the_one_that_the_pipeline_sends(file: SourceText, monkeypatch: pytest.MonkeyPatch) -> None:
    """Id for id, as a recording engine gets it, with the window and the snippets of the example."""
    places, n_compared = Places(file.text, parse(file.language, file.text)), 0
    rng = random.Random(3)
    asked: list[CompletionRequest] = []
    monkeypatch.setattr(examples_module, "build_prompt", lambda *args: asked.append(args[4]) or build_prompt(*args))
    for kind in ("line", "inside", "bracket", "dot", "statement", "block", "body", "nothing") * 6:
        span = places.draw(kind, rng)
        if span is None:
            continue
        maker = Maker(spec=_SPEC, tokenizer=ByteTokenizer(), rng=random.Random(5))
        limits = Config(max_prompt_tokens=rng.randrange(512, 900)).limits()
        asked.clear()
        example = maker.example(Place(file, places, limits, _SNIPPETS), span)
        if example is None:
            continue
        sent = asyncio.run(_sent(asked[0], limits))
        assert list(sent.token_ids) == list(example.ids[: example.target])
        assert sent.format is Format.FIM
        assert bytes(example.ids[example.target : -1]) == sent.heal + example.truth.encode()
        assert example.ids[-1] == (ord("\n") if example.ends_with_line else END)
        n_compared += 1
    assert n_compared > 5


async def _sent(request: CompletionRequest, limits: Limits) -> Prompt:
    engine = ScriptedEngine(["x"])
    deps = deps_with(engine, limits=limits, spec=replace(_SPEC, body_format=None))
    await complete(deps, request)
    assert engine.prompts[0] == await prompt_for(deps, request)
    return engine.prompts[0]


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.path)
def test_where_the_product_asks_for_a_block_the_target_is_a_body(file: SourceText) -> None:
    """A line's first half below an empty header is no example: asked there, the model goes on to the block's end."""
    places = Places(file.text, parse(file.language, file.text))
    maker = Maker(spec=_SPEC, tokenizer=ByteTokenizer(), rng=random.Random(5))
    last = "return value * factor" if file.language == "python" else "items.push(parse(line));"
    begin = file.text.index(last)
    span = Span("line", begin, begin + len(last), begin + len(last))
    text = file.text[:begin] + file.text[begin + len(last) :]
    assert decide(request_at(file, text, begin)).mode is Mode.BLOCK
    place = replace(maker.place(file, places, None), places=places)
    assert all(maker.example(place, span) is None for _ in range(10))
    assert any(maker.example(place, replace(span, kind="block")) for _ in range(10))


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.path)
def test_snippets_are_looked_for_by_what_stands_above_a_place(file: SourceText) -> None:
    maker, retrieve = Maker(spec=_SPEC, tokenizer=ByteTokenizer(), rng=random.Random(1)), Retriever()
    maker.examples(file, 100, retrieve)
    assert len(retrieve.asked) > 2
    assert all(file.text.startswith(text) for text, _ in retrieve.asked)


def test_the_target_goes_on_with_what_healing_took_back_as_one_text() -> None:
    """`retu` is healed: the target is how one writes `return x`, not the half word and its rest."""
    tokenizer = bpe_tokenizer()
    file = SourceText(path="a.py", repo="r", text="def f(x):\n    retu\n", source="s")
    request = request_at(file, file.text, len("def f(x):\n    retu"))
    prompt = asyncio.run(_sent_with_bpe(request))
    healed = prompt.heal.decode()
    assert healed.endswith("retu")
    assert target_ids(tokenizer, prompt, "rn x") == [*tokenizer.encode(healed + "rn x"), END]
    assert target_ids(tokenizer, prompt, "rn x", ends_with_line=True) == tokenizer.encode(healed + "rn x\n")
    assert tokenizer.encode(healed + "rn x") != [*tokenizer.encode(healed), *tokenizer.encode("rn x")]


async def _sent_with_bpe(request: CompletionRequest) -> Prompt:
    deps = replace(deps_with(ScriptedEngine(["x"]), spec=_SPEC), tokenizer=bpe_tokenizer())
    return await prompt_for(replace(deps, segments=SegmentCache(bpe_tokenizer())), request)
