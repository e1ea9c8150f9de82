"""A clinic of realistic size, written twice: sealed for our server, in the clear for the floor.

Twenty patients share a family name and a care team of four, so that a search for the name finds
the same twenty for whoever is on the team and for a floor that asks nobody's rights.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Table, text

from api import db, vault
from api.access.hashing import hash_password
from api.access.policies import Role
from api.access.users import accounts, blind_email, clinics, sign_ins, users
from api.core.outcomes.checkins import check_ins
from api.core.outcomes.checkins.scored import reckoned
from api.core.outcomes.instruments.catalogue import instrument
from api.core.patients import fold, patient_words, patients
from api.core.team_reach import care_team, session_clinicians
from api.core.treatment.sessions import sessions
from api.db import Values

PASSWORD = "a-quiet-benchmark"
FAMILY, TEAM = 20, 4
AT_A_TIME = 2000
GIVEN = "Ada Berit Cora Dana Elin Fenja Gesa Hanne Ida Jule Karla Lena Mina Nele Oda Paula Rike"
FIRST, SECOND, LAST = "BDFGHKLMNPRSTVWZ", "aeiou", ("bach", "feld", "grund", "hain", "rain", "tal")
NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Size:
    """How much of everything there is."""

    patients: int = 10_000
    clinicians: int = 200
    with_check_ins: int = 2_000
    check_ins_each: int = 50


FULL, SMALL = Size(), Size(400, 8, 40, 50)


@dataclass(frozen=True)
class Clinician:
    """Somebody who signs in: ids, and the patients of their care teams by family name."""

    user_id: UUID
    sign_in_id: UUID
    email: str
    families: dict[str, list[UUID]]


@dataclass(frozen=True)
class Clinic:
    """What there is to be asked for."""

    id: UUID
    clinicians: list[Clinician]
    measured: frozenset[UUID]
    """The patients who have check-ins; answers are posted for the others."""


def imagine(size: Size) -> tuple[Clinic, list[tuple[Table, list[Values]]]]:
    """A clinic and the rows of its tables, in the order in which they can be written."""
    random, clinic_id = Random(2026), db.new_id()
    people = [_clinician(clinic_id, i) for i in range(size.clinicians)]
    every = [_patient(random, clinic_id, i) for i in range(size.patients)]
    measured = every[:: size.patients // size.with_check_ins]
    teams = list(_teams(every, [user for _, user, _ in people]))
    visits = [_visit(patient) for patient in every]
    rows = [
        (clinics, [_clinic(clinic_id)]),
        (accounts, [account for account, _, _ in people]),
        (users, [user for _, user, _ in people]),
        (sign_ins, [opened for _, _, opened in people]),
        (patients, every),
        (patient_words, [word for patient in every for word in _words(patient)]),
        (care_team, teams),
        (sessions, visits),
        (session_clinicians, [_named(v, people[i % len(people)][1]) for i, v in enumerate(visits)]),
        (check_ins, list(_check_ins(random, measured, size.check_ins_each, people[0][1]))),
    ]
    clinic = Clinic(
        clinic_id, _who(people, every, teams), frozenset(patient["id"] for patient in measured)
    )
    return clinic, rows


def write(engine: Engine, rows: list[tuple[Table, list[Values]]], sealed: bool, say: Any) -> None:
    """Write the rows, their private columns sealed or in the clear; `say` is told of progress."""
    prepare = _sealed if sealed else _clear
    with engine.begin() as connection:
        for table, records in rows:
            _insert(connection, table, records, prepare)
            say(f"  {len(records):7,} {table.name}")
    with engine.begin() as connection:  # begun by us even where the driver would commit by itself
        connection.execute(text("ANALYZE"))


def _insert(
    connection: Connection,
    table: Table,
    records: Iterable[Values],
    prepare: Callable[[Table, Values], Values],
) -> None:
    prepared = (prepare(table, record) for record in records)
    while batch := list(islice(prepared, AT_A_TIME)):
        connection.execute(table.insert(), batch)


def _sealed(table: Table, record: Values) -> Values:
    if table is accounts:  # belongs to no clinic
        hidden = vault.seal_json(record["email"], "accounts.email", record["id"])
        return record | {"email": hidden}
    return db.conceal(table, record, record) if db.sealed_columns(table) else record


def _clear(table: Table, record: Values) -> Values:
    private = {key: record[key] for key in db.sealed_columns(table) if record.get(key) is not None}
    return record | {key: json.dumps(value) for key, value in private.items()}


def _record(table: Table, clinic_id: UUID, **values: Any) -> Values:
    new = {"clinic_id": clinic_id, "id": db.new_id(), "version": 1}
    times = {"created_at": NOW, "updated_at": NOW}
    return {column.key: None for column in table.c} | new | times | values


def _clinic(clinic_id: UUID) -> Values:
    times = {"created_at": NOW, "updated_at": NOW, "version": 1, "is_demo": False}
    name = {"name": "Benchmark Clinic", "time_zone": "America/Denver", "crisis_resources": {}}
    return {"id": clinic_id, **times, **name}


def _clinician(clinic_id: UUID, number: int) -> tuple[Values, Values, Values]:
    email, account_id = f"clinician{number}@bench.example", db.new_id()
    account = {
        "id": account_id,
        "created_at": NOW,
        "email_blind": blind_email(email),
        "email": email,
        "password_hash": _hash(),
    }
    user = _record(
        users,
        clinic_id,
        account_id=account_id,
        role=Role.CLINICIAN.value,
        display_name=f"Clinician {number}",
        profession="therapist",
        privileges=[],
        preferences={},
        locale="en-US",
        security_version=1,
    )
    return account, user, _sign_in(user)


_HASHED: list[str] = []


def _hash() -> str:
    if not _HASHED:
        _HASHED.append(hash_password(PASSWORD))
    return _HASHED[0]


def _sign_in(user: Values) -> Values:
    return {
        "id": db.new_id(),
        "clinic_id": user["clinic_id"],
        "user_id": user["id"],
        "security_version": 1,
        "auth_time": NOW,
        "created_at": NOW,
        "last_seen_at": NOW,
        "ends_at": NOW + timedelta(hours=12),
        "revoked_at": None,
    }


def _family(number: int) -> str:
    """A family name whose first five letters nobody else's name begins with."""
    syllables = [f + s for f in FIRST for s in SECOND]
    head, rest = divmod(number, len(syllables))
    return syllables[rest] + syllables[head].lower() + LAST[number % len(LAST)]


