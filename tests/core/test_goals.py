"""Insights and goals: least bodies, FHIR's two states, what they grew from, who changes what."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Table, select

from api import db
from api.core.integration import goals, insights, tables
from api.errors import Invalid, NotAllowed, NotFound, Stale
from tests import builders
from tests.builders import Scene
from tests.core.walking import (
    asked_of_the_database,
    goal,
    insight,
    moment,
    practice,
    refused_at,
    step,
)


def test_a_goal_needs_a_title_and_a_category_and_starts_in_progress(scene: Scene) -> None:
    made = goal(scene)
    assert (made["lifecycle_status"], made["achievement_status"]) == ("active", "in_progress")
    assert (made["shared_with"], made["created_by"], made["version"]) == (
        "care_team",
        "patient",
        1,
    )
    assert made["patient"] == {"id": scene.patient["id"], "display_name": "Ada Example"}
    optional = ("intention", "matters_because", "answers_prompt", "session_id", "insight_id")
    assert [made[name] for name in optional] == [None] * len(optional)


def test_what_a_goal_is_for_is_kept_word_by_word(scene: Scene) -> None:
    told = {
        "title": " Nein sagen – freundlich ",
        "intention": "So that I'm there\nin the evening.",
        "matters_because": "My children.",
        "answers_prompt": "what_to_practise",
    }
    made = goal(scene, **told)
    read = goals.read_goal(scene["CT"].actor, made["id"])
    assert {name: read[name] for name in told} == told


def test_both_states_are_words_of_fhir() -> None:
    assert set(tables.LIFECYCLE) == {
        *("proposed", "planned", "accepted", "active", "on_hold", "completed"),
        *("cancelled", "entered_in_error", "rejected"),
    }
    assert set(tables.ACHIEVEMENT) == {
        *("in_progress", "improving", "worsening", "no_change", "achieved", "sustaining"),
        *("not_achieved", "no_progress", "not_attainable"),
    }


def test_how_far_a_goal_has_come_is_a_clinicians_to_say(scene: Scene) -> None:
    made = goal(scene)
    for name, value in (
        ("lifecycle_status", "entered_in_error"),
        ("achievement_status", "achieved"),
        ("clinician_comment", "Good."),
    ):
        with pytest.raises(Invalid) as refusal:
            goals.change_goal(scene["PS"].actor, made["id"], 1, {name: value})
        assert refused_at(refusal) == [f"/{name}"]
        with pytest.raises(Invalid):
            goal(scene, **{name: value})
    values = {"lifecycle_status": "on_hold", "achievement_status": "improving"}
    after = goals.change_goal(scene["CT"].actor, made["id"], 1, values)
    assert {name: after[name] for name in values} == values and after["version"] == 2


@pytest.mark.parametrize("shared_with", ["me", "care_team"])
def test_a_goal_that_the_patient_set_is_theirs_to_rest_and_to_end(
    scene: Scene, shared_with: str
) -> None:
    made, version = goal(scene, shared_with=shared_with), 1
    for status in ("on_hold", "active", "completed", "cancelled"):
        values = {"lifecycle_status": status}
        after = goals.change_goal(scene["PS"].actor, made["id"], version, values)
        assert (after["lifecycle_status"], after["version"]) == (status, version + 1)
        version = after["version"]


def test_a_goal_that_a_clinician_set_is_not_the_patients_to_end(scene: Scene) -> None:
    made = goal(scene, "CT")
    with pytest.raises(Invalid) as refusal:
        values = {"lifecycle_status": "completed"}
        goals.change_goal(scene["PS"].actor, made["id"], 1, values)
    assert refused_at(refusal) == ["/lifecycle_status"]


def test_what_a_goal_grew_from_is_of_the_same_patient_or_not_told_apart_from_nothing(
    scene: Scene,
) -> None:
    builders.join_team(scene.other_patient, scene["CT"])
    theirs = insights.note_insight(scene["PO"].actor, scene.other_patient["id"], {"text": "Mine."})
    session = builders.make_session(scene.other_patient, scene["CT"])
    own = builders.make_session(scene.patient, scene["CT"])
    for who in ("PS", "CT"):
        said = []
        for name, value in (
            ("insight_id", theirs["id"]),
            ("insight_id", uuid4()),
            ("session_id", session["id"]),
            ("session_id", uuid4()),
        ):
            with pytest.raises(Invalid) as refusal:
                goal(scene, who, **{name: value})
            said.append(refusal.value.errors)
        assert said[0] == said[1] and said[2] == said[3]
        assert said[0][0][0] == "/insight_id" and said[2][0][0] == "/session_id"
    grew = insight(scene, session_id=own["id"])
    made = goal(scene, insight_id=grew["id"], session_id=own["id"])
    assert (made["insight_id"], made["session_id"]) == (grew["id"], own["id"])


def test_an_insight_that_went_is_named_no_more(scene: Scene) -> None:
    grew = insight(scene)
    made = goal(scene, insight_id=grew["id"])
    insights.remove_insight(scene["PS"].actor, grew["id"], 1)
    assert goals.read_goal(scene["PS"].actor, made["id"])["insight_id"] is None
    with pytest.raises(NotFound):
        insights.read_insight(scene["PS"].actor, grew["id"])


def test_the_patients_own_words_are_theirs_to_change(scene: Scene) -> None:
    theirs, staffs = insight(scene), insight(scene, "CT", text="Noted in the session.")
    for version in (1, 7):
        with pytest.raises(NotAllowed):
            insights.change_insight(scene["CT"].actor, theirs["id"], version, {"text": "Other."})
        with pytest.raises(NotAllowed):
            insights.remove_insight(scene["CT"].actor, theirs["id"], version)
    assert staffs["created_by"] == "clinician" and "reading" not in staffs
    changed = insights.change_insight(scene["CT"].actor, staffs["id"], 1, {"text": "Put well."})
    assert changed["text"] == "Put well." and changed["created_by"] == "clinician"
    with pytest.raises(NotAllowed):
        insights.change_insight(scene["PS"].actor, staffs["id"], 2, {"text": "Not so."})
    with pytest.raises(Stale):
        insights.change_insight(scene["CT"].actor, staffs["id"], 1, {"text": "Twice."})


def test_a_list_is_narrowed_and_walked_newest_first(scene: Scene) -> None:
    made = [goal(scene, category=name) for name in ("nature", "creativity", "nature")]
    actor, chart = scene["CT"].actor, scene.patient["id"]
    listed = goals.list_goals(actor, chart, db.Page(), category="nature").items
    assert [one["id"] for one in listed] == [made[2]["id"], made[0]["id"]]
    first = goals.list_goals(actor, chart, db.Page(2))
    rest = goals.list_goals(actor, chart, db.Page(2, after=first.next_after))
    assert [one["id"] for one in [*first.items, *rest.items]] == [g["id"] for g in made[::-1]]
    assert rest.next_after is None


def test_a_long_list_costs_no_more_questions(scene: Scene) -> None:
    def asking() -> Any:
        return goals.list_goals(scene["CT"].actor, scene.patient["id"], db.Page(100))

    goal(scene, insight_id=insight(scene)["id"])
    few = asked_of_the_database(asking)
    for _ in range(5):
        goal(scene, insight_id=insight(scene)["id"])
    assert asked_of_the_database(asking) == few <= 6
    assert len(asking().items) == 6


TEXTS = {
    tables.insights: ("text",),
    tables.goals: (
        *("title", "intention", "matters_because", "patient_comment", "clinician_comment"),
        *("if_then_plan", "obstacles", "coping_plan", "support_person"),
    ),
    tables.practices: ("title", "cue", "old_trail", "new_trail", "smallest_step"),
    tables.steps: ("note",),
    tables.moments: ("text",),
}


@pytest.mark.parametrize("table", TEXTS, ids=lambda table: str(table.name))
def test_free_text_lies_sealed_in_the_database(scene: Scene, table: Table) -> None:
    secret = "Snowdrop under the lamp"
    texts = dict.fromkeys(TEXTS[table], secret)
    clinical = (
        {"clinician_comment": texts.pop("clinician_comment")} if table is tables.goals else {}
    )
    made = {
        tables.insights: lambda: insight(scene, **texts),
        tables.goals: lambda: goal(scene, **texts),
        tables.practices: lambda: practice(scene, goal(scene), **texts),
        tables.steps: lambda: step(scene, practice(scene, goal(scene)), **texts),
        tables.moments: lambda: moment(scene, **texts),
    }[table]()
    if clinical:
        made = goals.change_goal(scene["CT"].actor, made["id"], 1, clinical)
    raw = db.store().row(select(table).where(table.c.id == made["id"]))
    assert raw is not None
    for name in TEXTS[table]:
        assert made[name] == secret
        assert raw[name] is not None and "Snowdrop" not in raw[name], name
    assert "Snowdrop" not in str(raw)


def test_a_goal_under_an_insight_of_ones_own_is_ones_own_too(scene: Scene) -> None:
    kept, told = insight(scene, shared_with="me"), insight(scene)
    made = goal(scene, insight_id=kept["id"], shared_with="care_team")
    assert made["shared_with"] == "me"
    actor = scene["PS"].actor
    shared = goals.change_goal(actor, made["id"], 1, {"shared_with": "care_team"})
    assert shared["shared_with"] == "me"
    elsewhere = {"insight_id": told["id"], "shared_with": "care_team"}
    assert goals.change_goal(actor, made["id"], 2, elsewhere)["shared_with"] == "care_team"
    back = goals.change_goal(actor, made["id"], 3, {"insight_id": kept["id"]})
    assert back["shared_with"] == "me"
    staffs = goal(scene, "CT")
    with pytest.raises(Invalid) as refusal:
        goals.change_goal(actor, staffs["id"], 1, {"insight_id": kept["id"]})
    assert refused_at(refusal) == ["/insight_id"]


def test_a_goal_whose_insight_is_gone_is_still_shared_as_the_patient_says(scene: Scene) -> None:
    kept = insight(scene, shared_with="me")
    made = goal(scene, insight_id=kept["id"])
    insights.remove_insight(scene["PS"].actor, kept["id"], 1)
    values = {"shared_with": "care_team"}
    assert goals.change_goal(scene["PS"].actor, made["id"], 1, values)["shared_with"] == "care_team"
