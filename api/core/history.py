"""History: every version of a record, who made it and when, as far as the reader may see it.

What the patient kept for themself in a version is not there for others, in no field and no count.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Integer, String, Table, Uuid, and_, literal, null, select, union_all

from api.access.policies import Actor
from api.access.users import named
from api.audit.trail import audit_event_patients, audit_events
from api.core import gate
from api.core.consents import consents
from api.core.integration.entries import HIDDEN as OF_ENTRIES
from api.core.integration.tables import ME, goals, practices
from api.core.outcomes.checkins import check_ins, showing as checkins_shown
from api.core.patients import ONCE_CLEAR, open_chart, patients, show_to
from api.core.treatment import signatures
from api.core.treatment.sessions import holding, sessions, showing as sessions_shown
from api.db import Instant, Listing, Page, Values, page, store, versions
from api.db.versions import record_versions

FIRST: Final = ("id", "version", "created_at", "updated_at")
"""What stands beside the values and not among them."""
POINTERS: Final = ("insight_id", "practice_id")
"""What may point to an entry that is the patient's own; the record as it is now names it."""
CREATED_BY: Final = {"patients": "patient:create", "sessions": "session:schedule"}
"""The deed in the trail that says who made what names no author."""
TREATING: Final = ("patient", "clinician")
"""The roles to whom what is clinical is told."""
Shown = Callable[[Actor, Values, Values], Values]


@dataclass(frozen=True)
class Kind:
    """How the versions of a table are shown: `(reader, version, the record as it is)`.

    What is `clinical` in it is null to whoever is neither the patient nor a clinician, and never
    among what changed.
    """

    shown: Shown
    author: str | None = None
    clinical: frozenset[str] = frozenset()


def list_patient_history(actor: Actor, patient_id: UUID, asked: Page) -> Listing:
    """The versions of who a patient is, the newest first."""
    row = open_chart(actor, "patient:read", patient_id)
    return _history(actor, patients, row | {"patient_id": row["id"]}, asked)


def list_goal_history(actor: Actor, goal_id: UUID, asked: Page) -> Listing:
    """The versions of a goal, the newest first."""
    row = gate.find_in_chart(actor, "goal:read", goals, goal_id)
    return _history(actor, goals, row, asked)


def list_practice_history(actor: Actor, practice_id: UUID, asked: Page) -> Listing:
    """The versions of a practice, the newest first."""
    row = gate.find_in_chart(actor, "practice:read", practices, practice_id)
    return _history(actor, practices, row, asked)


def list_session_history(actor: Actor, session_id: UUID, asked: Page) -> Listing:
    """The versions of a session, the newest first."""
    row = gate.find_in_chart(actor, "session:read", sessions, session_id)
    return _history(actor, sessions, row, asked)


def list_checkin_history(actor: Actor, check_in_id: UUID, asked: Page) -> Listing:
    """The versions of a check-in, the newest first."""
    row = gate.find_in_chart(actor, "check_in:read", check_ins, check_in_id)
    return _history(actor, check_ins, row, asked)


def list_consent_history(actor: Actor, consent_id: UUID, asked: Page) -> Listing:
    """The versions of a consent, the newest first."""
    row = gate.find_in_chart(actor, "consent:read", consents, consent_id)
    return _history(actor, consents, row, asked)


def _history(reader: Actor, table: Table, row: Values, asked: Page) -> Listing:
    all_of_them = _versions(reader, table, row)
    order = [all_of_them.c.number]
    opens = record_versions
    listing = page(select(all_of_them), all_of_them, asked, order, newest_first=True, opens=opens)
    first = _maker_of_first(table, row) if any(r["number"] == 1 for r in listing.items) else None
    for each in listing.items:
        if each["number"] == 1:
            each["made_by"] = first
    names = named(reader.clinic_id, (each["made_by"] for each in listing.items))
    listing.items = [_show(reader, table, row, each, names) for each in listing.items]
    return listing


def _versions(reader: Actor, table: Table, row: Values) -> Any:
    """A select of every version that the reader may know of: the former ones, and the record."""
    v, made = record_versions.c, record_versions.alias("made")
    mine = (v.clinic_id == reader.clinic_id, v.record_id == row["id"], v.kind == table.name)
    before = and_(
        made.c.clinic_id == v.clinic_id,
        made.c.record_id == v.record_id,
        made.c.number == v.number - 1,
    )
    by = (made.c.replaced_by.label("made_by"), made.c.fields.label("changed"))
    hidden = made.c.was_shared_with.label("shared_before")
    gone = literal(None, Instant).label("deleted_at")
    columns = (v.clinic_id, v.id, v.number, v.made_at.label("updated_at"), gone, v.content)
    old = select(*columns, *by, hidden).outerjoin(made, before).where(*mine)
    if not reader.rights.is_patient:
        old = old.where(v.was_shared_with.is_(None) | (v.was_shared_with != ME))
    itself = select(
        literal(reader.clinic_id, Uuid).label("clinic_id"),
        literal(row["id"], Uuid).label("id"),
        literal(row["version"], Integer).label("number"),
        literal(row["updated_at"], Instant).label("updated_at"),
        gone,
        null().cast(String).label("content"),
    ).subquery("itself")
    last = and_(
        made.c.clinic_id == itself.c.clinic_id,
        made.c.record_id == itself.c.id,
        made.c.number == itself.c.number - 1,
    )
    newest = select(*itself.c, *by, hidden).outerjoin(made, last)
    return union_all(old, newest).subquery("versions")


