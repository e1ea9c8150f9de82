"""The patient: who they are, how they are found, and whose chart is open to whom."""

import re
from datetime import date
from typing import Any
from unicodedata import category, normalize
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Date,
    Index,
    PrimaryKeyConstraint,
    Select,
    String,
    Table,
    Uuid,
    bindparam,
    exists,
    or_,
    select,
)

from api import vault
from api.access.policies import Actor
from api.audit import trail
from api.clock import now, today
from api.core import gate, reach
from api.core.gate import care_team
from api.core.merging import merged, refuse_gaps, whole
from api.core.one_trip import CLINIC, Listed, Opening, Reading
from api.db import (
    Listing,
    Page,
    Sealed,
    Values,
    Word,
    among,
    found,
    match,
    metadata,
    of,
    store,
    tenant_table,
)
from api.errors import Conflict, Invalid, NotAllowed
from api.outbox import events

STATUSES = ("inquiry", "screening", "active", "paused", "discharged")
CLINICAL = ("status", "diagnoses", "sex_at_birth", "gender_identity")
"""What a patient may read of themself and only a clinician may write."""
OFFICIAL = ("legal_given", "legal_family", "birth_on", "external_ids")
"""By which the clinic tells one person from another: never the patient's to rewrite."""
OBJECTS = {
    "contact": ("email", "phone"),
    "address": ("lines", "city", "region", "postal_code", "country"),
    "emergency_contact": ("name", "phone", "relation"),
}
"""The parts of a patient that are objects, with what each of them holds."""
NEEDED = {"emergency_contact": ("name", "phone")}
EARLIEST_BIRTH = date(1875, 1, 1)
MAX_DUPLICATES = 10

