"""Visits, vitals, answers and consents as an EHR sends them: judged and heard like our own."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select

from api import clock, db
from api.core import suspending
from api.core.alerts import alerts
from api.core.consents import consents
from api.core.outcomes.checkins import check_ins
from api.fhir.datatypes import OURS
from tests.builders import Scene
from tests.core import dosing
from tests.fhir import charts
from tests.fhir.charts import SYSTEM as OTHERS, Client
from tests.fhir.test_lists_written import HL7, coded
from tests.fhir.test_writing import SYSTEM, issues, mine, patient, post, put

__all__ = ["mine"]
LOINC = "http://loinc.org"


@pytest.fixture
def theirs(mine: Client) -> str:
    """A patient that the client made."""
    return str(post(mine, patient()).json["id"])


def at(minutes: int) -> str:
    """An instant so many minutes from now, as FHIR writes it."""
    moment = clock.now() + timedelta(minutes=minutes)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def visit(patient_id: str, clinician: Any, start: int = 60, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "status": "planned",
        "class": {"system": f"{HL7}v3-ActCode", "code": "VR"},
        "type": [coded(f"{OURS}session-kind", "follow-up")],
        "subject": {"reference": f"Patient/{patient_id}"},
        "participant": [{"individual": {"reference": f"Practitioner/{clinician}"}}],
        "period": {"start": at(start), "end": at(start + 50)},
        "identifier": [{"system": SYSTEM, "value": f"visit-{start}"}],
    } | more


def test_a_visit_is_booked_moved_and_called_off(mine: Client, theirs: str, scene: Scene) -> None:
    who = scene["CT"].user_id
    made = post(mine, visit(theirs, who))
    assert made.status_code == 201, made.text
    assert made.json["status"] == "planned" and made.json["class"]["code"] == "VR"
    assert made.json["type"][0]["coding"][0]["code"] == "follow-up"
    found = mine.get(f"/Encounter?identifier={SYSTEM}|visit-60").json
    assert [one["resource"]["id"] for one in found["entry"]] == [made.json["id"]]
    busy = post(mine, visit(theirs, who, 80))
    assert busy.status_code == 409, "nobody is booked twice"
    later = {"period": {"start": at(300), "end": at(350)}}
    moved = put(mine, made.json | later, If_Match=made.headers["ETag"])
    assert moved.status_code == 200 and moved.json["period"]["start"][:16] == at(300)[:16]
    assert put(mine, made.json, If_Match=made.headers["ETag"]).status_code == 412
    off = put(mine, moved.json | {"status": "cancelled"})
    assert off.status_code == 200 and off.json["status"] == "cancelled", off.text
    back = put(mine, off.json | {"status": "planned"})
    assert back.status_code == 409
    other = put(mine, off.json | {"type": [coded(f"{OURS}session-kind", "dosing")]})
    assert other.status_code == 422 and issues(other) == {("business-rule", "Encounter.type")}


def test_no_dose_is_booked_nor_moved_for_whoever_withdrew_their_consent(
    mine: Client, theirs: str, scene: Scene
) -> None:
    who, dose = scene["CT"].user_id, {"type": [coded(f"{OURS}session-kind", "dosing")]}
    made = post(mine, visit(theirs, who, **dose))
    assert made.status_code == 201, made.text
    said = {"clinic_id": scene.clinic_id, "patient_id": UUID(theirs), "kind": "treatment"}
    said |= {"text_version": "1", "granted_at": clock.now(), "recorded_by": who}
    with db.transaction() as store:
        store.add(consents, said | {"withdrawn_at": clock.now()})
    assert post(mine, visit(theirs, who, 200, **dose)).status_code == 409
    later = {"period": {"start": at(300), "end": at(350)}}
    assert put(mine, made.json | later).status_code == 409
    assert put(mine, made.json | {"status": "arrived"}).status_code == 200
    assert post(mine, visit(theirs, who, 500)).status_code == 201


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"status": "finished"}, ("not-supported", "Encounter.status")),
        ({"participant": [{}]}, ("structure", "Encounter.participant[0]")),
        ({"period": {"start": "2026-12-01"}}, ("required", "Encounter.period.end")),
        ({"class": {"code": "IMP"}}, ("not-supported", "Encounter.class")),
        ({"period": {"start": at(90), "end": at(60)}}, ("business-rule", "Encounter.period.end")),
    ],
)
def test_a_visit_that_can_not_be_booked_says_why(
    mine: Client, theirs: str, scene: Scene, change: Any, expected: tuple[str, str]
) -> None:
    answer = post(mine, visit(theirs, scene["CT"].user_id, **change))
    assert answer.status_code == 422 and expected in issues(answer), answer.text


@pytest.fixture
def session(app: Flask, scene: Scene) -> dict[str, Any]:
    """A dosing session under way, of a patient whom the EHR knows by a number of its own."""
    with db.transaction():
        charts.let_see_all(scene.clinic_id, "own_ehr")
        dosing.agreed(scene)
        held = dosing.under_way(scene)
        dosing.planned(scene, held)
        dosing.dose(scene, held)
    return dict(held)


def vital(scene: Scene, session: Any, code: str, **more: Any) -> dict[str, Any]:
    measured = session["started_at"] + timedelta(minutes=5)
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [coded(f"{HL7}observation-category", "vital-signs")],
        "code": coded(LOINC, code),
        "subject": {"reference": f"Patient/{scene.patient['id']}"},
        "encounter": {"reference": f"Encounter/{session['id']}"},
        "effectiveDateTime": measured.isoformat().replace("+00:00", "Z"),
    } | more


def quantity(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "system": "http://unitsofmeasure.org", "code": unit}


def test_vitals_enter_the_ledger_and_are_judged_there(
    mine: Client, scene: Scene, session: dict[str, Any]
) -> None:
    rate = vital(scene, session, "8867-4", valueQuantity=quantity(171, "/min"))
    rate["identifier"] = [{"system": SYSTEM, "value": "hr-1"}]
    made = post(mine, rate)
    assert made.status_code == 201 and made.json["valueQuantity"]["value"] == 171, made.text
    again = post(mine, rate)
    assert again.status_code == 200 and again.json["id"] == made.json["id"]
    other = post(mine, rate | {"valueQuantity": quantity(80, "/min")})
    assert other.status_code == 409, "another reading has another number"
    pressure = vital(scene, session, "85354-9")
    pressure["component"] = [
        {"code": coded(LOINC, "8480-6"), "valueQuantity": quantity(191, "mm[Hg]")},
        {"code": coded(LOINC, "8462-4"), "valueQuantity": quantity(95, "mm[Hg]")},
    ]
    told = post(mine, pressure)
    assert told.status_code == 201 and len(told.json["component"]) == 2, told.text
    headers = {"Authorization": f"Bearer {scene['CT'].token}"}
    at_v1 = f"/api/v1/sessions/{session['id']}/ledger?limit=100"
    ledger = mine.app.test_client().get(at_v1, headers=headers).json["items"]
    readings = [one for one in ledger if one["type"] == "vitals"]
    assert [one.get("heart_rate_bpm") for one in readings][0] == 171
    assert any(one["judgements"] for one in readings), "what is abnormal is judged"
    assert mine("PUT", f"/Observation/{made.json['id']}", json=made.json).status_code == 405


@pytest.mark.parametrize(
    ("code", "change", "expected"),
    [
        ("8867-4", {"valueQuantity": quantity(9e9, "/min")}, "valueQuantity.value"),
        ("8867-4", {"valueQuantity": quantity(71.5, "/min")}, "valueQuantity.value"),
        ("8867-4", {"valueQuantity": quantity(71, "mm[Hg]")}, "valueQuantity"),
        ("44261-6", {"valueQuantity": quantity(7, "{score}")}, "code"),
        ("8867-4", {"category": [{"text": "Survey"}]}, "category"),
        ("8867-4", {"encounter": {"reference": "Encounter/1"}}, "encounter.reference"),
        ("85354-9", {"component": []}, "component"),
    ],
)
def test_what_is_no_vital_sign_is_refused(
    mine: Client, scene: Scene, session: dict[str, Any], code: str, change: Any, expected: str
) -> None:
    body = {"valueQuantity": quantity(70, "/min")} | change
    answer = post(mine, vital(scene, session, code, **body))
    assert answer.status_code == 422
    assert f"Observation.{expected}" in {at for _, at in issues(answer)}, answer.text


def answered(patient_id: str, values: dict[int, int | None], **more: Any) -> dict[str, Any]:
    """The answers of a PHQ-9, by the LOINC codes of its options."""
    options = {0: "LA6568-5", 1: "LA6569-3", 2: "LA6570-1", 3: "LA6571-9"}
    items = [
        {"linkId": f"phq9-{number}"}
        | (
            {"answer": [{"valueCoding": {"system": LOINC, "code": options[value]}}]}
            if value is not None
            else {}
        )
        for number, value in values.items()
    ]
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": "urn:freshtrail:instruments:phq-9",
        "status": "completed",
        "subject": {"reference": f"Patient/{patient_id}"},
        "author": {"reference": f"Patient/{patient_id}"},
        "authored": at(-5),
        "item": items,
    } | more


def test_answers_are_scored_here_and_raise_alerts(mine: Client, theirs: str) -> None:
    said = answered(theirs, {**dict.fromkeys(range(1, 9), 1), 9: 2})
    said["identifier"] = {"system": SYSTEM, "value": "phq-1"}
    made = post(mine, said, If_None_Exist=f"identifier={SYSTEM}|phq-1")
    assert made.status_code == 201, made.text
    assert made.json["identifier"] == {"system": SYSTEM, "value": "phq-1"}
    again = post(mine, said, If_None_Exist=f"identifier={SYSTEM}|phq-1")
    assert again.status_code == 200 and again.json["id"] == made.json["id"]
    scores = mine.get(f"/Observation?patient={theirs}&code={LOINC}|44261-6").json["entry"]
    assert [one["resource"]["valueQuantity"]["value"] for one in scores] == [10]
    with db.transaction() as store:
        [row] = store.rows(select(check_ins).where(check_ins.c.id == UUID(made.json["id"])))
        raised = store.rows(select(alerts).where(alerts.c.check_in_id == row["id"]))
    assert (row["source"], row["answered_by"], row["total"]) == ("ehr", "patient", 10)
    assert "immediate" in {one["priority"] for one in raised}


def test_what_was_left_open_is_not_nought(mine: Client, theirs: str) -> None:
    made = post(mine, answered(theirs, {**dict.fromkeys(range(1, 9), 0), 9: None}))
    assert made.status_code == 201, made.text
    assert "answer" not in made.json["item"][8]
    [score] = mine.get(f"/Observation?patient={theirs}&code={LOINC}|44261-6").json["entry"]
    assert "valueQuantity" not in score["resource"] and score["resource"]["dataAbsentReason"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"questionnaire": "urn:freshtrail:instruments:none"}, ("not-found", "questionnaire")),
        ({"questionnaire": "urn:freshtrail:instruments:phq-9|9"}, ("value", "questionnaire")),
        ({"status": "in-progress"}, ("not-supported", "status")),
        ({"item": [{"linkId": "phq9-77"}]}, ("value", "item[0].linkId")),
        (
            {"item": [{"linkId": "phq9-1", "answer": [{"valueInteger": 4}]}]},
            ("code-invalid", "item[0].answer[0]"),
        ),
        ({"authored": "2199-01-01"}, ("business-rule", "authored")),
    ],
)
def test_answers_that_the_instrument_does_not_know_are_refused(
    mine: Client, theirs: str, change: Any, expected: tuple[str, str]
) -> None:
    answer = post(mine, answered(theirs, {1: 1}, **change))
    code, path = expected
    assert answer.status_code == 422, answer.text
    assert (code, f"QuestionnaireResponse.{path}") in issues(answer), answer.text


def sharing(patient_id: Any, status: str = "active") -> dict[str, Any]:
    return {
        "resourceType": "Consent",
        "status": status,
        "scope": coded(f"{HL7}consentscope", "patient-privacy"),
        "category": [coded(LOINC, "59284-0")],
        "patient": {"reference": f"Patient/{patient_id}"},
        "dateTime": at(-60),
        "policyRule": {"text": "Sharing, text of 2026"},
    }


def test_a_consent_to_share_opens_a_chart_and_closes_it_again(
    app: Flask, mine: Client, theirs: str, scene: Scene
) -> None:
    with db.transaction():
        other = charts.register(app, scene.clinic_id, external_system=OTHERS).sign_in()
    assert other.get(f"/Patient/{theirs}").status_code == 404
    foreign = post(other, sharing(theirs))
    assert foreign.status_code == 422, "nobody gives themself a chart out of reach"
    given = post(mine, sharing(theirs))
    assert given.status_code == 201 and given.json["status"] == "active", given.text
    assert other.get(f"/Patient/{theirs}").status_code == 200
    claim = other.get(f"/Patient/{theirs}").json
    claim["identifier"].append({"system": OTHERS, "value": "mine-now"})
    assert put(other, claim).status_code == 409, "a number would outlast the consent"
    body = other.get(f"/Consent/{given.json['id']}").json | {"status": "inactive"}
    ended = put(other, body)
    assert ended.status_code == 200, ended.text
    assert other.get(f"/Patient/{theirs}").status_code == 404
    assert mine.get(f"/Consent/{given.json['id']}").json["status"] == "inactive"
    for change in ({"status": "rejected"}, {"scope": coded(f"{HL7}consentscope", "research")}):
        assert post(mine, sharing(theirs) | change).status_code == 422
    assert (
        post(mine, sharing(theirs, "active") | {"provision": {"type": "deny"}}).status_code == 422
    )


@pytest.mark.parametrize(("kind", "status"), [(None, 422), ("transaction", 422), ("batch", 200)])
def test_answers_that_are_refused_are_heard(
    mine: Client, theirs: str, kind: str | None, status: int
) -> None:
    said = answered(theirs, {1: 1, 9: 2})
    wrong = said | {"item": [*said["item"], {"linkId": "phq9-77"}]}
    entry = {"resource": wrong, "request": {"method": "POST", "url": "QuestionnaireResponse"}}
    bundle = {"resourceType": "Bundle", "type": kind, "entry": [entry]}
    path, body = ("", bundle) if kind else ("/QuestionnaireResponse", wrong)
    answer = mine("POST", path, json=body)
    assert answer.status_code == status and "phq9-77" not in answer.text, answer.text
    assert status == 200 or "safety was told" in answer.text
    with db.transaction() as store:
        raised = store.rows(select(alerts).where(alerts.c.patient_id == UUID(theirs)))
    assert {one["priority"] for one in raised} == {"immediate"}
    assert mine.get(f"/QuestionnaireResponse?patient={theirs}").json["total"] == 0


def test_refused_answers_of_a_chart_out_of_reach_are_told_to_nobody(
    app: Flask, mine: Client, theirs: str, scene: Scene
) -> None:
    with db.transaction():
        other = charts.register(app, scene.clinic_id).sign_in()
    answer = other("POST", "/QuestionnaireResponse", json=answered(theirs, {9: 2}))
    assert answer.status_code == 422 and "safety" not in answer.text
    with db.transaction() as store:
        assert not store.rows(select(alerts).where(alerts.c.patient_id == UUID(theirs)))


@pytest.mark.parametrize("kind", [None, "transaction", "batch"])
def test_answers_to_a_suspended_clinic_are_refused_and_heard(
    mine: Client, theirs: str, scene: Scene, kind: str | None
) -> None:
    with db.transaction():
        suspending.suspend_clinic(scene.clinic_id, "Invoice 17")
    assert mine.get(f"/Patient/{theirs}").status_code == 200
    said = answered(theirs, {1: 1, 9: 2})
    entry = {"resource": said, "request": {"method": "POST", "url": "QuestionnaireResponse"}}
    bundle = {"resourceType": "Bundle", "type": kind, "entry": [entry]}
    path, body = ("", bundle) if kind else ("/QuestionnaireResponse", said)
    answer = mine("POST", path, json=body)
    assert answer.status_code == 403 and "safety was told" in answer.text, answer.text
    assert issues(answer) >= {("forbidden", "")}
    with db.transaction() as store:
        raised = store.rows(select(alerts).where(alerts.c.patient_id == UUID(theirs)))
    assert {one["priority"] for one in raised} == {"immediate"}
    assert mine.get(f"/QuestionnaireResponse?patient={theirs}").json["total"] == 0


def test_a_suspended_clinic_is_exported_and_told_of(mine: Client, scene: Scene) -> None:
    with db.transaction():
        suspending.suspend_clinic(scene.clinic_id, "Invoice 17")
    asked = mine.get("/$export", headers={"Prefer": "respond-async"})
    assert asked.status_code == 202, asked.text
    at = asked.headers["Content-Location"].split("/fhir/R4")[1]
    assert mine.get(at).status_code in (200, 202)
    assert mine("DELETE", at).status_code == 202
