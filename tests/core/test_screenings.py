"""Screenings: answered by one person, signed by one, and never the server's to decide."""

from datetime import timedelta
from typing import Any

import pytest

from api import clock, db
from api.access.policies import Privilege
from api.core.treatment import screenings
from api.errors import Conflict, Invalid, NotAllowed, NotFound, Stale
from tests import builders, readying
from tests.builders import Scene


def record(scene: Scene, persona: str = "CT", **values: Any) -> db.Values:
    given = {"item": "pregnancy", "answer": "no"} | values
    return screenings.record_screening(scene[persona].actor, scene.patient["id"], given)


def listed(scene: Scene, **asked: Any) -> list[db.Values]:
    who = scene["CT"].actor
    return screenings.list_screenings(who, scene.patient["id"], db.Page(), **asked).items


def test_an_answer_is_unsigned_until_a_person_decides_on_it(scene: Scene) -> None:
    made = record(scene)
    assert (made["state"], made["severity"], made["decision"]) == ("unsigned", "absolute", None)
    assert made["asked_by"]["id"] == scene["CT"].user_id
    values = {"decision": "no_concern"}
    signed = screenings.sign_screening(scene["CT"].actor, made["id"], values)
    assert (signed["state"], signed["decision"]) == ("signed", "no_concern")
    assert signed["signed_by"]["id"] == scene["CT"].user_id and signed["signed_at"]
    assert [one["id"] for one in listed(scene, state="signed")] == [made["id"]]
    assert listed(scene, state="unsigned") == []
    assert "eligible" not in str(signed)


def test_what_is_signed_stands_and_a_new_answer_is_a_row_of_its_own(scene: Scene) -> None:
    made = record(scene, decision="no_concern")
    with pytest.raises(Conflict):
        screenings.change_screening(scene["CT"].actor, made["id"], 1, {"answer": "yes"})
    with pytest.raises(Conflict):
        screenings.sign_screening(scene["CT"].actor, made["id"], {"decision": "wait"})
    later = record(scene, answer="yes", decision="wait")
    standing = screenings.standing(scene.clinic_id, scene.patient["id"])
    assert standing["pregnancy"]["id"] == later["id"]
    assert [one["id"] for one in listed(scene, item="pregnancy")] == [later["id"], made["id"]]


def test_an_unsigned_answer_is_put_right_at_its_version(scene: Scene) -> None:
    made = record(scene)
    changed = screenings.change_screening(scene["CT"].actor, made["id"], 1, {"answer": "unknown"})
    assert (changed["answer"], changed["version"]) == ("unknown", 2)
    with pytest.raises(Stale):
        screenings.change_screening(scene["CT"].actor, made["id"], 1, {"answer": "no"})


def test_to_go_on_against_an_absolute_item_needs_a_prescriber_and_words(scene: Scene) -> None:
    made = record(scene, item="uncontrolled_hypertension", answer="yes")
    against = {"decision": "proceed_with_care"}
    with pytest.raises(NotAllowed):
        screenings.sign_screening(scene["CT"].actor, made["id"], dict(against))
    with pytest.raises(NotAllowed):
        record(scene, answer="unknown", decision="no_concern")
    readying.let(scene["CT"].user_id, Privilege.PRESCRIBE)
    with pytest.raises(Invalid):
        screenings.sign_screening(scene["CT"].actor, made["id"], dict(against))
    words = against | {"decision_note": "Treated since; below 140 for three weeks."}
    signed = screenings.sign_screening(scene["CT"].actor, made["id"], words)
    assert signed["decision_note"].startswith("Treated")
    relative = record(scene, item="sleep_apnoea", answer="yes", decision="proceed_with_care")
    assert relative["state"] == "signed"


def test_to_wait_is_anybodys_to_decide(scene: Scene) -> None:
    assert record(scene, answer="yes", decision="do_not_treat")["state"] == "signed"


def test_an_item_that_no_protocol_knows_says_how_much_it_weighs(scene: Scene) -> None:
    with pytest.raises(Invalid):
        record(scene, item="allergic_to_music")
    assert record(scene, item="allergic_to_music", severity="note")["severity"] == "note"


def test_a_screening_lies_not_ahead_and_names_a_session_of_the_same_patient(scene: Scene) -> None:
    tomorrow = clock.today(scene.patient["time_zone"]) + timedelta(days=1)
    with pytest.raises(Invalid):
        record(scene, asked_on=tomorrow)
    other = builders.make_session(scene.other_patient)
    with pytest.raises(Invalid):
        record(scene, session_id=other["id"])
    mine = builders.make_session(scene.patient, scene["CT"])
    assert record(scene, session_id=mine["id"])["session_id"] == mine["id"]


def test_answers_and_words_are_sealed(scene: Scene) -> None:
    record(scene, note="Said so herself", decision="no_concern", decision_note="Test negative")
    rows = db.store().rows(screenings.screenings.select())
    assert "herself" not in str(rows) and "negative" not in str(rows)


def test_screenings_are_the_care_teams(scene: Scene) -> None:
    made = record(scene)
    for name, refusal in (("CN", NotFound), ("XT", NotFound), ("PS", NotAllowed)):
        with pytest.raises(refusal):
            screenings.read_screening(scene[name].actor, made["id"])
        with pytest.raises(refusal):
            record(scene, name)


def test_nobody_makes_an_item_lighter_than_a_protocol_has_it(scene: Scene) -> None:
    item = {"item": "aneurysm_avm_or_intracerebral_haemorrhage", "answer": "yes"}
    with pytest.raises(NotAllowed):
        record(scene, **item, severity="note", decision="no_concern")
    made = record(scene, **item, severity="note")
    assert made["severity"] == "absolute"
    lighter = {"severity": "note"}
    changed = screenings.change_screening(scene["CT"].actor, made["id"], None, lighter)
    assert changed["severity"] == "absolute"
    assert record(scene, item="sleep_apnoea", severity="absolute")["severity"] == "absolute"
