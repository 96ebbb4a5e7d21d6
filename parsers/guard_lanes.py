"""The child processes of `guard`: one `Child` is a process, a `Lane` is those of one purpose.

Rules: a child is for one caller at a time; the caller it dies over hears of it (`Died`), and nobody else. A process
that cannot be started is an OSError.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Sequence

import msgpack

from parsers.guard_wire import MAX_MESSAGE_BYTES, Reply, Request

_READ_BYTES = 1 << 18
# Keys that are remembered of a child; a tree that it has and nobody remembers is sent again.
_MAX_SENT = 1_000
# Without setitimer (Windows) wall time has to do.
_WALL_FACTOR = 3.0


class Died(Exception):
    """The child ended over a request."""

    def __init__(self, reason: str, *, is_slow: bool) -> None:
        super().__init__(reason)
        self.is_slow = is_slow


class Child:
    """One process. For one caller at a time."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=os.sep, bufsize=0
        )
        self._replies = msgpack.Unpacker(max_buffer_size=MAX_MESSAGE_BYTES, strict_map_key=False)
        self.sent: set[int] = set()  # keys of trees that it has, or had

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def call(self, request: Request, source: bytes) -> Reply:
        """Send a request, with the source where the child does not know the tree; Died when it ends over it."""
        if request.key not in self.sent:
            request = request._replace(source=source)
        reply = self._exchange(request)
        if reply.kind == "unknown":
            reply = self._exchange(request._replace(source=source))
        if len(self.sent) >= _MAX_SENT:
            self.sent.clear()
        self.sent.add(request.key)
        return reply

    def _exchange(self, request: Request) -> Reply:
        timer = self._bound(request)
        try:
            self._write(msgpack.packb(tuple(request)))
            return self._read()
        except (BrokenPipeError, ConnectionResetError):
            raise self._death() from None
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            raise Died(f"breaks its process ({error})", is_slow=False) from None
        finally:
            if timer is not None:
                timer.cancel()

    def _bound(self, request: Request) -> threading.Timer | None:
        """Where the kernel does not end a child that takes too long, a timer does."""
        if hasattr(signal, "setitimer"):
            return None
        timer = threading.Timer(_WALL_FACTOR * (request.first_s + request.answer_s), self._process.kill)
        timer.daemon = True
        timer.start()
        return timer

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        left = memoryview(data)
        while left:
            left = left[self._process.stdin.write(left) or 0 :]

    def _read(self) -> Reply:
        assert self._process.stdout is not None
        while True:
            for kind, value in self._replies:
                return Reply(kind, value)
            data = self._process.stdout.read(_READ_BYTES)
            if not data:
                raise BrokenPipeError
            self._replies.feed(data)

    def _death(self) -> Died:
        code = self._process.wait()
        if code == -getattr(signal, "SIGPROF", 0) or not hasattr(signal, "setitimer"):
            return Died("takes too long for it", is_slow=True)
        return Died(f"crashes on it ({_signal_name(code)})", is_slow=False)

    def kill(self) -> None:
        """End it whatever it does; the caller that waits for its answer sees it die."""
        self._process.kill()

    def end(self) -> None:
        """End it, and let go of it."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()


def _signal_name(code: int) -> str:
    return signal.Signals(-code).name if -code in set(signal.Signals) else f"code {code}"


class Lane:
    """Up to `most` children of one purpose, started as they are needed."""

    def __init__(self, command: Sequence[str], most: int) -> None:
        self._command, self._most = command, most
        self._free = threading.Condition()
        self._idle: list[Child] = []
        self._busy: list[Child] = []
        self._n_starting = 0
        self.n_died = 0

    @property
    def children(self) -> list[Child]:
        """All that live."""
        with self._free:
            return [*self._idle, *self._busy]

    def call(self, request: Request, source: bytes) -> Reply:
        """Have an idle child answer, one that knows the text if there is one; waits for one."""
        child = self._take(request)
        try:
            reply = child.call(request, source)
        except BaseException:
            child.end()
            with self._free:
                self.n_died += 1
                self._busy.remove(child)
                self._free.notify()
            raise
        with self._free:
            self._busy.remove(child)
            self._idle.append(child)
            self._free.notify()
        return reply

    def _take(self, request: Request) -> Child:
        with self._free:
            while not self._idle and len(self._busy) + self._n_starting >= self._most:
                self._free.wait()
            if self._idle:
                known = [child for child in self._idle if {request.key, request.base} & child.sent]
                child = (known or self._idle)[-1]
                self._idle.remove(child)
                self._busy.append(child)
                return child
            self._n_starting += 1
        return self._start(self._busy)

    def _start(self, place: list[Child]) -> Child:
        """Start a child that was counted already."""
        try:
            child = Child(self._command)
        except BaseException:
            with self._free:
                self._n_starting -= 1
                self._free.notify()
            raise
        with self._free:
            self._n_starting -= 1
            place.append(child)
            self._free.notify()
        return child

    def warm(self) -> None:
        """Start the first child ahead of its first request."""
        with self._free:
            if self._idle or self._busy or self._n_starting:
                return
            self._n_starting += 1
        self._start(self._idle)

    def renew(self) -> int:
        """End the idle children, and say how many they were; the next request starts another."""
        with self._free:
            ended, self._idle = self._idle, []
        for child in ended:
            child.end()
        return len(ended)

    def close(self) -> None:
        """End all children, also in the middle of an answer."""
        self.renew()
        for child in self.children:
            child.kill()
