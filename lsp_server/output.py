"""Standard output to an editor that may close its end at any time: some do not wait for the answer to `shutdown`.

Rules: an editor that has gone is no error. What is written from then on goes nowhere; the end of standard input, which
comes with it, ends the server.
"""

import logging
import os
from typing import IO, Any, BinaryIO

log = logging.getLogger(__name__)


class Output:
    """What pygls writes to, over a pipe; once nobody reads it, over nothing."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe

    def write(self, data: bytes) -> int:
        """Write all of it."""
        try:
            return self._pipe.write(data)
        except BrokenPipeError:
            self._leave_off()
            return len(data)

    def flush(self) -> None:
        """Send what was written."""
        try:
            self._pipe.flush()
        except BrokenPipeError:
            self._leave_off()

    def close(self) -> None:
        """Close the pipe."""
        self._pipe.close()

    def _leave_off(self) -> None:
        log.info("the editor has closed its end of the pipe")
        to_nowhere(self._pipe)


def to_nowhere(pipe: IO[Any]) -> None:
    """Have what is written to a pipe without a reader go nowhere, and so its buffer as the interpreter ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, pipe.fileno())
    os.close(nowhere)
