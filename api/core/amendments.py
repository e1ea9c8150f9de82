"""Amendment requests: the patient says that the record is wrong, and somebody must answer.

45 CFR 164.526: the answer is due in 60 days, once 30 more with a reason; what is accepted is added
and linked, never written over; what is denied names its ground, and the patient may disagree in
writing.
"""

from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Date, Index, String, Uuid, select

from api import clock
from api.access.policies import Actor
from api.access.users import named
from api.audit import trail
from api.core import gate
from api.core.clinical_lists.table import allergies, diagnoses, medications
from api.core.consents import consents
from api.core.outcomes.checkins import check_ins
from api.core.patients import display_name, open_chart, patients
from api.core.treatment.notes.tables import SIGNED, notes
from api.core.treatment.sessions import sessions
from api.db import Instant, Listing, Page, Sealed, Values, found, of, page, store, tenant_table
from api.errors import Conflict, Invalid
from api.outbox import events

OPEN, ACCEPTED, DENIED = STATES = ("open", "accepted", "denied")
ALLOWED: Final = {OPEN: ["accept", "deny", "extend"], ACCEPTED: [], DENIED: ["disagree"]}
DUE_AFTER, EXTENDED_BY = timedelta(days=60), timedelta(days=30)
"""45 CFR 164.526(b)(2)."""
GROUNDS: Final = (
    "not_created_here",
    "not_part_of_the_record",
    "not_open_to_inspection",
    "accurate_and_complete",
)
"""45 CFR 164.526(a)(2): on no other ground is an amendment denied."""
RECORDS: Final[dict[str, Any]] = {
    "patient": patients,
    "session": sessions,
    "note": notes,
    "check_in": check_ins,
    "consent": consents,
    "allergy": allergies,
    "medication": medications,
    "diagnosis": diagnoses,
}
"""What a patient may ask to have amended, by the word for it; their own words they change."""

amendment_requests = tenant_table(
    "amendment_requests",
    Column("record_kind", String(20), nullable=False),
    Column("record_id", Uuid, nullable=False),
    Column("text", Sealed, nullable=False),
    Column("reason", Sealed),
    Column("asked_by", Uuid, nullable=False),
    Column("state", String(10), nullable=False),
    Column("due_on", Date, nullable=False),
    Column("extended_because", Sealed),
    Column("decided_at", Instant),
    Column("decided_by", Uuid),
    Column("amendment", Sealed),
    Column("ground", String(30)),
    Column("decision_reason", Sealed),
    Column("disagreement", Sealed),
    Column("disagreed_at", Instant),
    of("users", "asked_by"),
    of("users", "decided_by"),
    CheckConstraint(f"state IN {STATES}", name="state"),
    CheckConstraint(f"ground IN {GROUNDS}", name="ground"),
    CheckConstraint(f"(state = '{OPEN}') = (decided_at IS NULL)", name="decided"),
)
"""`amendment` is what was added to the record when the request was accepted; the record itself is
left as it was, and its amendments are found by `record_id`."""
Index("ix_amendment_requests_record", *amendment_requests.c["clinic_id", "record_id"])
Index("ix_amendment_requests_due", *amendment_requests.c["clinic_id", "state", "due_on"])


def list_amendment_requests(
    actor: Actor,
    patient_id: UUID,
    asked: Page,
    state: str | None = None,
    record_id: UUID | None = None,
) -> Listing:
    """The patient's amendment requests, the newest first."""
    patient = open_chart(actor, "amendment:read", patient_id)
    a = amendment_requests.c
    statement = select(amendment_requests).where(
        a.clinic_id == actor.clinic_id, a.patient_id == patient_id
    )
    for column, value in ((a.state, state), (a.record_id, record_id)):
        statement = statement if value is None else statement.where(column == value)
    listing = page(
        statement, amendment_requests, asked, newest_first=True, opens=amendment_requests
    )
    listing.items = _show(patient, listing.items)
    return listing


def read_amendment_request(actor: Actor, request_id: UUID) -> Values:
    """One amendment request."""
    return _one(gate.find_in_chart(actor, "amendment:read", amendment_requests, request_id))


