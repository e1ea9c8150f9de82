"""Retention: until when a chart is kept, told alike for one chart and for the list."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.dialects import sqlite

from api import clock, db
from api.access.users import clinics
from api.core import merges, retention
from api.core.consents import consents
from api.core.patients import patients
from api.core.retention import after, before
from tests import builders
from tests.builders import Scene

TODAY = date(2035, 3, 1)
DAYS = (date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1), date(2023, 12, 31))


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def admitted(scene: Scene, on: date, **more: Any) -> db.Values:
    """A patient admitted on a day, of whom nothing else is known."""
    row = builders.make_patient(scene.clinic_id, **more)
    mine = patients.update().where(patients.c.id == row["id"])
    db.store().execute(mine.values(created_at=at(on)))
    return row | {"created_at": at(on)}


def visit(row: db.Values, day: date) -> None:
    builders.make_session(row, starts_at=at(day), ends_at=at(day) + timedelta(hours=1))


def consented(scene: Scene, row: db.Values, day: date) -> None:
    """A consent that was withdrawn on a day; asked for as soon as the chart was made."""
    said = {"kind": "ehr_sharing", "text_version": "1", "granted_at": row["created_at"]}
    keys = {"clinic_id": scene.clinic_id, "patient_id": row["id"]}
    by = {"recorded_by": scene["CT"].user_id, "withdrawn_at": at(day)}
    one = db.store().add(consents, keys | said | by)
    mine = consents.update().where(consents.c.id == one["id"])
    db.store().execute(mine.values(updated_at=at(day)))


def kept(row: db.Values) -> retention.Kept:
    with db.transaction():
        return retention.kept(row["clinic_id"], row["id"])


def years(scene: Scene, number: int) -> None:
    with db.transaction() as store:
        mine = clinics.update().where(clinics.c.id == scene.clinic_id)
        store.execute(mine.values(retention_years=number))


def over(scene: Scene, today: date) -> set[Any]:
    """The charts whose retention is over, as SQL says."""
    with db.transaction() as store:
        rules = retention.is_over(retention.years_of(scene.clinic_id), today)
        mine = select(patients.c.id).where(patients.c.clinic_id == scene.clinic_id, *rules)
        return set(store.execute(mine).scalars())


def test_a_chart_is_kept_for_the_clinics_years_after_the_patient_was_seen(scene: Scene) -> None:
    with db.transaction():
        row = admitted(scene, date(2010, 5, 5), birth_on=date(1970, 1, 1))
        visit(row, date(2012, 6, 6))
    told = kept(row)
    assert told.last_seen_on == date(2012, 6, 6)
    assert told.until == told.by_state == date(2023, 6, 6)
    years(scene, 5)
    assert kept(row).by_state == date(2017, 6, 6)
    assert kept(row).until == date(2018, 6, 6), "documentation is kept for six years"


def test_who_writes_is_seen(scene: Scene) -> None:
    with db.transaction():
        row = admitted(scene, date(2010, 5, 5), birth_on=date(1970, 1, 1))
        by = {"author_id": scene["CT"].user_id, "author_kind": "clinician"}
        goal = builders.make_goal(row, **by)
        builders.make_step(builders.make_practice(goal))
    today = clock.now().date()
    assert kept(row).last_seen_on == today
    assert row["id"] not in over(scene, today)


def test_a_discharge_is_seen_and_so_is_a_chart_that_was_merged_into_it(scene: Scene) -> None:
    with db.transaction():
        born = {"birth_on": date(1970, 1, 1)}
        row = admitted(scene, date(2010, 5, 5), discharged_on=date(2011, 7, 7), **born)
        other = admitted(scene, date(2012, 8, 8))
    assert kept(row).last_seen_on == date(2011, 7, 7)
    with db.transaction():
        into = {"into": row["id"], "reason": "Admitted twice."}
        merges.merge_patient(scene["CA"].actor, other["id"], into)
    assert kept(row).last_seen_on == date(2012, 8, 8)
    assert row["id"] not in over(scene, date(2023, 8, 8))
    assert row["id"] in over(scene, date(2023, 8, 9))


@pytest.mark.parametrize(
    ("number", "last", "until"),
    [
        (5, date(2012, 6, 1), date(2024, 4, 1)),
        (11, date(2012, 6, 1), date(2024, 4, 1)),
        (20, date(2012, 3, 20), date(2032, 4, 1)),
        (20, date(2012, 6, 1), date(2032, 6, 1)),
    ],
)
def test_the_record_of_a_minor_is_kept_until_they_are_thirty_or_longer(
    scene: Scene, number: int, last: date, until: date
) -> None:
    """Who was a minor when first seen, whenever last."""
    years(scene, number)
    with db.transaction():
        row = admitted(scene, date(2011, 3, 1), birth_on=date(1994, 4, 1))
        visit(row, last)
        early = admitted(scene, last, birth_on=date(1994, 4, 1))
        visit(early, date(2011, 3, 1))
    for one in (row, early):
        assert kept(one).until == until
        assert one["id"] not in over(scene, until)
        assert one["id"] in over(scene, until + timedelta(days=1))


def test_who_may_have_been_a_minor_is_kept_as_one(scene: Scene) -> None:
    with db.transaction():
        row = admitted(scene, date(2010, 5, 5), birth_on=None)
        visit(row, date(2009, 4, 4))
    assert kept(row).until == date(2039, 4, 4)
    assert row["id"] not in over(scene, date(2039, 4, 4))
    assert row["id"] in over(scene, date(2039, 4, 5))


def test_of_age_on_the_birthday(scene: Scene) -> None:
    born = date(1996, 2, 29)
    with db.transaction():
        minor = admitted(scene, date(2014, 2, 28), birth_on=born)
        grown = admitted(scene, date(2014, 3, 1), birth_on=born)
    assert kept(minor).until == date(2026, 2, 28)
    assert kept(grown).until == date(2025, 3, 1)


@pytest.mark.parametrize("number", [5, 11, 13])
def test_the_list_and_the_one_chart_are_of_one_mind(scene: Scene, number: int) -> None:
    """Drawn at random around every edge there is; the seed is fixed."""
    draw, rows = Random(number), []
    years(scene, number)
    with db.transaction():
        for _ in range(60):
            seen = before(draw.choice((TODAY, *DAYS)), draw.choice((0, number, 6, 12)))
            born = before(seen, draw.choice((17, 18, 19, 40)))
            seen += timedelta(days=draw.randint(-2, 2))
            row = admitted(scene, seen, birth_on=draw.choice((born, born, None)))
            if draw.random() < 0.4:
                day = seen + timedelta(days=draw.choice((-400, -1, 1, 400)))
                visit(row, day)
            if draw.random() < 0.4:
                years_on = draw.choice((0, number - 6, number - 5))
                consented(scene, row, after(seen, years_on) + timedelta(days=draw.randint(-2, 2)))
            rows.append(row)
    days = [TODAY, *DAYS, *(after(day, number) for day in DAYS), date(2036, 2, 29)]
    days += [date(2053, 12, 31), date(2054, 2, 28), date(2054, 3, 1), date(2065, 3, 1)]
    told = {row["id"]: kept(row) for row in rows}
    seen_over = 0
    for today in {day + timedelta(days=more) for day in days for more in (-1, 0, 1)}:
        expected = {one for one, of in told.items() if of.until < today}
        assert over(scene, today) & set(told) == expected, today
        seen_over += len(expected)
    assert seen_over > 0


def test_back_and_forth_say_the_same_of_every_day() -> None:
    days = [date(2023, 12, 31) + timedelta(days=number) for number in range(0, 900, 1)]
    for number in (4, 5, 11):
        for day in days:
            for other in (before(day, number) + timedelta(days=more) for more in (-2, -1, 0, 1)):
                assert (after(other, number) < day) == (other < before(day, number))


def test_in_a_clinic_of_many_each_chart_is_looked_up_by_itself(
    on_sqlite_alone: None, scene: Scene
) -> None:
    """SQLite would go through the clinic's sessions for every chart: half a minute of 10,000."""
    with db.transaction() as store:
        rules = retention.is_over(11, TODAY)
        mine = select(*retention.seen_of()).where(patients.c.clinic_id == scene.clinic_id, *rules)
        asked = mine.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
        plan = store.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}")
        steps = [row[3] for row in plan if " sessions " in row[3]]
    assert len(steps) >= 4
    assert all("(clinic_id=? AND patient_id=?)" in step for step in steps), steps
