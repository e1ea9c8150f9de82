"""Steps: weights, the patient's own day, detours and returns, what a removed one leaves."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from api import clock, config, db
from api.core.integration import steps
from api.core.integration.tables import steps as table
from api.core.patients import patients
from api.errors import Invalid, NotAllowed, NotFound, Stale
from tests.builders import Scene
from tests.core.walking import DAY, EVER, goal, practice, refused_at, step, today, trail


@pytest.fixture
def walked(scene: Scene) -> db.Values:
    """A daily practice of the patient, not walked yet."""
    return practice(scene, goal(scene))


@pytest.mark.parametrize(
    ("kind", "weight"),
    [("done", 1), ("partly", 0.5), ("prompted", 0.5), ("skipped", 0), ("detour", 0)],
)
def test_each_kind_has_its_weight(
    scene: Scene, walked: db.Values, kind: str, weight: float
) -> None:
    made = step(scene, walked, kind=kind)
    assert (made["kind"], made["weight"], made["note"]) == (kind, weight, None)
    assert made["practice"] == {"id": walked["id"], "title": "Take a breath"}
    assert made["practice_id"] == walked["id"] and made["shared_with"] == "care_team"
    assert steps.read_step(scene["CT"].actor, made["id"])["weight"] == weight


@pytest.mark.parametrize(
    ("zone", "at", "local"),
    [
        ("America/Denver", "2026-03-08T06:59:59+00:00", "2026-03-07"),
        ("America/Denver", "2026-03-08T07:00:00+00:00", "2026-03-08"),
        ("Pacific/Kiritimati", "2026-03-08T09:59:59+00:00", "2026-03-08"),
        ("Pacific/Kiritimati", "2026-03-08T10:00:00+00:00", "2026-03-09"),
        ("Pacific/Pago_Pago", "2026-03-08T10:59:59+00:00", "2026-03-07"),
        ("Asia/Kathmandu", "2026-03-07T18:15:00+00:00", "2026-03-08"),
    ],
)
def test_today_is_the_day_it_is_where_the_patient_lives(
    scene: Scene, walked: db.Values, monkeypatch: Any, zone: str, at: str, local: str
) -> None:
    lives = patients.update().where(patients.c.id == scene.patient["id"])
    db.store().execute(lives.values(time_zone=zone))
    moment, day = datetime.fromisoformat(at).astimezone(UTC), date.fromisoformat(local)
    monkeypatch.setattr(clock, "now", lambda: moment)
    actor = scene["PS"].actor
    assert steps.log_step(actor, walked["id"], {"kind": "done"})["walked_on"] == day
    for ago in (1, 90):
        values = {"kind": "done", "walked_on": day - ago * DAY}
        assert steps.log_step(actor, walked["id"], values)["walked_on"] == day - ago * DAY
    for wrong in (day + DAY, day - 91 * DAY):
        with pytest.raises(Invalid) as refusal:
            steps.log_step(actor, walked["id"], {"kind": "done", "walked_on": wrong})
        assert refused_at(refusal) == ["/walked_on"]


def test_how_far_back_is_a_setting(scene: Scene, walked: db.Values, monkeypatch: Any) -> None:
    monkeypatch.setenv("STEP_BACKDATE_DAYS", "5")
    config.settings.cache_clear()
    try:
        step(scene, walked, 5)
        with pytest.raises(Invalid):
            step(scene, walked, 6)
    finally:
        monkeypatch.undo()
        config.settings.cache_clear()


def test_a_correction_reckons_the_trail_as_if_it_had_always_been_so(
    scene: Scene, walked: db.Values
) -> None:
    kept, wrong = step(scene, walked, 1), step(scene, walked, 0)
    both = trail(scene, walked)
    after = steps.change_step(scene["PS"].actor, wrong["id"], 1, {"kind": "detour"})
    assert (after["weight"], after["version"]) == (0, 2)
    one = trail(scene, walked)
    assert one["steps_total"] == 1 and one["strength"] < both["strength"]
    steps.remove_step(scene["PS"].actor, wrong["id"], 2)
    assert trail(scene, walked) == one | {
        "detours": {"count": 0, "last_on": None, "median_return_days": None}
    }
    steps.remove_step(scene["PS"].actor, kept["id"], 1)
    empty = trail(scene, walked)
    assert (empty["strength"], empty["stage"], empty["furthest_stage"]) == (0, None, None)


def test_a_removed_step_leaves_a_tombstone(scene: Scene, walked: db.Values) -> None:
    gone, kept = step(scene, walked), step(scene, walked, 1, note="In the rain.")
    steps.remove_step(scene["PS"].actor, gone["id"], 1)
    for who in ("PS", "CT"):
        listed = steps.list_steps(scene[who].actor, walked["id"], EVER)
        assert [one["id"] for one in listed.items] == [kept["id"]]
        assert [one["id"] for one in listed.tombstones or []] == [gone["id"]]
        assert listed.synced_to is not None
        with pytest.raises(NotFound):
            steps.read_step(scene[who].actor, gone["id"])
    raw = db.store().row(select(table).where(table.c.id == gone["id"]))
    assert raw is not None and raw["deleted_at"] is not None


def test_a_step_that_lies_far_back_can_still_be_corrected(scene: Scene, walked: db.Values) -> None:
    old = step(scene, walked, 90)
    day = old["walked_on"] - 30 * DAY
    mine = table.c.id == old["id"]
    db.store().execute(table.update().where(mine).values(walked_on=day))
    same = {"walked_on": day, "kind": "partly"}
    assert steps.change_step(scene["PS"].actor, old["id"], 1, same)["kind"] == "partly"
    with pytest.raises(Invalid):
        steps.change_step(scene["PS"].actor, old["id"], 2, {"walked_on": day + DAY})


def test_only_a_skipped_step_has_a_reason_for_it(scene: Scene, walked: db.Values) -> None:
    made = step(scene, walked, kind="skipped", skip_reason="no_cue")
    with pytest.raises(Invalid) as refusal:
        step(scene, walked, skip_reason="no_cue")
    assert refused_at(refusal) == ["/skip_reason"]
    after = steps.change_step(scene["PS"].actor, made["id"], 1, {"kind": "done"})
    assert after["skip_reason"] is None


def test_a_detour_and_a_return_get_kind_words_and_nothing_else_does(
    scene: Scene, walked: db.Values
) -> None:
    assert step(scene, walked, 9)["words"] is None
    assert step(scene, walked, 8, kind="detour")["words"] == (
        "The old trail, this time. Noticing it is part of the new one."
    )
    assert step(scene, walked, 8)["words"] is None, "the same day is no return yet"
    assert step(scene, walked, 5)["words"] == "You found your way back after 3 days."
    assert step(scene, walked, 4)["words"] is None, "one return for one detour"
    step(scene, walked, 2, kind="detour")
    assert step(scene, walked, 1)["words"] == "You found your way back after 1 day."
    by_staff = step(scene, walked, 0, "CT", kind="detour")
    assert "words" not in by_staff and "reading" not in by_staff


def test_a_patient_is_told_who_reads_it(scene: Scene, walked: db.Values) -> None:
    said = step(scene, walked)["reading"]
    assert (said["by"], said["within_hours"]) == ("care_team", 72)
    assert said["watched_day_and_night"] is False and said["words"]
    assert step(scene, walked, shared_with="me")["reading"]["by"] == "nobody"
    left = patients.update().where(patients.c.id == scene.patient["id"])
    db.store().execute(left.values(status="discharged"))
    said = step(scene, walked)["reading"]
    assert (said["by"], said["within_hours"]) == ("nobody", None)
    assert "no longer in treatment" in said["words"]


def test_staff_correct_what_staff_logged(scene: Scene, walked: db.Values) -> None:
    theirs, staffs = step(scene, walked), step(scene, walked, 0, "CT")
    assert staffs["created_by"] == "clinician"
    for version in (1, 9):
        with pytest.raises(NotAllowed):
            steps.change_step(scene["CT"].actor, theirs["id"], version, {"kind": "partly"})
        with pytest.raises(NotAllowed):
            steps.remove_step(scene["CT"].actor, theirs["id"], version)
    steps.change_step(scene["CT"].actor, staffs["id"], 1, {"kind": "partly"})
    with pytest.raises(Stale):
        steps.remove_step(scene["PS"].actor, staffs["id"], 1)
    steps.remove_step(scene["PS"].actor, staffs["id"], 2)


def test_steps_are_listed_by_their_day_the_latest_first_and_by_kind(
    scene: Scene, walked: db.Values
) -> None:
    for ago, kind in ((3, "done"), (0, "detour"), (7, "done"), (3, "partly")):
        step(scene, walked, ago, kind=kind)
    actor = scene["CT"].actor
    first = steps.list_steps(actor, walked["id"], db.Page(3))
    rest = steps.list_steps(actor, walked["id"], db.Page(3, after=first.next_after))
    days = [(today(scene) - one["walked_on"]).days for one in [*first.items, *rest.items]]
    assert days == [0, 3, 3, 7] and rest.next_after is None
    done = steps.list_steps(actor, walked["id"], db.Page(), kind="done").items
    assert [(today(scene) - one["walked_on"]) / timedelta(days=1) for one in done] == [3, 7]
