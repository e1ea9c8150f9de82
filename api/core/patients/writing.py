"""Writing patients: admitted, joined by a clinician, and changed by whom it is theirs to change."""

from datetime import date
from uuid import UUID

from sqlalchemy import or_

from api.access.policies import Actor
from api.audit import trail
from api.clock import now, today
from api.core import gate
from api.core.merging import merged, refuse_gaps
from api.core.patients.finding import charts, open_chart
from api.core.patients.index import fold, has_word, index_external_ids, index_names
from api.core.patients.showing import display_name, show_to
from api.core.patients.table import DISCHARGED, OBJECTS, ONCE_CLEAR, patients
from api.core.team_reach import care_team
from api.db import Values, match, store
from api.errors import Conflict, Invalid, NotAllowed
from api.outbox import events

CLINICAL = ("status", "diagnoses", "sex_at_birth", "gender_identity")
"""What a patient may read of themself and only a clinician may write."""
OFFICIAL = ("legal_given", "legal_family", "birth_on", "external_ids")
"""By which the clinic tells one person from another: never the patient's to rewrite."""
NEEDED = {"emergency_contact": ("name", "phone")}
EARLIEST_BIRTH = date(1875, 1, 1)
MAX_DUPLICATES = 10


def admit_patient(actor: Actor, values: Values) -> Values:
    """A new patient; the creating clinician joins the care team. Lists likely duplicates."""
    gate.admit(actor, "patient:create")
    refuse_birth(values, values.get("time_zone", actor.rights.zone))
    alike = _possible_duplicates(actor, values)
    row = add_patient(actor.clinic_id, {"time_zone": actor.rights.zone} | values)
    events.append(store(), actor.clinic_id, "patient.created", {"patient_id": row["id"]})
    if actor.rights.role == "clinician":
        join_team(actor.clinic_id, row["id"], actor.user_id, "lead", actor.user_id)
    trail.about("patient", row["id"])
    trail.touches([row["id"]])
    trail.wrote(values)
    return show_to(actor, row) | {"possible_duplicates": alike}


def add_patient(clinic_id: UUID, values: Values) -> Values:
    """The rows of a new patient; asks nobody, for callers that did."""
    full = {"clinic_id": clinic_id, "locale": "en-US", "status": "inquiry"} | values
    row = store().add(patients, _hidden(full))
    index_names(row)
    index_external_ids(row)
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
            *(has_word(actor.clinic_id, word) for word in fold(values["legal_family"]) or ["\x00"])
        ),
        patients.c.deleted_at.is_(None),
    )
    rows = store().rows(statement.limit(MAX_DUPLICATES))
    trail.touches(row["id"] for row in rows)
    return [{"id": row["id"], "display_name": display_name(row)} for row in rows]


def change_patient(actor: Actor, patient_id: UUID, version: int | None, values: Values) -> Values:
    """Change what is known of a patient; clinical fields are a clinician's to write."""
    row = open_chart(actor, "patient:update", patient_id)
    match(row, version)
    clinical = sorted(set(values) & set(CLINICAL))
    if actor.rights.is_patient:
        _refuse_unless_theirs(values)
    if clinical and actor.rights.role != "clinician":
        raise NotAllowed(f"Only a clinician may change {', '.join(clinical)}.")
    if row["status"] == DISCHARGED and values.get("status", DISCHARGED) != DISCHARGED:
        raise Conflict("The patient is discharged.", state=DISCHARGED, allowed=["readmit"])
    refuse_birth(values, row["time_zone"])
    trail.wrote(values)
    after = written(row, _merged(row, values)) if values else row
    return show_to(actor, after)


def written(row: Values, values: Values) -> Values:
    """The patient changed, and found by what the record says now; asks nobody."""
    after = store().change(patients, row, _hidden(values))
    index_names(after)
    index_external_ids(after)
    return after


def _hidden(values: Values) -> Values:
    """The values as they are written: words that lay in clear once go where they are sealed."""
    words = [name for name in ONCE_CLEAR if name in values]
    sealed = {ONCE_CLEAR[name]: values[name] for name in words}
    return values | dict.fromkeys(words) | sealed


def refuse_birth(values: Values, zone: str) -> None:
    """Raise `Invalid` for a day of birth ahead, or too long ago to be believed."""
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
    named = ["legal_name" if n.startswith("legal_") else n for n in OFFICIAL if n in values]
    said = "A clinician or the front desk writes this."
    refused = clinical + [(f"/{name}", said) for name in dict.fromkeys(named)]
    if refused:
        raise Invalid(refused)
