"""The plasticity window: the days after a dose, counted where the patient lives.

A dose is the last that stands in the ledger of a dosing session, or the completion of one whose
ledger has none. The window schedules and words; it multiplies nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Integer,
    String,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    literal_column,
    null,
    select,
)

from api import clock
from api.core.patients import patients
from api.core.treatment.protocols import CLOSED, DAYS, Protocol, in_use, versions_named
from api.core.treatment.sessions import sessions
from api.db import Instant, Values, store

NOBODY: Final = UUID(int=0)
OPEN, NONE = "open", "none"
WINDOWS: Final = (OPEN, CLOSED, NONE)
"""How a patient stands to the window now; `none` is a patient who never had a dose."""


@dataclass(frozen=True)
class Dose:
    """One dose: its session, the instant, and the patient's own day.

    `days` is how long the window after it is, by the version of the protocol that it began with.
    """

    session_id: UUID
    at: datetime
    on: date
    days: int = field(default_factory=lambda: in_use().days)
    protocol: Protocol = field(default_factory=in_use)


@dataclass(frozen=True)
class Windows:
    """The windows of one patient, oldest first: each dose opens one and ends the one before."""

    doses: tuple[Dose, ...]
    zone: str

    def last(self, on: date) -> Dose | None:
        """The last dose up to the end of a day."""
        return next((dose for dose in reversed(self.doses) if dose.on <= on), None)

    def day(self, on: date | None) -> int | None:
        """The `window_day` of a calendar day: days since the last dose, null outside a window."""
        dose = None if on is None else self.last(on)
        if dose is None or on is None or (on - dose.on).days > dose.days:
            return None
        return (on - dose.on).days

    def day_at(self, at: datetime) -> int | None:
        """The `window_day` of an instant."""
        return self.day(at.astimezone(ZoneInfo(self.zone)).date())

    def phase(self, on: date) -> str | None:
        """The phase of a calendar day; `closed` past the window, null before any dose."""
        dose = self.last(on)
        return None if dose is None else dose.protocol.phase_of((on - dose.on).days)

    def closes_on(self, dose: Dose) -> date:
        """The last day of a dose's window, as if no other followed."""
        return dose.on + timedelta(days=dose.days)

    @property
    def now(self) -> int | None:
        """The `window_day` of today."""
        return self.day(clock.today(self.zone))


def windows_of(patient: Values) -> Windows:
    """The windows of one patient (`clinic_id`, `id`, `time_zone`), in at most one query.

    A patient that was read with `doses` (see `doses_told`) costs none.
    """
    if "doses" in patient:
        return windows_told(patient["doses"], patient["time_zone"])
    zones = {patient["id"]: patient["time_zone"]}
    return windows_of_all(patient["clinic_id"], zones)[patient["id"]]


def windows_of_all(clinic_id: UUID, zones: Mapping[UUID, str]) -> dict[UUID, Windows]:
    """The windows of each patient by id, from their time zones; one query for all of them."""
    s, at = sessions.c, dosed_at()
    statement = (
        select(s.id, s.patient_id, at.label("dosed_at"), s.window_days, *_VERSION)
        .where(*_is_dose(clinic_id), s.patient_id.in_(list(zones)))
        .order_by(at, s.id)
    )
    doses: dict[UUID, list[Dose]] = {patient_id: [] for patient_id in zones}
    rows = store().rows(statement) if zones else []
    began = {(row["protocol_key"], row["protocol_version"]) for row in rows}
    known = versions_named(clinic_id, began - {(None, None)})
    for row in rows:
        by = known.get((row["protocol_key"], row["protocol_version"]), in_use())
        zone = zones[row["patient_id"]]
        doses[row["patient_id"]].append(_dose(row["id"], row["dosed_at"], zone, by))
    return {i: Windows(tuple(doses[i]), zones[i]) for i in zones}


_VERSION: Final = (sessions.c.protocol_key, sessions.c.protocol_version)


def doses_told(clinic_id: Any, patient_id: Any) -> ColumnElement[str]:
    """The instants of a patient's doses as one text, each with the days of its window (0 where it
    began with no version): an SQL expression for a hot read."""
    s = sessions.c
    of_patient = s.patient_id == patient_id
    comma: Any = literal_column("','")
    days = cast(func.coalesce(s.window_days, literal_column("0")), String)
    dose = cast(dosed_at(), String).concat(literal_column("'/'", String)).concat(days)
    told = select(func.aggregate_strings(dose, comma))
    return told.where(*_is_dose(clinic_id), of_patient).scalar_subquery()


def windows_told(told: str | None, zone: str) -> Windows:
    """The windows that `doses_told` and the patient's time zone make; their sessions unnamed, and
    their phases those of the shipped protocol."""
    doses = (_dose_told(each, zone) for each in (told or "").split(",") if each)
    return Windows(tuple(sorted(doses, key=lambda dose: dose.at)), zone)


def _dose_told(told: str, zone: str) -> Dose:
    moment, _, days = told.partition("/")
    at = datetime.fromisoformat(moment)
    dose = _dose(NOBODY, at.replace(tzinfo=at.tzinfo or UTC), zone, in_use())
    return replace(dose, days=int(days)) if days not in ("", "0") else dose


