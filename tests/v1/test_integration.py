"""Insights, goals, practices, steps, moments and trails over v1: shapes, statuses, words."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from api import clock
from tests.v1.conftest import is_problem

FORBIDDEN = (
    *("late", "missed", "overdue", "deterioration", "no_show", "no show"),
    *("weight", "percent", "percentage", "%", "streak"),
)
"""What no patient reads here; `weight` is also the name of a number that logging a step answers."""
OTHERS = ("CT", "CN", "CA", "PR", "AY", "PO", "XT", "XA", "XP")


def local(scene: Any, ago: int = 0) -> str:
    """The patient's own day, so many days ago."""
    return (clock.today(scene.patient["time_zone"]) - timedelta(days=ago)).isoformat()


@pytest.fixture
def made(call: Any, chart: str) -> dict[str, Any]:
    """One entry of every kind by the patient, in the answers' own words."""
    ps = call("PS")
    insight = ps.post(f"{chart}/insights", {"text": "Rest need not be earned."})
    goal = ps.post(f"{chart}/goals", {"title": "Say no kindly", "category": "boundaries"})
    practice = ps.post(f"/goals/{goal.json['id']}/practices", {"new_trail": "Take a breath"})
    step = ps.post(f"/practices/{practice.json['id']}/steps", {"kind": "done"})
    moment = ps.post(f"{chart}/moments", {"text": "I laughed instead."})
    answers = dict(insight=insight, goal=goal, practice=practice, step=step, moment=moment)
    for kind, answer in answers.items():
        assert answer.status_code == 201, answer.text
        assert answer.headers["ETag"] == '"1"'
        assert answer.headers["Location"] == f"/api/v1/{kind}s/{answer.json['id']}"
        assert answer.headers["Cache-Control"] == "no-store"
    return {kind: answer.json for kind, answer in answers.items()}


def address(kind: str, row: Any) -> str:
    """Where an entry is."""
    return f"/{kind}s/{row['id']}"


def lists(chart: str, made: dict[str, Any]) -> dict[str, str]:
    """Where the entries of each kind are listed."""
    return {
        "insight": f"{chart}/insights",
        "goal": f"{chart}/goals",
        "practice": f"/goals/{made['goal']['id']}/practices",
        "step": f"/practices/{made['practice']['id']}/steps",
        "moment": f"{chart}/moments",
    }


def test_the_least_bodies_are_enough_and_the_answers_carry_what_is_promised(
    made: dict[str, Any], scene: Any
) -> None:
    goal, practice, step = made["goal"], made["practice"], made["step"]
    assert (goal["lifecycle_status"], goal["achievement_status"]) == ("active", "in_progress")
    assert (practice["title"], practice["interval_days"]) == ("Take a breath", 1)
    assert practice["status"] == "active"
    assert practice["trail"] == {"strength": 0.0, "stage": None, "furthest_stage": None}
    assert (step["weight"], step["walked_on"]) == (1, local(scene))
    for row in made.values():
        assert row["shared_with"] == "care_team" and row["created_by"] == "patient"
        assert row["patient"] == {
            "id": str(scene.patient["id"]),
            "display_name": "Ada Example",
        }
        assert row["reading"]["watched_day_and_night"] is False
        assert not {"clinic_id", "author_id", "chosen_sharing", "unshared_at"} & set(row)


def test_every_entry_is_read_listed_and_unchanged_when_nothing_changed(
    call: Any, chart: str, made: dict[str, Any]
) -> None:
    for kind, where in lists(chart, made).items():
        for who in ("PS", "CT"):
            one = call(who).get(address(kind, made[kind]))
            (row,) = call(who).get(where).json["items"]
            assert one.status_code == 200 and one.headers["ETag"] == '"1"'
            assert row == one.json and row["version"] == 1
            again = call(who).get(address(kind, made[kind]), **{"if-none-match": '"1"'})
            derived = kind in ("practice", "step", "moment")
            assert again.status_code == (200 if derived else 304), kind


