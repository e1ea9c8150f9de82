"""Sessions over v1: shapes, statuses and who gets in."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from api import clock
from api.core.treatment import moves
from api.v1.forms import show_instant

WORDS_OF_BLAME = ("no_show", "late", "missed", "overdue")


def body(scene: Any, hours: float = 24, **more: Any) -> dict[str, Any]:
    """The least body of a booking."""
    starts_at = clock.now() + timedelta(hours=hours)
    return {
        "kind": "preparation",
        "starts_at": show_instant(starts_at),
        "ends_at": show_instant(starts_at + timedelta(hours=1)),
        "clinician_ids": [str(scene["CT"].user_id)],
        "mode": "in_person",
    } | more


@pytest.fixture
def book(call: Any, scene: Any) -> Any:
    """`book(hours=2)`: a session of the scene's patient; answers the response."""

    def post(persona: str = "CT", **more: Any) -> Any:
        return call(persona).post(f"/patients/{scene.patient['id']}/sessions", body(scene, **more))

    return post


def test_a_session_is_booked_read_changed_and_moved(call: Any, book: Any) -> None:
    made = book(room="Room 2", preparation="Eat lightly.")
    assert made.status_code == 201, made.json
    path = f"/sessions/{made.json['id']}"
    assert made.headers["Location"] == f"/api/v1{path}" and made.headers["ETag"] == '"1"'
    ct = call("CT")
    assert ct.get(path).json == made.json
    assert ct.get(path, **{"if-none-match": '"1"'}).status_code == 304
    changed = ct.patch(path, {"room": None, "also_covered": ["integration"]}, 1)
    assert changed.status_code == 200 and changed.json["room"] is None
    for move, state in (("arrive", "arrived"), ("start", "in_progress"), ("complete", "completed")):
        moved = ct.post(f"{path}/{move}")
        assert (moved.status_code, moved.json["state"]) == (200, state), moved.json
    again = ct.post(f"{path}/arrive")
    assert again.status_code == 409
    assert (again.json["state"], again.json["allowed"]) == ("completed", ["reopen"])
    assert ct.patch(path, {"room": "Room 1"}, 5).json["allowed"] == ["reopen"]
    assert ct("PATCH", path, {"room": "Room 1"}).status_code == 428
    assert ct.patch(path, {"room": "Room 1"}, 1).status_code == 412


def test_a_double_booking_says_who_is_busy_until_when_and_nothing_more(
    call: Any, book: Any, scene: Any
) -> None:
    made = book(room="Room 2")
    again = book(persona="CA", room="room 2")
    assert again.status_code == 409
    until = made.json["ends_at"]
    assert sorted(again.json["busy"], key=str) == sorted(
        [
            {"what": "clinician", "until": until, "clinician_id": str(scene["CT"].user_id)},
            {"what": "patient", "until": until},
            {"what": "room", "until": until},
        ],
        key=str,
    )
    assert made.json["id"] not in again.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "therapy"},
        {"mode": "phone"},
        {"starts_at": "2026-01-01T10:00:00"},
        {"ends_at": "2020-01-01T10:00:00Z"},
        {"clinician_ids": []},
        {"clinician_ids": ["x"]},
        {"clinician_ids": [str(uuid4())]},
        {"clinician_ids": "x"},
        {"room": " "},
        {"room": 5},
        {"room": "a\x00b"},
        {"also_covered": ["therapy"]},
        {"state": "completed"},
        {"patient_id": str(uuid4())},
        {"reason": "other"},
    ],
)
def test_wrong_values_are_refused(call: Any, book: Any, wrong: dict[str, Any]) -> None:
    refused = book(**wrong)
    assert refused.status_code == 422, refused.json
    assert refused.json["errors"][0]["pointer"].split("/")[1] == next(iter(wrong))
    made = book().json
    if next(iter(wrong)) in ("state", "patient_id", "kind", "room", "clinician_ids"):
        assert call("CT").patch(f"/sessions/{made['id']}", wrong, 1).status_code == 422
    assert call("CT").patch(f"/sessions/{made['id']}", {"starts_at": None}, 1).status_code == 422


def test_moves_carry_when_and_why(call: Any, book: Any) -> None:
    path = f"/sessions/{book().json['id']}"
    ct = call("CT")
    ahead = show_instant(clock.now() + timedelta(hours=1))
    assert ct.post(f"{path}/arrive", {"at": ahead}).json["errors"][0]["pointer"] == "/at"
    assert ct.post(f"{path}/cancel").json["errors"][0]["pointer"] == "/reason"
    assert ct.post(f"{path}/cancel", {"reason": "whim"}).status_code == 422
    assert ct.post(f"{path}/cancel", {"reason": None}).status_code == 422
    assert ct.post(f"{path}/complete").status_code == 409
    off = ct.post(f"{path}/cancel", {"reason": "patient_unwell"})
    assert (off.json["state"], off.json["reason"]) == ("cancelled", "patient_unwell")
    assert ct.post(f"{path}/cancel").status_code == 409
    assert ct.post(f"{path}/reopen").json["state"] == "scheduled"
    now = show_instant(clock.now())
    assert ct.post(f"{path}/no-show", {"reason": "did_not_come", "at": now}).status_code == 200


