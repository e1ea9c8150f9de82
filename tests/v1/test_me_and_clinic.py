"""Who is signed in, what they prefer, and the clinic with its people and words, over HTTP."""

from typing import Any

import pytest
from sqlalchemy import select

from api import clock, db
from api.access.users import users
from api.core.patients import patients
from tests.builders import Scene
from tests.conftest import Caller
from tests.v1.conftest import is_problem

KINDS = {
    "PS": "patient",
    "CT": "clinician",
    "CA": "administrator",
    "PR": "privacy_officer",
    "AY": "analyst",
}
NEW = {
    "email": "new@clinic.example",
    "role": "clinician",
    "display_name": "New Colleague",
    "profession": "nurse",
    "privileges": ["discharge"],
}


def test_everybody_reads_who_they_are(call: Any, scene: Scene) -> None:
    for name, kind in KINDS.items():
        me = call(name).get("/me").json
        assert (me["kind"], me["user_id"]) == (kind, str(scene[name].user_id))
        assert me["clinic"] == {
            "id": str(scene.clinic_id),
            "name": "Test Clinic",
            "time_zone": "America/Denver",
            "suspended": False,
        }
        assert (me["patient_id"] is not None) == (kind == "patient")
        assert (me["clinician_id"] == me["user_id"]) == (kind == "clinician")
        assert me["privileges"] == [] and me["locale"] == "en-US"


def test_privileges_are_shown_beside_the_profession(call: Any, scene: Scene) -> None:
    with db.transaction() as store:
        mine = users.update().where(users.c.id == scene["CT"].user_id)
        store.execute(mine.values(privileges=["prescribe", "direct"], profession="prescriber"))
    me = call("CT").get("/me").json
    assert (me["profession"], me["privileges"]) == ("prescriber", ["direct", "prescribe"])
    rows = {row["id"]: row for row in call("CN").get("/clinicians").json["items"]}
    assert set(rows) == {str(scene["CT"].user_id), str(scene["CN"].user_id)}
    assert rows[me["user_id"]]["privileges"] == ["direct", "prescribe"]
    assert not {"email", "patient_id", "preferences"} & set(rows[me["user_id"]])


def test_preferences_have_defaults_and_are_changed_by_merge_patch(call: Any) -> None:
    ps = call("PS")
    before = ps.get("/me/preferences")
    assert before.headers["ETag"] == '"1"'
    assert before.json == {
        "version": 1,
        "default_sharing": None,
        "reminder_channel": "none",
        "quiet_hours": None,
        "quote_my_moments": True,
    }
    hours = {"from": "21:00", "to": "08:00"}
    after = ps.patch("/me/preferences", {"quiet_hours": hours}, 1)
    assert after.json == before.json | {"version": 2, "quiet_hours": hours}
    cleared = ps.patch("/me/preferences", {"quiet_hours": None, "quote_my_moments": False}, 2)
    assert cleared.json == before.json | {"version": 3, "quote_my_moments": False}
    assert is_problem(ps.patch("/me/preferences", {"quiet_hours": None}, 2), 412)
    assert is_problem(ps("PATCH", "/me/preferences", {"quiet_hours": None}), 428)


@pytest.mark.parametrize(
    "body",
    [
        {"default_sharing": "everybody"},
        {"reminder_channel": "pigeon"},
        {"quiet_hours": {"from": "21:00"}},
        {"quiet_hours": {"from": "24:00", "to": "08:00"}},
        {"quiet_hours": {"from": "9:00", "to": "08:00"}},
        {"quiet_hours": {"from": "\u0662\u0661:00", "to": "08:00"}},
        {"quote_my_moments": "yes"},
        {"version": 3},
        {"role": "administrator"},
    ],
)
def test_preferences_are_read_strictly(call: Any, body: Any) -> None:
    assert is_problem(call("PS").patch("/me/preferences", body, 1), 422)


def test_only_a_patient_sets_what_new_entries_start_with(call: Any, scene: Scene) -> None:
    refused = call("CT").patch("/me/preferences", {"default_sharing": "me"}, 1)
    assert is_problem(refused, 422)
    assert refused.json["errors"][0]["pointer"] == "/default_sharing"
    assert call("PS").patch("/me/preferences", {"default_sharing": "me"}, 1).status_code == 200
    chart = select(patients.c.default_sharing).where(patients.c.id == scene.patient["id"])
    assert db.store().row(chart) == {"default_sharing": "me"}


