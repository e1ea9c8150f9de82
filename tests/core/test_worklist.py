"""The worklist: whom to see and why, most urgent first, in as many queries for 5,000 as for one."""

from collections.abc import Iterator
from datetime import timedelta
from time import perf_counter
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select, text

from api import clock, db
from api.core import alerts, consents, worklist
from api.core.alerts.table import alerts as alerts_table
from api.core.integration import practices, steps
from api.core.integration.tables import goals, practices as practices_table, steps as steps_table
from api.core.outcomes import checkins, series, verdicts as judging
from api.core.outcomes.checkins import check_ins
from api.core.outcomes.plans import check_in_plans
from api.core.patients import patients
from api.core.team_reach import care_team
from api.core.treatment import notes, signing
from api.core.treatment.sessions import sessions
from tests import builders
from tests.builders import Scene
from tests.core import planning
from tests.core.walking import (
    DAY,
    asked_of_the_database,
    dose,
    goal,
    held,
    noon,
    practice,
    step,
    today,
)

MANY = 5000
MOST_QUERIES = 19
PHQ9 = [f"phq9-{n}" for n in range(1, 10)]


def read(scene: Scene, who: str = "CT", **asked: Any) -> db.Listing:
    return worklist.list_worklist(scene[who].actor, db.Page(**asked))


def codes(scene: Scene, who: str = "CT") -> list[str]:
    """Why the scene's patient is on the list, most urgent first."""
    rows = [r for r in read(scene, who).items if r["patient"]["id"] == scene.patient["id"]]
    return [reason["code"] for row in rows for reason in row["reasons"]]


def reason(scene: Scene, code: str) -> db.Values:
    [row] = read(scene).items
    [found] = [each for each in row["reasons"] if each["code"] == code]
    return found


def consent(scene: Scene) -> None:
    """The patient consents to treatment, so that nothing is lacking."""
    values = {"kind": "treatment", "text_version": "1"}
    consents.record_consent(scene["CT"].actor, scene.patient["id"], values)


def phq9(scene: Scene, total: int, ago: int = 0, item_9: int = 0, **more: Any) -> db.Values:
    """A complete PHQ-9 of a total, so many days ago."""
    rest, answers = total - item_9, {"phq9-9": item_9}
    for link in PHQ9[:8]:
        answers[link] = min(3, rest)
        rest -= answers[link]
    values = {"instrument": "phq-9", "answers": answers, "complete": True} | more
    values |= {"answered_at": clock.now() - ago * DAY}
    return checkins.log_checkin(scene["PS"].actor, scene.patient["id"], values)


@pytest.fixture
def well(scene: Scene) -> Scene:
    """A patient of whom nothing is lacking."""
    consent(scene)
    assert read(scene).items == []
    return scene


def test_whoever_lacks_a_treatment_consent_is_on_the_list_until_they_give_it(scene: Scene) -> None:
    assert codes(scene) == ["treatment_consent_missing"]
    assert reason(scene, "treatment_consent_missing")["due_at"] is None
    booked = builders.make_session(scene.patient, scene["CT"], kind="dosing")
    assert reason(scene, "treatment_consent_missing")["due_at"] == booked["starts_at"]
    consent(scene)
    assert codes(scene) == []


def test_an_open_window_without_an_integration_session_is_told(well: Scene) -> None:
    given = dose(well, 2)
    found = reason(well, "window_without_integration")
    assert (found["session_id"], found["window_day"]) == (given["id"], 2)
    assert found["due_at"] == given["completed_at"] + timedelta(hours=72)
    assert found["booked_at"] is None and not found["overdue"]
    booked = builders.make_session(well.patient, well["CT"])
    assert reason(well, "window_without_integration")["booked_at"] == booked["starts_at"]
    held(well, "integration", noon(well, 1))
    assert codes(well) == []