def test_a_move_sent_twice_under_one_key_is_made_once(call: Any, book: Any) -> None:
    path = f"/sessions/{book().json['id']}/arrive"
    first, again = (call("CT").post(path, **{"idempotency-key": "k"}) for _ in range(2))
    assert first.data == again.data and again.headers["Idempotent-Replayed"] == "true"


def test_every_door_is_locked_by_its_row(call: Any, book: Any, scene: Any) -> None:
    made = book().json
    path, chart = f"/sessions/{made['id']}", f"/patients/{scene.patient['id']}/sessions"
    reads = [path, chart]
    who = {"PS": 200, "CT": 200, "CA": 200, "PO": 404, "CN": 404, "PR": 403, "AY": 403}
    who |= {"XT": 404, "XA": 404, "XP": 404}
    for persona, status in who.items():
        assert {call(persona).get(each).status_code for each in reads} == {status}, persona
    assert call(None).get(path).status_code == 401
    writes = {"PS": 403, "PO": 403, "CA": 403, "PR": 403, "AY": 403, "CN": 404, "XT": 404}
    for persona, status in writes.items():
        for move in ("arrive", "start", "complete", "reopen"):
            assert call(persona).post(f"{path}/{move}").status_code == status, (persona, move)
        rebooked = 200 if persona == "CA" else status
        assert call(persona).patch(path, {"room": "x"}, 1).status_code == rebooked, persona
    booked = {"PS": 403, "PO": 403, "PR": 403, "AY": 403, "CN": 404, "XT": 404, "XA": 404}
    for persona, status in booked.items():
        assert call(persona).post(chart, body(scene, hours=30)).status_code == status, persona
    reason = {"reason": "did_not_come"}
    for persona, status in (writes | {"XA": 404, "XP": 403, "CA": 200}).items():
        assert call(persona).post(f"{path}/no-show", reason).status_code == status, persona


def test_a_foreign_session_and_a_random_one_are_refused_in_the_same_words(
    call: Any, book: Any
) -> None:
    made = book().json["id"]
    for persona in ("CN", "PO", "XT", "XA", "XP"):
        for method, rest, sent in (("GET", "", None), ("POST", "/cancel", {"reason": "other"})):
            texts = {
                call(persona)(method, f"/sessions/{i}{rest}", sent, **{"x-request-id": "same"}).text
                for i in (made, uuid4())
            }
            assert len(texts) == 1 and '"status":404' in texts.pop()


def test_a_patient_reads_no_word_of_blame(call: Any, book: Any, scene: Any) -> None:
    path = f"/sessions/{book().json['id']}"
    call("CT").post(f"{path}/no-show", {"reason": "came_too_late"})
    ps = call("PS")
    texts = [
        ps.get(p).text for p in (path, f"/patients/{scene.patient['id']}/sessions", "/sessions")
    ]
    texts.append(ps.post(f"{path}/cancel", {"reason": "patient_asked"}).text)
    assert all("not_held" in text for text in texts)
    assert not any(word in text for text in texts for word in WORDS_OF_BLAME)


def test_the_calendar_is_walked_by_page_and_asked_by_day(call: Any, book: Any, scene: Any) -> None:
    made = [book(hours=h).json["id"] for h in (30, 26, 28)]
    other = f"/patients/{scene.other_patient['id']}/sessions"
    call("CA").post(other, body(scene, hours=32))
    ct, seen, path = call("CT"), [], "/sessions?limit=1"
    while path:
        page = ct.get(path)
        assert page.status_code == 200, page.json
        seen += page.json["items"]
        path = page.json["next_cursor"] and f"/sessions?cursor={page.json['next_cursor']}&limit=1"
    assert [row.get("id") for row in seen] == [made[1], made[2], made[0], None]
    assert set(seen[3]) == {"busy", "starts_at", "ends_at"}
    day = (clock.now() + timedelta(days=20)).date().isoformat()
    assert ct.get(f"/sessions?from={day}&to={day}").json["items"] == []
    synced = ct.get("/sessions?updated_since=2026-01-01T00:00:00Z").json
    assert sorted(row["id"] for row in synced["items"]) == sorted(made) and synced["synced_to"]


