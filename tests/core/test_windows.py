"""The plasticity window: days since the last dose where the patient lives, and what fell inside."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from api import clock, db
from api.core import after_doses, consents, roster
from api.core.integration import moments, practices, steps
from api.core.outcomes import checkins
from api.core.patients import patients
from api.core.treatment import protocols, windows
from api.core.treatment.protocols import Phase, Protocol
from api.core.treatment.sessions import sessions
from tests import builders
from tests.builders import Scene
from tests.core.walking import (
    DAY,
    EVER,
    asked_of_the_database,
    dose,
    goal,
    held,
    moment,
    noon,
    practice,
    step,
    today,
)

PHASES = ["rest", *["fresh_snow"] * 3, *["settling"] * 4, "closed"]


def listed(scene: Scene, who: str = "CT", asked: db.Page | None = None) -> list[db.Values]:
    """The windows of the scene's patient as somebody reads them."""
    actor, chart = scene[who].actor, scene.patient["id"]
    return after_doses.list_windows(actor, chart, asked or db.Page()).items


def in_need(scene: Scene, who: str = "CT", **asked: Any) -> set[Any]:
    """The ids of the patients that the roster gives."""
    found = roster.list_patients_in_need(scene[who].actor, db.Page(100), **asked)
    return {row["id"] for row in found.items}


def lives_in(scene: Scene, zone: str) -> None:
    """The scene's patient moves."""
    mine = patients.c.id == scene.patient["id"]
    db.store().execute(patients.update().where(mine).values(time_zone=zone))
    scene.patient["time_zone"] = zone


def test_the_phases_follow_the_protocol_and_the_window_closes_after_day_seven(
    scene: Scene,
) -> None:
    for ago in range(9):
        days = windows.windows_of(scene.patient | {"id": _dosed(scene, ago)["id"]})
        assert days.phase(today(scene)) == PHASES[ago]
        assert days.now == (ago if ago <= 7 else None)


def _dosed(scene: Scene, ago: int) -> db.Values:
    one = builders.make_patient(scene.clinic_id, time_zone=scene.patient["time_zone"])
    held(scene, "dosing", noon(scene, ago), patient=one)
    return one


def test_a_new_dose_restarts_the_window(scene: Scene) -> None:
    first, second = dose(scene, 9), dose(scene, 4)
    days = windows.windows_of(scene.patient)
    found = [days.day(today(scene) - ago * DAY) for ago in (10, 9, 5, 4, 0)]
    assert found == [None, 0, 4, 0, 4]
    latest, earlier = listed(scene)
    assert (latest["id"], earlier["id"]) == (second["id"], first["id"])
    assert (latest["open"], latest["window_day"], latest["phase"]) == (True, 4, "settling")
    assert (earlier["open"], earlier["ended_by"]) == (False, second["id"])
    assert latest["ended_by"] is None and latest["needs"] == ["integration"]
    assert latest["closes_on"] == today(scene) + 3 * DAY
    assert [p["from_on"] for p in latest["phases"]] == [today(scene) + n * DAY for n in (-4, -3, 0)]


@pytest.mark.parametrize(
    ("zone", "at", "on"),
    [
        ("America/Denver", "2026-03-08T06:59:59+00:00", "2026-03-07"),
        ("America/Denver", "2026-03-08T07:00:00+00:00", "2026-03-08"),
        ("Pacific/Kiritimati", "2026-03-08T10:00:00+00:00", "2026-03-09"),
        ("Pacific/Pago_Pago", "2026-03-08T10:59:59+00:00", "2026-03-07"),
    ],
)
def test_days_are_those_of_the_patients_own_calendar_across_changes_of_the_clock(
    scene: Scene, monkeypatch: Any, zone: str, at: str, on: str
) -> None:
    lives_in(scene, zone)
    moment = datetime.fromisoformat(at).astimezone(UTC)
    held(scene, "dosing", moment)
    days, first = windows.windows_of(scene.patient), date.fromisoformat(on)
    assert [days.day(first + n * DAY) for n in (-1, 0, 7, 8)] == [None, 0, 7, None]
    last_midnight = datetime.combine(
        first + 8 * DAY, datetime.min.time(), windows.ZoneInfo(zone)
    ).astimezone(UTC)
    for now, state in (
        (last_midnight - timedelta(seconds=1), "open"),
        (last_midnight, "closed"),
    ):
        monkeypatch.setattr(clock, "now", lambda now=now: now)
        for window in windows.WINDOWS:
            condition = windows.stands(scene.clinic_id, window)
            found = standing(scene, condition)
            assert (scene.patient["id"] in found) == (window == state), (window, now)
        assert (windows.windows_of(scene.patient).now is not None) == (state == "open")


