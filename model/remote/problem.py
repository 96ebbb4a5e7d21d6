"""What can go wrong with a server, each as a sentence for users, and what follows from it.

Rules: pure. A message names the server by its host, and never holds a key or source text.
"""

from enum import Enum, auto

_MOST_CHARACTERS = 200


class Kind(Enum):
    """What follows from a problem."""

    AWAY = auto()  # it may pass by itself: tried again
    REFUSED = auto()  # a setting, a key or a certificate is wrong: somebody has to do something
    REQUEST = auto()  # this request alone could not be answered


class RemoteProblem(Exception):
    """A server did not do what it was asked. `wait_s` is how long it wants to be left alone, 0 where it did not say."""

    def __init__(self, message: str, kind: Kind, *, status: int = 0, wait_s: float = 0.0, again: bool = False) -> None:
        """`again`: nothing came of it yet, and the same request may be sent once more. `status` is HTTP's."""
        super().__init__(message)
        self.kind, self.status, self.wait_s, self.again = kind, status, wait_s, again


class NotThere(RemoteProblem):
    """The server has no such page; also what one says that answers it with anything but JSON."""


def refusal(host: str, path: str, status: int, said: str, retry_after: str | None) -> RemoteProblem:
    """The problem that a status other than 200 is; `said` is the answer's text."""
    told = f" ({excerpt(said)})" if excerpt(said) else ""
    if 300 <= status < 400:
        return RemoteProblem(
            f"{host} redirects elsewhere, which midfill does not follow: set engine.url to where it is", Kind.REFUSED
        )
    if status == 401:
        return RemoteProblem(f"{host} wants a key (engine.keyFile), or does not take the one it was sent", Kind.REFUSED)
    if status == 403:
        return RemoteProblem(f"{host} does not let this key do that{told}", Kind.REFUSED)
    if status in (404, 405):
        return NotThere(
            f"{host} has no {path}, or no such model (engine.url, engine.kind, engine.model){told}", Kind.REFUSED
        )
    if status == 429:
        wait_s = seconds_of(retry_after)
        asks = f"asks to be left alone for {wait_s:.0f} s" if wait_s else "has too many requests at the moment"
        return RemoteProblem(f"{host} {asks}", Kind.AWAY, wait_s=wait_s, again=True)
    if status >= 500:
        return RemoteProblem(
            f"{host} failed with status {status}{told}",
            Kind.AWAY,
            status=status,
            wait_s=seconds_of(retry_after),
            again=True,
        )
    return RemoteProblem(f"{host} refused the request with status {status}{told}", Kind.REQUEST)


def seconds_of(retry_after: str | None) -> float:
    """Of a Retry-After header: its seconds. A date, which hardly any server sends, or nonsense says nothing."""
    try:
        return max(0.0, min(float(retry_after or 0), 3_600.0))
    except ValueError:
        return 0.0


def excerpt(said: str) -> str:
    """The beginning of what a server said, in one printable line."""
    words = " ".join("".join(c if c.isprintable() else " " for c in said[: 4 * _MOST_CHARACTERS]).split())
    return words if len(words) <= _MOST_CHARACTERS else f"{words[:_MOST_CHARACTERS]}…"
