"""History: each version as it was, by whom and what it changed; `me` ones are the patient's own."""

from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings as rounds, strategies as st
from sqlalchemy import select

from api import db
from api.core import consents, handover, history
from api.core.integration import goals, practices
from api.core.outcomes.checkins import (
    change_checkin,
    complete_checkin,
    correct_checkin,
    log_checkin,
)
from api.core.patients import change_patient
from api.core.treatment.sessions import change_session
from api.db.versions import record_versions
from api.errors import NotFound
from api.paging import Page
from api.v1.session_shapes import SessionSchema
from tests import builders
from tests.builders import Scene
from tests.core import dosing

ALL = Page(100)


def versions(listing: Any) -> list[tuple[int, list[str]]]:
    return [(item["version"], item["changed"]) for item in listing.items]


def changed(scene: Scene, by: str, goal: db.Values, **values: Any) -> db.Values:
    with db.transaction():
        return goals.change_goal(scene[by].actor, goal["id"], None, values)


@pytest.fixture
def goal(scene: Scene) -> db.Values:
    with db.transaction():
        return builders.make_goal(scene.patient)


def test_what_was_never_changed_has_one_version_and_nothing_is_stored_for_it(
    scene: Scene, goal: db.Values
) -> None:
    listing = history.list_goal_history(scene["CT"].actor, goal["id"], ALL)
    assert versions(listing) == [(1, [])]
    assert listing.items[0]["values"]["title"] == "Say no kindly"
    assert listing.items[0]["made_by"]["id"] == scene["PS"].user_id
    assert db.store().rows(select(record_versions)) == [] or not [
        row for row in db.store().rows(select(record_versions)) if row["record_id"] == goal["id"]
    ]


def test_each_version_says_who_made_it_and_what_it_changed(scene: Scene, goal: db.Values) -> None:
    changed(scene, "CT", goal, intention="To rest.", achievement_status="improving")
    changed(scene, "PS", goal, intention="To rest more.")
    listing = history.list_goal_history(scene["CT"].actor, goal["id"], ALL)
    assert versions(listing) == [
        (3, ["intention"]),
        (2, ["achievement_status", "intention"]),
        (1, []),
    ]
    assert [item["values"]["intention"] for item in listing.items] == [
        "To rest more.",
        "To rest.",
        None,
    ]
    makers = [item["made_by"]["id"] for item in listing.items]
    assert makers == [scene[name].user_id for name in ("PS", "CT", "PS")]
    times = [item["made_at"] for item in listing.items]
    assert times == sorted(times, reverse=True)


def test_a_history_is_walked_in_pages_and_by_what_changed_since(
    scene: Scene, goal: db.Values
) -> None:
    for number in range(5):
        changed(scene, "CT", goal, intention=f"Number {number}")
    seen: list[int] = []
    asked: Page | None = Page(2)
    while asked is not None:
        listing = history.list_goal_history(scene["CT"].actor, goal["id"], asked)
        seen += [item["version"] for item in listing.items]
        asked = None if listing.next_after is None else Page(2, listing.next_after)
    assert seen == [6, 5, 4, 3, 2, 1]
    whole = history.list_goal_history(scene["CT"].actor, goal["id"], ALL).items
    since = Page(100, since=whole[1]["made_at"])
    later = history.list_goal_history(scene["CT"].actor, goal["id"], since)
    assert [item["version"] for item in later.items] == [5, 6] and later.tombstones == []


def test_former_versions_lie_sealed_in_the_database(scene: Scene, goal: db.Values) -> None:
    changed(scene, "PS", goal, intention="A word that is nowhere else")
    changed(scene, "PS", goal, intention="Another")
    raw = str(db.store().rows(select(record_versions)))
    assert "nowhere else" not in raw and "Say no kindly" not in raw


def test_a_version_that_the_patient_kept_for_themself_is_theirs_alone(
    scene: Scene, goal: db.Values
) -> None:
    changed(scene, "PS", goal, shared_with="me", intention="Only mine.")
    with pytest.raises(NotFound):
        history.list_goal_history(scene["CT"].actor, goal["id"], ALL)
    changed(scene, "PS", goal, intention="For all.", title="Said aloud")
    changed(scene, "PS", goal, shared_with="care_team")
    told = history.list_goal_history(scene["CT"].actor, goal["id"], ALL)
    assert versions(told) == [(4, ["shared_with"]), (1, [])]
    assert "Only mine." not in str(told.items)
    own = history.list_goal_history(scene["PS"].actor, goal["id"], ALL)
    assert [item["version"] for item in own.items] == [4, 3, 2, 1]
    assert own.items[2]["values"]["intention"] == "Only mine."


