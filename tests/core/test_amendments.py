"""Amendment requests: asked by the patient, answered in time and on a ground, added and linked."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from flask import Flask

from api import clock, db
from api.core import amendments
from api.core.patients import discharge_patient, patients, readmit_patient
from api.errors import Conflict, Invalid, NotAllowed, NotFound, NotSignedIn
from api.paging import Page
from tests import builders
from tests.builders import Scene
from tests.core import noting
from tests.racing import at_once

ABOUT: dict[str, Any] = {"record_kind": "patient", "text": "My birth date is the 30th."}
WHY = {"ground": "accurate_and_complete", "reason": "The card says the 31st."}


def ask(scene: Scene, **more: Any) -> db.Values:
    with db.transaction():
        return amendments.ask_amendment(scene["PS"].actor, scene.patient["id"], ABOUT | more)


def test_the_answer_is_due_in_sixty_days_and_once_thirty_more(scene: Scene) -> None:
    made = ask(scene)
    today = clock.today(scene.patient["time_zone"])
    assert made["due_on"] == today + timedelta(days=60) and made["state"] == "open"
    with db.transaction():
        later = amendments.extend_amendment(scene["PR"].actor, made["id"], "A leave.")
    assert later["due_on"] == today + timedelta(days=90)
    assert later["allowed"] == ["accept", "deny"]
    with pytest.raises(Conflict):
        amendments.extend_amendment(scene["PR"].actor, made["id"], "Again.")
    db.leave_store()
    for days, overdue in ((90, False), (92, True)):
        with time_machine.travel(clock.now() + timedelta(days=days)):
            actor = builders.Person(
                scene["PR"].user_id, scene.clinic_id, sign_in(scene), scene["PR"].email
            ).actor
            told = amendments.read_amendment_request(actor, made["id"])
            assert told["overdue"] == overdue
            db.leave_store()


def sign_in(scene: Scene) -> Any:
    """A sign-in of the privacy officer that begins now."""
    from sqlalchemy import select

    from api.access.users import users

    with db.transaction() as store:
        row = store.row(select(users).where(users.c.id == scene["PR"].user_id))
        assert row is not None
        return builders.make_sign_in(row)


@pytest.mark.parametrize("by", ["CT", "PR"])
def test_what_is_accepted_is_added_and_the_record_stays_as_it_was(scene: Scene, by: str) -> None:
    made = ask(scene)
    with db.transaction():
        told = amendments.accept_amendment(scene[by].actor, made["id"], {})
    assert (told["state"], told["amendment"]) == ("accepted", ABOUT["text"])
    assert told["decided_by"]["id"] == scene[by].user_id and told["allowed"] == []
    from sqlalchemy import select

    row = db.store().row(select(patients).where(patients.c.id == scene.patient["id"]))
    assert row is not None and row["version"] == 1
    about = {"record_id": scene.patient["id"]}
    linked = amendments.list_amendment_requests(
        scene["PS"].actor, scene.patient["id"], Page(), **about
    )
    assert [one["amendment"] for one in linked.items] == [ABOUT["text"]]


def test_a_denial_names_its_ground_and_the_patient_may_disagree_once(scene: Scene) -> None:
    made = ask(scene)
    with pytest.raises(Conflict):
        amendments.disagree_with_denial(scene["PS"].actor, made["id"], "No.")
    db.leave_store()
    with db.transaction():
        told = amendments.deny_amendment(scene["PR"].actor, made["id"], WHY)
    assert (told["state"], told["ground"], told["allowed"]) == (
        "denied",
        "accurate_and_complete",
        ["disagree"],
    )
    with db.transaction():
        said = amendments.disagree_with_denial(scene["PS"].actor, made["id"], "It was the 30th.")
    assert said["disagreement"] == "It was the 30th." and said["allowed"] == []
    for again in (
        lambda: amendments.disagree_with_denial(scene["PS"].actor, made["id"], "Again."),
        lambda: amendments.accept_amendment(scene["PR"].actor, made["id"], {}),
    ):
        with pytest.raises(Conflict):
            again()
        db.leave_store()


def test_of_two_who_decide_at_once_one_does(app: Flask, scene: Scene) -> None:
    made = ask(scene)
    answers = at_once(
        app,
        [
            lambda: amendments.accept_amendment(scene["CT"].actor, made["id"], {}),
            lambda: amendments.deny_amendment(scene["PR"].actor, made["id"], WHY),
        ],
    )
    assert sorted(isinstance(answer, Conflict) for answer in answers) == [False, True]


def test_only_a_record_of_ones_own_that_one_reads_is_asked_about(scene: Scene) -> None:
    with db.transaction():
        mine = builders.make_session(scene.patient, scene["CT"])
        other = builders.make_session(scene.other_patient, scene["CN"])
        draft = noting.note(scene)
        signed = noting.signed_note(scene)
    assert ask(scene, record_kind="session", record_id=mine["id"])["record_id"] == mine["id"]
    assert ask(scene, record_kind="note", record_id=signed["id"])["record_kind"] == "note"
    for kind, record_id in (
        ("session", other["id"]),
        ("session", None),
        ("note", draft["id"]),
        ("consent", mine["id"]),
        ("patient", scene.other_patient["id"]),
    ):
        with pytest.raises(Invalid):
            ask(scene, record_kind=kind, record_id=record_id)


def test_nobody_else_asks_reads_or_decides(scene: Scene) -> None:
    made = ask(scene)
    for name in ("CN", "XT", "PO"):
        with pytest.raises(NotFound):
            amendments.read_amendment_request(scene[name].actor, made["id"])
    for name in ("CA", "AY"):
        with pytest.raises(NotAllowed):
            amendments.list_amendment_requests(scene[name].actor, scene.patient["id"], Page())
    with pytest.raises(NotAllowed):
        amendments.ask_amendment(scene["CT"].actor, scene.patient["id"], ABOUT)
    with pytest.raises(NotAllowed):
        amendments.accept_amendment(scene["PS"].actor, made["id"], {})


def test_what_was_asked_lies_sealed_in_the_database(scene: Scene) -> None:
    from sqlalchemy import select

    ask(scene, reason="Nobody else says this.")
    rows = str(db.store().rows(select(amendments.amendment_requests)))
    assert "30th" not in rows and "Nobody else" not in rows


# --- leaving, and coming back


def test_a_patient_is_discharged_from_a_day_on_and_readmitted(scene: Scene) -> None:
    chart = scene.patient["id"]
    today = clock.today(scene.patient["time_zone"])
    with db.transaction():
        gone = discharge_patient(scene["CT"].actor, chart, {"reason": "treatment_completed"})
        with pytest.raises(Conflict):
            discharge_patient(scene["CT"].actor, chart, {"reason": "other"})
    assert (gone["status"], gone["discharged_on"]) == ("discharged", today)
    from api.core.patients import change_patient

    with pytest.raises(Conflict):
        change_patient(scene["CT"].actor, chart, None, {"status": "active"})
    db.leave_store()
    with db.transaction():
        back = readmit_patient(scene["CA"].actor, chart, {})
    told = (back["status"], back["discharged_on"], back["discharge_reason"])
    assert told == ("active", None, None)
    with pytest.raises(Conflict):
        readmit_patient(scene["CA"].actor, chart, {})


def test_a_discharge_lies_neither_ahead_nor_before_the_chart(scene: Scene) -> None:
    today = clock.today(scene.patient["time_zone"])
    for on in (today + timedelta(days=1), today - timedelta(days=400)):
        with pytest.raises(Invalid):
            values = {"reason": "other", "on": on}
            discharge_patient(scene["CT"].actor, scene.patient["id"], values)
        db.leave_store()


def test_a_chart_made_in_the_evening_is_left_the_same_day(scene: Scene) -> None:
    """In UTC that evening is the day after, which is no day of the patient's yet."""
    zone = ZoneInfo(scene.patient["time_zone"])
    today = clock.today(zone.key)
    evening = datetime.combine(today, time(23, 59), zone)
    assert evening.astimezone(UTC).date() > today
    with db.transaction() as store:
        mine = patients.c.id == scene.patient["id"]
        store.execute(patients.update().where(mine).values(created_at=evening))
    with db.transaction():
        gone = discharge_patient(scene["CT"].actor, scene.patient["id"], {"reason": "other"})
    assert gone["discharged_on"] == today


def test_an_administrator_discharges_with_a_fresh_sign_in_alone(scene: Scene) -> None:
    with db.transaction():
        builders.let_sign_in_age(scene["CA"])
        builders.let_sign_in_age(scene["CT"])
    with pytest.raises(NotSignedIn):
        discharge_patient(scene["CA"].actor, scene.patient["id"], {"reason": "other"})
    with db.transaction():
        discharge_patient(scene["CT"].actor, scene.patient["id"], {"reason": "other"})
