"""What editors tell of suggestions (accepted, shown, accepted in part, dismissed), and the request `midfill/why`.

The notifications have the names of Copilot's language server, which editors speak already;
those that send nothing are understood from their edits (`acceptance`).

Rules: a message that makes no sense is ignored. Custom methods arrive as nested named tuples.
"""

from typing import Any

from lsp_server.server import Midfill
from lsp_server.usage.history import MAX_EXPLANATIONS

_SNOOZE_MINUTES = 30


def accepted(ls: Midfill, *arguments: Any) -> None:
    """An item was accepted: [id, number of the alternative]."""
    if arguments:
        number = arguments[1] if len(arguments) > 1 and isinstance(arguments[1], int) else 0
        ls.recorder.accepted(str(arguments[0]), number)


def did_show(ls: Midfill, params: Any) -> None:
    """An item is shown: {item}."""
    ls.recorder.shown(_suggestion_id(params))


def did_partially_accept(ls: Midfill, params: Any) -> None:
    """The first characters of an item were accepted: {item, acceptedLength}."""
    length = getattr(params, "acceptedLength", None)
    if isinstance(length, int):
        ls.recorder.partially(_suggestion_id(params), length)


def did_dismiss(ls: Midfill, params: Any) -> None:
    """An item was dismissed: {item} or {id}."""
    ls.recorder.dismissed(_suggestion_id(params))


def snooze(ls: Midfill, *arguments: Any) -> None:
    """Suggest nothing to automatic requests for some minutes: [minutes], 0 ends it."""
    minutes = arguments[0] if arguments and isinstance(arguments[0], int | float) else _SNOOZE_MINUTES
    ls.snooze(float(minutes))


async def why(ls: Midfill, params: Any) -> dict[str, Any]:
    """How the last answers came about: {last: N}."""
    last = getattr(params, "last", None)
    n_last = last if isinstance(last, int) else MAX_EXPLANATIONS
    return {"explanations": ls.recorder.why(n_last), "nextEdits": ls.next_edits.why(n_last)}


def _suggestion_id(params: Any) -> str:
    """Of {id}, or of {item}, whose accept command has it; "" when there is none."""
    arguments = getattr(getattr(getattr(params, "item", None), "command", None), "arguments", None)
    return str(arguments[0]) if isinstance(arguments, list) and arguments else str(getattr(params, "id", ""))
