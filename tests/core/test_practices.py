"""Practices: least body, dated status that can be undone, and what the steps add up to."""

from datetime import timedelta
from typing import Any

import pytest

from api import db
from api.config import settings
from api.core.integration import practices
from api.core.integration.trail import FORMULA, Params, Pause, Walk, strength
from api.errors import Invalid, NotFound, Stale
from tests.builders import Scene
from tests.core.walking import (
    DAY,
    asked_of_the_database,
    goal,
    moment,
    practice,
    refused_at,
    step,
    today,
    trail,
)

UNTROD = {"strength": 0.0, "stage": None, "furthest_stage": None}


@pytest.fixture
def walked(scene: Scene) -> db.Values:
    """A daily practice of the patient, not walked yet."""
    return practice(scene, goal(scene))


def set_status(scene: Scene, of: db.Values, status: str, who: str = "PS", **more: Any) -> db.Values:
    """The practice with another status, whatever its version."""
    values = {"status": status} | more
    return practices.change_practice(scene[who].actor, of["id"], None, values)


def test_the_new_trail_alone_is_enough(scene: Scene) -> None:
    under = goal(scene)
    made = practice(scene, under, new_trail="Breathe out first")
    assert made["title"] == made["new_trail"] == "Breathe out first"
    assert (made["interval_days"], made["status"], made["status_from_on"]) == (1, "active", None)
    assert [made[name] for name in ("cue", "old_trail", "smallest_step")] == [None] * 3
    assert made["goal"] == {"id": under["id"], "title": "Say no kindly"}
    assert made["goal_id"] == under["id"] and made["trail"] == UNTROD
    named = practices.change_practice(scene["PS"].actor, made["id"], 1, {"title": "Breath"})
    assert named["title"] == "Breath"
    cleared = practices.change_practice(scene["PS"].actor, made["id"], 2, {"title": None})
    assert cleared["title"] == "Breathe out first"


def test_a_practice_that_waits_for_its_cue_is_reckoned_as_a_fortnight(scene: Scene) -> None:
    made = practice(scene, goal(scene), interval_days=None)
    assert made["interval_days"] is None
    for ago in (60, 31, 30):
        step(scene, made, ago)
    walks = [Walk(today(scene) - ago * DAY, 1.0) for ago in (60, 31, 30)]
    expected = strength(walks, [], today(scene), Params(interval_days=14))
    assert trail(scene, made)["strength"] == round(expected, 6)


def test_sixteen_days_in_a_row_are_half_way(scene: Scene, walked: db.Values) -> None:
    for ago in range(16):
        step(scene, walked, ago)
    read = trail(scene, walked)
    assert read["strength"] == 0.516275
    assert (read["stage"], read["furthest_stage"]) == ("path", "path")
    assert (read["formula"], read["steps_total"], read["on"]) == (FORMULA, 16, today(scene))
    assert read["detours"] == {"count": 0, "last_on": None, "median_return_days": None}
    assert read["moments_count"] == 0 and read["words"]
    assert [point["on"] for point in read["curve"]] == [
        today(scene) - n * DAY for n in reversed(range(16))
    ]
    assert read["curve"][-1]["strength"] == 0.516275
    assert read["practice"] == {"id": walked["id"], "title": "Take a breath"}
    summed = practices.read_practice(scene["CT"].actor, walked["id"])["trail"]
    assert summed == {name: read[name] for name in UNTROD}


def test_an_earlier_day_is_read_as_it_was_and_a_later_one_not_at_all(
    scene: Scene, walked: db.Values
) -> None:
    for ago in (5, 0):
        step(scene, walked, ago)
    moment(scene, practice_id=walked["id"])
    then = trail(scene, walked, on=today(scene) - 3 * DAY)
    assert (then["steps_total"], then["moments_count"]) == (1, 0)
    before = trail(scene, walked, on=today(scene) - 9 * DAY)
    assert {name: before[name] for name in UNTROD} == UNTROD
    with pytest.raises(Invalid) as refusal:
        trail(scene, walked, on=today(scene) + DAY)
    assert refused_at(refusal) == ["/on"]


def test_the_furthest_stage_stays_and_the_words_say_nothing_of_a_loss(
    scene: Scene, walked: db.Values
) -> None:
    for ago in range(41, 59):
        step(scene, walked, ago)
    read = trail(scene, walked)
    assert (read["stage"], read["furthest_stage"]) == ("track", "path")
    assert "further before" in read["words"]


def test_moments_are_counted_and_never_weighed(scene: Scene, walked: db.Values) -> None:
    step(scene, walked)
    before = trail(scene, walked)
    moment(scene, practice_id=walked["id"])
    moment(scene, practice_id=walked["id"], happened_on=today(scene) - 5 * DAY)
    moment(scene)
    assert trail(scene, walked) == before | {"moments_count": 2}


def test_skipping_and_detours_add_nothing_and_are_no_stage(scene: Scene, walked: db.Values) -> None:
    step(scene, walked, 4, kind="detour")
    step(scene, walked, 3, kind="skipped")
    read = trail(scene, walked)
    assert {name: read[name] for name in UNTROD} == UNTROD and read["steps_total"] == 0
    step(scene, walked, 1)
    step(scene, walked, 0, kind="detour")
    read = trail(scene, walked)
    assert read["stage"] == "footprints" and read["steps_total"] == 1
    assert read["detours"] == {"count": 2, "last_on": today(scene), "median_return_days": 3}


