"""Patients as the doors show them, to each reader as much as is theirs to see."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import select

from api.access.policies import Actor
from api.core.merging import whole
from api.core.patients.table import OBJECTS, ONCE_CLEAR, patients
from api.db import Values, store

FIRST = ("id", "version", "created_at", "updated_at")
ABOUT = ("preferred_name", "pronouns", "birth_on", "sex_at_birth", "gender_identity")
LAST = ("locale", "time_zone", "status", "discharged_on", "discharge_reason")


def display_name(row: Values) -> str:
    """The name a person is called by: preferred, else given, with the family name."""
    return f"{row['preferred_name'] or row['legal_given']} {row['legal_family']}"


def named(clinic_id: UUID, ids: Iterable[UUID]) -> dict[UUID, Values]:
    """Patients of the clinic, `{id, display_name}` by id; one query, none for nobody."""
    p, wanted = patients.c, sorted(set(ids))
    columns = (p.id, p.legal_given, p.legal_family, p.preferred_name)
    asked = select(*columns).where(p.clinic_id == clinic_id, p.id.in_(wanted))
    rows = store().rows(asked) if wanted else []
    return {row["id"]: {"id": row["id"], "display_name": display_name(row)} for row in rows}


def _said(row: Values, name: str) -> Any:
    clear = row[name]
    return row.get(ONCE_CLEAR[name]) if clear is None and name in ONCE_CLEAR else clear


def show_to(reader: Actor, row: Values) -> Values:
    """A patient as this reader sees them: names in one place, internals left out.

    The administrator runs the clinic and sees no clinical data. What is answered is the whole
    answer, in its order: the doors send it as it is.
    """
    shown = {name: row[name] for name in FIRST}
    shown["display_name"] = display_name(row)
    shown["legal_name"] = {"given": row["legal_given"], "family": row["legal_family"]}
    for name in ABOUT:
        shown[name] = _said(row, name)
    for name, keys in OBJECTS.items():
        shown[name] = row[name] and whole(row[name], keys)
    shown["external_ids"] = row["external_ids"] or []
    is_administrator = reader.rights.role == "administrator"
    shown["diagnoses"] = None if is_administrator else row["diagnoses"] or []
    for name in LAST:
        shown[name] = row[name]
    return shown
