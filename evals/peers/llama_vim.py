"""llama.vim's client, as a program: what it asks llama.cpp's server, when, and what it shows. Used by the replay.

Follows the plugin's behaviour at its commit a1c8e6e (2026-01): every cursor movement in insert mode looks for a
suggestion in the cache (exactly, or up to 128 characters behind) and then asks the server, unless a request is
running: then it tries again after 100 ms. A suggestion that is shown starts a request for what would follow it.
Around the cursor it sends `n_prefix` and `n_suffix` lines; chunks of 32 lines of visited places form a ring of extra
context, which grows by one queued chunk per second while nothing is typed, each computed ahead with `n_predict` 0.
For the comparison the number of tokens, the stop at the line's end and greedy sampling are those of midfill.

The current line stands behind `<|fim_middle|>`, as the server's documentation says: typing then changes the end of
the prompt alone. The server's `/infill` (2026-10) puts it before the suffix, which it computes anew at every key; so
the prompt is laid out here, and sent to `/completion`. `infill` asks `/infill`, as the plugin does.

Rules: written from the plugin's behaviour, not its text. One request at a time, like the plugin.
"""

import asyncio
import json
import random
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlparse

_CACHE_KEYS = 250
_WALK_BACK = 128
_RETRY_S = 0.1
_RING_UPDATE_S = 1.0
_QUIET_S = 3.0
_CHUNK_LINES = 64
_MAX_QUEUED = 16
_MAX_LINE_SUFFIX = 8
_RING_SCOPE = 1024
_PICK_DISTANCE = 32
_SIMILAR, _DISTORTING = 0.9, 0.5
_MAX_PREDICT_MS, _FIRST_PREDICT_MS, _MAX_PROMPT_MS = 1000, 250, 500


@dataclass(frozen=True, slots=True)
class VimSettings:
    """llama.vim's settings that bear on the size of its prompt, and the length that both sides share."""

    n_prefix: int = 256
    n_suffix: int = 64
    ring_n_chunks: int = 16
    n_predict: int = 128
    infill: bool = False
    stop: tuple[str, ...] = ("\n",)  # the plugin's own is none


@dataclass(frozen=True, slots=True)
class _Chunk:
    lines: tuple[str, ...]
    filename: str


@dataclass(frozen=True, slots=True)
class _Local:
    """The context around a position: what goes before the cursor, on its line, and after it."""

    prefix: str
    middle: str
    suffix: str
    indent: int
    line_suffix: str


