"""The cohort: who agreed to research and had a first dose, and what is told of each of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import exists, func, literal, or_, select

from api.core import consents
from api.core.alerts import alerts
from api.core.clinical_lists.table import diagnoses
from api.core.outcomes.series import HELD
from api.core.patients import patients
from api.core.release import deidentify as d
from api.core.release.allowed import columns
from api.core.release.anonymity import UNKNOWN, Quasi
from api.core.release.shapes import NO, SUICIDALITY, YES
from api.core.release.snapshot import Snapshot, batches
from api.core.treatment.courses import courses
from api.core.treatment.sessions import sessions
from api.db import Instant, Store, Values

CONSENT: Final = "research"
ONE: Final[Any] = literal(1)
"""What is asked of a row that need only be there: `*` would ask for every column of it."""


@dataclass(slots=True)
class Person:
    """One of the cohort: who they are here, under which code they leave, and since when."""

    patient_id: UUID
    subject_id: str
    zone: ZoneInfo
    first_at: datetime
    first_on: date
    quasi: Quasi
    medicine: str
    end_state: str
    suicidality: bool | None = False

    @property
    def sensitive(self) -> str | None:
        """Whether a safety item was ever positive, as it is told; None where it isn't told."""
        return None if self.suicidality is None else YES if self.suicidality else NO

    def offset(self, at: datetime | date) -> int:
        """Calendar days from the first dose to a moment, where the patient lives."""
        day = at.astimezone(self.zone).date() if isinstance(at, datetime) else at
        return (day - self.first_on).days

    def window(self, at: datetime | date) -> str | None:
        """The window of a moment; None between windows and before the baseline."""
        found = d.window_of(self.offset(at))
        return None if found is None else found.code


def consenting(clinic_id: UUID) -> list[Any]:
    """The SQL conditions that a row of `patients` is of somebody who agreed to research."""
    standing = consents.standing(clinic_id, patients.c.id, CONSENT)
    return [
        patients.c.clinic_id == clinic_id,
        patients.c.deleted_at.is_(None),
        exists(ONE).where(*standing),
    ]


def cohort(snap: Snapshot, clinic_id: UUID, codes: Mapping[UUID, str]) -> list[Person]:
    """Everybody in the cohort who has a code, in the order of their codes."""
    first = _first_doses(snap, clinic_id)
    p = columns(patients, "id", "clinic_id", *OF_PATIENT)
    statement = select(*p).where(*consenting(clinic_id))
    found = [
        _person(row, codes[row["id"]], first[row["id"]])
        for row in snap.rows(statement, opens=patients)
        if row["id"] in first and row["id"] in codes
    ]
    found.sort(key=lambda person: person.subject_id)
    _told_more(snap, clinic_id, found)
    return found


OF_PATIENT: Final = ("birth_on", "sex_at_birth", "address", "time_zone", "status", "diagnoses")


def _first_doses(snap: Snapshot, clinic_id: UUID) -> dict[UUID, datetime]:
    s, told = sessions.c, columns(sessions, "first_dose_at", "started_at", "starts_at")
    began = func.min(func.coalesce(*told), type_=Instant()).label("began_at")
    held = or_(s.first_dose_at.is_not(None), s.state.in_(HELD))
    mine = [s.clinic_id == clinic_id, s.kind == "dosing", held, s.deleted_at.is_(None)]
    statement = select(s.patient_id, began).where(*mine).group_by(s.patient_id)
    return {row["patient_id"]: row["began_at"] for row in snap.rows(statement)}


def _person(row: Values, code: str, first_at: datetime) -> Person:
    zone = ZoneInfo(row["time_zone"])
    first_on, address = first_at.astimezone(zone).date(), row["address"] or {}
    sex = row["sex_at_birth"] if row["sex_at_birth"] in d.SEXES else UNKNOWN
    group = d.diagnosis_group(_codes_in(row["diagnoses"]))
    told = (
        d.age_band(row["birth_on"], first_on),
        sex,
        d.state_of(address.get("region"), address.get("country")),
        group,
        None,
    )
    quasi = tuple(value or UNKNOWN for value in told)
    ended = "discharged" if row["status"] == "discharged" else "in_treatment"
    return Person(row["id"], code, zone, first_at, first_on, quasi, UNKNOWN, ended)


def _codes_in(listed: Any) -> list[str]:
    """The codes among diagnoses, however they were listed."""
    return [str(one.get("code", "")) if isinstance(one, dict) else str(one) for one in listed or []]


def _told_more(snap: Snapshot, clinic_id: UUID, people: Sequence[Person]) -> None:
    """What other tables tell: the first course, diagnoses, and positive safety items."""
    for some in batches(people):
        ids = [person.patient_id for person in some]
        first = _first_courses(snap, clinic_id, ids)
        groups = _diagnoses(snap, clinic_id, ids)
        at_risk = _at_risk(snap, clinic_id, ids)
        for person in some:
            course = first.get(person.patient_id, {})
            age, sex, state, group, _ = person.quasi
            group = d.diagnosis_group(groups.get(person.patient_id, ())) or group
            person.quasi = (age, sex, state, group, course.get("route", UNKNOWN))
            person.medicine = course.get("medicine", UNKNOWN)
            person.suicidality = person.patient_id in at_risk


def _first_courses(snap: Snapshot, clinic_id: UUID, ids: list[UUID]) -> Mapping[UUID, Values]:
    c = courses.c
    told = columns(courses, "patient_id", "route", "medicine")
    mine = [c.clinic_id == clinic_id, c.patient_id.in_(ids), c.deleted_at.is_(None)]
    rows = list(snap.rows(select(*told).where(*mine).order_by(c.created_at, c.id)))
    return {row["patient_id"]: row for row in reversed(rows)}


def _diagnoses(snap: Snapshot, clinic_id: UUID, ids: list[UUID]) -> Mapping[UUID, list[str]]:
    t, told = diagnoses.c, columns(diagnoses, "id", "clinic_id", "patient_id", "code")
    alive = [t.deleted_at.is_(None), t.status == "active"]
    mine = [t.clinic_id == clinic_id, t.patient_id.in_(ids), *alive]
    found: dict[UUID, list[str]] = {}
    for row in snap.rows(select(*told).where(*mine).order_by(t.created_at, t.id), opens=diagnoses):
        found.setdefault(row["patient_id"], []).append(str(row["code"]))
    return found


def _at_risk(snap: Snapshot, clinic_id: UUID, ids: list[UUID]) -> set[UUID]:
    t, told = alerts.c, columns(alerts, "patient_id", "flag")
    mine = [t.clinic_id == clinic_id, t.patient_id.in_(ids), t.flag.in_(SUICIDALITY)]
    return {row["patient_id"] for row in snap.rows(select(*told).where(*mine))}


def withdrawn(store: Store, clinic_id: UUID, ids: Sequence[UUID]) -> Iterator[UUID]:
    """Who of these no longer agrees, or is no longer there, as the database stands now."""
    for some in batches(ids):
        still = select(patients.c.id).where(*consenting(clinic_id), patients.c.id.in_(list(some)))
        there = {row["id"] for row in store.rows(still)}
        yield from (one for one in some if one not in there)
