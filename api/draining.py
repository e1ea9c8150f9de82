"""Draining: a server that is to end says first that it is not ready, and serves on meanwhile.

Whoever shares out requests between servers asks each now and then whether it is ready, and needs a
moment to hear that it is not. What the processes of one server know of it together is a file of
theirs alone, that is there while it drains.
"""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from uuid import uuid4

from api.config import settings

MARK = "FRESHTRAIL_DRAINING"
"""The variable by which the processes of a server know where their file would be."""
Handler = Callable[[int, FrameType | None], object]


def is_draining() -> bool:
    """Whether the server of this process is about to end."""
    mark = os.environ.get(MARK)
    return mark is not None and os.path.exists(mark)


class Drain:
    """What SIGTERM does in the process that heads a server: drain first, then end it.

    A second SIGTERM ends it at once; SIGINT does so from the first on.
    """

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        self.mark = settings().data / f"draining-{uuid4().hex}"
        os.environ[MARK] = str(self.mark)
        self._head = os.getpid()
        self._end: Handler | None = None
        self._begun = False

    def install(self) -> None:
        """Come before what SIGTERM does by now."""
        before = signal.getsignal(signal.SIGTERM)
        assert callable(before)
        self._end = before
        signal.signal(signal.SIGTERM, self.begin)

    def begin(self, number: int, frame: FrameType | None) -> None:
        """Say that the server is not ready any more, and end it later; asked again, now."""
        assert self._end is not None
        if os.getpid() != self._head:  # a worker that is still being made, and knows no better yet
            raise SystemExit
        if self._begun or not self._say():
            self._end(number, frame)
            return
        self._begun = True
        later = threading.Timer(self.seconds, self._end, (number, None))
        later.daemon = True
        later.start()

    def _say(self) -> bool:
        """Leave the mark; where there is no room for it nobody would hear of the draining."""
        try:
            self.mark.touch()
        except OSError:
            return False
        return True

    def forget(self) -> None:
        """The server has ended: take the mark away."""
        with suppress(OSError):
            self.mark.unlink(missing_ok=True)