def test_a_practice_that_follows_its_goal_into_private_keeps_its_versions(
    scene: Scene, goal: db.Values
) -> None:
    with db.transaction():
        practice = builders.make_practice(goal)
    changed(scene, "PS", goal, shared_with="me")
    with pytest.raises(NotFound):
        history.list_practice_history(scene["CT"].actor, practice["id"], ALL)
    changed(scene, "PS", goal, shared_with="care_team")
    with db.transaction():
        practices.change_practice(scene["CT"].actor, practice["id"], 3, {"cue": "At the door"})
    own = history.list_practice_history(scene["PS"].actor, practice["id"], ALL)
    assert [item["version"] for item in own.items] == [4, 3, 2, 1]
    assert own.items[0]["changed"] == ["cue"]
    told = history.list_practice_history(scene["CT"].actor, practice["id"], ALL)
    assert [item["version"] for item in told.items] == [4, 3, 1]


def test_the_weight_of_a_goal_is_not_told_to_the_patient(scene: Scene, goal: db.Values) -> None:
    changed(scene, "CT", goal, attainment_weight=3)
    [latest, _] = history.list_goal_history(scene["PS"].actor, goal["id"], ALL).items
    assert latest["changed"] == [] and "attainment_weight" not in latest["values"]
    [latest, _] = history.list_goal_history(scene["CT"].actor, goal["id"], ALL).items
    assert latest["changed"] == ["attainment_weight"]


def test_a_patients_details_are_told_to_each_as_far_as_they_read_them(scene: Scene) -> None:
    chart = scene.patient["id"]
    given = {"diagnoses": [{"code": "F33.1"}], "contact": {"phone": "555"}, "legal_given": "Ida"}
    with db.transaction():
        change_patient(scene["CT"].actor, chart, None, given)
    told = {n: history.list_patient_history(scene[n].actor, chart, ALL) for n in ("CT", "PS", "CA")}
    for name in ("CT", "PS"):
        assert versions(told[name])[0] == (2, ["contact", "diagnoses", "legal_name"])
    assert told["CA"].items[0]["values"]["diagnoses"] is None
    names = [item["values"]["legal_name"]["given"] for item in told["CA"].items]
    assert names == ["Ida", "Ada"]
    for nobody in ("CN", "XT", "PO"):
        with pytest.raises(NotFound):
            history.list_patient_history(scene[nobody].actor, chart, ALL)


def test_what_is_clinical_is_not_among_what_changed_for_the_administrator(scene: Scene) -> None:
    chart = scene.patient["id"]
    with db.transaction():
        change_patient(scene["CT"].actor, chart, None, {"diagnoses": [{"code": "F33.1"}]})
        given = consents.record_consent(
            scene["CT"].actor, chart, {"kind": "research", "text_version": "1"}
        )
        consents.withdraw_consent(scene["PS"].actor, given["id"], "I changed my mind.")
    told = history.list_patient_history(scene["CA"].actor, chart, ALL)
    assert versions(told)[0] == (2, [])
    for name, changed in (("CT", ["reason", "withdrawn_at"]), ("CA", ["withdrawn_at"])):
        told = history.list_consent_history(scene[name].actor, given["id"], ALL)
        assert versions(told)[0] == (2, changed)


OF_THE_DOSE = {
    *("first_dose_at", "last_dose_at", "esketamine_at"),
    *("protocol_key", "protocol_version", "window_days", "overrides"),
}


def test_an_administrator_reads_of_a_sessions_versions_what_they_read_of_the_session(
    scene: Scene,
) -> None:
    with db.transaction():
        session = dosing.under_way(scene)
        spray = {"medicine": "esketamine", "route": "intranasal", "dose_mg": 28.0}
        dosing.dose(scene, session, **spray)
    asked = history.list_session_history
    told = {n: asked(scene[n].actor, session["id"], ALL) for n in ("CT", "CA")}
    latest = {name: listing.items[0] for name, listing in told.items()}
    assert latest["CT"]["values"]["esketamine_at"] and set(latest["CT"]["values"]) >= OF_THE_DOSE
    assert {"first_dose_at", "last_dose_at"} <= set(latest["CT"]["changed"])
    read = set(SessionSchema().fields) | {"clinician_ids"}
    for item in told["CA"].items:
        assert set(item["values"]) <= read and not OF_THE_DOSE & set(item["values"])
        assert not OF_THE_DOSE & set(item["changed"])


