"""Access from afar: who was in a chart without being near it is listed, and told once a week."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from sqlalchemy import column, select, table

from api import clock, db
from api.access.policies import Role
from api.audit.trail import audit_event_patients, audit_events
from api.config import settings
from api.core import clocks, merges, unrelated
from api.core.team_reach import alert_duties, care_team
from api.paging import Page
from tests import builders
from tests.builders import Person, Scene

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
WHY = {"reason": "Found unconscious at the station.", "reason_code": "emergency"}


def look(scene: Scene, who: str, at: datetime | None = None, **more: Any) -> db.Values:
    """Somebody was in the chart of the patient, or of `charts`."""
    person, charts = scene[who], more.pop("charts", [scene.patient["id"]])
    role = "clinician" if who in ("CT", "CN") else "administrator" if who == "CA" else "patient"
    event = {
        **{"clinic_id": scene.clinic_id, "id": db.new_id(), "at": at or clock.now()},
        **{"actor_id": person.user_id, "role": role, "outcome": "ok", "action": "patient:read"},
        **{"door": "v1", "request_id": "r"},
    } | more
    with db.transaction() as store:
        store.append(audit_events, [event])
        keys = {"clinic_id": scene.clinic_id, "event_id": event["id"]}
        store.append(audit_event_patients, [keys | {"patient_id": chart} for chart in charts])
    return event


def listed(scene: Scene, **asked: Any) -> list[db.Values]:
    with db.transaction():
        return unrelated.list_unrelated_access(scene["PR"].actor, Page(), **asked).items


def told(scene: Scene, **asked: Any) -> list[tuple[Any, ...]]:
    return [(row["actor"]["id"], row["why"], row["patient_ids"]) for row in listed(scene, **asked)]


def test_the_care_team_is_near_and_others_are_not(scene: Scene) -> None:
    for who in ("CT", "CN", "CA", "PS"):
        look(scene, who)
    chart = [scene.patient["id"]]
    assert told(scene) == [
        (scene["CA"].user_id, "clinic_work", chart),
        (scene["CN"].user_id, None, chart),
    ]
    assert told(scene, role="clinician") == [(scene["CN"].user_id, None, chart)]
    assert told(scene, actor_id=scene["CT"].user_id) == []


def test_who_is_on_a_session_or_on_duty_is_near(scene: Scene) -> None:
    look(scene, "CN")
    assert len(listed(scene)) == 1
    with db.transaction():
        builders.make_session(scene.patient, scene["CN"], starts_at=clock.now())
    assert listed(scene) == []


def test_so_is_to_whom_an_alert_was_escalated(call: Any, scene: Scene) -> None:
    dark = {"instrument": "phq-9", "answers": {"phq9-9": 2}}
    call("PS").post(f"/patients/{scene.patient['id']}/check-ins", dark)
    [alert] = call("CT").get("/alerts").json["items"]
    look(scene, "CN")
    assert len(listed(scene)) == 1
    duty = {"clinic_id": scene.clinic_id, "patient_id": scene.patient["id"]}
    duty |= {"alert_id": UUID(alert["id"]), "clinician_id": scene["CN"].user_id}
    with db.transaction() as store:
        store.execute(alert_duties.insert().values(**duty, duty_from=clock.now() - HOUR))
    assert listed(scene) == []


def test_who_broke_the_glass_is_told_with_that(call: Any, scene: Scene) -> None:
    chart = f"/patients/{scene.patient['id']}"
    assert call("CN").post(f"{chart}/break-glass", WHY).status_code == 201
    assert call("CN").get(chart).status_code == 200
    rows = listed(scene)
    assert [row["action"] for row in rows] == ["patient:read", "break_glass:open"]
    assert {row["why"] for row in rows} == {"break_glass"}


def test_of_a_list_only_the_charts_from_afar_are_told(scene: Scene) -> None:
    with db.transaction():
        theirs = builders.make_patient(scene.clinic_id)
        builders.join_team(theirs, scene["CN"])
    look(scene, "CN", charts=[theirs["id"], scene.patient["id"]])
    assert told(scene) == [(scene["CN"].user_id, None, [scene.patient["id"]])]


@pytest.mark.parametrize(("after", "count"), [(30 * SECOND, 0), (90 * SECOND, 1)])
def test_what_itself_ended_the_nearness_came_just_before(
    call: Any, scene: Scene, after: timedelta, count: int
) -> None:
    path = f"/patients/{scene.patient['id']}/care-team"
    [mine] = call("CT").get(path).json["items"]
    assert call("CA").post(f"{path}/{mine['id']}/end", {}).status_code == 200
    look(scene, "CT", clock.now() + after)
    assert len(listed(scene, role="clinician")) == count


def test_who_joined_later_was_from_afar_before(scene: Scene) -> None:
    look(scene, "CN", clock.now() - HOUR)
    with db.transaction():
        builders.join_team(scene.patient, scene["CN"])
    assert len(listed(scene)) == 1


def test_who_was_near_a_chart_that_was_merged_since_was_near_it(scene: Scene) -> None:
    look(scene, "CT")
    with db.transaction():
        into = builders.make_patient(scene.clinic_id)
        said = {"into": into["id"], "reason": "Admitted twice."}
        merges.merge_patient(scene["CA"].actor, scene.patient["id"], said)
    assert listed(scene, role="clinician") == []


def test_a_refusal_is_no_access(call: Any, scene: Scene) -> None:
    assert call("CN").get(f"/patients/{scene.patient['id']}").status_code == 404
    assert listed(scene) == []


def test_it_is_narrowed_by_time_and_looks_back_for_28_days(scene: Scene) -> None:
    now = clock.now()
    look(scene, "CN", now - 29 * DAY)
    look(scene, "CN", now - 2 * DAY)
    assert len(listed(scene)) == 1
    assert len(listed(scene, from_=now - 30 * DAY)) == 2
    assert len(listed(scene, from_=now - 30 * DAY, to=now - 3 * DAY)) == 1
    assert listed(scene, from_=now - DAY) == []


def test_the_officer_reads_it_over_http_page_by_page_and_nobody_else(
    call: Any, scene: Scene
) -> None:
    for _ in range(5):
        look(scene, "CN")
    ids, path = [], "/audit-events/unrelated?limit=2&role=clinician"
    while path:
        answer = call("PR").get(path)
        assert answer.status_code == 200, answer.text
        ids += [row["id"] for row in answer.json["items"]]
        cursor = answer.json["next_cursor"]
        path = f"/audit-events/unrelated?cursor={cursor}&limit=2" if cursor else ""
    assert len(ids) == len(set(ids)) == 5
    assert "Ada" not in answer.text
    for who in ("PS", "CT", "CA", "AY"):
        assert call(who).get("/audit-events/unrelated").status_code == 403, who
    log = call("PS").get(f"/patients/{scene.patient['id']}/access-log").json["items"]
    assert log[0]["why"] == "oversight", "the patient is told that it was looked at"
    assert call("PR").get("/audit-events/unrelated?role=patient").status_code == 422


def test_another_clinic_has_its_own(scene: Scene) -> None:
    look(scene, "CN")
    with db.transaction():
        theirs = builders.make_person(scene["XT"].clinic_id, Role.PRIVACY_OFFICER)
        assert unrelated.list_unrelated_access(theirs.actor, Page()).items == []


# --- once a week

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
"""Long ago: ids of events are made by the real clock, and by them none of before is looked at."""


@pytest.fixture
def long_since(scene: Scene) -> Scene:
    """The care team is one of long ago."""
    with db.transaction() as store:
        mine = care_team.update().where(care_team.c.clinic_id == scene.clinic_id)
        store.execute(mine.values(from_at=MONDAY - 90 * DAY))
    return scene


@contextmanager
def on(moment: datetime) -> Iterator[None]:
    with time_machine.travel(moment, tick=False):
        yield


def work(scene: Scene) -> int:
    """Let the worker do what is due in the clinic; how many pieces it was."""
    done = 0
    with db.within(scene.clinic_id):
        while True:
            with db.transaction():
                if not unrelated.tell_last_week():
                    return done
            done += 1


def letters(person: Person) -> list[str]:
    path = settings().data / "mail.ndjson"
    lines = path.read_text().splitlines() if path.exists() else []
    return [one for one in lines if person.email in one and "unrelated_access" in one]


def test_each_week_the_officers_are_told_how_often_once(long_since: Scene) -> None:
    scene = long_since
    with on(MONDAY - 3 * DAY):
        for who in ("CN", "CN", "CA", "CT"):
            look(scene, who)
    look(scene, "CN", MONDAY - 8 * DAY, charts=[scene.other_patient["id"]])
    look(scene, "CN", MONDAY, charts=[scene.other_patient["id"]])
    with on(MONDAY + HOUR):
        assert scene.clinic_id in due()
        assert (work(scene), work(scene)) == (1, 0)
        assert scene.clinic_id not in due()
    [letter] = letters(scene["PR"])
    assert '"token": "2"' in letter, "two people in one chart"
    assert letters(scene["CA"]) == []
    with on(MONDAY + 6 * DAY):
        assert work(scene) == 0
    with on(MONDAY + 7 * DAY):
        assert work(scene) == 1
    assert len(letters(scene["PR"])) == 2


def due() -> list[Any]:
    with db.within(finding=True), db.transaction():
        return clocks.clinics_with(unrelated.tell_last_week)


def test_of_none_nothing_is_told(long_since: Scene) -> None:
    scene = long_since
    with on(MONDAY - 3 * DAY):
        look(scene, "CT")
    with on(MONDAY):
        assert work(scene) == 1
    assert letters(scene["PR"]) == []


def test_what_can_not_be_looked_at_is_not_tried_for_ever(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> int:
        db.store().execute(select(column("x")).select_from(table("nowhere")))
        raise AssertionError("never here")

    monkeypatch.setattr(unrelated, "count_unrelated", broken)
    with on(MONDAY):
        assert work(scene) == 1
    assert "could not look" in caplog.text and letters(scene["PR"]) == []