patients = tenant_table(
    "patients",
    Column("legal_given", String(200), nullable=False),
    Column("legal_family", String(200), nullable=False),
    Column("preferred_name", String(200)),
    Column("pronouns", String(60)),
    Column("birth_on", Date),
    Column("sex_at_birth", String(20)),
    Column("gender_identity", String(60)),
    Column("contact", Sealed),
    Column("address", Sealed),
    Column("emergency_contact", Sealed),
    Column("external_ids", Sealed),
    Column("diagnoses", Sealed),
    Column("locale", String(35), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("status", String(20), nullable=False),
    Column("default_sharing", String(20)),
    CheckConstraint(f"status IN {STATUSES}", name="status"),
    patient=False,
)
patient_words = Table(
    "patient_words",
    metadata,
    Column("clinic_id", Uuid, nullable=False),
    Column("patient_id", Uuid, nullable=False),
    Column("word", Word, nullable=False),
    PrimaryKeyConstraint("clinic_id", "word", "patient_id"),
    of("patients", "patient_id"),
)
"""Every word of every name, folded; a prefix search is a range over it."""
Index("ix_patient_words_patient", patient_words.c.clinic_id, patient_words.c.patient_id)
patient_external_ids = Table(
    "patient_external_ids",
    metadata,
    Column("clinic_id", Uuid, nullable=False),
    Column("blind", String(64), nullable=False),
    Column("patient_id", Uuid, nullable=False),
    PrimaryKeyConstraint("clinic_id", "blind"),
    of("patients", "patient_id"),
)
"""Record numbers of other systems, found by a blind index: equal ones are found, none is read."""


def fold(name: str) -> list[str]:
    """The words of a name as they are searched: case and accents gone, letters and digits left."""
    plain = "".join(c for c in normalize("NFKD", name) if category(c) != "Mn").casefold()
    return [word for word in re.split(r"[^\w]+", plain) if word]


def display_name(row: Values) -> str:
    """The name a person is called by: preferred, else given, with the family name."""
    return f"{row['preferred_name'] or row['legal_given']} {row['legal_family']}"


def show_patient(row: Values) -> Values:
    """A patient as the doors show them: names in one place, internals left out."""
    shown = {k: v for k, v in row.items() if k not in HIDDEN}
    shown["legal_name"] = {"given": row["legal_given"], "family": row["legal_family"]}
    shown["display_name"] = display_name(row)
    objects = {name: row[name] and whole(row[name], keys) for name, keys in OBJECTS.items()}
    shown |= objects
    shown["external_ids"] = row["external_ids"] or []
    shown["diagnoses"] = row["diagnoses"] or []
    return shown


SHOWN_AS_NAME = ("legal_given", "legal_family")
HIDDEN = ("clinic_id", *SHOWN_AS_NAME, "deleted_at", "default_sharing")
COLUMNS = [column for column in patients.c if column.key != "default_sharing"]


def open_chart(actor: Actor, action: str, patient_id: UUID) -> Values:
    """The patient whose chart the actor may open for `action`; `NotFound` when out of reach."""
    granted = gate.admit(actor, action)
    trail.about("patient", patient_id)
    row = store().row(
        select(patients).where(
            patients.c.clinic_id == actor.clinic_id,
            patients.c.id == patient_id,
            patients.c.deleted_at.is_(None),
            gate.in_reach(actor, granted, patients.c.id),
        ),
        opens=patients,
    )
    trail.touches([patient_id] if row else [])
    return found(row)


def charts(actor: Actor, action: str) -> Select[Any]:
    """A select of the patients in reach, for lists that join or filter it further."""
    granted = gate.admit(actor, action)
    return select(*COLUMNS).where(
        patients.c.clinic_id == actor.clinic_id, gate.in_reach(actor, granted, patients.c.id)
    )


_ONE = patients.c.id == bindparam("record_id"), patients.c.deleted_at.is_(None)
_CHART = Reading("patient:read", select(*COLUMNS).where(*_ONE), patients, patients.c.id)


def chart_for(action: str, *more: ColumnElement[Any]) -> Opening:
    """What opens a chart for a hot write of `action`, as `open_chart` does for others.

    `more` is what the write needs to know beside the patient, so that it asks nothing further.
    """
    return Opening(action, select(patients, *more).where(*_ONE), patients, patients.c.id)


def read_patient(actor: Actor, patient_id: UUID) -> Values:
    """One patient, as far as the reader may see them."""
    return _as_seen(actor, show_patient(_CHART.one(actor, patient_id)))


def _as_seen(actor: Actor, shown: Values) -> Values:
    """The administrator runs the clinic and sees no clinical data."""
    if actor.rights.role == "administrator":
        shown["diagnoses"] = None
    return shown


def list_patients(
    actor: Actor,
    asked: Page,
    q: str | None = None,
    status: str | None = None,
    external_id: str | None = None,
) -> Listing:
    """The patients in reach: by prefix of any word of a name, by status, by another system's id."""
    listing = _LISTED.within_reach(actor, asked, **_wanted(actor.clinic_id, q, status, external_id))
    if asked.since is not None and listing.next_after is None:
        _sync_reach(actor, asked, listing, _wanted(actor.clinic_id, q, status, external_id))
    listing.items = [show_to(actor, row) for row in listing.items]
    return listing


def _wanted(clinic_id: UUID, q: str | None, status: str | None, external_id: str | None) -> Values:
    words = {f"word_{i}": word for i, word in enumerate(fold(q or ""))}
    blind = external_id and blind_external_id(clinic_id, *external_id.split("|", 1))
    return words | {"status": status, "blind": blind}


def sought(
    clinic_id: UUID, q: str | None = None, status: str | None = None, external_id: str | None = None
) -> tuple[list[ColumnElement[bool]], Values]:
    """The conditions by which patients are found, and their values, for lists that ask for more."""
    wanted = _wanted(clinic_id, q, status, external_id)
    given = {name: value for name, value in wanted.items() if value is not None}
    return [_where(name) for name in given], given | {CLINIC.key: clinic_id}


def show_to(reader: Actor, row: Values) -> Values:
    """A patient as the doors show them to this reader."""
    return _as_seen(reader, show_patient(row))


def _where(name: str) -> ColumnElement[bool]:
    if name.startswith("word_"):
        return _has_word(CLINIC, bindparam(name, type_=String))
    return _has_external_id() if name == "blind" else patients.c.status == bindparam("status")


_LISTED = Listed("patient:list", select(*COLUMNS), patients, patients.c.id, _where)


def _sync_reach(actor: Actor, asked: Page, listing: Listing, wanted: Values) -> None:
    """Put beside the last page of changes what came into reach since, unchanged, or left it."""
    since: Any = asked.since
    granted = gate.admit(actor, "patient:list")
    if listing.tombstones is not None:
        listing.tombstones += store().rows(reach.left(actor, granted, since))
    given = {name: value for name, value in wanted.items() if value is not None}
    came = select(*COLUMNS).where(
        patients.c.clinic_id == actor.clinic_id,
        patients.c.updated_at < since,
        patients.c.deleted_at.is_(None),
        reach.came(actor, granted, patients.c.id, since),
        *map(_where, given),
    )
    rows = store().rows(came.limit(reach.MOST), patients, **given, **{CLINIC.key: actor.clinic_id})
    trail.touches(row["id"] for row in rows)
    listing.items += rows


def _has_word(clinic_id: Any, prefix: Any) -> ColumnElement[bool]:
    found = select(patient_words.c.patient_id).where(
        patient_words.c.clinic_id == clinic_id,
        patient_words.c.word >= prefix,
        patient_words.c.word < prefix + "\U0010ffff",
    )
    return among(patients.c.id, found)


def _has_external_id() -> ColumnElement[bool]:
    return exists().where(
        patient_external_ids.c.clinic_id == patients.c.clinic_id,
        patient_external_ids.c.patient_id == patients.c.id,
        patient_external_ids.c.blind == bindparam("blind"),
    )


def blind_external_id(clinic_id: UUID, system: str, value: str = "") -> str:
    """Under which index a record number of another system is found."""
    return vault.blind(f"{system}|{value}", "patient_external_ids.blind", clinic_id)


def admit_patient(actor: Actor, values: Values) -> Values:
    """A new patient; the creating clinician joins the care team. Lists likely duplicates."""
    gate.admit(actor, "patient:create")
    _refuse_birth(values, values.get("time_zone", actor.rights.zone))
    alike = _possible_duplicates(actor, values)
    row = add_patient(actor.clinic_id, {"time_zone": actor.rights.zone} | values)
    events.append(store(), actor.clinic_id, "patient.created", {"patient_id": row["id"]})
    if actor.rights.role == "clinician":
        join_team(actor.clinic_id, row["id"], actor.user_id, "lead", actor.user_id)
    trail.about("patient", row["id"])
    trail.touches([row["id"]])
    trail.wrote(values)
    return _as_seen(actor, show_patient(row)) | {"possible_duplicates": alike}


def add_patient(clinic_id: UUID, values: Values) -> Values:
    """The rows of a new patient; asks nobody, for callers that did."""
    full = {"clinic_id": clinic_id, "locale": "en-US", "status": "inquiry"} | values
    row = store().add(patients, full)
    _index_names(row)
    _index_external_ids(row)
    return row


def join_team(
    clinic_id: UUID, patient_id: UUID, clinician_id: UUID, role: str, by: UUID | None
) -> Values:
    """A clinician joins the care team from now on."""
    return store().add(
        care_team,
        {
            "clinic_id": clinic_id,
            "patient_id": patient_id,
            "clinician_id": clinician_id,
            "role": role,
            "from_at": now(),
            "added_by": by,
        },
    )


def _possible_duplicates(actor: Actor, values: Values) -> list[Values]:
    statement = charts(actor, "patient:list").where(
        patients.c.birth_on == values["birth_on"],
        or_(
            *(_has_word(actor.clinic_id, word) for word in fold(values["legal_family"]) or ["\x00"])
        ),
        patients.c.deleted_at.is_(None),
    )
    rows = store().rows(statement.limit(MAX_DUPLICATES))
    trail.touches(row["id"] for row in rows)
    return [{"id": row["id"], "display_name": display_name(row)} for row in rows]


def _index_names(row: Values) -> None:
    names = f"{row['legal_given']} {row['legal_family']} {row['preferred_name'] or ''}"
    keys = {"clinic_id": row["clinic_id"], "patient_id": row["id"]}
    store().execute(patient_words.delete().where(patient_words.c.patient_id == row["id"]))
    words = [keys | {"word": word} for word in sorted(set(fold(names)))]
    if words:
        store().execute(patient_words.insert(), words)


def _index_external_ids(row: Values) -> None:
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


def change_patient(actor: Actor, patient_id: UUID, version: int | None, values: Values) -> Values:
    """Change what is known of a patient; clinical fields are a clinician's to write."""
    row = open_chart(actor, "patient:update", patient_id)
    match(row, version)
    clinical = sorted(set(values) & set(CLINICAL))
    if actor.rights.is_patient:
        _refuse_unless_theirs(values)
    if clinical and actor.rights.role != "clinician":
        raise NotAllowed(f"Only a clinician may change {', '.join(clinical)}.")
    _refuse_birth(values, row["time_zone"])
    trail.wrote(values)
    after = _written(row, _merged(row, values)) if values else row
    return _as_seen(actor, show_patient(after))


def _written(row: Values, values: Values) -> Values:
    after = store().change(patients, row, values)
    _index_names(after)
    _index_external_ids(after)
    return after


def _refuse_birth(values: Values, zone: str) -> None:
    born: date | None = values.get("birth_on")
    if born is not None and not EARLIEST_BIRTH <= born <= today(zone):
        said = f"Neither ahead of today nor before {EARLIEST_BIRTH.year}."
        raise Invalid([("/birth_on", said)])


def _merged(row: Values, values: Values) -> Values:
    """The values with each object as it is once the part that was sent is merged in."""
    full = dict(values)
    for name, keys in OBJECTS.items():
        if values.get(name) is not None:
            full[name] = merged(row[name], values[name], keys)
            refuse_gaps(name, full[name], NEEDED.get(name, ()))
    return full


def _refuse_unless_theirs(values: Values) -> None:
    clinical = [(f"/{name}", "A clinician writes this.") for name in CLINICAL if name in values]
    named = ["legal_name" if n in SHOWN_AS_NAME else n for n in OFFICIAL if n in values]
    said = "A clinician or the front desk writes this."
    refused = clinical + [(f"/{name}", said) for name in dict.fromkeys(named)]
    if refused:
        raise Invalid(refused)
