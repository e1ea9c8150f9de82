"""The ledger: what has happened is kept, once, in order, and never edited."""

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from api import clock, db
from api.core import alerts, changes, consents
from api.core.treatment import dosing, notes, windows
from api.core.treatment.dosing import ledger_entries
from api.core.treatment.dosing.table import ledger_addenda
from api.core.treatment.sessions import sessions
from api.errors import Conflict, Invalid, NotFound, VersionNeeded
from api.outbox.events import outbox_events
from tests import builders
from tests.builders import Scene
from tests.core.dosing import agreed, dose, minute, planned, rules, said, under_way, vitals
from tests.core.walking import refused_at
from tests.racing import at_once

WRITERS = 20


def ledger(session: db.Values) -> list[db.Values]:
    """The whole ledger."""
    return dosing.entries_of(session["clinic_id"], session["id"])


def batch(scene: Scene, session: db.Values, *items: db.Values, sent: Any = None) -> db.Values:
    """A batch of entries, each `{type, ...}`."""
    given = [{"client_event_id": item["client_event_id"], "values": item} for item in items]
    return dosing.record_batch(scene["CT"].actor, session["id"], given, sent)


def reading(session: db.Values, after: int, name: str, **more: Any) -> db.Values:
    """One entry of a batch."""
    about = {"type": "vitals", "client_event_id": name, "measured_at": minute(session, after)}
    return about | (more or {"heart_rate_bpm": 72})


def outcomes(told: db.Values) -> list[str]:
    """What became of each entry."""
    return [one["outcome"] for one in told["results"]]


def raised(scene: Scene) -> list[db.Values]:
    """The alerts of the patient."""
    mine = alerts.alerts.c.patient_id == scene.patient["id"]
    return db.store().rows(select(alerts.alerts).where(mine).order_by(alerts.alerts.c.id))


def test_a_dose_carries_what_it_was_per_kilogram_and_its_codes(scene: Scene) -> None:
    session = under_way(scene)
    agreed(scene)
    planned(scene, session)
    told = dose(scene, session, lot="A1", source="Compounder", booster=False)
    assert (told["result"], told["sequence"], told["dose_mg_per_kg"]) == ("stored", 1, 0.8)
    codes = {one["field"]: one["code"] for one in told["codes"]}
    assert (codes["medicine"], codes["route"]) == ("6130", "78421000")
    assert told["judgements"] == [] and told["late"] is False and raised(scene) == []
    assert told["recorded_at"] >= told["measured_at"] and told["superseded_by"] is None
    events = select(outbox_events.c.subject).where(
        outbox_events.c.clinic_id == scene.clinic_id, outbox_events.c.name == "dose.recorded"
    )
    (event,) = db.store().rows(events)
    assert set(event["subject"]) == {"session_id", "patient_id"}


def test_nothing_that_was_said_is_readable_in_the_database(scene: Scene) -> None:
    session = under_way(scene)
    said(scene, session, "vitals", 5, {"systolic_mmhg": 186, "note": "Marker of a note."})
    (row,) = db.store().rows(
        select(ledger_entries).where(ledger_entries.c.session_id == session["id"])
    )
    for name in ("content", "judgements"):
        assert "186" not in row[name] and "Marker" not in row[name] and "systolic" not in row[name]


def test_the_same_again_is_answered_again_and_other_content_is_a_conflict(scene: Scene) -> None:
    session = under_way(scene)
    first = dose(scene, session, client_event_id="one")
    again = dose(scene, session, client_event_id="one")
    assert (again["result"], again["id"]) == ("already_stored", first["id"])
    for change in ({"dose_mg": 61.0}, {"measured_at": minute(session, 11)}, {"lot": "B"}):
        with pytest.raises(Conflict) as refusal:
            dose(scene, session, client_event_id="one", **change)
        assert refusal.value.extras["code"] == "other_content"
    with pytest.raises(Conflict):
        vitals(scene, session, 10, client_event_id="one", heart_rate_bpm=70)
    other = under_way(scene, hours=60)
    assert dose(scene, other, client_event_id="one")["result"] == "stored"
    assert len(ledger(session)) == 1


