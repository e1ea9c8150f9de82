"""Retention: until when the law has a clinic keep a chart, reckoned from when the patient was seen.

HIPAA names no term for charts; states do: 5 years after the patient was last seen (Florida, Nevada)
to 11 (North Carolina), and records of minors to the age of 23 or 30 (the same two). What is kept of
consents and of who looked is documentation under HIPAA, six years (45 CFR 164.316(b)(2)(i),
164.530(j)). Where two terms may hold it is the longer one here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, and_, case, cast, exists, extract, func, or_, select

from api import clock
from api.access.users import clinics
from api.core.amendments import amendment_requests
from api.core.consents import consents
from api.core.integration.tables import goals, insights, journal, moments, practices, steps
from api.core.merges.table import STANDS, patient_merges
from api.core.outcomes.checkins import check_ins
from api.core.patients import patients
from api.core.treatment.sessions import sessions
from api.db import Instant, Values, day_at, found, store

OF_AGE, KEPT_TO_AGE = 18, 30
"""Records of a minor are kept to the age of 30 (North Carolina, the longest that is named), or for
the clinic's years from when they came of age, whichever is longer. Of whom no day of birth is known
nobody can say that they were of age: theirs are kept as if they were born when first seen."""
DOCUMENTED_FOR: Final = 6
"""Years for which consents and who looked are kept after they were last in effect."""
ENTRIES: Final = (check_ins, steps, moments, insights, goals, practices, journal)
"""What patients write, or somebody for them: who writes is not gone."""
DOCUMENTS: Final = (consents, amendment_requests)
"""What is documentation under HIPAA, also where it came after the patient was last seen."""
_ADMITTED: Final = patients.alias("admitted")


@dataclass(frozen=True)
class Kept:
    """When a patient was last seen, and until when (that day included) their chart is kept: by the
    state's law alone, and by all."""

    last_seen_on: date
    by_state: date
    until: date


def kept(clinic_id: UUID, patient_id: UUID) -> Kept:
    """Until when a chart is kept; with those that were merged into it."""
    p = patients.c
    mine = (p.clinic_id == clinic_id, p.id == patient_id)
    row = found(store().row(select(*seen_of()).where(*mine)))
    return kept_in(row, years_of(clinic_id))


def years_of(clinic_id: UUID) -> int:
    """For how many years the clinic keeps a chart after the patient was last seen."""
    asked = select(clinics.c.retention_years).where(clinics.c.id == clinic_id)
    return int(store().execute(asked).scalar_one())


def today() -> date:
    """The day by which a term is over everywhere: days here are those of UTC, and a clinic's own
    may end nearly a day later."""
    return (clock.now() - timedelta(days=1)).date()


def seen_of() -> list[Any]:
    """What is selected of `patients` and beside it, so that `kept_in` can tell."""
    p, first, last = patients.c, _session(func.min), _session(func.max)
    written = [_last_of(table).label(f"{table.name}_at") for table in ENTRIES]
    admitted = _merged_in().with_only_columns(func.max(_ADMITTED.c.created_at, type_=Instant()))
    more = (first.label("first_at"), last.label("last_at"))
    merged_at = admitted.scalar_subquery().label("merged_at")
    said = [_said_last(table).label(f"{table.name}_at") for table in DOCUMENTS]
    return [p.birth_on, p.created_at, p.discharged_on, *more, merged_at, *written, *said]


def kept_in(row: Values, years: int) -> Kept:
    """Until when a chart is kept, from a row of `seen_of`."""
    names = ["created_at", "last_at", "merged_at", *(f"{table.name}_at" for table in ENTRIES)]
    days = [row[name].date() for name in names if row[name] is not None]
    last: date = max([*days, row["discharged_on"] or days[0]])
    first = min(row["created_at"], row["first_at"] or row["created_at"]).date()
    by_state, born = after(last, years), row["birth_on"]
    if born is None or _is_minor(born, first):
        by_state = max(by_state, after(born or first, _age_kept(years)))
    said = [row[f"{table.name}_at"] for table in DOCUMENTS]
    documented = max([last, *(at.date() for at in said if at is not None)])
    return Kept(last, by_state, max(by_state, after(documented, DOCUMENTED_FOR)))


