"""Server and worker as one program: started together, stopped together, dead together."""

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

GRACE_S = 35
"""How long children may finish what they are at; the server gives its own workers 30 seconds."""
LOOK_S = 0.2
PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that a child gets when its parent is gone, however it went."""


class _Asked(Exception):
    """Somebody asked for the end."""


def run(commands: Sequence[Sequence[str]], grace_s: float = GRACE_S) -> int:
    """Run the commands until one ends or a signal comes, then stop all; the exit status.

    It is that of the child that ended first by itself, 128 and the signal's number for one that
    was killed, and 0 after SIGINT or SIGTERM. All are given `grace_s` seconds to end when they are
    told to; a further signal meanwhile is passed on to them.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ask)
    children: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            children.append(subprocess.Popen(command, preexec_fn=_die_with_parent))
        return _first_to_end(children)
    except _Asked:
        return 0
    finally:
        _stop(children, grace_s)


def _ask(_number: int, _frame: FrameType | None) -> None:
    _ignore_signals()
    raise _Asked


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _first_to_end(children: Sequence["subprocess.Popen[bytes]"]) -> int:
    while True:
        for child in children:
            code = child.poll()
            if code is not None:
                return code if code >= 0 else 128 - code
        time.sleep(LOOK_S)


def _stop(children: Sequence["subprocess.Popen[bytes]"], grace_s: float) -> None:
    def terminate(*_: object) -> None:
        for child in children:
            if child.poll() is None:
                child.terminate()

    _ignore_signals()
    terminate()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, terminate)
    ends = time.monotonic() + grace_s
    for child in children:
        try:
            child.wait(max(0.0, ends - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
