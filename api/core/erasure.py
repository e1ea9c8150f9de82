"""Erasure requests: what a patient kept for themself is erased, and what law keeps is named.

HIPAA gives no right to erasure and states have records kept for years (`retention.py`), so that a
chart stays until then; what was never shared with the clinic is the patient's alone and goes: its
words are overwritten, its former versions deleted, a tombstone stays. The privacy officer decides,
within a month (Regulation (EU) 2016/679, article 12(3), where it applies).
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Date,
    Index,
    String,
    Table,
    Uuid,
    func,
    or_,
    select,
)

from api import clock
from api.access.policies import Actor
from api.access.users import named
from api.audit import trail
from api.core import gate, retention
from api.core.clinical_lists.table import allergies, diagnoses, medications
from api.core.consents import consents
from api.core.holds import refuse_held
from api.core.integration.tables import ME, goals, insights, journal, moments, practices, steps
from api.core.outcomes.checkins import check_ins
from api.core.patients import open_chart, patients
from api.core.replay import forget_entries
from api.core.treatment.dosing.table import ledger_entries
from api.core.treatment.notes.tables import notes
from api.core.treatment.sessions import sessions
from api.db import Instant, Listing, Page, Sealed, Values, found, of, page, store, tenant_table
from api.db.versions import record_versions
from api.errors import Conflict
from api.outbox import events

OPEN, ERASED, REFUSED = STATES = ("open", "erased", "refused")
ALLOWED: Final = {OPEN: ["carry-out", "refuse"], ERASED: [], REFUSED: []}
DUE_AFTER: Final = timedelta(days=30)
OWN: Final = (steps, moments, practices, goals, insights, journal)
"""Where patients may keep something for themselves, children before what they hang on."""
BY_LAW: Final[dict[str, Table]] = {
    "session": sessions,
    "ledger_entry": ledger_entries,
    "note": notes,
    "check_in": check_ins,
    "consent": consents,
    "allergy": allergies,
    "medication": medications,
    "diagnosis": diagnoses,
    "goal": goals,
    "practice": practices,
    "step": steps,
    "moment": moments,
    "insight": insights,
    "journal": journal,
}
"""What belongs to the record that the clinic must keep, once it was shared with it."""
LAWS: Final = ("state_record_retention", "hipaa_documentation")
HIDDEN: Final = ("clinic_id", "deleted_at", "patient_id", "asked_by")

erasure_requests = tenant_table(
    "erasure_requests",
    Column("text", Sealed),
    Column("asked_by", Uuid, nullable=False),
    Column("state", String(10), nullable=False),
    Column("due_on", Date, nullable=False),
    Column("decided_at", Instant),
    Column("decided_by", Uuid),
    Column("decision_reason", Sealed),
    Column("erased", JSON),
    Column("kept", JSON),
    of("users", "asked_by"),
    of("users", "decided_by"),
    CheckConstraint(f"state IN {STATES}", name="state"),
    CheckConstraint(f"(state = '{OPEN}') = (decided_at IS NULL)", name="decided"),
)
"""`erased` counts by kind what went; `kept` is `{kind, count, law, until}` of what stays."""
WAITS = erasure_requests.c.state == OPEN
Index(
    "uq_erasure_requests_open",
    *erasure_requests.c["clinic_id", "patient_id"],
    unique=True,
    sqlite_where=WAITS,
    postgresql_where=WAITS,
)


def ask_erasure(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """The patient, or the front desk for them, asks that their data be erased."""
    patient = open_chart(actor, "erasure:request", patient_id)
    store().hold(patients, patient)  # of two who ask at once, the second sees the first
    e = erasure_requests.c
    mine = (e.clinic_id == actor.clinic_id, e.patient_id == patient_id, WAITS)
    if store().row(select(e.id).where(*mine)) is not None:
        raise Conflict("It was asked for already, and is not decided.", state=OPEN, allowed=[])
    keys = {"clinic_id": actor.clinic_id, "patient_id": patient_id, "asked_by": actor.user_id}
    due = {"state": OPEN, "due_on": clock.today(patient["time_zone"]) + DUE_AFTER}
    row = store().add(erasure_requests, values | keys | due)
    trail.about("erasure_request", row["id"])
    trail.wrote(values)
    _tell(row, "erasure.requested")
    return _show(actor, [row])[0]


def list_erasure_requests(actor: Actor, patient_id: UUID, asked: Page) -> Listing:
    """The erasure requests of a chart, the latest first."""
    open_chart(actor, "erasure:read", patient_id)
    e = erasure_requests.c
    mine = (e.clinic_id == actor.clinic_id, e.patient_id == patient_id)
    statement = select(erasure_requests).where(*mine)
    listing = page(statement, erasure_requests, asked, newest_first=True, opens=erasure_requests)
    listing.items = _show(actor, listing.items)
    return listing


def read_erasure_request(actor: Actor, request_id: UUID) -> Values:
    """One erasure request."""
    row = gate.find_in_chart(actor, "erasure:read", erasure_requests, request_id)
    return _show(actor, [row])[0]


def carry_out_erasure(actor: Actor, request_id: UUID, values: Values) -> Values:
    """Erase what the patient kept for themself, and name what law keeps, until when.

    Raises `Conflict` when it is decided, or while the chart is under a legal hold.
    """
    row = gate.find_in_chart(actor, "erasure:decide", erasure_requests, request_id)
    refuse_held(row["clinic_id"], row["patient_id"])
    row = _held(row)
    erased = {str(table.name): count for table in OWN if (count := _erase(table, row))}
    return _decided(actor, row, ERASED, values, {"erased": erased, "kept": [*_kept(row)]})


def refuse_erasure(actor: Actor, request_id: UUID, values: Values) -> Values:
    """Erase nothing, with a reason that the patient reads; what law keeps is named all the same."""
    row = _held(gate.find_in_chart(actor, "erasure:decide", erasure_requests, request_id))
    return _decided(actor, row, REFUSED, values, {"erased": {}, "kept": [*_kept(row)]})


def _held(row: Values) -> Values:
    e = erasure_requests.c
    one = select(erasure_requests).where(e.clinic_id == row["clinic_id"], e.id == row["id"])
    held = found(store().row(one.with_for_update(), opens=erasure_requests))
    if held["state"] != OPEN:
        raise Conflict("The request is decided.", state=held["state"], allowed=[])
    return held


def _decided(actor: Actor, row: Values, state: str, values: Values, told: Values) -> Values:
    trail.wrote(["state", *values])
    by = {"decided_at": clock.now(), "decided_by": actor.user_id}
    by["decision_reason"] = values["reason"]
    after = store().change(erasure_requests, row, {"state": state} | by | told)
    _tell(after, f"erasure.{'done' if state == ERASED else 'refused'}")
    return _show(actor, [after])[0]


def _erase(table: Table, request: Values) -> int:
    """Overwrite the words of the patient's own entries, and forget what they said before.

    What the clinic had read before it became `me` is part of its record, and stays.
    """
    c = table.c
    mine = [c.clinic_id == request["clinic_id"], c.patient_id == request["patient_id"]]
    mine += [c.shared_with == ME, c.unshared_at.is_(None), c.author_kind == "patient"]
    rows = store().rows(select(table).where(*mine).with_for_update())
    words = [column for column in c if isinstance(column.type, Sealed)]
    blank = {column.key: None if column.nullable else "" for column in words}
    for row in rows:
        store().change(table, row, blank | {"deleted_at": row["deleted_at"] or clock.now()})
        v = record_versions.c
        said = (v.clinic_id == row["clinic_id"], v.record_id == row["id"])
        store().execute(record_versions.delete().where(*said))
    forget_entries(request["clinic_id"], request["patient_id"], table, [r["id"] for r in rows])
    return sum(row["deleted_at"] is None for row in rows)


def _kept(request: Values) -> Iterator[Values]:
    """What stays: how many records of each kind, by which law, and at least until when."""
    until = _kept_until(request)
    for kind, table in BY_LAW.items():
        c = table.c
        mine = [c.clinic_id == request["clinic_id"], c.patient_id == request["patient_id"]]
        mine += [c.deleted_at.is_(None)] if "deleted_at" in c else []
        mine += [or_(c.shared_with != ME, c.unshared_at.is_not(None))] if table in OWN else []
        count = store().execute(select(func.count()).select_from(table).where(*mine)).scalar_one()
        if count:
            law = LAWS[kind == "consent"]
            yield {"kind": kind, "count": count, "law": law, "until": until[law]}


def _kept_until(request: Values) -> dict[str, str]:
    kept = retention.kept(request["clinic_id"], request["patient_id"])
    seen = max(kept.last_seen_on, clock.now().date())
    documented = retention.after(seen, retention.DOCUMENTED_FOR)
    return {LAWS[0]: str(kept.by_state), LAWS[1]: str(max(kept.by_state, documented))}


def _dated(kept: list[Values] | None) -> list[Values] | None:
    return kept and [one | {"until": date.fromisoformat(one["until"])} for one in kept]


def _tell(row: Values, name: str) -> None:
    subject = {"erasure_request_id": row["id"], "patient_id": row["patient_id"]}
    events.append(store(), row["clinic_id"], name, subject)


def _show(reader: Actor, rows: list[Values]) -> list[Values]:
    names = named(reader.clinic_id, (row["decided_by"] for row in rows))
    today = clock.now().date()
    return [
        {key: value for key, value in row.items() if key not in HIDDEN}
        | {
            "decided_by": names.get(row["decided_by"]),
            "erased": row["erased"] if reader.rights.is_patient else None,
            "kept": _dated(row["kept"]),
            "overdue": row["state"] == OPEN and row["due_on"] < today,
            "allowed": [] if reader.rights.is_patient else ALLOWED[row["state"]],
        }
        for row in rows
    ]