def ask_amendment(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """The patient asks that something be added to a record of theirs which they find wrong."""
    patient = open_chart(actor, "amendment:request", patient_id)
    _refuse_other_record(patient, values["record_kind"], values.get("record_id"))
    keys = {"clinic_id": actor.clinic_id, "patient_id": patient_id, "asked_by": actor.user_id}
    due = {"due_on": clock.today(patient["time_zone"]) + DUE_AFTER, "state": OPEN}
    about = {"record_id": values.get("record_id") or patient_id}
    row = store().add(amendment_requests, values | keys | due | about)
    trail.about("amendment_request", row["id"])
    trail.wrote(values)
    _tell(row, "amendment.requested")
    return _show(patient, [row])[0]


def accept_amendment(actor: Actor, request_id: UUID, values: Values) -> Values:
    """What is right is added beside the record, and linked to it; the record itself stays."""
    row = _held(gate.find_in_chart(actor, "amendment:decide", amendment_requests, request_id))
    _refuse_unless(OPEN, row)
    decided = {"state": ACCEPTED, "amendment": values.get("amendment") or row["text"]}
    return _decided(actor, row, decided, values)


def deny_amendment(actor: Actor, request_id: UUID, values: Values) -> Values:
    """It is not amended, on one of the four grounds that there are."""
    row = _held(gate.find_in_chart(actor, "amendment:decide", amendment_requests, request_id))
    _refuse_unless(OPEN, row)
    why = {"ground": values["ground"], "decision_reason": values["reason"]}
    return _decided(actor, row, {"state": DENIED} | why, values)


def extend_amendment(actor: Actor, request_id: UUID, reason: str) -> Values:
    """The answer takes 30 days longer, once, and the patient reads why."""
    row = _held(gate.find_in_chart(actor, "amendment:decide", amendment_requests, request_id))
    _refuse_unless(OPEN, row)
    if row["extended_because"] is not None:
        raise Conflict("It was extended once already.", state=OPEN, allowed=["accept", "deny"])
    due: date = row["due_on"]
    trail.wrote(["due_on"])
    more = {"due_on": due + EXTENDED_BY, "extended_because": reason}
    return _one(store().change(amendment_requests, row, more))


def disagree_with_denial(actor: Actor, request_id: UUID, text: str) -> Values:
    """The patient's statement of disagreement, which stays beside the record."""
    row = _held(gate.find_in_chart(actor, "amendment:request", amendment_requests, request_id))
    _refuse_unless(DENIED, row)
    if row["disagreement"] is not None:
        raise Conflict("The statement is there already.", state=DENIED, allowed=[])
    trail.wrote(["disagreement"])
    said = {"disagreement": text, "disagreed_at": clock.now()}
    return _one(store().change(amendment_requests, row, said))


def _decided(actor: Actor, row: Values, decided: Values, values: Values) -> Values:
    trail.wrote(["state", *values])
    by = {"decided_at": clock.now(), "decided_by": actor.user_id}
    after = store().change(amendment_requests, row, decided | by)
    _tell(after, f"amendment.{after['state']}")
    return _one(after)


def _refuse_other_record(patient: Values, kind: str, record_id: UUID | None) -> None:
    """Raise unless it is a record of this patient that they read; a draft is not there yet."""
    if kind == "patient":
        if record_id not in (None, patient["id"]):
            raise Invalid([("/record_id", "The patient's own id, or none.")])
        return
    c = RECORDS[kind].c
    mine = [c.clinic_id == patient["clinic_id"], c.patient_id == patient["id"]]
    mine += [c.state == SIGNED] if kind == "note" else []
    one = select(c.id).where(*mine, c.id == record_id, c.deleted_at.is_(None))
    if record_id is None or store().row(one) is None:
        raise Invalid([("/record_id", "No such record of this patient.")])


def _held(row: Values) -> Values:
    a = amendment_requests.c
    one = select(amendment_requests).where(a.clinic_id == row["clinic_id"], a.id == row["id"])
    return found(store().row(one.with_for_update(), opens=amendment_requests))


def _refuse_unless(state: str, row: Values) -> None:
    if row["state"] != state:
        detail = "The request does not stand there."
        raise Conflict(detail, state=row["state"], allowed=ALLOWED[row["state"]])


def _tell(row: Values, name: str) -> None:
    subject = {"amendment_request_id": row["id"], "patient_id": row["patient_id"]}
    events.append(store(), row["clinic_id"], name, subject)


HIDDEN: Final = ("clinic_id", "patient_id", "deleted_at", "asked_by")


def _one(row: Values) -> Values:
    p = patients.c
    columns = (p.id, p.legal_given, p.legal_family, p.preferred_name, p.time_zone)
    mine = (p.clinic_id == row["clinic_id"], p.id == row["patient_id"])
    return _show(found(store().row(select(*columns).where(*mine))), [row])[0]


def _show(patient: Values, rows: list[Values]) -> list[Values]:
    names = named(rows[0]["clinic_id"], (row["decided_by"] for row in rows)) if rows else {}
    person = {"id": patient["id"], "display_name": display_name(patient)}
    today = clock.today(patient["time_zone"])
    return [
        {key: value for key, value in row.items() if key not in HIDDEN}
        | {
            "patient": person,
            "decided_by": names.get(row["decided_by"]),
            "overdue": row["state"] == OPEN and row["due_on"] < today,
            "allowed": _allowed(row),
        }
        for row in rows
    ]


def _allowed(row: Values) -> list[str]:
    done = {"extend": row["extended_because"], "disagree": row["disagreement"]}
    return [deed for deed in ALLOWED[row["state"]] if done.get(deed) is None]
