"""How long a window is: as the version of the protocol says that the dose's session began with."""

from typing import Any

import pytest
from sqlalchemy import select

from api import db
from api.core import after_doses, roster, worklist
from api.core.patients import patients
from api.core.treatment import dosing, protocols, windows
from api.errors import Invalid
from tests import builders
from tests.builders import Scene
from tests.core.dosing import under_way
from tests.core.walking import DAY, dose, held, noon, today

KEY = "ketamine_iv_im"
SHORT = {
    "days": 3,
    "phases": [
        {"phase": "rest", "from_day": 0, "to_day": 0},
        {"phase": "fresh_snow", "from_day": 1, "to_day": 3},
    ],
}
LONG = {"days": 14, "phases": [{"phase": "settling", "from_day": 0, "to_day": 14}]}


def approved(scene: Scene, window: Any) -> db.Values:
    """What a session keeps that begins with a version of the clinic's own with this window."""
    with db.transaction():
        one, other = (
            builders.make_person(scene.clinic_id, privileges=["direct"]) for _ in range(2)
        )
        made = protocols.draft_protocol_version(one.actor, KEY, {"window": window})
        protocols.approve_protocol_version(other.actor, KEY, str(made["version"]))
    with db.transaction():
        fixed = dosing.protocol_fixed(under_way(scene, hours=0))
        db.store().rollback()
    return fixed


def dosed(scene: Scene, ago: int, **began_with: Any) -> db.Values:
    """Another patient, with a dose so many days ago."""
    one = builders.make_patient(
        scene.clinic_id, time_zone=scene.patient["time_zone"], status="active"
    )
    builders.join_team(one, scene["CT"])
    held(scene, "dosing", noon(scene, ago), patient=one, **began_with)
    return one


def test_a_session_keeps_how_long_the_window_is_with_its_version(scene: Scene) -> None:
    fixed = approved(scene, SHORT)
    assert fixed == {"protocol_key": KEY, "protocol_version": 2, "window_days": 3}
    held(scene, "dosing", noon(scene, 2), **fixed)
    days = windows.windows_of(scene.patient)
    on = today(scene)
    assert [days.day(on + n * DAY) for n in (-2, 0, 1, 2)] == [0, 2, 3, None]
    assert [days.phase(on + n * DAY) for n in (-2, 0, 2)] == ["rest", "fresh_snow", "closed"]
    [told] = after_doses.list_windows(scene["CT"].actor, scene.patient["id"], db.Page()).items
    assert told["closes_on"] == on + DAY and told["protocol"] == {"key": KEY, "version": 2}
    assert [one["phase"] for one in told["phases"]] == ["rest", "fresh_snow"]


def test_the_windows_of_before_stay_as_long_as_they_were(scene: Scene) -> None:
    dose(scene, 30)
    fixed = approved(scene, SHORT)
    held(scene, "dosing", noon(scene, 10), **fixed)
    days, on = windows.windows_of(scene.patient), today(scene)
    assert [days.day(on - n * DAY) for n in (23, 22, 7, 6)] == [7, None, 3, None]


@pytest.mark.parametrize("ago", [0, 3, 4, 7, 8, 14, 15])
def test_lists_find_the_windows_that_are_open_whatever_their_length(scene: Scene, ago: int) -> None:
    short, long = approved(scene, SHORT), approved(scene, LONG)
    with db.transaction():
        there = [dosed(scene, ago, **began_with) for began_with in ({}, short, long)]
    expected = {one["id"] for one, days in zip(there, (7, 3, 14), strict=True) if ago <= days}
    ids = {one["id"] for one in there}
    with db.transaction():
        asked = db.Page(100)
        found = roster.list_patients_in_need(scene["CT"].actor, asked, window="open").items
    assert {row["id"] for row in found} & ids == expected
    with db.transaction():
        rows = worklist.list_worklist(scene["CT"].actor, db.Page(100)).items
    why = {row["patient"]["id"]: {one["code"] for one in row["reasons"]} for row in rows}
    waits = {one for one in ids if "window_without_integration" in why.get(one, set())}
    assert waits == expected
    for one in there:
        assert (windows.windows_of(one).now is not None) == (one["id"] in expected)


def test_a_hot_read_reckons_with_the_same_lengths(scene: Scene) -> None:
    dose(scene, 30)
    held(scene, "dosing", noon(scene, 10), **approved(scene, LONG))
    p = patients.c
    asked = select(windows.doses_told(p.clinic_id, p.id)).where(p.id == scene.patient["id"])
    told = db.store().execute(asked).scalar()
    days, hot = windows.windows_of(scene.patient), windows.windows_told(told, days_zone(scene))
    on = today(scene)
    for n in range(31):
        assert hot.day(on - n * DAY) == days.day(on - n * DAY)
    assert hot.day(on) == 10


def days_zone(scene: Scene) -> str:
    """Where the scene's patient lives."""
    zone: str = scene.patient["time_zone"]
    return zone


@pytest.mark.parametrize(
    "window",
    [
        {"days": 4, "phases": SHORT["phases"]},
        {"days": 3, "phases": SHORT["phases"][1:]},
        {"days": 3, "phases": [*SHORT["phases"], {"phase": "rest", "from_day": 3, "to_day": 3}]},
        {"days": 15, "phases": [{"phase": "rest", "from_day": 0, "to_day": 15}]},
    ],
)
def test_a_window_with_a_gap_or_of_a_length_that_nobody_may_set_is_refused(
    scene: Scene, window: Any
) -> None:
    with db.transaction():
        one = builders.make_person(scene.clinic_id, privileges=["direct"])
    with pytest.raises(Invalid), db.transaction():
        protocols.draft_protocol_version(one.actor, KEY, {"window": window})
    with db.transaction():
        known = protocols.read_protocol(scene["CT"].actor, KEY)
    assert known["window"]["days"] == 7 and len(known["versions"]) == 1


def test_who_has_both_is_judged_by_the_last(scene: Scene) -> None:
    """An earlier, longer window is over when a dose with a shorter one restarts it."""
    short, long = approved(scene, SHORT), approved(scene, LONG)
    with db.transaction():
        one = dosed(scene, 9, **long)
        held(scene, "dosing", noon(scene, 5), patient=one, **short)
    with db.transaction():
        found = roster.list_patients_in_need(scene["CT"].actor, db.Page(100), window="open").items
    assert one["id"] not in {row["id"] for row in found}
    assert windows.windows_of(one).now is None
