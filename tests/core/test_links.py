"""One-use check-in links: a form and its answers, once, for 72 hours, and nothing else."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from api import clock, db
from api.access.policies import Actor
from api.core import alerts
from api.core.outcomes import checkins, links, plans
from api.core.outcomes.links import answer_check_in_link, bearer_of, check_in_links
from api.errors import Conflict, Invalid, NotAllowed, NotFound, Stale
from tests.builders import Scene

ANSWERS = {"answers": {"gad7-1": 1, "gad7-2": None}}


def made(scene: Scene, instrument: str = "gad-7") -> db.Values:
    values = {"instrument": instrument}
    return links.make_check_in_link(scene["CT"].actor, scene.patient["id"], values)


def bearer(link: db.Values) -> Actor:
    return bearer_of(link["token"], "r1", "192.0.2.1")


def rows(scene: Scene) -> list[db.Values]:
    c = checkins.check_ins
    return db.store().rows(select(c).where(c.c.clinic_id == scene.clinic_id), opens=c)


def test_the_token_is_shown_once_and_only_its_digest_is_kept(scene: Scene) -> None:
    link = made(scene)
    assert link["address"] == f"/api/v1/check-in-links/{link['token']}"
    assert timedelta(hours=71) < link["expires_at"] - clock.now() <= timedelta(hours=72)
    kept = db.store().row(select(check_in_links).where(check_in_links.c.id == link["id"]))
    assert kept is not None and link["token"] not in str(kept)


def test_the_form_is_the_instrument_and_nothing_of_the_chart(scene: Scene) -> None:
    form = links.open_check_in_link(bearer(made(scene)))
    assert form["instrument"]["key"] == "gad-7" and len(form["instrument"]["items"]) == 7
    assert "care team" in form["words"] and form["crisis"]["emergency"] == "911"
    assert "safety_rules" not in form["instrument"]
    for told in (scene.patient["legal_given"], scene.patient["legal_family"]):
        assert told not in str(form)
    assert str(scene.patient["id"]) not in str(form)


def test_answers_are_a_complete_check_in_of_the_patient_that_nobody_signed_in_wrote(
    scene: Scene,
) -> None:
    told, before = answer_check_in_link(bearer(made(scene)), ANSWERS, None)
    assert before is False and set(told) == {"id", "version", "state", "words", "reading"}
    [row] = rows(scene)
    assert (row["id"], row["state"], row["answered_by"]) == (told["id"], "complete", "patient")
    assert (row["recorded_by"], row["patient_id"]) == (None, scene.patient["id"])
    assert row["answers"] == ANSWERS["answers"]


def test_a_link_is_good_once(scene: Scene) -> None:
    link = made(scene)
    holder = bearer(link)
    answer_check_in_link(holder, ANSWERS, None)
    with pytest.raises(NotFound):
        answer_check_in_link(holder, ANSWERS, None)
    with pytest.raises(NotFound):
        answer_check_in_link(bearer(link), ANSWERS, "another key")
    with pytest.raises(NotFound):
        links.open_check_in_link(bearer(link))
    assert len(rows(scene)) == 1


def test_the_same_answers_under_the_same_key_are_answered_again_for_a_day(scene: Scene) -> None:
    link = made(scene)
    first, _ = answer_check_in_link(bearer(link), ANSWERS, "k")
    again, before = answer_check_in_link(bearer(link), ANSWERS, "k")
    assert (again["id"], before) == (first["id"], True) and len(rows(scene)) == 1
    with pytest.raises(NotFound):
        answer_check_in_link(bearer(link), {"answers": {"gad7-1": 2}}, "k")
    with time_machine.travel(clock.now() + timedelta(hours=25)), pytest.raises(NotFound):
        bearer(link)


def test_a_link_ends_after_72_hours_and_with_the_next_one(scene: Scene) -> None:
    first = made(scene)
    other = made(scene, "phq-9")
    second = made(scene)
    with pytest.raises(NotFound):
        bearer(first)
    assert bearer(second) and bearer(other)
    with time_machine.travel(clock.now() + timedelta(hours=73)), pytest.raises(NotFound):
        bearer(second)
    with pytest.raises(NotFound):
        bearer_of("not-a-token", "r1", None)


def test_whoever_holds_a_link_opens_no_chart_with_it_that_is_not_the_patients_own(
    scene: Scene,
) -> None:
    holder = bearer(made(scene))
    with pytest.raises(NotFound):
        checkins.log_checkin(holder, scene.other_patient["id"], ANSWERS | {"instrument": "gad-7"})
    assert holder.rights.patient_id == scene.patient["id"]
    assert holder.writer_id is None


def test_answers_behind_a_link_answer_what_a_plan_asked(scene: Scene) -> None:
    values = {"instrument": "gad-7", "rule": "once"}
    plan = plans.plan_check_ins(scene["CT"].actor, scene.patient["id"], values)
    told, _ = answer_check_in_link(bearer(made(scene)), ANSWERS, None)
    [one] = plans.read_check_in_plan(scene["CT"].actor, plan["id"])["occurrences"]
    assert (one["state"], one["check_in_id"]) == ("answered", told["id"])


def test_a_positive_safety_answer_behind_a_link_raises_an_alert_and_brings_help(
    scene: Scene,
) -> None:
    answers = {"answers": {"phq9-9": 2}}
    told, _ = answer_check_in_link(bearer(made(scene, "phq-9")), answers, None)
    assert told["crisis"]["emergency"] == "911" and "Thank you for telling us" in told["words"]
    raised = db.store().rows(
        select(alerts.alerts).where(alerts.alerts.c.clinic_id == scene.clinic_id)
    )
    assert [one["check_in_id"] for one in raised if one["priority"] == "immediate"] == [told["id"]]


def test_refused_answers_leave_the_link_good_and_are_heard_all_the_same(scene: Scene) -> None:
    link = made(scene, "phq-9")
    bad: Any = {"answers": {"phq9-9": 3, "phq9-1": 99}}
    with pytest.raises(Invalid):
        answer_check_in_link(bearer(link), bad, None)
    crisis = links.hear_refused_link(bearer(link), bad)
    assert crisis is not None and crisis["emergency"] == "911"
    answer_check_in_link(bearer(link), {"answers": {"phq9-1": 1}}, None)


def test_only_the_care_team_makes_links_and_only_of_what_can_be_shown(scene: Scene) -> None:
    with pytest.raises(NotAllowed):
        links.make_check_in_link(scene["PS"].actor, scene.patient["id"], {"instrument": "gad-7"})
    with pytest.raises(NotFound):
        links.make_check_in_link(scene["CN"].actor, scene.patient["id"], {"instrument": "gad-7"})
    with pytest.raises(Conflict) as no:
        made(scene, "who-5")
    assert no.value.extras["reason"] == "instrument_text_missing"
    with pytest.raises(Invalid):
        made(scene, "phq-99")


def listed(scene: Scene, who: str = "CT") -> list[tuple[Any, str]]:
    links_there = links.list_check_in_links(scene[who].actor, scene.patient["id"], db.Page())
    assert "token" not in str(links_there.items)
    return [(row["id"], row["state"]) for row in links_there.items]


def test_what_became_of_each_link_is_told(scene: Scene) -> None:
    used, replaced, over = made(scene), made(scene, "phq-9"), made(scene, "phq-2")
    answer_check_in_link(bearer(used), ANSWERS, None)
    last = made(scene, "phq-9")
    past = check_in_links.update().where(check_in_links.c.id == over["id"])
    db.store().execute(past.values(expires_at=clock.now()))
    states = {replaced["id"]: "withdrawn", over["id"]: "expired", used["id"]: "used"}
    assert dict(listed(scene)) == states | {last["id"]: "unused"}
    assert listed(scene)[0][0] == last["id"], "the newest first"


def test_a_link_that_is_withdrawn_is_good_no_more(scene: Scene) -> None:
    link, chart, actor = made(scene), scene.patient["id"], scene["CT"].actor
    with pytest.raises(Stale):
        links.withdraw_check_in_link(actor, chart, link["id"], 7)
    links.withdraw_check_in_link(actor, chart, link["id"], link["version"])
    assert listed(scene) == [(link["id"], "withdrawn")]
    with pytest.raises(NotFound):
        bearer(link)
    with pytest.raises(Conflict):
        links.withdraw_check_in_link(actor, chart, link["id"], 2)
    for who, refusal in (("CN", NotFound), ("PS", NotAllowed), ("CA", NotAllowed)):
        with pytest.raises(refusal):
            links.withdraw_check_in_link(scene[who].actor, chart, link["id"], None)
        with pytest.raises(refusal):
            listed(scene, who)
