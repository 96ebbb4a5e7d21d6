"""Which snippets stand in a prompt, and that their set stands still between epochs."""

from completion.context.selection import ContextKeeper, Source, fuse, near_text, open_items, select
from completion.context.sources import Item
from completion.types import Passage, Snippet


def source(path: str, *texts: str) -> Source:
    return Source(
        path, tuple(Passage(path=path, first_line=9 * n, last_line=9 * n + 8, text=t) for n, t in enumerate(texts))
    )


SHOP = source("shop.py", "def total_price(items):\n    return sum(items)\n", "def greet(name):\n    print(name)\n")
ZOO = source("zoo.py", "class Giraffe:\n    neck = 3\n")


def snippet(name: str) -> Snippet:
    return Snippet(path=f"{name}.py", text=name)


def item(name: str, *ranges: tuple[int, int], text: str = "x") -> Item:
    return Item(Snippet(path=name, text=text), ranges or ((0, 9),), "test", name)


def test_what_shares_rare_names_with_the_cursor_comes_first() -> None:
    ranked = open_items("x = total_price(basket)", [ZOO, SHOP])
    assert ranked[0].snippet == Snippet(path="shop.py", text=SHOP.passages[0].text)
    assert ranked[0].ranges == ((0, 8),)
    assert len(ranked) == 3


def test_without_shared_names_what_was_visited_last_comes_first() -> None:
    assert open_items("1 + 1", [ZOO, SHOP])[0].snippet.path == "zoo.py"
    assert open_items("1 + 1", [SHOP, ZOO])[0].snippet.path == "shop.py"


def test_a_word_that_is_everywhere_tells_nothing() -> None:
    everywhere = [source(f"{n}.py", "import common_name\n") for n in range(20)]
    rare = source("rare.py", "import common_name\nunusual_name = 1\n")
    assert open_items("common_name unusual_name", [*everywhere, rare])[0].snippet.path == "rare.py"


def test_what_several_sources_propose_comes_before_what_one_does() -> None:
    ranked = fuse({"near": [item("a"), item("b")], "types": [item("c"), item("b")]})
    assert [entry.path for entry in ranked] == ["b", "a", "c"]
    assert ranked[0].sources == ("test",)


def test_of_nearly_equal_ones_the_present_comes_first() -> None:
    items = {"near": [item("a"), item("b")]}
    assert [entry.path for entry in fuse(items)] == ["a", "b"]
    assert [entry.path for entry in fuse(items, present=[item("b").snippet])] == ["b", "a"]
    far = {"near": [item("a"), item("x"), item("y"), item("b")]}
    assert fuse(far, present=[item("b").snippet])[0].path == "a"


def test_what_shows_no_new_line_is_left_out() -> None:
    ranked = select({"imported": [item("a", (0, 9)), item("a", (3, 4)), item("a", (8, 10))]}, 1000)
    assert [(entry.ranges, bool(entry.left_out)) for entry in ranked] == [
        (((0, 9),), False),
        (((3, 4),), True),
        (((8, 10),), False),
    ]


def test_what_has_no_room_is_left_out_and_something_smaller_goes_in() -> None:
    ranked = select({"imported": [item("a", text="x" * 300), item("b", text="x" * 300), item("c", text="x")]}, 100)
    assert [(entry.path, entry.left_out) for entry in ranked] == [("a", ""), ("b", "no room"), ("c", "")]


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


def test_what_was_just_edited_comes_in_beside_what_is_there() -> None:
    keeper, edited = ContextKeeper(), snippet("edited")
    keeper.epoch("a", [(1.0, snippet("one")), (1.0, snippet("two"))])
    offered = [(1.0, snippet("two")), (0.9, snippet("one")), (0.2, edited), (0.2, snippet("other"))]
    assert keeper.epoch("a", offered, edited=[edited])
    assert keeper.present("a") == (snippet("two"), snippet("one"), edited)
    assert not keeper.epoch("a", offered, edited=[edited])


def test_documents_have_their_own_sets() -> None:
    keeper = ContextKeeper()
    keeper.epoch("a", [(1.0, snippet("one"))])
    assert keeper.present("b") is None
    keeper.forget("a")
    assert keeper.present("a") is None
    assert not keeper.epoch("a", [])
    assert keeper.present("a") == ()
