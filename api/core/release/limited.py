"""Limited data sets: whose rows may be told with their dates, and the rows."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from api.core.consents import consents, standing
from api.core.outcomes.checkins import check_ins
from api.core.outcomes.instruments.catalogue import catalogue
from api.core.patients import patients
from api.core.release import cohort, deidentify as d
from api.core.release.allowed import columns
from api.core.release.codes import codes
from api.core.release.cohort import CONSENT, Person
from api.core.release.gathering import HELD, Row, Rows, doses_and_events, rows_of, signals
from api.core.release.limited_shapes import NOTICE
from api.core.release.shapes import ITEMS_MISSING
from api.core.release.snapshot import Snapshot
from api.core.treatment.sessions import sessions
from api.db import Store, Values

MOST_MG_PER_KG = 1000.0


def people(snap: Snapshot, release: Values, texts: Sequence[str]) -> list[Person]:
    """Of the cohort those who agreed to one of these texts of the consent to research."""
    agreed = {row["patient_id"] for row in snap.rows(_agreed(release["clinic_id"], texts))}
    there = cohort.cohort(
        snap, release["clinic_id"], codes(release["clinic_id"], release["project_id"])
    )
    return [person for person in there if person.patient_id in agreed]


def agree(store: Store, clinic_id: UUID, texts: Sequence[str]) -> set[UUID]:
    """Who agrees to one of these texts, as the database stands now."""
    return {row["patient_id"] for row in store.rows(_agreed(clinic_id, texts))}


def _agreed(clinic_id: UUID, texts: Sequence[str]) -> Any:
    stands = standing(clinic_id, consents.c.patient_id, CONSENT)
    return select(consents.c.patient_id).where(*stands, consents.c.text_version.in_(list(texts)))


def gather(snap: Snapshot, clinic_id: UUID, some: Sequence[Person]) -> Rows:
    """The rows of each file of these subjects, by subject and day."""
    by = {person.patient_id: person for person in some}
    doses, events = doses_and_events(snap, clinic_id, some)
    said = signals(snap, clinic_id, some)
    found: Rows = {
        "limited_subjects": _subjects(snap, clinic_id, by),
        "limited_sessions": _sessions(snap, clinic_id, by, doses),
        "limited_scores": _scores(snap, clinic_id, by),
        "limited_safety": [
            [person.subject_id, _day(person, at), source, code, NOTICE]
            for person in some
            for source, told in (("check_in", said), ("session", events))
            for at, code in told.get(person.patient_id, ())
        ],
    }
    return {file: sorted(rows, key=_order) for file, rows in found.items()}


def _order(row: Row) -> tuple[str, ...]:
    return tuple(map(str, row))


def _day(person: Person, at: Any) -> str:
    """The day of a moment where the patient lives."""
    return str(at.astimezone(person.zone).date().isoformat())


def _subjects(snap: Snapshot, clinic_id: UUID, by: Mapping[UUID, Person]) -> list[Row]:
    told = columns(patients, "id", "clinic_id", "birth_on", "address")
    mine = [patients.c.clinic_id == clinic_id, patients.c.id.in_(list(by))]
    return [
        _subject(by[row["id"]], row)
        for row in snap.rows(select(*told).where(*mine), opens=patients)
    ]


def _subject(person: Person, row: Values) -> Row:
    _, sex, state, group, route = person.quasi
    address = row["address"] or {}
    return [
        person.subject_id,
        d.years(row["birth_on"], person.first_on),
        *(sex, state, d.zip5(address.get("postal_code"), address.get("country"))),
        *(group, route, person.medicine),
        person.first_on.isoformat(),
        *(person.sensitive, person.end_state, NOTICE),
    ]


def _sessions(
    snap: Snapshot,
    clinic_id: UUID,
    by: Mapping[UUID, Person],
    doses: Mapping[UUID, Sequence[float]],
) -> list[Row]:
    told = ("id", "patient_id", "kind", "first_dose_at", "started_at", "starts_at")
    found = []
    held = sessions.c.state.in_(HELD)
    for row in rows_of(snap, sessions, clinic_id, by.values(), told, held):
        person = by[row["patient_id"]]
        at = row["first_dose_at"] or row["started_at"] or row["starts_at"]
        given = min(round(sum(doses[row["id"]]), 2), MOST_MG_PER_KG) if row["id"] in doses else None
        about = [person.subject_id, _day(person, at), row["kind"], person.window(at)]
        found.append([*about, given, NOTICE])
    return found


def _scores(snap: Snapshot, clinic_id: UUID, by: Mapping[UUID, Person]) -> list[Row]:
    told = ("patient_id", "instrument", "instrument_version", "scoring_version", "answered_on")
    known = [check_ins.c.state == "complete", check_ins.c.instrument.in_(list(catalogue()))]
    found = []
    for row in rows_of(snap, check_ins, clinic_id, by.values(), (*told, "total", "band"), *known):
        person = by[row["patient_id"]]
        edition = row["instrument_version"].partition("+")[0]
        about = [person.subject_id, row["instrument"], edition, row["scoring_version"]]
        at = [row["answered_on"].isoformat(), person.window(row["answered_on"])]
        missing = ITEMS_MISSING if row["total"] is None else None
        found.append([*about, *at, row["total"], row["band"], missing, NOTICE])
    return found