def test_a_correction_supersedes_and_nothing_is_edited(scene: Scene) -> None:
    session = under_way(scene)
    slip = vitals(scene, session, systolic_mmhg=186)
    before = db.store().row(select(ledger_entries).where(ledger_entries.c.id == slip["id"]))
    change = {"corrects_id": slip["id"], "reason": "Mistyped.", "systolic_mmhg": 136}
    right = vitals(scene, session, **change)
    after = db.store().row(select(ledger_entries).where(ledger_entries.c.id == slip["id"]))
    assert (
        before == after
        and rules(right) == []
        and rules(slip) == ["systolic_alert", "systolic_hold"]
    )
    whole = ledger(session)
    assert [e["superseded_by"] for e in whole] == [right["id"], None]
    assert [e["id"] for e in dosing.standing(whole)] == [right["id"]]
    with pytest.raises(Conflict) as refusal:
        vitals(scene, session, **change)
    assert refusal.value.extras["superseded_by"] == right["id"]
    again = {"corrects_id": right["id"], "reason": "No, 163.", "systolic_mmhg": 163}
    assert rules(vitals(scene, session, **again)) == ["systolic_hold"]


def test_a_correction_says_what_and_why(scene: Scene) -> None:
    session, elsewhere = under_way(scene), under_way(scene, hours=60)
    there, given = vitals(scene, session), vitals(scene, elsewhere)
    for change, at in (
        ({"corrects_id": there["id"]}, "/reason"),
        ({"reason": "Mistyped."}, "/corrects_id"),
        ({"corrects_id": given["id"], "reason": "Mistyped."}, "/corrects_id"),
        ({"corrects_id": db.new_id(), "reason": "Mistyped."}, "/corrects_id"),
    ):
        with pytest.raises(Invalid) as refusal:
            vitals(scene, session, heart_rate_bpm=70, **change)
        assert refused_at(refusal) == [at]
    with pytest.raises(Invalid) as refusal:
        dose(scene, session, corrects_id=there["id"], reason="Was a dose.")
    assert refused_at(refusal) == ["/corrects_id"]


def test_what_should_not_be_there_at_all_is_taken_back_and_stays_to_be_read(scene: Scene) -> None:
    session = under_way(scene)
    given = dose(scene, session)
    void = {"type": "void", "client_event_id": "v", "measured_at": minute(session, 12)}
    void |= {"corrects_id": given["id"], "reason": "Another patient's."}
    assert outcomes(batch(scene, session, void)) == ["stored"]
    whole = ledger(session)
    assert [e["type"] for e in whole] == ["dose", "void"] and dosing.standing(whole) == []
    assert dosing.cumulative(scene.clinic_id, scene.patient["id"])["doses"] == 0
    assert dosing.last_dose_at(scene.clinic_id, scene.patient["id"]) is None


def test_only_a_wrong_form_refuses(scene: Scene) -> None:
    session = under_way(scene)
    for values, at in (
        ({"note": "Nothing."}, "/"),
        ({"systolic_mmhg": 90, "diastolic_mmhg": 90}, "/diastolic_mmhg"),
        ({"heart_rate_bpm": 70, "measured_at": clock.now() + timedelta(minutes=2)}, "/measured_at"),
        ({"heart_rate_bpm": 70, "patient_id": scene.other_patient["id"]}, "/patient_id"),
    ):
        with pytest.raises(Invalid) as refusal:
            vitals(scene, session, **values)
        assert refused_at(refusal) == [at]
    with pytest.raises(Invalid) as refusal:
        dose(scene, session, wasted_mg=5.0, witnessed_by=scene["CT"].user_id)
    assert refused_at(refusal) == ["/witnessed_by"]
    assert vitals(scene, session, heart_rate_bpm=70, patient_id=scene.patient["id"])
    assert len(ledger(session)) == 1