# --- the clinic


def test_crisis_resources_are_merged_by_locale(call: Any) -> None:
    ca = call("CA")
    english = {"emergency": "911", "line": "988", "review_on": "2027-06-01"}
    first = ca.patch("/clinic", {"crisis_resources": {"en-US": english}}, 1).json
    assert first["crisis_resources"]["en-US"] == english | {"text": None, "phone": None}
    more = {"en-US": {"phone": "555"}, "de-DE": {"emergency": "112", "review_on": "2027-06-01"}}
    second = ca.patch("/clinic", {"crisis_resources": more}, 2).json["crisis_resources"]
    assert set(second) == {"de-DE", "en-US"}
    assert second["en-US"] == english | {"text": None, "phone": "555"}
    third = ca.patch("/clinic", {"crisis_resources": {"de-DE": None}}, 3).json
    assert set(third["crisis_resources"]) == {"en-US"}
    assert ca.get("/clinic").json == third


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (
            {"crisis_resources": {"en-US": {"emergency": "911"}}},
            "/crisis_resources/en-US/review_on",
        ),
        (
            {"crisis_resources": {"en-US": {"review_on": "2027-06-01"}}},
            "/crisis_resources/en-US/emergency",
        ),
        ({"time_zone": "Mars/Base"}, "/time_zone"),
        ({"name": ""}, "/name"),
        ({"name": None}, "/name"),
        ({"is_demo": False}, "/is_demo"),
    ],
)
def test_the_clinic_is_changed_strictly(call: Any, body: Any, pointer: str) -> None:
    answer = call("CA").patch("/clinic", body, 1)
    assert is_problem(answer, 422)
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


def test_a_change_of_the_clinic_names_its_version(call: Any) -> None:
    ca = call("CA")
    assert ca.get("/clinic").headers["ETag"] == '"1"'
    assert is_problem(ca("PATCH", "/clinic", {"name": "New"}), 428)
    assert ca.patch("/clinic", {"name": "New"}, 1).json["version"] == 2
    assert is_problem(ca.patch("/clinic", {"name": "Newer"}, 1), 412)
    assert ca("GET", "/clinic", **{"If-None-Match": '"2"'}).status_code == 304


# --- people


def test_users_are_listed_by_role_with_their_address(call: Any, scene: Scene) -> None:
    ca = call("CA")
    rows = {row["id"]: row for row in ca.get("/users").json["items"]}
    assert len(rows) == 7
    assert rows[str(scene["CT"].user_id)]["email"] == scene["CT"].email
    found = ca.get("/users?role=analyst").json["items"]
    assert [row["id"] for row in found] == [str(scene["AY"].user_id)]
    assert is_problem(ca.get("/users?role=boss"), 422)
    assert not {"account_id", "preferences", "security_version"} & set(found[0])
    assert is_problem(ca.get(f"/users/{scene['XT'].user_id}"), 404)


def test_a_disabled_clinician_leaves_the_list_and_is_let_in_nowhere(
    call: Any, scene: Scene
) -> None:
    since = clock.now().isoformat().replace("+00:00", "Z")
    ct = call("CT")
    with db.transaction() as store:
        row = store.row(select(users).where(users.c.id == scene["CT"].user_id))
        assert row is not None
        store.change(users, row, {"disabled_at": clock.now()})
    assert is_problem(ct.get("/patients"), 401)
    ids = [row["id"] for row in call("CA").get("/clinicians").json["items"]]
    assert ids == [str(scene["CN"].user_id)]
    changes = call("CA").get(f"/clinicians?updated_since={since}").json
    assert [gone["id"] for gone in changes["tombstones"]] == [str(scene["CT"].user_id)]


