"""Between two sessions: all since the last one, in one bounded call, in the patient's words."""

from datetime import timedelta
from typing import Any

import pytest

from api import clock, db
from api.core import between
from api.core.integration import journals
from api.core.treatment import notes
from api.core.treatment.sessions import holding
from api.errors import Invalid, NotAllowed, NotFound
from tests import builders
from tests.builders import Scene
from tests.core.test_worklist import phq9
from tests.core.walking import (
    DAY,
    asked_of_the_database,
    dose,
    goal,
    held,
    moment,
    noon,
    practice,
    step,
    today,
)

MOST_QUERIES = 28


def read(scene: Scene, since: Any = "last_session", who: str = "CT") -> db.Values:
    return between.read_between(scene[who].actor, scene.patient["id"], since)


def page(scene: Scene, text: str, **more: Any) -> db.Values:
    values = {"text": text, "shared_with": "care_team"} | more
    return journals.write_journal(scene["PS"].actor, scene.patient["id"], values)


@pytest.fixture
def agreed(scene: Scene) -> db.Values:
    """What the patient agreed to practise at the session of five days ago."""
    last = held(scene, "integration", noon(scene, 5))
    return practice(scene, goal(scene, session_id=last["id"]))


def test_it_begins_with_the_last_session_that_was_completed(scene: Scene) -> None:
    held(scene, "intake", noon(scene, 20))
    last = held(scene, "integration", noon(scene, 5))
    builders.make_session(scene.patient, scene["CT"])
    found = read(scene)
    assert found["session"]["id"] == last["id"] and found["since_at"] == last["completed_at"]
    assert found["since_on"] == today(scene) - 5 * DAY


def test_before_any_session_it_is_everything_there_is(scene: Scene) -> None:
    moment(scene, happened_on=today(scene) - 300 * DAY)
    found = read(scene)
    assert (found["session"], found["since_at"], len(found["moments"])) == (None, None, 1)
    assert found["agreed"] == {"goals": [], "practices": []}


def test_practices_come_with_stage_counts_detours_and_returns(
    scene: Scene, agreed: db.Values
) -> None:
    for ago, kind in ((9, "done"), (4, "detour"), (2, "done"), (1, "partly"), (0, "detour")):
        step(scene, agreed, ago, kind=kind)
    [found] = read(scene)["practices"]
    assert found["trail"]["stage"] == "footprints"
    counts = {"done": 1, "partly": 1, "prompted": 0, "skipped": 0, "detour": 2}
    assert found["steps"] == counts
    away, new = found["detours"]
    assert (away["on"], away["return_days"]) == (today(scene) - 4 * DAY, 2)
    assert (new["on"], new["returned_on"]) == (today(scene), None)


def test_what_was_agreed_last_time_is_named(scene: Scene, agreed: db.Values) -> None:
    found = read(scene)["agreed"]
    assert [one["title"] for one in found["goals"]] == ["Say no kindly"]
    assert [one["id"] for one in found["practices"]] == [agreed["id"]]


def test_words_are_shared_words_alone(scene: Scene, agreed: db.Values) -> None:
    moment(scene, text="I laughed instead.")
    moment(scene, text="Mine", shared_with="me")
    page(scene, "Light.", mood=6)
    page(scene, "Mine", shared_with="me")
    step(scene, agreed, shared_with="me")
    kept = practice(scene, goal(scene, title="Mine", shared_with="me"))
    found = read(scene)
    assert [one["text"] for one in found["moments"]] == ["I laughed instead."]
    assert [(one["text"], one["mood"]) for one in found["journal"]] == [("Light.", 6)]
    assert found["practices"][0]["steps"]["done"] == 0
    assert "Mine" not in str(found) and str(kept["id"]) not in str(found)


def test_check_ins_come_with_the_verdicts_of_their_series(scene: Scene) -> None:
    phq9(scene, 18, ago=20)
    dose(scene, 6)
    phq9(scene, 12, ago=3)
    newest = phq9(scene, 3, ago=1)
    first, second = read(scene)["check_ins"]
    assert (first["id"], first["total"], second["change"]) == (newest["id"], 3, None)
    assert first["change"]["reliable"]["verdict"] == "improved"
    assert first["change"]["remission"]["verdict"] is True


