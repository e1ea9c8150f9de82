"""Whether it helped, over many patients: whose figures, and that no difference tells of a few."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import combinations
from random import Random
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from hypothesis import given, settings, strategies as st
from sqlalchemy import Engine, event

from api import clock, db
from api.access.policies import Role
from api.core import clinic_outcomes as asked
from api.core.release.cube import ALL, OUTCOMES
from api.core.team_reach import care_team
from tests import builders
from tests.conftest import Caller
from tests.research.clinic import Clinic, make_clinic

URL = "/clinic/outcomes"


@pytest.fixture(scope="module")
def made(application: Flask) -> Clinic:
    with application.app_context():
        return make_clinic(90, seed=33)


def person(made: Clinic, role: Role = Role.CLINICIAN, **more: Any) -> builders.Person:
    with db.transaction():
        return builders.make_person(made.clinic_id, role, **more)


def take_on(made: Clinic, clinician_id: UUID, ids: list[UUID], role: str = "lead") -> None:
    with db.transaction() as store:
        for patient_id in ids:
            row = {"patient_id": patient_id, "clinician_id": clinician_id, "role": role}
            more = {"clinic_id": made.clinic_id, "from_at": clock.now() - timedelta(days=1)}
            store.add(care_team, row | more)


@pytest.fixture
def caller(app: Flask) -> Any:
    return lambda who: Caller(app.test_client(), who.token)


@pytest.fixture
def statements() -> Iterator[list[str]]:
    seen: list[str] = []

    def count(*given: Any) -> None:
        seen.append(given[2])

    event.listen(Engine, "before_cursor_execute", count)
    yield seen
    event.remove(Engine, "before_cursor_execute", count)


def test_a_clinician_reads_exact_figures_of_their_own_caseload(made: Clinic, caller: Any) -> None:
    mine = person(made)
    take_on(made, mine.user_id, made.patients[:5])
    told = caller(mine).get(f"{URL}?by=clinician").json
    assert (told["scope"], told["least"]) == ("caseload", None)
    improved = []
    for patient_id in made.patients[:5]:
        said = list(made.truth[patient_id]["phq-9"].items())
        if len(said) > 1:
            improved.append(said[0][1] - said[-1][1])
    assert told["total"]["n"] == len(improved)
    mean = sum(improved) / len(improved)
    assert told["total"]["mean_improvement"] == pytest.approx(mean, abs=0.006)
    [row] = told["rows"]
    assert (row["group"], row["n"]) == (str(mine.user_id), len(improved))
    assert row["display_name"] == "Clinician Test"
    months = caller(mine).get(f"{URL}?by=month").json["rows"]
    assert sum(row["n"] for row in months) == len(improved) and len(months[0]["group"]) == 7


def test_who_has_no_caseload_is_told_nothing(made: Clinic, caller: Any) -> None:
    told = caller(person(made)).get(f"{URL}?by=month").json
    assert (told["total"], told["rows"]) == (None, [])


def test_direct_and_administrators_read_the_clinic_in_groups_of_eleven(
    made: Clinic, caller: Any
) -> None:
    few = person(made)
    take_on(made, few.user_id, made.patients[20:27])  # seven: too few to be a group
    for who in (person(made, Role.ADMINISTRATOR), person(made, privileges=["direct"])):
        for by in asked.BY:
            told = caller(who).get(f"{URL}?by={by}").json
            assert (told["scope"], told["least"]) == ("clinic", 11)
            assert sum(row["n"] for row in told["rows"]) in (0, told["total"]["n"])
            for row in told["rows"]:
                assert row["n"] >= 11 and row["group"] != str(few.user_id)
                for name in OUTCOMES:
                    met = (row[name] or {"n": 0})["n"]
                    assert met == 0 or (met >= 11 and row["n"] - met not in range(1, 11))


def test_others_are_refused_and_words_are_strict(made: Clinic, caller: Any) -> None:
    for role in (Role.PRIVACY_OFFICER, Role.ANALYST):
        assert caller(person(made, role)).get(f"{URL}?by=month").status_code == 403
    mine = caller(person(made))
    for query in ("", "?by=patient", "?by=month&state=VT", "?by=month&instrument=phq"):
        assert mine.get(URL + query).status_code == 422, query


def test_another_clinic_counts_for_nothing(caller: Any) -> None:
    with db.transaction():
        far = builders.make_person(builders.make_clinic(), Role.ADMINISTRATOR)
    assert caller(far).get(f"{URL}?by=course_route").json["total"] is None


def test_as_many_queries_for_one_as_for_many(
    made: Clinic, caller: Any, statements: list[str]
) -> None:
    one, many = person(made), person(made)
    take_on(made, one.user_id, made.patients[:1])
    take_on(made, many.user_id, made.patients)
    counts = []
    for who in (one, many):
        statements.clear()
        assert caller(who).get(f"{URL}?by=clinician").status_code == 200
        # the trail names each patient in rows of one statement
        counts.append(len(statements))
    assert counts[0] == counts[1]


def course(random: Random) -> asked.Course:
    groups = {
        ALL: ALL,
        "course_route": random.choice(("intramuscular", "intravenous", "oral")),
        "month": random.choice(("2026-01", "2026-02", "2026-03")),
        "clinician": random.choice(("a", "b")),
    }
    met = {name: random.random() < 0.3 for name in OUTCOMES}
    met["remission"] &= met["response"]
    return asked.Course(UUID(int=0), groups, random.uniform(-5, 20), met)


def close(sets: list[int]) -> list[tuple[int, int]]:
    """Pairs of which one lies in the other but for one to ten people."""
    return [
        (a, b)
        for a, b in combinations(sets, 2)
        if a & b in (a, b) and 1 <= (a ^ b).bit_count() <= 10
    ]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6))
def test_no_two_tables_differ_by_one_to_ten_people(seed: int) -> None:
    random = Random(seed)
    found = [course(random) for _ in range(random.randrange(0, 150))]
    told, sets = asked.Told(), []
    for by in asked.ORDER:
        asked._table(told, *asked._family(found, by))
    sets = [one for one in told.sets if one]
    assert close(sets) == []


def test_tables_told_without_thought_differ_by_a_few() -> None:
    found = [course(Random(seed)) for seed in range(40)]
    sets = []
    for by in asked.ORDER:
        family, parts = asked._family(found, by)
        sets += [part.who for part in parts]
        sets += [family.outcomes[o] & part.who for o in OUTCOMES for part in parts]
    assert close([one for one in sets if one])
