"""Goal Attainment Scaling: the published vectors, its properties, and a patient's own T-score."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from api import db
from api.core.integration import goals, ratings
from api.core.integration.attainment import RHO, t_score
from api.errors import Invalid, NotAllowed, NotFound
from tests.builders import Scene
from tests.core.walking import DAY, asked_of_the_database, goal, refused_at, today

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "goal-attainment.json").read_text())
LEVELS = st.integers(-2, 2)
RATED = st.lists(st.tuples(st.integers(1, 100), LEVELS), min_size=1, max_size=8)


@pytest.mark.parametrize("vector", VECTORS["vectors"])
def test_the_published_vectors_hold(vector: Any) -> None:
    score = t_score(map(tuple, vector["goals"]), VECTORS["rho"])
    assert score is not None and round(score, 1) == vector["t"]


def test_four_goals_far_beyond_what_was_expected_score_more_than_one_does() -> None:
    assert round(t_score([(1, 2)] * 4) or 0, 2) == 79.02
    assert t_score([(1, 2)]) == 70.0


def test_without_goals_or_weights_there_is_no_score() -> None:
    assert t_score([]) is None and t_score([(0, 2), (0, -1)]) is None


@given(RATED, st.randoms(use_true_random=False), st.integers(2, 9), st.data())
def test_the_score_has_the_properties_of_the_scale(
    rated: list[tuple[int, int]], rng: Any, times: int, data: st.DataObject
) -> None:
    score = t_score(rated)
    assert score is not None
    assert t_score([(weight, 0) for weight, _ in rated]) == 50
    shuffled = [*rated]
    rng.shuffle(shuffled)
    assert t_score(shuffled) == pytest.approx(score)
    assert t_score([(weight * times, level) for weight, level in rated]) == pytest.approx(score)
    assert t_score([(weight, -level) for weight, level in rated]) == pytest.approx(100 - score)
    place = data.draw(st.integers(0, len(rated) - 1))
    weight, level = rated[place]
    if level < 2:
        raised = [*rated[:place], (weight, level + 1), *rated[place + 1 :]]
        assert (t_score(raised) or 0) > score


def rate(scene: Scene, of: db.Values, level: int, ago: int = 0) -> db.Values:
    """A goal rated by its clinician so many days ago."""
    values = {"level": level, "rated_on": today(scene) - ago * DAY}
    return ratings.rate_goal(scene["CT"].actor, of["id"], values)


def attained(scene: Scene, on: date | None = None) -> db.Values:
    """The T-score of the scene's patient."""
    return ratings.read_attainment(scene["CT"].actor, scene.patient["id"], on)


def test_the_t_score_is_that_of_the_latest_ratings_and_of_the_first(scene: Scene) -> None:
    first, second, unrated = (goal(scene) for _ in range(3))
    weigh(scene, second, 3)
    rate(scene, first, -2, 30)
    rate(scene, first, 1, 2)
    rate(scene, second, -1, 30)
    found = attained(scene)
    assert found["t_score"] == round(t_score([(1, 1), (3, -1)], RHO) or 0, 2)
    assert found["first_t_score"] == round(t_score([(1, -2), (3, -1)]) or 0, 2)
    assert found["change"] == pytest.approx(found["t_score"] - found["first_t_score"], abs=0.011)
    assert found["goals_counted"] == 2 and len(found["goals"]) == 3
    assert attained(scene, today(scene) - 10 * DAY)["t_score"] == found["first_t_score"]
    assert attained(scene, today(scene) - 40 * DAY)["t_score"] is None
    read = goals.read_goal(scene["PS"].actor, first["id"])
    assert (read["attained_level"], read["attained_on"]) == (1, today(scene) - 2 * DAY)
    rate(scene, first, -1, 5)
    assert goals.read_goal(scene["PS"].actor, first["id"])["attained_level"] == 1
    assert goals.read_goal(scene["CT"].actor, unrated["id"])["attained_level"] is None
    listed = ratings.list_ratings(scene["CT"].actor, first["id"], db.Page()).items
    assert [one["level"] for one in listed] == [1, -1, -2]
    assert listed[0]["rated_by"]["id"] == scene["CT"].user_id


