"""Allergies, medications and diagnoses: listed, written down, changed, and gone through."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Table, select

from api import clock
from api.access.policies import Actor
from api.access.users import users
from api.audit import trail
from api.core import gate
from api.core.clinical_lists.table import LISTS, allergies, confirmations, diagnoses, medications
from api.core.patients import display_name, open_chart, patients
from api.db import Listing, Page, Values, found, match, page, store
from api.errors import Invalid

HIDDEN = ("clinic_id", "patient_id", "deleted_at", "recorded_by")


def list_allergies(
    actor: Actor, patient_id: UUID, asked: Page, status: str | None = None
) -> Listing:
    """What the patient is allergic to, and when somebody last went through it."""
    return list_entries(actor, "allergy:read", allergies, patient_id, asked, status)


def list_medications(
    actor: Actor, patient_id: UUID, asked: Page, status: str | None = None
) -> Listing:
    """What the patient takes, and when somebody last went through it."""
    return list_entries(actor, "medication:read", medications, patient_id, asked, status)


def list_diagnoses(
    actor: Actor, patient_id: UUID, asked: Page, status: str | None = None
) -> Listing:
    """The patient's diagnoses, and when somebody last went through them."""
    return list_entries(actor, "diagnosis:read", diagnoses, patient_id, asked, status)