def _patient(random: Random, clinic_id: UUID, number: int) -> Values:
    given, family = random.choice(GIVEN.split()), _family(number // FAMILY)
    return _record(
        patients,
        clinic_id,
        legal_given=given,
        legal_family=family,
        birth_on=date(1940 + number % 60, 1 + number % 12, 1 + number % 28),
        contact={"email": f"{given}.{family}@patients.example", "phone": "+1 303 555 0100"},
        external_ids=[{"system": "urn:bench:ehr", "value": str(number)}],
        diagnoses=[{"code": "F33.1", "recorded_on": "2025-03-01"}],
        sex_at_birth=("female", "male")[number % 2],
        locale="en-US",
        time_zone="America/Denver",
        status="active",
    )


def _words(patient: Values) -> Iterator[Values]:
    keys = {"clinic_id": patient["clinic_id"], "patient_id": patient["id"]}
    for word in sorted(set(fold(f"{patient['legal_given']} {patient['legal_family']}"))):
        yield keys | {"word": word}


def _teams(every: list[Values], people: list[Values]) -> Iterator[Values]:
    for number, patient in enumerate(every):
        first = number // FAMILY * TEAM
        for place in range(TEAM):
            yield _record(
                care_team,
                patient["clinic_id"],
                patient_id=patient["id"],
                clinician_id=people[(first + place) % len(people)]["id"],
                role="therapist",
                from_at=NOW - timedelta(days=100),
            )


def _visit(patient: Values) -> Values:
    at = NOW - timedelta(days=30)
    return _record(
        sessions,
        patient["clinic_id"],
        patient_id=patient["id"],
        kind="integration",
        state="completed",
        mode="in_person",
        starts_at=at,
        ends_at=at + timedelta(hours=1),
        source="app",
    )


def _named(visit: Values, clinician: Values) -> Values:
    return {
        "clinic_id": visit["clinic_id"],
        "session_id": visit["id"],
        "clinician_id": clinician["id"],
        "place": 0,
        "patient_id": visit["patient_id"],
        "duty_from": visit["starts_at"] - timedelta(days=1),
        "duty_until": visit["ends_at"] + timedelta(days=3),
    }


def _check_ins(
    random: Random, measured: list[Values], each: int, recorder: Values
) -> Iterator[Values]:
    phq = instrument("phq-9")
    for patient in measured:
        for number in range(each):
            answers = {item.link_id: random.choice(sorted(item.values)) for item in phq.items}
            at = NOW - timedelta(days=7 * (each - number))
            yield _record(
                check_ins,
                patient["clinic_id"],
                patient_id=patient["id"],
                instrument=phq.key,
                source="app",
                answered_by="clinician_asked",
                answered_at=at,
                answered_on=at.date(),
                recorded_by=recorder["id"],
                **reckoned(phq, answers, "complete"),
            )


def _who(people: list[Any], every: list[Values], teams: list[Values]) -> list[Clinician]:
    named = {patient["id"]: patient["legal_family"] for patient in every}
    reach: dict[UUID, dict[str, list[UUID]]] = {user["id"]: {} for _, user, _ in people}
    for member in teams:
        family = named[member["patient_id"]]
        reach[member["clinician_id"]].setdefault(family, []).append(member["patient_id"])
    return [
        Clinician(user["id"], opened["id"], account["email"], reach[user["id"]])
        for account, user, opened in people
    ]
