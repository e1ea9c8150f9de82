"""Finding words: the folded words of names, and the blind index of other systems' numbers."""

import re
from typing import Any
from unicodedata import category, normalize
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, exists, select

from api import vault
from api.access.users import clinics
from api.core.client_reach import index_systems, patient_systems
from api.core.patients.table import patient_external_ids, patient_words, patients
from api.db import Values, among, store, transaction, within
from api.errors import Conflict


def fold(name: str) -> list[str]:
    """The words of a name as they are searched: case and accents gone, letters and digits left."""
    plain = "".join(c for c in normalize("NFKD", name) if category(c) != "Mn").casefold()
    return [word for word in re.split(r"[^\w]+", plain) if word]


def has_word(clinic_id: Any, prefix: Any) -> ColumnElement[bool]:
    """The condition that a word of a patient's names begins with `prefix`."""
    found = select(patient_words.c.patient_id).where(
        patient_words.c.clinic_id == clinic_id,
        patient_words.c.word >= prefix,
        patient_words.c.word < prefix + "\U0010ffff",
    )
    return among(patients.c.id, found)


def has_external_id() -> ColumnElement[bool]:
    """The condition that another system's number, bound as `blind`, is the patient's."""
    return exists().where(
        patient_external_ids.c.clinic_id == patients.c.clinic_id,
        patient_external_ids.c.patient_id == patients.c.id,
        patient_external_ids.c.blind == bindparam("blind"),
    )


def blind_external_id(clinic_id: UUID, system: str, value: str = "") -> str:
    """Under which index a record number of another system is found."""
    return vault.blind(f"{system}|{value}", "patient_external_ids.blind", clinic_id)


def index_names(row: Values) -> None:
    """Let the patient be found by the names of the row, and by no other."""
    names = f"{row['legal_given']} {row['legal_family']} {row['preferred_name'] or ''}"
    keys = {"clinic_id": row["clinic_id"], "patient_id": row["id"]}
    store().execute(patient_words.delete().where(patient_words.c.patient_id == row["id"]))
    words = [keys | {"word": word} for word in sorted(set(fold(names)))]
    if words:
        store().execute(patient_words.insert(), words)


def forget(row: Values) -> None:
    """Let the patient be found by nothing any more."""
    for table in (patient_words, patient_external_ids, patient_systems):
        mine = (table.c.clinic_id == row["clinic_id"], table.c.patient_id == row["id"])
        store().execute(table.delete().where(*mine))


def index_former_systems() -> int:
    """Let EHR clients find the patients whose numbers were written before there was this index.

    Each clinic in a transaction of its own; answers how many they were, none when asked again.
    """
    with transaction() as there:
        ids = [row["id"] for row in there.rows(select(clinics.c.id).order_by(clinics.c.id))]
    done = 0
    for clinic_id in ids:
        with within(clinic_id), transaction():
            done += _index_systems_of(clinic_id)
    return done


def _index_systems_of(clinic_id: UUID) -> int:
    told, known = patient_external_ids.c, patient_systems.c
    lacking = select(patients).where(
        patients.c.clinic_id == clinic_id,
        exists().where(told.clinic_id == clinic_id, told.patient_id == patients.c.id),
        ~exists().where(known.clinic_id == clinic_id, known.patient_id == patients.c.id),
    )
    found = store().rows(lacking, opens=patients)
    for row in found:
        index_systems(row)
    return len(found)


def index_external_ids(row: Values) -> None:
    """Let the patient be found by the row's external ids; `Conflict` when one is another's."""
    table, clinic_id = patient_external_ids, row["clinic_id"]
    ids = [(item["system"], item["value"]) for item in row["external_ids"] or []]
    blinds = sorted({blind_external_id(clinic_id, system, value) for system, value in ids})
    taken = select(table.c.patient_id).where(
        table.c.clinic_id == clinic_id, table.c.blind.in_(blinds), table.c.patient_id != row["id"]
    )
    if blinds and store().row(taken):
        detail = "Another record already carries this external id."
        at = [{"pointer": "/external_ids", "detail": detail}]
        raise Conflict(detail, missing=["unique"], errors=at)
    store().execute(
        table.delete().where(table.c.clinic_id == clinic_id, table.c.patient_id == row["id"])
    )
    if blinds:
        keys = {"clinic_id": clinic_id, "patient_id": row["id"]}
        store().execute(table.insert(), [keys | {"blind": blind} for blind in blinds])
    index_systems(row)
