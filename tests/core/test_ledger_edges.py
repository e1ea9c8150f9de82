"""At a ledger's edges: an arrest, a wrong clock, a witness who left, corrections offline."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from api import clock, db
from api.access.users import users
from api.core.treatment import notes
from api.core.treatment.sessions import sessions
from api.errors import Conflict, Invalid
from tests.builders import Scene
from tests.core.dosing import dose, rules, under_way, vitals
from tests.core.noting import colleague
from tests.core.test_ledger import batch, ledger, outcomes, raised, reading
from tests.core.walking import refused_at

ARREST = {"heart_rate_bpm": 0, "respirations_per_min": 0, "spo2_percent": 45, "systolic_mmhg": 45}


@pytest.mark.parametrize("name", ARREST)
def test_what_a_monitor_shows_of_an_arrest_is_kept_and_told_at_once(
    scene: Scene, name: str
) -> None:
    session = under_way(scene)
    given = vitals(scene, session, **{name: ARREST[name]})
    assert given[name] == ARREST[name]
    assert any(one["action"] in ("alert", "stop") for one in given["judgements"]), given
    assert [alert["priority"] for alert in raised(scene)] == ["immediate"]


def test_a_clock_that_is_far_ahead_refuses_nothing_and_is_judged(scene: Scene) -> None:
    session = under_way(scene)
    far = clock.now() + timedelta(hours=2)
    early = reading(session, 0, "a") | {"measured_at": far - timedelta(minutes=3)}
    assert outcomes(batch(scene, session, early, sent=far)) == ["stored"]
    [entry] = ledger(session)
    assert rules(entry) == ["device_clock_wrong"] and entry["device_clock_skew_ms"] < -7_000_000
    assert entry["measured_at"] == early["measured_at"]
    later = reading(session, 0, "b") | {"measured_at": far + timedelta(minutes=3)}
    assert outcomes(batch(scene, session, later, sent=far)) == ["refused"]  # ahead of itself


def test_a_dose_by_a_clock_that_is_far_behind_is_told(scene: Scene) -> None:
    session = under_way(scene)
    given = dose(scene, session, device_sent_at=clock.now() - timedelta(hours=3))
    assert "device_clock_wrong" in rules(given)
    assert "device_clock_wrong" in {alert["flag"] for alert in raised(scene)}


def test_a_dose_whose_witness_left_is_kept_and_judged(scene: Scene) -> None:
    session, left = under_way(scene), colleague(scene, "nurse")
    gone = update(users).where(users.c.id == left.user_id)
    db.store().execute(gone.values(disabled_at=clock.now()))
    given = dose(scene, session, wasted_mg=5.0, witnessed_by=left.user_id)
    assert "witness_not_here" in rules(given)
    with pytest.raises(Invalid) as refusal:
        dose(scene, session, wasted_mg=5.0, witnessed_by=scene["CA"].user_id)
    assert refused_at(refusal) == ["/witnessed_by"]


def test_a_correction_names_what_it_corrects_by_the_id_of_the_device(scene: Scene) -> None:
    session = under_way(scene)
    first = reading(session, 5, "a", heart_rate_bpm=27)
    fix = {"corrects_client_event_id": "a", "reason": "Mistyped.", "heart_rate_bpm": 72}
    second = reading(session, 5, "b", **fix)
    assert outcomes(batch(scene, session, first, second)) == ["stored", "stored"]
    wrong, right = ledger(session)
    assert wrong["superseded_by"] == right["id"] and right["corrects_id"] == wrong["id"]
    assert outcomes(batch(scene, session, first, second)) == ["already_stored"] * 2


def test_a_correction_of_what_became_an_addendum_becomes_one_too(scene: Scene) -> None:
    session = under_way(scene)
    table = sessions.c
    at = {"completed_at": clock.now(), "signed_at": clock.now()}
    now = update(sessions).where(table.id == session["id"])
    db.store().execute(now.values(state="completed", **at))
    first = reading(session, 5, "a", heart_rate_bpm=27)
    more = {"corrects_client_event_id": "a", "reason": "Mistyped."}
    second = reading(session, 5, "b", heart_rate_bpm=72, **more)
    void = {**{name: second[name] for name in ("measured_at",)}, **more}
    void |= {"type": "void", "client_event_id": "c"}
    wrong = {**more, "type": "phase", "client_event_id": "d", "phase": "onset"}
    wrong |= {"measured_at": second["measured_at"]}
    told = batch(scene, session, first, second, void, wrong)
    assert outcomes(told) == ["as_addendum"] * 3 + ["refused"]
    again = batch(scene, session, first, second, void, wrong)
    assert [one.get("addendum") for one in again["results"]] == [
        one.get("addendum") for one in told["results"]
    ]
    written = [
        n["text"]
        for n in notes.list_session_notes(scene["CT"].actor, session["id"], db.Page()).items
    ]
    assert sum("Correction: Mistyped." in text for text in written) == 2
    assert sum("corrects_client_event_id: a" in text for text in written) == 2
    db.store().execute(now.values(signed_at=None))
    late = reading(session, 5, "e", heart_rate_bpm=71, **more)
    assert outcomes(batch(scene, session, late)) == ["as_addendum"]
    assert ledger(session) == []


def test_exactly_one_of_the_two_names_what_is_corrected(scene: Scene) -> None:
    session = under_way(scene)
    there = vitals(scene, session, heart_rate_bpm=72, client_event_id="a")
    for change in (
        {"corrects_client_event_id": "a", "corrects_id": there["id"]},
        {"corrects_client_event_id": "never sent"},
    ):
        with pytest.raises(Invalid) as refusal:
            vitals(scene, session, heart_rate_bpm=70, reason="Mistyped.", **change)
        assert refused_at(refusal) == ["/corrects_client_event_id"]


def test_a_void_may_name_what_it_takes_back_either_way(scene: Scene) -> None:
    session = under_way(scene)
    vitals(scene, session, heart_rate_bpm=72, client_event_id="a")
    void = {
        "type": "void",
        "client_event_id": "v",
        "measured_at": clock.now(),
        "reason": "Not hers.",
    }
    told = batch(scene, session, void, void | {"corrects_client_event_id": "a"})
    assert outcomes(told) == ["refused", "stored"]


def test_a_second_correction_is_told_what_corrected_it_already(scene: Scene) -> None:
    session = under_way(scene)
    there = vitals(scene, session, heart_rate_bpm=72)
    fix = {"corrects_id": there["id"], "reason": "Mistyped."}
    first = vitals(scene, session, heart_rate_bpm=73, **fix)
    with pytest.raises(Conflict) as refusal:
        vitals(scene, session, heart_rate_bpm=74, **fix)
    assert refusal.value.extras["superseded_by"] == first["id"]
