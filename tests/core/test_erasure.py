"""Erasure: what was the patient's alone goes with its words, and what law keeps is named."""

from datetime import date, timedelta
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import select

from api import clock, db
from api.access.policies import Role
from api.core import clinic, companions, erasure, holds
from api.core.integration import goals, insights, journals, moments, steps
from api.core.integration.tables import ME
from api.core.outcomes import plans
from api.core.patients import patients
from api.core.retention import after
from api.core.treatment import notes
from api.db.versions import record_versions
from api.errors import Conflict, NotFound, NotSignedIn, Refusal
from api.paging import Page
from tests import builders
from tests.builders import Scene
from tests.core import noting, planning

WHY = {"reason": "It is yours alone."}
SECRET = "The word nobody was to read."


def ask(scene: Scene, by: str = "PS", **more: Any) -> db.Values:
    with db.transaction():
        return erasure.ask_erasure(scene[by].actor, scene.patient["id"], more)


def carry_out(scene: Scene, request: db.Values) -> db.Values:
    with db.transaction():
        return erasure.carry_out_erasure(scene["PR"].actor, request["id"], WHY)


def refused(kind: type[Refusal], call: Any) -> Refusal:
    with pytest.raises(kind) as told, db.transaction():
        call()
    return told.value


@pytest.fixture
def private(scene: Scene) -> dict[str, db.Values]:
    """What the patient kept for themself, and a goal that they changed once."""
    kept = {"shared_with": ME, "chosen_sharing": ME}
    with db.transaction():
        goal = builders.make_goal(scene.patient, title=SECRET, **kept)
        practice = builders.make_practice(goal, new_trail=SECRET, **kept)
        step = builders.make_step(practice, note=SECRET, **kept)
    with db.transaction():
        goals.change_goal(scene["PS"].actor, goal["id"], None, {"title": "Another word."})
    with db.transaction():
        ps, chart = scene["PS"].actor, scene.patient["id"]
        said = {"text": SECRET, "shared_with": ME}
        moment = moments.notice_moment(ps, chart, said)
        written = journals.write_journal(scene["PS"].actor, chart, said)
    found = {"goals": goal, "practices": practice, "steps": step}
    return found | {"moments": moment, "journal": written}


def test_what_was_the_patients_alone_goes_with_its_words(
    scene: Scene, private: dict[str, db.Values]
) -> None:
    told = carry_out(scene, ask(scene, text="Please."))
    ps = scene["PS"].actor
    with db.transaction():
        mine = erasure.read_erasure_request(ps, told["id"])
        for other in ("PR", "CA"):
            assert erasure.read_erasure_request(scene[other].actor, told["id"])["erased"] is None
    assert told["state"] == "erased" and told["erased"] is None
    assert mine["erased"] == dict.fromkeys(private, 1)
    refused(NotFound, lambda: goals.read_goal(ps, private["goals"]["id"]))
    refused(NotFound, lambda: steps.read_step(ps, private["steps"]["id"]))
    refused(NotFound, lambda: journals.read_journal(ps, private["journal"]["id"]))
    with db.transaction() as store:
        for table in erasure.OWN:
            mine = select(table).where(table.c.patient_id == scene.patient["id"])
            for row in store.rows(mine, opens=table):
                assert SECRET not in str(row) and "Another word." not in str(row)
        v = record_versions.c
        mine = select(v.id).where(v.patient_id == scene.patient["id"], v.kind.in_(private))
        assert store.rows(mine) == []


def test_what_was_shared_stays_and_is_named(scene: Scene, private: dict[str, db.Values]) -> None:
    with db.transaction():
        shared = insights.note_insight(scene["PS"].actor, scene.patient["id"], {"text": "Shared."})
        builders.make_session(scene.patient, scene["CT"], starts_at=clock.now())
    told = carry_out(scene, ask(scene))
    kept = {one["kind"]: one for one in told["kept"]}
    assert kept["insight"]["count"] == kept["session"]["count"] == 1
    assert kept["session"]["law"] == "state_record_retention"
    assert kept["session"]["until"] == after(clock.now().date(), 11)
    assert "goal" not in kept and "journal" not in kept
    with db.transaction():
        read = insights.read_insight(scene["CT"].actor, shared["id"])
    assert read["text"] == "Shared."


def test_what_the_clinic_had_read_is_its_record_also_where_it_was_unshared_since(
    scene: Scene,
) -> None:
    chart, ps = scene.patient["id"], scene["PS"].actor
    with db.transaction():
        told = insights.note_insight(ps, chart, {"text": "Read by the team."})
    with db.transaction():
        insights.change_insight(ps, told["id"], None, {"shared_with": ME})
    done = carry_out(scene, ask(scene))
    assert [(one["kind"], one["count"]) for one in done["kept"]] == [("insight", 1)]
    with db.transaction():
        read = insights.read_insight(ps, told["id"])
    assert (read["text"], read["shared_with"]) == ("Read by the team.", ME)


def test_the_clinic_says_for_how_long_and_a_minors_record_stays_longer(scene: Scene) -> None:
    today = clock.now().date()
    with db.transaction() as store:
        clinic.change_clinic(scene["CA"].actor, None, {"retention_years": 7})
        builders.make_session(scene.patient, scene["CT"], starts_at=clock.now())
        born = date(today.year - 12, 3, 1)
        mine = patients.update().where(patients.c.id == scene.patient["id"])
        store.execute(mine.values(birth_on=born))
    told = carry_out(scene, ask(scene))
    assert told["kept"][0]["until"] == date(born.year + 30, 3, 1)
    with db.transaction() as store:
        store.execute(mine.values(birth_on=date(1980, 1, 1)))
    assert carry_out(scene, ask(scene))["kept"][0]["until"] == after(today, 7)