def standing(scene: Scene, condition: Any) -> set[Any]:
    from sqlalchemy import select

    mine = patients.c.clinic_id == scene.clinic_id
    return {row["id"] for row in db.store().rows(select(patients.c.id).where(mine, condition))}


def test_every_step_moment_and_check_in_carries_its_window_day(scene: Scene) -> None:
    dose(scene, 3)
    of = practice(scene, goal(scene))
    assert [step(scene, of, ago)["window_day"] for ago in (4, 3, 0)] == [None, 0, 3]
    happened = moment(scene, happened_on=today(scene) - 2 * DAY)
    noticed = moment(scene, noticed_at=noon(scene, 5))
    assert (happened["window_day"], noticed["window_day"]) == (1, None)
    for who in ("PS", "CT"):
        actor = scene[who].actor
        found = steps.list_steps(actor, of["id"], db.Page()).items
        assert [one["window_day"] for one in found] == [3, 0, None]
        assert moments.read_moment(actor, happened["id"])["window_day"] == 1
        answered = checkin(scene, noon(scene, 1))
        assert checkins.read_checkin(actor, answered["id"])["window_day"] == 2
        db.store().commit()  # a hot read is a transaction of its own
        rows = checkins.list_checkins(actor, scene.patient["id"], db.Page()).items
        assert {one["window_day"] for one in rows} == {2}


def checkin(scene: Scene, at: datetime) -> db.Values:
    """A check-in answered at an instant, as a clinician recorded it."""
    values = {"instrument": "phq-9", "answers": {"phq9-1": 1}, "answered_at": at}
    return checkins.log_checkin(scene["CT"].actor, scene.patient["id"], values)


def test_a_session_that_is_reopened_was_no_dose(scene: Scene) -> None:
    given = dose(scene, 1)
    undone = {"state": "in_progress", "completed_at": None}
    db.store().change(sessions, given, undone)
    assert listed(scene) == [] and in_need(scene, window="open") == set()
    changes = after_doses.list_windows(scene["CT"].actor, scene.patient["id"], EVER)
    assert changes.items == []
    assert [one["id"] for one in changes.tombstones or []] == [given["id"]]


def test_a_window_shows_what_fell_inside_and_nothing_else(scene: Scene) -> None:
    dose(scene, 20)
    given = dose(scene, 5)
    of = practice(scene, goal(scene))
    before, inside = step(scene, of, 6), step(scene, of, 4, kind="detour")
    noticed = moment(scene, happened_on=today(scene) - DAY, practice_id=of["id"])
    answered = checkin(scene, noon(scene, 2))
    met = held(scene, "integration", noon(scene, 3))
    held(scene, "integration", noon(scene, 6))
    held(scene, "preparation", noon(scene, 3))
    latest, earlier = listed(scene)
    assert latest["id"] == given["id"] and latest["needs"] == []
    assert [(one["id"], one["kind"], one["window_day"]) for one in latest["steps"]] == [
        (inside["id"], "detour", 1)
    ]
    assert latest["steps"][0]["practice"] == {"id": of["id"], "title": "Take a breath"}
    assert [(one["id"], one["window_day"]) for one in latest["moments"]] == [(noticed["id"], 4)]
    assert [(one["id"], one["window_day"]) for one in latest["check_ins"]] == [(answered["id"], 3)]
    assert [one["id"] for one in latest["sessions"]] == [met["id"]]
    assert [earlier[name] for name in ("steps", "moments", "check_ins", "sessions")] == [[]] * 4
    assert before["window_day"] is None and latest["truncated"] is False


def test_what_a_patient_keeps_to_themself_fell_into_nobody_elses_window(scene: Scene) -> None:
    dose(scene, 1)
    of = practice(scene, goal(scene))
    step(scene, of, shared_with="me")
    moment(scene, shared_with="me")
    shown = step(scene, of)
    practices.change_practice(scene["PS"].actor, of["id"], None, {"shared_with": "me"})
    for who, count in (("PS", 2), ("CT", 0)):
        (window,) = listed(scene, who)
        assert len(window["steps"]) == count and len(window["moments"]) == count // 2
    assert shown["id"] in {one["id"] for one in listed(scene, "PS")[0]["steps"]}


