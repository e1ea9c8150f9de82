"""The demo clinic, loaded into an empty database and read as its clinician reads it."""

from collections.abc import Iterator
from statistics import mean
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import db, demo, schema
from api.config import settings
from api.core import first_look
from tests import roles
from tests.conftest import empty_database


@pytest.fixture(scope="module")
def demo_app(application: Flask, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The application on a database that holds the demo clinic and nothing else."""
    with empty_database(tmp_path_factory.mktemp("demo")):
        schema.upgrade()
        roles.let_research_in()
        demo.load(lambda line: None)
        yield application


def sign_in(app: Flask, email: str) -> Any:
    """A client of this account: `get(path)` answers the JSON."""
    client: FlaskClient = app.test_client()
    body = {"email": email, "password": demo.PASSWORD}
    token = client.post("/api/v1/auth/token", json=body).json["access_token"]  # type: ignore[index]

    def get(path: str) -> Any:
        answer = client.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.json
        return answer.json

    return get


def everything(get: Any, path: str) -> list[Any]:
    """Every item of a list."""
    page = get(path + ("&" if "?" in path else "?") + "limit=100")
    items = list(page["items"])
    while page["next_cursor"]:
        page = get(f"{path.split('?')[0]}?limit=100&cursor={page['next_cursor']}")
        items += page["items"]
    return items


def test_the_imported_check_ins_give_the_surveys_numbers(demo_app: Flask) -> None:
    get = sign_in(demo_app, "clinician@demo.example")
    charts = everything(get, "/patients")
    assert len(charts) == 223
    found = [
        checkin
        for chart in charts
        for checkin in get(f"/patients/{chart['id']}/check-ins?source=import")["items"]
    ]
    phq9 = [c for c in found if c["instrument"] == "phq-9"]
    gad7 = [c for c in found if c["instrument"] == "gad-7"]
    assert (len(phq9), len(gad7)) == (223, 223)
    totals = [c["scores"]["total"] for c in phq9]
    assert round(mean(totals), 6) == 8.825112
    assert round(mean(total >= 10 for total in totals), 6) == 0.358744
    assert round(mean(c["scores"]["total"] for c in gad7), 6) == 5.748879
    assert sum(c["answers"]["phq9-9"] > 0 for c in phq9) == 65


def test_every_account_signs_in_as_what_it_is(demo_app: Flask) -> None:
    kinds = {
        "clinician@demo.example": "clinician",
        "clinician2@demo.example": "clinician",
        "nurse@demo.example": "clinician",
        "prescriber@demo.example": "clinician",
        "patient@demo.example": "patient",
        "admin@demo.example": "administrator",
        "analyst@demo.example": "analyst",
        "privacy@demo.example": "privacy_officer",
        "clinician@other.example": "clinician",
    }
    for email, kind in kinds.items():
        assert sign_in(demo_app, email)("/me")["kind"] == kind, email


def test_alma_is_one_of_the_survey_and_safe(demo_app: Flask) -> None:
    get = sign_in(demo_app, "clinician@demo.example")
    [alma] = get("/patients?q=firnf")["items"]
    assert alma["display_name"] == "Alma Firnfeld"
    [phq9] = get(f"/patients/{alma['id']}/check-ins?source=import&instrument=phq-9")["items"]
    assert phq9["answers"]["phq9-9"] == 0
    assert sign_in(demo_app, "patient@demo.example")("/me")["patient_id"] == alma["id"]


def test_teams_are_apart(demo_app: Flask) -> None:
    second = everything(sign_in(demo_app, "clinician2@demo.example"), "/patients")
    assert len(second) == 5
    get = sign_in(demo_app, "clinician2@demo.example")
    assert all(get(f"/patients/{chart['id']}/check-ins")["items"] == [] for chart in second)
    assert sign_in(demo_app, "clinician@other.example")("/patients")["items"] == []
    for email in ("nurse@demo.example", "prescriber@demo.example"):
        assert len(everything(sign_in(demo_app, email), "/patients")) == 223


def test_everybody_has_a_course_with_sessions_of_all_kinds(demo_app: Flask) -> None:
    get = sign_in(demo_app, "clinician@demo.example")
    kinds = set()
    for chart in get("/patients?limit=5")["items"]:
        sessions = get(f"/patients/{chart['id']}/sessions")["items"]
        kinds |= {session["kind"] for session in sessions}
        assert {"synthetic"} == {session["source"] for session in sessions}
        assert get(f"/patients/{chart['id']}/goals")["items"]
    assert kinds == {"intake", "preparation", "dosing", "integration", "follow_up"}


def test_a_database_with_the_demo_is_known_for_what_it_is(demo_app: Flask) -> None:
    assert not demo.is_empty()
    with db.transaction() as store:
        assert first_look.demo_accounts_present(store)
    assert settings().mode == "test"


def test_alerts_of_old_answers_are_looked_through_but_for_three(demo_app: Flask) -> None:
    get = sign_in(demo_app, "clinician@demo.example")
    found = everything(get, "/alerts")
    assert len(found) > 65 and all(one["historical"] for one in found)
    still = [one for one in found if one["state"] != "resolved"]
    assert [one["state"] for one in still] == ["open"] * 3
    assert all(one["due_at"] is None and not one["overdue"] for one in still)
