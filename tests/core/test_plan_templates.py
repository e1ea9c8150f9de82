"""Templates of check-in plans: shipped, copied, changed and followed."""

import pytest

from api import db
from api.core.outcomes import plans
from api.core.outcomes.instruments.catalogue import catalogue
from api.core.outcomes.plans import templates
from api.errors import Invalid, NotAllowed, NotFound
from tests.builders import Scene
from tests.core.planning import dose


def test_every_template_that_is_shipped_can_be_followed(scene: Scene) -> None:
    dose(scene, 3)
    for key, one in templates.shipped().items():
        values = {"template": key}
        made = plans.follow_plan_template(scene["CT"].actor, scene.patient["id"], values)["items"]
        assert len(made) == len(one["plans"]) and all(p["next_due_on"] for p in made)
        assert {p["template"] for p in made} == {key}
        assert all(not catalogue()[part["instrument"]].is_text_missing for part in one["plans"])


def test_a_clinic_copies_a_template_and_changes_it_and_plans_made_before_stay(
    scene: Scene,
) -> None:
    actor = scene["CT"].actor
    mine = plans.copy_plan_template(actor, {"copy_of": "maintenance", "title": "Ours"})
    assert mine["plans"] == templates.shipped()["maintenance"]["plans"]
    own = {"template": mine["key"]}
    before = plans.follow_plan_template(actor, scene.patient["id"], own)["items"]
    part = {"instrument": "gad-7", "rule": "every_n_days", "n": 1}
    changed = plans.change_plan_template(actor, mine["key"], 1, {"plans": [part]})
    assert changed["plans"] == [part | {"answer_within_days": 0}] and changed["version"] == 2
    after = plans.follow_plan_template(actor, scene.patient["id"], own)["items"]
    assert (len(before), len(after)) == (3, 1)
    plans.remove_plan_template(actor, mine["key"], 2)
    with pytest.raises(NotFound):
        plans.read_plan_template(actor, mine["key"])


def test_a_template_that_is_shipped_is_not_changed_and_another_clinics_is_not_there(
    scene: Scene,
) -> None:
    with pytest.raises(NotAllowed):
        plans.change_plan_template(scene["CT"].actor, "maintenance", 1, {"title": "Mine"})
    theirs = plans.copy_plan_template(scene["XT"].actor, {"copy_of": "maintenance"})
    with pytest.raises(NotFound):
        plans.read_plan_template(scene["CT"].actor, theirs["key"])
    keys = [one["key"] for one in plans.list_plan_templates(scene["CT"].actor, db.Page()).items]
    assert keys == ["induction_course", "maintenance"]


def test_a_template_is_checked_plan_by_plan(scene: Scene) -> None:
    bad = {"instrument": "gad-7", "rule": "every_n_days"}
    for values, at in (
        ({"title": "Mine"}, "/plans"),
        ({"copy_of": "nothing"}, "/copy_of"),
        ({"title": "Mine", "plans": [bad]}, "/plans/0/n"),
    ):
        with pytest.raises(Invalid) as no:
            plans.copy_plan_template(scene["CT"].actor, values)
        assert no.value.errors[0][0] == at
