"""Whatever is done in a dosing session in whatever order, none is in a state no rule leads to.

A model keeps what ledger, gate, notes and signatures must be. Every deed is tried, also those that
must be refused; after each the database is held against the model. The core is asked for nothing
but which points of the monitoring are open.
"""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from api import clock, db
from api.access.users import sign_ins
from api.core import readiness
from api.core.treatment import dosing, notes, sessions, signing
from api.errors import Conflict, NotAllowed
from tests import builders, readying
from tests.core.dosing_deeds import NUMBER, ONE, WHO, Refusal
from tests.core.dosing_gates import LAST_ITEM, DosingGates
from tests.core.dosing_model import CHAIRS, MINUTE, Note
from tests.core.noting import colleague

RUNS = int(os.environ.get("STATEFUL_RUNS", "0"))
"""How many runs of up to 50 steps; unset, a few of 30 that the suite has time for."""
FEW, STEPS, MANY_STEPS = 20, 30, 50


class DosingStates(DosingGates):
    """A dosing session with its record: what is written in it and signed."""

    @initialize(to=st.sampled_from(["arrived", "given", "left", "signed"]))
    def begin(self, to: str) -> None:
        """Everybody has just signed in, the patient has come, and perhaps more has happened."""
        mine = sign_ins.c.clinic_id == self.scene.clinic_id
        db.store().execute(sign_ins.update().where(mine).values(auth_time=clock.now()))
        at = clock.now() - 180 * MINUTE
        times = {"starts_at": at, "ends_at": at + 240 * MINUTE, "arrived_at": at, "moved_at": at}
        people = (self.scene["CT"], self.scene["RX"])
        values = {"kind": "dosing", "state": "arrived"} | times
        self.id = builders.make_session(self.scene.patient, *people, **values)["id"]
        self.model.moved_at = self.model.arrived_at = at
        if to != "arrived":
            self.start_when_ready()
            self.record("dose_50", "NU", 90)
            self.write("CT")
        if to in ("left", "signed"):
            self.see_to_the_end(True)
        if to == "signed":
            self.sign_all()

    # What is written is signed.

    @rule(who=st.sampled_from(["CT", "RX"]))
    def write(self, who: str) -> None:
        body = {"kind": "progress", "text": "Words."}
        refusal = Conflict if self.model.locked else None
        told = self.tries(refusal, lambda: notes.write_session_note(self.actor(who), self.id, body))
        if refusal is None:
            self.model.notes.append(Note(told["id"], who))

    @precondition(lambda self: self.model.notes)
    @rule(number=NUMBER, who=WHO)
    def sign(self, number: int, who: str) -> None:
        note = self.model.notes[number % len(self.model.notes)]
        refusal = self.outside(who)
        if refusal is None and who != note.by:
            refusal = NotAllowed
        if refusal is None and note.signed:
            refusal = Conflict
        self.tries(refusal, lambda: notes.sign_note(self.actor(who), note.id))
        note.signed = note.signed or refusal is None

    @precondition(lambda self: any(n.signed for n in self.model.notes))
    @rule(number=NUMBER, who=ONE)
    def add(self, number: int, who: str) -> None:
        there = [n for n in self.model.notes if n.signed]
        note = there[number % len(there)]
        refusal = Conflict if note.addendum else None
        body = {"text": "More."}
        told = self.tries(refusal, lambda: notes.add_addendum(self.actor(who), note.id, body))
        if refusal is None:
            self.model.notes.append(Note(told["id"], who, addendum=True, signed=True))

    @precondition(lambda self: self.model.notes)
    @rule(number=NUMBER, who=ONE)
    def ask_unlock(self, number: int, who: str) -> None:
        note = self.model.notes[number % len(self.model.notes)]
        refusal: Refusal = None if who == note.by else NotAllowed
        if refusal is None and (not note.signed or note.request):
            refusal = Conflict
        body = {"reason": "A name."}
        told = self.tries(refusal, lambda: notes.ask_unlock(self.actor(who), note.id, body))
        if refusal is None:
            note.request = told["id"]

    @precondition(lambda self: any(n.request for n in self.model.notes))
    @rule(number=NUMBER, who=ONE)
    def unlock(self, number: int, who: str) -> None:
        there = [n for n in self.model.notes if n.request]
        note = there[number % len(there)]
        request = note.request
        assert request is not None
        refusal = NotAllowed if who == note.by else None
        approve = notes.approve_unlock
        self.tries(refusal, lambda: approve(self.actor(who), note.id, request, {}))
        if refusal is None:
            note.signed, note.request, note.unlocks = False, None, note.unlocks + 1
            left = {part: c for part, c in self.model.signed.items() if note.id not in c}
            self.model.locked = self.model.locked and left == self.model.signed
            self.model.signed = left

    @precondition(lambda self: self.model.locked and any(n.signed for n in self.model.notes))
    @rule(number=NUMBER)
    def unlock_one(self, number: int) -> None:
        """A colleague agrees that a signed note is opened again."""
        there = [n for n in self.model.notes if n.signed]
        note = there[number % len(there)]
        if note.request is None:
            self.ask_unlock(self.model.notes.index(note), note.by)
        asked = [n for n in self.model.notes if n.request]
        self.unlock(asked.index(note), "RX" if note.by == "CT" else "CT")

    @rule(who=WHO, part=st.sampled_from(sorted(CHAIRS.values())))
    def sign_part(self, who: str, part: str) -> None:
        model, refusal = self.model, self.outside(who)
        drafts = [n for n in model.notes if not n.signed]
        left = model.owed - set(model.signed)
        if refusal is None and (model.state != "completed" or model.locked or part not in left):
            refusal = Conflict
        if refusal is None and CHAIRS[who] != part:
            refusal = NotAllowed
        if refusal is None and (any(n.by == who for n in drafts) or (left == {part} and drafts)):
            refusal = Conflict
        self.tries(refusal, lambda: signing.sign_part(self.actor(who), self.id, part))
        if refusal is None:
            model.signed[part] = {n.id for n in model.notes if n.signed}
            model.locked = left == {part}

    @precondition(lambda self: self.model.state == "completed" and not self.model.locked)
    @rule()
    def sign_all(self) -> None:
        """Every draft and every part, by whoever owes it."""
        for number, note in enumerate(self.model.notes):
            if not note.signed:
                self.sign(number, note.by)
        for who, part in CHAIRS.items():
            if part in self.model.owed and not self.model.locked:
                self.sign_part(who, part)

    # Whatever was done, the database is what the model says.

    @invariant()
    def nothing_is_lost_doubled_or_edited(self) -> None:
        there = dosing.entries_of(self.scene.clinic_id, self.id)
        model = self.model.ledger
        assert [e["sequence"] for e in there] == list(range(1, len(model) + 1))
        assert [e["id"] for e in there] == [e.id for e in model]
        for row, entry in zip(there, model, strict=True):
            assert (row["client_event_id"], row["type"]) == (entry.event_id, entry.kind)
            assert (row["content"], row["measured_at"]) == (entry.kept, entry.at)
            assert sorted(j["rule"] for j in row["judgements"]) == entry.rules, entry
            assert (row["superseded_by"] is not None) == entry.superseded
            assert row["corrects_id"] == (entry.corrects.id if entry.corrects else None)
        assert [e["id"] for e in dosing.standing(there)] == [e.id for e in self.model.standing]

    @invariant()
    def the_session_is_what_it_must_be(self) -> None:
        row, model = self._session(), self.model
        ended = row["completed_at"] or row["closed_at"]
        assert (row["state"], row["moved_at"]) == (model.state, model.moved_at)
        assert (row["arrived_at"], row["started_at"]) == (model.arrived_at, model.started_at)
        assert ended == model.ended_at
        doses = [dose.at for dose in model.doses]
        assert (row["first_dose_at"], row["last_dose_at"]) == (
            (doses[0], doses[-1]) if doses else (None, None)
        )
        assert (row["signed_at"] is not None) == model.locked
        assert [o["code"] for o in row["overrides"] or []] == model.passed_over
        told = sessions.read_session(self.actor("CT"), self.id)
        assert set(told["allowed"]) == model.moves()

    @precondition(lambda self: self.model.state in ("scheduled", "arrived", "in_progress"))
    @invariant()
    def the_gate_says_what_stands_in_the_way(self) -> None:
        told = readiness.read_readiness(self.actor("CT"), self.id)
        assert [r["code"] for r in told["reasons"]] == self.model.reasons()
        assert told["ready"] == (not self.model.reasons())

    @precondition(lambda self: self.model.state == "completed")
    @invariant()
    def the_record_owes_what_it_must(self) -> None:
        told = signing.list_signatures(self.actor("CT"), self.id)
        assert set(told["missing"]) == self.model.owed - set(self.model.signed)
        drafts = {n.id for n in self.model.notes if not n.signed}
        assert {n["id"] for n in told["unsigned_notes"]} == drafts
        for note in self.model.notes[-2:]:
            read = notes.read_note(self.actor(note.by), note.id)
            signed = "locked" if self.model.locked else "signed"
            assert read["state"] == (signed if note.signed else "draft")
            assert read["unlocks"] == note.unlocks


@pytest.fixture
def states(app: Any) -> type[DosingStates]:
    """The machine with a clinic of its own, kept; what a run does in it is not."""
    with db.transaction():
        scene = builders.make_scene()
        may = {"RX": ("prescriber", "prescribe"), "NU": ("nurse", "administer", "discharge")}
        scene.people |= {name: colleague(scene, *told) for name, told in may.items()}
        readying.screened(scene, but=LAST_ITEM)
    DosingStates.scene = scene
    return DosingStates


def test_no_order_of_deeds_leads_to_an_illegal_state(states: type[DosingStates]) -> None:
    run_state_machine_as_test(
        states,
        settings=settings(
            max_examples=RUNS or FEW,
            stateful_step_count=MANY_STEPS if RUNS else STEPS,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_what_became_an_addendum_stays_one_when_the_record_is_opened_again(
    states: type[DosingStates],
) -> None:
    run = states()
    run.begin("signed")
    run.record("well", "NU", 0)
    assert run.model.locked and run.model.addenda
    run.unlock_one(0)
    assert not run.model.locked
    run.send_again(len(run.model.ledger), False, "NU")
    run.nothing_is_lost_doubled_or_edited()
