"""Breaking the glass: one chart, an hour, to read; a reason, a review, nothing set apart."""

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select

from api import clock, db
from api.access.policies import TABLE, Role
from api.access.users import users
from api.audit.trail import audit_events
from api.config import settings
from api.core import break_glass, care_team, gate
from api.core.break_glass import OPEN_FOR, remind_due
from api.core.integration import goals
from api.core.opened import break_glass as table
from api.core.patients import change_patient, list_patients, read_patient
from api.core.treatment import notes
from api.errors import Conflict, NotAllowed, NotFound, NotSignedIn, Refusal, TooMany
from api.outbox.events import outbox_events
from api.paging import Page
from tests import builders
from tests.builders import Scene
from tests.core import noting
from tests.racing import at_once

WHY: dict[str, Any] = {"reason": "Found unconscious at the station.", "reason_code": "emergency"}
FOUND: dict[str, Any] = {"outcome": "justified", "note": "I spoke with both."}


def open_it(scene: Scene, **more: Any) -> db.Values:
    """CN opens the patient's chart."""
    with db.transaction():
        patient_id = more.pop("patient_id", scene.patient["id"])
        return break_glass.break_the_glass(scene["CN"].actor, patient_id, WHY | more)


def opened(scene: Scene) -> list[db.Values]:
    """What the privacy officer finds."""
    with db.transaction():
        return break_glass.list_break_glass(scene["PR"].actor, Page()).items


def refused(kind: type[Refusal], call: Callable[[], Any]) -> None:
    with pytest.raises(kind), db.transaction():
        call()


def test_a_chart_opens_at_once_for_an_hour_and_closes_by_itself(scene: Scene) -> None:
    chart, cn = scene.patient["id"], scene["CN"]
    refused(NotFound, lambda: read_patient(cn.actor, chart))
    made = open_it(scene)
    assert (made["state"], made["ends_at"] - made["opened_at"]) == ("open", timedelta(hours=1))
    with db.transaction():
        goal = builders.make_goal(scene.patient)
        assert read_patient(cn.actor, chart)["id"] == chart
        assert goals.read_goal(cn.actor, goal["id"])["id"] == goal["id"]
    last = made["ends_at"] - timedelta(seconds=1)
    with time_machine.travel(last, tick=False), db.transaction():
        assert read_patient(cn.actor, chart)["id"] == chart
    with time_machine.travel(made["ends_at"] + timedelta(seconds=1), tick=False):
        refused(NotFound, lambda: read_patient(cn.actor, chart))
        refused(NotFound, lambda: goals.read_goal(cn.actor, goal["id"]))
        with db.transaction():
            told = break_glass.read_break_glass(scene["PR"].actor, made["id"])
        assert told["state"] == "ended"


def test_it_opens_one_chart_and_no_list(scene: Scene) -> None:
    open_it(scene)
    refused(NotFound, lambda: read_patient(scene["CN"].actor, scene.other_patient["id"]))
    with db.transaction():
        assert list_patients(scene["CN"].actor, Page()).items == []


def test_it_opens_to_nobody_else(scene: Scene) -> None:
    open_it(scene)
    with db.transaction():
        colleague = builders.make_person(scene.clinic_id)
    for who in (colleague, scene["XT"]):
        refused(NotFound, lambda who=who: read_patient(who.actor, scene.patient["id"]))
    assert read_patient(scene["CN"].actor, scene.patient["id"])["id"] == scene.patient["id"]


def test_what_is_set_apart_stays_closed(scene: Scene) -> None:
    with db.transaction():
        private = builders.make_goal(scene.patient, shared_with="me", chosen_sharing="me")
        apart = noting.note(scene, kind="psychotherapy")
        plain = noting.signed_note(scene)
    open_it(scene)
    actor = scene["CN"].actor
    with db.transaction():
        assert notes.read_note(actor, plain["id"])["id"] == plain["id"]
    refused(NotFound, lambda: goals.read_goal(actor, private["id"]))
    refused(NotFound, lambda: notes.read_note(actor, apart["id"]))


def test_it_opens_reads_and_the_acknowledging_of_alerts(application: Flask) -> None:
    opened = {a for a, cells in TABLE.items() for g in cells.values() if g.in_emergency}
    assert {a for a in opened if a.split(":")[1] not in ("read", "list")} == {"alert:acknowledge"}
    assert not opened & {"psychotherapy_note:read", "journal:read", "patient:list"}
    writes = {
        offer.action for offer in application.extensions["offers"].values() if offer.method != "GET"
    }
    assert writes & opened == {"alert:acknowledge"}