@dataclass(slots=True)
class LlamaVim:
    """One vim with the plugin; `on_shown` is told when a suggestion (or an empty answer) is there for the cursor."""

    address: str
    settings: VimSettings
    draw: random.Random
    on_shown: Callable[[bool], None]  # whether it came from the cache at once
    on_skipped: Callable[[], None] = lambda: None  # too much text to the right of the cursor
    shown: str = ""  # what `on_shown` is about
    n_prompt_tokens: int = 0  # computed for requests
    n_ahead_tokens: int = 0  # computed for the ring
    _cache: "OrderedDict[tuple[str, str], str]" = field(default_factory=OrderedDict)
    _ring: list[_Chunk] = field(default_factory=list)
    _queued: list[_Chunk] = field(default_factory=list)
    _lines: list[str] = field(default_factory=lambda: [""])
    _x: int = 0
    _y: int = 0
    _path: str = ""
    _picked_y: int = -9999
    _moved_at: float = 0.0
    _job: "asyncio.Task[None] | None" = None
    _timer: "asyncio.TimerHandle | None" = None
    _background: "set[asyncio.Task[None]]" = field(default_factory=set)

    # -- what happens in the editor ------------------------------------------------------------------------

    def enter(self, path: str, text: str, offset: int) -> None:
        """Another buffer comes to the front; chunks of the old and the new one are picked."""
        if self._path:
            self._pick(self._around(), evict=True)
        self._path = path
        self._place(text, offset)
        self._pick(self._around(), evict=True)

    def move(self, text: str, offset: int) -> None:
        """The cursor moved in insert mode, by typing or otherwise."""
        self._place(text, offset)
        self._moved_at = time.monotonic()
        self._try_hint(at_once=True)
        self._fim([], use_cache=True)

    def pick_whole(self, path: str, text: str, n_chunks: int) -> None:
        """Visit random places of a file, as after some work with it."""
        kept, self._path = self._path, path
        lines = text.split("\n")
        for _ in range(n_chunks):
            self._pick(lines, evict=True)
        self._path = kept

    @property
    def ring_missing(self) -> int:
        """Chunks that the ring has room for, those that wait not counted."""
        return max(0, self.settings.ring_n_chunks - len(self._ring) - len(self._queued))

    async def fill_ring(self) -> None:
        """Process all queued chunks, one after the other."""
        while self._queued:
            await self._update_ring()

    def take_queued(self) -> None:
        """Put the queued chunks into the ring without computing them ahead."""
        self._ring += self._queued
        self._queued.clear()

    async def run_ring(self) -> None:
        """The plugin's timer; cancel to end."""
        while True:
            await asyncio.sleep(_RING_UPDATE_S)
            if self._queued and time.monotonic() - self._moved_at >= _QUIET_S:
                await self._update_ring()

    async def settle(self) -> None:
        """Wait for the request that is running, and what it starts."""
        while self._job is not None:
            await asyncio.wait([self._job])
            await asyncio.sleep(0)

    async def first_answer(self) -> None:
        """Wait for the request that is running."""
        if self._job is not None:
            await asyncio.wait([self._job])

    def close(self) -> None:
        """Stop asking."""
        for task in [*self._background, *([self._job] if self._job else [])]:
            task.cancel()
        if self._timer is not None:
            self._timer.cancel()

    def _place(self, text: str, offset: int) -> None:
        self._lines = text.split("\n")
        self._y = text.count("\n", 0, offset)
        self._x = offset - (text.rfind("\n", 0, offset) + 1)

    # -- suggestions ---------------------------------------------------------------------------------------

    def _local(self, previous: list[str]) -> _Local:
        """The context at the cursor, as if `previous` had been inserted there."""
        line, y, n = self._lines[self._y], self._y, self.settings
        suffix_lines = self._lines[y + 1 : y + 1 + n.n_suffix]
        if not previous:
            above = self._lines[max(0, y - n.n_prefix) : y]
            before, after = line[: self._x], line[self._x :]
            indent = len(line) - len(line.lstrip())
            if not line.strip():
                before, after, indent = "", "", 0
        else:
            above = self._lines[max(0, y - n.n_prefix + len(previous) - 1) : y]
            if len(previous) > 1:
                above = [*above, line + previous[0], *previous[1:-1]]
            before, after, indent = (line + previous[0] if len(previous) == 1 else previous[-1]), "", 0
        prefix = "\n".join(above) + "\n"
        return _Local(prefix, before, "\n".join([after, *suffix_lines]) + "\n", indent, after)

    def _try_hint(self, *, at_once: bool) -> None:
        """Show what the cache has for the cursor; then ask for what would follow it."""
        local = self._local([])
        content = self._cached(local.prefix + local.middle, local.suffix)
        best = content
        if content is None:
            whole = local.prefix + local.middle
            for n in range(1, min(_WALK_BACK, len(whole)) + 1):
                earlier = self._cached(whole[:-n], local.suffix)
                if earlier and earlier.startswith(whole[-n:]) and len(earlier) > n:
                    rest = earlier[n:]
                    best = rest if best is None or len(rest) > len(best) else best
        if best is None:
            return
        self.shown = best
        self.on_shown(at_once)
        if best.strip():
            self._fim(best.rstrip("\n").split("\n"), use_cache=True)

    def _cached(self, before: str, suffix: str) -> str | None:
        key = (before, suffix)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        return None

    def _fim(self, previous: list[str], *, use_cache: bool) -> None:
        """Ask the server, unless a request is running: then again in 100 ms."""
        if self._job is not None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(
                _RETRY_S, lambda: self._fim(previous, use_cache=use_cache)
            )
            return
        local = self._local(previous)
        if len(local.line_suffix) > _MAX_LINE_SUFFIX:
            self.on_skipped()
            return
        keys = [(local.prefix + local.middle, local.suffix)]
        trimmed = local.prefix
        for _ in range(3):
            trimmed = trimmed[trimmed.find("\n") + 1 :]
            if not trimmed:
                break
            keys.append((trimmed + local.middle, local.suffix))
        if use_cache and any(self._cached(*key) is not None for key in keys):
            return
        around = self._around()
        chunk = self._random_lines(around)
        self._ring = [old for old in self._ring if _similarity(old.lines, chunk) <= _DISTORTING]
        request = {
            **self._prompt(local),
            "id_slot": 0,
            "n_predict": self.settings.n_predict,
            "stop": list(self.settings.stop),
            "n_indent": local.indent,
            "temperature": 0.0,
            "samplers": ["top_k", "infill"],
            "top_k": 1,
            "stream": False,
            "cache_prompt": True,
            "t_max_prompt_ms": _MAX_PROMPT_MS,
            "t_max_predict_ms": _FIRST_PREDICT_MS if not previous else _MAX_PREDICT_MS,
        }
        self._job = asyncio.create_task(self._run(request, keys))
        if abs(self._y - self._picked_y) > _PICK_DISTANCE:
            n, y = self.settings, self._y
            self._pick(self._lines[max(0, y - _RING_SCOPE) : max(0, y - n.n_prefix)], evict=False)
            self._pick(self._lines[y + n.n_suffix : y + n.n_suffix + _CHUNK_LINES], evict=False)
            self._picked_y = y

    async def _run(self, request: dict[str, Any], keys: list[tuple[str, str]]) -> None:
        answer = await self._post(request)
        self.n_prompt_tokens += answer.get("timings", {}).get("prompt_n", 0)
        for key in keys:
            self._cache[key] = answer["content"]
            self._cache.move_to_end(key)
        while len(self._cache) > _CACHE_KEYS:
            self._cache.popitem(last=False)
        self._job = None
        self._try_hint(at_once=False)

    # -- the ring of chunks --------------------------------------------------------------------------------

    def _around(self) -> list[str]:
        half = _CHUNK_LINES // 2
        return self._lines[max(0, self._y - half) : self._y + half + 1]

    def _random_lines(self, lines: list[str]) -> tuple[str, ...]:
        half = _CHUNK_LINES // 2
        begin = self.draw.randint(0, max(0, len(lines) - half))
        return tuple(lines[begin : begin + half + 1])

    def _pick(self, lines: list[str], *, evict: bool) -> None:
        """Queue a chunk of these lines, unless there is a very similar one."""
        if self.settings.ring_n_chunks <= 0 or len(lines) < 3:
            return
        chunk = tuple(lines) if len(lines) + 1 < _CHUNK_LINES else self._random_lines(lines)
        if any(old.lines == chunk for old in [*self._ring, *self._queued]):
            return
        for kept in (self._queued, self._ring):
            for old in list(kept):
                if _similarity(old.lines, chunk) > _SIMILAR:
                    if not evict:
                        return
                    kept.remove(old)
        if len(self._queued) == _MAX_QUEUED:
            self._queued.pop(0)
        self._queued.append(_Chunk(chunk, self._path))

    def _prompt(self, local: _Local | None) -> dict[str, Any]:
        """The fields of a request that hold its prompt; without a place, the ring alone."""
        chunks = [("\n".join(chunk.lines) + "\n", chunk.filename) for chunk in self._ring]
        if self.settings.infill:
            return {
                "input_prefix": local.prefix if local else "",
                "input_suffix": local.suffix if local else "",
                "input_extra": [{"text": text, "filename": filename} for text, filename in chunks],
                "prompt": local.middle if local else "",
            }
        extra = "".join(f"<|file_sep|>{filename}\n{text}" for text, filename in chunks)
        prompt = f"<|repo_name|>myproject\n{extra}<|file_sep|>filename\n<|fim_prefix|>"
        if local is not None:
            prompt += f"{local.prefix}<|fim_suffix|>{local.suffix}<|fim_middle|>{local.middle}"
        return {"prompt": prompt}

    async def _update_ring(self) -> None:
        """Move a queued chunk into the ring, and have the new ring computed ahead."""
        if len(self._ring) == self.settings.ring_n_chunks:
            self._ring.pop(0)
        self._ring.append(self._queued.pop(0))
        answer = await self._post(
            {
                **self._prompt(None),
                "id_slot": 0,
                "n_predict": 0,
                "temperature": 0.0,
                "samplers": [],
                "stream": False,
                "cache_prompt": True,
                "t_max_prompt_ms": 1,
                "t_max_predict_ms": 1,
            }
        )
        self.n_ahead_tokens += answer.get("timings", {}).get("prompt_n", 0)

    async def _post(self, request: dict[str, Any]) -> dict[str, Any]:
        return await post_json(self.address, "/infill" if self.settings.infill else "/completion", request)


