"""Messages between the editor's server and the model daemon, and their framing.

A frame is a 4-byte big-endian length and a msgpack map `{"t": tag, ...fields}`. Token ids travel as
one string of little-endian uint32: 16,384 of them are 66 kB and cost about 0.2 ms over a Unix socket.

Rules: sans-IO (bytes in, messages out; no sockets, no clock). Every message is a frozen dataclass; an
unknown tag or a wrong field is named in a `ProtocolError`. The protocol never negotiates: its version
is part of the socket's path, so a mismatch means a second daemon.
"""

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any, cast

import cattrs
import msgpack

from completion.types import Piece

PROTOCOL_VERSION = 10
# The longest legal message is a Generate with 16,384 ids (66 kB); a frame ten times that is garbage.
MAX_FRAME_BYTES = 1 << 20
_LENGTH = struct.Struct(">I")


class ProtocolError(Exception):
    """The peer sent bytes that are not a message. The connection that sent them is closed."""


@dataclass(frozen=True, slots=True)
class Generate:
    """Complete `prompt` (packed ids), beginning with the bytes `heal`.

    `pieces` cut the prompt into parts, none make all of it required; `deadline_ms` is what may be spent on it, 0 for
    no limit; `priority` is one of completion.types.Priority. `target` (packed ids), unless it is empty, is scored
    instead of generating.
    """

    id: int
    session: str
    prompt: bytes
    pieces: list[Piece]
    deadline_ms: float
    priority: int
    heal: bytes
    stop_token_ids: list[int]
    max_tokens: int
    n_candidates: int
    line_only: bool
    target: bytes


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop request `id`; its Done still comes."""

    id: int


@dataclass(frozen=True, slots=True)
class Status:
    """Ask for a StatusReply."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Ask the daemon to leave."""


