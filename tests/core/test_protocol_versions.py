"""Versions of protocols: drafted and approved by those who direct, and kept by what has begun."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from api import clock, db
from api.core.treatment import dosing, protocols
from api.core.treatment.protocols import protocol_for
from api.core.treatment.sessions import sessions
from api.errors import Conflict, Invalid, NotAllowed, NotFound, NotSignedIn
from tests import builders
from tests.builders import Person, Scene
from tests.core.dosing import prescriber, rules, under_way, vitals
from tests.racing import at_once

KEY = "ketamine_iv_im"
STRICT = {
    "rule": "systolic_alert",
    "field": "systolic_mmhg",
    "action": "alert",
    "when": "always",
    "at_least": 150.0,
}


def director(scene: Scene) -> Person:
    """A clinician who directs the clinic's medicine."""
    return builders.make_person(scene.clinic_id, privileges=["direct"])


def draft(who: Person, key: str = KEY, **values: Any) -> db.Values:
    return protocols.draft_protocol_version(who.actor, key, values or {"thresholds": [STRICT]})


def approve(who: Person, number: int, key: str = KEY) -> db.Values:
    return protocols.approve_protocol_version(who.actor, key, str(number))


def in_force(scene: Scene, key: str = KEY) -> db.Values:
    return protocols.read_protocol(scene["CT"].actor, key)


def test_the_shipped_version_is_in_force_until_the_clinic_approves_its_own(scene: Scene) -> None:
    one, other = director(scene), director(scene)
    assert (in_force(scene)["version"], in_force(scene)["state"]) == (1, "shipped")
    made = draft(one, owner="Dr Example", thresholds=[STRICT])
    assert (made["version"], made["state"], made["drafted_by"]["id"]) == (2, "draft", one.user_id)
    assert in_force(scene)["version"] == 1
    assert [v["state"] for v in in_force(scene)["versions"]] == ["shipped", "draft"]
    told = approve(other, 2)
    assert (told["state"], told["approved_by"]["id"]) == ("approved", other.user_id)
    after = in_force(scene)
    assert (after["version"], after["owner"]) == (2, "Dr Example")
    assert [one["rule"] for one in after["thresholds"]] == ["systolic_alert"]
    unchanged = ("monitoring_points", "eligibility", "required_consents", "window", "routes")
    before = protocols.read_protocol_version(scene["CT"].actor, KEY, "1")
    assert all(after[name] == before[name] for name in unchanged)
    listed = protocols.list_protocols(scene["CT"].actor, db.Page()).items
    assert {each["key"]: each["version"] for each in listed} == {
        "esketamine_intranasal": 1,
        "ketamine": 1,
        "ketamine_iv_im": 2,
        "ketamine_sublingual": 1,
    }


def test_what_one_clinic_approves_is_no_other_clinics(scene: Scene) -> None:
    approve(director(scene), draft(director(scene))["version"])
    theirs = protocols.read_protocol(scene["XT"].actor, KEY)
    assert (theirs["version"], theirs["versions"]) == (1, theirs["versions"][:1])
    with pytest.raises(NotFound):
        protocols.read_protocol_version(scene["XT"].actor, KEY, "2")


def test_nobody_approves_their_own_draft_where_another_could(scene: Scene) -> None:
    alone = director(scene)
    assert approve(alone, draft(alone)["version"])["version"] == 2
    draft(alone)
    other = director(scene)
    with pytest.raises(Conflict) as refusal:
        approve(alone, 3)
    assert refusal.value.extras["own_draft"] is True
    assert approve(other, 3)["state"] == "approved"
    with pytest.raises(Conflict):
        approve(other, 3)
    for number, key in ((9, KEY), (2, "ketamine_sublingual"), (1, KEY)):
        with pytest.raises(NotFound):
            approve(other, number, key)


def test_the_privilege_and_a_fresh_sign_in_are_asked_for(scene: Scene) -> None:
    one, other = director(scene), director(scene)
    for who in ("CT", "CA", "PS"):
        with pytest.raises(NotAllowed):
            draft(scene[who])
    draft(one)
    with pytest.raises(NotAllowed):
        approve(scene["CT"], 2)
    builders.let_sign_in_age(other)
    with pytest.raises(NotSignedIn):
        approve(other, 2)
    builders.let_sign_in_age(scene["CT"])
    with pytest.raises(NotAllowed):
        approve(scene["CT"], 2)


def test_a_version_counts_from_its_day_to_its_last(scene: Scene) -> None:
    one, today = director(scene), clock.now().date()
    day = timedelta(days=1)
    approve(one, draft(one, effective_from=today + day)["version"])
    assert in_force(scene)["version"] == 1
    approve(one, draft(one, effective_until=today - day)["version"])
    assert in_force(scene)["version"] == 1
    approve(one, draft(one, effective_from=today, effective_until=today)["version"])
    assert in_force(scene)["version"] == 4
    with pytest.raises(Invalid):
        draft(one, effective_from=today, effective_until=today - day)


def test_a_draft_that_contradicts_itself_is_refused(scene: Scene) -> None:
    one = director(scene)
    boundless = {name: value for name, value in STRICT.items() if name != "at_least"}
    for values in (
        {"thresholds": [boundless]},
        {"thresholds": [STRICT, STRICT]},
        {"patient_instructions": {"de-DE": {"before": [], "after": []}}},
    ):
        with pytest.raises(Invalid):
            draft(one, **values)
    with pytest.raises(NotFound):
        draft(one, "unheard_of")


