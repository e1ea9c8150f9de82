"""People as an EHR reads them: patients, who treats them, whom to call, and the clinic itself."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import String, and_, exists, literal, or_, select

from api.access.policies import Actor, Grant
from api.access.users import clinics, users
from api.core import gate
from api.core.ehr.source import Condition, Source
from api.core.merges.table import STANDS, patient_merges
from api.core.patients import blind_external_id, fold, patient_external_ids, patients
from api.core.patients.index import has_word
from api.core.team_reach import care_team
from api.db import Values, store


def _put_replaced(reader: Actor, rows: list[Values]) -> None:
    """Put beside each patient the charts that were merged into it, and when."""
    by = {row["id"]: row for row in rows if row["has_merged"]}
    for row in rows:
        row["replaces"] = []
    m = patient_merges.c
    mine = (m.clinic_id == reader.clinic_id, m.patient_id.in_(list(by)), STANDS)
    statement = select(m.patient_id, m.merged_id, m.created_at).where(*mine)
    for one in store().rows(statement.order_by(m.created_at, m.id)) if by else ():
        by[one["patient_id"]]["replaces"].append(one)


PATIENTS: Final = Source(
    "patients",
    patients,
    patients.c.id,
    columns=(
        exists()
        .where(
            patient_merges.c.clinic_id == patients.c.clinic_id,
            patient_merges.c.patient_id == patients.c.id,
            STANDS,
        )
        .label("has_merged"),
    ),
    beside=_put_replaced,
    former=lambda version: True,
)
MERGED: Final = Source(
    "patients",
    patients,
    patients.c.merged_into,
    where=(patients.c.merged_into.is_not(None), patients.c.deleted_at.is_not(None)),
    of_gone=True,
)
"""Charts that were merged, for whoever reaches the one that stays."""
STAFF: Final = Source("users", users, where=(users.c.role == "clinician",))
CLINIC: Final = Source("clinic", clinics, clinic=clinics.c.id, opens=False)
CONTACTS: Final = Source(
    "patients", patients, patients.c.id, where=(patients.c.emergency_contact.is_not(None),)
)
"""Patients who named somebody to call in an emergency."""


def _members(reader: Actor, rows: list[Values]) -> None:
    """Put each patient's care team beside them, in the order in which they joined."""
    t, by = care_team.c, {row["id"]: row for row in rows}
    statement = (
        select(care_team, users.c.profession, users.c.display_name)
        .join(users, and_(users.c.clinic_id == t.clinic_id, users.c.id == t.clinician_id))
        .where(t.clinic_id == reader.clinic_id, t.patient_id.in_(list(by)), t.deleted_at.is_(None))
        .order_by(t.id)
    )
    for row in rows:
        row["members"] = []
    for member in store().rows(statement):
        by[member["patient_id"]]["members"].append(member)


TEAMS: Final = Source(
    "care_team",
    patients,
    patients.c.id,
    where=(
        exists().where(
            care_team.c.clinic_id == patients.c.clinic_id,
            care_team.c.patient_id == patients.c.id,
            care_team.c.deleted_at.is_(None),
        ),
    ),
    beside=_members,
    exact=False,
)


def _group(reader: Actor, granted: Grant) -> list[Values]:
    """The one group: every patient in reach of the client."""
    p = patients.c
    statement = select(p.id, p.updated_at, p.created_at).where(
        p.clinic_id == reader.clinic_id,
        p.deleted_at.is_(None),
        gate.in_reach(reader, granted, p.id),
    )
    people = store().rows(statement.order_by(p.id))
    clinic = store().row(select(clinics).where(clinics.c.id == reader.clinic_id))
    assert clinic is not None, "an actor belongs to a clinic"
    at = max([clinic["updated_at"], *(one["updated_at"] for one in people)])
    return [clinic | {"updated_at": at, "members": people}]


GROUP: Final = Source("group", made=_group, exact=False)


def sought(reader: Actor, param: str, values: Sequence[str]) -> Condition | None:
    """A condition that every patient meets whom one of these values may find; None for any.

    It may let more through: what is found is looked at once more.
    """
    known = {"identifier": _by_identifier, "name": _by_name, "family": _by_name, "given": _by_name}
    if param not in known:
        return None
    conditions = [known[param](reader, value) for value in values]
    told = [condition for condition in conditions if condition is not None]
    return or_(*told) if len(told) == len(conditions) else None


def _by_identifier(reader: Actor, value: str) -> Condition | None:
    system, bar, number = value.partition("|")
    if not bar or not system or not number or system.startswith("urn:freshtrail:"):
        return None
    t = patient_external_ids.c
    return exists().where(
        t.clinic_id == patients.c.clinic_id,
        t.patient_id == patients.c.id,
        t.blind == blind_external_id(reader.clinic_id, system, number),
    )


def _by_name(reader: Actor, value: str) -> Condition | None:
    words = fold(value)
    if not words:
        return None
    clinic: Any = literal(reader.clinic_id)
    return and_(*(has_word(clinic, literal(word, String)) for word in words))
