"""Exports as one writes them without thinking of attackers: what each attack is first tried on."""

import csv
import hashlib
import hmac
from collections import Counter
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from flask import Flask, Response, send_file
from sqlalchemy import exists, select

from api import db
from api.core import consents
from api.core.outcomes.checkins import check_ins
from api.core.patients import patients
from api.core.treatment.sessions import sessions
from tests.research.clinic import Clinic

Row = dict[str, Any]


def people(made: Clinic, agreed: bool = False) -> list[dict[str, Any]]:
    """Every patient as they stand in the chart, in the order in which they were admitted.

    With `agreed` those alone who agree to research today.
    """
    standing = consents.standing(made.clinic_id, patients.c.id, "research")
    mine = [patients.c.clinic_id == made.clinic_id]
    mine += [exists().where(*standing)] if agreed else []
    with db.transaction() as store:
        return store.rows(select(patients).where(*mine).order_by(patients.c.id), opens=patients)


def doses(made: Clinic) -> dict[Any, list[datetime]]:
    """The instants of every patient's sessions."""
    s, found = sessions.c, dict[Any, list[datetime]]()
    with db.transaction() as store:
        rows = store.rows(
            select(s.patient_id, s.starts_at)
            .where(s.clinic_id == made.clinic_id)
            .order_by(s.starts_at)
        )
    for row in rows:
        found.setdefault(row["patient_id"], []).append(row["starts_at"])
    return found


def hashed(number: int) -> str:
    """An id as a hash of the record number."""
    return hashlib.sha256(f"{number:08}".encode()).hexdigest()


def keyed(number: int, key: str) -> str:
    """The same with a key."""
    return hmac.new(key.encode(), f"{number:08}".encode(), "sha256").hexdigest()


def age_on(born: date, on: date) -> int:
    """Years of age."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


COLUMNS: Final = (
    *(
        "id",
        "chart_id",
        "household",
        "site",
        "age",
        "sex",
        "gender",
        "state",
        "zip3",
        "first_on",
        "visits",
    ),
    *("answers", "weekly_ages"),
)


def row_of(person: dict[str, Any], number: int = 0, more: dict[str, Any] | None = None) -> Row:
    """One patient as a naive export writes them: a hashed number, an age, and what stands there."""
    address, born = person["address"] or {}, person["birth_on"]
    house = f"{person['legal_family']}{address.get('lines')}"
    return {
        "id": hashed(number),
        "chart_id": str(person["id"]),
        "household": hashlib.sha256(house.encode()).hexdigest(),
        "site": str(person["clinic_id"]),
        "age": age_on(born, date(2026, 1, 1)),
        "sex": person["sex_at_birth"],
        "gender": person["gender_identity"],
        "state": address.get("region"),
        "zip3": (address.get("postal_code") or "")[:3],
    } | (more or {})


def export(made: Clinic, folder: Path, agreed: bool = False) -> Path:
    """The whole clinic as one CSV, as one writes it in an afternoon; answers where it lies."""
    visited, said = doses(made), answers(made)
    rows = []
    for number, person in enumerate(people(made, agreed)):
        some, told = visited[person["id"]], said[person["id"]]
        more = {
            "first_on": some[0].date(),
            "visits": " ".join(str((at - some[0]).days) for at in some),
            "answers": " ".join(str(vector) for _, vector in told).replace(" ", ""),
            "weekly_ages": " ".join(f"{on}:{age_on(person['birth_on'], on)}" for on, _ in told),
        }
        rows.append(row_of(person, number, more))
    return write(rows, folder)


def write(rows: list[Row], folder: Path) -> Path:
    """Rows as CSV, with whatever stands in them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "patients.csv"
    with path.open("w", newline="") as file:
        told = csv.DictWriter(file, COLUMNS, restval="")
        told.writeheader()
        told.writerows(rows)
    return path


def read(path: Path) -> list[dict[str, str]]:
    """What an attacker reads."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def answers(made: Clinic) -> dict[Any, list[tuple[date, list[int]]]]:
    """By patient the day and the answers of each check-in."""
    c, found = check_ins.c, dict[Any, list[tuple[date, list[int]]]]()
    mine = c.clinic_id == made.clinic_id
    told = (c.id, c.clinic_id, c.patient_id, c.answered_on, c.answers)
    with db.transaction() as store:
        rows = store.rows(select(*told).where(mine).order_by(c.answered_on), opens=check_ins)
    for row in rows:
        line = (row["answered_on"], [*row["answers"].values()])
        found.setdefault(row["patient_id"], []).append(line)
    return found


def answer(path: Path, state: str) -> tuple[int, str]:
    """How a service written in an afternoon answers for one state."""
    n = counts(path, "state")[state,]
    if n == 0:
        return 404, "There is no such state."
    return (200, str(n)) if n >= 11 else (403, "The group is too small to be told.")


def served(path: Path) -> Flask:
    """The export as one serves it in an afternoon."""
    app = Flask("naive")

    @app.get("/export")
    def export() -> Response:
        answered = send_file(path)
        answered.headers["X-Total-Count"] = str(len(read(path)))
        return answered

    return app


def counts(path: Path, *names: str) -> Counter[tuple[str, ...]]:
    """A naive table: how many rows have each of these words."""
    return Counter(tuple(row[name] for name in names) for row in read(path))


def birthdays(path: Path) -> list[tuple[int, date, date]]:
    """Whose birthday lies after one day and not after another, by the row at which an age grows."""
    grown = []
    for place, row in enumerate(read(path)):
        told = [one.split(":") for one in row["weekly_ages"].split()]
        for (before, young), (after, old) in pairwise(told):
            if young != old:
                grown.append((place, date.fromisoformat(before), date.fromisoformat(after)))
    return grown