def test_a_leap_day_has_a_day_before_it() -> None:
    assert after(date(2024, 2, 29), 11) == date(2035, 2, 28)
    assert after(date(2026, 11, 26), 6) == date(2032, 11, 26)


def test_one_is_open_at_a_time_and_decided_once(scene: Scene) -> None:
    made = ask(scene)
    assert made["due_on"] == clock.today(scene.patient["time_zone"]) + timedelta(days=30)
    refused(Conflict, lambda: ask(scene))
    refused(Conflict, lambda: ask(scene, "CA"))
    with db.transaction():
        no = erasure.refuse_erasure(scene["PR"].actor, made["id"], WHY)
    assert (no["state"], no["erased"], no["allowed"]) == ("refused", None, [])
    refused(Conflict, lambda: carry_out(scene, made))
    again = ask(scene, "CA")
    with db.transaction():
        listed = erasure.list_erasure_requests(scene["PS"].actor, scene.patient["id"], Page())
    assert [one["id"] for one in listed.items] == [again["id"], made["id"]]
    with db.transaction():
        second = builders.make_person(scene.clinic_id, Role.PRIVACY_OFFICER)
        builders.let_sign_in_age(second)
    decide = erasure.carry_out_erasure
    refused(NotSignedIn, lambda: decide(second.actor, again["id"], WHY))


def test_under_a_hold_nothing_is_deleted_or_erased(
    scene: Scene, private: dict[str, db.Values]
) -> None:
    chart = scene.patient["id"]
    with db.transaction():
        draft = noting.note(scene)
        hold = holds.place_hold(scene["PR"].actor, chart, {"reason": "A claim."})
        second = holds.place_hold(scene["PR"].actor, chart, {"reason": "Another."})
    made, ps, ct = ask(scene), scene["PS"], scene["CT"]
    deletions = (
        lambda: steps.remove_step(ps.actor, private["steps"]["id"], None),
        lambda: moments.remove_moment(ps.actor, private["moments"]["id"], None),
        lambda: journals.remove_journal(ps.actor, private["journal"]["id"], None),
        lambda: notes.remove_note(ct.actor, draft["id"], None),
        lambda: carry_out(scene, made),
    )
    for deletion in deletions:
        assert refused(Conflict, deletion).extras["missing"] == ["no_legal_hold"]
    for one in (hold, second):
        with db.transaction():
            done = holds.release_hold(scene["PR"].actor, one["id"])
        assert (done["state"], done["allowed"]) == ("released", [])
        refused(Conflict, lambda one=one: holds.release_hold(scene["PR"].actor, one["id"]))
    with db.transaction():
        listed = holds.list_holds(scene["PR"].actor, chart, Page()).items
    assert [one["state"] for one in listed] == ["released"] * 2
    with db.transaction():
        steps.remove_step(ps.actor, private["steps"]["id"], None)
    assert carry_out(scene, made)["state"] == "erased"
    refused(NotFound, lambda: journals.read_journal(ps.actor, private["journal"]["id"]))


def test_under_a_hold_what_is_overwritten_is_kept(scene: Scene) -> None:
    chart, ps = scene.patient["id"], scene["PS"].actor
    with db.transaction():
        page = journals.write_journal(ps, chart, {"text": SECRET})
        moment = moments.notice_moment(ps, chart, {"text": SECRET})
        mother = companions.add_companion(ps, chart, {"name": SECRET})
    for text in ("Before the hold.", "."):
        with db.transaction():
            journals.change_journal(ps, page["id"], None, {"text": text})
            moments.change_moment(ps, moment["id"], None, {"text": text})
            companions.change_companion(ps, mother["id"], None, {"name": text})
        with db.transaction():
            holds.place_hold(scene["PR"].actor, chart, {"reason": "A claim."})
    with db.transaction() as store:
        v = record_versions.c
        mine = v.patient_id == chart, v.record_id.in_([page["id"], moment["id"], mother["id"]])
        kept = store.rows(select(record_versions).where(*mine), opens=record_versions)
    assert sorted(row["kind"] for row in kept) == ["companions", "journal", "moments"]
    assert all("Before the hold." in str(row["content"]) and row["number"] == 2 for row in kept)


def test_under_a_hold_a_plan_of_check_ins_is_not_deleted(scene: Scene) -> None:
    with db.transaction():
        made = planning.plan(scene)
        holds.place_hold(scene["PR"].actor, scene.patient["id"], {"reason": "A claim."})
    told = refused(Conflict, lambda: plans.end_check_in_plan(scene["CT"].actor, made["id"], 1))
    assert told.extras["missing"] == ["no_legal_hold"]


def test_a_hold_waits_for_what_is_being_deleted_just_now(
    app: Any, scene: Scene, private: dict[str, db.Values], on_postgres_alone: None
) -> None:
    """Whoever was told that the hold stands finds nothing deleted afterwards."""
    placed = Event()

    def place() -> None:
        with app.app_context(), db.transaction():
            holds.place_hold(scene["PR"].actor, scene.patient["id"], {"reason": "A claim."})
        placed.set()

    other = Thread(target=place)
    with db.transaction():
        steps.remove_step(scene["PS"].actor, private["steps"]["id"], None)
        other.start()
        assert not placed.wait(0.5)
    other.join()
    assert placed.is_set()
