"""Alerts: raised with the answer, attended to by people, escalated by time, closed by nobody."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from api import clock, db
from api.access.users import users
from api.core import alerts, beats, on_call, patients
from api.core.alerts import telling
from api.core.outcomes import checkins
from api.core.team_reach import alert_duties
from api.errors import Conflict, Invalid, NotFound
from api.paging import Page
from tests.builders import Scene, make_patient

CALM = {f"phq9-{n}": 0 for n in range(1, 10)}


def log(scene: Scene, item_9: int | None = 0, who: str = "PS", **more: Any) -> db.Values:
    """A PHQ-9 with this answer to item 9."""
    values = {"instrument": "phq-9", "answers": CALM | {"phq9-9": item_9}} | more
    return checkins.log_checkin(scene[who].actor, scene.patient["id"], values)


def raised(scene: Scene, **wanted: Any) -> list[db.Values]:
    """The alerts that the care team sees, the latest first."""
    return alerts.list_alerts(scene["CT"].actor, Page(), **wanted).items


def only(scene: Scene, **wanted: Any) -> db.Values:
    """The one alert that there is."""
    [alert] = raised(scene, **wanted)
    return alert


def acknowledge(scene: Scene, alert: db.Values, who: str = "CT") -> db.Values:
    return alerts.acknowledge_alert(scene[who].actor, alert["id"], {"note": "I am calling."})


def resolve(scene: Scene, alert: db.Values, **more: Any) -> db.Values:
    values = {"note": "We spoke.", **more}
    return alerts.resolve_alert(scene["CT"].actor, alert["id"], values)


def put_on_call(scene: Scene, *names: str, channel: str | None = "sms", **behind: str) -> None:
    """These personas are on call from an hour ago for a month."""
    now = clock.now()
    hours = {"from_at": now - timedelta(hours=1), "to_at": now + timedelta(days=30)}
    shifts = [hours | {"clinician_id": scene[name].user_id} for name in names]
    ids = {f"{step}_clinician_id": scene[name].user_id for step, name in behind.items()}
    values = {"shifts": shifts, "channel": channel, **ids}
    on_call.set_on_call(scene["CA"].actor, None, values)


def told(scene: Scene, alert: db.Values) -> list[tuple[str, Any, str]]:
    """Who was to be told of an alert, by step, person and outcome."""
    attempts = alerts.read_alert(scene["CT"].actor, alert["id"])["notification_attempts"]
    ids = [one["clinician"] and one["clinician"]["id"] for one in attempts]
    return [(one["step"], who, one["outcome"]) for one, who in zip(attempts, ids, strict=True)]


def later(**span: float) -> None:
    """The worker does all that is due after this long."""
    while alerts.escalate_due(clock.now() + timedelta(**span)):
        pass


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch, scene: Scene) -> list[tuple[str, set[str]]]:
    """The events told of this clinic, with the names of the ids in each."""
    events: list[tuple[str, set[str]]] = []

    def append(_store: Any, clinic: Any, name: str, subject: dict[str, Any]) -> None:
        if clinic == scene["CT"].clinic_id:  # the clocks run for every clinic there is
            events.append((name, set(subject)))

    monkeypatch.setattr(telling.events, "append", append)
    return events


@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize(
    ("answer", "priority"), [(1, "same_day"), (2, "immediate"), (3, "immediate")]
)
def test_a_positive_answer_raises_one_alert_also_from_a_draft(
    scene: Scene, answer: int, priority: str, complete: bool
) -> None:
    said = log(scene, answer, complete=complete)
    alert = only(scene, state="open")
    assert (alert["priority"], alert["rule"]) == (priority, "suicidality_item")
    assert (alert["check_in_id"], alert["historical"]) == (said["id"], False)
    assert alert["patient"]["id"] == scene.patient["id"]
    assert alert["due_at"] > clock.now() and not alert["overdue"]


def test_a_calm_check_in_raises_nothing(scene: Scene) -> None:
    log(scene, 0, complete=True)
    checkins.log_checkin(
        scene["PS"].actor,
        scene.patient["id"],
        {"instrument": "gad-7", "answers": {f"gad7-{n}": 3 for n in range(1, 8)}},
    )
    assert raised(scene) == []


@pytest.mark.parametrize("gap", [{"phq9-9": None}, {}])
def test_a_safety_question_left_open_is_heard_once_the_form_is_complete(
    scene: Scene, gap: dict[str, None]
) -> None:
    answers = {key: 0 for key in CALM if key != "phq9-9"} | gap
    first = log(scene, answers=answers)
    assert raised(scene) == []
    checkins.complete_checkin(scene["PS"].actor, first["id"], {})
    alert = only(scene)
    assert (alert["rule"], alert["priority"]) == ("safety_item_unanswered", "same_day")


def test_a_worse_answer_raises_the_priority_of_the_open_alert(scene: Scene) -> None:
    first = log(scene, 1)
    before = only(scene)
    checkins.change_checkin(scene["PS"].actor, first["id"], None, {"answers": {"phq9-9": 3}})
    after = only(scene)
    assert after["id"] == before["id"] and after["version"] > before["version"]
    assert (after["priority"], after["flag"]) == ("immediate", "suicidality_item_high")
    assert after["due_at"] < before["due_at"]


def test_no_lower_answer_lowers_or_closes_an_alert(scene: Scene) -> None:
    first = log(scene, 3)
    before = only(scene)
    checkins.change_checkin(scene["PS"].actor, first["id"], None, {"answers": {"phq9-9": 1}})
    checkins.change_checkin(scene["PS"].actor, first["id"], None, {"answers": {"phq9-9": 0}})
    checkins.complete_checkin(scene["PS"].actor, first["id"], {})
    log(scene, 0, complete=True)
    after = only(scene)
    assert (after["id"], after["version"]) == (before["id"], before["version"])
    assert (after["state"], after["priority"]) == ("open", "immediate")


def test_the_same_answer_seen_again_is_no_second_alert(scene: Scene) -> None:
    first = log(scene, 2)
    resolve(scene, acknowledge(scene, only(scene)))
    checkins.complete_checkin(scene["PS"].actor, first["id"], {})
    assert [one["state"] for one in raised(scene)] == ["resolved"]


def test_a_worse_answer_after_somebody_acknowledged_is_a_new_alert(scene: Scene) -> None:
    first = log(scene, 1)
    acknowledge(scene, only(scene))
    checkins.change_checkin(scene["PS"].actor, first["id"], None, {"answers": {"phq9-9": 2}})
    assert [(a["state"], a["priority"]) for a in raised(scene)] == [
        ("open", "immediate"),
        ("acknowledged", "same_day"),
    ]


def test_what_was_taken_back_and_is_said_again_is_heard_again(scene: Scene) -> None:
    first = log(scene, 2)
    resolve(scene, acknowledge(scene, only(scene)))
    for answer in (0, 2):
        changed = {"answers": {"phq9-9": answer}}
        checkins.change_checkin(scene["PS"].actor, first["id"], None, changed)
    assert [one["state"] for one in raised(scene)] == ["open", "resolved"]


def test_a_correction_is_heard_like_any_answer(scene: Scene) -> None:
    first = log(scene, 0, complete=True)
    wrong = {"answers": {"phq9-9": 2}, "reason": "Misread."}
    checkins.correct_checkin(scene["CT"].actor, first["id"], wrong)
    assert only(scene)["priority"] == "immediate"


def test_an_old_answer_is_historical_has_no_clock_and_pages_nobody(
    scene: Scene, heard: list[Any]
) -> None:
    put_on_call(scene, "CN")
    log(scene, 3, answered_at=clock.now() - timedelta(days=7, minutes=1))
    alert = only(scene, historical=True)
    assert (alert["due_at"], alert["clock_began_at"], alert["overdue"]) == (None, None, False)
    later(days=30)
    assert told(scene, alert) == [] and heard == []
    assert only(scene)["state"] == "open"


def test_an_answer_of_this_week_is_not_historical(scene: Scene) -> None:
    log(scene, 1, answered_at=clock.now() - timedelta(days=6, hours=23))
    assert not only(scene)["historical"]


def test_an_old_draft_that_is_answered_today_comes_alive(scene: Scene, heard: list[Any]) -> None:
    first = log(scene, 2, answered_at=clock.now() - timedelta(days=9))
    assert only(scene)["historical"]
    checkins.change_checkin(scene["PS"].actor, first["id"], None, {"answers": {"phq9-9": 2}})
    assert not only(scene)["historical"] and only(scene)["due_at"] is not None
    assert heard[0][0] == "alert.raised"


def test_a_check_in_that_is_undone_takes_its_alert_with_it(scene: Scene) -> None:
    log(scene, 3)
    db.store().rollback()
    assert raised(scene) == []


def test_an_alert_is_acknowledged_then_resolved_once_each_and_keeps_the_notes(
    scene: Scene,
) -> None:
    log(scene, 2)
    alert = only(scene)
    with pytest.raises(Conflict) as no:
        resolve(scene, alert)
    assert (no.value.extras["state"], no.value.extras["allowed"]) == ("open", ["acknowledge"])
    seen = acknowledge(scene, alert)
    assert (seen["state"], seen["acknowledge_note"]) == ("acknowledged", "I am calling.")
    assert seen["acknowledged_by"]["id"] == scene["CT"].user_id
    with pytest.raises(Conflict):
        acknowledge(scene, alert)
    done = resolve(scene, alert, disposition="safety_plan_made")
    assert (done["state"], done["allowed"]) == ("resolved", [])
    assert (done["resolve_note"], done["disposition"]) == ("We spoke.", "safety_plan_made")
    with pytest.raises(Conflict):
        resolve(scene, alert)


def test_when_the_patient_was_reached_is_not_ahead(scene: Scene) -> None:
    log(scene, 2)
    ahead = {"note": "Soon.", "contacted_at": clock.now() + timedelta(minutes=5)}
    with pytest.raises(Invalid):
        alerts.acknowledge_alert(scene["CT"].actor, only(scene)["id"], ahead)


def test_notes_lie_sealed(scene: Scene) -> None:
    log(scene, 2)
    acknowledge(scene, only(scene))
    row = db.store().row(select(alerts.alerts).where(alerts.alerts.c.clinic_id == scene.clinic_id))
    assert row is not None and "calling" not in row["acknowledge_note"]


def test_overdue_is_read_off_the_clock_with_no_worker_at_all(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(scene, 2)
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(minutes=16))
    assert only(scene)["overdue"]
    acknowledge(scene, only(scene))
    assert not only(scene)["overdue"]
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(minutes=61))
    assert only(scene)["overdue"]
    resolve(scene, only(scene))
    assert not only(scene)["overdue"]


def test_whoever_is_on_call_is_told_at_once_then_who_stands_behind_them(
    scene: Scene, heard: list[tuple[str, set[str]]]
) -> None:
    with_director = {"backup": "CT", "director": "CT"}
    put_on_call(scene, "CN", **with_director)
    log(scene, 2)
    alert, ct, cn = only(scene), scene["CT"].user_id, scene["CN"].user_id
    assert told(scene, alert) == [("on_call", cn, "handed_over")]
    later(minutes=14)
    assert len(told(scene, alert)) == 1
    later(minutes=16)
    assert told(scene, alert)[1:] == [("backup", ct, "handed_over")]
    later(minutes=31)
    later(hours=3)
    assert told(scene, alert)[2:] == [("director", ct, "handed_over")]
    assert [name for name, _ in heard] == ["alert.raised", *["alert.escalated"] * 3]
    ids = {"alert_id", "patient_id", "clinician_id"}
    assert all(subject <= ids for _, subject in heard), "ids and nothing else"


def test_an_acknowledged_alert_is_told_to_nobody_else(scene: Scene) -> None:
    put_on_call(scene, "CN", backup="CT")
    log(scene, 2)
    acknowledge(scene, only(scene))
    later(hours=5)
    assert len(told(scene, only(scene))) == 1


def test_where_nobody_is_on_call_the_backup_is_told_at_once(scene: Scene) -> None:
    put_on_call(scene, backup="CN")
    log(scene, 2)
    assert told(scene, only(scene)) == [
        ("on_call", None, "nobody"),
        ("backup", scene["CN"].user_id, "handed_over"),
    ]


def test_somebody_who_comes_on_call_later_is_told_of_what_is_open(scene: Scene) -> None:
    log(scene, 2)
    alert = only(scene)
    assert {outcome for *_, outcome in told(scene, alert)} == {"nobody"}
    put_on_call(scene, "CN", channel=None)
    later(minutes=2)
    later(minutes=4)
    assert told(scene, alert)[-1] == ("on_call", scene["CN"].user_id, "no_channel")
    put_on_call(scene, "CN")
    later(minutes=6)
    later(minutes=8)
    assert told(scene, alert)[-1] == ("on_call", scene["CN"].user_id, "handed_over")
    assert len(told(scene, alert)) == 5, "each once"


def test_who_no_longer_works_here_is_not_told(scene: Scene) -> None:
    put_on_call(scene, "CN")
    mine = users.c.id == scene["CN"].user_id
    db.store().execute(users.update().where(mine).values(disabled_at=clock.now()))
    log(scene, 2)
    assert told(scene, only(scene))[0] == ("on_call", None, "nobody")


def test_next_working_day_is_told_to_nobody_at_once(scene: Scene) -> None:
    put_on_call(scene, "CN")
    source = alerts.Source(scene.clinic_id, scene.patient["id"], clock.now())
    said = alerts.signal("reliable_deterioration")
    alerts.raise_alerts(source, [said])
    alert = only(scene)
    assert (alert["priority"], alert["check_in_id"]) == ("next_working_day", None)
    assert told(scene, alert) == []
    later(days=6)
    assert told(scene, alert)[0] == ("on_call", scene["CN"].user_id, "handed_over")


def test_a_check_in_that_is_reliably_worse_is_for_the_next_working_day(scene: Scene) -> None:
    low = CALM | {"phq9-1": 1}
    high = CALM | {f"phq9-{n}": 2 for n in range(1, 9)}
    ago = clock.now() - timedelta(days=5)
    log(scene, answers=low, complete=True, answered_at=ago)
    assert raised(scene) == []
    said = log(scene, answers=high, complete=True)
    alert = only(scene)
    assert (alert["rule"], alert["priority"]) == ("reliable_deterioration", "next_working_day")
    assert alert["check_in_id"] == said["id"] and "crisis" not in said
    read = checkins.read_checkin(scene["PS"].actor, said["id"])
    assert "crisis" not in read, "what no single answer says is told by a person"
    log(scene, answers=low, complete=True)
    assert only(scene)["state"] == "open"


def test_a_higher_priority_is_told_anew(scene: Scene) -> None:
    put_on_call(scene, "CN")
    first = log(scene, 1)
    checkins.change_checkin(scene["PS"].actor, first["id"], None, {"answers": {"phq9-9": 2}})
    assert [step for step, *_ in told(scene, only(scene))] == ["on_call", "on_call"]


def test_to_whom_it_was_escalated_reaches_the_chart_until_a_day_after_it_is_resolved(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_call(scene, "CN")
    with pytest.raises(NotFound):
        patients.read_patient(scene["CN"].actor, scene.patient["id"])
    log(scene, 2)
    db.store().commit()
    assert patients.read_patient(scene["CN"].actor, scene.patient["id"])
    [mine] = alerts.list_alerts(scene["CN"].actor, Page()).items
    acknowledge(scene, mine, "CN")
    resolve(scene, mine)
    db.store().commit()
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(hours=23))
    sign_in_again(scene, "CN")
    assert patients.read_patient(scene["CN"].actor, scene.patient["id"])
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(hours=25))
    sign_in_again(scene, "CN")
    with pytest.raises(NotFound):
        patients.read_patient(scene["CN"].actor, scene.patient["id"])


def sign_in_again(scene: Scene, name: str) -> None:
    """A sign-in that stands for long; kept, for hot reads have a connection of their own."""
    from api.access.users import sign_ins

    mine = sign_ins.c.id == scene[name].sign_in_id
    ends_at = clock.now() + timedelta(days=9)
    db.store().execute(sign_ins.update().where(mine).values(ends_at=ends_at))
    db.store().commit()


def test_reach_by_an_alert_ends_at_that_patient(scene: Scene) -> None:
    put_on_call(scene, "CN")
    log(scene, 2)
    rows = db.store().rows(select(alert_duties).where(alert_duties.c.clinic_id == scene.clinic_id))
    assert [(row["patient_id"], row["clinician_id"]) for row in rows] == [
        (scene.patient["id"], scene["CN"].user_id)
    ]


def test_a_colleague_sees_no_alert_of_a_chart_out_of_reach(scene: Scene) -> None:
    log(scene, 2)
    assert alerts.list_alerts(scene["CN"].actor, Page()).items == []
    for who in ("CN", "XT"):
        with pytest.raises(NotFound):
            alerts.read_alert(scene[who].actor, only(scene)["id"])


def test_lists_are_filtered(scene: Scene) -> None:
    log(scene, 2)
    acknowledge(scene, only(scene))
    assert raised(scene, state="open") == raised(scene, priority="same_day") == []
    assert raised(scene, historical=True) == []
    other = make_patient(scene.clinic_id)
    assert raised(scene, patient_id=other["id"]) == []
    assert only(scene, state="acknowledged", patient_id=scene.patient["id"])


def escalation(scene: Scene) -> Any:
    """What is said beside the list."""
    beside = alerts.list_alerts(scene["CT"].actor, Page()).beside
    assert beside is not None
    return beside["escalation"]


def let_worker_beat(ago: timedelta = timedelta(0)) -> None:
    """A worker was last heard of this long ago."""
    beats.beat("test")
    at = beats.worker_beats.c.at
    every = db.store().rows(select(at))
    moment = max(row["at"] for row in every) - ago
    db.store().execute(beats.worker_beats.update().values(at=moment))


def test_escalation_runs_only_with_somebody_on_call_a_channel_and_a_worker(scene: Scene) -> None:
    assert escalation(scene)["running"] is False
    assert set(escalation(scene)["why"]) >= {"nobody_on_call", "no_channel"}
    put_on_call(scene, "CN", channel=None)
    let_worker_beat()
    assert escalation(scene) == {"running": False, "why": ["no_channel"]}
    put_on_call(scene, "CN")
    assert escalation(scene) == {"running": True, "why": []}
    let_worker_beat(timedelta(seconds=61))
    assert escalation(scene) == {"running": False, "why": ["worker_silent"]}
    put_on_call(scene, backup="CT")
    let_worker_beat()
    assert escalation(scene) == {"running": False, "why": ["nobody_on_call"]}
    assert {"nobody_on_call"} <= set(on_call.degraded())


def test_who_is_on_call_is_set_whole_and_by_clinicians_who_work_here(scene: Scene) -> None:
    seen = on_call.read_on_call(scene["CT"].actor)
    assert (seen["version"], seen["shifts"]) == (0, [])
    put_on_call(scene, "CN", "CT", backup="CT")
    seen = on_call.read_on_call(scene["CT"].actor)
    assert (seen["version"], len(seen["shifts"]), seen["channel"]) == (1, 2, "sms")
    assert seen["backup_clinician_id"] == scene["CT"].user_id
    put_on_call(scene, "CN")
    seen = on_call.read_on_call(scene["CT"].actor)
    assert (seen["version"], len(seen["shifts"])) == (2, 1)
    assert seen["backup_clinician_id"] is None
    for stranger in ("CA", "XT", "PS"):
        with pytest.raises(Invalid):
            put_on_call(scene, stranger)
        with pytest.raises(Invalid):
            put_on_call(scene, director=stranger)


def test_a_shift_ends_after_it_begins_and_is_named_once(scene: Scene) -> None:
    now, who = clock.now(), scene["CN"].user_id
    wrong = [{"from_at": now, "to_at": now, "clinician_id": who}]
    hours = {"from_at": now, "to_at": now + timedelta(hours=1), "clinician_id": who}
    for shifts in (wrong, [hours, dict(hours)]):
        with pytest.raises(Invalid):
            on_call.set_on_call(scene["CA"].actor, 0, {"shifts": shifts})
