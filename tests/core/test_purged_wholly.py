"""A chart that holds something of every kind: all of it goes, and nothing of anybody else's."""

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Table, not_, select

from api import clock, db
from api.access.users import invitations
from api.audit.trail import audit_events
from api.core import holds
from api.core.client_reach import client_patients
from api.core.ehr.table import referrals
from api.core.patients import patients
from api.core.purges import removing
from api.core.purges.removing import of_charts, removable
from api.db import stores
from tests import builders
from tests.builders import Scene
from tests.core import noting
from tests.core.purging import (
    agreed,
    as_it_is,
    held_of,
    let_sign_ins_stand,
    work,
    years_later,
)
from tests.fhir import charts as ehr_charts
from tests.house import matrix
from tests.house.matrix import World

OF_CLINIC = ("room_id", "client_id", "webhook_id", "invitation_id", "template_key")
KINDS = (
    *(one for one in matrix.MADE_BY if one not in OF_CLINIC),
    *("alert_id", "dosing_id", "sprayed_id", "signed_id", "note_id", "draft_id"),
    *("request_id", "hold_id", "break_glass_id", "denied_id", "merged_id"),
)
"""The records that the matrix knows how to make, but those that are of no chart."""
DEEDS = (
    "POST /steps/{step_id}/replies",
    "POST /check-ins/{check_in_id}/corrections",
    "PATCH /practices/{practice_id}",
    "POST /goals/{goal_id}/ratings",
    "PUT /sessions/{session_id}/setting",
    "POST /sessions/{session_id}/rems-form/filed",
    "PUT /sessions/{session_id}/discharge",
    "POST /consents/{consent_id}/reaffirm",
    "POST /sessions/{session_id}/attestation-links",
    "POST /patients/{patient_id}/allergies/confirm",
)


class Whole(World):
    """The world of the matrix in a clinic that is there, about another of its patients."""

    def __init__(self, app: Flask, scene: Scene) -> None:
        self.app, self.scene, self.bodies = app, scene, {}
        with db.transaction():
            self.colleague = builders.make_person(scene.clinic_id)
        self.ids = {"patient_id": str(scene.patient["id"])}


def swapped(scene: Scene) -> Scene:
    """The same clinic with the other patient in the first one's place, with a clinician."""
    with db.transaction():
        theirs = builders.make_person(scene.clinic_id)
        builders.join_team(scene.other_patient, theirs)
    people = scene.people | {"PS": scene["PO"], "PO": scene["PS"], "CT": theirs}
    return replace(scene, patient=scene.other_patient, other_patient=scene.patient, people=people)


def fill(world: World) -> None:
    """Something of every kind in the world's chart."""
    for name in KINDS:
        world.id(name, "CT")
    for route in DEEDS:
        world.ready(route, "CT")
        answer = world.call("CT", route)
        assert answer.status_code < 300, (route, answer.text)
    with db.transaction():
        _by_rows(world)
    with db.transaction():
        holds.release_hold(world.scene["PR"].actor, UUID(world.ids["hold_id"]))


def _by_rows(world: World) -> None:
    """What comes about by an EHR, a clock or another program."""
    scene, now = world.scene, clock.now()
    keys = {"clinic_id": scene.clinic_id, "patient_id": scene.patient["id"]}
    noting.note(scene, kind="psychotherapy", text="Apart.")
    by = {"clinician_id": scene["CT"].user_id}
    until = {"duty_from": now, "duty_until": now + timedelta(hours=1)}
    put("alert_duties", alert_id=UUID(world.ids["alert_id"]), **keys, **by, **until)
    session = {"session_id": UUID(world.ids["session_id"])}
    db.store().add(db.metadata.tables["past_duties"], keys | by | until | session)
    client = ehr_charts.register(world.app, scene.clinic_id)
    db.store().execute(client_patients.insert().values(client_id=client.client_id, **keys))
    told = {"status": "active", "intent": "order", "content": "{}"}
    db.store().add(referrals, keys | told | {"recorded_by": scene["CT"].user_id})
    named = {"kind": "sessions", "record_id": session["session_id"]}
    numbers = {"identifiers": [{"system": "urn:ehr", "value": "7"}]}
    db.store().add(_table("ehr_identifiers"), keys | named | numbers)
    late = {"client_event_id": "late", "content": "{}", "addendum_id": UUID(world.ids["note_id"])}
    db.store().add(_table("ledger_addenda"), keys | session | late)
    put("ehr_identifier_words", **keys, **named, blind=db.new_id().hex * 2)
    put("patient_external_ids", **keys, blind=db.new_id().hex * 2)
    put("patient_systems", **keys, system_blind=db.new_id().hex * 2)
    asked = {"token_hash": db.new_id().hex * 2, "email": "a@b.example", "role": "patient"}
    asked |= {"display_name": "Ada Example", "privileges": [], "expires_at": now}
    db.store().add(
        invitations, {"clinic_id": scene.clinic_id, "for_patient_id": scene.patient["id"]} | asked
    )
    m = _table("patient_merges").c
    mine = select(m.id).where(m.clinic_id == scene.clinic_id, m.patient_id == keys["patient_id"])
    [merge] = db.store().rows(mine)
    moved = {"kind": "goals", "record_id": UUID(world.ids["goal_id"])}
    put("patient_merge_moves", clinic_id=scene.clinic_id, merge_id=merge["id"], **moved)


def _table(name: str) -> Table:
    return db.metadata.tables[name]


def put(name: str, **values: Any) -> None:
    db.store().execute(_table(name).insert().values(**values))


