"""The prompt is laid out as promised, fits, ends safely, and changes little from key to key."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from completion.prompt.layout import build_prompt, chat_ahead
from completion.prompt.segments import SegmentCache
from completion.types import CompletionRequest, Format, Limits, Mode, Prompt, PromptSpec, Snippet, Tokenizer, Trigger
from tests.fakes import (
    BOS,
    CURSOR,
    FILE,
    LIMITS,
    MIDDLE,
    OVER,
    PREFIX,
    REPO,
    SPEC,
    SUFFIX,
    TURN,
    ByteTokenizer,
    bpe_tokenizer,
    request_at,
)

_NAMES = {
    REPO: "<repo>", FILE: "<file>", PREFIX: "<pre>", SUFFIX: "<suf>", MIDDLE: "<mid>", BOS: "<bos>",
    TURN: "<turn>", OVER: "<over>",
}  # fmt: skip
_CHAT = replace(
    SPEC,
    body_format=Format.CHAT,
    chat_system="You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
    turn_start=TURN,
    turn_end=OVER,
)
_BARE = replace(SPEC, repo_name=None, file_sep=None, fim_middle=None)


def _prompt(
    request: CompletionRequest,
    mode: Mode = Mode.LINE,
    *,
    spec: PromptSpec = SPEC,
    limits: Limits = LIMITS,
    tokenizer: Tokenizer | None = None,
) -> Prompt:
    tokenizer = tokenizer or ByteTokenizer()
    return build_prompt(spec, tokenizer, SegmentCache(tokenizer), limits, request, mode)


def _spelled(prompt: Prompt, tokenizer: Tokenizer) -> str:
    parts = [_NAMES[i].encode() if i in _NAMES else tokenizer.token_bytes(i) for i in prompt.token_ids]
    return b"".join(parts).decode("utf-8", "surrogateescape")


def _check(marked: str, expected: str, heal: str, mode: Mode = Mode.LINE, spec: PromptSpec = SPEC) -> None:
    prompt = _prompt(request_at(marked), mode, spec=spec)
    assert (_spelled(prompt, ByteTokenizer()), prompt.heal.decode()) == (expected, heal)


def test_fim_has_what_is_typed_last() -> None:
    _check(
        "import os\nx = (▮)\ny = 2\n",
        "<repo>project\n<file>src/file.py\n<pre><suf>)\ny = 2\n<mid>import os\nx = ",
        heal="(",
    )


def test_the_last_lines_above_begin_the_middle_and_move_up_four_at_once() -> None:
    """So a new line mostly adds tokens only."""
    behind = []
    for n_above in range(4, 13):
        above = [f"a{n} = {n}\n" for n in range(n_above)]
        spelled = _spelled(_prompt(request_at("".join(above) + "x = (▮)\ny = 2\n"), Mode.LINE), ByteTokenizer())
        prefix, middle = spelled.partition("<pre>")[2].split("<suf>)\ny = 2\n<mid>")
        assert prefix + middle == "".join(above) + "x = "
        behind.append(middle.count("\n"))
    assert behind == [3, 4, 5, 6, 3, 4, 5, 6, 3]


def test_blank_lines_and_a_short_window_leave_no_line_out() -> None:
    text = "\n\nimport os\n\n\n\nfrom a import b\n\n"
    spelled = _spelled(_prompt(request_at(text + "x = (▮)\n"), Mode.LINE), ByteTokenizer())
    prefix, middle = spelled.partition("<pre>")[2].split("<suf>)\n<mid>")
    assert prefix + middle == text + "x = "
    above = "".join(f"value_{n} = {n}\n" for n in range(99))
    short = _prompt(request_at(above + "x = (▮)\n"), Mode.LINE, limits=replace(LIMITS, max_prompt_tokens=96))
    prefix, middle = _spelled(short, ByteTokenizer()).partition("<pre>")[2].split("<suf>)\n<mid>")
    assert middle.startswith("value_")
    assert (above + "x = ").endswith(prefix + middle)


@pytest.mark.parametrize(("trigger", "expected"), [(Trigger.AUTOMATIC, ["\ny = 2\n"]), (Trigger.INVOKED, [])])
def test_an_automatic_request_takes_the_text_after_the_cursor_as_it_was_computed(
    trigger: Trigger, expected: list[str]
) -> None:
    prompt = _prompt(request_at("x = ▮\ny = 2\n", trigger=trigger))
    ends = list(itertools.accumulate(piece.n_tokens for piece in prompt.pieces))
    loose = [
        bytes(list(prompt.token_ids[end - piece.n_tokens : end])).decode()
        for piece, end in zip(prompt.pieces, ends, strict=True)
        if piece.loose
    ]
    assert loose == expected


def test_left_to_right_has_no_text_after_the_cursor() -> None:
    expected = "<repo>project\n<file>src/file.py\nimport os\nx = "
    _check("import os\nx = (▮)\ny = 2\n", expected, heal="(", mode=Mode.BLOCK)


_FUNCTION = 'import os\n\n\ndef f(a):\n    """Say a."""\n    ▮\n\n\nx = 1\n'


def test_a_chat_asks_for_the_function_and_begins_the_answer_with_it() -> None:
    expected = (
        "<repo>project\n<file>src/file.py\n<turn>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful "
        "assistant.<over>\n<turn>user\nComplete the function at the end of this Python file.\n```python\n"
        'import os\n\n\ndef f(a):\n    """Say a."""\n```\n<over>\n<turn>assistant\n```python\n'
        'def f(a):\n    """Say a."""\n   '
    )
    _check(_FUNCTION, expected, heal=" ", mode=Mode.BLOCK, spec=_CHAT)


@pytest.mark.parametrize(
    ("marked", "mode", "spec"),
    [
        (_FUNCTION, Mode.LINE, _CHAT),
        (_FUNCTION, Mode.BLOCK, replace(_CHAT, body_format=None)),
        (_FUNCTION, Mode.BLOCK, replace(_CHAT, turn_end=None)),
        ("for x in y:\n    ▮\n", Mode.BLOCK, _CHAT),
        ("value = 1\n" * 200 + _FUNCTION, Mode.BLOCK, _CHAT),
        ('def f(a):\n    """Say a."""\n    b = a\n    ▮\n', Mode.BLOCK, _CHAT),
    ],
)
def test_what_is_no_whole_body_is_not_asked_for_in_a_chat(marked: str, mode: Mode, spec: PromptSpec) -> None:
    assert _prompt(request_at(marked), mode, spec=spec).format is not Format.CHAT


@settings(deadline=None, max_examples=60)
@given(st.integers(256, 4096), st.integers(0, 50), st.integers(1, 50), st.booleans())
def test_a_chat_fits_and_requires_the_function_itself(
    budget: int, n_above: int, n_doc: int, with_snippet: bool
) -> None:
    above = "".join(f"value_{n} = {n}\n" for n in range(n_above))
    doc = "".join(f"    line {n} of it\n" for n in range(n_doc))
    request = request_at(f'{above}\n\ndef f(a):\n    """Say a.\n{doc}    """\n    ▮\n')
    request = replace(request, snippets=(Snippet(path="b.py", text="def g(): pass\n"),) if with_snippet else ())
    prompt = _prompt(request, Mode.BLOCK, spec=_CHAT, limits=replace(LIMITS, max_prompt_tokens=budget))
    assert prompt.format is Format.CHAT
    assert len(prompt.token_ids) == sum(piece.n_tokens for piece in prompt.pieces) <= budget
    assert prompt.pieces[-1].rank == 0


def test_most_of_the_chat_is_known_while_the_docstring_is_written() -> None:
    above = "".join(f"value_{n} = {n}\n" for n in range(20))
    limits, tokenizer = replace(LIMITS, max_prompt_tokens=4096), ByteTokenizer()
    writing = request_at(f'{above}\n\ndef f(a):\n    """Say a▮')
    ahead = chat_ahead(_CHAT, tokenizer, SegmentCache(tokenizer), limits, writing)
    assert ahead is not None
    asked = _prompt(request_at(f'{above}\n\ndef f(a):\n    """Say a."""\n    ▮'), Mode.BLOCK, spec=_CHAT, limits=limits)
    pairs = zip(ahead.token_ids, asked.token_ids, strict=False)
    assert sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)) > len(above)
    assert chat_ahead(SPEC, tokenizer, SegmentCache(tokenizer), limits, writing) is None


