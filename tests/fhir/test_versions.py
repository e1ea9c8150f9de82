"""Versions: each as it was, as far as the client may read it now; what was taken away is gone."""

import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from api import clock, db
from api.core.integration import goals
from api.core.integration.tables import goals as goals_table
from api.core.outcomes import checkins
from tests import builders
from tests.builders import Scene
from tests.fhir import charts
from tests.fhir.charts import BASE, Client
from tests.fhir.test_lists_written import bodies
from tests.fhir.test_sent import answered, sharing, visit
from tests.fhir.test_statement import stated
from tests.fhir.test_validity import schema_check
from tests.fhir.test_writing import issues, mine, patient, post, put

__all__ = ["mine"]
CHANGES: dict[str, dict[str, Any]] = {
    "Patient": {"telecom": [{"system": "phone", "value": "+1 303 555 0177"}]},
    "Condition": {"note": [{"text": "Said again."}]},
    "AllergyIntolerance": {"note": [{"text": "Said again."}]},
    "MedicationStatement": {"note": [{"text": "Said again."}]},
    "ServiceRequest": {"status": "completed"},
    "Encounter": {"status": "cancelled"},
    "Consent": {"status": "inactive"},
}
"""What each type that may be put in place has otherwise in its second version."""
NUMBER = {"system": "https://ehr.example/others", "value": "second"}


def of_each(scene: Scene, theirs: str) -> dict[str, dict[str, Any]]:
    return {
        "Patient": patient("again"),
        **bodies(theirs),
        "Encounter": visit(theirs, scene["CT"].user_id, 3000),
        "Consent": sharing(theirs),
    }


def entries(client: Client, path: str) -> list[dict[str, Any]]:
    """Every entry of a history, page by page; each Bundle is valid."""
    told: list[dict[str, Any]] = []
    while path:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        assert not list(schema_check("Bundle").iter_errors(answer.json))
        told += answer.json.get("entry", [])
        links = {link["relation"]: link["url"] for link in answer.json["link"]}
        path = links.get("next", "")
    return told


@pytest.mark.parametrize("kind", CHANGES)
def test_each_version_of_what_is_written_is_read_as_it_was(
    mine: Client, scene: Scene, kind: str
) -> None:
    theirs = str(post(mine, patient()).json["id"])
    first = post(mine, of_each(scene, theirs)[kind]).json
    numbers = [*first["identifier"], NUMBER]
    second = put(mine, first | CHANGES[kind] | {"identifier": numbers})
    assert second.status_code == 200, second.text
    at, now = f"/{kind}/{first['id']}", second.json
    assert now["meta"]["versionId"] != "1" and {**now, "meta": 0} != {**first, "meta": 0}
    then = mine.get(f"{at}/_history/1")
    assert then.status_code == 200 and then.json == first, then.text
    assert then.headers["ETag"] == 'W/"1"'
    assert mine.get(f"{at}/_history/{now['meta']['versionId']}").json == now
    told = entries(mine, f"{at}/_history")
    assert told[0]["resource"] == now and told[-1]["resource"] == first
    assert [e["request"]["method"] for e in told] == ["PUT"] * (len(told) - 1) + ["POST"]
    assert told[-1]["response"]["status"] == "201" and told[0]["response"]["etag"] == (
        f'W/"{now["meta"]["versionId"]}"'
    )
    for nothing in ("99", "0", "x"):
        assert mine.get(f"{at}/_history/{nothing}").status_code == 404


def test_the_statement_says_of_which_types_versions_are_kept(ehr: Client) -> None:
    told = {one["type"] for one in stated(ehr) if one["readHistory"]}
    others = {"QuestionnaireResponse", "Observation", "Goal", "Provenance"}
    assert told == {*CHANGES, *others}