def test_nothing_is_written_by_it(scene: Scene) -> None:
    open_it(scene)
    chart, actor = scene.patient["id"], scene["CN"].actor
    refused(NotFound, lambda: change_patient(actor, chart, None, {"pronouns": "they"}))
    body = {"title": "T", "category": "other"}
    refused(NotFound, lambda: goals.set_goal(actor, chart, body))
    member = {"clinician_id": scene["CT"].user_id, "role": "nurse"}
    refused(NotFound, lambda: care_team.assign_clinician(actor, chart, member))
    with db.transaction():
        assert read_patient(actor, chart)["version"] == scene.patient["version"]
        assert goals.list_goals(actor, chart, Page()).items == []


def test_who_needs_it_not_is_told_so(scene: Scene) -> None:
    refused(
        Conflict,
        lambda: break_glass.break_the_glass(scene["CT"].actor, scene.patient["id"], WHY),
    )
    open_it(scene)
    refused(Conflict, lambda: open_it(scene))
    assert len(opened(scene)) == 1


def test_it_takes_a_fresh_sign_in(scene: Scene) -> None:
    with db.transaction():
        builders.let_sign_in_age(scene["CN"])
    refused(NotSignedIn, lambda: open_it(scene))
    assert opened(scene) == []


def test_three_times_within_a_day_and_not_a_fourth(scene: Scene) -> None:
    with db.transaction():
        ids = [builders.make_patient(scene.clinic_id)["id"] for _ in range(4)]
    first = open_it(scene, patient_id=ids[0])
    for patient_id in ids[1:3]:
        open_it(scene, patient_id=patient_id)
    refused(TooMany, lambda: open_it(scene, patient_id=ids[3]))
    with time_machine.travel(first["opened_at"] + timedelta(days=1, minutes=5)):
        with db.transaction() as store:
            row = store.row(select(users).where(users.c.id == scene["CN"].user_id))
            assert row is not None
            scene["CN"].sign_in_id = builders.make_sign_in(row)
        assert open_it(scene, patient_id=ids[3])["state"] == "open"


def test_of_two_at_once_one_opens(app: Flask, scene: Scene) -> None:
    chart = scene.patient["id"]
    both = [lambda: break_glass.break_the_glass(scene["CN"].actor, chart, WHY)] * 2
    answers = at_once(app, both)
    assert sorted(isinstance(answer, Conflict) for answer in answers) == [False, True]


def test_four_at_once_open_three(app: Flask, scene: Scene) -> None:
    with db.transaction():
        ids = [builders.make_patient(scene.clinic_id)["id"] for _ in range(4)]
    actor = scene["CN"]
    runs = [partial(break_glass.break_the_glass, actor.actor, i, WHY) for i in ids]
    answers = at_once(app, runs)
    assert sum(isinstance(answer, TooMany) for answer in answers) == 1


# --- notice and review


def letters() -> list[str]:
    path = settings().data / "mail.ndjson"
    return path.read_text().splitlines() if path.exists() else []


def events_of(scene: Scene) -> list[str]:
    mine = outbox_events.c.clinic_id == scene.clinic_id
    with db.transaction() as store:
        rows = store.rows(select(outbox_events.c.name).where(mine).order_by(outbox_events.c.id))
    return [row["name"] for row in rows if row["name"].startswith("break_glass")]


def test_the_privacy_officers_are_told_at_once(scene: Scene) -> None:
    open_it(scene)
    assert events_of(scene) == ["break_glass.opened"]
    told = [one for one in letters() if scene["PR"].email in one]
    assert len(told) == 1 and "break_glass_opened" in told[0]
    assert scene.patient["legal_family"] not in told[0]


def test_a_review_is_written_once_and_its_words_lie_sealed(scene: Scene) -> None:
    made = open_it(scene)
    with db.transaction():
        told = break_glass.review_break_glass(scene["PR"].actor, made["id"], FOUND)
    assert (told["state"], told["outcome"], told["allowed"]) == ("reviewed", "justified", [])
    assert told["reviewed_by"]["id"] == scene["PR"].user_id
    refused(Conflict, lambda: break_glass.review_break_glass(scene["PR"].actor, made["id"], FOUND))
    assert events_of(scene) == ["break_glass.opened", "break_glass.reviewed"]
    with db.transaction() as store:
        rows = str(store.rows(select(table)))
    assert "station" not in rows and "spoke" not in rows


