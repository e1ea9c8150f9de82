"""Attacks that lay releases side by side, and what becomes of those who did not agree."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask import Flask
from sqlalchemy import Connection, create_engine, select, text, update
from sqlalchemy.exc import ProgrammingError

from api import clock, config, db
from api.access.policies import Role
from api.core import consents, merges, release
from api.core.patients import patients
from api.core.release import freezing, shelf
from api.core.release.snapshot import snapshot
from api.core.release.tables import research_chunks, research_releases
from api.errors import Conflict
from tests import builders, roles
from tests.research import naive
from tests.research.clinic import (
    Clinic,
    _fill,
    answer,
    codes_of,
    make_clinic,
    make_release,
    withdraw,
)
from tests.research.reading import Files

QUASI = ("age_band", "sex_at_birth", "state", "diagnosis_group", "route")


@pytest.fixture
def growing(app: Flask) -> Clinic:
    """A clinic of 150 patients, of this test alone."""
    return make_clinic(150, seed=11)


def files_of(one: db.Values) -> Files:
    assert one["state"] == "ready", one
    return Files(shelf.folder(one))


def subjects(one: db.Values) -> dict[str, tuple[str, ...]]:
    return {row["subject_id"]: tuple(row[n] for n in QUASI) for row in files_of(one)["subjects"]}


def differing(one: Path, two: Path) -> Counter[tuple[str, ...]]:
    """The cells of two naive tables that differ, and by how many people."""
    before, after = (naive.counts(path, "state", "sex", "age") for path in (one, two))
    return Counter({cell: n for cell in before | after if (n := after[cell] - before[cell])})


def test_9_and_10_what_is_new_or_gone_in_the_next_release_names_nobody(
    growing: Clinic, tmp_path: Path
) -> None:
    plain = [naive.export(growing, tmp_path / "1", agreed=True)]
    one = make_release(growing)
    there = subjects(one)
    codes = codes_of(growing, growing.project_id)
    gone = next(who for who in growing.patients if codes[who] in there)
    [row] = [row for row in naive.read(plain[0]) if row["chart_id"] == str(gone)]
    withdraw(growing, gone)
    plain.append(naive.export(growing, tmp_path / "2", agreed=True))
    assert differing(*plain) == {(row["state"], row["sex"], row["age"]): -1}  # it is theirs
    two = make_release(growing)
    assert set(there) - set(subjects(two)) >= {codes[gone]}
    assert two["cube"]["tables"] == one["cube"]["tables"]  # no figure says where
    with db.transaction():
        _fill(growing, Random(5), 90, growing_therapist(growing), False)
    plain.append(naive.export(growing, tmp_path / "3", agreed=True))
    assert 1 in differing(*plain[1:]).values()  # who came alone into a cell
    three = make_release(growing)
    new = set(subjects(three)) - set(there)
    came = Counter(subjects(three)[code] for code in new)
    assert new and min(came.values()) >= 11
    assert {c: v for c, v in subjects(three).items() if c in there} == {
        c: v for c, v in there.items() if c in subjects(three)
    }


def growing_therapist(made: Clinic) -> Any:
    from api.access.users import users

    with db.transaction() as store:
        row = store.row(
            select(users.c.id).where(
                users.c.clinic_id == made.clinic_id, users.c.role == "clinician"
            )
        )
    return db.found(row)["id"]


def test_11_a_year_of_daily_calls_gets_one_release(
    growing: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    visited = {who: [at.date() for at in some] for who, some in naive.doses(growing).items()}
    began, learned = clock.now().date() - timedelta(days=365), dict[Any, date]()
    for day in (began + timedelta(days=n) for n in range(366)):
        pulled = {who for who, some in visited.items() if some[0] <= day}  # the rows of that day
        for who in pulled - set(learned):
            learned[who] = day
    within_the_year = {who: some[0] for who, some in visited.items() if some[0] > began}
    assert len(within_the_year) > 20
    assert all(learned[who] == day for who, day in within_the_year.items())  # each to the day
    first_at = make_release(growing)["frozen_at"]
    monkeypatch.setenv("RELEASE_SPACING_DAYS", "365")
    config.settings.cache_clear()
    try:
        for day in (1, 30, 200, 364):
            with time_machine.travel(clock.now() + timedelta(days=day)):
                let_sign_in(growing)
                again = (first_at + timedelta(days=365)).date()
                too_soon = f"365 days apart; .* after {again}"
                with pytest.raises(Conflict, match=too_soon), db.transaction():
                    release.request_release(growing.analyst.actor, growing.project_id)
        with time_machine.travel(clock.now() + timedelta(days=366)):
            let_sign_in(growing)
            two = make_release(growing)
            assert two["manifest"]["spacing_days"] == 365
            assert (two["frozen_at"] - first_at).days >= 365  # no event is known more narrowly
    finally:
        monkeypatch.undo()
        config.settings.cache_clear()


def let_sign_in(made: Clinic) -> None:
    """The analyst signed in just now."""
    with db.transaction() as store:
        from api.access.users import users

        row = store.row(select(users).where(users.c.id == made.analyst.user_id))
        made.analyst.sign_in_id = builders.make_sign_in(db.found(row))


def charts(path: Path) -> set[str]:
    """Who is in a naive export."""
    return {row["chart_id"] for row in naive.read(path)}


def test_29_who_did_not_agree_is_nowhere(growing: Clinic, tmp_path: Path) -> None:
    never, gone = growing.patients[5], growing.patients[6]
    c = consents.consents.c
    with db.transaction() as store:
        store.execute(consents.consents.delete().where(c.patient_id == never))
    withdraw(growing, gone)
    assert {str(never), str(gone)} <= charts(naive.export(growing, tmp_path))  # it asks nobody
    one = make_release(growing)
    codes = codes_of(growing, growing.project_id)
    assert never not in codes and gone not in codes
    assert one["manifest"]["subjects"] <= len(growing.patients) - 2


def test_29_who_withdraws_while_it_is_made_is_nowhere(
    growing: Clinic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made, late = shelf.make, growing.patients[8]
    whom = naive.people(growing, agreed=True)  # it asks before, and then it writes

    def withdrawing(*given: Any) -> Any:
        monkeypatch.setattr(shelf, "make", made)
        withdraw(growing, late)
        return made(*given)

    monkeypatch.setattr(shelf, "make", withdrawing)
    one = make_release(growing)
    plain = naive.write([naive.row_of(person) for person in whom], tmp_path)
    assert str(late) in charts(plain) and late not in charts_agreed(growing)
    code = codes_of(growing, growing.project_id)[late]
    for path in files_of(one).paths:
        assert code.encode() not in path.read_bytes()
    assert code not in subjects(one)


def charts_agreed(made: Clinic) -> set[Any]:
    """Who agrees as the database stands now."""
    return {person["id"] for person in naive.people(made, agreed=True)}


def test_30_who_is_no_more_is_nowhere(growing: Clinic, tmp_path: Path) -> None:
    late = growing.patients[9]
    with db.transaction() as store:
        gone = update(patients).where(patients.c.id == late).values(deleted_at=clock.now())
        store.execute(gone)
    assert str(late) in charts(naive.export(growing, tmp_path))
    one = make_release(growing)
    assert late not in codes_of(growing, growing.project_id)
    assert {row["end_state"] for row in files_of(one)["subjects"]} <= {
        "in_treatment",
        "discharged",
        "",
    }


def test_30_two_charts_of_one_person_are_one_subject(growing: Clinic, tmp_path: Path) -> None:
    twice, kept = growing.patients[9], growing.patients[10]
    with db.transaction():
        clerk = builders.make_person(growing.clinic_id, Role.ADMINISTRATOR)
        merges.merge_patient(clerk.actor, twice, {"into": kept, "reason": "Entered twice."})
    rows = [naive.row_of(person) for person in naive.people(growing)]
    assert {str(twice), str(kept)} <= charts(naive.write(rows, tmp_path))  # one person twice
    one = make_release(growing)
    codes = codes_of(growing, growing.project_id)
    assert twice not in codes and codes[kept] in subjects(one)


def test_33_a_new_column_is_not_asked_for() -> None:
    from sqlalchemy import Column, MetaData, String, Table

    from api.core.release.allowed import columns

    wider = Table("steps", MetaData(), Column("walked_on", String), Column("weather", String))
    with create_engine("sqlite://").begin() as apart:
        wider.create(apart)
        apart.execute(wider.insert().values(walked_on="2026-01-01", weather="Janecanary"))
        plain = apart.execute(text("SELECT * FROM steps")).mappings().one()
    assert plain["weather"] == "Janecanary"  # an export of what is there has it at once
    assert columns(wider, "walked_on")
    with pytest.raises(PermissionError):
        columns(wider, "walked_on", "weather")


def test_33_every_column_of_the_database_is_classed() -> None:
    import api.cli  # noqa: F401 every table is known once all of it is
    from api.core.release.allowed import CLASSES, classes

    there = {f"{t.name}.{c.name}" for t in db.metadata.sorted_tables for c in t.c}
    assert sorted(there - set(classes())) == [], "put them into api/core/release/columns.txt"
    assert sorted(set(classes()) - there) == [], "columns that are not there any more"
    assert set(classes().values()) == set(CLASSES)
    held = ("legal_given", "legal_family", "contact", "external_ids", "preferred_name", "pronouns")
    assert {classes()[f"patients.{name}"] for name in held} == {"withheld"}


def test_36_an_old_release_is_made_again_byte_for_byte(growing: Clinic, tmp_path: Path) -> None:
    plain = [naive.export(growing, tmp_path / "1", agreed=True).read_bytes()]
    one = make_release(growing)
    told = {entry["name"]: entry["sha256"] for entry in one["manifest"]["files"]}
    before = {path.name: path.read_bytes() for path in files_of(one).paths}
    shelf.remove(one)
    withdraw(growing, growing.patients[3])  # what happened since is in later releases
    plain.append(naive.export(growing, tmp_path / "2", agreed=True).read_bytes())
    assert plain[0] != plain[1]  # made again, it is another export under the same name
    for name, digest in told.items():
        path, said = shelf.find(one, name)
        assert path.read_bytes() == before[name] and said == digest


def test_a_small_clinic_is_refused_by_rule_and_not_by_count(small: Clinic) -> None:
    one = make_release(small)
    assert one["state"] == "refused" and one["refused_for"] == ["cohort_too_small"]
    assert one["manifest"] is None and one["cube"] is None
    with db.transaction() as store:
        kept = select(research_chunks.c.place).where(research_chunks.c.release_id == one["id"])
        assert store.rows(kept) == []
    assert not shelf.folder(one).exists()


def test_a_release_left_by_a_worker_that_died_is_made_by_another(growing: Clinic) -> None:
    with db.transaction():
        asked = release.request_release(growing.analyst.actor, growing.project_id)
    with db.transaction():
        taken = freezing._claim()
    assert taken is not None and not freezing.make_next()
    r = research_releases.c
    with db.transaction() as store:
        old = update(research_releases).where(r.id == asked["id"])
        store.execute(old.values(lease_until=clock.now() - timedelta(minutes=1)))
    assert freezing.make_next()
    with db.transaction() as store:
        row = db.found(store.row(select(research_releases).where(r.id == asked["id"])))
    assert row["state"] == "ready"


def test_a_check_in_written_while_it_is_made_is_wholly_out(
    growing: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    gather, told_of = freezing.gather, growing.truth
    late = next(who for who in growing.patients[2:] if 14 not in told_of[who]["phq-9"])

    def answering(*given: Any) -> Any:
        monkeypatch.setattr(freezing, "gather", gather)
        answer(growing, late, 14, 26)  # nobody else has as many points
        return gather(*given)

    monkeypatch.setattr(freezing, "gather", answering)
    one, two = make_release(growing), make_release(growing)
    code = codes_of(growing, growing.project_id)[late]
    told = [
        {row["window"] for row in files_of(each)["scores"] if row["total"] == "26"}
        for each in (one, two)
    ]
    assert told == [set(), {"week_02"}] and code in subjects(two)
    wide = next(row for row in files_of(two)["scores_wide"] if row["subject_id"] == code)
    assert wide["phq9_total_w02"] == "26"


@contextmanager
def as_role(clinic_id: UUID, role: str) -> Iterator[Connection]:
    """A plain connection in a role that has named a clinic, as whoever broke in there has it."""
    engine = db.make_engine(roles.as_role(config.settings().url, role))
    try:
        about = engine.execution_options(within=db.Within(clinic_id))
        with about.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def test_34_who_reads_for_research_can_not_read_a_name(
    on_postgres_alone: None, growing: Clinic
) -> None:
    with as_role(growing.clinic_id, roles.APPLICATION) as connection:
        assert connection.execute(text("SELECT legal_family FROM patients")).first()
    assert make_release(growing)["state"] == "ready"
    for asked in ("legal_family FROM patients", "contact FROM patients", "text FROM moments"):
        with (
            db.within(growing.clinic_id),
            snapshot() as snap,
            pytest.raises(ProgrammingError, match="permission denied"),
        ):
            list(snap.rows(text(f"SELECT {asked}")))  # type: ignore[arg-type]


WHO_IS_WHO = text("SELECT patient_id, subject_id FROM research_subjects")


def test_34_who_answers_requests_can_not_read_who_is_who(
    on_postgres_alone: None, growing: Clinic
) -> None:
    one = make_release(growing)
    there, codes = subjects(one), codes_of(growing, growing.project_id)
    with roles.outside(config.settings().owner_url).begin() as connection:  # beside all else
        connection.execute(text("CREATE TABLE public.research_subjects AS TABLE research_subjects"))
        connection.execute(text(f"GRANT SELECT ON public.research_subjects TO {roles.APPLICATION}"))
    try:
        with as_role(growing.clinic_id, roles.APPLICATION) as connection:
            known = {code: who for who, code in connection.execute(WHO_IS_WHO)}
        assert {code: known[code] for code in there} == {
            code: who for who, code in codes.items() if code in there
        }  # everybody in the release has a chart
    finally:
        with roles.outside(config.settings().owner_url).begin() as connection:
            connection.execute(text("DROP TABLE public.research_subjects"))
    for place in ("research_subjects", "research_codes.research_subjects"):
        for asked in (f"SELECT * FROM {place}", f"TABLE {place}", f"DELETE FROM {place}"):
            with (
                as_role(growing.clinic_id, roles.APPLICATION) as connection,
                pytest.raises(ProgrammingError, match="permission denied|does not exist"),
            ):
                connection.execute(text(asked))


def test_34_codes_are_added_read_and_taken_away_in_the_clinic_that_is_meant_and_never_changed(
    on_postgres_alone: None, growing: Clinic
) -> None:
    make_release(growing)
    other = builders.make_clinic("Another")
    db.store().commit()
    with as_role(growing.clinic_id, roles.RESEARCH) as connection:
        assert len(connection.execute(WHO_IS_WHO).all()) == len(growing.patients)
    with as_role(other, roles.RESEARCH) as connection:
        assert connection.execute(WHO_IS_WHO).all() == []  # the second wall stands here too
    with as_role(
        other, roles.RESEARCH
    ) as connection:  # a chart that is removed takes its code along
        assert connection.execute(text("DELETE FROM research_subjects")).rowcount == 0
    with (
        as_role(growing.clinic_id, roles.RESEARCH) as connection,
        pytest.raises(ProgrammingError, match="permission denied"),
    ):
        connection.execute(text("UPDATE research_subjects SET subject_id = 'x'"))
