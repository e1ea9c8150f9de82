"""A patient was last seen long ago: two people and the worker remove the chart; it is nowhere."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from api import db, worker
from api.access.policies import Role
from api.core.patients import patients
from api.core.purges.removing import of_charts, removable
from tests import builders
from tests.builders import PASSWORD
from tests.conftest import Caller, empty_database
from tests.core.purging import officer, years_later
from tests.journeys.test_what_lies_in_the_files import CLEAR, PLANTED, dumped, plant

WHY = {"reason": f"Retention is over; {CLEAR[0]} was last seen long ago."}


def sealed_of(clinic_id: Any, patient_id: Any) -> set[str]:
    """What lies sealed of a chart, as it lies."""
    found = set()
    with db.transaction() as store:
        asked = [
            select(table).where(of_charts(table, clinic_id, [patient_id])) for table in removable()
        ]
        for one in (*asked, select(patients).where(patients.c.id == patient_id)):
            for row in store.execute(one):
                found |= {str(value) for value in row if str(value).startswith("v1.")}
    return found


def lying(database: str, folder: Path) -> bytes:
    """What lies in the files of SQLite once its log is written back, or in a dump."""
    if database == "postgres":
        return dumped()
    with closing(sqlite3.connect(folder / "other.sqlite")) as connection:
        [busy] = {row[0] for row in connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")}
        assert busy == 0
    return b"".join(path.read_bytes() for path in sorted(folder.glob("other.sqlite*")))


def verified(app: Flask, clinic_id: Any) -> None:
    """The clinic's chain of the trail is whole."""
    told = app.test_cli_runner().invoke(args=["audit", "verify", "--clinic", str(clinic_id)])
    assert told.exit_code == 0 and " 0 sealed" not in told.output, told.output


@pytest.fixture
def house(application: Flask, database: str, tmp_path: Path) -> Any:
    """A house of its own, with one chart in which every kind of word was written."""
    with empty_database(tmp_path):
        assert application.test_cli_runner().invoke(args=["migrate"]).exit_code == 0
        with application.app_context():
            yield plant(application)
        db.leave_store()


def test_two_people_remove_it_and_no_word_of_it_is_left(
    application: Flask, house: Any, database: str, tmp_path: Path
) -> None:
    scene, row = house
    before, sealed = lying(database, tmp_path), sealed_of(scene.clinic_id, row["id"])
    assert len(sealed) > 8 and all(one.encode() in before for one in sealed)
    assert all(word.encode() in before for word in CLEAR)
    with years_later():
        pr, ca = officer(scene), officer(scene, Role.ADMINISTRATOR)
        first, second = (Caller(application.test_client(), one.token) for one in (pr, ca))
        listed = first.get("/retention?limit=100").json["items"]
        [mine] = [one for one in listed if one["patient"]["id"] == str(row["id"])]
        assert mine["patient"]["display_name"].endswith(CLEAR[0]) and mine["purge"] is None
        asked = first.post("/chart-purges", WHY | {"patient_id": str(row["id"])})
        assert asked.status_code == 201, asked.text
        path = f"/chart-purges/{asked.json['id']}"
        assert asked.headers["Location"] == f"/api/v1{path}"
        again = second.post("/chart-purges", WHY | {"patient_id": str(row["id"])})
        assert (again.status_code, again.json["state"]) == (409, "proposed")
        own = first.post(f"{path}/approve")
        assert (own.status_code, own.json["type"].split(":")[-1]) == (403, "not_allowed")
        assert second.post(f"{path}/approve").json["state"] == "approved"
        worker.Worker().run(once=True)
        done = second.get(path).json
        assert done["state"] == "done" and done["reason"] is None
        assert done["patient"] == {"id": str(row["id"]), "display_name": None}
        assert done["removed"] == {"note": 1}
        assert second.get(f"/patients/{row['id']}").status_code == 404
        who = {"email": PLANTED["email"], "password": PASSWORD}
        assert Caller(application.test_client(), None).post("/auth/token", who).status_code == 401
        [event] = first.get("/audit-events?action=chart_purge:carry_out").json["items"]
        assert event["patient_ids"] == [str(row["id"])] and event["actor"] is None
        verified(application, scene.clinic_id)
    after = lying(database, tmp_path)
    assert b"audit_events" in after, "the search did look at the right files"
    words = (*CLEAR, CLEAR[0].lower(), *PLANTED.values(), PLANTED["email"].split("@")[0])
    for word in (*words, *sealed):
        assert word.encode() not in after, word
    with db.transaction():
        again = builders.make_patient(scene.clinic_id)
        builders.make_person(
            scene.clinic_id, Role.PATIENT, patient_id=again["id"], email=PLANTED["email"]
        )