def test_an_invitation_is_sent_listed_accepted_and_used(app: Any, call: Any) -> None:
    ca, anon = call("CA"), Caller(app.test_client(), None)
    body = NEW | {"email": f"{db.new_id()}@clinic.example"}
    key = {"Idempotency-Key": "ask"}
    sent = ca.post("/invitations", body, **key)
    assert sent.status_code == 201 and sent.headers["ETag"] == '"1"'
    again = ca.post("/invitations", body, **key)
    assert (again.data, again.headers["Idempotent-Replayed"]) == (sent.data, "true")
    assert sent.headers["Location"] == f"/api/v1/invitations/{sent.json['id']}"
    (row,) = ca.get("/invitations").json["items"]
    assert "token" not in row and row["accepted_at"] is None
    accept = {"token": sent.json["token"], "password": "a quiet walk at dusk"}
    came = anon.post("/invitations/accept", accept)
    assert came.status_code == 201 and came.json["kind"] == "clinician"
    assert is_problem(anon.post("/invitations/accept", accept), 422)
    signed = anon.post("/auth/token", {"email": body["email"], "password": accept["password"]})
    me = Caller(app.test_client(), signed.json["access_token"]).get("/me").json
    assert (me["profession"], me["privileges"]) == ("nurse", ["discharge"])
    assert is_problem(ca.delete(f"/invitations/{sent.json['id']}", 2), 409)


@pytest.mark.parametrize(
    "more",
    [
        {"email": "no address"},
        {"role": "system"},
        {"privileges": ["everything"]},
        {"privileges": ["direct"] * 6},
        {"profession": "wizard"},
        {"display_name": ""},
        {"clinic_id": "00000000-0000-7000-8000-000000000000"},
    ],
)
def test_an_invitation_is_read_strictly(call: Any, more: Any) -> None:
    assert is_problem(call("CA").post("/invitations", NEW | more), 422)


# --- words


def test_words_say_when_they_are_to_be_reviewed_and_serve_the_unknown_locale(call: Any) -> None:
    for path in ("/vocabularies", "/prompts"):
        plain = call("PS").get(path).json
        assert plain["locale"] == "en-US" and plain["review_on"]
        assert call("PS").get(f"{path}?locale=xx-XX").json == plain
        assert is_problem(call("PS").get(f"{path}?language=en"), 422)
    keys = {entry["key"] for entry in call("PS").get("/prompts").json["prompts"]}
    assert {"what_to_practise", "handled_differently", "what_matters", "what_helped"} <= keys


def test_a_patient_is_not_shown_words_for_staff_alone(call: Any) -> None:
    mine, theirs = (call(name).get("/vocabularies").json["vocabularies"] for name in ("PS", "CT"))
    assert set(mine) == set(theirs) and mine != theirs
    assert "no_show" not in str(mine)
    codes = [word["code"] for word in mine["stages"]]
    assert codes == ["footprints", "track", "path", "familiar_trail"]


def test_quiet_hours_are_merged_and_have_both_ends(call: Any) -> None:
    ps = call("PS")
    half = ps.patch("/me/preferences", {"quiet_hours": {"from": "21:00"}}, 1)
    assert half.status_code == 422
    assert [e["pointer"] for e in half.json["errors"]] == ["/quiet_hours/to"]
    hours = {"quiet_hours": {"from": "21:00", "to": "08:00"}}
    assert ps.patch("/me/preferences", hours, 1).status_code == 200
    later = ps.patch("/me/preferences", {"quiet_hours": {"from": "22:30"}}, 2).json
    assert later["quiet_hours"] == {"from": "22:30", "to": "08:00"}
    assert ps.patch("/me/preferences", {"quiet_hours": None}, 3).json["quiet_hours"] is None


def test_the_last_crisis_resources_are_not_taken_away(call: Any) -> None:
    ca, entry = call("CA"), {"emergency": "911", "review_on": "2027-06-01"}
    both = {"en-US": entry, "es-US": entry}
    assert ca.patch("/clinic", {"crisis_resources": both}, 1).status_code == 200
    gone = dict.fromkeys(both)
    assert is_problem(ca.patch("/clinic", {"crisis_resources": gone}, 2), 422)
    assert ca.patch("/clinic", {"crisis_resources": {"es-US": None}}, 2).status_code == 200
    assert is_problem(ca.patch("/clinic", {"crisis_resources": {"en-US": None}}, 3), 422)
