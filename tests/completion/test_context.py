"""Which snippets stand in a prompt, and that their set stands still between epochs."""

from completion.context import ContextKeeper, Source, near_text, rank_snippets
from completion.types import Snippet

SHOP = Source("shop.py", ("def total_price(items):\n    return sum(items)\n", "def greet(name):\n    print(name)\n"))
ZOO = Source("zoo.py", ("class Giraffe:\n    neck = 3\n",))


def snippet(name: str) -> Snippet:
    return Snippet(path=f"{name}.py", text=name)


def test_what_shares_rare_names_with_the_cursor_comes_first() -> None:
    ranked = rank_snippets("x = total_price(basket)", [ZOO, SHOP])
    assert ranked[0][1] == Snippet(path="shop.py", text=SHOP.chunks[0])
    assert [score for score, _ in ranked] == sorted((score for score, _ in ranked), reverse=True)
    assert len(ranked) == 3


def test_without_shared_names_what_was_visited_last_comes_first() -> None:
    assert rank_snippets("1 + 1", [ZOO, SHOP])[0][1].path == "zoo.py"
    assert rank_snippets("1 + 1", [SHOP, ZOO])[0][1].path == "shop.py"


def test_a_word_that_is_everywhere_tells_nothing() -> None:
    everywhere = [Source(f"{n}.py", ("import common_name\n",)) for n in range(20)]
    rare = Source("rare.py", ("import common_name\nunusual_name = 1\n",))
    assert rank_snippets("common_name unusual_name", [*everywhere, rare])[0][1].path == "rare.py"


def test_the_ranking_looks_mostly_at_what_is_above_the_cursor() -> None:
    text = "a" * 5000 + "NEAR" + "b" * 5000
    near = near_text(text, 5004)
    assert near.index("NEAR") > len(near) / 2
    assert len(near) == 2000


def test_the_first_choice_is_taken_and_a_slightly_different_one_is_not() -> None:
    keeper = ContextKeeper()
    assert keeper.present("a") is None
    assert keeper.epoch("a", [(1.0, snippet("one")), (1.0, snippet("two"))])
    assert not keeper.epoch("a", [(1.0, snippet("two")), (0.9, snippet("one")), (0.2, snippet("new"))])
    assert keeper.present("a") == (snippet("one"), snippet("two"))  # nor is their order changed
    assert keeper.epoch("a", [(2.0, snippet("new")), (1.0, snippet("one"))])
    assert keeper.present("a") == (snippet("new"), snippet("one"))


def test_an_edited_snippet_is_a_new_one() -> None:
    keeper = ContextKeeper()
    keeper.epoch("a", [(1.0, snippet("one")), (1.0, snippet("two"))])
    assert keeper.epoch("a", [(1.0, snippet("one")), (1.0, Snippet(path="two.py", text="two, edited"))])


def test_documents_have_their_own_sets() -> None:
    keeper = ContextKeeper()
    keeper.epoch("a", [(1.0, snippet("one"))])
    assert keeper.present("b") is None
    keeper.forget("a")
    assert keeper.present("a") is None
    assert not keeper.epoch("a", [])
    assert keeper.present("a") == ()