@dataclass(frozen=True, slots=True)
class State:
    """Where the daemon stands. `store` is set once the phase is "ready". `fraction` is 0..1, or -1."""

    phase: str
    message: str
    fraction: float
    store: str


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token of request `id`; candidates are told apart by their number."""

    id: int
    candidate: int
    token_id: int
    logprob: float
    spelled: float  # log-probability of all tokens that could stand here while typed bytes are outstanding; else 0


@dataclass(frozen=True, slots=True)
class Prefilled:
    """The prompt of request `id` is in the KV; tokens follow. Most streams are closed before their Done."""

    id: int
    rung: str
    n_prompt: int
    n_cached: int
    n_computed: int
    n_attended: int
    n_blocks: int
    queue_ms: float
    prefill_ms: float


@dataclass(frozen=True, slots=True)
class Done:
    """The end of request `id`: "stop", "length", "cancelled", "superseded" or "failed" (see `error`)."""

    id: int
    finish: str
    error: str
    rung: str
    n_prompt: int
    n_cached: int
    n_computed: int
    n_attended: int
    n_blocks: int
    n_generated: int
    n_drafted: int
    n_accepted: int
    queue_ms: float
    prefill_ms: float
    decode_ms: float


@dataclass(frozen=True, slots=True)
class StatusReply:
    """The daemon's own counters, all 0 before its model is ready.

    `n_incomplete` sessions have windows that idle time will complete.
    """

    pid: int
    model: str
    uptime_s: float
    rss_mb: float
    n_sessions: int
    n_requests: int
    n_computed_tokens: int
    n_cached_tokens: int
    n_idle_tokens: int
    n_drafted_tokens: int
    n_accepted_tokens: int
    n_failed_checks: int
    n_incomplete: int
    n_blocks_computed: int
    n_blocks_from_memory: int
    n_blocks_from_disk: int
    n_blocks_discarded: int
    kv_mb: float
    prefill_tokens_per_s: float
    best_tokens_per_s: float  # at its fastest,
    n_measured_tokens: int  # in forwards of so many tokens
    n_threads: int
    kernels: str  # "" is torch
    device: str  # where the model runs, with which weights, and why
    last_error: str


@dataclass(frozen=True, slots=True)
class Bye:
    """The daemon leaves on purpose: "idle", "shutdown", or "store" (its files are gone: another makes them again)."""

    reason: str


Message = Generate | Cancel | Status | Shutdown | State | Token | Prefilled | Done | StatusReply | Bye
_TYPES: dict[str, type[Any]] = {
    cls.__name__: cls for cls in (Generate, Cancel, Status, Shutdown, State, Token, Prefilled, Done, StatusReply, Bye)
}
_CONVERTER = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
for _exact in (int, str, bytes, bool):  # cattrs would coerce; on a wire a wrong type is an error

    def _structure(value: object, _: object, exact: type = _exact) -> object:
        if type(value) is not exact:
            raise TypeError(f"expected {exact.__name__}, got {type(value).__name__}")
        return value

    _CONVERTER.register_structure_hook(_exact, _structure)


def pack_ids(token_ids: "array[int]") -> bytes:
    """Pack token ids (array('I')) as little-endian uint32."""
    if sys.byteorder == "big":
        token_ids = array("I", token_ids)
        token_ids.byteswap()
    return token_ids.tobytes()


def unpack_ids(data: bytes) -> "array[int]":
    """Unpack what `pack_ids` made; ProtocolError when the length is not a multiple of four."""
    if len(data) % 4:
        raise ProtocolError(f"token ids: {len(data)} bytes is not a multiple of 4")
    ids = array("I")
    ids.frombytes(data)
    if sys.byteorder == "big":
        ids.byteswap()
    return ids


def problem_of(pieces: list[Piece], n_prompt: int) -> str:
    """What is wrong with the pieces of a prompt of so many tokens, or ""."""
    if not pieces:
        return ""
    if any(piece.n_tokens < 0 or piece.rank < 0 for piece in pieces):
        return "a piece has a negative number of tokens, or a negative rank"
    if (n := sum(piece.n_tokens for piece in pieces)) != n_prompt:
        return f"the pieces have {n} tokens, the prompt has {n_prompt}"
    last = next(piece for piece in reversed(pieces) if piece.n_tokens)
    return "the last piece must be required, and no block" if last.block or last.rank else ""


def refusal(request_id: int, problem: str, n_prompt: int) -> Done:
    """The answer to a Generate that is not even begun."""
    return Done(
        id=request_id,
        finish="failed",
        error=problem,
        rung="",
        n_prompt=n_prompt,
        n_cached=0,
        n_computed=0,
        n_attended=0,
        n_blocks=0,
        n_generated=0,
        n_drafted=0,
        n_accepted=0,
        queue_ms=0.0,
        prefill_ms=0.0,
        decode_ms=0.0,
    )


def encode(message: Message) -> bytes:
    """One message as one frame."""
    body = cast(bytes, msgpack.packb({"t": type(message).__name__, **asdict(message)}))
    return _LENGTH.pack(len(body)) + body


def _decode(body: bytes) -> Message:
    try:
        record = msgpack.unpackb(body)
    except (ValueError, msgpack.UnpackException) as error:
        raise ProtocolError(f"not msgpack: {error}") from error
    if not isinstance(record, dict) or not isinstance(tag := record.pop("t", None), str):
        raise ProtocolError("not a tagged message")
    if (cls := _TYPES.get(tag)) is None:
        raise ProtocolError(f"unknown message {tag[:40]!r}")
    if missing := [f.name for f in fields(cls) if f.name not in record]:
        raise ProtocolError(f"{tag}: missing {', '.join(missing)}")
    try:
        return cast(Message, _CONVERTER.structure(record, cls))
    except (
        cattrs.BaseValidationError,
        cattrs.errors.ForbiddenExtraKeysError,
        TypeError,
        ValueError,
    ) as error:
        raise ProtocolError(f"{tag}: {'; '.join(cattrs.transform_error(error))}") from error


class FrameReader:
    """Turns a byte stream, in pieces of any size, into messages. The buffer is bounded by one frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages completed by `data`; ProtocolError on the first malformed one."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > MAX_FRAME_BYTES:
                raise ProtocolError(f"frame of {length} bytes, the limit is {MAX_FRAME_BYTES}")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            yield _decode(body)