def test_sixteen_daily_steps_make_a_path(call: Any, made: dict[str, Any], scene: Any) -> None:
    path = address("practice", made["practice"])
    for ago in range(1, 16):
        body = {"walked_on": local(scene, ago), "kind": "done"}
        assert call("PS").post(f"{path}/steps", body).json["walked_on"] == body["walked_on"]
    answer = call("CT").get(f"{path}/trail")
    assert answer.status_code == 200 and "ETag" not in answer.headers
    assert answer.json | {"words": "", "curve": []} == {
        "on": local(scene),
        "practice": {"id": made["practice"]["id"], "title": "Take a breath"},
        "strength": 0.516275,
        "stage": "path",
        "furthest_stage": "path",
        "formula": "lally-1",
        "steps_total": 16,
        "detours": {"count": 0, "last_on": None, "median_return_days": None},
        "moments_count": 0,
        "words": "",
        "curve": [],
    }
    assert answer.json["curve"][-1] == {"on": local(scene), "strength": 0.516275}
    assert answer.json["words"]
    earlier = call("PS").get(f"{path}/trail?on={local(scene, 15)}").json
    assert earlier["steps_total"] == 1 and earlier["stage"] == "footprints"
    assert is_problem(call("PS").get(f"{path}/trail?on={local(scene, -1)}"), 422)


def test_a_removed_step_is_a_tombstone_and_the_trail_is_as_before(
    call: Any, made: dict[str, Any]
) -> None:
    path, step = address("practice", made["practice"]), address("step", made["step"])
    assert is_problem(call("PS")("DELETE", step), 428)
    assert is_problem(call("PS").delete(step, 2), 412)
    assert is_problem(call("CT").delete(step, 1), 403)
    gone = call("PS").delete(step, 1)
    assert (gone.status_code, gone.data) == (204, b"")
    assert is_problem(call("PS").get(step), 404)
    changes = call("CT").get(f"{path}/steps?updated_since=2020-01-01T00:00:00Z").json
    assert changes["items"] == [] and [t["id"] for t in changes["tombstones"]] == [
        made["step"]["id"]
    ]
    assert changes["synced_to"].endswith("Z")
    assert call("CT").get(f"{path}/trail").json["stage"] is None


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("insight", {}),
        ("insight", {"text": ""}),
        ("insight", {"text": "a\u0000b"}),
        ("insight", {"text": "ok", "shared_with": "everybody"}),
        ("insight", {"text": "ok", "shared_with": None}),
        ("insight", {"text": "ok", "author_id": str(uuid4())}),
        ("goal", {"title": "x"}),
        ("goal", {"title": "x", "category": "sport"}),
        ("goal", {"title": "x", "category": "other", "answers_prompt": "how"}),
        ("goal", {"title": "x", "category": "other", "lifecycle_status": "active"}),
        ("goal", {"title": "x", "category": "other", "session_id": "1"}),
        ("practice", {}),
        ("practice", {"new_trail": "x", "interval_days": 0}),
        ("practice", {"new_trail": "x", "interval_days": 367}),
        ("practice", {"new_trail": "x", "interval_days": "1"}),
        ("practice", {"new_trail": "x", "trail": {}}),
        ("practice", {"new_trail": "x", "status": "familiar"}),
        ("step", {}),
        ("step", {"kind": "walked"}),
        ("step", {"kind": "done", "weight": 1}),
        ("step", {"kind": "done", "walked_on": None}),
        ("step", {"kind": "done", "walked_on": "2026-02-30"}),
        ("step", {"kind": "done", "walked_on": "1990-01-01"}),
        ("step", {"kind": "done", "walked_on": "2199-01-01"}),
        ("moment", {}),
        ("moment", {"text": "x", "hindsight": "yes"}),
        ("moment", {"text": "x", "noticed_by": "stranger"}),
        ("moment", {"text": "x", "noticed_at": "2199-01-01T00:00:00Z"}),
        ("moment", {"text": "x", "happened_on": "2199-01-01"}),
    ],
)
def test_what_can_not_be_is_refused_with_a_pointer(
    call: Any, chart: str, made: dict[str, Any], kind: str, body: Any
) -> None:
    answer = call("PS").post(lists(chart, made)[kind], body)
    assert is_problem(answer, 422) and answer.json["errors"][0]["pointer"]