def test_a_window_that_is_closed_is_told_no_more(well: Scene) -> None:
    dose(well, 8)
    assert codes(well) == []
    dose(well, 5)
    assert reason(well, "window_without_integration")["overdue"]


def test_an_alert_stands_first_until_it_is_resolved(well: Scene) -> None:
    dose(well, 2)
    phq9(well, 6, item_9=2)
    assert codes(well) == ["alert_open", "window_without_integration"]
    found = reason(well, "alert_open")
    assert (found["priority"], found["state"], found["historical"]) == ("immediate", "open", False)
    note, actor = {"note": "I am calling."}, well["CT"].actor
    alerts.acknowledge_alert(actor, found["alert_id"], note)
    assert reason(well, "alert_open")["state"] == "acknowledged"
    alerts.resolve_alert(actor, found["alert_id"], note)
    assert codes(well) == ["window_without_integration"]


def test_an_alert_of_old_answers_is_on_the_list_without_a_clock(well: Scene) -> None:
    phq9(well, 6, ago=9, item_9=2)
    found = reason(well, "alert_open")
    assert (found["historical"], found["due_at"], found["overdue"]) == (True, None, False)


def test_a_check_in_whose_time_is_over_is_told_while_it_can_be_answered(well: Scene) -> None:
    made = planning.plan(well, rule="once", n=0, answer_within_days=2, starts_on=today(well) - DAY)
    assert codes(well) == []
    where = check_in_plans.c.id == made["id"]
    late = check_in_plans.update().where(where).values(starts_on=today(well) - 3 * DAY)
    db.store().execute(late)
    found = reason(well, "check_in_overdue")
    assert (found["plan_id"], found["instrument"], found["overdue"]) == (made["id"], "gad-7", True)
    planning.answer(well)
    assert codes(well) == []


def test_a_check_in_that_was_missed_is_told_for_two_weeks(well: Scene) -> None:
    made = planning.plan(well, rule="once", n=0, starts_on=today(well) - 5 * DAY)
    found = reason(well, "check_in_missed")
    assert (found["plan_id"], found["due_on"]) == (made["id"], today(well) - 5 * DAY)
    assert found["overdue"] and found["practice_id"] is None
    where = check_in_plans.c.id == made["id"]
    for ago, told in ((18, ["check_in_missed"]), (19, [])):
        moved = check_in_plans.update().where(where).values(starts_on=today(well) - ago * DAY)
        db.store().execute(moved)
        assert codes(well) == told


def test_a_missed_check_in_is_told_no_more_once_it_was_answered_or_asked_anew(well: Scene) -> None:
    starts_on = today(well) - 6 * DAY
    planning.plan(well, instrument="phq-9", rule="once", n=0, starts_on=starts_on)
    planning.plan(well, rule="every_n_days", n=6, answer_within_days=0, starts_on=starts_on)
    assert codes(well) == ["check_in_missed"], "the other asks anew today"
    phq9(well, 3, ago=1)
    assert codes(well) == []


def test_a_check_in_about_a_practice_names_it(well: Scene) -> None:
    walked = practice(well, goal(well))
    values = {"instrument": "srbai", "rule": "once", "n": 0, "practice_id": walked["id"]}
    planning.plan(well, starts_on=today(well) - 3 * DAY, **values)
    assert reason(well, "check_in_overdue")["practice_id"] == walked["id"]
    practices.change_practice(well["PS"].actor, walked["id"], None, {"shared_with": "me"})
    assert codes(well) == []


def test_who_got_reliably_worse_is_told_until_the_newest_total_says_otherwise(well: Scene) -> None:
    phq9(well, 8, ago=30)
    phq9(well, 12, ago=20)
    assert "reliable_deterioration" not in codes(well)
    worse = phq9(well, 17, ago=10)
    found = reason(well, "reliable_deterioration")
    assert (found["check_in_id"], found["instrument"]) == (worse["id"], "phq-9")
    phq9(well, 9)
    assert "reliable_deterioration" not in codes(well)


