"""Erasure over HTTP: asked, decided and read, with what law keeps."""

from datetime import date
from typing import Any

from api import db
from tests import builders


def test_a_way_from_asking_to_what_is_kept(call: Any, scene: Any, chart: str) -> None:
    with db.transaction():
        builders.make_session(scene.patient, scene["CT"])
    page = call("PS").post(f"{chart}/journal", {"text": "For me alone."}).json
    asked = call("PS").post(f"{chart}/erasure-requests", {"text": "Please."})
    assert asked.status_code == 201 and "overdue" not in asked.json
    path = f"/erasure-requests/{asked.json['id']}"
    hold = call("PR").post(f"{chart}/legal-holds", {"reason": "A claim."}).json
    refused = call("PR").post(f"{path}/carry-out", {"reason": "It is yours."})
    assert (refused.status_code, refused.json["missing"]) == (409, ["no_legal_hold"])
    assert call("PR").post(f"/legal-holds/{hold['id']}/release").json["state"] == "released"
    done = call("PR").post(f"{path}/carry-out", {"reason": "It is yours."})
    assert done.status_code == 200 and done.json["erased"] is None
    [kept] = [one for one in done.json["kept"] if one["kind"] == "session"]
    assert (kept["count"], kept["law"]) == (1, "state_record_retention")
    assert date.fromisoformat(kept["until"]).year >= date.today().year + 10
    assert call("PS").get(f"/journal/{page['id']}").status_code == 404
    mine = call("PS").get(path).json
    assert mine["erased"] == {"journal": 1}
    assert mine["kept"] == done.json["kept"] and mine["decision_reason"] == "It is yours."
    [listed] = call("CA").get(f"{chart}/erasure-requests").json["items"]
    assert listed["state"] == "erased" and listed["overdue"] is False


def test_an_erased_word_is_in_no_answer_that_is_given_once_more(
    call: Any, scene: Any, chart: str
) -> None:
    ps, word = call("PS"), "The word nobody was to read."
    private = {"shared_with": "me", "text": word}
    sent = [(f"{chart}/{kind}", private) for kind in ("journal", "insights", "moments")]
    headers = [{"idempotency_key": f"sent-{number}"} for number in range(3)]
    first = [ps.post(path, body, **one) for (path, body), one in zip(sent, headers, strict=True)]
    assert [answer.status_code for answer in first] == [201] * 3
    asked = ps.post(f"{chart}/erasure-requests", {}).json["id"]
    reason = {"reason": "It is yours."}
    assert call("PR").post(f"/erasure-requests/{asked}/carry-out", reason).status_code == 200
    for (path, body), one in zip(sent, headers, strict=True):
        again = ps.post(path, body, **one)
        assert again.status_code == 404 and word not in again.get_data(as_text=True)
    assert ps.get(f"{chart}/journal").json["items"] == []
