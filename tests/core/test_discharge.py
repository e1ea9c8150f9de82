"""Discharge: what a patient may not leave without, who passes over it, and what is never said."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from api import clock, db
from api.access.policies import Privilege
from api.core import alerts, readiness
from api.core.readiness import leaving
from api.core.readiness.leaving import ALDRETE, CODES, PADSS, Stay, missing, total
from api.core.treatment import attestations, sessions
from api.core.treatment.protocols import shipped
from api.errors import Conflict, Invalid, NotAllowed, NotFound, Stale, VersionNeeded
from tests import builders, readying
from tests.builders import Scene
from tests.readying import ALDRETE as SIGNS, LEAVING

MINUTE = timedelta(minutes=1)
EVERYTHING = [
    "monitoring_points",
    "observation_time",
    "aldrete_or_padss",
    "oriented",
    "walks_unaided",
    "suicidality_asked",
    "escort_name",
    "no_driving_advice_given",
    "next_contact_at",
]


def dosed_an_hour_ago(scene: Scene) -> db.Values:
    """A session that began and gave its dose 62 minutes ago."""
    ago = clock.now() - 62 * MINUTE
    session = readying.dosing_session(scene, starts_at=ago - 30 * MINUTE)
    readying.consented(scene)
    readying.screened(scene)
    readying.planned(scene, session)
    readying.measured(scene, session, at=ago - MINUTE)
    readying.measured(scene, session)
    begun = readiness.start_session(scene["CT"].actor, session["id"], {"at": ago})
    readying.dosed(scene, begun, at=ago)
    return begun


def watched(scene: Scene, session: db.Values) -> None:
    """Every point after the dose is measured."""
    dose = clock.now() - 62 * MINUTE
    for minute in (15, 30, 45, 61):
        readying.measured(scene, session, at=dose + minute * MINUTE)


def found(scene: Scene, session: db.Values, version: int | None = 0, **more: Any) -> db.Values:
    values = LEAVING | {"next_contact_at": clock.now() + timedelta(days=1)} | more
    return readiness.record_discharge(scene["CT"].actor, session["id"], version, values)


def complete(scene: Scene, session: db.Values, **values: Any) -> db.Values:
    return readiness.complete_session(scene["CT"].actor, session["id"], values)


def test_a_session_just_dosed_may_not_end_and_says_everything_that_is_missing(
    scene: Scene,
) -> None:
    session = readying.started(scene)
    readying.dosed(scene, session)
    with pytest.raises(Conflict) as refused:
        complete(scene, session)
    assert refused.value.extras["missing"] == EVERYTHING
    assert {one["overridable_by"] for one in refused.value.extras["reasons"]} == {"discharge"}
    told = readiness.read_discharge(scene["CT"].actor, session["id"])
    assert (told["version"], told["missing"]) == (0, EVERYTHING)


def test_what_is_recorded_is_missing_no_more(scene: Scene) -> None:
    session = dosed_an_hour_ago(scene)
    told = readiness.read_discharge(scene["CT"].actor, session["id"])
    assert told["missing"] == [one for one in EVERYTHING if one != "observation_time"]
    points = next(one for one in told["reasons"] if one["code"] == "monitoring_points")
    assert points["about"] == ["first_hour_15", "first_hour_30", "first_hour_45"]
    watched(scene, session)
    assert found(scene, session, escort_name=None)["missing"] == ["escort_name"]
    with pytest.raises(Conflict) as refused:
        complete(scene, session)
    assert refused.value.extras["missing"] == ["escort_name"]
    told = found(scene, session, version=1)
    assert (told["missing"], told["aldrete_total"], told["padss_total"]) == ([], 9, None)
    ended = complete(scene, session)
    assert (ended["state"], ended["overrides"]) == ("completed", [])


def test_an_escort_who_attested_it_is_one(scene: Scene) -> None:
    session = dosed_an_hour_ago(scene)
    watched(scene, session)
    found(scene, session, escort_name=None)
    link = attestations.make_attestation_link(scene["CT"].actor, session["id"], {"kind": "escort"})
    bearer = attestations.bearer_of(link["token"], "r1", None)
    attestations.attest(bearer, {"name": "Sam Example", "agreed": True}, None)
    told = readiness.read_discharge(scene["CT"].actor, session["id"])
    assert told["missing"] == [] and [one["name"] for one in told["escorts"]] == ["Sam Example"]


def test_only_a_privilege_passes_over_what_is_missing_each_with_words(scene: Scene) -> None:
    session = readying.started(scene)
    readying.dosed(scene, session)
    over = [{"code": code, "reason": f"Because of {code}."} for code in EVERYTHING]
    with pytest.raises(NotAllowed):
        complete(scene, session, overrides=over)
    readying.let(scene["CT"].user_id, Privilege.DISCHARGE)
    with pytest.raises(Conflict) as refused:
        complete(scene, session, overrides=over[1:])
    assert refused.value.extras["missing"] == EVERYTHING[:1]
    ended = complete(scene, session, overrides=over)
    assert ended["state"] == "completed"
    assert [one["code"] for one in ended["overrides"]] == EVERYTHING
    assert ended["overrides"][0]["reason"] == "Because of monitoring_points."


def test_a_session_whose_medicine_was_not_given_has_nothing_to_observe(scene: Scene) -> None:
    session = readying.started(scene)
    told = readiness.read_discharge(scene["CT"].actor, session["id"])
    assert told["missing"] == []
    assert complete(scene, session)["state"] == "completed"


def test_intent_that_was_spoken_of_holds_the_patient_and_raises_an_alert_once(
    scene: Scene,
) -> None:
    session = dosed_an_hour_ago(scene)
    watched(scene, session)
    told = found(scene, session, suicidal_intent=True)
    assert told["missing"] == ["no_suicidal_intent"]
    listed = alerts.list_alerts(scene["CT"].actor, db.Page()).items
    [alert] = [one for one in listed if one["rule"] == "suicidal_intent_at_discharge"]
    assert (alert["priority"], alert["state"]) == ("immediate", "open")
    found(scene, session, version=1, suicidal_intent=True)
    assert len(alerts.list_alerts(scene["CT"].actor, db.Page()).items) == len(listed)
    with pytest.raises(Invalid):
        found(scene, session, version=2, suicidality_asked=None)


def test_a_discharge_is_put_whole_at_a_version_and_only_of_a_dose(scene: Scene) -> None:
    session = readying.started(scene)
    first = found(scene, session)
    assert (first["version"], first["oriented"]) == (1, True)
    with pytest.raises(VersionNeeded):
        found(scene, session)
    with pytest.raises(Stale):
        found(scene, session, version=9)
    again = readiness.record_discharge(scene["CT"].actor, session["id"], 1, {"oriented": False})
    assert (again["version"], again["oriented"], again["escort_name"]) == (2, False, None)
    plain = builders.make_session(scene.patient, scene["CT"], state="in_progress")
    with pytest.raises(Conflict):
        found(scene, plain)
    for name, refusal in (("CN", NotFound), ("PS", NotAllowed), ("CA", NotAllowed)):
        with pytest.raises(refusal):
            readiness.read_discharge(scene[name].actor, session["id"])


ASKED: Any = shipped()["ketamine_iv_im"].discharge
NAMES = [name for name in ASKED["criteria"]]
FINDINGS = st.fixed_dictionaries(
    {
        "aldrete": st.none() | st.fixed_dictionaries(dict.fromkeys(ALDRETE, st.integers(0, 2))),
        "padss": st.none() | st.fixed_dictionaries(dict.fromkeys(PADSS, st.integers(0, 2))),
        "suicidal_intent": st.none() | st.booleans(),
        **dict.fromkeys(NAMES, st.none() | st.booleans()),
    }
)
STAYS = st.builds(
    Stay,
    findings=FINDINGS,
    last_dose_at=st.just(clock.now()),
    ends_at=st.integers(0, 120).map(lambda minutes: clock.now() + minutes * MINUTE),
    open_points=st.lists(st.sampled_from(["first_hour_15", "discharge"]), unique=True).map(tuple),
    escorted=st.booleans(),
)


@given(STAYS)
def test_nobody_leaves_without_all_that_the_protocol_asks_for(stay: Stay) -> None:
    told = [one["code"] for one in missing(ASKED, stay)]
    assert len(told) == len(set(told)) and set(told) <= set(CODES)
    scores = [total(scale, stay.findings[scale]) for scale in ("aldrete", "padss")]
    assert ("aldrete_or_padss" in told) is not any(s is not None and s >= 9 for s in scores)
    assert ("monitoring_points" in told) is bool(stay.open_points)
    for name in NAMES:
        said = bool(stay.findings[name]) or (name == "escort_name" and stay.escorted)
        assert (name in told) is not said
    more = Stay(stay.findings, None, stay.ends_at)
    assert missing(ASKED, more) == []


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(ALDRETE, st.none() | st.integers(0, 2))))
def test_a_score_with_a_gap_has_no_total(signs: dict[str, int | None]) -> None:
    whole = len(signs) == len(ALDRETE) and None not in signs.values()
    summed = sum(value or 0 for value in signs.values())
    assert total("aldrete", signs) == (summed if whole else None)


def test_the_score_of_the_tests_is_the_least_that_is_asked_for() -> None:
    assert total("aldrete", SIGNS) == 9 == ASKED["scores"][0]["at_least"]
    assert set(ASKED["criteria"]) <= set(leaving.CRITERIA)


def test_a_dose_that_was_taken_back_is_not_as_if_there_had_been_none() -> None:
    stay = Stay({}, None, clock.now(), taken_back=True)
    assert [one["code"] for one in missing(ASKED, stay)] == ["dose_taken_back"]


def test_a_session_with_a_dose_is_neither_called_off_nor_of_another_kind(scene: Scene) -> None:
    ct = scene["CT"].actor
    session = readying.dosing_session(scene)
    changed = sessions.change_session(ct, session["id"], None, {"kind": "integration"})
    assert changed["kind"] == "integration", "nothing was recorded yet"
    sessions.change_session(ct, session["id"], None, {"kind": "dosing"})
    readying.dosed(scene, session)
    with pytest.raises(Conflict):
        sessions.change_session(ct, session["id"], None, {"kind": "integration"})
    with pytest.raises(Conflict) as refused:
        sessions.cancel_session(ct, session["id"], {"reason": "other"})
    assert refused.value.extras["allowed"] == ["start"]
