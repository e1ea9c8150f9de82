"""Finding: what is known of a patient and a session at this minute, for the reasons to be told."""

from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import exists, select

from api import clock
from api.core import alerts, consents
from api.core.clinical_lists import interactions as interacting, records
from api.core.clinical_lists.table import allergies, medications
from api.core.patients import patients
from api.core.readiness import reasons as telling
from api.core.readiness.baseline import baseline
from api.core.readiness.reasons import Facts
from api.core.treatment import dosing, screenings, windows
from api.core.treatment.protocols import Protocol
from api.core.treatment.sessions import sessions
from api.db import Values, found, store

ONE_DAYS: Final = "_today"
"""How the code of an item ends that is true of the day on which it was asked alone."""


def facts_of_session(session: Values, protocol: Protocol) -> Facts:
    """Everything that decides whether the dose of a session may start now."""
    clinic_id, patient_id = session["clinic_id"], session["patient_id"]
    entries = dosing.standing(dosing.entries_of(clinic_id, session["id"]))
    doses = [entry["measured_at"] for entry in entries if entry["type"] == "dose"]
    before = baseline(protocol, entries, clock.now(), doses[0] if doses else None)
    return Facts(
        consents=consent_states(session, protocol),
        planned=dosing.plan_of(clinic_id, session["id"]) is not None,
        unmeasured=before.unmeasured,
        out_of_limits=before.out_of_limits,
        unrepeated=before.unrepeated,
        **_of_chart(clinic_id, patient_id, protocol, _day_of(session), session["id"]),
    )


def facts_of_patient(patient: Values, protocol: Protocol, on: date) -> Facts:
    """What decides it before anything is booked; what only a session can show is not asked."""
    clinic_id, patient_id = patient["clinic_id"], patient["id"]
    chart = {"clinic_id": clinic_id, "patient_id": patient_id, "id": None}
    today = clock.today(patient["time_zone"])
    return Facts(
        consents=consent_states(chart, protocol),
        **_of_chart(clinic_id, patient_id, protocol, on if on == today else None, None),
    )


def _of_chart(
    clinic_id: UUID, patient_id: UUID, protocol: Protocol, day: date | None, but: UUID | None
) -> dict[str, Any]:
    unsigned, held = screened(protocol, screenings.standing(clinic_id, patient_id), day)
    last = _last_dosed(clinic_id, patient_id, but)
    return {
        "unsigned_items": unsigned,
        "held_items": held,
        "alert_open": alerts.holds_dosing(clinic_id, patient_id),
        "contacted": last is None or bool(last["contacted"]),
        "signed": last is None or last["source"] != "app" or last["signed_at"] is not None,
    }


def _day_of(session: Values) -> date:
    """Today, where the patient lives."""
    return clock.today(patient_of(session)["time_zone"])


def patient_of(session: Values) -> Values:
    """The patient of a session, as far as readiness names them."""
    p = patients.c
    columns = (p.clinic_id, p.id, p.time_zone, p.legal_given, p.legal_family, p.preferred_name)
    mine = (p.clinic_id == session["clinic_id"], p.id == session["patient_id"])
    return found(store().row(select(*columns).where(*mine)))


def screened(
    protocol: Protocol, answered: dict[str, Values], day: date | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The items of the protocol that nobody signed, and those on which somebody decided to wait.

    What is true of one day alone is asked anew on each; without a day it is not asked of.
    """
    unsigned, held = [], []
    for item in protocol.eligibility:
        row = answered.get(item.code)
        if item.code.endswith(ONE_DAYS):
            if day is None:
                continue
            row = row if row is not None and row["asked_on"] == day else None
        if row is None or row["signed_at"] is None:
            unsigned.append(item.code)
        elif row["decision"] not in screenings.GOES_ON:
            held.append(item.code)
    return tuple(unsigned), tuple(held)


def consent_states(session: Values, protocol: Protocol) -> dict[str, str]:
    """How each consent that the protocol asks for stands at this minute; two queries."""
    kinds = tuple(dict.fromkeys(protocol.required_consents + protocol.reaffirmed_consents))
    said = _said(session, kinds)
    again = _said_again(session) if protocol.reaffirmed_consents else set()
    states = {}
    for kind in kinds:
        rows = [row for row in said if row["kind"] == kind]
        standing = next((row for row in rows if _stands(row)), None)
        if standing is None:
            gone = any(row["withdrawn_at"] is not None for row in rows)
            states[kind] = telling.WITHDRAWN if gone else telling.MISSING
        elif _asks_again(session, protocol, kind) and standing["id"] not in again:
            states[kind] = telling.NOT_SAID_AGAIN
        else:
            states[kind] = telling.IN_FORCE
    return states


def _asks_again(session: Values, protocol: Protocol, kind: str) -> bool:
    return session["id"] is not None and kind in protocol.reaffirmed_consents


def _stands(row: Values) -> bool:
    return row["withdrawn_at"] is None and row["superseded_at"] is None


def _said(session: Values, kinds: tuple[str, ...]) -> list[Values]:
    c = consents.consents.c
    columns = (c.id, c.kind, c.withdrawn_at, c.superseded_at)
    mine = (c.clinic_id == session["clinic_id"], c.patient_id == session["patient_id"])
    statement = select(*columns).where(*mine, c.kind.in_(kinds), c.deleted_at.is_(None))
    return store().rows(statement)


def _said_again(session: Values) -> set[UUID]:
    r = consents.consent_reaffirmations.c
    mine = (r.clinic_id == session["clinic_id"], r.session_id == session["id"])
    return {row["consent_id"] for row in store().rows(select(r.consent_id).where(*mine))}


def _last_dosed(clinic_id: UUID, patient_id: UUID, but: UUID | None) -> Values | None:
    """The last dosing session but this one, and whether an integration session followed its dose.

    `{dosed_at, source, signed_at, contacted}`; one query.
    """
    s, met = sessions.c, sessions.alias("met").c
    dosed_at = windows.dosed_at()
    followed = exists().where(
        met.clinic_id == s.clinic_id,
        met.patient_id == s.patient_id,
        met.kind == "integration",
        met.state == "completed",
        met.deleted_at.is_(None),
        met.completed_at >= dosed_at,
    )
    statement = (
        select(dosed_at.label("dosed_at"), s.source, s.signed_at, followed.label("contacted"))
        .where(s.clinic_id == clinic_id, s.patient_id == patient_id, *windows.is_dose())
        .where(*([] if but is None else [s.id != but]))
        .order_by(dosed_at.desc(), s.id.desc())
    )
    return store().row(statement.limit(1))


def lists_of(patient: Values) -> Values:
    """`{interactions[], lists}`: what of the chart matters for a dose, and how old it is."""
    keys = (patient["clinic_id"], patient["id"])
    taken, allergic = records.standing(*keys, medications), records.standing(*keys, allergies)
    names = {"allergies": allergies, "medications": medications}
    ages = {name: records.confirmed(patient, table) for name, table in names.items()}
    return {
        "interactions": interacting.interactions(taken, allergic),
        "lists": {f"{name}_confirmed_on": age["confirmed_on"] for name, age in ages.items()},
    }