def record_allergy(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """An allergy is written down."""
    return record_entry(actor, "allergy:write", allergies, patient_id, values)


def record_medication(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """A medication is written down."""
    return record_entry(actor, "medication:write", medications, patient_id, values)


def record_diagnosis(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """A diagnosis is written down."""
    return record_entry(actor, "diagnosis:write", diagnoses, patient_id, values)


def read_allergy(actor: Actor, allergy_id: UUID) -> Values:
    """One allergy."""
    return read_entry(actor, "allergy:read", allergies, allergy_id)


def read_medication(actor: Actor, medication_id: UUID) -> Values:
    """One medication."""
    return read_entry(actor, "medication:read", medications, medication_id)


def read_diagnosis(actor: Actor, diagnosis_id: UUID) -> Values:
    """One diagnosis."""
    return read_entry(actor, "diagnosis:read", diagnoses, diagnosis_id)


def change_allergy(actor: Actor, allergy_id: UUID, version: int | None, values: Values) -> Values:
    """An allergy is put right, or ends."""
    return change_entry(actor, "allergy:write", allergies, allergy_id, version, values)


def change_medication(
    actor: Actor, medication_id: UUID, version: int | None, values: Values
) -> Values:
    """A medication is put right, held or stopped."""
    return change_entry(actor, "medication:write", medications, medication_id, version, values)


def change_diagnosis(
    actor: Actor, diagnosis_id: UUID, version: int | None, values: Values
) -> Values:
    """A diagnosis is put right, or ends."""
    return change_entry(actor, "diagnosis:write", diagnoses, diagnosis_id, version, values)


def confirm_allergies(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """Somebody went through the allergies with the patient."""
    return confirm_list(actor, "allergy:write", allergies, patient_id, values)


def confirm_medications(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """Somebody went through the medications with the patient."""
    return confirm_list(actor, "medication:write", medications, patient_id, values)


def confirm_diagnoses(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """Somebody went through the diagnoses with the patient."""
    return confirm_list(actor, "diagnosis:write", diagnoses, patient_id, values)


def list_entries(
    actor: Actor, action: str, table: Table, patient_id: UUID, asked: Page, status: str | None
) -> Listing:
    """The entries of one list, in the order in which they were written down."""
    patient = open_chart(actor, action, patient_id)
    statement = select(table).where(*_of(table, patient))
    if status is not None:
        statement = statement.where(table.c.status == status)
    listing = page(statement, table, asked, opens=table)
    listing.items = [_show(patient, row) for row in listing.items]
    listing.beside = confirmed(patient, table)
    return listing


def record_entry(
    actor: Actor, action: str, table: Table, patient_id: UUID, values: Values
) -> Values:
    """A new entry of one list."""
    patient = open_chart(actor, action, patient_id)
    _refuse_order(values)
    keys = {"clinic_id": patient["clinic_id"], "patient_id": patient["id"]}
    given = {"status": "active"} | values | keys | {"recorded_by": actor.user_id}
    row = store().add(table, given)
    trail.about(table.name, row["id"])
    trail.wrote(values)
    return _show(patient, row)


def read_entry(actor: Actor, action: str, table: Table, record_id: UUID) -> Values:
    """One entry of a list."""
    row = gate.find_in_chart(actor, action, table, record_id)
    return _show(_patient_of(row), row)


def change_entry(
    actor: Actor, action: str, table: Table, record_id: UUID, version: int | None, values: Values
) -> Values:
    """An entry of a list changed; nothing asked for changes nothing."""
    row = gate.find_in_chart(actor, action, table, record_id)
    match(row, version)
    _refuse_order(row | values)
    trail.wrote(values)
    after = store().change(table, row, values) if values else row
    return _show(_patient_of(row), after)


def confirm_list(
    actor: Actor, action: str, table: Table, patient_id: UUID, values: Values
) -> Values:
    """A list was gone through on a day, today unless another is named; not ahead."""
    patient = open_chart(actor, action, patient_id)
    today = clock.today(patient["time_zone"])
    day: date = values.get("confirmed_on") or today
    if day > today:
        raise Invalid([("/confirmed_on", "This lies ahead.")])
    store().hold(patients, patient)
    keys: Values = {"clinic_id": patient["clinic_id"], "patient_id": patient["id"]}
    said = {"confirmed_on": day, "confirmed_by": actor.user_id}
    c = confirmations.c
    before = store().row(select(confirmations).filter_by(**keys).where(c.list == table.name))
    if before is None:
        store().add(confirmations, keys | {"list": table.name} | said)
    else:
        store().change(confirmations, before, said)
    trail.wrote(["confirmed_on"])
    return {"list": table.name} | confirmed(patient, table)


def confirmed(patient: Values, table: Table) -> Values:
    """`{confirmed_on, confirmed_by}` of one list; both null while nobody went through it."""
    c = confirmations.c
    statement = (
        select(c.confirmed_on, users.c.id, users.c.display_name)
        .join(users, (users.c.clinic_id == c.clinic_id) & (users.c.id == c.confirmed_by))
        .where(
            c.clinic_id == patient["clinic_id"],
            c.patient_id == patient["id"],
            c.list == table.name,
        )
    )
    row = store().row(statement)
    if row is None:
        return {"confirmed_on": None, "confirmed_by": None}
    by = {"id": row["id"], "display_name": row["display_name"]}
    return {"confirmed_on": row["confirmed_on"], "confirmed_by": by}


def standing(clinic_id: UUID, patient_id: UUID, table: Table) -> list[Values]:
    """The entries of one list that hold now; asks nobody, for callers that did."""
    chart = {"clinic_id": clinic_id, "id": patient_id}
    holds = [table.c.status == "active", table.c.deleted_at.is_(None)]
    statement = select(table).where(*_of(table, chart), *holds).order_by(table.c.id)
    return store().rows(statement, opens=table)


def _of(table: Table, patient: Values) -> list[Any]:
    return [table.c.clinic_id == patient["clinic_id"], table.c.patient_id == patient["id"]]


def _patient_of(row: Values) -> Values:
    p = patients.c
    mine = [p.clinic_id == row["clinic_id"], p.id == row["patient_id"]]
    return found(store().row(select(patients).where(*mine)))


def _refuse_order(values: Values) -> None:
    first, last = values.get("from_on"), values.get("to_on")
    if first is not None and last is not None and last < first:
        raise Invalid([("/to_on", "It ends after it began.")])


def _show(patient: Values, row: Values) -> Values:
    shown = {key: value for key, value in row.items() if key not in HIDDEN}
    named = {"id": patient["id"], "display_name": display_name(patient)}
    return shown | {"patient": named}


assert {table.name for table in LISTS.values()} == set(LISTS)
