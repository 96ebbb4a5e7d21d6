"""What `guard` and `guard_child` say to each other, and how a question's arguments and answer become plain data.

Rules: both ends are of one installation, so there are no versions. What comes out of a child is data, built into the
types that the question's signature names: a child whose memory a text has broken cannot make its parent run anything.
"""

import functools
import typing
from typing import Any, NamedTuple

from cattrs.preconf.msgpack import make_converter

from parsers.parse import Question

# Texts are at most `parse.MAX_PARSE_BYTES`; an outline of one is of the same order.
MAX_MESSAGE_BYTES = 64_000_000
_CONVERTER = make_converter()


class Request(NamedTuple):
    """Ask the tree with this key, which is made of `source` and the tree `base` where it is not there.

    Times are seconds of processor time: to parse it from nothing, to parse it as an edit of `base`, to answer.
    """

    key: int
    base: int
    language: str
    source: bytes | None
    question: str  # "": only parse
    args: list[Any]
    first_s: float
    edit_s: float
    answer_s: float


class Reply(NamedTuple):
    """`kind`: "ok" with the answer, "unknown" where the tree is not there and no source was sent, "failed" with why."""

    kind: str
    value: Any


@functools.cache
def _types(question: Question) -> dict[str, Any]:
    return typing.get_type_hints(question.function)


def plain(args: tuple[Any, ...]) -> list[Any]:
    """Arguments as plain data."""
    return [_CONVERTER.unstructure(arg) for arg in args]


def arguments(question: Question, args: list[Any]) -> list[Any]:
    """The opposite of `plain`."""
    _, *names = [name for name in _types(question) if name != "return"]
    return [_CONVERTER.structure(arg, _types(question)[name]) for name, arg in zip(names, args, strict=False)]


def packed(question: Question, answer: Any) -> Any:
    """An answer as plain data."""
    return _CONVERTER.unstructure(answer, unstructure_as=_types(question)["return"])


def unpacked(question: Question, value: Any) -> Any:
    """The opposite of `packed`."""
    return _CONVERTER.structure(value, _types(question)["return"])