def test_a_dose_without_plan_consent_or_start_is_kept_judged_and_told(scene: Scene) -> None:
    at = clock.now() + timedelta(minutes=5)
    values = {"state": "scheduled", "started_at": None, "starts_at": at, "moved_at": None}
    session = under_way(scene, **values | {"ends_at": at + timedelta(hours=2)})
    told = said(
        scene,
        session | {"started_at": clock.now() - timedelta(minutes=9)},
        "dose",
        5,
        {"medicine": "ketamine", "route": "oral", "dose_mg": 100.0, "weight_kg": 70.0},
    )
    assert rules(told) == ["consent_missing", "not_planned", "session_not_started"]
    assert all(one["protocol"] == told["protocol"] for one in told["judgements"])
    found = {row["rule"]: row for row in raised(scene)}
    assert set(found) == {"dose_without_consent", "dose_beyond_plan", "dose_outside_session"}
    assert {row["entry_id"] for row in found.values()} == {told["id"]}
    assert all(row["session_id"] == session["id"] for row in found.values())


def test_a_consent_withdrawn_mid_session_counts_from_that_minute_on(scene: Scene) -> None:
    session = under_way(scene)
    given, _ = agreed(scene)
    planned(scene, session, dose_mg=30.0, max_total_mg=200.0)
    consents.withdraw_consent(scene["CT"].actor, given["id"])
    before = dose(scene, session, 20, dose_mg=30.0)
    assert rules(before) == [] and raised(scene) == []
    after = said(
        scene,
        session,
        "dose",
        0,
        {
            "medicine": "ketamine",
            "route": "intramuscular",
            "dose_mg": 20.0,
            "weight_kg": 75.0,
            "booster": True,
            "measured_at": clock.now(),
        },
    )
    assert rules(after) == ["consent_withdrawn"]
    assert [(row["rule"], row["priority"]) for row in raised(scene)] == [
        ("dose_without_consent", "immediate")
    ]
    with pytest.raises(Conflict) as refusal:
        planned(scene, under_way(scene, hours=60))
    assert refusal.value.extras["missing"] == ["consent_treatment"]


def test_a_renewed_consent_that_is_withdrawn_leaves_nothing_of_the_older_one(scene: Scene) -> None:
    session = under_way(scene)
    agreed(scene)
    renewed = {"kind": "treatment", "text_version": "renewed"}
    again = consents.record_consent(scene["CT"].actor, scene.patient["id"], renewed)
    planned(scene, session, dose_mg=30.0, max_total_mg=200.0)
    assert rules(dose(scene, session, 20, dose_mg=20.0)) == []
    consents.withdraw_consent(scene["PS"].actor, again["id"])
    told = dose(scene, session, 20, dose_mg=1.0, booster=True, measured_at=clock.now())
    assert rules(told) == ["consent_withdrawn"]
    assert [row["rule"] for row in raised(scene)] == ["dose_without_consent"]
    with pytest.raises(Conflict) as refusal:
        planned(scene, under_way(scene, hours=60))
    assert refusal.value.extras["missing"] == ["consent_treatment"]


def test_an_abnormal_reading_is_kept_and_told_at_once_by_rule_and_version(scene: Scene) -> None:
    session = under_way(scene)
    told = vitals(scene, session, systolic_mmhg=186, diastolic_mmhg=95)
    (first, *_rest) = told["judgements"]
    assert (first["rule"], first["action"], first["value"]) == ("systolic_alert", "alert", 186)
    assert first["protocol"] == {"key": "ketamine_iv_im", "version": 1}
    (alert,) = raised(scene)
    assert (alert["rule"], alert["priority"]) == ("blood_pressure", "immediate")
    vitals(scene, session, systolic_mmhg=190)
    assert len(raised(scene)) == 1
    vitals(scene, session, spo2_percent=85)
    assert [row["rule"] for row in raised(scene)] == ["blood_pressure", "oxygen_saturation"]
    mine = select(outbox_events.c.subject).where(outbox_events.c.clinic_id == scene.clinic_id)
    told_of = {key for row in db.store().rows(mine) for key in row["subject"]}
    assert told_of and all(key.endswith("_id") for key in told_of), "ids alone, no reading"


