"""What is left of a request when its device has failed in the middle: the tokens that went out stand."""

from array import array
from dataclasses import replace

from model.engine.generate import Request
from model.engine.layout import Part, Window
from model.engine.sampler import ByteTable


def rest_of(request: Request, delivered: "array[int]", table: ByteTable) -> Request | None:
    """A request that goes on after the tokens delivered of it; None when they are all there is to have.

    Several candidates, once begun, are left as they are: each stands for itself.
    """
    if not delivered:
        return request
    n_left = request.max_tokens - len(delivered)
    if request.n_candidates > 1 or n_left <= 0:
        return None
    heal = request.heal
    for token in delivered:
        heal = heal[len(table[token]) :]
    return replace(request, window=_longer(request.window, delivered), heal=heal, max_tokens=n_left)


def _longer(window: Window, more: "array[int]") -> Window:
    """The window with tokens behind its end; its last part grows if nothing else may follow there."""
    n, end = len(window.ids), len(window.ids) + len(more)
    last = window.parts[-1]
    if last.block or last.rank:
        return Window(window.ids + more, (*window.parts, Part(n, end, 0, False)))
    return Window(window.ids + more, (*window.parts[:-1], replace(last, end=end)))
