"""What happens in a dosing session, done in any order: everything that its ledger takes.

The deeds of a model-based test: each is tried, also those that must be refused, and the model
keeps what must have come of it. `test_dosing_states.py` holds the database against the model.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from sqlalchemy import select

from api import clock, db
from api.core.treatment import dosing, sessions
from api.db import Values
from api.errors import Conflict, Invalid, NotAllowed, NotFound
from tests import builders
from tests.core.dosing_model import MINUTE, SAID, WELL, Entry, Model, Note

TEAM = ("CT", "RX", "NU")
WHO = st.sampled_from([*TEAM, *TEAM, *TEAM, "CN", "PS"])
ONE = st.sampled_from(TEAM)
AGO = st.sampled_from([0, 0, 5, 70, 90])
NUMBER = st.integers(0, 99)
REFUSALS = (Conflict, Invalid, NotAllowed, NotFound)
Refusal = type[Exception] | None


class DosingDeeds(RuleBasedStateMachine):
    """One dosing session with therapist, prescriber, nurse, a stranger and the patient."""

    scene: ClassVar[builders.Scene]
    id: UUID

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.events = 0

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

    def _session(self) -> Values:
        table = sessions.sessions
        row = db.store().row(select(table).where(table.c.id == self.id), opens=table)
        assert row is not None
        return row