def _similarity(a: tuple[str, ...], b: tuple[str, ...]) -> float:
    """Share of words in common, as the plugin counts it: 0 for none, 1 for all."""
    words_a, words_b = (re.split(r"\W+", "\n".join(lines)) for lines in (a, b))
    known = set(words_a)
    total = len(words_a) + len(words_b)
    return 1.0 if not total else 2.0 * sum(word in known for word in words_b) / total


async def post_json(address: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """POST over a connection of its own, as a curl does; OSError when the server does not answer with JSON."""
    url = urlparse(address)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    try:
        writer.write(head.encode() + data)
        await writer.drain()
        raw = await reader.read()
    finally:
        writer.close()
    header, _, content = raw.partition(b"\r\n\r\n")
    if b" 200 " not in header.split(b"\r\n", 1)[0]:
        raise OSError(f"llama.cpp's server: {raw[:300].decode('utf-8', 'replace')}")
    if b"transfer-encoding: chunked" in header.lower():
        content = _unchunked(content)
    answer: dict[str, Any] = json.loads(content)
    return answer


def _unchunked(data: bytes) -> bytes:
    result = b""
    while data:
        size, _, rest = data.partition(b"\r\n")
        n = int(size.split(b";")[0], 16)
        if n == 0:
            break
        result, data = result + rest[:n], rest[n + 2 :]
    return result
