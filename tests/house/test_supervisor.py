"""Server and worker are one program: one that dies takes the other along, and says with what."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
SUPERVISED = "import sys; from api import supervisor; sys.exit(supervisor.run({commands!r}))"
PATIENCE_S = 20


def child(code: str) -> list[str]:
    """A command that runs a line of Python."""
    return [sys.executable, "-c", code]


def lives(marks: Path, name: str) -> list[str]:
    """A child that writes its number down and stays."""
    mark = f"open({str(marks / name)!r}, 'w').write(str(os.getpid()))"
    return child(f"import os, time; {mark}; time.sleep(600)")


def supervise(*commands: list[str]) -> "subprocess.Popen[bytes]":
    code = SUPERVISED.format(commands=list(commands))
    return subprocess.Popen([sys.executable, "-c", code], cwd=HOUSE)


def pid_of(mark: Path) -> int:
    """The number of a child, once it has written it down."""
    ends = time.monotonic() + PATIENCE_S
    while not mark.exists() or not mark.read_text():
        assert time.monotonic() < ends
        time.sleep(0.02)
    return int(mark.read_text())


def is_gone(pid: int) -> bool:
    """Whether the process is there no more, after a moment."""
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        status = Path(f"/proc/{pid}/status")
        if status.exists() and "State:\tZ" in status.read_text():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    ("last", "code"),
    [
        ("import sys; sys.exit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
        ("pass", 0),
    ],
)
def test_one_that_ends_stops_the_other_and_its_code_is_told(
    tmp_path: Path, last: str, code: int
) -> None:
    ends = f"import time, pathlib\nwhile not pathlib.Path({str(tmp_path / 'other')!r}).exists():\n"
    ends += f" time.sleep(.02)\ntime.sleep(.1)\n{last}"
    both = supervise(lives(tmp_path, "other"), child(ends))
    assert both.wait(PATIENCE_S) == code
    assert is_gone(pid_of(tmp_path / "other"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_stops_both(tmp_path: Path, number: int) -> None:
    both = supervise(lives(tmp_path, "one"), lives(tmp_path, "two"))
    children = [pid_of(tmp_path / name) for name in ("one", "two")]
    both.send_signal(number)
    assert both.wait(PATIENCE_S) == 0
    assert all(map(is_gone, children))


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_killed_it_leaves_nobody_behind(tmp_path: Path) -> None:
    both = supervise(lives(tmp_path, "one"), lives(tmp_path, "two"))
    children = [pid_of(tmp_path / name) for name in ("one", "two")]
    both.kill()
    both.wait()
    assert all(map(is_gone, children))