def test_a_model_without_sentinels_gets_plain_text() -> None:
    _check("a\nb = ▮c\n", "a\nb =", heal=" ", spec=_BARE)
    assert _prompt(request_at("a▮"), spec=_BARE).format is Format.LEFT


def test_the_token_that_begins_a_text_comes_first() -> None:
    _check("b =▮", "<bos><repo>project\n<file>src/file.py\n<pre><suf><mid>b ", heal="=", spec=replace(SPEC, bos=BOS))


def test_a_buffer_outside_a_workspace_has_no_repository() -> None:
    prompt = _prompt(request_at("▮", repo="", path="untitled"))
    assert _spelled(prompt, ByteTokenizer()) == "<file>untitled\n<pre><suf><mid>"


def test_sentinels_in_a_document_are_plain_text() -> None:
    prompt = _prompt(request_at('s = "<|fim_middle|>"\nt = ▮'))
    assert list(prompt.token_ids).count(MIDDLE) == 1
    assert "<|fim_middle|>" in _spelled(prompt, ByteTokenizer())


@pytest.mark.parametrize("marked", ["▮", "▮x = 1\n", "x = 1\n▮"])
def test_an_empty_line_heals_nothing(marked: str) -> None:
    assert _prompt(request_at(marked)).heal == b""


