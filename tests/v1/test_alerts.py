"""Alerts over v1: shapes, statuses, and what a refused form says all the same."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from api import clock, db
from api.access.policies import Privilege
from api.audit.trail import audit_events
from api.core import beats
from api.core.alerts import alerts
from api.core.outcomes.checkins import check_ins
from api.v1.forms import show_instant
from tests import readying
from tests.builders import Scene, make_session

CALM = {f"phq9-{n}": 0 for n in range(1, 10)}
WORRYING = CALM | {"phq9-9": 2}
PROMISE = (
    "Thank you for telling us. One of your answers matters to us more than any number."
    " Test Clinic has been told and means to reach you within the next hour."
    " Nobody watches this app day and night."
    " If you might act on these thoughts, or are in danger now: "
)
NO_PROMISE = "we can't promise that someone has seen this."


def form(answers: Any, **more: Any) -> dict[str, Any]:
    return {"instrument": "phq-9", "answers": answers, **more}


@pytest.fixture
def check_ins_of(scene: Scene) -> str:
    return f"/patients/{scene.patient['id']}/check-ins"


def test_a_check_in_that_is_reliably_worse_raises_an_alert(call: Any, check_ins_of: str) -> None:
    worse = CALM | {f"phq9-{n}": 2 for n in range(1, 9)}
    ago = show_instant(clock.now() - timedelta(days=5))
    for answers, more in ((CALM, {"answered_at": ago}), (CALM, {}), (worse, {})):
        assert call("CT").get("/alerts").json["items"] == []
        said = call("CT").post(check_ins_of, form(answers, complete=True, **more))
        assert said.status_code == 201
    [alert] = call("CT").get("/alerts").json["items"]
    assert alert["rule"] == "reliable_deterioration"


def on_call_now(scene: Scene, name: str = "CN", **more: Any) -> dict[str, Any]:
    now = clock.now()
    shift = {
        "from_at": show_instant(now - timedelta(hours=1)),
        "to_at": show_instant(now + timedelta(hours=8)),
        "clinician_id": str(scene[name].user_id),
    }
    return {"shifts": [shift], "channel": "sms", **more}


def let_escalation_run(call: Any, scene: Scene) -> None:
    assert call("CA")("PUT", "/on-call", on_call_now(scene), **{"If-Match": "*"}).status_code == 200
    with db.transaction():
        beats.beat("test")


def test_item_9_raises_an_alert_that_is_acknowledged_and_resolved(
    call: Any, check_ins_of: str
) -> None:
    said = call("PS").post(check_ins_of, form(WORRYING))
    assert said.status_code == 201 and next(iter(said.json)) == "crisis"
    listed = call("CT").get("/alerts?state=open").json
    [alert] = listed["items"]
    assert (alert["priority"], alert["state"]) == ("immediate", "open")
    assert alert["check_in_id"] == said.json["id"]
    assert set(alert["patient"]) == {"id", "display_name"}
    assert set(listed["escalation"]) == {"running", "why"}
    one = f"/alerts/{alert['id']}"
    whole = call("CT").get(one)
    assert whole.headers["ETag"] == '"1"' and whole.json["notification_attempts"]
    assert call("CT").post(f"{one}/resolve", {"note": "Too soon."}).json["allowed"] == [
        "acknowledge"
    ]
    seen = call("CT").post(f"{one}/acknowledge", {"note": "Calling."})
    assert (seen.status_code, seen.json["state"], seen.json["allowed"]) == (
        200,
        "acknowledged",
        ["resolve"],
    )
    done = call("CT").post(f"{one}/resolve", {"note": "Spoke.", "disposition": "referred"})
    assert (done.status_code, done.json["state"]) == (200, "resolved")
    again = call("CT").post(f"{one}/resolve", {"note": "Spoke."})
    assert (again.status_code, again.json["state"], again.json["allowed"]) == (409, "resolved", [])


def test_a_note_is_needed(call: Any, check_ins_of: str) -> None:
    call("PS").post(check_ins_of, form(WORRYING))
    [alert] = call("CT").get("/alerts").json["items"]
    for move in ("acknowledge", "resolve"):
        assert call("CT").post(f"/alerts/{alert['id']}/{move}").status_code == 422


def test_alerts_are_walked_page_by_page(call: Any, check_ins_of: str) -> None:
    for _ in range(3):
        call("PS").post(check_ins_of, form(WORRYING))
    found, query = [], "?limit=1&state=open"
    while query:
        page = call("CT").get(f"/alerts{query}").json
        found += [one["id"] for one in page["items"]]
        query = page["next_cursor"] and f"?limit=1&cursor={page['next_cursor']}"
    assert len(set(found)) == len(found) == 3


def refused(call: Any, scene: Scene, way: str) -> Any:
    """A form with a positive answer that is refused in this way."""
    path, ps = f"/patients/{scene.patient['id']}/check-ins", call("PS")
    draft = f"/check-ins/{ps.post(path, form({})).json['id']}"
    more = {"answers": {"phq9-9": 2}}
    if way == "a bad answer beside it":
        return ps.post(path, form(WORRYING | {"phq9-1": 99}))
    if way == "an unknown field":
        return ps.post(path, form(WORRYING, mood="blue"))
    if way == "a time ahead":
        return ps.post(path, form(WORRYING, answered_at="2099-01-01T00:00:00Z"))
    if way == "no version":
        return ps("PATCH", draft, more)
    if way == "a stale version":
        return ps.patch(draft, more, 7)
    if way == "a complete one":
        ps.post(f"{draft}/complete")
        return ps.patch(draft, more, 2)
    if way == "a correction without a reason":
        ps.post(f"{draft}/complete")
        return call("CT").post(f"{draft}/corrections", more)
    assert way == "a key used for another"
    ps.post(path, form({}), **{"Idempotency-Key": "same"})
    return ps.post(path, form(WORRYING), **{"Idempotency-Key": "same"})


WAYS = {
    "a bad answer beside it": 422,
    "an unknown field": 422,
    "a time ahead": 422,
    "no version": 428,
    "a stale version": 412,
    "a complete one": 409,
    "a correction without a reason": 422,
    "a key used for another": 422,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_refused_form_is_heard_all_the_same(call: Any, scene: Scene, way: str) -> None:
    answer = refused(call, scene, way)
    assert answer.status_code == WAYS[way], answer.text
    assert answer.content_type == "application/problem+json"
    assert next(iter(answer.json)) == "crisis" and answer.json["crisis"]["emergency"] == "911"
    [alert] = call("CT").get("/alerts?priority=immediate").json["items"]
    assert (alert["flag"], alert["from_refused"]) == ("suicidality_item_high", True)
    assert (alert["check_in_id"] is None) == (way in list(WAYS)[:3] + list(WAYS)[-1:])


@pytest.mark.parametrize(
    "answers",
    [
        {"phq9-1": 99},
        {"phq9-9": 0, "phq9-1": 99},
        {"phq9-9": 4},
        {"phq9-9": "2"},
        {"phq9-9": None, "phq9-1": 99},
        ["phq9-9"],
        None,
    ],
)
def test_a_refused_form_without_a_positive_answer_brings_no_alert(
    call: Any, check_ins_of: str, answers: Any
) -> None:
    answer = call("PS").post(check_ins_of, form(answers, complete=True))
    assert answer.status_code == 422 and "crisis" not in answer.json
    assert call("CT").get("/alerts").json["items"] == []


@pytest.mark.parametrize("instrument", ["x-unknown", 7, None, "\x00", "p" * 5000])
def test_an_unknown_instrument_is_refused_and_not_heard(
    call: Any, check_ins_of: str, instrument: Any
) -> None:
    answer = call("PS").post(check_ins_of, {"instrument": instrument, "answers": WORRYING})
    assert answer.status_code == 422 and "crisis" not in answer.json


@pytest.mark.parametrize(("who", "status"), [("PO", 404), ("CN", 404), ("CA", 403), (None, 401)])
def test_who_may_not_write_there_is_not_heard(
    call: Any, scene: Scene, check_ins_of: str, who: str | None, status: int
) -> None:
    answer = call(who).post(check_ins_of, form(WORRYING | {"phq9-1": 99}))
    assert answer.status_code == status and "crisis" not in answer.json
    assert call("CT").get("/alerts").json["items"] == []


def test_a_form_sent_again_and_then_put_right_is_one_alert(call: Any, check_ins_of: str) -> None:
    for _ in range(3):
        call("PS").post(check_ins_of, form(WORRYING | {"phq9-1": 99}))
    [before] = call("CT").get("/alerts").json["items"]
    taken = call("PS").post(check_ins_of, form(WORRYING, complete=True))
    [after] = call("CT").get("/alerts").json["items"]
    assert (after["id"], after["check_in_id"]) == (before["id"], taken.json["id"])


def test_a_refused_form_leaves_its_alert_and_two_lines_in_the_trail(
    call: Any, scene: Scene, check_ins_of: str
) -> None:
    wrong = form(WORRYING | {"phq9-1": 99})
    call("PS").post(check_ins_of, wrong, **{"X-Request-ID": "a-refused-form"})
    with db.transaction() as store:
        mine = audit_events.c.clinic_id == scene.clinic_id
        rows = store.rows(select(audit_events).where(mine).order_by(audit_events.c.id))
        kept = store.rows(select(check_ins.c.id).where(check_ins.c.clinic_id == scene.clinic_id))
    assert kept == []
    said = [(r["action"], r["outcome"]) for r in rows if r["request_id"] == "a-refused-form"]
    assert said == [("check_in:log", "refused"), ("alert:raise", "ok")]


def test_an_alert_that_cannot_be_raised_does_not_fail_the_answer(
    call: Any, check_ins_of: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr("api.core.outcomes.checkins.refused.alerts.raise_alerts", broken)
    answer = call("PS").post(check_ins_of, form(WORRYING | {"phq9-1": 99}))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == ["/answers/phq9-1"]


def test_crisis_comes_first_while_the_alert_is_unacknowledged_and_not_afterwards(
    call: Any, check_ins_of: str
) -> None:
    said = call("PS").post(check_ins_of, form(WORRYING, complete=True))
    one = f"/check-ins/{said.json['id']}"
    read = call("PS").get(one).json
    assert next(iter(read)) == "crisis" and read["words"] == said.json["words"]
    assert next(iter(call("PS").get(check_ins_of).json["items"][0])) == "crisis"
    [alert] = call("CT").get("/alerts").json["items"]
    call("CT").post(f"/alerts/{alert['id']}/acknowledge", {"note": "Calling."})
    read = call("PS").get(one).json
    assert "crisis" not in read and read["words"] == "Thank you for taking the time." + (
        " Your answers are kept."
    )
    assert "crisis" not in call("PS").get(check_ins_of).json["items"][0]
    assert (read["total"], "flags" in read) == (2, False)


def test_a_time_is_promised_word_for_word_while_escalation_runs(
    call: Any, scene: Scene, check_ins_of: str
) -> None:
    let_escalation_run(call, scene)
    said = call("PS").post(check_ins_of, form(WORRYING)).json
    assert said["words"].startswith(PROMISE) and said["words"].endswith(".")
    assert "911" in said["words"] and NO_PROMISE not in said["words"]
    one = call("PS").post(check_ins_of, form(CALM | {"phq9-9": 1})).json
    assert "means to reach you within the next 24 hours." in one["words"]
    assert call("CT").get("/alerts").json["escalation"] == {"running": True, "why": []}


def test_no_time_is_promised_without_escalation_nor_once_it_has_passed(
    call: Any, scene: Scene, check_ins_of: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = call("PS").post(check_ins_of, form(WORRYING)).json
    assert NO_PROMISE in said["words"] and "means to reach you" not in said["words"]
    let_escalation_run(call, scene)
    said = call("PS").post(check_ins_of, form(WORRYING)).json
    assert "means to reach you" in said["words"]
    with db.transaction() as store:
        past = clock.now() - timedelta(minutes=1)
        mine = alerts.c.clinic_id == scene.clinic_id
        store.execute(alerts.update().where(mine).values(contact_due_at=past))
    assert NO_PROMISE in call("PS").get(f"/check-ins/{said['id']}").json["words"]


def test_nobody_promises_a_time_for_an_answer_of_long_ago(
    call: Any, scene: Scene, check_ins_of: str
) -> None:
    let_escalation_run(call, scene)
    long_ago = show_instant(clock.now() - timedelta(days=30))
    said = call("PS").post(check_ins_of, form(WORRYING, answered_at=long_ago)).json
    assert next(iter(said)) == "crisis" and NO_PROMISE in said["words"]
    [alert] = call("CT").get("/alerts?historical=true").json["items"]
    assert (alert["due_at"], alert["overdue"]) == (None, False)


def test_who_is_on_call_is_set_by_the_administrator_and_read_by_clinicians(
    call: Any, scene: Scene
) -> None:
    before = call("CT").get("/on-call")
    assert (before.headers["ETag"], before.json["shifts"]) == ('"0"', [])
    body = on_call_now(scene, backup_clinician_id=str(scene["CT"].user_id))
    assert call("CA")("PUT", "/on-call", body).status_code == 428
    assert call("CT")("PUT", "/on-call", body, **{"If-Match": "*"}).status_code == 403
    done = call("CA")("PUT", "/on-call", body, if_match="0")
    assert (done.status_code, done.headers["ETag"]) == (200, '"1"')
    [shift] = call("CN").get("/on-call").json["shifts"]
    assert shift["clinician_id"] == shift["clinician"]["id"] == str(scene["CN"].user_id)
    assert call("CA")("PUT", "/on-call", body, if_match="0").status_code == 412
    stranger = on_call_now(scene, "XT")
    wrong = call("CA")("PUT", "/on-call", stranger, if_match="1")
    assert wrong.json["errors"][0]["pointer"] == "/shifts/0/clinician_id"


def test_readiness_stays_200_and_says_what_is_degraded(app: Flask, scene: Scene) -> None:
    ready = app.test_client().get("/readyz")
    assert ready.status_code == 200 and ready.json["status"] == "ok"
    assert {"nobody_on_call", "no_channel"} <= set(ready.json["degraded"])


@pytest.fixture
def dose(scene: Scene) -> str:
    """A dosing session at which the patient has arrived, ready but for what a test adds."""
    with db.transaction():
        row = readying.dosing_session(scene)
        readying.make_ready(scene, row)
        readying.let(scene["CT"].user_id)
    return f"/sessions/{row['id']}"


def let_prescribe(scene: Scene, name: str) -> None:
    with db.transaction():
        readying.let(scene[name].user_id, Privilege.PRESCRIBE)


OVERRIDE = {"overrides": [{"code": "alert_open", "reason": "Spoken with; the patient is safe."}]}


def test_a_dose_does_not_start_while_an_alert_is_unresolved(
    call: Any, check_ins_of: str, dose: str
) -> None:
    call("PS").post(check_ins_of, form(CALM | {"phq9-9": 1}))
    [alert] = call("CT").get("/alerts").json["items"]
    held = call("CT").post(f"{dose}/start")
    assert (held.status_code, held.json["state"]) == (409, "arrived")
    assert held.json["missing"] == ["alert_open"] and "cancel" in held.json["allowed"]
    [reason] = held.json["reasons"]
    assert (reason["code"], reason["overridable_by"]) == ("alert_open", "prescribe")
    call("CT").post(f"/alerts/{alert['id']}/acknowledge", {"note": "Calling."})
    assert call("CT").post(f"{dose}/start").status_code == 409
    call("CT").post(f"/alerts/{alert['id']}/resolve", {"note": "Spoke."})
    started = call("CT").post(f"{dose}/start")
    assert (started.status_code, started.json["overrides"]) == (200, [])


def test_only_a_prescriber_starts_a_dose_all_the_same_and_gives_a_reason(
    call: Any, scene: Scene, check_ins_of: str, dose: str
) -> None:
    call("PS").post(check_ins_of, form(WORRYING))
    assert call("CT").post(f"{dose}/start", OVERRIDE).status_code == 403
    let_prescribe(scene, "CT")
    bare = {"overrides": [{"code": "alert_open"}]}
    assert call("CT").post(f"{dose}/start", bare).status_code == 422
    assert call("CT").post(f"{dose}/start").status_code == 409
    started = call("CT").post(f"{dose}/start", OVERRIDE)
    assert (started.status_code, started.json["state"]) == (200, "in_progress")
    [kept] = started.json["overrides"]
    assert kept["overridden_by"]["id"] == str(scene["CT"].user_id)
    assert kept["reason"] == OVERRIDE["overrides"][0]["reason"]
    assert call("CA").get(dose).json["overrides"] == []


def test_other_sessions_start_whatever_alert_there_is(
    call: Any, scene: Scene, check_ins_of: str
) -> None:
    call("PS").post(check_ins_of, form(WORRYING))
    with db.transaction():
        row = make_session(scene.patient, scene["CT"], state="arrived")
    assert call("CT").post(f"/sessions/{row['id']}/start").status_code == 200
