"""Lineage: readable from both ends, with its orphans, and never with what is kept private."""

from typing import Any

import pytest

from api import db
from api.core.integration import lineage, practices
from api.core.integration.tables import insights as table
from api.errors import NotFound
from tests.builders import Scene
from tests.core.walking import (
    DAY,
    asked_of_the_database,
    dose,
    goal,
    insight,
    moment,
    practice,
    step,
    today,
)


def read(scene: Scene, who: str = "CT", after_days: int = 7) -> db.Values:
    """The lineage as somebody reads it."""
    return lineage.read_lineage(scene[who].actor, scene.patient["id"], after_days)


def node(found: db.Values, kind: str, row: db.Values) -> db.Values:
    """One node of it."""
    (one,) = [each for each in found[kind] if each["id"] == row["id"]]
    return one


def grown(scene: Scene, ago: int = 3) -> dict[str, db.Values]:
    """A dose, what was taken from it, and what grew from that."""
    given = dose(scene, ago)
    took = insight(scene, session_id=given["id"])
    aim = goal(scene, insight_id=took["id"], session_id=given["id"])
    of = practice(scene, aim)
    return {
        "session": given,
        "insight": took,
        "goal": aim,
        "practice": of,
        "step": step(scene, of),
        "moment": moment(scene, practice_id=of["id"], session_id=given["id"]),
    }


def age(row: db.Values, days: int) -> None:
    """The insight was written down so many days earlier."""
    earlier = row["created_at"] - days * DAY
    mine = table.c.id == row["id"]
    db.store().execute(table.update().where(mine).values(created_at=earlier))


def test_every_node_names_the_ones_before_it_and_the_ones_after_it(scene: Scene) -> None:
    made = grown(scene)
    for who in ("PS", "CT"):
        found = read(scene, who)
        ids = {kind: row["id"] for kind, row in made.items()}
        start = node(found, "sessions", made["session"])
        assert start["insight_ids"] == [ids["insight"]] and start["goal_ids"] == [ids["goal"]]
        assert start["moment_ids"] == [ids["moment"]] and start["kind"] == "dosing"
        took = node(found, "insights", made["insight"])
        assert (took["session_id"], took["goal_ids"]) == (ids["session"], [ids["goal"]])
        aim = node(found, "goals", made["goal"])
        assert (aim["insight_id"], aim["practice_ids"]) == (ids["insight"], [ids["practice"]])
        walked = node(found, "practices", made["practice"])
        assert (walked["goal_id"], walked["moment_ids"]) == (ids["goal"], [ids["moment"]])
        assert walked["trail"]["stage"] == "footprints" and walked["steps_total"] == 1
        assert walked["last_step_on"] == today(scene)
        noticed = node(found, "moments", made["moment"])
        assert (noticed["practice_id"], noticed["session_id"]) == (
            ids["practice"],
            ids["session"],
        )
        assert found["truncated"] is False and found["orphans"] == []


def test_an_insight_that_stays_without_a_practice_is_an_orphan_after_some_days(
    scene: Scene,
) -> None:
    alone, followed, only_a_goal = insight(scene), insight(scene), insight(scene)
    practice(scene, goal(scene, insight_id=followed["id"]))
    goal(scene, insight_id=only_a_goal["id"])
    assert read(scene)["orphans"] == []
    for row in (alone, followed, only_a_goal):
        age(row, 6)
    assert read(scene)["orphans"] == []
    for row in (alone, followed, only_a_goal):
        age(row, 7)
    found = read(scene)
    assert {one["id"] for one in found["orphans"]} == {alone["id"], only_a_goal["id"]}
    assert {one["reason"] for one in found["orphans"]} == {"no_practice"}
    assert node(found, "insights", alone)["orphan"] == {
        "reason": "no_practice",
        "since_on": today(scene),
    }
    assert node(found, "insights", followed)["orphan"] is None
    assert read(scene, after_days=8)["orphans"] == []
    assert len(read(scene, after_days=0)["orphans"]) == 2


def test_an_active_practice_without_a_step_since_the_window_closed_is_an_orphan(
    scene: Scene,
) -> None:
    of = practice(scene, goal(scene))
    step(scene, of, 9)
    assert read(scene)["orphans"] == [], "there was no window yet"
    dose(scene, 10)
    (orphan,) = read(scene)["orphans"]
    assert orphan == {
        "kind": "practice",
        "id": of["id"],
        "reason": "no_step_since_window",
        "since_on": today(scene) - 2 * DAY,
    }
    for status in ("paused", "familiar", "released"):
        practices.change_practice(scene["CT"].actor, of["id"], None, {"status": status})
        assert read(scene)["orphans"] == [], status
    practices.change_practice(scene["CT"].actor, of["id"], None, {"status": "active"})
    assert len(read(scene)["orphans"]) == 1
    step(scene, of, 2, kind="detour")
    assert read(scene)["orphans"] == [], "somebody wrote something down"
    other = practice(scene, goal(scene))
    assert [one["id"] for one in read(scene)["orphans"]] == [other["id"]]
    dose(scene, 1)
    assert read(scene)["orphans"] == [], "a window is open again"


def test_what_is_kept_private_is_neither_there_nor_named(scene: Scene) -> None:
    made = grown(scene)
    age(made["insight"], 30)
    for kind in ("moment", "step", "practice"):
        table_ = {"moment": "moments", "practice": "practices"}.get(kind)
        change(scene, kind, made[kind])
        found = read(scene)
        assert str(made[kind]["id"]) not in str(found), kind
        if table_:
            assert node(read(scene, "PS"), table_, made[kind])["shared_with"] == "me"
    assert read(scene)["practices"] == []
    assert [one["id"] for one in read(scene)["orphans"]] == [made["insight"]["id"]]
    assert read(scene, "PS")["orphans"] == []
    change(scene, "insight", made["insight"])
    assert node(read(scene, "PS"), "goals", made["goal"])["shared_with"] == "me", "it goes along"
    assert read(scene)["orphans"] == read(scene)["insights"] == read(scene)["goals"] == []


def change(scene: Scene, kind: str, row: db.Values) -> None:
    """The patient keeps an entry for themself."""
    from tests.core.test_sharing import CHANGE

    CHANGE[kind](scene["PS"].actor, row["id"], None, {"shared_with": "me"})


def test_a_long_lineage_costs_no_more_questions_and_ends_somewhere(
    scene: Scene, monkeypatch: Any
) -> None:
    grown(scene)
    few = asked_of_the_database(lambda: read(scene))
    for _ in range(4):
        grown(scene)
    assert asked_of_the_database(lambda: read(scene)) == few <= 12
    monkeypatch.setattr(lineage, "MOST", 3)
    found = read(scene)
    assert found["truncated"] is True and len(found["goals"]) == 3
    there = {one["id"] for one in found["practices"]}
    assert all(set(one["practice_ids"]) <= there for one in found["goals"])


def test_a_lineage_out_of_reach_is_not_there(scene: Scene) -> None:
    for who in ("PO", "CN", "XT", "XP"):
        with pytest.raises(NotFound):
            read(scene, who)