@pytest.mark.parametrize("totals", [[], [9], [9, 9], [4, 20, 3], [20, 4, 12, 11], [0, 27, 27, 1]])
def test_a_verdict_for_many_is_that_of_the_series(scene: Scene, totals: list[int]) -> None:
    held(scene, "dosing", noon(scene, 12))
    for ago, total in zip(range(22, 0, -7), totals, strict=False):
        phq9(scene, total, ago=ago)
    rules = judging.rules_of(scene.clinic_id)
    whose = check_ins.c.patient_id == scene.patient["id"]
    found = judging.verdicts(scene.clinic_id, whose, rules).get(scene.patient["id"], {})
    told = series.change_now(scene.patient, "phq-9")["change"]
    assert (found["phq-9"].change if totals else told) == told


def _thin(scene: Scene, more_doses: bool, before: int, lately: int) -> db.Values:
    for ago in (3, 10) if more_doses else (31, 40):
        held(scene, "dosing", noon(scene, ago))
        held(scene, "integration", noon(scene, max(ago - 1, 0)))
    walked = practice(scene, goal(scene))
    where = practices_table.c.id == walked["id"]
    old = practices_table.update().where(where).values(created_at=clock.now() - 60 * DAY)
    db.store().execute(old)
    for ago in [*range(30, 30 + before), *range(1, 1 + lately)]:
        step(scene, walked, ago)
    return walked


@pytest.mark.parametrize(
    ("more_doses", "before", "lately", "told"),
    [
        (True, 10, 4, True),
        (True, 0, 0, True),
        (True, 10, 5, False),
        (True, 0, 3, False),
        (False, 10, 0, False),
    ],
)
def test_practice_gone_thin_while_doses_go_up_is_told(
    well: Scene, more_doses: bool, before: int, lately: int, told: bool
) -> None:
    walked = _thin(well, more_doses, before, lately)
    assert ("practice_thin" in codes(well)) == told
    paused = {"status": "paused"}
    practices.change_practice(well["PS"].actor, walked["id"], None, paused)
    assert "practice_thin" not in codes(well)


def test_steps_that_the_patient_keeps_are_not_counted(well: Scene) -> None:
    walked = _thin(well, True, 0, 3)
    assert "practice_thin" not in codes(well)
    for row in steps.list_steps(well["PS"].actor, walked["id"], db.Page()).items:
        steps.change_step(well["PS"].actor, row["id"], None, {"shared_with": "me"})
    assert "practice_thin" in codes(well)
    practices.change_practice(well["PS"].actor, walked["id"], None, {"shared_with": "me"})
    assert "practice_thin" not in codes(well), "a practice they keep is not there"


def test_only_whoever_treats_a_patient_has_them_on_the_list(scene: Scene) -> None:
    assert read(scene, "CN").items == [] and read(scene, "XT").items != read(scene).items
    assert {row["patient"]["id"] for row in read(scene).items} == {scene.patient["id"]}


@pytest.mark.parametrize("status", ["inquiry", "discharged"])
def test_who_is_not_in_treatment_is_there_for_their_alerts_alone(scene: Scene, status: str) -> None:
    dose(scene, 2)
    where = patients.c.id == scene.patient["id"]
    db.store().execute(patients.update().where(where).values(status=status))
    assert codes(scene) == []
    phq9(scene, 6, item_9=1)
    assert codes(scene) == ["alert_open"]


def test_the_list_says_whether_alerts_reach_anybody(scene: Scene) -> None:
    told = read(scene).beside or {}
    assert told["escalation"]["running"] is False and "nobody_on_call" in told["escalation"]["why"]


