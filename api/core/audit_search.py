"""Searching the trail: who did what, for who must watch it.

What only its author or its patient may know of is not told by the trail either: which entry or note
it was, whether a note was a psychotherapy note, and what patients do with their own entries.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, exists, literal, null, or_, select

from api.access.policies import FHIR, TABLE, Actor, Role
from api.access.users import users
from api.audit import trail
from api.audit.trail import audit_event_patients, audit_events
from api.core import gate, token_deeds
from api.core.clients import ehr_clients
from api.db import Instant, Listing, Page, Values, page, store

SECURITY: Final = (
    *("sign_in", "second_factor", "user", "clinic", "client", "webhook"),
    *("audit_event", "research_key"),
)
"""Of which deeds the administrator reads; a patient appears in none of them."""
ENTRIES: Final = ("insight", "goal", "practice", "step", "moment", "journal", "reply")
"""What patients may keep for themselves."""
UNNAMED: Final = (*ENTRIES, "attainment", "note", "psychotherapy_note")
"""Of which the trail does not say which record it was."""
MOST_PATIENTS: Final = 100
"""How many patients of one event are shown."""
OUTCOMES: Final = ("ok", "refused")


def search_audit_events(
    actor: Actor,
    asked: Page,
    from_: datetime | None = None,
    to: datetime | None = None,
    patient_id: UUID | None = None,
    **equal: Any,
) -> Listing:
    """The events of the trail, the latest first; `equal` are columns and the values they have."""
    gate.admit(actor, "audit_event:read")
    t = seen_by(actor).subquery("trail")
    wanted = [t.c[name] == value for name, value in equal.items() if value is not None]
    wanted += [] if from_ is None else [t.c.at >= from_]
    wanted += [] if to is None else [t.c.at < to]
    wanted += [] if patient_id is None else [touching(t, patient_id)]
    listing = page(select(t).where(*wanted), t, asked, newest_first=True)  # type: ignore[arg-type]
    listing.items = _show(actor, listing.items)
    return listing


def touching(events: Any, *charts: UUID) -> ColumnElement[bool]:
    """Whether an event is about the patient, or one of these charts."""
    p = audit_event_patients.c
    return exists().where(
        p.clinic_id == events.c.clinic_id, p.event_id == events.c.id, p.patient_id.in_(charts)
    )


def seen_by(reader: Actor) -> Select[Any]:
    """A select of the events that the reader is told of, as far as they are."""
    e = audit_events.c
    word, record = case((_of("psychotherapy_note"), _as_note()), else_=e.action), e.record_id
    columns = (e.clinic_id, e.id, e.at, e.actor_id, e.role, e.type, e.outcome, e.purpose)
    more = (e.reason_ref, e.door, e.request_id, e.client_ip, e.field_names)
    when = (e.at.label("updated_at"), literal(None, Instant).label("deleted_at"))
    named = case((_tells_nothing(), null()), else_=record).label("record_id")
    statement = select(*columns, *more, *when, word.label("action"), named)
    mine = statement.where(e.clinic_id == reader.clinic_id)
    if reader.rights.is_patient:
        return mine
    if reader.rights.role == Role.ADMINISTRATOR:
        return mine.where(*_without_patients())
    return mine.where(or_(e.role.is_(None), e.role != Role.PATIENT.value, ~_of(*ENTRIES)))


def _of(*resources: str) -> ColumnElement[bool]:
    """Whether a deed is upon one of the resources; by its whole word, so that any may be asked."""
    known = [each for each in TABLE if each.split(":")[0] in resources]
    return audit_events.c.action.in_(known)


def _as_note() -> ColumnElement[Any]:
    e = audit_events.c
    return case((e.action == "psychotherapy_note:read", "note:read"), else_="note:write")


def _tells_nothing() -> ColumnElement[bool]:
    """Whether the record's id stays out: at the EHR's door an entry may be under any deed."""
    e = audit_events.c
    return or_(_of(*UNNAMED), and_(e.door == FHIR, e.type.not_in(("Patient", "patients"))))


def _without_patients() -> list[ColumnElement[bool]]:
    e, p = audit_events.c, audit_event_patients.c
    about = exists().where(p.clinic_id == e.clinic_id, p.event_id == e.id)
    signed_in = e.action.in_(("sign_in:open", "client:sign_in", *token_deeds.DEEDS))
    staff = or_(e.role.is_(None), e.role != Role.PATIENT.value)
    return [or_(_of(*SECURITY), signed_in), staff, ~about]


def _show(reader: Actor, rows: list[Values]) -> list[Values]:
    names = names_of(reader.clinic_id, {row["actor_id"] for row in rows} - {None})
    patients = _patients(reader.clinic_id, [row["id"] for row in rows])
    trail.touches(each for one in patients.values() for each in one)
    hidden = ("clinic_id", "actor_id", "deleted_at", "updated_at", "field_names")
    return [
        {key: value for key, value in row.items() if key not in hidden}
        | {
            "actor": names.get(row["actor_id"]),
            "fields": (row["field_names"] or "").split(),
            "patient_ids": patients.get(row["id"], []),
        }
        for row in rows
    ]


def names_of(clinic_id: UUID, ids: set[UUID]) -> dict[UUID, Values]:
    """Who people and programs of the clinic are: `{id, display_name}` by id."""
    u, c, wanted = users.c, ehr_clients.c, sorted(ids)
    people = select(u.id, u.display_name).where(u.clinic_id == clinic_id, u.id.in_(wanted))
    programs = select(c.id, c.name.label("display_name")).where(
        c.clinic_id == clinic_id, c.id.in_(wanted)
    )
    rows = store().rows(select(people.union_all(programs).subquery())) if wanted else []
    return {row["id"]: row for row in rows}


def _patients(clinic_id: UUID, event_ids: list[UUID]) -> dict[UUID, list[UUID]]:
    p, by = audit_event_patients.c, dict[UUID, list[UUID]]()
    mine = (p.clinic_id == clinic_id, p.event_id.in_(event_ids))
    statement = select(p.event_id, p.patient_id).where(*mine).order_by(p.event_id, p.patient_id)
    for row in store().rows(statement) if event_ids else []:
        shown = by.setdefault(row["event_id"], [])
        shown += [row["patient_id"]] if len(shown) < MOST_PATIENTS else []
    return by
