"""An EHR client that touches far more charts than on other days stands out, and is told of."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from sqlalchemy import select

from api import config, db
from api.audit.trail import audit_event_patients, audit_events
from api.config import from_environment, settings
from api.core import client_volumes, clocks
from api.core.client_volumes import stands_out
from api.errors import Unsafe
from tests.builders import Person, Scene

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TODAY = datetime(2026, 3, 4, tzinfo=UTC)
"""Long ago: ids of events are made by the real clock, and by them none of before is looked at."""


@pytest.mark.parametrize(
    ("charts", "before", "is_told"),
    [
        (50, [10, 10, 10], True),
        (49, [10, 10, 10], False),
        (49, [], False),
        (50, [], True),
        (50, [11], False),
        (55, [11], True),
        (100, [1, 20, 400], True),
        (99, [1, 20, 400], False),
        (125, [10, 40], True),
        (124, [10, 40], False),
        (0, [], False),
    ],
)
def test_five_times_the_median_and_above_the_floor_stands_out(
    charts: int, before: list[int], is_told: bool
) -> None:
    assert stands_out(charts, before, 5, 50) == is_told


@pytest.fixture(autouse=True)
def a_low_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    lower = replace(config.settings(), client_alarm_floor=3)
    monkeypatch.setattr(client_volumes, "settings", lambda: lower)


def touch(scene: Scene, client: UUID, at: datetime, charts: int, **more: Any) -> None:
    """Two events of a client upon so many charts, each of them in both."""
    ids = [db.new_id() for _ in range(charts)]
    for _ in range(2):
        event = {
            **{"clinic_id": scene.clinic_id, "id": db.new_id(), "at": at, "actor_id": client},
            **{"role": "system", "outcome": "ok", "action": "fhir:read", "door": "fhir"},
            **{"request_id": "r"},
        } | more
        keys = {"clinic_id": scene.clinic_id, "event_id": event["id"]}
        with db.transaction() as store:
            store.append(audit_events, [event])
            store.append(audit_event_patients, [keys | {"patient_id": one} for one in ids])


def work(scene: Scene, at: datetime = TODAY + HOUR) -> int:
    """Let the worker do what is due in the clinic; how many pieces it was."""
    done = 0
    with time_machine.travel(at, tick=False), db.within(scene.clinic_id):
        while True:
            with db.transaction():
                if not client_volumes.watch_clients():
                    return done
            done += 1


def alarms(scene: Scene) -> list[tuple[Any, ...]]:
    e = audit_events.c
    with db.transaction() as store:
        mine = select(e.record_id, e.reason_ref, e.door, e.actor_id).where(
            e.clinic_id == scene.clinic_id, e.action == "client:alarm"
        )
        return [tuple(row) for row in store.execute(mine)]


def letters(person: Person) -> int:
    path = settings().data / "mail.ndjson"
    lines = path.read_text().splitlines() if path.exists() else []
    return sum(person.email in one and "client_alarm" in one for one in lines)


def test_who_touched_far_more_yesterday_is_told_of_once(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    loud, quiet = db.new_id(), db.new_id()
    for days in (2, 3, 9):
        for client in (loud, quiet):
            touch(scene, client, TODAY - days * DAY, 2)
    touch(scene, loud, TODAY - HOUR, 10)
    touch(scene, quiet, TODAY - HOUR, 9)
    with db.within(finding=True), db.transaction(), time_machine.travel(TODAY):
        assert scene.clinic_id in clocks.clinics_with(client_volumes.watch_clients)
    assert (work(scene), work(scene)) == (1, 0)
    assert alarms(scene) == [(loud, "10 charts in a day; median 2", "worker", None)]
    assert str(loud) in caplog.text and str(quiet) not in caplog.text
    assert [letters(scene[who]) for who in ("CA", "PR", "CT")] == [1, 1, 0]
    assert work(scene, TODAY + DAY) == 1
    assert len(alarms(scene)) == 1, "the day after was like any other"


def test_only_28_days_are_compared_with_and_only_the_door_of_ehrs(scene: Scene) -> None:
    client = db.new_id()
    touch(scene, client, TODAY - 30 * DAY, 1)  # the 29th day before yesterday
    touch(scene, client, TODAY - 29 * DAY, 2)
    touch(scene, client, TODAY - HOUR, 9)
    work(scene)
    assert alarms(scene) == [], "else the median were 1.5"
    with_them = db.new_id()
    touch(scene, with_them, TODAY - HOUR, 9, door="v1", role="clinician")
    touch(scene, with_them, TODAY - HOUR, 9, outcome="refused")
    touch(scene, with_them, TODAY, 9)
    work(scene, TODAY + 2 * HOUR)
    assert alarms(scene) == []


def test_the_administrator_finds_the_alarm_in_the_trail(call: Any, scene: Scene) -> None:
    client = db.new_id()
    touch(scene, client, TODAY - HOUR, 3)
    work(scene)
    for reader in ("CA", "PR"):
        [seen] = call(reader).get("/audit-events?action=client:alarm").json["items"]
        assert (seen["record_id"], seen["patient_ids"]) == (str(client), [])


@pytest.mark.parametrize("wrong", [{"CLIENT_ALARM_TIMES": "1"}, {"CLIENT_ALARM_FLOOR": "0"}])
def test_what_would_always_be_told_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(Unsafe, match="CLIENT_ALARM"):
        from_environment(wrong)