def test_a_history_is_paged_and_narrowed_by_when_it_was_made(mine: Client) -> None:
    there = post(mine, patient()).json
    for number in range(4):
        there = put(mine, there | {"birthDate": f"198{number}-07-02"}).json
    at = f"/Patient/{there['id']}/_history"
    every = entries(mine, at)
    assert [e["response"]["etag"] for e in every] == [f'W/"{n}"' for n in (5, 4, 3, 2, 1)]
    assert entries(mine, f"{at}?_count=2") == every and entries(mine, f"{at}?_count=5") == every
    page = mine.get(f"{at}?_count=2").json
    assert len(page["entry"]) == 2 and page["link"][0]["url"] == f"{BASE}{at}?_count=2"
    since = every[2]["resource"]["meta"]["lastUpdated"]
    assert entries(mine, f"{at}?_since={since}") == every[:3]
    later = (clock.now() + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    assert entries(mine, f"{at}?_since={later}") == []
    for bad in ("_count=x", "_since=soon", "_at=2026", "_sort=_id", "name=x", "_page=forged"):
        assert mine.get(f"{at}?{bad}").status_code == 400, bad
    link = next(k["url"] for k in page["link"] if k["relation"] == "next")
    elsewhere = link.replace(there["id"], str(db.new_id()))
    assert mine.get(elsewhere).status_code == 400


def test_answers_that_were_put_right_are_read_as_they_were(mine: Client, scene: Scene) -> None:
    with db.transaction():
        charts.let_see_all(scene.clinic_id)
    said = answered(str(scene.patient["id"]), dict.fromkeys(range(1, 10), 1))
    first = post(mine, said).json
    with db.transaction():
        right = {"answers": {"phq9-1": 3}, "reason": "Misread."}
        checkins.correct_checkin(scene["CT"].actor, checkins_id(first), right)
    at = f"/QuestionnaireResponse/{first['id']}"
    now = mine.get(at).json
    assert (now["status"], first["status"]) == ("amended", "completed")
    assert mine.get(f"{at}/_history/1").json == first
    told = entries(mine, f"{at}/_history")
    assert [e["resource"] for e in told] == [now, first]
    score = next(
        o
        for o in mine.every(f"/Observation?patient={scene.patient['id']}&_count=1000")
        if o["code"]["coding"][0]["code"] == "44261-6"
    )
    scores = entries(mine, f"/Observation/{score['id']}/_history")
    assert [e["resource"]["valueQuantity"]["value"] for e in scores] == [11, 9]


def checkins_id(resource: dict[str, Any]) -> Any:
    from uuid import UUID

    return UUID(resource["id"])


def test_a_draft_is_no_version(ehr: Client, scene: Scene) -> None:
    actor = scene["CT"].actor
    with db.transaction():
        said = {"instrument": "who-5", "answers": {"who5-1": 1}, "complete": False}
        draft = checkins.log_checkin(actor, scene.patient["id"], said)
        more = {"answers": {f"who5-{n}": 2 for n in range(1, 6)}}
        checkins.change_checkin(actor, draft["id"], None, more)
        checkins.complete_checkin(actor, draft["id"], {})
    told = entries(ehr, f"/QuestionnaireResponse/{draft['id']}/_history")
    assert len(told) == 1 and told[0]["resource"]["status"] == "completed"
    assert ehr.get(f"/QuestionnaireResponse/{draft['id']}/_history/1").status_code == 404


def test_a_version_that_was_for_me_alone_or_out_of_scope_is_not_there(
    app: Flask, scene: Scene, ehr: Client
) -> None:
    with db.transaction():
        goal = builders.make_goal(scene.patient, shared_with="me")
    with db.transaction():
        row = goals.change_goal(scene["PS"].actor, goal["id"], None, {"shared_with": "care_team"})
        done = {"lifecycle_status": "completed"}
        goals.change_goal(scene["PS"].actor, goal["id"], row["version"], done)
        narrow = "system/Goal.rs?lifecycle-status=completed"
        client = charts.register(app, scene.clinic_id, narrow).sign_in()
    at = f"/Goal/{goal['id']}"
    assert ehr.get(f"{at}/_history/1").status_code == 404
    assert [e["response"]["etag"] for e in entries(ehr, f"{at}/_history")] == ['W/"3"', 'W/"2"']
    assert [e["response"]["etag"] for e in entries(client, f"{at}/_history")] == ['W/"3"']
    assert client.get(f"{at}/_history/2").status_code == 404
    assert client.get(f"{at}/_history/3").status_code == 200


def test_out_of_reach_no_version_is_told_from_nothing(
    app: Flask, scene: Scene, seen: dict[str, Any], mine: Client
) -> None:
    goal = seen["goal"]["id"]
    for there in ("/_history", "/_history/1"):
        same = {"X-Request-ID": "same"}
        one = mine.get(f"/Goal/{goal}{there}", headers=same)
        other = mine.get(f"/Goal/{db.new_id()}{there}", headers=same)
        assert one.status_code == 404 and one.data == other.data


def test_what_was_taken_away_is_gone_for_who_could_read_it_and_nothing_for_others(
    app: Flask, scene: Scene, ehr: Client, mine: Client
) -> None:
    with db.transaction():
        charts.let_see_all(scene.clinic_id)
        goal = builders.make_goal(scene.patient)
        kept = builders.make_goal(scene.patient, shared_with="me")
    with db.transaction() as store:
        for row in (goal, kept):
            store.remove(goals_table, row)
    at = f"/Goal/{goal['id']}"
    gone = ehr.get(at)
    assert gone.status_code == 410 and issues(gone) == {("deleted", "")}
    assert ehr.get(f"{at}/_history/2").status_code == 410
    assert ehr.get(f"{at}/_history/1").status_code == 200
    told = entries(ehr, f"{at}/_history")
    assert [e["request"]["method"] for e in told] == ["DELETE", "POST"]
    assert "resource" not in told[0] and told[1]["resource"]["id"] == str(goal["id"])
    batch = {"request": {"method": "GET", "url": at[1:]}}
    body = {"resourceType": "Bundle", "type": "batch", "entry": [batch]}
    assert ehr("POST", "", json=body).json["entry"][0]["response"]["status"] == "410"
    assert ehr.get(f"/Goal/{kept['id']}").status_code == 404
    with db.transaction():
        charts.let_see_all(scene.clinic_id, "consented")
    for path in (at, f"{at}/_history", f"{at}/_history/2"):
        assert mine.get(path).status_code == 404


def test_nothing_readable_of_former_versions_lies_in_the_database(mine: Client) -> None:
    from sqlalchemy import select

    from api.db.versions import record_versions

    theirs = str(post(mine, patient()).json["id"])
    body = bodies(theirs)["Condition"] | {"note": [{"text": "the-canary-of-versions"}]}
    first = post(mine, body).json
    assert put(mine, first | {"note": [{"text": "Other."}]}).status_code == 200
    with db.transaction() as store:
        rows = store.rows(select(record_versions))
    mine_too = [row for row in rows if str(row["record_id"]) == first["id"]]
    assert mine_too and "canary" not in json.dumps(rows, default=str)


def test_provenance_names_who_made_each_version(scene: Scene, ehr: Client) -> None:
    with db.transaction():
        charts.let_see_all(scene.clinic_id)
        goal = builders.make_goal(scene.patient)
    changes = (("CT", "on_hold"), ("PS", "completed"))
    version = goal["version"]
    for actor, status in changes:
        with db.transaction():
            said = {"lifecycle_status": status}
            version = goals.change_goal(scene[actor].actor, goal["id"], version, said)["version"]
    theirs = f"Patient/{scene.patient['id']}"
    named = [theirs, f"Practitioner/{scene['CT'].user_id}"]
    at = f"/Provenance/goa-{goal['id']}"

    def who(told: dict[str, Any]) -> str:
        return str(told["agent"][0]["who"]["reference"])

    assert [who(e["resource"]) for e in entries(ehr, f"{at}/_history")][:2] == named
    assert who(ehr.get(at).json) == named[0]
    assert who(ehr.get(f"{at}/_history/3").json) == named[0]
    assert who(ehr.get(f"{at}/_history/2").json) == named[1]
    [found] = ehr.every(f"/Provenance?target=Goal/{goal['id']}")
    assert who(found) == named[0]
