"""Searching: what is found is what a plain look through every resource finds."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select

from api import clock, db
from api.core.clinical_lists.table import allergies
from api.fhir import dates, finding
from api.fhir.kinds import KINDS
from tests import builders
from tests.builders import Scene
from tests.fhir import charts
from tests.fhir.charts import BASE, SYSTEM, Client

Resources = list[dict[str, Any]]


def ids(resources: Resources) -> list[str]:
    return [one["id"] for one in resources]


def codes(resource: dict[str, Any], name: str) -> set[str]:
    """Every code of an element, by plain means."""
    value = resource.get(name, [])
    return {
        c["code"]
        for one in (value if isinstance(value, list) else [value])
        for c in one.get("coding", [])
    }


def test_every_us_core_parameter_finds_what_a_plain_look_finds(
    ehr: Client, scene: Scene, seen: dict[str, Any]
) -> None:
    every = {name: ehr.every(f"/{name}?_count=200") for name in KINDS}
    me = str(scene.patient["id"])
    mine = f"Patient/{me}"

    def of(name: str, element: str = "subject") -> Resources:
        return [r for r in every[name] if r[element]["reference"] == mine]

    people, observations = every["Patient"], of("Observation")
    ada = [p for p in people if any(n.get("family") == "Example" for n in p["name"])]
    today = clock.now().date()
    vitals = [o for o in observations if "vital-signs" in codes(o, "category")]
    phq = [o for o in observations if "44261-6" in codes(o, "code")]
    assert len(vitals) > 4 and len(phq) == 1 and len(ada) == 2
    day_of = {o["id"]: o["effectiveDateTime"][:10] for o in vitals}
    cases: dict[str, Resources] = {
        f"Patient?_id={me}": [p for p in people if p["id"] == me],
        f"Patient?identifier={SYSTEM}|MRN-7": [p for p in people if p["id"] == me],
        "Patient?identifier=MRN-7": [p for p in people if p["id"] == me],
        f"Patient?identifier={SYSTEM}|MRN-8": [],
        "Patient?name=exam": ada,
        "Patient?name=ADD": [p for p in people if p["id"] == me],
        "Patient?birthdate=1990-01-31&name=exam": ada,
        "Patient?birthdate=ge1990-02&name=exam": [],
        "Patient?gender=female&name=exam": [p for p in ada if p["gender"] == "female"],
        "Patient?gender=male,female": [p for p in people if p["gender"] in ("male", "female")],
        "Patient?gender:not=female": [p for p in people if p["gender"] != "female"],
        "Patient?name:exact=Ada": [p for p in people if p["id"] == me],
        "Patient?name:contains=XAMP": ada,
        "Patient?address-city:missing=true": [p for p in people if "address" not in p],
        f"Observation?patient={me}&category=vital-signs": vitals,
        f"Observation?patient={mine}&category=vital-signs": vitals,
        f"Observation?patient={BASE}/{mine}&category=vital-signs,survey": [
            o for o in observations if codes(o, "category") & {"vital-signs", "survey"}
        ],
        f"Observation?patient={me}&code=http://loinc.org|44261-6": phq,
        f"Observation?patient={me}&code=http://snomed.info/sct|44261-6": [],
        f"Observation?patient={me}&category=vital-signs&date={today}": [
            o for o in vitals if day_of[o["id"]] == str(today)
        ],
        f"Observation?patient={me}&category=vital-signs&date=ge{today}&date=lt{today}": [],
        f"Encounter?patient={me}": of("Encounter"),
        f"Encounter?date=ge{today + timedelta(days=1)}&patient={me}": [
            e for e in of("Encounter") if e["period"].get("end", "9999")[:10] > str(today)
        ],
        f"Goal?patient={me}": of("Goal"),
        f"Goal?patient={me}&lifecycle-status=active": of("Goal"),
        f"Procedure?patient={me}": of("Procedure"),
        f"Procedure?patient={me}&date=ge2020": of("Procedure"),
        f"Condition?patient={me}": of("Condition"),
        f"Condition?patient={me}&category=problem-list-item": of("Condition"),
        f"Condition?patient={me}&category=encounter-diagnosis": [],
        f"QuestionnaireResponse?patient={me}": of("QuestionnaireResponse"),
        "QuestionnaireResponse?questionnaire=urn:freshtrail:instruments:phq-9": [
            q for q in every["QuestionnaireResponse"] if "phq-9" in q["questionnaire"]
        ],
        "Practitioner?name=clin": every["Practitioner"],
        f"Practitioner?identifier=urn:freshtrail:ids:practitioner|{scene['CT'].user_id}": [
            p for p in every["Practitioner"] if p["id"] == str(scene["CT"].user_id)
        ],
        "Organization?name=test": every["Organization"],
        "Organization?address=nowhere": [],
        f"AllergyIntolerance?patient={me}": of("AllergyIntolerance", "patient"),
        f"Provenance?target=Goal/{seen['goal']['id']}": [
            p
            for p in every["Provenance"]
            if p["target"][0]["reference"] == f"Goal/{seen['goal']['id']}"
        ],
    }
    for query, expected in cases.items():
        assert ids(ehr.every(f"/{query}")) == ids(expected), query
        kind, _, rest = query.partition("?")
        answer = (
            ehr("POST", f"/{kind}/_search", data=dict(p.split("=", 1) for p in rest.split("&")))
            if rest.count("date=") < 2
            else ehr.get(f"/{query}")
        )
        assert answer.json["total"] == len(expected), query


def test_pages_hold_while_others_write(
    app: Flask, ehr: Client, scene: Scene, seen: dict[str, Any]
) -> None:
    keys = {"clinic_id": scene.clinic_id, "patient_id": scene.patient["id"]}
    values = keys | {"recorded_by": scene["CT"].user_id, "status": "active"}
    with db.transaction() as store:
        rows = [store.add(allergies, values | {"substance": f"S{i}"}) for i in range(40)]
    for query in ("_count=7", "_count=7&_sort=-date", "_count=7&_sort=code,_id"):
        there, path, turn = [], f"/AllergyIntolerance?{query}", 0
        while path:
            bundle = ehr.get(path).json
            there += [e["resource"]["id"] for e in bundle.get("entry", [])]
            path = next((k["url"] for k in bundle["link"] if k["relation"] == "next"), "")
            with db.transaction() as store:
                store.add(allergies, values | {"substance": f"new {turn}"})
                gone = rows[turn]
                fresh = select(allergies).where(allergies.c.id == gone["id"])
                found = store.row(fresh)
                if found is not None and found["deleted_at"] is None:
                    store.remove(allergies, found)
            turn += 1
        kept = {str(row["id"]) for row in rows[turn:]}
        assert len(there) == len(set(there)) and kept <= set(there), query
        rows = rows[turn:]


def test_a_page_may_end_within_what_one_row_makes(ehr: Client) -> None:
    whole = ids(ehr.every("/Observation?_count=1000"))
    assert len(whole) > 40 and len(set(whole)) == len(whole)
    for size in (1, 3, 17):
        assert ids(ehr.every(f"/Observation?_count={size}")) == whole
    assert sorted(ids(ehr.every("/Observation?_count=9&_sort=-date"))) == sorted(whole)


def test_an_order_is_an_order_both_ways(ehr: Client) -> None:
    dated = [o["effectiveDateTime"] for o in ehr.every("/Observation?_sort=date&_count=13")]
    starts = [dates.span(text)[0] for text in dated]
    assert starts == sorted(starts)
    dated = [o["effectiveDateTime"] for o in ehr.every("/Observation?_sort=-date&_count=13")]
    starts = [dates.span(text)[0] for text in dated]
    assert starts == sorted(starts, reverse=True)


def links(bundle: dict[str, Any]) -> dict[str, str]:
    return {one["relation"]: one["url"] for one in bundle["link"]}


def test_links_say_what_was_applied_and_are_opaque(ehr: Client, app: Flask, scene: Scene) -> None:
    bundle = ehr.get(
        "/Observation?category=survey&_count=5000&wingspan=3",
        headers={"Prefer": "handling=lenient"},
    ).json
    assert "_count=1000" in links(bundle)["self"] and "wingspan" not in links(bundle)["self"]
    bundle = ehr.get("/Observation?category=survey&_count=2").json
    further = links(bundle)["next"]
    assert further.startswith(f"{BASE}/Observation?_page=") and "survey" not in further
    assert ehr.get(further).json["total"] == bundle["total"]
    forged = further[:-4] + "AAAA"
    assert ehr.get(forged).status_code == 400
    assert ehr.get(further.replace("/Observation?", "/Goal?")).status_code == 400
    with db.transaction():
        other = charts.register(app, scene.clinic_id).sign_in()
    assert other.get(further).status_code == 400


def test_only_a_count_may_be_asked_for(ehr: Client) -> None:
    many = len(ehr.every("/Observation?_count=1000"))
    for query in ("_count=0", "_summary=count", "_count=0&_totalMethod=count"):
        bundle = ehr.get(f"/Observation?{query}").json
        assert bundle["total"] == many and "entry" not in bundle
    assert "total" not in ehr.get("/Observation?_total=none").json


def test_a_total_that_is_dear_is_told_to_whoever_asks_for_it(
    ehr: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = len(ehr.every("/Observation?_count=1000"))
    monkeypatch.setattr(finding, "MOST_COUNTED", 10)
    bare = ehr.get("/Observation?_count=3")
    assert bare.status_code == 200 and "total" not in bare.json
    assert len(bare.json["entry"]) == 3 and len(ehr.every("/Observation?_count=3")) == every
    asked = ehr.get("/Observation?_count=3&_total=accurate").json
    assert asked["total"] == every
    assert ehr.get(links(asked)["next"]).json["total"] == every
    monkeypatch.setattr(finding, "MOST_SORTED", 12)
    for roughly in ("", "&_total=estimate"):
        told = ehr.get(f"/Observation?_count=3{roughly}")
        assert told.status_code == 200 and "total" not in told.json
    dear = ehr.get("/Observation?_count=3&_total=accurate")
    assert dear.status_code == 400 and dear.json["issue"][0]["code"] == "too-costly"


def test_parts_of_a_resource_are_marked(ehr: Client) -> None:
    for query, there, gone in (
        ("_elements=name", "name", "address"),
        ("_summary=true", "name", "contact"),
        ("_summary=text", "meta", "name"),
    ):
        for path in (f"/Patient?{query}", f"/Patient/{ids(ehr.every('/Patient'))[0]}?{query}"):
            told = ehr.get(path).json
            one = told["entry"][0]["resource"] if "entry" in told else told
            assert there in one and gone not in one, path
            assert one["meta"]["tag"][0]["code"] == "SUBSETTED"


def test_what_comes_along_is_marked_and_not_counted(ehr: Client, seen: dict[str, Any]) -> None:
    query = "/MedicationAdministration?_include=MedicationAdministration:subject"
    query += "&_include=MedicationAdministration:context:Encounter&_revinclude=Provenance:target"
    bundle = ehr.get(query).json
    modes = [(e["search"]["mode"], e["resource"]["resourceType"]) for e in bundle["entry"]]
    assert bundle["total"] == 2 == modes.count(("match", "MedicationAdministration"))
    assert modes.count(("include", "Patient")) == modes.count(("include", "Encounter")) == 1
    assert modes.count(("include", "Provenance")) == 2
    targets = {
        e["resource"]["target"][0]["reference"]
        for e in bundle["entry"]
        if e["resource"]["resourceType"] == "Provenance"
    }
    matched = {e["fullUrl"] for e in bundle["entry"] if e["search"]["mode"] == "match"}
    assert {f"{BASE}/{target}" for target in targets} == matched
    answer = ehr.get("/QuestionnaireResponse?_include=QuestionnaireResponse:questionnaire").json
    kinds = {e["resource"]["resourceType"] for e in answer["entry"]}
    assert kinds == {"QuestionnaireResponse", "Questionnaire"}


@pytest.mark.parametrize(
    "query",
    [
        "Patient?wingspan=3",
        "Patient?name=",
        "Patient?name:soundslike=x",
        "Patient?birthdate=yesterday",
        "Patient?birthdate=2026-13",
        "Patient?birthdate=gt",
        "Patient?_count=-1",
        "Patient?_count=many",
        "Patient?_sort=wingspan",
        "Patient?_summary=some",
        "Patient?_include=Patient:wingspan",
        "Patient?_revinclude=Observation:patient",
        "Patient?_has:Observation:patient:code=1",
        "Patient?_filter=name eq x",
        "Observation?subject.name=x",
        "Observation?patient:missing=perhaps",
    ],
)
def test_what_has_no_meaning_is_refused_unless_it_may_be_passed_over(
    ehr: Client, query: str
) -> None:
    answer = ehr.get(f"/{query}")
    assert answer.status_code == 400, answer.text
    assert answer.json["issue"][0]["severity"] == "error"
    lenient = ehr.get(f"/{query}", headers={"Prefer": "respond-async, handling=lenient"})
    assert lenient.status_code == 200
    said = query.partition("?")[2].partition("=")[0]
    assert said not in links(lenient.json)["self"] or said == "_count"


def test_what_was_read_before_need_not_be_sent_again(ehr: Client, seen: dict[str, Any]) -> None:
    at = f"/Goal/{seen['goal']['id']}"
    first = ehr.get(at)
    etag, changed = first.headers["ETag"], first.headers["Last-Modified"]
    assert etag == f'W/"{first.json["meta"]["versionId"]}"'
    for headers in ({"If-None-Match": etag}, {"If-Modified-Since": changed}):
        again = ehr.get(at, headers=headers)
        assert again.status_code == 304 and not again.data and again.headers["ETag"] == etag
    assert ehr.get(at, headers={"If-None-Match": 'W/"99"'}).status_code == 200


def test_ids_are_those_of_our_rows_and_the_same_each_time(
    ehr: Client, seen: dict[str, Any]
) -> None:
    assert ehr.get(f"/Encounter/{seen['session']['id']}").status_code == 200
    total = ehr.get(f"/Observation/{seen['phq']['id']}-total").json
    assert total["valueQuantity"]["value"] == 9
    assert total["valueQuantity"]["code"] == "{score}"
    upper = str(seen["session"]["id"]).upper()
    braces = UUID(str(seen["session"]["id"])).hex
    for other in (upper, braces, f"{seen['session']['id']}-x", f"{seen['session']['id']}-"):
        assert ehr.get(f"/Encounter/{other}").status_code == 404, other


def test_missing_is_never_nought(ehr: Client, seen: dict[str, Any]) -> None:
    found = ehr.every("/Observation?code=70274-6")
    assert [o["dataAbsentReason"]["coding"][0]["code"] for o in found] == ["not-performed"]
    open_item = ehr.every("/Observation?code=69736-7")
    assert all("valueCodeableConcept" not in o for o in open_item)
    tiers = ehr.every("/Observation?code=93374-7")
    assert [o["valueCodeableConcept"]["coding"][0]["code"] for o in tiers] == ["LA9194-7"]


def test_a_trail_is_told_as_others_may_count_it(
    app: Flask, ehr: Client, seen: dict[str, Any]
) -> None:
    at = f"/Observation/{seen['practice']['id']}-trail"
    before = ehr.get(at).json
    assert 0 < before["valueQuantity"]["value"] < 1
    with db.transaction():
        builders.make_step(seen["practice"], shared_with="me", walked_on=clock.today("UTC"))
    assert ehr.get(at).json["valueQuantity"] == before["valueQuantity"]
