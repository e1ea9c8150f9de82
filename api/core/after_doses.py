"""After each dose: what fell inside its plasticity window, from every room of the house."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, Table, and_, or_, select

from api import clock
from api.access.policies import Actor
from api.core.gate import shown_to
from api.core.integration import entries, moments as noticing
from api.core.integration.practices import name_of
from api.core.integration.tables import moments, practices, steps
from api.core.outcomes.checkins import check_ins
from api.core.patients import display_name, open_chart
from api.core.treatment.protocols import CLOSED
from api.core.treatment.sessions import sessions
from api.core.treatment.windows import (
    Dose,
    Windows,
    dosed_at,
    is_completed,
    is_dose,
    windows_of,
)
from api.core.words import words_for
from api.db import Listing, Page, Values, page, store

MOST: Final = 1000
"""The most entries of a kind that one answer holds, the latest."""
ONE_DAY = timedelta(days=1)


def list_windows(actor: Actor, patient_id: UUID, asked: Page) -> Listing:
    """The windows of one patient, the latest dose first, each with what fell inside.

    Changes are those of the dosing sessions; one that is completed no more is a tombstone. The
    number of queries does not depend on how many windows there are.
    """
    patient = open_chart(actor, "window:read", patient_id)
    listing = _doses(patient, asked)
    days = windows_of(patient)
    spans = [each for row in listing.items for each in _spans(days, row["id"])]
    inside = _inside(actor, patient, days, spans)
    listing.items = [_show(patient, days, span, inside) for span in spans]
    return listing


def _doses(patient: Values, asked: Page) -> Listing:
    s = sessions.c
    at = dosed_at().label("dosed_at")
    columns = (s.id, s.state, at, s.updated_at, s.deleted_at)
    statement = select(*columns).where(
        s.clinic_id == patient["clinic_id"], s.patient_id == patient["id"], s.kind == "dosing"
    )
    if asked.since is None:
        statement = statement.where(*is_dose())
    listing = page(statement, sessions, asked, [at], newest_first=True)
    if listing.tombstones is not None:
        undone = [row for row in listing.items if row["dosed_at"] is None]
        listing.tombstones += [{"id": r["id"], "deleted_at": r["updated_at"]} for r in undone]
        listing.items = [row for row in listing.items if row["dosed_at"] is not None]
    return listing


@dataclass(frozen=True)
class _Span:
    """One window: its dose, the dose that ended it early, and its last day if it has any."""

    dose: Dose
    ended_by: Dose | None
    last_on: date

    def holds(self, on: date) -> bool:
        """Whether a calendar day lies inside."""
        return self.dose.on <= on <= self.last_on

    def edges(self, zone: str) -> tuple[datetime, datetime]:
        """From which instant to which it lasts."""
        ends = [self.dose.on, self.last_on + ONE_DAY]
        first, past = (datetime.combine(each, time.min, ZoneInfo(zone)) for each in ends)
        return first, past


def _spans(days: Windows, session_id: UUID) -> list[_Span]:
    """The window of one dose; a dose after it ends it, on the same day at once."""
    for dose, after in zip(days.doses, [*days.doses[1:], None], strict=True):
        if dose.session_id == session_id:
            closes_on = days.closes_on(dose)
            last_on = closes_on if after is None else min(closes_on, after.on - ONE_DAY)
            return [_Span(dose, after if after and after.on <= closes_on else None, last_on)]
    return []


@dataclass(frozen=True)
class _Kind:
    """One kind of entry: where it lies, how its day is found, what is read and shown of it."""

    table: Table
    columns: tuple[str, ...]
    shown: tuple[str, ...]
    lies: Callable[[_Span, str], ColumnElement[bool]]
    day: Callable[[Values, Values], date]


def _by_day(column: ColumnElement[Any]) -> Callable[[_Span, str], ColumnElement[bool]]:
    return lambda span, _zone: column.between(span.dose.on, span.last_on)


def _by_instant(column: ColumnElement[Any], span: _Span, zone: str) -> ColumnElement[bool]:
    first, past = span.edges(zone)
    return and_(column >= first, column < past)


def _moment_lies(span: _Span, zone: str) -> ColumnElement[bool]:
    m = moments.c
    noticed = and_(m.happened_on.is_(None), _by_instant(m.noticed_at, span, zone))
    return or_(_by_day(m.happened_on)(span, zone), noticed)


def _session_lies(span: _Span, zone: str) -> ColumnElement[bool]:
    return and_(*is_completed("integration"), _by_instant(sessions.c.completed_at, span, zone))


def _session_day(patient: Values, row: Values) -> date:
    at: datetime = row["completed_at"]
    return at.astimezone(ZoneInfo(patient["time_zone"])).date()


KINDS: Final = {
    "steps": _Kind(
        steps,
        ("practice_id", "walked_on", "kind"),
        ("practice", "kind"),
        _by_day(steps.c.walked_on),
        lambda _patient, row: row["walked_on"],
    ),
    "moments": _Kind(
        moments,
        ("practice_id", "happened_on", "noticed_at"),
        ("practice",),
        _moment_lies,
        noticing.day_of,
    ),
    "check_ins": _Kind(
        check_ins,
        ("instrument", "state", "answered_on"),
        ("instrument", "state"),
        _by_day(check_ins.c.answered_on),
        lambda _patient, row: row["answered_on"],
    ),
    "sessions": _Kind(
        sessions,
        ("starts_at", "completed_at"),
        ("starts_at", "completed_at"),
        _session_lies,
        _session_day,
    ),
}
Inside = dict[str, list[Values]]


def _inside(reader: Actor, patient: Values, days: Windows, spans: list[_Span]) -> Inside:
    """What fell into any of the windows, by kind, with its day; five queries."""
    found = {name: _fell(reader, patient, kind, spans) for name, kind in KINDS.items()}
    named = _practices(reader, [*found["steps"], *found["moments"]])
    shown: Inside = {name: [] for name in KINDS}
    for name, kind in KINDS.items():
        for row in found[name]:
            on = kind.day(patient, row)
            full = row | {"practice": named.get(row.get("practice_id"))}
            place = {"id": row["id"], "on": on, "window_day": days.day(on)}
            shown[name].append(place | {each: full[each] for each in kind.shown})
    return shown


def _fell(reader: Actor, patient: Values, kind: _Kind, spans: list[_Span]) -> list[Values]:
    t, held = kind.table, [span for span in spans if span.last_on >= span.dose.on]
    if not held:
        return []
    statement: Select[Any] = select(t.c.id, *(t.c[name] for name in kind.columns)).where(
        t.c.clinic_id == patient["clinic_id"],
        t.c.patient_id == patient["id"],
        t.c.deleted_at.is_(None),
        shown_to(reader, t),
        or_(*(kind.lies(span, patient["time_zone"]) for span in held)),
    )
    return store().rows(statement.order_by(t.c.id.desc()).limit(MOST))


def _practices(reader: Actor, rows: Iterable[Values]) -> dict[UUID | None, Values]:
    ids = [row["practice_id"] for row in rows]
    there = entries.pointed_at(reader, practices, ids, "title", "new_trail")
    return {each: name_of(practice) for each, practice in there.items()}


def _show(patient: Values, days: Windows, span: _Span, inside: Inside) -> Values:
    protocol, today = span.dose.protocol, clock.today(days.zone)
    is_open = span.holds(today)
    phase = days.phase(today) if is_open else CLOSED
    fell = {name: [row for row in rows if span.holds(row["on"])] for name, rows in inside.items()}
    met = any(row["completed_at"] >= span.dose.at for row in fell["sessions"])
    return {
        "id": span.dose.session_id,
        "session_id": span.dose.session_id,
        "patient": {"id": patient["id"], "display_name": display_name(patient)},
        "dosed_at": span.dose.at,
        "dosed_on": span.dose.on,
        "open": is_open,
        "window_day": days.day(today) if is_open else None,
        "phase": phase,
        "phases": [
            {
                "phase": each.phase,
                "from_on": span.dose.on + timedelta(days=each.from_day),
                "to_on": span.dose.on + timedelta(days=each.to_day),
            }
            for each in protocol.phases
        ],
        "closes_on": days.closes_on(span.dose),
        "ended_by": None if span.ended_by is None else span.ended_by.session_id,
        "protocol": {"key": protocol.key, "version": protocol.version},
        "needs": ["integration"] if is_open and not met else [],
        "words": _words(patient["locale"], phase),
        "truncated": any(len(rows) == MOST for rows in inside.values()),
        **fell,
    }


def _words(locale: str, phase: str | None) -> str:
    """What a patient reads beside a window: no end, no countdown, nothing that was let pass."""
    said: dict[str, str] = words_for(locale)["window"]
    return said[phase or CLOSED]
