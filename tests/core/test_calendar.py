"""The calendar: what each reader sees of a day, and what only counts as busy."""

from datetime import timedelta
from typing import Any

import pytest

from api import clock, db
from api.core.treatment import calendar, sessions
from api.errors import Invalid
from tests.builders import Scene
from tests.core.test_sessions import HOUR, book, booking, move


def calendar_of(scene: Scene, persona: str, **asked: Any) -> list[db.Values]:
    """The calendar as a persona sees it."""
    return calendar.read_calendar(scene[persona].actor, db.Page(100), **asked).items


def test_a_colleague_sees_only_that_the_time_is_taken(scene: Scene) -> None:
    made = book(scene, preparation="Only for them.")
    (row,) = calendar_of(scene, "CN")
    times = {name: made[name] for name in ("starts_at", "ends_at")}
    assert row == {"busy": True, **times}
    (row,) = calendar_of(scene, "CN", clinician_id=scene["CT"].user_id)
    name = {"id": scene["CT"].user_id, "display_name": "Clinician Test"}
    assert row == {"busy": True, **times, "clinicians": [name]}
    assert calendar_of(scene, "CN", clinician_id=scene["CN"].user_id) == []
    move(scene, made, "cancel")
    assert calendar_of(scene, "CN") == []
    assert [one["state"] for one in calendar_of(scene, "CT")] == ["cancelled"]


def test_each_reader_has_a_calendar_of_their_own(scene: Scene) -> None:
    made = book(scene)
    other = sessions.book_session(
        scene["CA"].actor, scene.other_patient["id"], booking(scene, hours=60)
    )
    assert [one.get("id") for one in calendar_of(scene, "CT")] == [made["id"], None]
    assert [one["id"] for one in calendar_of(scene, "CA")] == [made["id"], other["id"]]
    assert [one["id"] for one in calendar_of(scene, "PS")] == [made["id"]]
    assert [one["id"] for one in calendar_of(scene, "PO")] == [other["id"]]
    assert calendar_of(scene, "XT") == calendar_of(scene, "XA") == calendar_of(scene, "XP") == []


def test_the_calendar_shows_what_touches_its_window(scene: Scene) -> None:
    made = book(scene)
    starts_at, ends_at = made["starts_at"], made["ends_at"]

    def shown(from_: Any, to: Any) -> bool:
        return bool(calendar_of(scene, "CT", from_=from_, to=to))

    assert shown(starts_at + HOUR / 2, ends_at + HOUR) and shown(
        starts_at - HOUR, ends_at - HOUR / 2
    )
    assert not shown(ends_at, ends_at + HOUR) and not shown(starts_at - HOUR, starts_at)


def test_the_calendar_reaches_over_62_days_at_most_and_knows_the_clinics_days() -> None:
    day = clock.today("America/Denver")
    begins, ends = calendar.window(day, day, "America/Denver")
    assert timedelta(hours=23) <= ends - begins <= timedelta(hours=25)
    begins, ends = calendar.window(None, None, "America/Denver")
    assert begins <= clock.now() < ends and (ends - begins).days in (6, 7)
    calendar.window(day, day + timedelta(days=62), "UTC")
    now = clock.now()
    calendar.window(now, now + timedelta(days=62), "UTC")
    for from_, to in (
        (day, day + timedelta(days=63)),
        (now, now + timedelta(days=63)),
        (day, day - timedelta(days=1)),
        (now, now),
    ):
        with pytest.raises(Invalid):
            calendar.window(from_, to, "UTC")


def test_changes_of_the_calendar_tell_what_no_longer_names_the_clinician(scene: Scene) -> None:
    since = clock.now() - HOUR
    made = book(scene, hours=24 * 100)
    who = scene["CT"].user_id

    def changes(persona: str) -> db.Listing:
        asked = db.Page(100, since=since)
        return calendar.read_calendar(scene[persona].actor, asked, clinician_id=who)

    assert [one["id"] for one in changes("CT").items] == [made["id"]]
    assert changes("CN").items == [] and changes("CN").tombstones == []
    other = {"clinician_ids": [scene["CN"].user_id]}
    sessions.change_session(scene["CT"].actor, made["id"], 1, other)
    left = changes("CT")
    assert left.items == [] and left.tombstones and left.tombstones[0]["id"] == made["id"]


def test_a_long_calendar_costs_no_more_questions(scene: Scene) -> None:
    def count() -> int:
        seen: list[str] = []
        db.watchers.append(seen.append)
        calendar_of(scene, "CT")
        db.watchers.remove(seen.append)
        return len(seen)

    book(scene, hours=1)
    few = count()
    for i in range(2, 8):
        book(scene, hours=i * 2)
    assert count() == few