def test_an_offline_batch_is_judged_entry_by_entry_and_sent_twice_stored_once(
    scene: Scene,
) -> None:
    session = under_way(scene)
    good = [reading(session, 10 + n, f"r{n}", heart_rate_bpm=70 + n) for n in range(13)]
    typo = {"client_event_id": "r13", "errors": [{"pointer": "/systolic_mmhg", "detail": "x"}]}
    given = [{"client_event_id": i["client_event_id"], "values": i} for i in good] + [typo]
    sent = clock.now() - timedelta(seconds=90)
    first = dosing.record_batch(scene["CT"].actor, session["id"], given, sent)
    assert outcomes(first) == ["stored"] * 13 + ["refused"]
    assert first["results"][13]["errors"][0]["pointer"] == "/systolic_mmhg"
    again = dosing.record_batch(scene["CT"].actor, session["id"], given, sent)
    assert outcomes(again) == ["already_stored"] * 13 + ["refused"]
    assert [e["sequence"] for e in ledger(session)] == list(range(1, 14))
    skews = {e["device_clock_skew_ms"] for e in ledger(session)}
    assert all(90_000 <= skew < 120_000 for skew in skews)
    ids = [one["entry"]["id"] for one in first["results"][:13]]
    assert [one["entry"]["id"] for one in again["results"][:13]] == ids


def test_one_batch_tells_each_kind_of_outcome_apart(scene: Scene) -> None:
    session = under_way(scene)
    there = vitals(scene, session, heart_rate_bpm=72, client_event_id="a")
    again = reading(session, 5, "a")
    other = reading(session, 5, "a", heart_rate_bpm=99)
    elses = reading(session, 5, "b", heart_rate_bpm=99, patient_id=scene.other_patient["id"])
    twice = reading(session, 6, "c")
    fix = {"corrects_id": there["id"], "reason": "Mistyped.", "heart_rate_bpm": 73}
    told = batch(
        scene,
        session,
        *(again, other, elses, twice, twice),
        *(reading(session, 5, name, **fix) for name in ("d", "e")),
    )
    assert outcomes(told) == [
        *("already_stored", "conflict", "refused", "stored", "already_stored"),
        *("stored", "conflict"),
    ]
    codes = [one.get("code") for one in told["results"]]
    assert codes == [None, "other_content", "wrong_patient", None, None, None, "superseded"]
    assert told["results"][-1]["superseded_by"] == told["results"][-2]["entry"]["id"]
    assert told["server_time"] <= clock.now()


def test_a_device_that_runs_ahead_may_tell_its_own_time(scene: Scene) -> None:
    session = under_way(scene)
    ahead = clock.now() + timedelta(minutes=8)
    entry = reading(session, 0, "a") | {"measured_at": ahead}
    assert outcomes(batch(scene, session, entry)) == ["refused"]
    assert outcomes(batch(scene, session, entry, sent=ahead)) == ["stored"]
    assert ledger(session)[0]["device_clock_skew_ms"] < -400_000
    assert ledger(session)[0]["judgements"] == []


