"""Readiness: every reason why a dose may not start, and who may pass over which."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, strategies as st

from api import clock, db
from api.access.policies import Privilege
from api.core import alerts, consents, readiness
from api.core.clinical_lists import interactions, records
from api.core.readiness import finding, leaving, reasons as telling
from api.core.readiness.baseline import baseline
from api.core.readiness.reasons import CODES, NOBODYS, Facts, reasons
from api.core.treatment import courses, screenings, settings
from api.core.treatment.protocols import protocol_for, shipped
from api.core.treatment.sessions import sessions
from api.core.words import words_for
from api.errors import Conflict, Invalid, NotAllowed, NotFound, NotSignedIn
from tests import builders, readying
from tests.builders import Scene
from tests.readying import ROUTE, dosing_session, make_ready

FIVE = [
    "consent_missing_treatment",
    "consent_missing_off_label_medicine",
    "eligibility_unsigned",
    "dose_plan_missing",
    "baseline_vitals_missing",
]


def codes(scene: Scene, session: db.Values) -> list[str]:
    told = readiness.read_readiness(scene["CT"].actor, session["id"])
    assert told["ready"] is (told["reasons"] == [])
    return [reason["code"] for reason in told["reasons"]]


def test_a_dose_that_nobody_prepared_is_refused_for_five_reasons(scene: Scene) -> None:
    session = dosing_session(scene)
    told = readiness.read_readiness(scene["CT"].actor, session["id"])
    assert (told["ready"], [one["code"] for one in told["reasons"]]) == (False, FIVE)
    assert {one["overridable_by"] for one in told["reasons"]} == {"prescribe"}
    items = next(one for one in told["reasons"] if one["code"] == "eligibility_unsigned")["about"]
    assert items == [item.code for item in protocol_for(scene.clinic_id, ROUTE).eligibility]
    with pytest.raises(Conflict) as refused:
        readiness.start_session(scene["CT"].actor, session["id"], {})
    assert refused.value.extras["reasons"] == told["reasons"]
    assert refused.value.extras["missing"] == FIVE
    assert "start" not in refused.value.extras["allowed"]


def test_each_thing_that_is_done_takes_its_reason_away(scene: Scene) -> None:
    session = dosing_session(scene)
    readying.consented(scene)
    assert codes(scene, session) == FIVE[2:]
    readying.screened(scene)
    assert codes(scene, session) == FIVE[3:]
    readying.planned(scene, session)
    assert codes(scene, session) == FIVE[4:]
    readying.measured(scene, session)
    assert codes(scene, session) == []
    begun = readiness.start_session(scene["CT"].actor, session["id"], {})
    assert (begun["state"], begun["overrides"]) == ("in_progress", [])


def test_a_session_keeps_the_version_of_the_protocol_it_began_with(scene: Scene) -> None:
    begun = readying.started(scene)
    kept = db.store().row(_row(begun))
    assert kept is not None
    assert (kept["protocol_key"], kept["protocol_version"]) == ("ketamine_iv_im", 1)


def _row(session: db.Values) -> Any:
    return sessions.select().where(sessions.c.id == session["id"])


def test_a_consent_withdrawn_is_a_no_from_that_minute_that_nobody_passes_over(
    scene: Scene,
) -> None:
    session = dosing_session(scene)
    make_ready(scene, session)
    [mine] = [
        row
        for row in consents.list_consents(scene["PS"].actor, scene.patient["id"], db.Page()).items
        if row["kind"] == "treatment"
    ]
    consents.withdraw_consent(scene["PS"].actor, mine["id"])
    told = readiness.read_readiness(scene["CT"].actor, session["id"])
    [reason] = told["reasons"]
    assert (reason["code"], reason["overridable_by"]) == ("consent_withdrawn_treatment", None)
    overrides = [{"code": reason["code"], "reason": "I know better."}]
    with pytest.raises(Conflict) as refused:
        readiness.start_session(scene["CT"].actor, session["id"], {"overrides": overrides})
    assert refused.value.extras["missing"] == ["consent_withdrawn_treatment"]
    again = {"kind": "treatment", "text_version": "1"}
    consents.record_consent(scene["CT"].actor, scene.patient["id"], again)
    assert codes(scene, session) == []


def test_a_consent_that_is_to_be_said_again_is_asked_for_at_each_session(scene: Scene) -> None:
    readying.consented(scene)
    session = dosing_session(scene)
    plain = protocol_for(scene.clinic_id, ROUTE)
    asks = _asking_again(plain)
    assert finding.consent_states(session, asks)["treatment"] == "not_reaffirmed"
    [mine] = [
        row
        for row in consents.list_consents(scene["CT"].actor, scene.patient["id"], db.Page()).items
        if row["kind"] == "treatment"
    ]
    consents.reaffirm_consent(scene["CT"].actor, mine["id"], session["id"])
    assert finding.consent_states(session, asks)["treatment"] == "in_force"
    other = dosing_session(scene)
    assert finding.consent_states(other, asks)["treatment"] == "not_reaffirmed"


def _asking_again(protocol: Any) -> Any:
    return replace(protocol, reaffirmed_consents=("treatment",))


def test_an_open_alert_a_missed_contact_and_an_unsigned_record_hold_the_next_dose(
    scene: Scene,
) -> None:
    ago = clock.now() - timedelta(days=7)
    times = {"starts_at": ago, "ends_at": ago + timedelta(hours=2), "completed_at": ago}
    dosing_session(scene, state="completed", **times)
    session = dosing_session(scene)
    make_ready(scene, session)
    assert codes(scene, session) == ["integration_missing", "last_session_unsigned"]
    source = alerts.Source(scene.clinic_id, scene.patient["id"], clock.now())
    alerts.raise_alerts(source, [alerts.signal("suicidality_item_high")])
    assert codes(scene, session)[0] == "alert_open"
    then = {"starts_at": ago, "ends_at": ago + timedelta(hours=2)}
    met = then | {"completed_at": ago + timedelta(days=1)}
    builders.make_session(scene.patient, kind="integration", state="completed", **met)
    assert codes(scene, session) == ["alert_open", "last_session_unsigned"]


def test_readings_before_the_dose_count_for_an_hour_and_hold_it_outside_their_limits(
    scene: Scene,
) -> None:
    session = dosing_session(scene)
    readying.consented(scene)
    readying.screened(scene)
    readying.planned(scene, session)
    old = clock.now() - timedelta(minutes=70)
    readying.measured(scene, session, at=old)
    assert codes(scene, session) == ["baseline_vitals_missing"]
    readying.measured(scene, session, systolic_mmhg=165)
    [reason] = readiness.read_readiness(scene["CT"].actor, session["id"])["reasons"]
    assert (reason["code"], reason["about"]) == (
        "baseline_vitals_out_of_limits",
        ["systolic_hold"],
    )
    readying.measured(scene, session, systolic_mmhg=150)
    assert codes(scene, session) == []


def test_a_raised_reading_is_to_be_repeated(scene: Scene) -> None:
    session = dosing_session(scene)
    readying.consented(scene)
    readying.screened(scene)
    readying.planned(scene, session)
    readying.measured(scene, session, systolic_mmhg=150)
    assert codes(scene, session) == ["baseline_vitals_not_repeated"]
    readying.measured(scene, session, systolic_mmhg=148)
    assert codes(scene, session) == []


def test_only_a_prescriber_with_a_fresh_sign_in_passes_over_and_what_they_say_is_kept(
    scene: Scene,
) -> None:
    session = dosing_session(scene)
    values = {"overrides": [{"code": code, "reason": f"Because of {code}."} for code in FIVE]}
    with pytest.raises(NotAllowed):
        readiness.start_session(scene["CT"].actor, session["id"], values)
    readying.let(scene["CT"].user_id, Privilege.PRESCRIBE)
    few = {"overrides": values["overrides"][:4]}
    with pytest.raises(Conflict) as refused:
        readiness.start_session(scene["CT"].actor, session["id"], few)
    assert refused.value.extras["missing"] == FIVE[4:]
    begun = readiness.start_session(scene["CT"].actor, session["id"], values)
    assert begun["state"] == "in_progress"
    kept = {one["code"]: one for one in begun["overrides"]}
    assert list(kept) == FIVE
    assert kept[FIVE[0]]["reason"] == f"Because of {FIVE[0]}."
    assert kept[FIVE[0]]["overridden_by"]["id"] == str(scene["CT"].user_id)
    sealed = db.store().row(_row(session))
    assert sealed is not None and "Because" not in str(sealed["overrides"])


def test_a_dose_asks_for_a_fresh_sign_in_and_other_sessions_for_nothing(scene: Scene) -> None:
    session = dosing_session(scene)
    make_ready(scene, session)
    plain = builders.make_session(scene.patient, scene["CT"], state="arrived")
    assert codes(scene, plain) == []
    builders.let_sign_in_age(scene["CT"])
    with pytest.raises(NotSignedIn):
        readiness.start_session(scene["CT"].actor, session["id"], {})
    begun = readiness.start_session(scene["CT"].actor, plain["id"], {})
    assert begun["state"] == "in_progress"


def test_a_patient_is_asked_about_before_anything_is_booked(scene: Scene) -> None:
    def asked(on: date | None = None) -> db.Values:
        who = scene["CT"].actor
        return readiness.read_patient_readiness(who, scene.patient["id"], on=on, route=ROUTE)

    told = asked()
    assert [one["code"] for one in told["reasons"]] == FIVE[:3]
    assert told["at_session"] == FIVE[3:]
    readying.consented(scene)
    readying.screened(scene, but="intoxication_today")
    assert [one["about"] for one in asked()["reasons"]] == [["intoxication_today"]]
    today = clock.today(scene.patient["time_zone"])
    assert asked(today + timedelta(days=3))["ready"] is True
    with pytest.raises(Invalid):
        asked(today - timedelta(days=1))


def test_an_item_of_one_day_is_asked_anew_on_each(scene: Scene) -> None:
    protocol = shipped()["ketamine_iv_im"]
    today = clock.today("UTC")
    signed = {"signed_at": clock.now(), "decision": "no_concern"}
    answered: dict[str, Any] = {
        item.code: signed | {"asked_on": today} for item in protocol.eligibility
    }
    assert finding.screened(protocol, answered, today) == ((), ())
    later = finding.screened(protocol, answered, today + timedelta(days=1))
    assert later == (("intoxication_today",), ())
    answered["pregnancy"] = signed | {"asked_on": today, "decision": "wait"}
    assert finding.screened(protocol, answered, today) == ((), ("pregnancy",))


def test_interactions_are_listed_with_sources_and_decide_nothing(scene: Scene) -> None:
    session = dosing_session(scene)
    make_ready(scene, session)
    who, patient_id = scene["CT"].actor, scene.patient["id"]
    records.record_medication(who, patient_id, {"name": "Lorazepam 1 mg"})
    stopped = records.record_medication(scene["CT"].actor, patient_id, {"name": "Naltrexone"})
    records.change_medication(scene["CT"].actor, stopped["id"], 1, {"status": "stopped"})
    records.record_allergy(scene["CT"].actor, patient_id, {"substance": "Ketamine"})
    told = readiness.read_readiness(scene["CT"].actor, session["id"])
    assert told["ready"] is True
    found = [(one["code"], one["severity"], one["list"]) for one in told["interactions"]]
    assert found == [
        ("hypersensitivity", "contraindicated", "allergies"),
        ("benzodiazepine", "caution", "medications"),
    ]
    assert all(one["sources"] for one in told["interactions"])
    assert told["lists"] == {"allergies_confirmed_on": None, "medications_confirmed_on": None}


def test_readiness_is_for_the_care_team(scene: Scene) -> None:
    session = dosing_session(scene)
    for name, refusal in (("CN", NotFound), ("XT", NotFound), ("PS", NotAllowed)):
        with pytest.raises(refusal):
            readiness.read_readiness(scene[name].actor, session["id"])
        with pytest.raises(refusal):
            readiness.read_patient_readiness(scene[name].actor, scene.patient["id"])
    with pytest.raises(NotFound):
        readiness.read_readiness(scene["CT"].actor, uuid4())


FACTS = st.builds(
    Facts,
    consents=st.dictionaries(
        st.sampled_from(consents.KINDS), st.sampled_from(telling.CONSENT_STATES)
    ),
    unsigned_items=st.lists(st.just("pregnancy"), max_size=1).map(tuple),
    held_items=st.lists(st.just("current_mania"), max_size=1).map(tuple),
    planned=st.booleans(),
    unmeasured=st.lists(st.just("spo2_percent"), max_size=1).map(tuple),
    out_of_limits=st.lists(st.just("systolic_hold"), max_size=1).map(tuple),
    unrepeated=st.lists(st.just("systolic_repeat"), max_size=1).map(tuple),
    alert_open=st.booleans(),
    contacted=st.booleans(),
    signed=st.booleans(),
)


@given(FACTS)
def test_every_reason_is_of_the_list_stands_once_and_says_who_may_pass_over_it(
    facts: Facts,
) -> None:
    found = reasons(facts)
    told = [one["code"] for one in found]
    assert len(told) == len(set(told)) and set(told) <= set(CODES)
    assert all((one["overridable_by"] is None) == (one["code"] in NOBODYS) for one in found)
    assert all(one["detail"] for one in found)
    faults = sum(state != telling.IN_FORCE for state in facts.consents.values())
    listed = (facts.unsigned_items, facts.held_items, facts.unmeasured, facts.out_of_limits)
    faults += sum(map(bool, (*listed, facts.unrepeated, facts.alert_open)))
    faults += sum(not well for well in (facts.planned, facts.contacted, facts.signed))
    assert len(found) == faults


READINGS = st.lists(
    st.fixed_dictionaries(
        {
            "minutes_before": st.integers(0, 120),
            "systolic_mmhg": st.integers(50, 300),
            "diastolic_mmhg": st.integers(20, 200),
            "heart_rate_bpm": st.integers(20, 250),
            "spo2_percent": st.integers(50, 100),
        }
    ),
    max_size=6,
)


@given(READINGS)
def test_the_newest_reading_decides_and_an_old_one_never(taken: list[dict[str, int]]) -> None:
    protocol, until = shipped()["ketamine_iv_im"], clock.now()
    entries: list[Any] = [
        {
            "type": "vitals",
            "measured_at": until - timedelta(minutes=one.pop("minutes_before")),
            "content": one,
        }
        for one in map(dict, taken)
    ]
    entries.sort(key=lambda entry: entry["measured_at"])
    counting = [e for e in entries if e["measured_at"] >= until - timedelta(minutes=60)]
    found = baseline(protocol, entries, until)
    assert found == baseline(protocol, counting, until) == baseline(protocol, entries, until, until)
    assert bool(found.unmeasured) is (not counting)
    if counting:
        newest = counting[-1]["content"]
        assert ("systolic_hold" in found.out_of_limits) is (newest["systolic_mmhg"] >= 160)
        assert ("spo2_hold" in found.out_of_limits) is (newest["spo2_percent"] < 94)
    if len(counting) > 1:
        assert found.unrepeated == ()


def test_every_code_has_a_label() -> None:
    words = words_for(None)["vocabularies"]
    labelled = {name: {word["code"] for word in words[name]} for name in words}
    assert labelled["readiness_reasons"] == set(CODES)
    assert labelled["discharge_criteria"] == set(leaving.CODES)
    assert labelled["screening_decisions"] == set(screenings.DECISIONS)
    assert labelled["course_statuses"] == set(courses.STATUSES)
    assert labelled["touch_agreements"] == set(settings.TOUCH)
    assert labelled["interaction_severities"] == set(interactions.SEVERITIES)