def test_alerts_that_nobody_resolved_stay_whenever_they_were_raised(scene: Scene) -> None:
    phq9(scene, 6, item_9=2)
    held(scene, "integration", clock.now())
    [alert] = read(scene)["alerts"]
    assert (alert["priority"], alert["state"]) == ("immediate", "open")


def test_the_window_is_as_it_stands_today(scene: Scene) -> None:
    assert read(scene)["window"]["phase"] is None
    given = dose(scene, 2)
    window = read(scene)["window"]
    assert (window["open"], window["window_day"], window["phase"]) == (True, 2, "fresh_snow")
    assert window["session_id"] == given["id"]


def test_a_day_of_the_patient_may_be_named_instead(scene: Scene, agreed: db.Values) -> None:
    step(scene, agreed, 9)
    assert read(scene)["practices"][0]["steps"]["done"] == 0
    assert read(scene, today(scene) - 9 * DAY)["practices"][0]["steps"]["done"] == 1
    with pytest.raises(Invalid):
        read(scene, today(scene) + DAY)


def test_only_the_care_team_reads_it(scene: Scene) -> None:
    for who, refusal in (("PS", NotAllowed), ("CA", NotAllowed), ("CN", NotFound)):
        with pytest.raises(refusal):
            read(scene, who=who)


def test_a_day_of_nine_patients_takes_as_many_queries_as_a_day_of_one(scene: Scene) -> None:
    day = clock.now() + 3 * DAY

    def monday() -> db.Listing:
        edges = {"from_": day - DAY, "to": day + DAY}
        return between.read_day(scene["CT"].actor, db.Page(100), **edges)

    def booked(patient: db.Values, at: Any) -> None:
        times = {"starts_at": at, "ends_at": at + timedelta(minutes=20)}
        builders.make_session(patient, scene["CT"], **times)

    booked(scene.patient, day)
    phq9(scene, 9)
    step(scene, practice(scene, goal(scene)))
    few = asked_of_the_database(monday)
    for number in range(8):
        one = builders.make_patient(scene.clinic_id)
        builders.join_team(one, scene["CT"])
        held(scene, "integration", noon(scene, number + 1), patient=one)
        booked(one, day + timedelta(minutes=30 * (number + 1)))
    booked(scene.patient, day + timedelta(hours=7))
    assert asked_of_the_database(monday) == few <= MOST_QUERIES
    rows = monday().items
    told = [row["between"]["patient"]["id"] for row in rows if "between" in row]
    assert len(rows) == 10 and told == [row["patient"]["id"] for row in rows[:9]]
    assert rows[0]["between"]["practices"][0]["steps"]["done"] == 1


def test_what_waits_for_a_signature_is_asked_for(scene: Scene) -> None:
    session = held(scene, "integration", noon(scene, 2), signed_at=None)
    holding.name_clinicians(session, [scene["CT"].user_id])
    body = {"kind": "progress", "text": "We spoke."}
    draft = notes.write_session_note(scene["CT"].actor, session["id"], body)
    apart = {"kind": "psychotherapy", "text": "For me alone."}
    mine = notes.write_session_note(scene["CT"].actor, session["id"], apart)
    colleague = builders.make_person(scene.clinic_id)
    builders.join_team(scene.patient, colleague)
    for who, seen in ((scene["CT"], [mine["id"], draft["id"]]), (colleague, [draft["id"]])):
        told = between.read_between(who.actor, scene.patient["id"])
        assert [one["id"] for one in told["unsigned_notes"]] == seen
        [waits] = told["unsigned_sessions"]
        assert waits["id"] == session["id"]
        assert [one["part"] for one in waits["missing"]] == ["therapist"]
        assert [one["id"] for one in waits["missing"][0]["by"]] == [scene["CT"].user_id]