@pytest.mark.parametrize("who", ["PS", "CT"])
def test_a_status_is_dated_and_can_be_undone_by_patient_and_therapist(
    scene: Scene, walked: db.Values, who: str
) -> None:
    version = 1
    for status in ("paused", "active", "familiar", "released", "active"):
        values = {"status": status}
        after = practices.change_practice(scene[who].actor, walked["id"], version, values)
        assert (after["status"], after["status_from_on"]) == (status, today(scene))
        version = after["version"]
    with pytest.raises(Stale):
        practices.change_practice(scene[who].actor, walked["id"], 1, {"status": "paused"})


@pytest.mark.parametrize("status", ["paused", "familiar"])
def test_the_trail_stands_still_while_nothing_is_asked(
    scene: Scene, walked: db.Values, status: str
) -> None:
    day = today(scene)
    for ago in range(60, 70):
        step(scene, walked, ago)
    set_status(scene, walked, status, status_from_on=day - 59 * DAY)
    assert trail(scene, walked)["strength"] == trail(scene, walked, on=day - 60 * DAY)["strength"]
    set_status(scene, walked, "active", status_from_on=day - 20 * DAY)
    walks = [Walk(day - ago * DAY, 1.0) for ago in range(60, 70)]
    expected = strength(walks, [Pause(day - 59 * DAY, day - 20 * DAY)], day)
    assert trail(scene, walked)["strength"] == round(expected, 6)
    assert expected < strength(walks, [], day - 60 * DAY)


def test_a_released_practice_is_reckoned_on(scene: Scene, walked: db.Values) -> None:
    step(scene, walked, 80)
    plain = trail(scene, walked)["strength"]
    set_status(scene, walked, "released", status_from_on=today(scene) - 79 * DAY)
    assert trail(scene, walked)["strength"] == plain


def test_a_status_holds_neither_ahead_nor_before_the_last_nor_too_long_ago(
    scene: Scene, walked: db.Values
) -> None:
    day = today(scene)
    oldest = timedelta(days=settings().backdate_days)
    for told in (day + DAY, day - oldest - DAY):
        with pytest.raises(Invalid) as refusal:
            set_status(scene, walked, "paused", status_from_on=told)
        assert refused_at(refusal) == ["/status_from_on"]
    set_status(scene, walked, "paused", status_from_on=day - 5 * DAY)
    for status, told in (("active", day - 6 * DAY), ("paused", day)):
        with pytest.raises(Invalid):
            set_status(scene, walked, status, status_from_on=told)
    assert set_status(scene, walked, "active", status_from_on=day - 5 * DAY)["status"] == "active"


def test_a_practice_of_somebody_else_is_not_found(scene: Scene, walked: db.Values) -> None:
    for who in ("PO", "CN", "XT", "XP"):
        actor = scene[who].actor
        for asking in (
            lambda a=actor: practices.read_practice(a, walked["id"]),
            lambda a=actor: practices.read_trail(a, walked["id"]),
            lambda a=actor: practices.change_practice(a, walked["id"], 1, {"cue": "x"}),
            lambda a=actor: practices.list_practices(a, walked["goal_id"], db.Page()),
            lambda a=actor: practices.start_practice(a, walked["goal_id"], {"new_trail": "x"}),
        ):
            with pytest.raises(NotFound):
                asking()


def test_a_long_list_with_trails_costs_no_more_questions(scene: Scene) -> None:
    under = goal(scene)

    def asking() -> Any:
        return practices.list_practices(scene["CT"].actor, under["id"], db.Page(100))

    def add() -> None:
        made = practice(scene, under)
        step(scene, made)
        set_status(scene, made, "paused")

    add()
    few = asked_of_the_database(asking)
    for _ in range(5):
        add()
    assert asked_of_the_database(asking) == few <= 8
    listed = asking().items
    assert len(listed) == 6 and {one["trail"]["stage"] for one in listed} == {"footprints"}
    paused = practices.list_practices(scene["CT"].actor, under["id"], db.Page(), status="active")
    assert paused.items == []


def test_reading_a_trail_costs_the_same_however_long_it_is(scene: Scene, walked: db.Values) -> None:
    step(scene, walked)
    few = asked_of_the_database(lambda: trail(scene, walked))
    for ago in range(1, 9):
        step(scene, walked, ago)
    assert asked_of_the_database(lambda: trail(scene, walked)) == few <= 8


@pytest.mark.parametrize("new_trail", ["a" * 2000, "Breathe out.\nThen\tspeak \u202eslowly."])
def test_the_title_that_is_read_can_be_written_back(
    app: Any, call: Any, scene: Scene, new_trail: str
) -> None:
    with db.transaction():
        made = practice(scene, goal(scene), new_trail=new_trail)
    path = f"/practices/{made['id']}"
    title = call("PS").get(path).json["title"]
    again = call("PS").patch(path, {"title": title}, 1)
    assert again.status_code == 200 and again.json["title"] == title
    assert again.json["new_trail"] == new_trail
