"""Whatever is done in a dosing session in whatever order, none is in a state no rule leads to.

A model keeps what ledger, gate, notes and signatures must be. Every deed is tried, also those that
must be refused; after each the database is held against the model. The core is asked for nothing
but which points of the monitoring are open.
"""

import os
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from api import clock, db
from api.access.users import sign_ins
from api.core import alerts, consents, readiness
from api.core.treatment import dosing, notes, screenings, sessions, signing
from api.db import Values
from api.errors import Conflict, Invalid, NotAllowed, NotFound
from tests import builders, readying
from tests.core.dosing_model import CHAIRS, KINDS, MINUTE, SAID, WELL, Agreed, Entry, Model, Note
from tests.core.noting import colleague

RUNS = int(os.environ.get("STATEFUL_RUNS", "0"))
"""How many runs of up to 50 steps; unset, a few of 30 that the suite has time for."""
FEW, STEPS, MANY_STEPS = 20, 30, 50
PAGE = db.Page(100)
TEAM = ("CT", "RX", "NU")
WHO = st.sampled_from([*TEAM, *TEAM, *TEAM, "CN", "PS"])
ONE = st.sampled_from(TEAM)
AGO = st.sampled_from([0, 0, 5, 70, 90])
NUMBER = st.integers(0, 99)
LAST_ITEM = "pregnancy"
HALF_FOUND = readying.LEAVING | {"oriented": None, "escort_name": None}
REFUSALS = (Conflict, Invalid, NotAllowed, NotFound)
Refusal = type[Exception] | None