@pytest.fixture
def worlds(app: Flask, scene: Scene) -> tuple[World, World]:
    """Two patients of one clinic, each with a chart of everything."""
    with db.transaction():
        ehr_charts.let_see_all(scene.clinic_id)
    both = Whole(app, scene), Whole(app, swapped(scene))
    for world in both:
        fill(world)
    return both


def of_others(scene: Scene, charts: list[UUID]) -> dict[str, set[tuple[Any, ...]]]:
    """Every row of a clinic's charts but of these, as it lies in the database."""
    found = {}
    with db.transaction() as store:
        for table in removable():
            others = not_(of_charts(table, scene.clinic_id, charts))
            here = table.c.clinic_id == scene.clinic_id
            rows = store.execute(select(table).where(here, others))
            found[table.name] = {tuple(map(str, row)) for row in rows}
    return found


def test_all_of_it_goes_and_nothing_of_anybody_elses(worlds: tuple[World, World]) -> None:
    mine, other = worlds
    scene, chart = mine.scene, mine.scene.patient["id"]
    lacking = {table.name for table in removable()} - set(held_of(scene.clinic_id, chart))
    assert lacking == set(), "make some of these"
    with years_later():
        purge = agreed(scene)
        charts = [chart, UUID(mine.ids["merged_id"])]
        before = of_others(scene, charts)
        assert all(before[name] for name in {table.name for table in removable()})
        work(scene)
        assert as_it_is(purge)["state"] == "done"
        assert set(held_of(scene.clinic_id, *charts)) == set(removing.LATER)
        assert of_others(scene, charts) == before
    done = as_it_is(purge)["removed"]
    assert set(done) == set(removing.COUNTED.values()) and all(done.values())


STILL_TOLD = ("GET /chart-purges", "GET /audit-events", "GET /changes")
"""Where the id of a removed chart still stands: that it was removed, by whom, and what was done."""


def test_nobody_meets_a_part_of_it_while_it_is_removed(app: Flask, scene: Scene) -> None:
    world = Whole(app, scene)
    with db.transaction():
        ehr_charts.let_see_all(scene.clinic_id)
    fill(world)
    own = set(world.ids.values())
    routes = [route for route in matrix.rows() if route.startswith("GET") and route in _locked()]
    paths = {route: world.path(route, "CT") for route in routes if "{" in route}
    with years_later():
        let_sign_ins_stand(scene.clinic_id)
        agreed(scene)
        assert work(scene, 1) == 1
        assert len(held_of(scene.clinic_id, scene.patient["id"])) > 40, "it is all still there"
        for route in routes:
            for persona in ("CT", "CN", "CA", "PR", "PS"):
                path = paths.get(route) or world.path(route, persona)
                answer = world.caller(persona).get(path)
                where = (persona, route, answer.status_code)
                if persona == "PS":
                    assert answer.status_code == 401, where
                elif any(one in path for one in own):
                    assert answer.status_code in (403, 404), where
                elif route not in STILL_TOLD:
                    assert str(scene.patient["id"]) not in answer.text, where


def _locked() -> set[str]:
    """The routes that somebody must sign in for."""
    return {route for route, cells in matrix.rows().items() if "-" not in cells.values()}


class Killed(BaseException):
    """The worker is no more."""


@pytest.mark.parametrize("seed", range(3))
def test_killed_anywhere_it_goes_on_and_is_never_half_done(
    app: Flask, scene: Scene, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, chart = Random(seed), scene.patient["id"]
    monkeypatch.setattr(removing, "AT_ONCE", 4)
    _some(scene)
    with years_later():
        purge = agreed(scene)
        before, kills, went = held_of(scene.clinic_id, chart), 0, set[str]()
        while as_it_is(purge)["state"] != "done":
            most = 60 if kills < 4 else 250  # that it begins, and that it comes to an end
            kills += _kill_after(scene, draw.randint(1, most), monkeypatch)
            state, left = as_it_is(purge)["state"], held_of(scene.clinic_id, chart)
            went.add(state)
            assert (state == "approved") == _is_there(chart)
            if state == "approved":
                assert left == before
            assert all(left[name] <= before.get(name, 0) for name in left)
            assert kills < 1000
        assert kills > 5 and went == {"approved", "running", "done"}
        assert set(held_of(scene.clinic_id, chart)) == {"care_team"}
        done = as_it_is(purge)
        assert done["removed"] == {"note": before["notes"], "session": before["sessions"]}
    with db.transaction() as store:
        a = audit_events.c
        told = select(a.id).where(a.record_id == purge["id"], a.door == "worker")
        assert len(store.rows(told)) == 1


def _some(scene: Scene) -> None:
    """Rows enough for many pieces."""
    with db.transaction():
        by = {"author_id": scene["PS"].user_id}
        goals = [builders.make_goal(scene.patient, **by) for _ in range(3)]
        practices = [builders.make_practice(goal) for goal in goals]
        for practice in practices:
            for _ in range(6):
                builders.make_step(practice)
        for _ in range(5):
            noting.note(scene)
            noting.note(scene, kind="psychotherapy")
            builders.make_session(scene.patient, scene["CT"])


def _kill_after(scene: Scene, statements: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Let the worker work until so many statements were sent; whether it came to that."""
    left = [statements]

    def run(self: Any, statement: Any, values: Any = None) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return real(self, statement, values)

    real = stores.Store._run
    with monkeypatch.context() as patched:
        patched.setattr(stores.Store, "_run", run)
        try:
            work(scene)
        except Killed:
            db.leave_store()
            return True
    return False


def _is_there(chart: Any) -> bool:
    with db.transaction() as store:
        row = store.row(select(patients).where(patients.c.id == chart))
    assert row is not None
    assert (row["deleted_at"] is None) == (row["legal_given"] == "Ada")
    return row["deleted_at"] is None
