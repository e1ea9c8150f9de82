"""The worker: does what is due, and tells others what happened; as many of them as one likes."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Semaphore
from time import monotonic
from typing import Any
from uuid import UUID

from sqlalchemy.exc import OperationalError, TimeoutError as PoolTimeout

from api import db
from api.core import beats, clocks
from api.fhir import bulk_making as _bulk_making, notifying  # noqa: F401
from api.outbox import deliver, letters, sharing

log = logging.getLogger("freshtrail.worker")
NAME = "worker"
BEAT_S = 10
"""Seconds from one beat to the next."""
IDLE_S = 1.0
"""Seconds to wait when there was nothing to do."""
RECOVER_S = 5.0
"""Seconds to wait when the database did not answer."""
HANDS = 4
"""Deliveries that are on their way at once."""
IN_A_ROW = 50
"""Pieces of one kind of work before the other kinds have their turn."""


class Worker:
    """One worker: a loop that never waits for a receiver, and hands that do."""

    def __init__(self) -> None:
        self.stopping = Event()
        self._hands = ThreadPoolExecutor(HANDS, "delivery")
        self._free = Semaphore(HANDS)
        self._beat_at = float("-inf")
        self._settled = Event()
        self._aside = ThreadPoolExecutor(1, "long")
        self._long: Future[bool] | None = None

    def stop(self) -> None:
        """End after what is in hand."""
        self.stopping.set()

    def run(self, once: bool = False) -> None:
        """Work until told to stop; with `once` until there is nothing to do."""
        try:
            while not self.stopping.is_set():
                self._settled.clear()
                was_idle = self._is_idle()
                worked = self._turn()
                if once and was_idle and not worked and not self._work_aside(wait=True):
                    return
                if not worked:
                    self._wait()
        finally:
            self._hands.shutdown(wait=True)
            self._aside.shutdown(wait=True)

    def _turn(self) -> bool:
        """One round of everything; tells whether anything was done."""
        try:
            self._beat()
            worked = [_everywhere(step) for step in (*clocks.DUE, _share_out)]
            worked.append(_some(_prune_letters))
            self._work_aside()
            return any([*worked, self._send(deliver), self._send(notifying), self._send(letters)])
        except (OperationalError, PoolTimeout):
            log.exception("the database did not answer")
            self.stopping.wait(RECOVER_S)
            return False

    def _work_aside(self, wait: bool = False) -> bool:
        """Let long work go on beside all else; told to wait, answers whether there was any."""
        if self._long is None or self._long.done():
            self._long = self._aside.submit(_long)
        return wait and self._long.result()

    def _beat(self) -> None:
        if monotonic() - self._beat_at >= BEAT_S:
            with db.transaction():
                beats.beat(NAME)
            self._beat_at = monotonic()

    def _send(self, what: Any) -> bool:
        """Hand out what is due, deliveries, notifications or letters, while hands are free."""
        sent = False
        for clinic_id in [None] if what is letters else _clinics_of(what.clinics_due):
            while not self.stopping.is_set() and self._free.acquire(blocking=False):
                with db.within(clinic_id), db.transaction() as store:
                    job = what.take(store)
                if job is None:
                    self._free.release()
                    break
                self._hands.submit(self._deliver, what, job, clinic_id)
                sent = True
        return sent

    def _deliver(self, what: Any, job: Any, clinic_id: UUID | None) -> None:
        try:
            outcome = what.send(job)
            with db.within(clinic_id), db.transaction() as store:
                what.settle(store, job, outcome)
        except Exception:
            # The lease runs out, and the delivery is made anew.
            log.exception("a delivery could not be settled")
        finally:
            self._free.release()
            self._settled.set()

    def _is_idle(self) -> bool:
        """Whether no hand is at work; what comes of one that is may be due at once."""
        held = 0
        while self._free.acquire(blocking=False):
            held += 1
        self._free.release(held) if held else None
        return held == HANDS

    def _wait(self) -> None:
        """Rest for a moment, or until a hand is free again."""
        self._settled.wait(IDLE_S)


def _long() -> bool:
    """Do a piece of each kind of long work; tells whether there was any."""
    try:
        return any([step() for step in clocks.LONG])
    except Exception:
        log.exception("long work failed")
        return False


def _share_out() -> bool:
    return sharing.share_out(db.store())


def _prune_letters() -> bool:
    return letters.prune(db.store())


clocks.WHERE[_share_out] = sharing.clinics_waiting


def _clinics_of(due: Callable[[], Any]) -> list[UUID]:
    with db.within(finding=True), db.transaction() as store:
        return [row[0] for row in store.execute(due())]


def _clinics_with(step: Callable[[], bool]) -> list[UUID]:
    try:
        with db.within(finding=True), db.transaction():
            return clocks.clinics_with(step)
    except (OperationalError, PoolTimeout):
        raise
    except Exception:
        log.exception("where work is due could not be asked")
        return []


def _everywhere(step: Callable[[], bool]) -> bool:
    """Do one kind of work in each clinic that has some; tells whether there was any."""
    worked = False
    for clinic_id in _clinics_with(step):
        with db.within(clinic_id):
            worked = _some(step) or worked
    return worked


def _some(step: Callable[[], bool]) -> bool:
    """Do pieces of one kind of work, a transaction for each; tells whether there were any."""
    for done in range(IN_A_ROW):
        try:
            with db.transaction():
                if not step():
                    return done > 0
        except (OperationalError, PoolTimeout):
            raise
        except Exception:
            # One kind of work that fails must not keep the others from being done.
            log.exception("a piece of work failed")
            return False
    return True
