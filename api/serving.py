"""The server of the doors: granian and its workers; `python -m api.serving` is its head.

`serve` starts it with everything ready. This process does not load the application: each worker
does, so that one that dies is made anew from the code and settings as they are.
"""

import sys

from granian.constants import HTTPModes, Interfaces
from granian.errors import FatalError
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from api.config import settings
from api.draining import Drain

BACKPRESSURE = 1024
"""Lines that a worker keeps open before it lets the listening socket wait; an idle one counts."""
HEADERS_MS = 8_000
"""Milliseconds until whoever asks must have said their headers, and an idle line is closed."""
FINISH_S = 30
"""Seconds that requests under way have to be answered once the server ends."""


def server() -> MPServer:
    """The server as the settings want it, which drains on SIGTERM where they say for how long."""
    # SQLite lets one writer in at a time: more threads would wait, not work.
    threads = settings().threads if settings().url.startswith("postgresql") else 1
    made = MPServer(
        "wsgi:app",
        address=settings().host,
        port=settings().port,
        interface=Interfaces.WSGI,
        workers=settings().workers,
        blocking_threads=threads,
        backpressure=BACKPRESSURE,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADERS_MS),
        websockets=False,
        workers_kill_timeout=FINISH_S,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        log_level=LogLevels.warning,
    )
    if settings().drain_seconds:
        drain = Drain(settings().drain_seconds)
        made.on_startup(drain.install)
        made.on_shutdown(drain.forget)
    return made


def main() -> None:
    """Serve until told to end."""
    try:
        server().serve()
    except FatalError:
        sys.exit(1)


if __name__ == "__main__":
    main()
