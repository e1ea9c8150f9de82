"""Outcomes: the series of complete check-ins, oldest first."""

from datetime import date, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, strategies as st

from api import clock, db
from api.core.outcomes import checkins, series
from api.core.outcomes.chart import draw
from api.core.outcomes.checkins import add_check_in
from api.core.outcomes.instruments.catalogue import catalogue, instrument
from api.core.outcomes.picture import Picture
from api.core.outcomes.series import draw_outcomes, read_outcomes
from api.errors import Invalid
from tests.builders import Scene, make_goal, make_practice, make_session


def gad7(scene: Scene, days_ago: int, value: int | None, **more: Any) -> db.Values:
    """A complete GAD-7 of some days ago, every item answered alike."""
    answers = {f"gad7-{n}": value for n in range(1, 8)}
    at = clock.now() - timedelta(days=days_ago)
    values = {"instrument": "gad-7", "answers": answers, "answered_at": at, **more}
    return add_check_in(scene.clinic_id, scene.patient["id"], values)


def dosing(scene: Scene, days_ago: int, state: str = "completed") -> db.Values:
    """A dosing session of some days ago, held unless `state` says otherwise."""
    at = clock.now() - timedelta(days=days_ago)
    held = {"started_at": at, "completed_at": at + timedelta(hours=2)}
    more = held if state == "completed" else {}
    times = {"starts_at": at, "ends_at": at + timedelta(hours=3)}
    return make_session(scene.patient, scene["CT"], kind="dosing", state=state, **times, **more)


def srbai(scene: Scene, days_ago: int, practice: db.Values, value: int) -> db.Values:
    """A complete SRBAI about one practice."""
    answers = {item.link_id: value for item in instrument("srbai").items}
    at = clock.now() - timedelta(days=days_ago)
    values = {"instrument": "srbai", "answers": answers, "answered_at": at}
    more = {"practice_id": practice["id"]}
    return add_check_in(scene.clinic_id, scene.patient["id"], values | more)


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


def test_the_patient_reads_the_same_numbers_and_no_verdict(scene: Scene) -> None:
    gad7(scene, 30, 2)
    gad7(scene, 3, 1)
    mine, theirs = read(scene, "PS"), read(scene)
    assert mine["series"] == theirs["series"]
    assert mine["change"] == {"difference": -7} and "current" not in mine
    assert mine["baseline"]["total"] == theirs["baseline"]["total"] == 14
    assert "one part of how you are" in mine["words"] and "words" not in theirs
    [brief] = read(scene, "PS", None)["instruments"]
    assert brief["change"] == {"difference": -7}
    for word in ("deteriorat", "remission", "reliable", "improve", "intake"):
        assert word not in str(mine) + str(brief), word


def test_a_series_is_judged_against_the_last_before_the_first_dose(scene: Scene) -> None:
    dosing(scene, 20)
    dosing(scene, 6)
    intake, before = gad7(scene, 60, 3), gad7(scene, 21, 2)
    last = gad7(scene, 3, 0)
    told = read(scene)
    assert told["baseline"]["checkin_id"] == before["id"] != intake["id"]
    assert (told["baseline"]["rule"], told["baseline"]["before_first_dose"]) == (
        "before_first_dose",
        True,
    )
    assert told["current"]["checkin_id"] == last["id"]
    change = told["change"]
    assert (change["difference"], change["improvement"]) == (-14, 14)
    names = ("minimal_important", "reliable", "response", "remission", "deterioration")
    assert [change[n]["verdict"] for n in names] == [True, "improved", True, True, False]
    [brief] = read(scene, instrument=None)["instruments"]
    assert (brief["baseline"], brief["change"]) == (told["baseline"], change)


def test_a_dose_that_is_only_booked_or_was_called_off_is_none(scene: Scene) -> None:
    first = gad7(scene, 30, 3)
    gad7(scene, 3, 2)
    dosing(scene, 2, state="cancelled")
    dosing(scene, -3, state="scheduled")
    told = read(scene)
    assert (told["baseline"]["checkin_id"], told["baseline"]["rule"]) == (first["id"], "intake")


