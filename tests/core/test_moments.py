"""Moments: noticed without being asked for, hung on a practice or on none, kept word by word."""

from typing import Any
from uuid import uuid4

import pytest

from api import clock, db
from api.core.integration import moments, practices
from api.errors import Invalid, NotAllowed, NotFound
from tests import builders
from tests.builders import Scene
from tests.core.walking import (
    DAY,
    EVER,
    asked_of_the_database,
    goal,
    moment,
    practice,
    refused_at,
    today,
)


def test_the_text_alone_is_enough_and_whoever_writes_noticed_it_now(scene: Scene) -> None:
    before = clock.now()
    made = moment(scene)
    assert made["text"] == "I laughed instead." and made["noticed_by"] == "patient"
    assert before <= made["noticed_at"] <= clock.now()
    optional = ("happened_on", "hindsight", "practice", "practice_id", "session_id")
    assert [made[name] for name in optional] == [None] * len(optional)
    assert made["reading"]["by"] == "care_team" and made["shared_with"] == "care_team"
    assert moment(scene, "CT")["noticed_by"] == "clinician"
    assert moment(scene, "CT", noticed_by="companion")["noticed_by"] == "companion"


def test_a_moment_names_its_practice_and_can_be_hung_elsewhere(scene: Scene) -> None:
    under = goal(scene)
    one, other = practice(scene, under), practice(scene, under, title="Breath")
    made = moment(scene, practice_id=one["id"], hindsight=True)
    assert made["practice"] == {"id": one["id"], "title": "Take a breath"}
    after = moments.change_moment(scene["PS"].actor, made["id"], 1, {"practice_id": other["id"]})
    assert after["practice"] == {"id": other["id"], "title": "Breath"} and after["hindsight"]
    free = moments.change_moment(scene["PS"].actor, made["id"], 2, {"practice_id": None})
    assert free["practice"] is None and free["practice_id"] is None


def test_a_moment_lies_not_ahead(scene: Scene) -> None:
    for name, value in (
        ("happened_on", today(scene) + DAY),
        ("noticed_at", clock.now() + DAY),
    ):
        with pytest.raises(Invalid) as refusal:
            moment(scene, **{name: value})
        assert refused_at(refusal) == [f"/{name}"]
    assert moment(scene, happened_on=today(scene))["happened_on"] == today(scene)


def test_a_practice_or_session_of_somebody_else_is_like_none(scene: Scene) -> None:
    builders.join_team(scene.other_patient, scene["CT"])
    theirs = practices.start_practice(
        scene["PO"].actor, builders.make_goal(scene.other_patient)["id"], {"new_trail": "Theirs"}
    )
    session = builders.make_session(scene.other_patient, scene["CT"])
    made = moment(scene, "CT")

    def said(values: dict[str, Any]) -> list[Any]:
        found = []
        for asking in (
            lambda: moment(scene, "CT", **values),
            lambda: moment(scene, "PS", **values),
            lambda: moments.change_moment(scene["CT"].actor, made["id"], 1, values),
        ):
            with pytest.raises(Invalid) as refusal:
                asking()
            found.append(refusal.value.errors)
        return found

    for name, there in (("practice_id", theirs["id"]), ("session_id", session["id"])):
        assert said({name: there}) == said({name: uuid4()})


def test_a_removed_moment_leaves_a_tombstone_and_is_its_writers_to_remove(scene: Scene) -> None:
    theirs, staffs = moment(scene), moment(scene, "CT")
    for version in (1, 3):
        with pytest.raises(NotAllowed):
            moments.remove_moment(scene["CT"].actor, theirs["id"], version)
        with pytest.raises(NotAllowed):
            moments.change_moment(scene["CT"].actor, theirs["id"], version, {"text": "Mine."})
    moments.remove_moment(scene["PS"].actor, theirs["id"], 1)
    listed = moments.list_moments(scene["CT"].actor, scene.patient["id"], EVER)
    assert [one["id"] for one in listed.items] == [staffs["id"]]
    assert [one["id"] for one in listed.tombstones or []] == [theirs["id"]]
    with pytest.raises(NotFound):
        moments.read_moment(scene["PS"].actor, theirs["id"])


def test_a_list_is_narrowed_and_costs_no_more_questions(scene: Scene) -> None:
    under = goal(scene)

    def asking(**equal: Any) -> list[Any]:
        actor, chart = scene["CT"].actor, scene.patient["id"]
        return moments.list_moments(actor, chart, db.Page(100), **equal).items

    one = practice(scene, under)
    made = moment(scene, practice_id=one["id"])
    few = asked_of_the_database(asking)
    for _ in range(4):
        moment(scene, practice_id=practice(scene, under)["id"])
    assert asked_of_the_database(asking) == few <= 6 and len(asking()) == 5
    assert [m["id"] for m in asking(practice_id=one["id"])] == [made["id"]]
    assert asking(session_id=uuid4()) == []
