"""Workers of tests: one that works in some clinics alone, and one in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from api import worker
from tests.builders import Scene

HOUSE = Path(__file__).parents[1]
PATIENCE_S = 60


def only_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on workers of this process find work in the clinics of the scene alone.

    In the database of the tests thousands of clinics have something due, and one piece of it more
    with every minute: without this a worker may take longer than a first retry waits.
    """
    ours = {person.clinic_id for person in scene.people.values()}

    def narrowed(asked: Callable[[Any], Iterable[UUID]]) -> Callable[[Any], list[UUID]]:
        return lambda what: [clinic_id for clinic_id in asked(what) if clinic_id in ours]

    for name in ("_clinics_of", "_clinics_with"):
        monkeypatch.setattr(worker, name, narrowed(getattr(worker, name)))


@contextmanager
def started_worker(*more: str, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker in a process of its own, with the settings of this one; killed afterwards."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "worker", *more]
    worker = subprocess.Popen(command, cwd=HOUSE, env={**os.environ, **environment})
    try:
        yield worker
    finally:
        with suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)
        worker.wait()


def until(condition: Any) -> None:
    """Wait for it."""
    ends = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.02)