def test_the_list_is_walked_by_page_most_urgent_first(scene: Scene) -> None:
    for number in range(7):
        one = builders.make_patient(scene.clinic_id)
        builders.join_team(one, scene["CT"])
        held(scene, "dosing", noon(scene, number), patient=one)
    whole, walked, after = read(scene).items, [], None
    for _page in range(4):
        listing = read(scene, limit=2, after=after)
        walked, after = walked + listing.items, listing.next_after
    assert after is None and walked == whole and len(whole) == 8
    due = [row["due_at"] for row in whole[:7]]
    assert due == sorted(due) and whole[7]["due_at"] is None


def _crowd(scene: Scene, many: int) -> None:
    """Many patients of one clinician, each with a course, and each a reason of another kind."""
    now, zone, member = clock.now(), "America/Denver", scene["CT"].user_id
    base = {"clinic_id": scene.clinic_id, "version": 1, "created_at": now, "updated_at": now}
    ids = [db.new_id() for _ in range(many)]

    def put(table: Any, rows: Iterator[db.Values]) -> None:
        names = table.c.keys()
        whole = (dict.fromkeys(names) | base | row for row in rows)
        every = [db.conceal(table, row, names) for row in whole]
        for start in range(0, len(every), 2000):
            db.store().execute(insert(table), every[start : start + 2000])

    named = {"legal_given": "Ada", "legal_family": "Many", "locale": "en-US", "time_zone": zone}
    put(patients, ({"id": i, "status": "active"} | named for i in ids))
    at = {"role": "lead", "from_at": now - DAY}
    put(care_team, ({"id": db.new_id(), "patient_id": i, "clinician_id": member} | at for i in ids))
    put(sessions, _their_sessions(ids))
    put(check_in_plans, (_their_plan(i, member, number) for number, i in enumerate(ids)))
    put(check_ins, _their_check_ins(ids))
    put(alerts_table, (_their_alert(i) for i in ids[::50]))
    mine = {"author_id": member, "author_kind": "clinician", "shared_with": "care_team"}
    mine |= {"chosen_sharing": "care_team", "title": "x", "created_at": now - 90 * DAY}
    status = {"lifecycle_status": "active", "achievement_status": "in_progress"}
    under = {i: db.new_id() for i in ids}
    goal_of = {i: {"id": under[i], "patient_id": i, "category": "other"} for i in ids}
    put(goals, (goal_of[i] | mine | status for i in ids))
    walks = {"new_trail": "x", "interval_days": 1, "status": "active"}
    own = {i: {"id": db.new_id(), "patient_id": i, "goal_id": under[i]} for i in ids}
    put(practices_table, (own[i] | mine | walks for i in ids))
    walked = {key: mine[key] for key in mine if key != "title"} | {"kind": "done"}
    put(
        steps_table,
        (
            {"id": db.new_id(), "patient_id": i, "practice_id": own[i]["id"]}
            | {"walked_on": clock.today(zone) - ago * DAY}
            | walked
            for i in ids
            for ago in (1, 30, 31, 32)
        ),
    )
    if db.store().on_postgres:
        db.store().execute(text("ANALYZE"))  # as its own daemon does where a clinic has grown
        seen = text("SELECT reltuples FROM pg_class WHERE relname = 'check_ins'")
        assert db.store().execute(seen).scalar() >= many, "the planner was told nothing"


def _their_sessions(ids: list[UUID]) -> Iterator[db.Values]:
    for number, patient_id in enumerate(ids):
        for kind, ago in (("dosing", 2 + number % 9), ("dosing", 20), ("integration", 19)):
            at = clock.now() - ago * DAY
            times = {"starts_at": at - DAY / 24, "ends_at": at, "completed_at": at}
            state = {"state": "completed", "mode": "in_person", "source": "app", "kind": kind}
            if kind == "dosing" and number % 10 == 0:
                state["esketamine_at"] = at
            yield {"id": db.new_id(), "patient_id": patient_id} | times | state