def test_an_empty_file_still_gives_the_model_a_token() -> None:
    assert len(_prompt(request_at("▮"), spec=_BARE).token_ids) == 1


def test_the_mode_sets_the_number_of_tokens() -> None:
    request = request_at("x▮")
    assert _prompt(request, Mode.LINE).max_tokens == LIMITS.max_line_tokens
    assert _prompt(request, Mode.BLOCK).max_tokens == LIMITS.max_block_tokens


def test_a_cursor_behind_the_end_is_a_bug_of_the_caller() -> None:
    with pytest.raises(AssertionError):
        _prompt(replace(request_at("x▮"), cursor=9))


def test_a_path_longer_than_the_budget_is_left_out() -> None:
    limits = replace(LIMITS, max_prompt_tokens=100)
    prompt = _prompt(request_at("x = 1▮", path="a" * 500), limits=limits)
    assert FILE not in prompt.token_ids
    assert len(prompt.token_ids) <= 100


@pytest.mark.parametrize(
    ("marked", "heal"),
    [
        ("x = compute▮", "compute"),  # a word, whole: it may go on as another token
        ("    ▮", "    "),  # an indentation
        ("def f(▮", "("),
    ],
)
def test_what_may_still_grow_is_taken_back(marked: str, heal: str) -> None:
    assert heal in _prompt(request_at(marked), tokenizer=bpe_tokenizer()).heal.decode()


def test_a_word_of_several_tokens_is_taken_back_whole() -> None:
    tokenizer = bpe_tokenizer()
    assert len(tokenizer.encode(" = blizzard")) > 3
    heal = _prompt(request_at("x = blizz▮"), tokenizer=tokenizer).heal.decode()
    assert heal.strip() == "blizz"


def test_a_very_long_word_is_not_taken_back_whole() -> None:
    heal = _prompt(request_at("x" * 300 + CURSOR)).heal
    assert heal == b"xxxx"


def test_a_character_of_several_tokens_is_taken_back_whole() -> None:
    assert _prompt(request_at('s = "😀▮')).heal.decode() == "😀"


@settings(max_examples=200, deadline=None)
@given(before=st.text(max_size=60), after=st.text(max_size=60), mode=st.sampled_from(Mode), limit=st.integers(40, 400))
def test_prompts_fit_and_with_the_healed_bytes_they_spell_the_text_up_to_the_cursor(
    before: str, after: str, mode: Mode, limit: int
) -> None:
    before, after = (text.replace(CURSOR, "").encode("utf-8", "ignore").decode() for text in (before, after))
    tokenizer = bpe_tokenizer()
    request = request_at(before + CURSOR + after, language="plaintext")
    prompt = _prompt(request, mode, tokenizer=tokenizer, limits=replace(LIMITS, max_prompt_tokens=limit))
    assert len(prompt.token_ids) <= limit
    prompt = _prompt(request, mode, tokenizer=tokenizer)
    line = before[before.rfind("\n") + 1 :].encode()
    spelled = _spelled(prompt, tokenizer).encode("utf-8", "surrogateescape")
    assert (spelled + prompt.heal).endswith(line)
    assert line.endswith(prompt.heal)
    above = before[: before.rfind("\n") + 1].encode()
    if prompt.format is Format.LEFT:
        assert (spelled + prompt.heal).endswith(above + line)
    else:
        prefix, middle = spelled.partition(b"<pre>")[2].split(b"<suf>" + after.encode() + b"<mid>")
        assert prefix + middle + prompt.heal == above + line


def test_a_full_prompt_has_room_for_the_sentinels() -> None:
    limits = replace(LIMITS, max_prompt_tokens=100, suffix_share=0.5)
    line = "(" * 22
    requests = [request_at("a" * n + "\n" + line + CURSOR + "\nb" * 99, path="f", repo="r") for n in range(60)]
    sizes = [len(_prompt(request, limits=limits).token_ids) for request in requests]
    assert 98 <= max(sizes) <= 100


