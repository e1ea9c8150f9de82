"""Closing: the one transaction in which a chart ends for everybody.

Psychotherapy notes first: their keys are destroyed. Then every record of the chart is a tombstone,
the patient's row is emptied, their sign-in is over, and what was remembered of the chart elsewhere
is forgotten. What is left after that are rows that nobody reaches, and they are taken away.
"""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Text, cast, exists, literal, or_, select

from api import clock
from api.access.users import clinics
from api.core import chart_keys, replay
from api.core.client_reach import client_patients
from api.core.clients import ehr_clients
from api.core.consents import in_force
from api.core.ehr import exports
from api.core.ehr.subscriptions.tables import ehr_notifications
from api.core.patients import patients
from api.core.purges.leaving import end_sign_ins
from api.core.purges.removing import at_once, of_charts
from api.core.purges.table import chart_purges
from api.core.team_reach import care_team
from api.core.treatment import notes
from api.db import Values, found, store
from api.outbox.events import outbox_events
from api.outbox.tables import webhook_deliveries

RETENTION: Final = "retention"
"""The code by which a destroyed key says why."""
SHARING: Final = "ehr_sharing"
OWN_EVENTS: Final = ("chart_purge.%", "patient.purged")
"""What is told of the purge itself."""
TOLD: Final = ("clinic_id", "id", "version", "updated_at", "deleted_at")
"""What the feed must know of a patient."""
NAMED: Final = {"legal_given": "Removed", "legal_family": "chart"}
"""In the place of a name, which no patient is without."""


def close(row: Values, charts: list[UUID]) -> None:
    """End these charts; whoever calls has asked whether they may be, and holds them."""
    clinic_id = row["clinic_id"]
    notes.shred(clinic_id, charts, RETENTION)
    _let_clients_be_told(clinic_id, charts)
    _end_teams(clinic_id, charts)
    moment = clock.now()
    for table in at_once():
        if "deleted_at" in table.c:
            there = (of_charts(table, clinic_id, charts), table.c.deleted_at.is_(None))
            store().execute(table.update().where(*there).values(deleted_at=moment))
    _empty(clinic_id, charts)
    _forget_reasons(clinic_id, charts)
    forget_beside(clinic_id, charts)


def _let_clients_be_told(clinic_id: UUID, charts: list[UUID]) -> None:
    """Clients that reach a chart because its patient shares it are told as those that made it."""
    c, mine = ehr_clients.c, client_patients.c
    for chart in charts:
        if not in_force(store(), clinic_id, chart, SHARING):
            continue
        has = exists().where(
            mine.clinic_id == clinic_id, mine.client_id == c.id, mine.patient_id == chart
        )
        reach = select(c.clinic_id, c.id, literal(chart, patients.c.id.type))
        rows = reach.where(c.clinic_id == clinic_id, c.deleted_at.is_(None), ~has)
        names = ["clinic_id", "client_id", "patient_id"]
        store().execute(client_patients.insert().from_select(names, rows))


def _end_teams(clinic_id: UUID, charts: list[UUID]) -> None:
    """Nobody is on these care teams any more; why somebody left before is forgotten."""
    c = care_team.c
    mine = (c.clinic_id == clinic_id, c.patient_id.in_(charts))
    still = (c.ended_at.is_(None), c.deleted_at.is_(None))
    for member in store().rows(select(care_team).where(*mine, *still).with_for_update()):
        store().change(care_team, member, {"ended_at": clock.now()})
    store().execute(care_team.update().where(*mine).values(end_reason=None))


def _empty(clinic_id: UUID, charts: list[UUID]) -> None:
    """Leave of the patients an id and a tombstone."""
    p, moment = patients.c, clock.now()
    zone = select(clinics.c.time_zone).where(clinics.c.id == clinic_id)
    kept = {"clinic_id", "id", "created_at"}
    empty: Values = {c.key: None for c in p if c.nullable and c.key not in kept}
    empty |= NAMED | {"locale": "en-US", "status": "discharged"}
    empty |= {"time_zone": found(store().row(zone))["time_zone"]}
    gone: dict[str, Any] = {"deleted_at": moment, "updated_at": moment, "version": p.version + 1}
    mine = (p.clinic_id == clinic_id, p.id.in_(charts))
    told = (p[name] for name in TOLD)
    changed = patients.update().where(*mine).values(**empty | gone).returning(*told)
    store().tell(patients, store().execute(changed).mappings().all())


def _forget_reasons(clinic_id: UUID, charts: list[UUID]) -> None:
    """Why a removal was proposed, this time or before, may name the patient."""
    c = chart_purges.c
    mine = (c.clinic_id == clinic_id, c.patient_id.in_(charts))
    store().execute(chart_purges.update().where(*mine).values(reason=None))


def forget_beside(clinic_id: UUID, charts: list[UUID]) -> None:
    """Forget what tells of the charts without being of them: sign-ins, answers kept for what is
    sent twice, files of exports, and events on their way. Asked again, it forgets what came since,
    also a key that was made for a note just then."""
    end_sign_ins(clinic_id, charts)
    chart_keys.destroy(clinic_id, charts, RETENTION)
    replay.forget_charts(clinic_id, charts)
    exports.forget_charts(clinic_id, charts)
    e, d, n = outbox_events.c, webhook_deliveries.c, ehr_notifications.c
    names = or_(*(cast(e.subject, Text).contains(str(chart)) for chart in charts))
    others = (e.name.not_like(name) for name in OWN_EVENTS)
    ids = store().execute(select(e.id).where(e.clinic_id == clinic_id, names, *others)).scalars()
    told = list(ids)
    focus = [f"Patient/{chart}" for chart in charts]
    notified = or_(n.event_id.in_(told), n.focus.in_(focus))
    store().execute(ehr_notifications.delete().where(n.clinic_id == clinic_id, notified))
    if told:
        store().execute(
            webhook_deliveries.delete().where(d.clinic_id == clinic_id, d.event_id.in_(told))
        )
        store().execute(outbox_events.delete().where(e.clinic_id == clinic_id, e.id.in_(told)))