def test_a_practice_rests_and_walks_on_by_the_word_of_patient_and_therapist(
    call: Any, made: dict[str, Any], scene: Any
) -> None:
    path, version = address("practice", made["practice"]), 1
    for who in ("PS", "CT"):
        for status in ("paused", "active", "familiar", "released", "active"):
            answer = call(who).patch(path, {"status": status}, version)
            assert answer.status_code == 200, answer.text
            assert answer.json["status"] == status
            assert answer.json["status_from_on"] == local(scene)
            version = answer.json["version"]
    assert is_problem(call("CT").patch(path, {"status": "done"}, version), 422)
    assert is_problem(call("CT").patch(path, {"status": "paused"}, 1), 412)


def test_a_patch_clears_with_null_and_leaves_the_rest(call: Any, made: dict[str, Any]) -> None:
    path = address("goal", made["goal"])
    call("PS").patch(path, {"intention": "An evening.", "matters_because": "Home."}, 1)
    after = call("PS").patch(path, {"intention": None}, 2).json
    assert (after["intention"], after["matters_because"]) == (None, "Home.")
    assert is_problem(call("PS").patch(path, {"title": None}, 3), 422)
    assert is_problem(call("PS").patch(path, {"achievement_status": "achieved"}, 3), 422)
    assert call("CT").patch(path, {"achievement_status": "achieved"}, 3).status_code == 200


def test_the_same_step_sent_twice_is_walked_once(call: Any, made: dict[str, Any]) -> None:
    path = f"{address('practice', made['practice'])}/steps"
    answers = [
        call("PS").post(path, {"kind": "partly"}, **{"idempotency-key": "one"}) for _ in range(2)
    ]
    assert answers[0].data == answers[1].data
    assert len(call("PS").get(path).json["items"]) == 2


@pytest.mark.parametrize("kind", ["insight", "goal", "practice", "step", "moment"])
def test_only_the_patient_shares_and_a_private_entry_is_not_there_for_others(
    call: Any, chart: str, made: dict[str, Any], kind: str
) -> None:
    path, where = address(kind, made[kind]), lists(chart, made)[kind]
    assert is_problem(
        call("CT").patch(path, {"shared_with": "research"}, 1),
        403 if (kind in ("insight", "step", "moment")) else 422,
    )
    assert call("PS").patch(path, {"shared_with": "research"}, 1).json["shared_with"] == "research"
    kept = call("PS").patch(path, {"shared_with": "me"}, 2).json
    assert kept["shared_with"] == "me" and kept["reading"]["by"] == "nobody"
    assert call("PS").get(path).json["shared_with"] == "me"
    nowhere = call("CT").get(f"/{kind}s/{uuid4()}", **{"x-request-id": "same"})
    hidden = call("CT").get(path, **{"x-request-id": "same"})
    assert (hidden.status_code, hidden.data) == (404, nowhere.data)
    changes = call("CT").get(f"{where}?updated_since=2020-01-01T00:00:00Z").json
    assert changes["items"] == [] and [t["id"] for t in changes["tombstones"]] == [kept["id"]]
    assert call("CT").get(where).json["items"] == []


