"""Which server to ask instead of the local model process, and whether that may be done at all.

Rules: a key comes from a file or an environment variable, never from a setting. Plain http goes to this machine alone,
unless the user allowed more. Nothing here opens a connection.
"""

import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from model.remote.problem import Kind, RemoteProblem

KINDS = ("auto", "llamacpp", "openai", "ollama")
_MOST_KEY_BYTES = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSettings:
    """As the user sets it. `tokenizer_of` is the local model whose tokenizer is tried first.

    `tokenizer` is the file of the server's model's own, for a server that tokenizes nothing.
    """

    url: str
    tokenizer_of: str
    kind: str = "auto"
    model: str = ""  # as the server calls it; "" for the only one
    key_file: str = ""
    key_variable: str = ""
    ca_file: str = ""
    timeout_s: float = 10.0
    allow_plain_http: bool = False
    tokenizer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where requests go."""

    base: str  # without a slash at its end, and without /v1
    host: str  # for people, with a port that is not the usual one
    is_loopback: bool
    key: str = field(repr=False, default="")


def target_of(settings: RemoteSettings) -> Target:
    """The target, its key read; RemoteProblem when it may not or cannot be used."""
    parts = urlsplit(settings.url.strip())
    try:
        name, port = parts.hostname, parts.port
    except ValueError as error:
        raise _refused(f"engine.url is no address: {error}") from error
    if parts.scheme not in ("http", "https") or not name:
        raise _refused("engine.url must begin with https:// or http:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise _refused("engine.url holds a user's name or password: put the key into engine.keyFile instead")
    if parts.query or parts.fragment:
        raise _refused("engine.url must end with its path")
    host = name if port is None else f"{name}:{port}"
    is_loopback = _is_loopback(name)
    if parts.scheme == "http" and not is_loopback and not settings.allow_plain_http:
        raise _refused(
            f"engine.url would send code to {host} for everybody on the way to read: use https://, or allow it with "
            "engine.allowPlainHttp"
        )
    path = parts.path.rstrip("/").removesuffix("/v1")
    shown = f"[{name}]" if ":" in name else name
    base = f"{parts.scheme}://{shown}{'' if port is None else f':{port}'}{path}"
    return Target(base=base, host=host, is_loopback=is_loopback, key=_key(settings))


def host_of(url: str) -> str:
    """The host of a URL for people, with its port; the text itself where it is none."""
    try:
        parts = urlsplit(url.strip())
        return f"{parts.hostname}:{parts.port}" if parts.port is not None else parts.hostname or url
    except ValueError:
        return url


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _key(settings: RemoteSettings) -> str:
    if settings.key_file:
        file = Path(settings.key_file).expanduser()
        try:
            with file.open("rb") as opened:
                raw = opened.read(_MOST_KEY_BYTES + 1)
        except OSError as error:
            raise _refused(f"engine.keyFile {file} cannot be read: {error.strerror}") from error
        source = f"engine.keyFile {file}"
    elif settings.key_variable:
        if (value := os.environ.get(settings.key_variable)) is None:
            raise _refused(f"there is no environment variable {settings.key_variable} (engine.keyVariable)")
        raw, source = value.encode("utf-8", "surrogateescape"), f"the variable {settings.key_variable}"
    else:
        return ""
    key = raw.strip()
    if not key or len(raw) > _MOST_KEY_BYTES or not all(0x21 <= byte <= 0x7E for byte in key):
        raise _refused(f"{source} holds no key: one word of printable characters")
    return key.decode("ascii")


def _refused(message: str) -> RemoteProblem:
    return RemoteProblem(message, Kind.REFUSED)
