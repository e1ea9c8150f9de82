"""Outcomes: the series of complete check-ins, oldest first."""

from datetime import timedelta
from typing import Any

import pytest

from api import clock, db
from api.core.outcomes import checkins, series
from api.core.outcomes.checkins import add_check_in
from api.core.outcomes.series import read_outcomes
from api.errors import Invalid
from tests.builders import Scene


def gad7(scene: Scene, days_ago: int, value: int | None, **more: Any) -> db.Values:
    """A complete GAD-7 of some days ago, every item answered alike."""
    answers = {f"gad7-{n}": value for n in range(1, 8)}
    at = clock.now() - timedelta(days=days_ago)
    values = {"instrument": "gad-7", "answers": answers, "answered_at": at, **more}
    return add_check_in(scene.clinic_id, scene.patient["id"], values)


def read(scene: Scene, who: str = "CT", instrument: str | None = "gad-7") -> db.Values:
    return read_outcomes(scene[who].actor, scene.patient["id"], instrument)


def test_a_series_is_told_oldest_first_and_the_incomplete_has_no_total(scene: Scene) -> None:
    rows = [gad7(scene, 3, 0, source="import"), gad7(scene, 30, 3), gad7(scene, 10, None)]
    told = read(scene)
    assert told["instrument"] == "gad-7"
    assert [point["total"] for point in told["series"]] == [21, None, 0]
    assert [point["band"] for point in told["series"]] == ["severe", None, "minimal"]
    assert told["series"][2] == {
        "checkin_id": rows[0]["id"],
        "answered_at": rows[0]["answered_at"],
        "answered_on": rows[0]["answered_on"],
        "source": "import",
        "total": 0,
        "band": "minimal",
    }


def test_drafts_are_no_outcome(scene: Scene) -> None:
    values = {"instrument": "gad-7", "answers": {"gad7-1": 1}}
    checkins.log_checkin(scene["CT"].actor, scene.patient["id"], values)
    assert read(scene)["series"] == []
    assert read(scene, instrument=None) == {"instruments": []}


def test_without_an_instrument_every_series_shows_its_last_point(scene: Scene) -> None:
    gad7(scene, 30, 3)
    last = gad7(scene, 3, 1)
    phq = {"instrument": "phq-9", "answers": {}}
    add_check_in(scene.clinic_id, scene.patient["id"], phq)
    gad, nine = read(scene, instrument=None)["instruments"]
    assert (gad["instrument"], gad["count"], gad["last"]["checkin_id"]) == ("gad-7", 2, last["id"])
    assert (gad["title"], gad["last"]["total"]) == ("Generalized Anxiety Disorder 7-item", 7)
    assert (nine["instrument"], nine["count"], nine["last"]["total"]) == ("phq-9", 1, None)


def test_the_patient_reads_the_same_as_the_care_team(scene: Scene) -> None:
    gad7(scene, 3, 1)
    for instrument in (None, "gad-7"):
        assert read(scene, "PS", instrument) == read(scene, "CT", instrument)


def test_a_correction_moves_its_point(scene: Scene) -> None:
    row = gad7(scene, 3, 1)
    put_right = {"answers": {"gad7-1": 3}, "reason": "Misread."}
    checkins.correct_checkin(scene["CT"].actor, row["id"], put_right)
    [point] = read(scene)["series"]
    assert (point["checkin_id"], point["total"]) == (row["id"], 9)


def test_only_the_newest_points_are_told(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "MAX_POINTS", 2)
    for days, value in ((30, 3), (20, 2), (10, 1)):
        gad7(scene, days, value)
    assert [point["total"] for point in read(scene)["series"]] == [14, 7]


def test_an_unknown_instrument_is_pointed_at(scene: Scene) -> None:
    with pytest.raises(Invalid) as no:
        read(scene, instrument="phq-99")
    assert [at for at, _ in no.value.errors] == ["/instrument"]
