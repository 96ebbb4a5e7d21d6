"""What a session does in idle time: its window is brought in, block by block and chunk by chunk, and made exact.

    warm blocks into their slots -> cold blocks, best rank first -> the text after them -> one exact pass

Each step leaves the session better and usable: requests in between attend to whatever is there.

Rules: yields between layers, so that a keystroke never waits longer than one; a chunk under way is suspended with
its session, and a block under way is parked for the next window that has it: typing does not undo idle work.
"""

from collections.abc import Generator
from dataclasses import dataclass

from model.engine import blocks
from model.engine.generate import Engine, run_forward
from model.engine.plan import is_placed
from model.engine.session import Level, Session


@dataclass(slots=True)
class Improver:
    """Idle work on the engine's sessions."""

    engine: Engine
    n_computed: int = 0  # tokens, over all sessions

    def improve(self, session: Session, *, exact: bool) -> Generator[None, None, None]:
        """Bring the session's window in, and with `exact` make it exact."""
        if (window := session.window) is None:
            return
        if window.blocks:
            yield from self._raise(session, 0, window.n_header, Level.EXACT)
        for block in window.blocks:
            if not is_placed(session, block):
                blocks.place_warm(self.engine.decoder, self.engine.blocks, session, window, block)
        for block in window.blocks:
            if not is_placed(session, block):
                yield from blocks.bring_in(self.engine.decoder, self.engine.blocks, session, window, block)
                self.n_computed += len(block)
        for part in window.flow:
            yield from self._raise(session, part.begin, part.end, Level.WINDOW)
        if exact:
            yield from self._raise(session, 0, len(window.ids), Level.EXACT)

    def _raise(self, session: Session, begin: int, end: int, level: Level) -> Generator[None, None, None]:
        """Compute what is worth less than `level` within begin..end, in order; the window's last token is left out.

        A request computes that one anyway, and a chunk that ended with it would be lost at the next keystroke.
        """
        window = session.window
        assert window is not None
        end = min(end, len(window.ids) - 1)
        while (found := next(session.below(level, begin, end), None)) is not None:
            start, stop = found[0], min(found[1], found[0] + self.engine.decoder.chunks.idle)
            if (work := session.work) is not None and work.begin == start and work.end <= end:
                stop = work.end
            yield from run_forward(self.engine, session, start, session.ids[start:stop], session.held(start))
            self.n_computed += stop - start
            begin = stop