def test_of_two_officers_who_review_at_once_one_does(app: Flask, scene: Scene) -> None:
    made = open_it(scene)
    with db.transaction():
        second = builders.make_person(scene.clinic_id, Role.PRIVACY_OFFICER)
    review = break_glass.review_break_glass
    runs = [partial(review, who.actor, made["id"], FOUND) for who in (scene["PR"], second)]
    answers = at_once(app, runs)
    assert sorted(isinstance(answer, Conflict) for answer in answers) == [False, True]


def test_nobody_reviews_what_they_opened_themself(scene: Scene) -> None:
    """The same account may be a clinician's and a privacy officer's; here it becomes one."""
    made = open_it(scene)
    with db.transaction() as store:
        mine = users.c.id == scene["CN"].user_id
        store.execute(users.update().where(mine).values(role=Role.PRIVACY_OFFICER.value))
    refused(
        NotAllowed, lambda: break_glass.review_break_glass(scene["CN"].actor, made["id"], FOUND)
    )
    assert [row["state"] for row in opened(scene)] == ["open"]


def test_what_nobody_reviewed_within_72_hours_is_told_once(scene: Scene) -> None:
    made = open_it(scene)
    due = made["review_due_at"]
    with db.transaction():
        while remind_due(due - timedelta(seconds=1)):
            pass
    assert events_of(scene) == ["break_glass.opened"]
    for _ in range(2):
        with db.transaction():
            while remind_due(due):
                pass
        assert events_of(scene) == ["break_glass.opened", "break_glass.unreviewed"]


def test_what_was_reviewed_in_time_is_not_told(scene: Scene) -> None:
    made = open_it(scene)
    with db.transaction():
        break_glass.review_break_glass(scene["PR"].actor, made["id"], FOUND)
        while remind_due(made["review_due_at"] + timedelta(days=1)):
            pass
    assert events_of(scene) == ["break_glass.opened", "break_glass.reviewed"]


def test_each_sees_the_openings_that_are_theirs_to_see(scene: Scene) -> None:
    made = open_it(scene)
    for name, ids in {"PR": [made["id"]], "CN": [made["id"]], "CT": [], "XT": []}.items():
        with db.transaction():
            listed = break_glass.list_break_glass(scene[name].actor, Page())
        assert [row["id"] for row in listed.items] == ids, name
    refused(NotFound, lambda: break_glass.read_break_glass(scene["CT"].actor, made["id"]))
    for state, count in (("open", 1), ("ended", 0), ("reviewed", 0)):
        with db.transaction():
            listed = break_glass.list_break_glass(scene["PR"].actor, Page(), state=state)
        assert len(listed.items) == count, state


def test_a_grant_goes_with_its_clinic_alone(scene: Scene) -> None:
    """The same ids in another clinic open nothing: the condition asks for the clinic too."""
    open_it(scene)
    grant = TABLE["patient:read"][Role.CLINICIAN]
    who = (scene["CN"].user_id, scene.patient["id"], clock.now())
    for clinic_id, opens in ((scene.clinic_id, True), (scene["XT"].clinic_id, False)):
        with db.transaction() as store:
            condition = gate.reaches(grant, clinic_id, *who)
            row = store.row(select(func.count().label("n")).select_from(users).where(condition))
        assert row is not None and (row["n"] > 0) == opens


def test_the_hour_is_what_the_rule_says() -> None:
    assert timedelta(minutes=60) == OPEN_FOR


def test_what_was_opened_leaves_one_event_with_the_fields_and_not_the_words(
    app: Flask, scene: Scene
) -> None:
    with app.test_client() as client:
        answer = client.post(
            f"/api/v1/patients/{scene.patient['id']}/break-glass",
            json=WHY,
            headers={"Authorization": f"Bearer {scene['CN'].token}"},
        )
    assert answer.status_code == 201, answer.text
    assert re.fullmatch(r"/api/v1/break-glass/[0-9a-f-]{36}", answer.headers["Location"])
    with db.transaction() as store:
        mine = audit_events.c.clinic_id == scene.clinic_id
        opened = audit_events.c.action == "break_glass:open"
        [event] = store.rows(select(audit_events).where(mine, opened))
    assert event["field_names"] == "reason reason_code" and event["outcome"] == "ok"