@pytest.mark.parametrize(
    "query",
    ["from=x", "from=2026-02-30", "from=2026-01-01&to=2026-06-01", "clinician_id=x", "when=now"]
    + ["from=2026-01-02&to=2026-01-01", "from=2026-01-01T00:00:00"],
)
def test_a_calendar_asked_wrongly_is_refused(call: Any, query: str) -> None:
    assert call("CT").get(f"/sessions?{query}").status_code == 422


def test_a_patients_sessions_are_listed_the_latest_first(call: Any, book: Any, scene: Any) -> None:
    made = [book(hours=h).json["id"] for h in (30, -200, 28)]
    chart = f"/patients/{scene.patient['id']}/sessions"
    assert [row["id"] for row in call("PS").get(chart).json["items"]] == [made[0], made[2], made[1]]
    page = call("CT").get(f"{chart}?limit=2").json
    rest = call("CT").get(f"{chart}?cursor={page['next_cursor']}").json["items"]
    assert [row["id"] for row in page["items"] + rest] == [made[0], made[2], made[1]]
    assert call("CT").get(f"{chart}?kind=dosing").json["items"] == []


def test_an_administrator_rebooks_and_changes_nothing_clinical(call: Any, book: Any) -> None:
    path, ca = f"/sessions/{book().json['id']}", call("CA")
    moved = body_times(hours=48)
    changed = ca.patch(path, moved | {"room": "Room 3", "mode": "telehealth"}, 1)
    assert changed.status_code == 200, changed.json
    assert (changed.json["room"], changed.json["starts_at"]) == ("Room 3", moved["starts_at"])
    for clinical in ({"preparation": "x"}, {"also_covered": ["intake"]}, {"kind": "dosing"}):
        assert ca.patch(path, clinical, 2).status_code == 403, clinical
    assert call("XA").patch(path, {"room": "Room 4"}, 2).status_code == 404


def body_times(hours: float) -> dict[str, str]:
    """Another hour for a session."""
    starts_at = clock.now() + timedelta(hours=hours)
    ends_at = starts_at + timedelta(hours=1)
    return {"starts_at": show_instant(starts_at), "ends_at": show_instant(ends_at)}


def test_a_patient_asks_for_sessions_in_their_own_words(call: Any, book: Any, scene: Any) -> None:
    made, path = book().json, f"/patients/{scene.patient['id']}/sessions"
    call("CT").post(f"/sessions/{made['id']}/no-show", {"reason": "did_not_come"})
    theirs = call("PS").get(f"{path}?state=not_held").json["items"]
    assert [(one["id"], one["state"]) for one in theirs] == [(made["id"], "not_held")]
    refused = call("PS").get(f"{path}?state=no_show")
    assert refused.status_code == 422 and "no_show" not in refused.text
    assert [one["id"] for one in call("CT").get(f"{path}?state=no_show").json["items"]]
    assert call("CT").get(f"{path}?state=not_held").status_code == 422


def test_a_patient_has_words_for_calling_off_and_gives_no_other_reason(
    call: Any, book: Any
) -> None:
    ps = call("PS")
    words = ps.get("/vocabularies").json["vocabularies"]["cancel_reasons"]
    assert [word["code"] for word in words] == list(moves.PATIENTS_OWN)
    path = f"/sessions/{book().json['id']}"
    for reason in set(moves.CANCELLED_FOR) - set(moves.PATIENTS_OWN):
        refused = ps.post(f"{path}/cancel", {"reason": reason})
        assert refused.status_code == 422, reason
    assert ps.post(f"{path}/cancel", {"reason": "travel_or_weather"}).status_code == 200


def test_what_a_session_came_to_cover_is_noted_once_it_has_begun(call: Any, book: Any) -> None:
    path, ct = f"/sessions/{book().json['id']}", call("CT")
    for move in ("arrive", "start", "complete"):
        version = ct.post(f"{path}/{move}").json["version"]
        noted = ct.patch(path, {"also_covered": ["integration"]}, version)
        assert (noted.status_code, noted.json["also_covered"]) == (200, ["integration"]), move
    both = {"also_covered": [], "room": "Room 1"}
    assert ct.patch(path, both, noted.json["version"]).status_code == 409
    assert call("CA").patch(path, {"also_covered": []}, noted.json["version"]).status_code == 403


def test_what_was_called_off_covers_nothing(call: Any, book: Any) -> None:
    path, ct = f"/sessions/{book().json['id']}", call("CT")
    off = ct.post(f"{path}/cancel", {"reason": "other"}).json
    assert ct.patch(path, {"also_covered": ["intake"]}, off["version"]).status_code == 409


def test_a_patients_calendar_says_that_nothing_is_withheld(call: Any, book: Any) -> None:
    made = book().json
    [row] = call("PS").get("/sessions").json["items"]
    assert (row["id"], row["busy"]) == (made["id"], False)
