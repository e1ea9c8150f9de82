"""Handing over: the colleague takes every place, nobody is booked twice, and again is nothing."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from api import clock, db
from api.core import handover, mail, staffing
from api.core.alerts import attending
from api.core.outcomes.checkins import log_checkin
from api.core.patients import read_patient
from api.core.team_reach import alert_duties, care_team
from api.core.treatment.sessions import holding
from api.errors import Invalid, NotAllowed, NotFound
from tests import builders
from tests.builders import Person, Scene

POSITIVE = {"instrument": "phq-9", "answers": {"phq9-9": 2}}


@pytest.fixture
def heir(scene: Scene) -> Person:
    """A colleague who reaches none of the charts."""
    with db.transaction():
        return builders.make_person(scene.clinic_id)


def hand(scene: Scene, to: Person, of: str = "CT", **more: Any) -> db.Values:
    values = {"to_clinician_id": to.user_id, "reason": "A longer leave."}
    with db.transaction():
        return handover.hand_over(scene["CA"].actor, scene[of].user_id, values | more)


def reaches(person: Person, patient: db.Values) -> bool:
    try:
        read_patient(person.actor, patient["id"])
    except NotFound:
        return False
    finally:
        db.leave_store()
    return True


def test_the_colleague_takes_the_place_on_the_care_team(scene: Scene, heir: Person) -> None:
    told = hand(scene, heir)
    assert reaches(heir, scene.patient) and not reaches(scene["CT"], scene.patient)
    [member] = told["memberships"]
    assert (member["patient"]["id"], member["role"]) == (scene.patient["id"], "therapist")
    assert told["from_clinician"]["id"] == scene["CT"].user_id
    rows = db.store().rows(
        select(care_team).where(care_team.c.clinician_id == scene["CT"].user_id), opens=care_team
    )
    assert [row["end_reason"] for row in rows] == ["A longer leave."]


def test_asked_again_nothing_is_handed_over(scene: Scene, heir: Person) -> None:
    hand(scene, heir)
    told = hand(scene, heir)
    assert [told[name] for name in ("memberships", "sessions", "sessions_kept")] == [[], [], []]


def test_sessions_ahead_name_the_colleague_and_those_behind_do_not(
    scene: Scene, heir: Person
) -> None:
    then = clock.now() - timedelta(days=9)
    with db.transaction():
        ahead = builders.make_session(scene.patient, scene["CT"], scene["CN"])
        times = {"starts_at": then, "ends_at": then + timedelta(hours=1)}
        behind = builders.make_session(scene.patient, scene["CT"], **times)
        scheduled_late = builders.make_session(scene.patient, scene["CT"], state="cancelled")
    told = hand(scene, heir)
    assert [row["id"] for row in told["sessions"]] == [ahead["id"]]
    assert told["sessions"][0]["version"] == 2
    assert holding.named_on(ahead) == [heir.user_id, scene["CN"].user_id]
    assert holding.named_on(behind) == [scene["CT"].user_id]
    assert holding.named_on(scheduled_late) == [scene["CT"].user_id]


def test_a_session_in_whose_time_the_colleague_is_booked_stays_and_is_listed(
    scene: Scene, heir: Person
) -> None:
    with db.transaction():
        mine = builders.make_session(scene.patient, scene["CT"])
        builders.make_session(scene.other_patient, heir, starts_at=mine["starts_at"])
    told = hand(scene, heir)
    assert told["sessions"] == [] and holding.named_on(mine) == [scene["CT"].user_id]
    [kept] = told["sessions_kept"]
    assert kept["id"] == mine["id"]
    assert [(one["what"], one["clinician_id"]) for one in kept["busy"]] == [
        ("clinician", heir.user_id)
    ]


def test_a_colleague_who_is_named_already_is_named_once(scene: Scene) -> None:
    with db.transaction():
        session = builders.make_session(scene.patient, scene["CT"], scene["CN"])
        builders.join_team(scene.patient, scene["CN"])
    hand(scene, scene["CN"])
    assert holding.named_on(session) == [scene["CN"].user_id]
    mine = (care_team.c.clinician_id == scene["CN"].user_id, care_team.c.ended_at.is_(None))
    assert len(db.store().rows(select(care_team).where(*mine))) == 1


def test_open_alerts_are_the_colleagues_and_close_to_the_other_for_good(
    scene: Scene, heir: Person
) -> None:
    with db.transaction():
        log_checkin(scene["CT"].actor, scene.patient["id"], POSITIVE)
        [alert] = attending.list_alerts(scene["CT"].actor, db.Page()).items
        duty = {"clinic_id": scene.clinic_id, "alert_id": alert["id"]}
        of = {"patient_id": scene.patient["id"], "clinician_id": scene["CT"].user_id}
        db.store().execute(alert_duties.insert().values(duty_from=clock.now(), **duty, **of))
    hand(scene, heir)
    with db.transaction():
        attending.acknowledge_alert(heir.actor, alert["id"], {"note": "I call."})
        attending.resolve_alert(heir.actor, alert["id"], {"note": "We spoke."})
    mine = alert_duties.c.alert_id == alert["id"]
    rows = {row["clinician_id"]: row for row in db.store().rows(select(alert_duties).where(mine))}
    assert rows[scene["CT"].user_id]["duty_until"] <= clock.now() < rows[heir.user_id]["duty_until"]
    assert not reaches(scene["CT"], scene.patient)


def test_only_the_patients_that_are_named_go(scene: Scene, heir: Person) -> None:
    with db.transaction():
        builders.join_team(scene.other_patient, scene["CT"])
    hand(scene, heir, patients=[scene.other_patient["id"]])
    assert reaches(heir, scene.other_patient) and not reaches(heir, scene.patient)
    assert reaches(scene["CT"], scene.patient)


def test_who_was_disabled_still_hands_over_and_who_is_takes_nothing(
    scene: Scene, heir: Person
) -> None:
    with db.transaction():
        staffing.disable_user(scene["CA"].actor, scene["CT"].user_id)
    assert len(hand(scene, heir)["memberships"]) == 1
    for to in (scene["CT"], scene["XT"], scene["PR"], heir):
        with pytest.raises(Invalid):
            handover.hand_over(
                scene["CA"].actor, heir.user_id, {"to_clinician_id": to.user_id, "reason": "x"}
            )


def test_patients_and_clinicians_of_another_clinic_are_not_there(
    scene: Scene, heir: Person
) -> None:
    with pytest.raises(NotFound):
        hand(scene, heir, of="XT")
    with pytest.raises(NotFound):
        hand(scene, heir, of="PS")
    theirs = scene["XP"].patient_id
    with pytest.raises(Invalid) as refusal:
        hand(scene, heir, patients=[scene.patient["id"], theirs])
    assert [at for at, _ in refusal.value.errors] == ["/patients/1"]
    with pytest.raises(NotAllowed):
        values = {"to_clinician_id": heir.user_id, "reason": "x"}
        handover.hand_over(scene["CT"].actor, scene["CT"].user_id, values)


def test_each_officer_gets_one_letter_of_a_whole_caseload_and_none_of_nothing(
    scene: Scene, heir: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(mail, "send", lambda to, kind, *_: sent.append((to, kind)))
    with db.transaction():
        for _ in range(3):
            more = builders.make_patient(scene.clinic_id)
            builders.join_team(more, scene["CT"])
    assert len(hand(scene, heir)["memberships"]) == 4
    assert sent == [(scene["PR"].email, "work_handed_over")]
    hand(scene, heir)
    assert len(sent) == 1


def test_alerts_alone_are_told_of_as_well(
    scene: Scene, heir: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    with db.transaction():
        log_checkin(scene["CT"].actor, scene.patient["id"], POSITIVE)
        [alert] = attending.list_alerts(scene["CT"].actor, db.Page()).items
        ids = {"patient_id": scene.patient["id"], "clinician_id": scene["CN"].user_id}
        duty = ids | {"clinic_id": scene.clinic_id, "alert_id": alert["id"]}
        db.store().execute(alert_duties.insert().values(duty_from=clock.now(), **duty))
    sent: list[str] = []
    monkeypatch.setattr(mail, "send", lambda _to, kind, *_: sent.append(kind))
    for _ in range(2):
        assert hand(scene, heir, of="CN")["memberships"] == []
    assert sent == ["work_handed_over"]
