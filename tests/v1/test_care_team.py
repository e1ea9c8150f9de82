"""Care teams over v1: who joins, who leaves, and what a chart's door does then."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from api import clock, db
from api.access.policies import Role
from api.core.care_team import STATES
from tests.builders import make_person


@pytest.fixture
def team(scene: Any) -> str:
    return f"/patients/{scene.patient['id']}/care-team"


def joining(person: Any, **more: Any) -> dict[str, Any]:
    return {"clinician_id": str(person.user_id), "role": "nurse"} | more


def test_a_colleague_puts_a_clinician_on_the_team_and_the_chart_opens(
    call: Any, scene: Any, team: str
) -> None:
    chart = f"/patients/{scene.patient['id']}"
    assert call("CN").get(chart).status_code == 404
    made = call("CT").post(team, joining(scene["CN"]))
    assert made.status_code == 201, made.json
    assert made.headers["Location"] == f"/api/v1{team}/{made.json['id']}"
    assert made.json["clinician"] == {
        "id": str(scene["CN"].user_id),
        "display_name": "Clinician Test",
    }
    assert made.json["patient"]["id"] == str(scene.patient["id"])
    assert made.json["role"] == "nurse" and made.json["ended_at"] is None
    assert made.json["from_on"] == clock.today(scene.patient["time_zone"]).isoformat()
    assert call("CN").get(chart).status_code == 200
    read = call("PS").get(f"{team}/{made.json['id']}")
    assert read.json == made.json and read.headers["ETag"] == '"1"'


@pytest.mark.parametrize("persona", ["CT", "CN", "CA"])
def test_nobody_assigns_themself(call: Any, scene: Any, team: str, persona: str) -> None:
    mine = joining(scene[persona])
    refused = call(persona).post(team, mine)
    assert refused.status_code == 403, refused.json
    nowhere = call(persona).post(f"/patients/{uuid4()}/care-team", mine)
    assert nowhere.status_code == 403


def test_whoever_is_no_clinician_of_this_clinic_can_not_join(
    call: Any, scene: Any, team: str
) -> None:
    with db.transaction():
        gone = make_person(scene.clinic_id, disabled_at=clock.now())
    said = set()
    for person_id in (scene["XT"].user_id, scene["CA"].user_id, gone.user_id, uuid4()):
        body = {"clinician_id": str(person_id), "role": "nurse"}
        refused = call("CT").post(team, body, **{"x-request-id": "same"})
        assert refused.status_code == 422
        said.add(refused.text)
    assert len(said) == 1 and '"/clinician_id"' in said.pop()


def test_a_member_does_not_join_twice_unless_they_left(call: Any, scene: Any, team: str) -> None:
    ca, body = call("CA"), joining(scene["CN"])
    first = ca.post(team, body)
    again = ca.post(team, body)
    told = (again.json["state"], again.json["membership_id"], again.json["allowed"])
    assert (again.status_code, told) == (409, ("current", first.json["id"], ["end"]))
    assert ca.post(f"{team}/{first.json['id']}/end").status_code == 200
    assert ca.post(team, body).status_code == 201
    states = {s: len(ca.get(f"{team}?state={s}").json["items"]) for s in ("current", "past")}
    assert states == {"current": 2, "past": 1}
    assert len(ca.get(team).json["items"]) == 3


def test_two_colleagues_at_once_put_somebody_on_the_team_once(
    app: Any, call: Any, scene: Any, team: str
) -> None:
    callers = [call("CA") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(c.post, team, joining(scene["CN"])) for c in callers]
        statuses = sorted(answer.result().status_code for answer in sent)
    assert statuses == [201, 409, 409, 409]


def test_whoever_leaves_the_team_loses_the_chart_at_once_with_the_old_token(
    call: Any, scene: Any, team: str
) -> None:
    chart, old = f"/patients/{scene.patient['id']}", call("CT")
    [member] = old.get(team).json["items"]
    key = {"idempotency-key": "leaving"}
    ended = call("CA").post(f"{team}/{member['id']}/end", {"reason": "Moved."})
    assert ended.status_code == 200, ended.json
    assert (ended.json["state"], ended.json["version"]) == ("past", 2)
    assert ended.json["ended_at"] and ended.json["reason"] == "Moved."
    for path in (chart, team, f"{chart}/consents"):
        assert old.get(path).status_code == 404
    assert old.post(f"{team}/{member['id']}/end", **key).status_code == 404
    again = call("CA").post(f"{team}/{member['id']}/end")
    assert (again.status_code, again.json["state"]) == (409, "past")
    assert call("PS").get(team).json["items"][0]["reason"] is None


def test_a_later_day_opens_the_chart_at_that_midnight_where_the_patient_lives(
    call: Any, scene: Any, team: str
) -> None:
    zone = ZoneInfo(scene.patient["time_zone"])
    day = clock.today(scene.patient["time_zone"]) + timedelta(days=3)
    made = call("CT").post(team, joining(scene["CN"], from_on=day.isoformat()))
    assert made.json["from_on"] == day.isoformat() and made.json["state"] == "coming"
    states = {s: len(call("CA").get(f"{team}?state={s}").json["items"]) for s in STATES}
    assert states == {"coming": 1, "current": 1, "past": 0}
    earlier = call("CT").post(team, joining(scene["CN"]))
    told = (earlier.json["state"], earlier.json["membership_id"], earlier.json["allowed"])
    assert (earlier.status_code, told) == (409, ("coming", made.json["id"], ["end"]))
    assert call("CN").get(f"/patients/{scene.patient['id']}").status_code == 404
    from sqlalchemy import select

    from api.core.team_reach import care_team

    row = db.store().row(
        select(care_team.c.from_at)
        .where(care_team.c.version == 1)
        .where(care_team.c.clinician_id == scene["CN"].user_id)
    )
    db.leave_store()
    assert row and row["from_at"] == datetime(day.year, day.month, day.day, tzinfo=zone)


def test_a_membership_of_one_patient_is_not_found_under_another(
    call: Any, scene: Any, team: str
) -> None:
    ca = call("CA")
    [member] = ca.get(team).json["items"]
    other = f"/patients/{scene.other_patient['id']}/care-team/{member['id']}"
    for wrong in (ca.get(other), ca.post(f"{other}/end")):
        assert wrong.status_code == 404
    assert ca.get(f"{team}/{member['id']}").json == member


def test_the_wrong_form_is_refused(call: Any, scene: Any, team: str) -> None:
    good = joining(scene["CN"])
    for wrong in (
        good | {"role": "surgeon"},
        good | {"from_on": "tomorrow"},
        good | {"clinician_id": str(scene["CN"].user_id).upper()},
        good | {"ended_at": None},
        {"role": "nurse"},
    ):
        assert call("CT").post(team, wrong).status_code == 422, wrong
    assert call("CT").get(f"{team}?state=future").status_code == 422


def test_the_privacy_officer_reads_the_team_and_changes_nothing(
    call: Any, scene: Any, team: str
) -> None:
    assert call("PR").get(team).status_code == 200
    assert call("PR").post(team, joining(scene["CN"])).status_code == 403
    assert Role.PRIVACY_OFFICER.value == "privacy_officer"
