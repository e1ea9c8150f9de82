"""The ledger of a dosing session over v1: what has happened is recorded, and judged."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.treatment import dosing
from api.core.treatment.dosing.vocabulary import DOSE, EVENT, PHASE, RATING, TYPES, VITALS
from api.paging import Listing, Values
from api.v1.forms import Ask, Choice, point_out, writable
from api.v1.ledger_forms import (
    ITEMS,
    AdverseEventSchema,
    BatchSchema,
    DoseSchema,
    PhaseSchema,
    SessionRatingSchema,
    VitalsSchema,
)
from api.v1.ledger_shapes import (
    AsAddendumSchema,
    BatchResultSchema,
    LedgerEntrySchema,
    WhatWasGivenSchema,
)
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("dosing", "The dosing session: its plan, its ledger, and its monitoring.")
OF_SESSION = "/sessions/<id:session_id>"
AT = {"client_event_id": "tablet-7-000041", "measured_at": "2026-11-25T16:05:00Z"}
RECORDED: dict[str, Any] = {
    "answer": LedgerEntrySchema,
    "location": "/api/v1/ledger-entries/{id}",
    "outcomes": (("already_stored", 200, None), ("as_addendum", 202, AsAddendumSchema)),
}


class LedgerQuery(PageQuery):
    """Which entries of a ledger."""

    type = Choice(TYPES)


@blp.offer(
    "POST",
    f"{OF_SESSION}/doses",
    "ledger:record",
    body=DoseSchema,
    example={
        **AT,
        "medicine": "ketamine",
        "route": "intramuscular",
        "dose_mg": 60,
        "weight_kg": 75,
    },
    **RECORDED,
)
def record_dose(actor: Actor, session_id: Any, values: Values) -> Values:
    """Record a dose that was given.

    It is never refused for lack of a plan, a consent or a start: it is stored, judged, and raises
    an alert where it should not have been. 200: it was there; 202: the record was signed, and this
    became a draft addendum; 409: the `client_event_id` was used for something else, or what it
    corrects was corrected already.
    """
    return dosing.record_entry(actor, session_id, DOSE, values)


@blp.offer(
    "POST",
    f"{OF_SESSION}/vitals",
    "ledger:record",
    body=VitalsSchema,
    example={**AT, "systolic_mmhg": 124, "diastolic_mmhg": 78, "spo2_percent": 97},
    **RECORDED,
)
def record_vitals(actor: Actor, session_id: Any, values: Values) -> Values:
    """Record vitals that were measured.

    Each judgement names its rule and the version of the protocol; out of range raises an alert.
    """
    return dosing.record_entry(actor, session_id, VITALS, values)


@blp.offer(
    "POST",
    f"{OF_SESSION}/ratings",
    "ledger:record",
    body=SessionRatingSchema,
    example={**AT, "scale": "dissociation", "value": 6},
    **RECORDED,
)
def record_rating(actor: Actor, session_id: Any, values: Values) -> Values:
    """Record a rating from 0 to 10."""
    return dosing.record_entry(actor, session_id, RATING, values)


@blp.offer(
    "POST",
    f"{OF_SESSION}/events",
    "ledger:record",
    body=AdverseEventSchema,
    example={**AT, "code": "nausea", "grade": 1, "action": "watched", "outcome": "resolved"},
    **RECORDED,
)
def record_adverse_event(actor: Actor, session_id: Any, values: Values) -> Values:
    """Record an adverse event.

    `measured_at` is its onset. A severe or serious one raises an alert.
    """
    return dosing.record_entry(actor, session_id, EVENT, values)


@blp.offer(
    "POST",
    f"{OF_SESSION}/phases",
    "ledger:record",
    body=PhaseSchema,
    example={**AT, "phase": "onset"},
    **RECORDED,
)
def record_phase(actor: Actor, session_id: Any, values: Values) -> Values:
    """Record that a phase of the experience began."""
    return dosing.record_entry(actor, session_id, PHASE, values)


@blp.offer(
    "POST",
    f"{OF_SESSION}/ledger",
    "ledger:record",
    body=BatchSchema,
    answer=BatchResultSchema,
    example={"entries": [{"type": "vitals", **AT, "heart_rate_bpm": 82}]},
)
def record_ledger(actor: Actor, session_id: Any, values: Values) -> Values:
    """Record many entries at once, late or offline.

    At most 500, each judged by itself and answered in the order sent; what is wrong with one
    touches no other. `type` says whose form an entry has. A `void` takes back what it names in
    `corrects_id`.
    """
    items = [_read(entry) for entry in values["entries"]]
    return dosing.record_batch(actor, session_id, items, values.get("device_sent_at"))


FORMS: dict[str, Ask] = {kind: form() for kind, form in ITEMS.items()}


def _read(entry: Any) -> Values:
    """An entry of a batch as its form reads it, or what is wrong with it."""
    told = entry if isinstance(entry, dict) else {}
    event_id = told.get("client_event_id")
    item: Values = {"client_event_id": writable(event_id) if isinstance(event_id, str) else None}
    form = FORMS.get(told["type"]) if isinstance(told.get("type"), str) else None
    if form is None:
        wrong = {"pointer": "/type", "detail": f"Must be one of: {', '.join(TYPES)}."}
        return item | {"errors": [wrong]}
    try:
        read = form.load({name: value for name, value in told.items() if name != "type"})
    except ma.ValidationError as error:
        pairs = point_out(error.messages)
        return item | {"errors": [{"pointer": at, "detail": said} for at, said in pairs]}
    return item | {"values": {"type": told["type"], **read}}


@blp.offer(
    "GET",
    f"{OF_SESSION}/ledger",
    "ledger:read",
    query=LedgerQuery,
    answer=LedgerEntrySchema,
    paged=True,
)
def list_ledger(actor: Actor, session_id: Any, **asked: Any) -> Listing:
    """List the ledger of a session, in the order in which the entries came.

    What another entry corrected stays, and names it in `superseded_by`. `updated_since` answers
    what came or was corrected since.
    """
    return dosing.list_ledger(actor, session_id, **asked)


@blp.offer("GET", "/ledger-entries/<id:entry_id>", "ledger:read", answer=LedgerEntrySchema)
def read_ledger_entry(actor: Actor, entry_id: Any) -> Values:
    """Read one entry of a ledger."""
    return dosing.read_ledger_entry(actor, entry_id)


@blp.offer(
    "GET",
    f"{OF_SESSION}/given",
    "given:read",
    answer=WhatWasGivenSchema,
    derived=True,
)
def read_given(actor: Actor, session_id: Any) -> Values:
    """Read what was given to you in a session, and how it went.

    It is there once the record is signed, and 404 until then: what was corrected stands corrected.
    """
    return dosing.read_given(actor, session_id)