def test_ids_of_another_patient_in_a_body_look_like_ids_of_nobody(
    call: Any, chart: str, scene: Any, made: dict[str, Any]
) -> None:
    po, other = call("PO"), f"/patients/{scene.other_patient['id']}"
    goal = po.post(f"{other}/goals", {"title": "Theirs", "category": "nature"}).json
    practice = po.post(f"/goals/{goal['id']}/practices", {"new_trail": "Theirs"}).json
    insight = po.post(f"{other}/insights", {"text": "Theirs"}).json
    body = {"title": "Mine", "category": "other"}
    cases = [
        (f"{chart}/goals", body, "insight_id", insight["id"]),
        (f"{chart}/goals", body, "session_id", insight["id"]),
        (f"{chart}/moments", {"text": "Mine"}, "practice_id", practice["id"]),
        (f"{chart}/moments", {"text": "Mine"}, "session_id", practice["id"]),
        (f"{chart}/insights", {"text": "Mine"}, "session_id", practice["id"]),
    ]
    same = {"x-request-id": "same"}
    for who in ("PS", "CT"):
        for where, least, name, there in cases:
            answers = [
                call(who).post(where, least | {name: i}, **same) for i in (there, str(uuid4()))
            ]
            assert is_problem(answers[0], 422) and answers[0].data == answers[1].data
            assert "Theirs" not in answers[0].text
        for where in (f"/goals/{goal['id']}/practices", f"/practices/{practice['id']}/steps"):
            least = {"new_trail": "x"} if "goals" in where else {"kind": "done"}
            assert is_problem(call(who).post(where, least), 404)


def walked_through(call: Any, chart: str, scene: Any, made: dict[str, Any]) -> list[Any]:
    """What the patient is answered on a long way: steps, detours, returns, rests, silence."""
    ps, path = call("PS"), address("practice", made["practice"])
    said = list(made.values())
    for ago in (90, 88, *range(50, 70)):
        said.append(ps.post(f"{path}/steps", {"kind": "done", "walked_on": local(scene, ago)}).json)
        said.append(ps.get(f"{path}/trail?on={local(scene, ago)}").json)
    for ago, kind in ((48, "detour"), (45, "partly"), (44, "skipped"), (43, "prompted")):
        said.append(ps.post(f"{path}/steps", {"kind": kind, "walked_on": local(scene, ago)}).json)
    for version, status in enumerate(("paused", "familiar", "released", "active"), start=1):
        said += [ps.patch(path, {"status": status}, version).json, ps.get(f"{path}/trail").json]
    said += [ps.get(f"{path}/trail?on={local(scene, ago)}").json for ago in range(0, 91, 10)]
    for kind, where in lists(chart, made).items():
        said += [ps.get(where).json, ps.get(address(kind, made[kind])).json]
    said.append(ps.post(f"{chart}/insights", {"text": "Mine.", "shared_with": "me"}).json)
    return said


def words_in(value: Any, key: str = "") -> set[str]:
    """Every name and every text of an answer; the number `weight` of a step is no word."""
    if isinstance(value, dict):
        inner = [words_in(one, name) for name, one in value.items()]
        names = {name for name, one in value.items() if not (name == "weight" and number(one))}
        return names.union(*inner)
    if isinstance(value, list):
        return set().union(*(words_in(one, key) for one in value))
    return {value} if isinstance(value, str) else set()


def number(value: Any) -> bool:
    """Whether it is a number."""
    return isinstance(value, int | float)


def test_no_answer_to_a_patient_blames_or_measures_them(
    call: Any, chart: str, scene: Any, made: dict[str, Any]
) -> None:
    said = walked_through(call, chart, scene, made)
    words = set().union(*(words_in(one) for one in said))
    assert "You found your way back after 3 days." in words
    assert any("further before" in one for one in words)
    for forbidden in FORBIDDEN:
        found = re.compile(rf"(?<![a-z]){re.escape(forbidden)}(?![a-z])", re.IGNORECASE)
        assert [one for one in words if found.search(one)] == [], forbidden


def test_nobody_but_patient_and_care_team_gets_in(
    call: Any, chart: str, made: dict[str, Any]
) -> None:
    paths = [*lists(chart, made).values(), *(address(kind, row) for kind, row in made.items())]
    for path in [*paths, f"{address('practice', made['practice'])}/trail"]:
        statuses = {who: call(who).get(path).status_code for who in OTHERS}
        assert statuses.pop("CT") == 200
        assert {who for who, status in statuses.items() if status == 403} == {
            "CA",
            "PR",
            "AY",
            "XA",
        }
        assert {who for who, status in statuses.items() if status == 404} == {
            "CN",
            "PO",
            "XT",
            "XP",
        }
        assert call(None).get(path).status_code == 401
