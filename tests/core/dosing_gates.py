"""What is decided in a dosing session, in any order: consents, plan, start, leaving, moves.

The model says whether a gate must be open; every refusal is tried too.
"""

from datetime import datetime

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from api import clock, db
from api.core import alerts, consents, readiness
from api.core.treatment import dosing, screenings, sessions
from api.db import Values
from api.errors import Conflict, NotAllowed
from tests import readying
from tests.core.dosing_deeds import NUMBER, ONE, WHO, DosingDeeds
from tests.core.dosing_model import KINDS, MINUTE, Agreed

PAGE = db.Page(100)
LAST_ITEM = "pregnancy"
HALF_FOUND = readying.LEAVING | {"oriented": None, "escort_name": None}


class DosingGates(DosingDeeds):
    """What is decided is guarded."""

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
