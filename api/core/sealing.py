"""Sealing, as the worker does it: the trail's events into their chains, and checkpoints outside."""

import logging
from functools import cache
from typing import Any

from sqlalchemy import Select, select

from api import clock
from api.audit import checkpoints, seal
from api.audit.seal import audit_heads
from api.config import settings
from api.core.clocks import DUE, WHERE, here
from api.db import store

log = logging.getLogger("freshtrail.worker")


def seal_due() -> bool:
    """Seal some events of one clinic, in the transaction that is open; false when none wait."""
    return seal.seal_due(store())


def tell_due() -> bool:
    """Write the checkpoint of one clinic, of what is committed; false when none is due."""
    h = audit_heads.c
    behind = select(audit_heads).where(here(audit_heads), h.seq > h.told_seq)
    row = store().row(
        behind.order_by(h.told_seq - h.seq).limit(1).with_for_update(skip_locked=True)
    )
    if row is None or not _has_key():
        return False
    now = clock.now()
    place = (row["clinic_id"], row["seq"], row["hash"])
    checkpoints.write(settings().checkpoints, *place, now, told=row["told_seq"])
    mine = audit_heads.update().where(h.clinic_id == row["clinic_id"])
    store().execute(mine.values(told_seq=row["seq"]))
    return True


def _has_key() -> bool:
    """Whether there is a key to sign with: a server from before checkpoints may lack it."""
    is_there = (settings().keys / checkpoints.FILE).exists()
    if not is_there:
        _say_that_none_is_written()
    return is_there


@cache
def _say_that_none_is_written() -> None:
    log.error("no checkpoint is written: there is no key; `flask --app wsgi keys make` makes one")


def _clinics_behind() -> Select[Any]:
    h = audit_heads.c
    return select(h.clinic_id).where(h.seq > h.told_seq).order_by(h.told_seq - h.seq)


DUE.append(seal_due)
DUE.append(tell_due)
WHERE[seal_due] = lambda: seal.clinics_waiting(store())
WHERE[tell_due] = _clinics_behind