def test_many_windows_cost_no_more_questions_and_are_walked_page_by_page(scene: Scene) -> None:
    of = practice(scene, goal(scene))

    def add(ago: int) -> None:
        dose(scene, ago)
        step(scene, of, ago)
        moment(scene, happened_on=today(scene) - ago * DAY, practice_id=of["id"])

    add(60)
    few = asked_of_the_database(lambda: listed(scene))
    for ago in (50, 40, 30, 20):
        add(ago)
    assert asked_of_the_database(lambda: listed(scene)) == few <= 10
    actor, chart = scene["CT"].actor, scene.patient["id"]
    first = after_doses.list_windows(actor, chart, db.Page(3))
    rest = after_doses.list_windows(actor, chart, db.Page(3, after=first.next_after))
    days = [(today(scene) - one["dosed_on"]).days for one in [*first.items, *rest.items]]
    assert days == [20, 30, 40, 50, 60] and rest.next_after is None
    assert {len(one["steps"]) for one in [*first.items, *rest.items]} == {1}


def test_the_roster_answers_whom_we_are_missing_in_one_query(scene: Scene) -> None:
    zones = ("America/Denver", "Pacific/Kiritimati", "Asia/Kathmandu")
    missing, met, closed, never = (
        builders.make_patient(scene.clinic_id, time_zone=zone) for zone in (*zones, "UTC")
    )
    for one in (missing, met, closed, never):
        builders.join_team(one, scene["CT"])
    now = clock.now()
    for one, ago in ((missing, 2), (met, 3), (closed, 12)):
        held(scene, "dosing", now - ago * DAY, patient=one)
    held(scene, "integration", now - 4 * DAY, patient=missing)
    held(scene, "integration", now - DAY, patient=met)
    mine = {scene.patient["id"], never["id"]}
    assert in_need(scene, window="open") == {missing["id"], met["id"]}
    assert in_need(scene, window="open", needs="integration") == {missing["id"]}
    assert in_need(scene, needs="integration") == {missing["id"], closed["id"]}
    assert in_need(scene, window="closed") == {closed["id"]}
    assert in_need(scene, window="none") == mine
    assert in_need(scene, "CN", window="open") == in_need(scene, "XT", window="open") == set()
    assert in_need(scene, window="open", q="nobody") == set()
    assert in_need(scene, window="open", status="active", q="exa") == {missing["id"], met["id"]}
    asking = asked_of_the_database(lambda: in_need(scene, window="open", needs="integration"))
    assert asking <= 3


def test_a_standing_consent_to_treatment_is_no_need(scene: Scene) -> None:
    assert in_need(scene, needs="consent") == {scene.patient["id"]}
    values = {"kind": "treatment", "text_version": "1"}
    given = consents.record_consent(scene["CT"].actor, scene.patient["id"], values)
    assert in_need(scene, needs="consent") == set()
    consents.withdraw_consent(scene["CT"].actor, given["id"])
    assert in_need(scene, needs="consent") == {scene.patient["id"]}


def test_a_patient_reads_kind_words_and_no_protocol_has_a_gap() -> None:
    texts = after_doses.words_for("en-US")["window"]
    assert set(texts) == set(protocols.PHASES)
    for words in texts.values():
        for forbidden in ("until", "left", "missed", "late", "only", "expire"):
            assert forbidden not in words.lower().replace("later", ""), words
    for phases, days in (
        ((Phase("rest", 0, 0), Phase("settling", 2, 7)), 7),
        ((Phase("rest", 0, 1), Phase("settling", 1, 7)), 7),
        ((Phase("rest", 0, 7),), 8),
        ((Phase("rest", 0, 15),), 15),
        ((Phase("thaw", 0, 7),), 7),
    ):
        with pytest.raises(ValueError, match="x:"):
            Protocol("x", 1, "", "", "", days, phases, {"en-US": {"before": [], "after": []}})


@given(
    st.lists(st.integers(0, 60), max_size=6, unique=True),
    st.integers(0, 70),
)
def test_the_window_day_counts_from_the_last_dose_whatever_came_before(
    given_on: list[int], asked: int
) -> None:
    start = date(2026, 2, 1)
    doses = tuple(
        windows.Dose(
            windows.NOBODY, datetime(2026, 2, 1, 18, tzinfo=UTC) + n * DAY, start + n * DAY
        )
        for n in sorted(given_on)
    )
    days = windows.Windows(doses, "UTC")
    since = min((asked - n for n in given_on if n <= asked), default=None)
    expected = since if since is not None and since <= 7 else None
    assert days.day(start + asked * DAY) == expected
    told = ",".join(dose.at.isoformat(" ") for dose in doses)
    assert windows.windows_told(told, "UTC").day(start + asked * DAY) == expected