def test_twenty_who_write_at_once_lose_nothing_and_double_nothing(app: Flask, scene: Scene) -> None:
    with db.transaction():
        session = under_way(scene)
        crew = [builders.make_person(scene.clinic_id) for _ in range(WRITERS)]
        for person in crew:
            builders.join_team(scene.patient, person, "nurse")
    names = [f"w{place}" for place in range(WRITERS)]

    def write(place: int) -> Any:
        mine = reading(session, 10 + place, names[place], heart_rate_bpm=60 + place)
        twin = reading(session, 10, names[0], heart_rate_bpm=60)
        items = [mine, twin, reading(session, 40, f"x{place}")]
        given = [{"client_event_id": i["client_event_id"], "values": i} for i in items]
        return dosing.record_batch(crew[place].actor, session["id"], given, None)

    runs = [lambda place=place: write(place) for place in range(WRITERS)]
    told = at_once(app, random.sample(runs, WRITERS))
    assert all(isinstance(one, dict) for one in told), told
    counted = Counter(outcome for one in told for outcome in outcomes(one))
    assert counted == {"stored": 2 * WRITERS, "already_stored": WRITERS}
    with db.transaction():
        whole = ledger(session)
    assert [e["sequence"] for e in whole] == list(range(1, 2 * WRITERS + 1))
    assert sorted(e["client_event_id"] for e in whole) == sorted(
        [*names, *(f"x{place}" for place in range(WRITERS))]
    )
    order = [(e["measured_at"], e["sequence"]) for e in dosing.standing(whole)]
    assert order == sorted(order)


def test_two_who_correct_the_same_entry_at_once_do_not_both_stand(app: Flask, scene: Scene) -> None:
    with db.transaction():
        session = under_way(scene)
        slip = vitals(scene, session, heart_rate_bpm=27)

    def fix(rate: int) -> Any:
        change = {"corrects_id": slip["id"], "reason": "Mistyped.", "heart_rate_bpm": rate}
        return vitals(scene, session, **change)

    told = at_once(app, [lambda: fix(72), lambda: fix(73)])
    assert Counter(isinstance(one, Conflict) for one in told) == {True: 1, False: 1}


def test_the_dose_opens_the_window_at_its_own_time_and_not_at_completion(scene: Scene) -> None:
    session = under_way(scene, hours=50)
    assert windows.windows_of(scene.patient).doses == ()
    first = dose(scene, session, 10)
    last = dose(scene, session, 30, dose_mg=20.0, booster=True)
    (known,) = windows.windows_of(scene.patient).doses
    assert (known.session_id, known.at) == (session["id"], last["measured_at"])
    row = db.store().row(select(sessions).where(sessions.c.id == session["id"]))
    assert row is not None
    stamps = (row["first_dose_at"], row["last_dose_at"])
    assert stamps == (first["measured_at"], last["measured_at"])
    done = {"state": "completed", "completed_at": minute(session, 240)}
    db.store().change(sessions, row, done)
    (known,) = windows.windows_of(scene.patient).doses
    assert known.at == last["measured_at"]
    change = {"corrects_id": last["id"], "reason": "It was later.", "dose_mg": 20.0}
    later = dose(scene, session, 45, booster=True, **change)
    assert windows.windows_of(scene.patient).doses[0].at == later["measured_at"]
    assert later["late"] is True
    assert dosing.last_dose_at(scene.clinic_id, scene.patient["id"]) == later["measured_at"]
    void = {"type": "void", "measured_at": minute(session, 50), "reason": "No dose was given."}
    items = [
        void | {"client_event_id": f"v{n}", "corrects_id": given["id"]}
        for n, given in enumerate((first, later))
    ]
    assert outcomes(batch(scene, session, *items)) == ["stored"] * 2
    (known,) = windows.windows_of(scene.patient).doses
    assert known.at == minute(session, 240)


def test_cumulative_doses_are_those_that_stand_each_medicine_apart(scene: Scene) -> None:
    for hours in (60, 30):
        session = under_way(scene, hours=hours)
        dose(scene, session, dose_mg=40.0)
        slip = dose(scene, session, 20, dose_mg=200.0, booster=True)
        dose(scene, session, 20, corrects_id=slip["id"], reason="Mistyped.", dose_mg=20.0)
    spray = {"medicine": "esketamine", "route": "intranasal", "dose_mg": 28.0}
    dose(scene, session, 40, **spray)
    told = dosing.cumulative(scene.clinic_id, scene.patient["id"])
    assert (told["doses"], told["total_mg"]) == (5, 148.0)
    assert told["by_medicine"] == [
        {"medicine": "esketamine", "doses": 1, "total_mg": 28.0},
        {"medicine": "ketamine", "doses": 4, "total_mg": 120.0},
    ]


