"""A suspended clinic is read and not written, but for what somebody's safety hangs on."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from api import clock, db
from api.access.policies import TABLE, Role
from api.access.suspension import GOES_ON, READS, goes_on
from api.audit.trail import audit_events
from api.config import settings
from api.core import suspending
from api.core.alerts import alerts
from api.errors import Conflict, Invalid, NotFound
from tests import builders
from tests.builders import PASSWORD, Scene

KIND = "urn:freshtrail:problem:suspended"
DARK = {"instrument": "phq-9", "answers": {f"phq9-{n}": 1 for n in range(1, 10)}}


def suspend(scene: Scene) -> None:
    with db.transaction():
        suspending.suspend_clinic(scene.clinic_id, "Invoice 17")


def resume(scene: Scene) -> None:
    with db.transaction():
        suspending.resume_clinic(scene.clinic_id, "Paid")


def raised(scene: Scene) -> list[db.Values]:
    with db.transaction() as store:
        return store.rows(select(alerts).where(alerts.c.clinic_id == scene.clinic_id))


def deeds(scene: Scene, action: str) -> list[tuple[Any, ...]]:
    e = audit_events.c
    with db.transaction() as store:
        mine = select(e.outcome, e.reason_ref, e.door, e.actor_id).where(
            e.clinic_id == scene.clinic_id, e.action == action
        )
        return [tuple(row) for row in store.execute(mine.order_by(e.id))]


def test_every_exception_is_an_action_and_every_verb_of_reading_is_used() -> None:
    assert set(TABLE) >= GOES_ON
    assert {action.split(":")[1] for action in TABLE} >= set(READS)


def test_no_write_over_http_goes_on_but_the_named_ones(application: Flask) -> None:
    """A verb of reading never stands before a method that changes something."""
    ends = {"research_key:read"}  # to end a key takes access away
    for name, offer in application.extensions["offers"].items():
        if offer.action is not None and goes_on(offer.action) != (offer.method == "GET"):
            assert offer.action in GOES_ON | ends, (name, offer.method, offer.action)


@pytest.mark.parametrize("persona", ["PS", "CT", "CA"])
def test_it_is_read_and_not_written_from_the_next_request_on(
    call: Any, scene: Scene, persona: str
) -> None:
    chart, by = f"/patients/{scene.patient['id']}", call(persona)
    assert by.get(chart).status_code == 200
    assert call("CA").get("/clinic").json["suspended_at"] is None
    suspend(scene)
    assert by.get(chart).status_code == 200
    assert by.get("/patients").status_code == 200
    assert by.get("/me").json["clinic"]["suspended"] is True
    assert call("CA").get("/clinic").json["suspended_at"] is not None
    refused = by.patch(chart, {"pronouns": "they/them"}, 1)
    assert (refused.status_code, refused.json["type"]) == (403, KIND), refused.text
    assert refused.json["title"] == "The clinic is suspended"
    resume(scene)
    assert by.patch(chart, {"pronouns": "they/them"}, 1).status_code == 200
    assert by.get("/me").json["clinic"]["suspended"] is False
    assert deeds(scene, "patient:update")[0][:2] == ("refused", "suspended")


def test_a_hot_write_is_refused_before_and_after_its_body_is_looked_at(
    call: Any, scene: Scene
) -> None:
    path = f"/patients/{scene.patient['id']}/check-ins"
    suspend(scene)
    for body in ({"instrument": "gad-7", "answers": {"gad7-1": 0}}, {"instrument": 1}):
        refused = call("PS").post(path, body, **{"Idempotency-Key": db.new_id().hex})
        assert (refused.status_code, refused.json["type"]) == (403, KIND), body
    assert [one[:2] for one in deeds(scene, "check_in:log")] == [("refused", "suspended")] * 2
    assert call("CT").get(path).json["items"] == []


def test_whose_role_never_does_it_hears_that_and_out_of_reach_stays_so(
    call: Any, scene: Scene
) -> None:
    suspend(scene)
    never = call("PS").post("/patients", {})
    assert (never.status_code, never.json["type"]) == (403, "urn:freshtrail:problem:not_allowed")
    assert call("CN").get(f"/patients/{scene.patient['id']}").status_code == 404
    assert call("XT").post("/patients", {}).status_code == 422, "another clinic is not suspended"


def test_what_a_refused_form_says_of_safety_is_heard(call: Any, scene: Scene) -> None:
    path = f"/patients/{scene.patient['id']}/check-ins"
    suspend(scene)
    refused = call("PS").post(path, DARK)
    assert (refused.status_code, refused.json["type"]) == (403, KIND)
    assert refused.json["crisis"]["emergency"]
    [alert] = raised(scene)
    assert call("PO").post(path, DARK).status_code == 403
    assert len(raised(scene)) == 1, "of a chart out of reach nothing is heard"
    seen = call("CT").post(f"/alerts/{alert['id']}/acknowledge", {"note": "I call them."})
    assert seen.status_code == 200, seen.text
    assert call("CT").post(f"/alerts/{alert['id']}/resolve", {"note": "x"}).status_code == 403


def test_so_it_is_behind_a_link_that_stays_good(call: Any, scene: Scene) -> None:
    made = call("CT").post(
        f"/patients/{scene.patient['id']}/check-in-links", {"instrument": "phq-9"}
    )
    path = f"/check-in-links/{made.json['token']}"
    suspend(scene)
    assert call(None).get(path).status_code == 200
    refused = call(None).post(path, {"answers": DARK["answers"]})
    assert (refused.status_code, refused.json["type"]) == (403, KIND), refused.text
    assert refused.json["crisis"]["emergency"] and len(raised(scene)) == 1
    resume(scene)
    assert call(None).post(path, {"answers": DARK["answers"]}).status_code == 201


def test_a_dosing_session_is_recorded_to_its_end_and_none_begins(call: Any, scene: Scene) -> None:
    ct, times = call("CT"), {"starts_at": clock.now(), "arrived_at": clock.now()}
    more = {"kind": "dosing", **times}
    with db.transaction():
        goes_on, waits = (
            builders.make_session(scene.patient, scene["CT"], **more, state=state)
            for state in ("in_progress", "arrived")
        )
    suspend(scene)
    at = dosing_time()
    dose = {
        **{
            "client_event_id": "a",
            "measured_at": at,
            "medicine": "ketamine",
            "route": "intramuscular",
        },
        **{"dose_mg": 60, "weight_kg": 70},
    }
    path = f"/sessions/{goes_on['id']}"
    assert ct.post(f"{path}/doses", dose).status_code == 201
    vital = {"client_event_id": "b", "measured_at": at, "heart_rate_bpm": 70}
    assert ct.post(f"{path}/vitals", vital).status_code == 201
    found = {"oriented": True, "walks_unaided": True}
    assert ct("PUT", f"{path}/discharge", found, **{"If-Match": "*"}).status_code == 200
    done = ct.post(f"{path}/complete")
    assert done.status_code == 409 and done.json["missing"], done.text
    for late in (f"/sessions/{waits['id']}/start", f"{path}/signatures", f"{path}/notes"):
        assert ct.post(late).json["type"] == KIND, late


def test_research_is_read_and_not_asked_for(call: Any, scene: Scene) -> None:
    suspend(scene)
    door = "/research/v1/projects"
    assert call("PR").get(door).status_code == 200
    refused = call("PR").post(door, {})
    assert (refused.status_code, refused.json["type"]) == (403, KIND), refused.text


def dosing_time() -> str:
    return clock.now().isoformat().replace("+00:00", "Z")


def test_one_signs_in_stays_so_and_signs_out(call: Any, scene: Scene) -> None:
    suspend(scene)
    anon, who = call(None), {"email": scene["CT"].email, "password": PASSWORD}
    signed_in = anon.post("/auth/token", who)
    assert signed_in.status_code == 200, signed_in.text
    again = anon.post("/auth/refresh", {"refresh_token": signed_in.json["refresh_token"]})
    assert again.status_code == 200
    assert call("CT").post("/auth/step-up", {"password": PASSWORD}).status_code == 200
    token = {"refresh_token": again.json["refresh_token"]}
    assert anon.post("/auth/revoke", token).status_code == 204
    mine = call("PS").get("/me/sign-ins").json["items"]
    assert call("PS")("DELETE", f"/me/sign-ins/{mine[0]['id']}").status_code == 204


def test_the_patient_takes_all_that_is_theirs_along(call: Any, scene: Scene) -> None:
    suspend(scene)
    assert call("PS").get(f"/patients/{scene.patient['id']}/download").status_code == 200


def test_nobody_comes_in_and_the_invitation_stays_good(call: Any, scene: Scene) -> None:
    asked = {"email": "waits@test.example", "role": "clinician", "display_name": "New"}
    token = call("CA").post("/invitations", asked).json["token"]
    suspend(scene)
    body = {"token": token, "password": "a path in new snow"}
    refused = call(None).post("/invitations/accept", body)
    assert (refused.status_code, refused.json["type"]) == (403, KIND), refused.text
    resume(scene)
    assert call(None).post("/invitations/accept", body).status_code == 201


def test_an_answer_of_before_is_not_given_again(call: Any, scene: Scene) -> None:
    key, path = {"Idempotency-Key": "k"}, f"/patients/{scene.patient['id']}/goals"
    body = {"title": "T", "category": "boundaries"}
    assert call("PS").post(path, body, **key).status_code == 201
    suspend(scene)
    assert call("PS").post(path, body, **key).json["type"] == KIND


def test_in_an_emergency_a_chart_opens(call: Any, scene: Scene) -> None:
    suspend(scene)
    why = {"reason": "Found unconscious at the station.", "reason_code": "emergency"}
    chart = f"/patients/{scene.patient['id']}"
    assert call("CN").post(f"{chart}/break-glass", why).status_code == 201
    assert call("CN").get(chart).status_code == 200


@pytest.fixture
def shell(application: Flask) -> Iterator[Any]:
    def run(*words: str) -> Result:
        return application.test_cli_runner().invoke(args=["clinic", *words])

    yield run


def test_the_operator_suspends_and_resumes_with_a_reason_that_the_trail_keeps(
    shell: Any, call: Any, scene: Scene
) -> None:
    one = str(scene.clinic_id)
    told = shell("suspend", one, "--reason", "Invoice 17")
    assert told.exit_code == 0 and told.output == "Test Clinic is suspended.\n"
    again = shell("suspend", one, "--reason", "Invoice 17")
    assert again.exit_code == 2 and "already" in again.output
    told = shell("resume", one, "--reason", "Paid")
    assert told.exit_code == 0 and told.output == "Test Clinic is resumed.\n"
    assert shell("resume", one, "--reason", "Paid").exit_code == 2
    assert deeds(scene, "clinic:suspend") == [("ok", "Invoice 17", "shell", None)]
    assert deeds(scene, "clinic:resume") == [("ok", "Paid", "shell", None)]
    for reader in ("CA", "PR"):
        seen = call(reader).get("/audit-events?action=clinic:suspend").json["items"]
        assert [row["reason_ref"] for row in seen] == ["Invoice 17"], reader
    lines = (settings().data / "mail.ndjson").read_text().splitlines()
    for who in ("CA", "PR"):
        kinds = [re.findall(r"clinic_\w+", line) for line in lines if scene[who].email in line]
        assert kinds == [["clinic_suspended"], ["clinic_resumed"]]
    assert shell("suspend", str(db.new_id()), "--reason", "x").exit_code == 2


@pytest.mark.parametrize("reason", ["", "  ", "x" * 61, "a\nb", "\udcff"])
def test_a_reason_can_be_read(scene: Scene, reason: str) -> None:
    with pytest.raises(Invalid), db.transaction():
        suspending.suspend_clinic(scene.clinic_id, reason)


def test_a_clinic_is_there_and_turned_once(scene: Scene) -> None:
    with pytest.raises(NotFound), db.transaction():
        suspending.suspend_clinic(db.new_id(), "x")
    suspend(scene)
    with pytest.raises(Conflict), db.transaction():
        suspending.suspend_clinic(scene.clinic_id, "x")


def test_who_is_told_are_those_who_work_there_now(scene: Scene) -> None:
    with db.transaction():
        former = builders.make_person(scene.clinic_id, Role.ADMINISTRATOR, disabled_at=clock.now())
    suspend(scene)
    assert former.email not in (settings().data / "mail.ndjson").read_text()