def test_a_baseline_that_came_after_the_first_dose_says_so(scene: Scene) -> None:
    dosing(scene, 20)
    gad7(scene, 10, 3)
    told = read(scene)
    assert (told["baseline"]["rule"], told["baseline"]["before_first_dose"]) == ("intake", False)
    assert told["current"] is None
    assert told["change"]["reliable"]["reason"] == "no_later_check_in"


def test_without_a_total_there_is_no_baseline(scene: Scene) -> None:
    gad7(scene, 10, None)
    told = read(scene)
    assert told["baseline"] is told["current"] is None
    assert told["change"]["remission"]["reason"] == "no_baseline"
    assert read(scene, instrument="phq-9")["change"]["reliable"]["reason"] == "no_baseline"


def test_a_practice_is_measured_against_itself_alone(scene: Scene) -> None:
    with db.transaction():
        goal = make_goal(scene.patient)
        one, other = make_practice(goal), make_practice(goal)
    for days, practice, value in ((9, one, 1), (6, other, 2), (3, one, 5)):
        srbai(scene, days, practice, value)
    told = read(scene, instrument="srbai")
    assert [point["total"] for point in told["series"]] == [1, 2, 5]
    assert (told["baseline"]["total"], told["change"]["difference"]) == (1, 4)
    alone = read_outcomes(scene["CT"].actor, scene.patient["id"], "srbai", other["id"])
    assert [point["total"] for point in alone["series"]] == [2]
    with pytest.raises(Invalid):
        read_outcomes(scene["CT"].actor, scene.patient["id"], "srbai", scene.patient["id"])


def test_the_picture_tells_in_words_what_it_draws(scene: Scene) -> None:
    dosing(scene, 20)
    gad7(scene, 21, 2)
    gad7(scene, 10, None)
    gad7(scene, 3, 0)
    for who in ("CT", "PS"):
        svg = draw_outcomes(scene[who].actor, scene.patient["id"], "gad-7")
        root = ElementTree.fromstring(svg)
        assert (root.get("role"), root.get("aria-labelledby")) == ("img", "title desc")
        title, desc = (root.find(f"{{*}}{name}") for name in ("title", "desc"))
        assert title is not None and "Generalized Anxiety Disorder" in str(title.text)
        assert desc is not None and desc.text is not None
        for words in (
            "14 on",
            "moderate, baseline",
            "0 on",
            "1 with answers left open",
            "Doses on",
        ):
            assert words in desc.text, words
        for word in ("style=", "<style", "<script", "href", "deteriorat"):
            assert word not in svg


def test_nothing_to_draw_is_drawn_too(scene: Scene) -> None:
    for key in catalogue():
        svg = draw_outcomes(scene["CT"].actor, scene.patient["id"], key)
        assert "no complete check-in" in svg
        ElementTree.fromstring(svg)


@given(
    st.lists(st.tuples(st.integers(0, 4000), st.none() | st.integers(0, 27)), max_size=90),
    st.lists(st.integers(0, 4000), max_size=40),
)
def test_whatever_there_is_can_be_drawn(points: Any, doses: Any) -> None:
    first = date(2026, 1, 1)
    drawn = [
        {"checkin_id": i, "answered_on": first + timedelta(days=day), "total": total, "band": None}
        for i, (day, total) in enumerate(sorted(points, key=lambda each: each[0]))
    ]
    days = {one: 7 for one in sorted({first + timedelta(days=day) for day in doses})}
    picture = Picture(instrument("phq-9"), drawn, drawn[0] if drawn else None, days)
    root = ElementTree.fromstring(draw(picture))
    marks = root.findall("{*}circle") + root.findall("{*}rect[@stroke-width='2.5']")
    assert len(marks) == sum(total is not None for _, total in points)


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