def test_a_clinic_begins_a_protocol_of_its_own(scene: Scene) -> None:
    one, other, own = director(scene), director(scene), "our_quiet_room"
    for values, pointer in (
        ({"based_on": KEY}, "/title"),
        ({"based_on": "unheard_of", "title": "The quiet room"}, "/based_on"),
    ):
        with pytest.raises(Invalid) as refusal:
            draft(one, own, **values)
        assert [at for at, _ in refusal.value.errors] == [pointer]
    begun = {"based_on": KEY, "title": "The quiet room", "thresholds": [STRICT]}
    made = draft(one, own, **begun)
    assert (made["key"], made["version"], made["state"]) == (own, 1, "draft")
    with pytest.raises(NotFound):
        in_force(scene, own)
    with pytest.raises(Invalid):
        draft(one, own, **begun)
    assert draft(one, own, owner="Dr Example")["title"] == "The quiet room"
    approve(other, 2, own)
    told, base = in_force(scene, own), in_force(scene)
    assert (told["version"], told["owner"], told["thresholds"]) == (
        *(2, "Dr Example"),
        made["thresholds"],
    )
    for name in ("medicine", "routes", "monitoring_points", "discharge", "window"):
        assert told[name] == base[name]
    assert [v["version"] for v in told["versions"]] == [1, 2]
    listed = protocols.list_protocols(scene["CT"].actor, db.Page()).items
    assert own in [each["key"] for each in listed]
    with pytest.raises(NotFound):
        protocols.read_protocol(scene["XT"].actor, own)


def test_the_clinics_own_protocol_goes_before_the_shipped_one(scene: Scene) -> None:
    one, other = director(scene), director(scene)
    for number, own in enumerate(("our_first", "another_room")):
        draft(one, own, based_on=KEY, title=own)
        assert protocol_for(scene.clinic_id, "intravenous", "ketamine").key != own
        approve(other, 1, own)
        assert protocol_for(scene.clinic_id, "intravenous", "ketamine").key == own, number
    sublingual = protocol_for(scene.clinic_id, "sublingual", "ketamine")
    spray = protocol_for(scene.clinic_id, "intranasal", "esketamine")
    assert (sublingual.key, spray.key) == ("ketamine_sublingual", "esketamine_intranasal")
    session = under_way(scene)
    assert vitals(scene, session)["protocol"]["key"] in (KEY, "another_room")


@pytest.mark.parametrize("key", ["", "Upper", "a" * 61, "nul\0", "a-b", "\u0661"])
def test_what_cannot_be_a_key_is_not_there(scene: Scene, key: str) -> None:
    one = director(scene)
    for deed in (
        lambda: in_force(scene, key),
        lambda: draft(one, key, based_on=KEY, title="Ours"),
        lambda: approve(one, 1, key),
        lambda: protocols.read_protocol_version(one.actor, key, "1"),
    ):
        with pytest.raises(NotFound):
            deed()


def test_a_running_session_keeps_the_version_it_began_with(scene: Scene) -> None:
    begun = under_way(scene)
    fixed = dosing.protocol_fixed(begun)
    assert fixed == {"protocol_key": KEY, "protocol_version": 1, "window_days": 7}
    db.store().change(sessions, begun, fixed)
    loose = under_way(scene, hours=60)
    one = director(scene)
    approve(one, draft(one)["version"])
    for session in (begun, loose):
        told = vitals(scene, session, systolic_mmhg=155)
        assert told["protocol"]["version"] == 1 and rules(told) == ["systolic_repeat"]
    at = clock.now()
    new = under_way(scene, hours=0, started_at=at, starts_at=at, ends_at=at + timedelta(hours=2))
    told = vitals(scene, new, 0, systolic_mmhg=155)
    assert told["judgements"][0]["protocol"] == {"key": KEY, "version": 2}
    assert rules(told) == ["systolic_alert"]
    assert protocols.version_of(scene.clinic_id, KEY, 2) is not None


def test_a_protocol_is_found_by_route_and_medicine(scene: Scene) -> None:
    def found(route: str | None, medicine: str | None = None) -> str:
        return protocol_for(scene.clinic_id, route, medicine).key

    assert found("intravenous", "ketamine") == "ketamine_iv_im"
    assert found("intranasal", "esketamine") == "esketamine_intranasal"
    assert found("intranasal", "ketamine") == "ketamine_sublingual"
    assert found(None) == found("subcutaneous") == "ketamine_iv_im"


def test_drafts_made_at_once_have_numbers_of_their_own(app: Flask, scene: Scene) -> None:
    with db.transaction():
        crew = [director(scene) for _ in range(6)]
    told = at_once(app, [lambda who=who: draft(who) for who in crew])
    assert sorted(one["version"] for one in told) == [2, 3, 4, 5, 6, 7]


def test_a_plan_is_read_by_the_protocol_that_covers_it(scene: Scene) -> None:
    session = under_way(scene)
    who = prescriber(scene)
    spray = {"medicine": "esketamine", "route": "intranasal", "dose_mg": 56.0}
    told = dosing.plan_dose(who.actor, session["id"], 0, spray | {"max_total_mg": 84.0})
    assert told["protocol"] == {"key": "esketamine_intranasal", "version": 1}
