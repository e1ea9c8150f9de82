"""Events: written with what happened, from a closed list, with ids and nothing else."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from api import db
from api.core.integration import goals, moments, practices, steps
from api.outbox import events
from tests import builders
from tests.builders import Scene


def told(scene: Scene) -> list[db.Values]:
    e = events.outbox_events.c
    with db.transaction() as store:
        mine = select(events.outbox_events).where(e.clinic_id == scene.clinic_id)
        return store.rows(mine.order_by(e.id))


def test_a_name_outside_the_list_can_not_be_written(scene: Scene) -> None:
    with db.transaction() as store, pytest.raises(KeyError):
        events.append(store, scene.clinic_id, "patient.sneezed", {})


def test_what_is_not_an_id_can_not_be_written(scene: Scene) -> None:
    with db.transaction() as store, pytest.raises(ValueError, match="UUID"):
        events.append(store, scene.clinic_id, "patient.created", {"name": "Ada"})


def test_an_event_goes_with_its_transaction(scene: Scene) -> None:
    with pytest.raises(RuntimeError), db.transaction() as store:
        events.append(store, scene.clinic_id, "patient.created", {})
        raise RuntimeError
    assert told(scene) == []


def test_names_are_resource_and_verb() -> None:
    for name, said in events.EVENTS.items():
        resource, _, verb = name.partition(".")
        assert resource.replace("_", "").isalpha() and verb.isalpha(), name
        assert said[0].isupper() and said.endswith("."), name


def test_a_course_tells_what_happens_in_it(app: Flask, scene: Scene, call: Any) -> None:
    chart, ct = f"/patients/{scene.patient['id']}", call("CT")
    goal = ct.post(f"{chart}/goals", {"title": "Rest", "category": "rest_sleep"}).json["id"]
    practice = ct.post(f"/goals/{goal}/practices", {"new_trail": "Lie down"}).json["id"]
    step = ct.post(f"/practices/{practice}/steps", {"kind": "done"}).json["id"]
    answers = {"instrument": "phq-9", "answers": {"phq9-1": 1}}
    draft = ct.post(f"{chart}/check-ins", answers).json["id"]
    ct.post(f"/check-ins/{draft}/complete")
    whole = ct.post(f"{chart}/check-ins", answers | {"complete": True}).json["id"]
    consent = ct.post(f"{chart}/consents", {"kind": "touch", "text_version": "1"}).json["id"]
    ct.post(f"/consents/{consent}/withdraw")
    with db.transaction():
        session = builders.make_session(scene.patient, scene["CT"])["id"]
    ct.post(f"/sessions/{session}/arrive")
    seen = [(row["name"], row["subject"]) for row in told(scene) if row["name"] != "alert.raised"]
    patient = {"patient_id": str(scene.patient["id"])}
    expected = [
        ("goal.created", {"goal_id": goal}),
        ("practice.created", {"practice_id": practice}),
        ("step.logged", {"step_id": step}),
        ("check_in.completed", {"check_in_id": draft}),
        ("check_in.completed", {"check_in_id": whole}),
        ("consent.given", {"consent_id": consent}),
        ("consent.withdrawn", {"consent_id": consent}),
        ("session.moved", {"session_id": str(session)}),
    ]
    assert seen == [(name, patient | subject) for name, subject in expected]


def test_nothing_is_told_of_what_the_patient_keeps_for_themself(scene: Scene) -> None:
    patient, chart = scene["PS"].actor, scene.patient["id"]
    with db.transaction():
        keep = {"shared_with": "me"}
        goal = goals.set_goal(patient, chart, {"title": "x", "category": "other"} | keep)
        practice = practices.start_practice(patient, goal["id"], {"new_trail": "y"})
        steps.log_step(patient, practice["id"], {"kind": "done"})
        moments.notice_moment(patient, chart, {"text": "z"} | keep)
    assert told(scene) == []