def _their_plan(patient_id: UUID, by: UUID, number: int) -> db.Values:
    """Asks weekly, of each patient on another day: some answers are due, some late, some missed."""
    starts_on = clock.today("America/Denver") - (40 + number % 7) * DAY
    rule = {"rule": "every_n_days", "n": 7, "answer_within_days": 2, "starts_on": starts_on}
    return {
        "id": db.new_id(),
        "patient_id": patient_id,
        "instrument": "gad-7",
        "made_by": by,
    } | rule


def _their_check_ins(ids: list[UUID]) -> Iterator[db.Values]:
    kept = {"instrument": "phq-9", "instrument_version": "1", "scoring_version": "1"}
    kept |= {"state": "complete", "source": "app", "answered_by": "patient"}
    kept |= {"answers": "x", "scores": {}, "band": "mild"}
    for number, patient_id in enumerate(ids):
        for ago, total in ((40, 10), (20, 10), (5, 10 + number % 8)):
            at = clock.now() - ago * DAY
            when = {"answered_at": at, "answered_on": at.date(), "total": float(total)}
            yield {"id": db.new_id(), "patient_id": patient_id} | kept | when


def _their_alert(patient_id: UUID) -> db.Values:
    said = {"rule": "suicidality_item", "flag": "x", "rules_version": "1", "priority": "immediate"}
    at = clock.now() - 9 * DAY
    state = {"state": "open", "historical": True, "from_refused": False}
    told = {"raised_at": at, "answered_at": at}
    return {"id": db.new_id(), "patient_id": patient_id} | said | state | told


def test_five_thousand_patients_take_as_many_queries_as_one(app: Any) -> None:
    with db.transaction():
        scene = builders.make_scene()
        dose(scene, 2)
    few = asked_of_the_database(lambda: read(scene, limit=100))
    db.leave_store()
    with db.transaction():  # a store that has read for somebody may not ANALYZE
        _crowd(scene, MANY)
    begun = perf_counter()
    many = asked_of_the_database(lambda: read(scene, limit=100))
    took = perf_counter() - begun
    assert few <= many <= MOST_QUERIES
    assert took < 20, f"{took:.1f} s on a machine that does more than this"
    rows = read(scene, limit=MANY + 1).items
    seen = [row["patient"]["id"] for row in rows]
    assert len(seen) == len(set(seen)) == MANY + 1
    keys = [worklist.place_of(row) for row in rows]
    assert keys == sorted(keys)
    found = {each["code"] for row in rows for each in row["reasons"]}
    assert found >= set(worklist.CODES)


def test_what_waits_for_a_signature_is_on_the_list_of_everybody_on_the_team(well: Scene) -> None:
    first, second = (held(well, "integration", noon(well, ago), signed_at=None) for ago in (5, 4))
    colleague = builders.make_person(well.clinic_id)
    builders.join_team(well.patient, colleague)
    told = reason(well, "note_unsigned")
    assert (told["session_id"], told["unsigned_sessions"]) == (first["id"], 2)
    assert told["due_at"] == first["completed_at"] + 3 * DAY and told["overdue"]
    [row] = worklist.list_worklist(colleague.actor, db.Page()).items
    assert [each["code"] for each in row["reasons"]] == ["note_unsigned"]
    for session in (first, second):
        signing.sign_part(well["CT"].actor, session["id"], "therapist")
    assert codes(well) == []


def test_a_draft_waits_too_and_is_told_of_whoever_is_discharged(well: Scene) -> None:
    body = {"kind": "progress", "text": "We spoke."}
    made = notes.write_patient_note(well["CT"].actor, well.patient["id"], body)
    told = reason(well, "note_unsigned")
    assert (told["session_id"], told["unsigned_notes"], told["overdue"]) == (None, 1, False)
    row = db.store().row(db_row(patients, well.patient["id"]))
    assert row is not None
    db.store().change(patients, row, {"status": "discharged"})
    assert codes(well) == ["note_unsigned"]
    notes.sign_note(well["CT"].actor, made["id"])
    assert codes(well) == []


def db_row(table: Any, record_id: UUID) -> Any:
    return select(table).where(table.c.id == record_id)