def _dose(session_id: UUID, at: datetime, zone: str, by: Protocol) -> Dose:
    return Dose(session_id, at, at.astimezone(ZoneInfo(zone)).date(), by.days, by)


def _is_dose(clinic_id: Any) -> list[ColumnElement[bool]]:
    return [sessions.c.clinic_id == clinic_id, *is_dose()]


def dosed_at() -> ColumnElement[datetime]:
    """The instant of the dose of a dosing session: its last standing one, else its completion."""
    s = sessions.c
    return func.coalesce(s.last_dose_at, s.completed_at, type_=Instant())


def is_dose() -> list[ColumnElement[bool]]:
    """The conditions that a session was one of a dose: one stands, or it was held to its end."""
    s = sessions.c
    held = case((s.state == "completed", s.completed_at))
    # Not `or`: of two ways SQLite takes one by itself that reads every session of the clinic.
    at = func.coalesce(s.last_dose_at, held, type_=Instant())
    return [s.kind == "dosing", at.is_not(None), s.deleted_at.is_(None)]


def is_completed(kind: str) -> list[ColumnElement[bool]]:
    """The conditions that a session of this kind has been held to its end."""
    s = sessions.c
    held = [s.state == "completed", s.completed_at.is_not(None)]
    return [s.kind == kind, *held, s.deleted_at.is_(None)]


def last_dose_at() -> ColumnElement[datetime]:
    """The instant of the last dose of a row of `patients`, or null: an SQL expression."""
    s = sessions.c
    of_patient = s.patient_id == patients.c.id
    last = select(func.max(dosed_at(), type_=Instant())).where(
        *_is_dose(patients.c.clinic_id), of_patient
    )
    return last.correlate(patients).scalar_subquery()


def stands(clinic_id: UUID, window: str) -> ColumnElement[bool]:
    """The SQL condition that a row of `patients` has the window `open`, `closed`, or `none`.

    Asks once in which time zones the clinic's patients live, and how long its windows are.
    """
    if window == NONE:
        return last_dose_at().is_(None)
    opened = _opened_since(clinic_id)
    return last_dose_at() >= opened if window == OPEN else last_dose_at() < opened


def _opened_since(clinic_id: UUID) -> ColumnElement[datetime]:
    """From which instant on a dose's window is open still, by the time zone of a patient's row and
    by how long the window after their last dose is."""
    p, s, usual = patients.c, sessions.c, in_use().days
    lived_in = select(p.time_zone, null().label("days")).where(p.clinic_id == clinic_id)
    lasting = select(null(), cast(s.window_days, Integer)).where(*_is_dose(clinic_id))
    rows = store().rows(select(lived_in.union(lasting).subquery()))
    zones = [row["time_zone"] for row in rows if row["time_zone"] is not None] or ["UTC"]
    lengths = sorted({row["days"] for row in rows} - {None, usual})
    by = {days: _since(zones, days) for days in (usual, *lengths)}
    if not lengths:
        return by[usual]
    last = _last_length()
    return case(*((last == days, by[days]) for days in lengths), else_=by[usual])


def _since(zones: Iterable[str], days: int) -> ColumnElement[datetime]:
    since = {zone: literal(_first_midnight(zone, days), Instant()) for zone in zones}
    return case(since, value=patients.c.time_zone)


def _last_length() -> ColumnElement[int]:
    """How long the window after the last dose of a row of `patients` is; null: as usual."""
    s = sessions.c
    of_patient = s.patient_id == patients.c.id
    doses = select(s.window_days).where(*_is_dose(patients.c.clinic_id), of_patient)
    last = doses.order_by(dosed_at().desc(), s.id.desc()).limit(1)
    return last.correlate(patients).scalar_subquery()


def _first_midnight(zone: str, days: int) -> datetime:
    first = clock.today(zone) - timedelta(days=days)
    return datetime.combine(first, time.min, ZoneInfo(zone))


def unusual_lengths(clinic_id: UUID) -> dict[tuple[UUID, datetime], int]:
    """How long the windows are that have an unusual length and may be open still, by patient and
    instant of the dose; one query."""
    s, since = sessions.c, clock.now() - timedelta(days=DAYS[1] + 2)
    unlike = [s.window_days != in_use().days, dosed_at() >= since]
    asked = select(s.patient_id, dosed_at().label("at"), s.window_days)
    rows = store().rows(asked.where(*_is_dose(clinic_id), *unlike))
    return {(row["patient_id"], row["at"]): row["window_days"] for row in rows}


def needs_integration() -> ColumnElement[bool]:
    """The SQL condition that no integration session was completed since the last dose."""
    s = sessions.c
    met = exists().where(
        s.clinic_id == patients.c.clinic_id,
        s.patient_id == patients.c.id,
        *is_completed("integration"),
        s.completed_at >= last_dose_at(),
    )
    return and_(last_dose_at().is_not(None), ~met.correlate(patients))