@pytest.mark.parametrize("mode", [Mode.LINE, Mode.BLOCK])
def test_typing_ten_characters_keeps_all_but_the_last_tokens(mode: Mode) -> None:
    tokenizer = bpe_tokenizer()
    above = "import os\n\n\n" + "def function(first, second):\n    return first + second\n\n\n" * 400
    typed = "    window"
    limits = replace(LIMITS, max_prompt_tokens=1_000)
    cache = SegmentCache(tokenizer)
    prompts = [
        build_prompt(SPEC, tokenizer, cache, limits, request_at(f"{above}{typed[:n]}▮\n{above}"), mode).token_ids
        for n in range(11)
    ]
    for earlier, later in itertools.pairwise(prompts):
        n_same = next((i for i, (a, b) in enumerate(zip(earlier, later, strict=False)) if a != b), len(earlier))
        assert len(earlier) - n_same <= 2
        assert n_same > 500


# -- pieces and snippets -------------------------------------------------------------------------------------

SNIPPETS = tuple(Snippet(path=f"lib/{name}.py", text=f"def {name}():\n    pass\n") for name in ("best", "good", "fair"))


def _texts(prompt: Prompt) -> list[tuple[str, int, bool]]:
    texts, begin = [], 0
    for piece in prompt.pieces:
        ids = prompt.token_ids[begin : begin + piece.n_tokens]
        part = replace(prompt, token_ids=ids, pieces=())
        texts.append((_spelled(part, ByteTokenizer()), piece.rank, piece.block))
        begin += piece.n_tokens
    assert begin == len(prompt.token_ids)
    return texts


def test_snippets_stand_between_header_and_file_the_best_one_next_to_it() -> None:
    request = replace(request_at("import os\nx = ▮"), snippets=SNIPPETS)
    limits = replace(LIMITS, max_file_tokens=1000)
    assert _texts(_prompt(request, Mode.BLOCK, limits=limits)) == [
        ("<repo>project\n", 0, False),
        ("<file>lib/fair.py\ndef fair():\n    pass\n", 5, True),
        ("<file>lib/good.py\ndef good():\n    pass\n", 3, True),
        ("<file>lib/best.py\ndef best():\n    pass\n", 1, True),
        ("<file>src/file.py\nimport os\nx =", 0, False),
    ]


def test_far_pieces_begin_with_a_line_and_count_less_the_further_they_are() -> None:
    above = "".join(f"line {number:3} is as long as this one is\n" for number in range(40))
    for mode in Mode:
        texts = _texts(_prompt(request_at(f"{above}last▮\n" + "after\n" * 60), mode))
        near = next(text for text, rank, _ in reversed(texts) if rank == 0 and "line" in text)
        assert "line  39" in near
        far = [(text, rank) for text, rank, _ in texts if rank and "line" in text]
        assert [rank for _, rank in far] == list(range(len(far), 0, -1))
        assert all(text.startswith("line") and text.endswith("is\n") for text, _ in far)
        assert texts[-1][1] == 0
        suffix = [(text, rank) for text, rank, _ in texts if rank and "after" in text]
        assert [rank for _, rank in suffix] == list(range(1, len(suffix) + 1))
        assert bool(suffix) == (mode is Mode.LINE)  # the format of lines is FIM here


def test_a_snippet_that_does_not_fit_is_left_out_and_a_smaller_one_taken() -> None:
    big = Snippet(path="big.py", text="x" * 5000)
    request = replace(request_at("x = ▮"), snippets=(big, *SNIPPETS))
    limits = replace(LIMITS, max_file_tokens=1000)
    prompt = _prompt(request, limits=limits)
    assert [rank for _, rank, block in _texts(prompt) if block] == [5, 3, 1]
    assert len(prompt.token_ids) <= limits.max_prompt_tokens


def test_without_room_beside_the_file_there_are_no_snippets() -> None:
    request = replace(request_at("x = ▮"), snippets=SNIPPETS)
    assert not any(piece.block for piece in _prompt(request).pieces)
    bare = replace(LIMITS, max_file_tokens=1000)
    assert not any(piece.block for piece in _prompt(request, spec=_BARE, limits=bare).pieces)


def test_typing_never_pushes_a_snippet_out() -> None:
    limits = replace(LIMITS, max_prompt_tokens=600, max_file_tokens=400)
    blocks = set()
    for length in range(0, 500, 7):
        request = replace(request_at("y" * length + "\nx = ▮"), snippets=SNIPPETS)
        prompt = _prompt(request, limits=limits)
        assert len(prompt.token_ids) <= 600
        blocks.add(tuple(piece for piece in prompt.pieces if piece.block))
    assert len(blocks) == 1


def test_the_engine_gets_the_deadline() -> None:
    assert _prompt(request_at("x▮"), limits=replace(LIMITS, deadline_ms=250)).deadline_ms == 250
    assert _prompt(request_at("x▮")).deadline_ms is None
