"""Refusals of whom nobody knows: counted by the minute, and written as events of no clinic.

Who is turned away before it is known who they are leaves no event of their own: a flood of them
would fill the disk. Each process counts them by minute, address, door and kind. Once the minute is
over whoever comes next has it written, a row for each count, and the end of the process writes what
is left; a process that is killed loses what it had counted. A name that was tried is not kept, so
that nothing tells whether there is such an account.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing.util import Finalize
from threading import Lock, Thread
from typing import Final

from sqlalchemy import select

from api import clock
from api.audit.trail import SYSTEM, audit_events
from api.db import new_id, transaction, within

ACTION: Final = "anybody:refuse"
MOST: Final = 100
"""Counts that a process keeps until they are written; what is beyond is counted without address."""
TIMES: Final = "times="
FIRST: Final = 1
"""Where in the order of what is done at the end of a process: before its connections go."""
log = logging.getLogger("freshtrail")


@dataclass(frozen=True)
class Group:
    """What is counted together: refusals of one kind at one door, in a minute, from an address."""

    minute: str
    address: str | None
    door: str
    kind: str


Counts = Mapping[Group, int]


class Tally:
    """The counts of this process that are not written yet; any number of threads may count."""

    def __init__(self, now: Callable[[], datetime] = clock.now) -> None:
        self._now = now
        self._lock = Lock()
        self._counts: dict[Group, int] = {}
        self._oldest = self._failed = ""

    def count(self, address: str | None, door: str, kind: str) -> None:
        """Count one refusal."""
        self._add(Group(minute_of(self._now()), address, door, kind), 1)

    def _add(self, group: Group, times: int) -> None:
        with self._lock:
            if group not in self._counts and len(self._counts) >= MOST:
                group = replace(group, address=None)
            self._counts[group] = self._counts.get(group, 0) + times
            self._oldest = min(self._oldest or group.minute, group.minute)

    def take(self, to_the_last: bool = False) -> Counts:
        """Take out what was counted in minutes that are over, or all; nothing while none is."""
        minute = minute_of(self._now())
        if not self._oldest or (not to_the_last and minute in (self._oldest, self._failed)):
            return {}
        with self._lock:
            over = {g: n for g, n in self._counts.items() if to_the_last or g.minute < minute}
            for group in over:
                del self._counts[group]
            self._oldest = min((group.minute for group in self._counts), default="")
        return over

    def give_back(self, counts: Counts) -> None:
        """Count again what could not be written; it is not taken before the next minute."""
        self._failed = minute_of(self._now())
        for group, times in counts.items():
            self._add(group, times)


tally = Tally()


def minute_of(moment: datetime) -> str:
    """The minute of a moment, in UTC: 2026-11-25T02:00Z."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def count(address: str | None, door: str, kind: str) -> None:
    """Count a refusal of whom nobody knows."""
    tally.count(address, door, kind)


def write_due() -> None:
    """Have written what was counted in minutes that are over; nobody waits for it."""
    if counts := tally.take():
        Thread(target=write, args=(counts,), name="refusals").start()


def write_at_end() -> None:
    """Let the end of this process write what is left, also of one that a server has forked."""
    Finalize(None, _write_left, exitpriority=FIRST)


def _write_left() -> None:
    if counts := tally.take(to_the_last=True):
        write(counts)


def write(counts: Counts) -> None:
    """Write counts, an event each; where that fails they are counted again."""
    try:
        with within(SYSTEM), transaction() as store:
            store.append(audit_events, [_event(group, n) for group, n in counts.items()])
    except Exception:
        log.exception("refusals could not be written")
        tally.give_back(counts)


def _event(group: Group, times: int) -> dict[str, object]:
    """A count as an event: its minute stands where a request's id would be, for it is of many."""
    return {
        "clinic_id": SYSTEM,
        "id": new_id(),
        "at": clock.now(),
        "action": ACTION,
        "outcome": "refused",
        "reason_ref": group.kind,
        "door": group.door,
        "request_id": group.minute,
        "client_ip": group.address,
        "field_names": f"{TIMES}{times}",
    }


@dataclass
class Told:
    """How often an address was refused so at a door, and in which minutes first and last."""

    times: int
    first: str
    last: str


def told(since: datetime) -> dict[tuple[str | None, str, str], Told]:
    """What was refused since a moment, by address (None: those beyond the first), door and kind."""
    e, found = audit_events.c, dict[tuple[str | None, str, str], Told]()
    asked = select(e.client_ip, e.door, e.reason_ref, e.request_id, e.field_names).where(
        e.clinic_id == SYSTEM, e.action == ACTION, e.request_id >= minute_of(since)
    )
    with within(SYSTEM), transaction() as store:
        for address, door, kind, minute, words in store.execute(asked):
            times = int(words.removeprefix(TIMES))
            one = found.setdefault((address, door, kind), Told(0, minute, minute))
            one.times += times
            one.first, one.last = min(one.first, minute), max(one.last, minute)
    return found
