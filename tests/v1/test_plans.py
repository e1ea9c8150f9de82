"""Check-in plans over v1: statuses, shapes, and who sees which."""

from typing import Any

from tests.builders import Scene

PLAN = {"instrument": "gad-7", "rule": "every_n_days", "n": 7}


def url(scene: Scene, rest: str = "") -> str:
    return f"/patients/{scene.patient['id']}/check-in-plans{rest}"


def test_a_plan_is_made_read_changed_and_ended(call: Any, scene: Scene) -> None:
    made = call("CT").post(url(scene), PLAN)
    assert made.status_code == 201 and made.json["next_due_on"]
    assert made.headers["ETag"] == '"1"'
    at = made.headers["Location"].removeprefix("/api/v1")
    read = call("CT").get(at)
    assert read.json["occurrences"][0]["state"] == read.json["open"]["state"] == "due"
    assert call("CT")("PATCH", at, {"n": 14}).status_code == 428
    changed = call("CT").patch(at, {"n": 14, "ends_on": None}, 1)
    assert (changed.status_code, changed.json["n"], changed.json["version"]) == (200, 14, 2)
    assert call("CT").patch(at, {"n": 14}, 1).status_code == 412
    assert call("CT").delete(at, 2).status_code == 204
    assert call("CT").get(at).status_code == 404


def test_the_patient_reads_a_plan_in_words_of_their_own(call: Any, scene: Scene) -> None:
    made = call("CT").post(url(scene), PLAN).json
    listed = call("PS").get(url(scene))
    assert listed.json["items"][0]["open"]["state"] == "open"
    read = call("PS").get(f"/check-in-plans/{made['id']}")
    assert {o["state"] for o in read.json["occurrences"]} == {"open", "coming"}
    for word in ("until_on", "was_late", "reminders_sent", "missed"):
        assert word not in read.text + listed.text


def test_a_form_that_is_wrong_is_pointed_at(call: Any, scene: Scene) -> None:
    for body, pointer in (
        (PLAN | {"n": "7"}, "/n"),
        (PLAN | {"n": 0}, "/n"),
        (PLAN | {"rule": "sometimes"}, "/rule"),
        (PLAN | {"answer_within_days": 7}, "/answer_within_days"),
        (PLAN | {"instrument": "phq-99"}, "/instrument"),
        (PLAN | {"next_due_on": "2026-01-01"}, "/next_due_on"),
    ):
        answer = call("CT").post(url(scene), body)
        assert answer.status_code == 422
        assert [one["pointer"] for one in answer.json["errors"]] == [pointer]


def test_a_template_is_followed_whole(call: Any, scene: Scene) -> None:
    answer = call("CT").post(url(scene, "/from-template"), {"template": "induction_course"})
    assert answer.status_code == 201 and len(answer.json["items"]) == 5
    assert call("CT").post(url(scene, "/from-template"), {"template": "x"}).status_code == 422


def test_templates_are_walked_by_a_cursor_and_copied(call: Any, scene: Scene) -> None:
    first = call("CT").get("/check-in-plan-templates?limit=1").json
    rest = call("CT").get(f"/check-in-plan-templates?cursor={first['next_cursor']}").json
    keys = [one["key"] for one in first["items"] + rest["items"]]
    assert keys == ["induction_course", "maintenance"]
    made = call("CN").post("/check-in-plan-templates", {"copy_of": keys[0], "title": "Ours"})
    assert made.status_code == 201
    at = made.headers["Location"].removeprefix("/api/v1")
    assert call("CT").patch(at, {"title": "Ours too"}, 1).json["title"] == "Ours too"
    assert call("XT").get(at).status_code == 404
    assert call("CT").delete(at, 2).status_code == 204
    shipped = "/check-in-plan-templates/maintenance"
    assert call("CT").patch(shipped, {"title": "Mine"}, 1).status_code == 403
