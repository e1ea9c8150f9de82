"""What the tests of purges have in common: years go by, two people agree, the worker works."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import time_machine
from sqlalchemy import func, select

from api import clock, db
from api.access.policies import Role
from api.access.users import sign_ins
from api.core import purges
from api.core.purges import removing, working
from api.core.purges.table import chart_purges
from tests import builders
from tests.builders import Person, Scene

YEARS = timedelta(days=13 * 365)
WHY = {"reason": "Retention is over; nothing is pending."}
FAR_LATER = timedelta(days=91)
"""Longer than the feed is kept."""


@contextmanager
def years_later(more: timedelta = YEARS) -> Iterator[Any]:
    """As it will be when the retention of what is written now is over."""
    with time_machine.travel(clock.now() + more) as moved:
        yield moved


def officer(scene: Scene, role: Role = Role.PRIVACY_OFFICER) -> Person:
    """Somebody of those days who may propose and agree."""
    with db.transaction():
        return builders.make_person(scene.clinic_id, role)


def propose(by: Person, patient_id: Any) -> db.Values:
    with db.transaction():
        return purges.propose_chart_purge(by.actor, WHY | {"patient_id": UUID(str(patient_id))})


def approve(by: Person, purge: db.Values) -> db.Values:
    with db.transaction():
        return purges.approve_chart_purge(by.actor, purge["id"])


def agreed(scene: Scene, patient_id: Any = None) -> db.Values:
    """A purge of the scene's patient, unless of another, that two people agreed on."""
    chart = scene.patient["id"] if patient_id is None else patient_id
    return approve(officer(scene, Role.ADMINISTRATOR), propose(officer(scene), chart))


def work(scene: Scene, pieces: int = 10_000) -> int:
    """Let the worker work in the clinic; answers how many pieces it was."""
    with db.within(scene.clinic_id):
        return next((n for n in range(pieces) if not working.work_once()), pieces)


def follow(scene: Scene) -> None:
    """Let the worker look after what was done before, until there is nothing left to do."""
    with db.within(scene.clinic_id):
        while working._look():
            pass


def as_it_is(purge: db.Values) -> db.Values:
    """The purge as it stands."""
    with db.transaction() as store:
        mine = select(chart_purges).where(chart_purges.c.id == purge["id"])
        row = store.row(mine, opens=chart_purges)
    assert row is not None
    return row


def let_sign_ins_stand(clinic_id: UUID) -> None:
    """The sign-ins of before stand in those days, too."""
    with db.transaction() as store:
        s, ends = sign_ins.c, clock.now() + timedelta(days=365)
        mine = sign_ins.update().where(s.clinic_id == clinic_id)
        store.execute(mine.values(ends_at=ends, awake_until=None))


def held_of(clinic_id: UUID, *charts: Any) -> dict[str, int]:
    """How many rows each table that may hold a patient's data has of these charts."""
    ids, found = [UUID(str(one)) for one in charts], {}
    with db.transaction() as store:
        for table in removing.removable():
            those = removing.of_charts(table, clinic_id, ids)
            count = store.execute(select(func.count()).select_from(table).where(those)).scalar()
            if count:
                found[table.name] = int(count)
    return found
