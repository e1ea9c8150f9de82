"""Histories, users, clients and settings over HTTP: shapes, statuses, and who made each version."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from api import db
from tests.builders import Scene
from tests.keyrings import ec_key
from tests.v1.conftest import is_problem

CLIENT = {
    "name": "Valley EHR",
    "scopes": ["system/Patient.rs"],
    "external_system": "https://ehr.valley.example/patients",
    "jwks": {"keys": [ec_key()]},
}


def test_who_admitted_a_patient_and_who_booked_made_the_first_version(
    call: Any, scene: Scene
) -> None:
    body = {"legal_name": {"given": "Ida", "family": "Example"}, "birth_on": "1990-01-31"}
    patient = call("CT").post("/patients", body).json
    call("CT").patch(f"/patients/{patient['id']}", {"pronouns": "they"}, 1)
    told = call("CA").get(f"/patients/{patient['id']}/history").json["items"]
    made = {"id": str(scene["CT"].user_id), "display_name": "Clinician Test"}
    assert [(one["version"], one["changed"], one["made_by"]) for one in told] == [
        (2, ["pronouns"], made),
        (1, [], made),
    ]
    times = {"starts_at": "2031-01-05T16:00:00Z", "ends_at": "2031-01-05T17:00:00Z"}
    session = {"kind": "intake", "mode": "in_person", "clinician_ids": [made["id"]]} | times
    booked = call("CA").post(f"/patients/{patient['id']}/sessions", session).json
    [first] = call("CT").get(f"/sessions/{booked['id']}/history").json["items"]
    assert first["made_by"]["id"] == str(scene["CA"].user_id)
    assert first["values"]["starts_at"] == times["starts_at"]


def test_a_history_is_walked_by_its_cursor(call: Any, scene: Scene) -> None:
    path = f"/patients/{scene.patient['id']}"
    for version in range(1, 5):
        call("CT").patch(path, {"pronouns": f"they {version}"}, version)
    page, seen = call("PS").get(f"{path}/history?limit=2").json, []
    while True:
        seen += [one["version"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        page = call("PS").get(f"{path}/history?limit=2&cursor={page['next_cursor']}").json
    assert seen == [5, 4, 3, 2, 1]


def test_the_old_token_of_whoever_is_disabled_is_refused_at_the_next_request(
    call: Any, scene: Scene
) -> None:
    old = call("CT")
    assert old.get("/me").status_code == 200
    assert call("CA").post(f"/users/{scene['CT'].user_id}/disable").json["disabled_at"]
    assert is_problem(old.get("/me"), 401)
    again = call("CA").post(f"/users/{scene['CT'].user_id}/disable")
    assert is_problem(again, 409) and again.json["allowed"] == ["enable"]
    assert is_problem(call("CA").post(f"/users/{scene['CA'].user_id}/disable"), 403)


def test_granted_privileges_are_shown_in_me_and_among_the_clinicians(
    call: Any, scene: Scene
) -> None:
    path = f"/users/{scene['CT'].user_id}"
    granted = {"profession": "prescriber", "privileges": ["prescribe", "administer"]}
    told = call("CA").patch(path, granted, 1)
    assert (told.status_code, told.headers["ETag"]) == (200, '"2"')
    assert call("CT").get("/me").json["privileges"] == ["administer", "prescribe"]
    rows = {row["id"]: row for row in call("CN").get("/clinicians").json["items"]}
    assert rows[str(scene["CT"].user_id)]["privileges"] == ["administer", "prescribe"]
    assert is_problem(call("CA").patch(path, granted, 1), 412)
    assert is_problem(call("CA").patch(path, {"privileges": ["everything"]}, 2), 422)
    assert is_problem(call("CA").patch(path, {"disabled_at": None}, 2), 422)


def test_a_client_is_registered_with_public_keys_alone(call: Any) -> None:
    made = call("CA").post("/clients", CLIENT)
    assert made.status_code == 201 and made.headers["Location"].endswith(made.json["client_id"])
    assert made.json["jwks"] == {"keys": [ec_key()]}
    secret = CLIENT | {"external_system": "urn:x:y", "jwks": {"keys": [ec_key(d="AAAA")]}}
    refused = call("CA").post("/clients", secret)
    assert is_problem(refused, 422)
    assert refused.json["errors"][0]["pointer"] == "/jwks/keys/0/d" and "AAAA" not in refused.text
    taken = call("CA").post("/clients", CLIENT)
    assert is_problem(taken, 409)
    gone = call("CA").post(f"/clients/{made.json['id']}/revoke")
    assert gone.json["state"] == "revoked"


def test_the_clinic_says_which_charts_an_ehr_reaches(call: Any) -> None:
    assert call("CA").get("/clinic").json["ehr_access"] == "consented"
    told = call("CA").patch("/clinic", {"ehr_access": "own_ehr"}, 1)
    assert told.json["ehr_access"] == "own_ehr"
    assert is_problem(call("CA").patch("/clinic", {"ehr_access": "all"}, 2), 422)


@pytest.mark.parametrize("wrong", [{"kty": "oct"}, {}, {"kid": 1}, "x", None])
def test_a_key_that_is_none_is_refused_by_its_form(call: Any, wrong: Any) -> None:
    refused = call("CA").post("/clients", CLIENT | {"jwks": {"keys": [wrong]}})
    assert is_problem(refused, 422)


def test_a_client_is_registered_listed_and_revoked_from_the_shell(
    application: Flask, scene: Scene, tmp_path: Path
) -> None:
    import orjson

    db.leave_store()
    shell, who = application.test_cli_runner(), ("--actor", scene["CA"].email)
    jwks = tmp_path / "jwks.json"
    jwks.write_bytes(orjson.dumps(CLIENT["jwks"]))
    words = ("--name", "Valley EHR", "--scope", "system/*.rs", "--jwks", str(jwks), *who)
    made = shell.invoke(args=["client", "register", "--external-system", "urn:x:z", *words])
    assert made.exit_code == 0, made.output
    client_id = made.output.strip()
    taken = shell.invoke(args=["client", "register", "--external-system", "urn:x:z", *words])
    assert taken.exit_code == 2 and "Nothing was written." in taken.output
    listed = shell.invoke(args=["client", "list", *who])
    assert listed.output == f"{client_id} active Valley EHR\n"
    gone = shell.invoke(args=["client", "revoke", client_id, *who])
    assert gone.output == f"{client_id} is revoked.\n"
    nobody = shell.invoke(args=["client", "list", "--actor", scene["CT"].email])
    assert nobody.exit_code == 2