def test_a_session_shows_who_was_named_on_it_before(scene: Scene) -> None:
    with db.transaction():
        session = builders.make_session(scene.patient, scene["CT"], preparation="Rest.")
        heir = builders.make_person(scene.clinic_id)
    with db.transaction():
        change_session(scene["CT"].actor, session["id"], 1, {"room": "Room 9"})
        values = {"to_clinician_id": heir.user_id, "reason": "Leave."}
        handover.hand_over(scene["CA"].actor, scene["CT"].user_id, values)
    told = history.list_session_history(heir.actor, session["id"], ALL)
    named = [item["values"]["clinician_ids"] for item in told.items]
    mine = [str(scene["CT"].user_id)]
    assert named == [[str(heir.user_id)], mine, mine]
    assert versions(told)[1] == (2, ["room"])
    own = history.list_session_history(scene["PS"].actor, session["id"], ALL)
    hidden = {"overrides", "reason", "moved_at", "started_at", "room_key"}
    assert all(not hidden & set(item["values"]) for item in own.items)
    assert own.items[0]["values"]["preparation"] == "Rest."


def test_a_check_in_shows_what_was_answered_before_it_was_put_right(scene: Scene) -> None:
    body = {"instrument": "gad-7", "answers": {f"gad7-{n}": 1 for n in range(1, 8)}}
    actor = scene["CT"].actor
    with db.transaction():
        draft = log_checkin(actor, scene.patient["id"], body)
    with db.transaction():
        change_checkin(scene["CT"].actor, draft["id"], 1, {"answers": {"gad7-1": 2}})
        complete_checkin(scene["CT"].actor, draft["id"], {})
    right = {"answers": {"gad7-1": 3}, "reason": "Misread."}
    with db.transaction():
        correct_checkin(scene["CT"].actor, draft["id"], right)
    told = history.list_checkin_history(scene["CT"].actor, draft["id"], ALL)
    assert [item["values"]["answers"]["gad7-1"] for item in told.items] == [3, 2, 2, 1]
    assert [item["values"]["total"] for item in told.items] == [9, 8, None, None]
    own = history.list_checkin_history(scene["PS"].actor, draft["id"], ALL)
    assert all("scores" not in item["values"] for item in own.items)
    assert all("scores" not in item["changed"] for item in own.items)


def test_a_consent_shows_when_it_was_withdrawn_and_to_whom_it_is_told_why(scene: Scene) -> None:
    with db.transaction():
        given = consents.record_consent(
            scene["CT"].actor, scene.patient["id"], {"kind": "research", "text_version": "1"}
        )
        consents.withdraw_consent(scene["PS"].actor, given["id"], "I changed my mind.")
    for name, reason in (("CT", "I changed my mind."), ("PR", None), ("CA", None)):
        [latest, first] = history.list_consent_history(scene[name].actor, given["id"], ALL).items
        assert latest["values"]["reason"] == reason and latest["values"]["withdrawn_at"]
        assert first["values"]["withdrawn_at"] is None
        assert latest["made_by"]["id"] == scene["PS"].user_id
        assert first["made_by"]["id"] == scene["CT"].user_id


FIELDS = ("title", "intention", "obstacles")
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["PS", "CT"]),
        st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(["A", "B", "C"]), min_size=1),
    ),
    max_size=6,
)


@given(deeds=CHANGES)
@rounds(max_examples=12, deadline=None)
def test_whatever_is_changed_the_history_tells_each_version_as_it_was_read_then(
    application: Flask, deeds: list[tuple[str, dict[str, str]]]
) -> None:
    with db.transaction():
        scene = builders.make_scene()
        goal = builders.make_goal(scene.patient)
    read = [goals.read_goal(scene["CT"].actor, goal["id"])]
    db.leave_store()
    for by, values in deeds:
        changed(scene, by, goal, **values)
        read.insert(0, goals.read_goal(scene["CT"].actor, goal["id"]))
        db.leave_store()
    told = history.list_goal_history(scene["CT"].actor, goal["id"], ALL).items
    db.leave_store()
    assert [i["version"] for i in told] == [r["version"] for r in read]
    for item, record in zip(told, read, strict=True):
        assert {f: item["values"][f] for f in FIELDS} == {f: record[f] for f in FIELDS}
    for item, (by, _) in zip(told[:-1], reversed(deeds), strict=True):
        assert item["made_by"]["id"] == scene[by].user_id
    for newer, older in zip(told, told[1:], strict=False):
        differs = [f for f in FIELDS if newer["values"][f] != older["values"][f]]
        assert [f for f in newer["changed"] if f in FIELDS] == sorted(differs)
