"""Outcomes over v1: shapes, and what a patient is not sent."""

from datetime import timedelta
from typing import Any

import pytest

from api import clock, db
from api.core.outcomes.checkins import add_check_in
from tests.builders import Scene


@pytest.fixture
def course(scene: Scene) -> Scene:
    """Four PHQ-9 of 18, 12, 7 and 3."""
    with db.transaction():
        for days, total in ((28, 18), (21, 12), (14, 7), (7, 3)):
            values = [min(3, max(0, total - 3 * n)) for n in range(8)] + [0]
            answers = {f"phq9-{n}": value for n, value in enumerate(values, 1)}
            at = clock.now() - timedelta(days=days)
            more = {"instrument": "phq-9", "answers": answers, "answered_at": at}
            add_check_in(scene.clinic_id, scene.patient["id"], more)
    return scene


def url(scene: Scene, rest: str = "") -> str:
    return f"/patients/{scene.patient['id']}/outcomes{rest}"


def test_a_course_is_told_with_five_verdicts_and_what_each_was_judged_by(
    call: Any, course: Scene
) -> None:
    told = call("CT").get(url(course, "?instrument=phq-9")).json
    assert [point["total"] for point in told["series"]] == [18, 12, 7, 3]
    change = told["change"]
    assert (change["difference"], change["improvement"]) == (-15, 15)
    assert {name: change[name]["verdict"] for name in change if isinstance(change[name], dict)} == {
        "minimal_important": True,
        "reliable": "improved",
        "response": True,
        "remission": True,
        "deterioration": False,
    }
    for name in ("minimal_important", "reliable", "response", "remission", "deterioration"):
        assert set(change[name]) == {"verdict", "parameters", "reason"}
        assert change[name]["parameters"]["source"]
    assert told["baseline"]["total"] == 18 and told["current"]["total"] == 3
    assert type(told["baseline"]["total"]) is int


def test_without_an_instrument_each_series_comes_with_its_verdicts(
    call: Any, course: Scene
) -> None:
    [one] = call("CT").get(url(course)).json["instruments"]
    assert (one["last"]["total"], one["change"]["reliable"]["verdict"]) == (3, "improved")


def test_the_patient_is_sent_numbers_and_words_and_no_verdict(call: Any, course: Scene) -> None:
    for rest in ("", "?instrument=phq-9"):
        answer = call("PS").get(url(course, rest))
        assert answer.status_code == 200
        for word in ("verdict", "reliable", "deterioration", "remission", "improve", "late"):
            assert word not in answer.text.replace("related", ""), word


def test_the_picture_is_svg_that_nothing_may_follow(call: Any, course: Scene) -> None:
    answer = call("PS").get(url(course, ".svg?instrument=phq-9"))
    assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
    assert answer.text.startswith("<svg") and answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "ETag" not in answer.headers


def test_a_picture_needs_an_instrument_that_is_known(call: Any, course: Scene) -> None:
    assert call("CT").get(url(course, ".svg")).status_code == 422
    assert call("CT").get(url(course, ".svg?instrument=phq-99")).status_code == 422
    assert call("CN").get(url(course, ".svg?instrument=phq-9")).status_code == 404