def is_over(years: int, today: date) -> list[ColumnElement[bool]]:
    """The SQL conditions that a row of `patients` is of a chart whose retention is over today."""
    p = patients.c
    day, documented = before(today, max(years, DOCUMENTED_FOR)), before(today, DOCUMENTED_FOR)
    moment, said = (datetime.combine(one, time(), UTC) for one in (day, documented))
    return [
        p.created_at < moment,
        or_(p.discharged_on.is_(None), p.discharged_on < day),
        func.coalesce(_session(func.max), p.created_at) < moment,
        ~_merged_in().where(_ADMITTED.c.created_at >= moment).exists(),
        *(func.coalesce(_last_of(table), p.created_at) < moment for table in ENTRIES),
        *(~exists().where(*_of_chart(t), t.c.updated_at >= said) for t in DOCUMENTS),
        _is_of_age(before(today, _age_kept(years))),
    ]


def _is_of_age(day: date) -> ColumnElement[bool]:
    """The SQL condition that nothing is kept for a minor: born before that day, if ever; of age
    when first seen."""
    p, moment = patients.c, datetime.combine(day, time(), UTC)
    long_ago = or_(p.created_at < moment, _session(func.min) < moment)
    grown = ~or_(_was_minor(p.created_at), _seen_as_minor())
    return or_(p.birth_on < day, and_(p.birth_on.is_(None), long_ago), grown)


def after(day: date, years: int) -> date:
    """The same day so many years later; of a leap day the one before."""
    leap = day.month == 2 and day.day == 29
    return (day - timedelta(days=1) if leap else day).replace(year=day.year + years)


def before(day: date, years: int) -> date:
    """The same day so many years earlier; of a leap day the one after.

    `after(other, years) < day` says the same as `other < before(day, years)`.
    """
    leap = day.month == 2 and day.day == 29
    return (day + timedelta(days=1) if leap else day).replace(year=day.year - years)


def _age_kept(years: int) -> int:
    return max(KEPT_TO_AGE, OF_AGE + years)


def _is_minor(born: date, day: date) -> bool:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day)) < OF_AGE


def _was_minor(at: Any) -> ColumnElement[bool]:
    """The same in SQL: days as numbers such as 20261125, whose difference is an age in years."""
    seen, born = (_number(day) for day in (day_at(at, 0), patients.c.birth_on))
    minor: ColumnElement[bool] = seen - born < OF_AGE * 10_000
    return minor


def _number(day: Any) -> Any:
    parts = ("year", "month", "day")
    year, month, number = (cast(extract(part, day), Integer) for part in parts)
    return year * 10_000 + month * 100 + number


def _seen_as_minor() -> ColumnElement[bool]:
    return exists().where(*_of_chart(sessions), _was_minor(sessions.c.starts_at))


def _of_chart(table: Any) -> Iterator[ColumnElement[bool]]:
    yield table.c.clinic_id == patients.c.clinic_id
    yield table.c.patient_id == patients.c.id


def _session(how: Any) -> Any:
    """When a chart's first or last session begins. Of the bare column SQLite would take the index
    of the calendar, and look through the clinic's sessions anew for each chart."""
    mine = [*_of_chart(sessions)]
    its = case((and_(*mine), sessions.c.starts_at))
    return select(how(its, type_=Instant())).where(*mine).scalar_subquery()


def _last_of(table: Any) -> Any:
    """When the last record of a chart was written: ids are in the order of making, so that the
    index of charts gives the last one without a look at the others."""
    last = select(table.c.created_at).where(*_of_chart(table)).order_by(table.c.id.desc()).limit(1)
    return last.scalar_subquery()


def _said_last(table: Any) -> Any:
    """When a document of a chart was made, changed or ended last."""
    last = func.max(table.c.updated_at, type_=Instant())
    return select(last).where(*_of_chart(table)).scalar_subquery()


def _merged_in() -> Any:
    """A select of the charts that were merged into this one."""
    m = patient_merges.c
    went = (_ADMITTED.c.clinic_id == m.clinic_id, _ADMITTED.c.id == m.merged_id)
    return select(_ADMITTED.c.id).where(*_of_chart(patient_merges), STANDS, *went)
