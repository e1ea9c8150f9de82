"""Raising: a signal becomes an alert, in the transaction that saw the answer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, or_, select

from api import clock
from api.access.users import clinics
from api.core.alerts import clocks, escalating
from api.core.alerts.rules import Signal, is_worse, rules
from api.core.alerts.table import alerts
from api.core.patients import patients
from api.db import Values, found, store

Priorities = Mapping[str, str]
"""The priority that each rule had."""


@dataclass(frozen=True)
class Source:
    """Where a signal comes from: whose answer to what, given when, and who sent it.

    With a session it is an entry of its ledger; without that and a check-in it is a form that was
    refused, or no answer at all.
    """

    clinic_id: UUID
    patient_id: UUID
    answered_at: datetime
    check_in_id: UUID | None = None
    session_id: UUID | None = None
    entry_id: UUID | None = None
    instrument: str | None = None
    raised_by: UUID | None = None
    from_refused: bool = False

    @property
    def chart(self) -> Values:
        """The keys of the patient."""
        return {"clinic_id": self.clinic_id, "patient_id": self.patient_id}


def raise_alerts(
    source: Source, signals: Iterable[Signal], former: Priorities | None = None
) -> None:
    """Raise what is new in these signals; asks nobody, for callers that did.

    Of one check-in (or session) and rule there is one open alert: a worse answer raises its
    priority, an equal or better one changes nothing. `former` holds what the answers before already
    said by rule, so that a thing said anew is heard anew even after its alert was resolved.
    """
    worst = _worst(signals)
    if not worst:
        return
    store().hold(patients, {"clinic_id": source.clinic_id, "id": source.patient_id})
    earlier = _earlier(source)
    for rule, said in worst.items():
        mine = [row for row in earlier if row["rule"] == rule]
        _hear(source, said, mine, (former or {}).get(rule))


def by_rule(signals: Iterable[Signal]) -> dict[str, str]:
    """The priority of the worst signal of each rule."""
    return {rule: said.priority for rule, said in _worst(signals).items()}


def _worst(signals: Iterable[Signal]) -> dict[str, Signal]:
    worst: dict[str, Signal] = {}
    for said in signals:
        known = worst.get(said.rule)
        if known is None or is_worse(said.priority, known.priority):
            worst[said.rule] = said
    return worst


def _earlier(source: Source) -> list[Values]:
    """The alerts of this check-in, and those of refused forms that may have been its first try."""
    a = alerts.c
    refused = and_(
        a.check_in_id.is_(None),
        a.session_id.is_(None),
        a.instrument == source.instrument,
        a.state == clocks.OPEN,
    )
    alike = or_(refused, a.check_in_id == source.check_in_id)
    if source.session_id is not None:
        alike = a.session_id == source.session_id
    statement = select(alerts).where(
        a.clinic_id == source.clinic_id, a.patient_id == source.patient_id, alike
    )
    return store().rows(statement.order_by(a.raised_at, a.id), opens=alerts)


def _hear(source: Source, said: Signal, earlier: list[Values], former: str | None) -> None:
    standing = [row for row in earlier if row["state"] == clocks.OPEN]
    if standing:
        own = [row for row in standing if row["check_in_id"] == source.check_in_id]
        _worsen(source, said, (own or standing)[0])
    elif _is_news(said, earlier, former):
        _add(source, said)


def _is_news(said: Signal, earlier: list[Values], former: str | None) -> bool:
    """Whether nobody was told of it: nothing like it stands, and none like it was there before."""
    if all(is_worse(said.priority, row["priority"]) for row in earlier):
        return True
    closed = all(row["state"] == clocks.RESOLVED for row in earlier)
    return closed and is_worse(said.priority, former)


def _worsen(source: Source, said: Signal, row: Values) -> None:
    """An open alert takes on what is worse, and the check-in that a refused form has become."""
    changes: Values = {}
    if row["check_in_id"] is None and source.check_in_id is not None:
        changes |= {"check_in_id": source.check_in_id}
    worse = is_worse(said.priority, row["priority"])
    came_alive = row["historical"] and not _is_historical(source, clock.now())
    if worse:
        changes |= {"priority": said.priority, "flag": said.flag}
        changes |= {} if source.entry_id is None else {"entry_id": source.entry_id}
    if came_alive or (worse and not row["historical"]):
        changes |= _clock(source, {**row, **changes}["priority"])
    if changes:
        after = store().change(alerts, row, changes)
        if "clock_began_at" in changes:
            escalating.begin(after)


def _add(source: Source, said: Signal) -> None:
    now = clock.now()
    times: Values = {"historical": True} if _is_historical(source, now) else {}
    row = store().add(
        alerts,
        {
            **source.chart,
            "check_in_id": source.check_in_id,
            "session_id": source.session_id,
            "entry_id": source.entry_id,
            "instrument": source.instrument,
            "rule": said.rule,
            "flag": said.flag,
            "rules_version": rules().version,
            "priority": said.priority,
            "state": clocks.OPEN,
            "from_refused": source.from_refused,
            "raised_at": now,
            "raised_by": source.raised_by,
            "answered_at": source.answered_at,
            **(times or _clock(source, said.priority)),
        },
    )
    if not row["historical"]:
        escalating.begin(row)


def _is_historical(source: Source, now: datetime) -> bool:
    return now - source.answered_at > rules().historical_after


def _clock(source: Source, priority: str) -> Values:
    """The columns of a clock that begins now."""
    zone: Any = select(clinics.c.time_zone).where(clinics.c.id == source.clinic_id)
    row = found(store().row(zone))
    times = clocks.begin(rules().clocks[priority], clock.now(), row["time_zone"])
    return {
        "historical": False,
        "clock_began_at": times.begins_at,
        "acknowledge_due_at": times.acknowledge_due_at,
        "contact_due_at": times.contact_due_at,
    }