def weigh(scene: Scene, of: db.Values, weight: int) -> None:
    """How much a goal counts is a clinician's to say."""
    goals.change_goal(scene["CT"].actor, of["id"], None, {"attainment_weight": weight})


def test_private_and_given_up_goals_are_not_counted(scene: Scene) -> None:
    kept, shown = goal(scene), goal(scene)
    rate(scene, kept, 2)
    rate(scene, shown, 0)
    goals.change_goal(scene["PS"].actor, kept["id"], None, {"shared_with": "me"})
    assert attained(scene)["t_score"] == 50 and str(kept["id"]) not in str(attained(scene))
    with pytest.raises(NotFound):
        rate(scene, kept, 1)
    given_up = {"lifecycle_status": "cancelled"}
    goals.change_goal(scene["CT"].actor, shown["id"], None, given_up)
    assert attained(scene)["t_score"] is None and attained(scene)["goals"] == []


def test_a_patient_neither_rates_nor_weighs_and_no_rating_lies_ahead(scene: Scene) -> None:
    of = goal(scene)
    for asking in (
        lambda: ratings.rate_goal(scene["PS"].actor, of["id"], {"level": 2}),
        lambda: ratings.read_attainment(scene["PS"].actor, scene.patient["id"]),
    ):
        with pytest.raises(NotAllowed):
            asking()
    with pytest.raises(Invalid) as refusal:
        goals.change_goal(scene["PS"].actor, of["id"], None, {"attainment_weight": 5})
    assert refused_at(refusal) == ["/attainment_weight"]
    with pytest.raises(Invalid) as refusal:
        rate(scene, of, 1, -1)
    assert refused_at(refusal) == ["/rated_on"]


def test_many_rated_goals_cost_no_more_questions(scene: Scene) -> None:
    rate(scene, goal(scene), 1)
    few = asked_of_the_database(lambda: attained(scene))
    for _ in range(4):
        rate(scene, goal(scene), 1)
    assert asked_of_the_database(lambda: attained(scene)) == few <= 4


def test_the_parts_of_a_goal_are_kept_word_by_word_and_merged(scene: Scene) -> None:
    told = {
        "old_trail": {"cue": "The phone ", "response": "Yes to all", "cost": "My evening"},
        "new_trail": {"response": "Breathe", "smallest_step": "One breath"},
        "if_then_plan": "If the phone rings, then I will breathe once.",
        "confidence": 0,
        "obstacles": "Tired.",
        "coping_plan": "Call back.",
        "support_person": "Bea",
        "review_on": today(scene) + 30 * DAY,
        "attainment_levels": {"expected": "Twice a week"},
    }
    made = goal(scene, **told)
    assert made["old_trail"] == {**told["old_trail"], "short_term_payoff": None}
    assert made["confidence"] == 0 and made["review_on"] == told["review_on"]
    change = {"old_trail": {"short_term_payoff": "Peace", "cost": None}, "new_trail": None}
    after = goals.change_goal(scene["PS"].actor, made["id"], 1, change)
    assert after["old_trail"] == {
        "cue": "The phone ",
        "response": "Yes to all",
        "short_term_payoff": "Peace",
        "cost": None,
    }
    assert after["new_trail"] is None and after["attainment_levels"]["expected"] == "Twice a week"
    same = ("if_then_plan", "obstacles", "coping_plan", "support_person", "confidence")
    assert {name: after[name] for name in same} == {name: told[name] for name in same}
    emptied = {"attainment_levels": {"expected": None}}
    last = goals.change_goal(scene["PS"].actor, made["id"], 2, emptied)
    assert last["attainment_levels"] is None