def _show(
    reader: Actor, table: Table, row: Values, each: Values, names: dict[UUID, Values]
) -> Values:
    content = each["content"]
    if content is None:
        content = versions.plain(table, row)
    kind = KINDS[table.name]
    values = kind.shown(reader, content, row)
    withheld: frozenset[str] = frozenset() if reader.rights.role in TREATING else kind.clinical
    changed = each["changed"] or []
    if each["shared_before"] == ME and not reader.rights.is_patient:
        changed = ["shared_with"]  # what it was meanwhile is nobody else's to compare with
    named = {RENAMED.get(name, name) for name in changed}
    return {
        "id": row["id"],
        "version": each["number"],
        "made_at": each["updated_at"],
        "made_by": names.get(each["made_by"]),
        "changed": sorted((named & set(values)) - withheld),
        "values": values,
    }


RENAMED: Final = {
    "legal_given": "legal_name",
    "legal_family": "legal_name",
    "withdraw_reason": "reason",
    **{sealed: name for name, sealed in ONCE_CLEAR.items()},
}
"""Columns that are shown under another name."""


def _maker_of_first(table: Table, row: Values) -> UUID | None:
    author = KINDS[table.name].author
    if author is not None:
        named: UUID | None = row[author]
        return named
    e, p = audit_events.c, audit_event_patients.c
    of_event = and_(p.clinic_id == e.clinic_id, p.event_id == e.id)
    made = (
        select(e.actor_id)
        .join(audit_event_patients, of_event)
        .where(p.clinic_id == row["clinic_id"], p.patient_id == row["patient_id"])
        .where(e.action == CREATED_BY[table.name], e.record_id == row["id"], e.outcome == "ok")
    )
    found = store().row(made.order_by(e.at).limit(1))
    return None if found is None else found["actor_id"]


def _only(content: Values, names: Iterable[str]) -> Values:
    return {name: content[name] for name in names if name in content}


def _patient(reader: Actor, content: Values, _row: Values) -> Values:
    shown = show_to(reader, content)
    return {name: value for name, value in shown.items() if name not in (*FIRST, "display_name")}


def _entry(reader: Actor, content: Values, _row: Values) -> Values:
    """An entry; how much a goal counts among the others is the care team's to know."""
    kept = {"attainment_weight"} if reader.rights.is_patient else set()
    hidden = {*OF_ENTRIES, *FIRST, *POINTERS, *kept}
    return {name: value for name, value in content.items() if name not in hidden}


OF_SESSIONS: Final = (
    *("kind", "state", "mode", "room", "starts_at", "ends_at", "clinician_ids", "course_id"),
    *("also_covered", "preparation", "reason", "source"),
    *("arrived_at", "started_at", "completed_at", "closed_at", "signed_at", "moved_at"),
)
"""What all staff read of a session itself, and of its versions no more than that."""
OF_DOSES: Final = (
    *("overrides", "protocol_key", "protocol_version", "window_days"),
    *("first_dose_at", "last_dose_at", "esketamine_at"),
)
"""What of a session clinicians alone read: what was passed over, what follows from its doses."""


def _session(reader: Actor, content: Values, row: Values) -> Values:
    if reader.rights.is_patient:
        signed = sessions_shown.ONCE_SIGNED if signatures.is_signed(row) else ()
        told = _only(content, (*sessions_shown.TO_PATIENT, *signed, "clinician_ids"))
        told["state"] = sessions_shown.state_for(reader.rights, told["state"])
    else:
        treats = OF_DOSES if reader.rights.role in TREATING else ()
        told = _only(content, (*OF_SESSIONS, *treats))
    return {name: value for name, value in told.items() if name not in FIRST}


def _checkin(reader: Actor, content: Values, _row: Values) -> Values:
    is_patient = reader.rights.is_patient
    names = checkins_shown.TO_PATIENT if is_patient else checkins_shown.WHOLE
    return _only(content, (name for name in names if name not in (*FIRST, *POINTERS)))


OF_CONSENTS: Final = (
    *("kind", "text_version", "shown_as", "granted_at", "witnessed_by"),
    *("superseded_at", "withdrawn_at"),
)


def _consent(reader: Actor, content: Values, _row: Values) -> Values:
    tells = reader.rights.role in TREATING
    reason = content["withdraw_reason"] if tells else None
    return _only(content, OF_CONSENTS) | {"reason": reason}


KINDS: Final[dict[str, Kind]] = {
    "patients": Kind(_patient, clinical=frozenset({"diagnoses"})),
    "goals": Kind(_entry, "author_id"),
    "practices": Kind(_entry, "author_id"),
    "sessions": Kind(_session),
    "check_ins": Kind(_checkin, "recorded_by"),
    "consents": Kind(_consent, "recorded_by", frozenset({"reason"})),
}


def _named_on(row: Values) -> Values:
    return {"clinician_ids": holding.named_on({"clinic_id": row["clinic_id"], "id": row["id"]})}


for _table in (patients, goals, practices, check_ins, consents):
    versions.keep(_table)
versions.keep(sessions, _named_on)