class DosingStates(RuleBasedStateMachine):
    """One dosing session with therapist, prescriber, nurse, a stranger and the patient."""

    scene: ClassVar[builders.Scene]

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.events = 0

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

    def teardown(self) -> None:
        """Nothing is kept of a run."""
        db.leave_store()

    def actor(self, who: str) -> Any:
        """Somebody, as one request has them."""
        return self.scene[who].actor

    def tries(self, refusal: Refusal, deed: Callable[[], Any]) -> Any:
        """Do it as a request does, whole or not at all, and hold what came against the rules."""
        before = db.store().connection.begin_nested()
        try:
            done = deed()
        except REFUSALS as refused:
            before.rollback()
            assert refusal is not None and type(refused) is refusal, (refusal, refused)
            return refused
        before.commit()
        assert refusal is None, refusal
        return done

    def outside(self, who: str) -> Refusal:
        """Why somebody can do nothing here, whatever the state."""
        return {"PS": NotAllowed, "CN": NotFound}.get(who)

    # What has happened is recorded.

    @rule(what=st.sampled_from(sorted(SAID)), who=WHO, ago=AGO)
    def record(self, what: str, who: str, ago: int) -> None:
        kind, content = SAID[what]
        entry = self._entry(kind, content, who, clock.now() - ago * MINUTE)
        self._send(entry, self.outside(who))

    @rule(what=st.sampled_from(["dose_25", "dose_50"]), ago=st.sampled_from([70, 90]))
    def give(self, what: str, ago: int) -> None:
        self.record(what, "NU", ago)

    @precondition(lambda self: self.model.ledger or self.model.addenda)
    @rule(number=NUMBER, other=st.booleans(), who=ONE)
    def send_again(self, number: int, other: bool, who: str) -> None:
        there = [*self.model.ledger, *self.model.addenda]
        entry = there[number % len(there)]
        body = entry.body | ({"measured_at": entry.at - MINUTE} if other else {})
        told = self.tries(Conflict if other else None, lambda: self._record(who, entry.kind, body))
        if not other:
            is_addendum = entry in self.model.addenda
            assert told["result"] == ("as_addendum" if is_addendum else "already_stored")
            assert is_addendum or told["id"] == entry.id

    @precondition(lambda self: self.model.ledger)
    @rule(number=NUMBER, void=st.booleans(), who=ONE, what=st.sampled_from(sorted(SAID)))
    def correct(self, number: int, void: bool, who: str, what: str) -> None:
        there = self.model.ledger[number % len(self.model.ledger)]
        kind, content = ("void", {}) if void else SAID[what]
        entry = self._entry(kind, content, who, there.at, corrects=there)
        refusal: Refusal = None
        if there.kind == "void" or kind not in (there.kind, "void"):
            refusal = Invalid
        elif there.superseded:
            refusal = Conflict
        self._send(entry, refusal)

    @precondition(lambda self: not self.model.locked)
    @rule(number=NUMBER, who=ONE, ago=AGO)
    def send_a_batch(self, number: int, who: str, ago: int) -> None:
        """A new entry, one with a slip, one that came before, and the new one once more."""
        new = self._entry("vitals", WELL, who, clock.now() - ago * MINUTE)
        item = {"client_event_id": new.event_id, "values": self._item("vitals", new.body)}
        slip = {"client_event_id": "slip", "errors": [{"pointer": "/x", "detail": "No."}]}
        items, expected = [item, slip], ["stored", "refused"]
        if self.model.ledger:
            old = self.model.ledger[number % len(self.model.ledger)]
            again = {"client_event_id": old.event_id, "values": self._item(old.kind, old.body)}
            items, expected = [*items, again], [*expected, "already_stored"]
        items, expected = [*items, item], [*expected, "already_stored"]
        told = self.tries(None, lambda: dosing.record_batch(self.actor(who), self.id, items, None))
        assert [one["outcome"] for one in told["results"]] == expected
        self._keep(new, told["results"][0]["entry"])

    @precondition(lambda self: self.model.doses and not self.model.locked)
    @rule()
    def catch_up(self) -> None:
        """Every point of the monitoring that is open gets its reading, late."""
        for point in self._points_open():
            at = min(point["due_at"], clock.now())
            self._send(self._entry("vitals", WELL, "NU", at), None)

    def _entry(
        self, kind: str, content: Values, who: str, at: datetime, corrects: Entry | None = None
    ) -> Entry:
        self.events += 1
        rules = self.model.rules_of(kind, content, at, corrects)
        return Entry(f"e{self.events}", kind, content, at, who, rules, corrects=corrects)

    def _send(self, entry: Entry, refusal: Refusal) -> None:
        told = self.tries(refusal, lambda: self._record(entry.by, entry.kind, entry.body))
        if refusal is not None:
            return
        if self.model.locked:
            assert told["result"] == "as_addendum"
            self.model.addenda.append(entry)
            made = Note(told["addendum"]["id"], entry.by, addendum=True)
            self.model.notes.append(made)
            self._alert(entry)
        else:
            assert told["result"] == "stored"
            self._keep(entry, told)

    def _record(self, who: str, kind: str, body: Values) -> Any:
        return dosing.record_entry(self.actor(who), self.id, kind, dict(body))

    def _item(self, kind: str, body: Values) -> Values:
        return {"type": kind, **body}

    def _keep(self, entry: Entry, told: Values) -> None:
        entry.id = told["id"]
        if entry.corrects is not None:
            entry.corrects.superseded = True
        self.model.ledger.append(entry)
        self._alert(entry)

    def _alert(self, entry: Entry) -> None:
        if set(entry.rules) - {"systolic_hold"}:
            self.model.alert_open = True

    # What is decided is guarded.

    @rule(kind=st.sampled_from(KINDS))
    def consent(self, kind: str) -> None:
        mine = [c for c in self.model.consents if c.kind == kind]
        if all(c.withdrawn_at for c in mine):
            at = clock.now() - (0 if mine else 600) * MINUTE
            values = {"kind": kind, "text_version": "1", "granted_at": at}
            chart = self.scene.patient["id"]
            deed = lambda: consents.record_consent(self.actor("CT"), chart, values)  # noqa: E731
            self.model.consents.append(Agreed(self.tries(None, deed)["id"], kind, at))

    @precondition(lambda self: any(c.withdrawn_at is None for c in self.model.consents))
    @rule(number=NUMBER)
    def withdraw(self, number: int) -> None:
        there = [c for c in self.model.consents if c.withdrawn_at is None]
        one = there[number % len(there)]
        told = self.tries(None, lambda: consents.withdraw_consent(self.actor("PS"), one.id))
        one.withdrawn_at = told["withdrawn_at"]

    @precondition(lambda self: not self.model.screened)
    @rule()
    def screen(self) -> None:
        values = {"item": LAST_ITEM, "answer": "no", "decision": "no_concern"}
        chart = self.scene.patient["id"]
        self.tries(None, lambda: screenings.record_screening(self.actor("CT"), chart, values))
        self.model.screened = True

    @rule(who=WHO)
    def plan(self, who: str) -> None:
        refusal = self.outside(who) or (None if who == "RX" else NotAllowed)
        if who == "CN":
            refusal = NotAllowed
        open_still = self.model.state in ("scheduled", "arrived", "in_progress")
        withdrawn = any(self.model.withdrawn(kind) for kind in KINDS)
        if refusal is None and (not open_still or withdrawn):
            refusal = Conflict
        values = dict(readying.PLAN)
        self.tries(refusal, lambda: dosing.plan_dose(self.actor(who), self.id, None, values))
        self.model.planned = self.model.planned or refusal is None

    @precondition(lambda self: self.model.alert_open)
    @rule()
    def resolve_alerts(self) -> None:
        for row in alerts.list_alerts(self.actor("CT"), PAGE, state="open").items:
            for deed in (alerts.acknowledge_alert, alerts.resolve_alert):
                self.tries(None, lambda: deed(self.actor("CT"), row["id"], {"note": "Seen."}))  # noqa: B023
        self.model.alert_open = False

    @rule()
    def make_ready(self) -> None:
        """Whatever stands in the way is seen to, as far as it can be."""
        for kind in KINDS:
            self.consent(kind)
        if not self.model.screened:
            self.screen()
        self.plan("RX")
        if not self.model.locked:
            self.record("well", "NU", 0)
        if self.model.alert_open:
            self.resolve_alerts()

    @rule(who=WHO, over=st.booleans(), ago=st.sampled_from([0, 100]))
    def start(self, who: str, over: bool, ago: int) -> None:
        reasons = self.model.reasons()
        refusal = self.outside(who)
        if refusal is None and over and who != "RX" and reasons:
            refusal = NotAllowed
        left = [r for r in reasons if not over or "withdrawn" in r]
        if refusal is None and (self.model.state != "arrived" or left):
            refusal = Conflict
        at = self._at(ago)
        values: Values = {"at": at, "overrides": self._over(reasons if over else [])}
        told = self.tries(
            refusal, lambda: readiness.start_session(self.actor(who), self.id, values)
        )
        if refusal is Conflict and self.model.state == "arrived":
            assert told.extras["missing"] == left
        if refusal is None:
            self._moved("in_progress", at)
            self.model.started_at = at
            self.model.passed_over += reasons if over else []

    @precondition(lambda self: self.model.state == "arrived")
    @rule()
    def start_when_ready(self) -> None:
        """Whatever stands in the way is seen to or passed over, and the dose may start."""
        self.make_ready()
        self.start("RX", True, 100)

    @rule(full=st.booleans(), who=ONE)
    def find(self, full: bool, who: str) -> None:
        found = (readying.LEAVING if full else HALF_FOUND) | {"next_contact_at": clock.now()}
        refusal = Conflict if self.model.locked else None
        actor = self.actor(who)
        self.tries(refusal, lambda: readiness.record_discharge(actor, self.id, None, dict(found)))
        self.model.found = self.model.found if refusal else found

    @rule(who=WHO, over=st.booleans())
    def complete(self, who: str, over: bool) -> None:
        at = self._at(0)
        missing = self.model.missing(bool(self._points_open()), at)
        refusal = self.outside(who)
        if refusal is None and over and who != "NU" and missing:
            refusal = NotAllowed
        left = [] if over else missing
        if refusal is None and (self.model.state != "in_progress" or left):
            refusal = Conflict
        values: Values = {"at": at, "overrides": self._over(missing if over else [])}
        complete = readiness.complete_session
        told = self.tries(refusal, lambda: complete(self.actor(who), self.id, values))
        if refusal is Conflict and self.model.state == "in_progress":
            assert told.extras["missing"] == left
        if refusal is None:
            self._moved("completed", at)
            self.model.ended_at = at
            self.model.passed_over += missing if over else []

    @precondition(lambda self: self.model.state == "in_progress")
    @rule(over=st.booleans())
    def see_to_the_end(self, over: bool) -> None:
        """All that a discharge asks for is there, or passed over."""
        self.catch_up_if_dosed()
        self.find(True, "CT")
        self.complete("NU", over)

    def catch_up_if_dosed(self) -> None:
        """The open points get their readings."""
        if self.model.doses:
            self.catch_up()

    @rule(who=WHO, name=st.sampled_from(["arrive", "cancel", "no-show", "reopen"]))
    def move(self, who: str, name: str) -> None:
        refusal = self.outside(who)
        if who == "PS" and name == "cancel":
            is_open = self.model.state == "scheduled" and "cancel" in self.model.moves()
            refusal = None if is_open else Conflict
        elif refusal is None and name not in self.model.moves():
            refusal = Conflict
        reason = {"cancel": "patient_unwell", "no-show": "did_not_come"}.get(name)
        at = self._at(0)
        values = {"at": at} | ({"reason": reason} if reason else {})
        deed = {
            "arrive": sessions.arrive_session,
            "cancel": sessions.cancel_session,
            "no-show": sessions.mark_no_show,
            "reopen": sessions.reopen_session,
        }[name]
        self.tries(refusal, lambda: deed(self.actor(who), self.id, values))
        if refusal is None:
            self._after(name, at)

    def _after(self, name: str, at: datetime) -> None:
        was = self.model.state
        back = "in_progress" if was == "completed" else "scheduled"
        leads = {"arrive": "arrived", "cancel": "cancelled", "no-show": "no_show", "reopen": back}
        self._moved(leads[name], at)
        if name == "arrive":
            self.model.arrived_at = at
        elif name == "reopen":
            self.model.ended_at, self.model.signed = None, {}
            if was != "completed":
                self.model.arrived_at = self.model.started_at = None
        else:
            self.model.ended_at = at

    def _moved(self, state: str, at: datetime) -> None:
        self.model.state, self.model.moved_at = state, at

    def _at(self, ago: int) -> datetime:
        """An instant so many minutes back, not before the last move."""
        assert self.model.moved_at is not None
        return max(self.model.moved_at, clock.now() - ago * MINUTE)

    def _over(self, codes: list[str]) -> list[Values]:
        return [{"code": code, "reason": "As agreed."} for code in codes]

    def _points_open(self) -> list[Values]:
        """The points after a dose that are due by now and have no reading."""
        now = clock.now()
        session = self._session() | {"completed_at": None}
        entries = dosing.entries_of(self.scene.clinic_id, self.id)
        told = dosing.monitoring_told(session, entries, dosing.protocol_of(session), now)
        return [
            p
            for p in told["points"]
            if p["when"] != "before_dose"
            and p["state"] != "done"
            and (p["state"] != "upcoming" or p["when"] == "discharge")
        ]

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

    def _session(self) -> Values:
        table = sessions.sessions
        row = db.store().row(select(table).where(table.c.id == self.id), opens=table)
        assert row is not None
        return row

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