def test_the_dose_plan_is_set_once_and_then_by_version(scene: Scene) -> None:
    session = under_way(scene)
    with pytest.raises(NotFound):
        dosing.read_dose_plan(scene["CT"].actor, session["id"])
    made = planned(scene, session)
    assert (made["version"], made["protocol"]["key"]) == (1, "ketamine_iv_im")
    with pytest.raises(VersionNeeded):
        planned(scene, session)
    values = {"medicine": "ketamine", "route": "sublingual", "dose_mg": 100.0}
    after = dosing.plan_dose(scene["RX"].actor, session["id"], 1, values)
    assert (after["version"], after["protocol"]["key"]) == (2, "ketamine_sublingual")
    assert dosing.read_dose_plan(scene["CT"].actor, session["id"])["dose_mg"] == 100.0
    with pytest.raises(Invalid):
        dosing.plan_dose(scene["RX"].actor, session["id"], 2, values | {"max_total_mg": 90.0})
    booked = builders.make_session(scene.patient, scene["CT"])
    with pytest.raises(Conflict):
        planned(scene, booked)
    with pytest.raises(Conflict):
        vitals(scene, booked | {"started_at": clock.now()}, 0, heart_rate_bpm=70)


def test_every_entry_and_plan_is_in_the_feed_of_changes(scene: Scene) -> None:
    with db.transaction():
        session = under_way(scene)
        plan, given = planned(scene, session), dose(scene, session)
    with db.transaction():
        told = changes.list_changes(scene["CT"].actor, None, 100)["items"]
    found = {(one["kind"], one["id"]) for one in told}
    assert {("ledger_entry", given["id"]), ("dose_plan", plan["id"])} <= found
    with db.transaction():
        mine = changes.list_changes(scene["PS"].actor, None, 100)["items"]
    assert {one["kind"] for one in mine}.isdisjoint({"ledger_entry", "dose_plan"})


def test_after_the_record_was_signed_an_entry_becomes_a_draft_addendum_once(scene: Scene) -> None:
    at = clock.now() - timedelta(minutes=20)
    session = under_way(scene, state="completed", completed_at=at)
    there = vitals(scene, session, heart_rate_bpm=70, client_event_id="there")
    signed = dosing_session(session)
    db.store().change(sessions, signed, {"signed_at": clock.now()})
    late = {"systolic_mmhg": 186, "client_event_id": "late"}
    told = vitals(scene, session, **late)
    assert told["result"] == "as_addendum" and len(ledger(session)) == 1
    drafted = notes.read_note(scene["CT"].actor, told["addendum"]["id"])
    assert drafted["state"] == "draft" and "systolic_mmhg: 186" in drafted["text"]
    assert vitals(scene, session, **late) == told
    assert drafts(session) == 1
    with pytest.raises(Conflict):
        vitals(scene, session, **late | {"systolic_mmhg": 187})
    again = vitals(scene, session, heart_rate_bpm=70, client_event_id="there")
    assert (again["result"], again["id"]) == ("already_stored", there["id"])
    items = [reading(session, 5, "late", systolic_mmhg=186), reading(session, 6, "later")]
    assert outcomes(batch(scene, session, *items)) == ["as_addendum"] * 2
    assert drafts(session) == 2 and len(ledger(session)) == 1
    assert [row["rule"] for row in raised(scene)] == ["blood_pressure"]


def dosing_session(session: db.Values) -> db.Values:
    """The session as it is now."""
    row = db.store().row(select(sessions).where(sessions.c.id == session["id"]))
    assert row is not None
    return row


def drafts(session: db.Values) -> int:
    """How many entries became drafts."""
    mine = ledger_addenda.c.session_id == session["id"]
    return len(db.store().rows(select(ledger_addenda.c.id).where(mine)))
