"""Limited data sets: who gets them, by which agreement, until when, and what is in them."""

import gzip
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet as pq
import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, text, update

from api import clock, config, db, worker
from api.access.policies import Role
from api.access.users import users
from api.audit.trail import audit_event_patients, audit_events
from api.core import clocks, consents, release
from api.core.release import codes, expiring, limited_shapes, shelf
from api.core.release.tables import (
    research_agreements,
    research_limited_rows,
    research_releases,
)
from api.errors import NotAllowed
from tests import builders
from tests.conftest import Caller
from tests.research import naive
from tests.research.clinic import (
    CANARIES,
    Clinic,
    codes_of,
    let_the_worker_run,
    make_clinic,
    make_release,
    withdraw,
)
from tests.research.reading import Files

DOOR = "/research/v1/projects"
NOTICE = "Limited Data Set: PHI"
TABLES = ("limited_subjects", "limited_sessions", "limited_scores", "limited_safety")


def agreement(made: Clinic, **odd: Any) -> dict[str, Any]:
    """The body of an agreement that names the clinic's analyst."""
    today = clock.now().date()
    return {
        "recipient": "University of the Hills",
        "signed_on": str(today - timedelta(days=3)),
        "expires_on": str(today + timedelta(days=300)),
        "analyst_ids": [str(made.analyst.user_id)],
        "uses": ["research"],
        "terms": list(release.TERMS),
        "consent_text_versions": ["1"],
    } | odd


def open_limited(app: Flask, made: Clinic) -> str:
    """The address of a further project of tier C."""
    officer = Caller(app.test_client(), made.officer.token)
    body = {"title": "T", "purpose": "P", "analyst_ids": [str(made.analyst.user_id)], "tier": "C"}
    opened = officer.post(DOOR, body)
    assert (opened.status_code, opened.json["tier"]) == (201, "C"), opened.text
    return f"{DOOR}/{opened.json['id']}"


def row_of(path: str) -> db.Values:
    """The newest release of the project at an address."""
    r = research_releases.c
    mine = r.project_id == project_of(path)
    with db.transaction() as store:
        rows = store.rows(select(research_releases).where(mine).order_by(r.number.desc()))
    return rows[0]


def project_of(path: str) -> UUID:
    """The id of the project at an address."""
    return UUID(path.rpartition("/")[2])


@pytest.fixture(scope="module")
def made(application: Flask) -> Clinic:
    """A clinic with canaries in every text."""
    with application.app_context():
        return make_clinic(80, seed=31, texts=True)


@pytest.fixture(scope="module")
def told(application: Flask, made: Clinic) -> Iterator[str]:
    """The address of a project of tier C with one release."""
    with application.app_context():
        path = open_limited(application, made)
        officer = Caller(application.test_client(), made.officer.token)
        signed = officer.post(f"{path}/agreements", agreement(made))
        assert signed.status_code == 201, signed.text
        analyst = Caller(application.test_client(), made.analyst.token)
        assert analyst.post(f"{path}/releases").status_code == 202
        let_the_worker_run()
    yield path
    db.leave_store()


@pytest.fixture(scope="module")
def files(told: str) -> Files:
    """Its files, as they are made anew where they lack."""
    row = row_of(told)
    assert row["state"] == "ready", row
    shelf.find(row, "limited_scores.parquet")
    return Files(shelf.folder(row))


def sign_in_anew(person: builders.Person) -> None:
    """They proved who they are just now."""
    with db.transaction():
        builders.let_sign_in_age(person, 0)


def later(app: Flask, person: builders.Person) -> Caller:
    """A client of somebody who signs in at the moment to which the clock was moved."""
    with db.transaction() as store:
        user = store.row(select(users).where(users.c.id == person.user_id))
        sign_in_id = builders.make_sign_in(db.found(user))
    return Caller(app.test_client(), replace(person, sign_in_id=sign_in_id).token)


@pytest.fixture
def analyst(app: Flask, made: Clinic) -> Caller:
    sign_in_anew(made.analyst)
    return Caller(app.test_client(), made.analyst.token)


@pytest.fixture
def officer(app: Flask, made: Clinic) -> Caller:
    sign_in_anew(made.officer)
    return Caller(app.test_client(), made.officer.token)


READS = (
    "/releases",
    "/releases/1/manifest",
    "/releases/1/codebook",
    "/releases/1/files/limited_scores.parquet",
)


def test_nobody_asks_or_reads_whom_no_agreement_names(
    app: Flask, made: Clinic, analyst: Caller, officer: Caller, told: str
) -> None:
    path = open_limited(app, made)
    refused = analyst.post(f"{path}/releases")
    assert refused.status_code == 403 and "agreement" in refused.json["detail"]
    with db.transaction():
        other = builders.make_person(made.clinic_id, Role.ANALYST)
    project = officer.get(told).json
    both = [str(made.analyst.user_id), str(other.user_id)]
    named = officer.patch(told, {"analyst_ids": both}, project["version"])
    assert named.status_code == 200, named.text
    caller = Caller(app.test_client(), other.token)
    assert caller.get(told).status_code == 200  # what the project is
    for read in READS:
        assert caller.get(told + read).status_code == 403, read
        assert analyst.get(told + read).status_code == 200, read
    assert caller.post(f"{told}/releases").status_code == 403


def test_who_is_named_but_taken_off_the_project_finds_nothing(
    app: Flask, made: Clinic, officer: Caller
) -> None:
    path = open_limited(app, made)
    with db.transaction():
        other = builders.make_person(made.clinic_id, Role.ANALYST)
    both = [str(made.analyst.user_id), str(other.user_id)]
    version = officer.patch(path, {"analyst_ids": both}, 1).json["version"]
    signed = officer.post(f"{path}/agreements", agreement(made, analyst_ids=both))
    caller = Caller(app.test_client(), other.token)
    assert caller.get(f"{path}/releases").status_code == 200
    version = signed.json["version"]
    officer.patch(path, {"analyst_ids": [str(made.analyst.user_id)]}, version)
    assert caller.get(f"{path}/releases").status_code == 404
    assert caller.post(f"{path}/releases").status_code == 404


@pytest.mark.parametrize(
    ("odd", "pointer"),
    [
        ({"analyst_ids": []}, "/analyst_ids"),
        ({"analyst_ids": [str(uuid4())]}, "/analyst_ids/0"),
        ({"uses": []}, "/uses"),
        ({"uses": ["marketing"]}, "/uses/0"),
        ({"terms": ["safeguards"]}, "/terms"),
        ({"consent_text_versions": []}, "/consent_text_versions"),
        ({"expires_on": None}, "/expires_on"),
        ({"expires_on": "2020-01-01"}, "/expires_on"),
        ({"signed_on": "2999-01-01", "expires_on": "2999-01-02"}, "/signed_on"),
    ],
)
def test_an_agreement_says_all_that_the_law_asks(
    app: Flask, made: Clinic, officer: Caller, odd: dict[str, Any], pointer: str
) -> None:
    path = open_limited(app, made)
    refused = officer.post(f"{path}/agreements", agreement(made, **odd))
    assert refused.status_code == 422, refused.text
    assert pointer in {one["pointer"] for one in refused.json["errors"]}
    assert officer.get(path).json["agreements"] == []


def test_a_project_of_tier_b_takes_no_such_agreement_and_stays_b(
    made: Clinic, officer: Caller
) -> None:
    path = f"{DOOR}/{made.project_id}"
    refused = officer.post(f"{path}/agreements", agreement(made))
    assert refused.status_code == 422
    project = officer.get(path).json
    assert project["tier"] == "B"
    assert officer.patch(path, {"tier": "C"}, project["version"]).status_code == 422


def test_every_file_says_what_it_is(files: Files, analyst: Caller, told: str) -> None:
    for table in TABLES:
        rows = files[table]
        assert rows and {row["notice"] for row in rows} == {NOTICE}
        assert NOTICE in (files.folder / f"{table}.ndjson").read_text()
        held = pq.read_table(files.folder / f"{table}.parquet")["notice"]
        assert set(held.to_pylist()) == {NOTICE}
    for name in ("datapackage.json", "codebook.md", "codebook.csv"):
        assert NOTICE in (files.folder / name).read_text(), name
    manifest = analyst.get(f"{told}/releases/1/manifest").json
    assert manifest["tier"] == "C" and NOTICE in manifest["basis"] and NOTICE in manifest["notice"]
    assert manifest["agreement_id"] == analyst.get(told).json["agreements"][0]["id"]
    assert [manifest[name] for name in ("k", "l", "k_of_visits")] == [None] * 3


def test_it_holds_true_days_ages_and_postal_codes(made: Clinic, told: str, files: Files) -> None:
    codes = codes_of(made, row_of(told)["project_id"])
    visited = naive.doses(made)
    rows = {row["subject_id"]: row for row in files["limited_subjects"]}
    assert len(rows) == len(made.patients)
    days: dict[str, list[str]] = {}
    for row in files["limited_sessions"]:
        days.setdefault(row["subject_id"], []).append(row["held_on"])
    zone = ZoneInfo("America/Denver")
    for person in naive.people(made):
        row, some = rows[codes[person["id"]]], visited[person["id"]]
        local = sorted(at.astimezone(zone).date() for at in some)
        assert row["first_dose_on"] == str(local[0]) and row["zip5"] == "83702"
        assert sorted(days[row["subject_id"]]) == list(map(str, local))
        age = naive.age_on(person["birth_on"], local[0])
        assert row["age_years"] == str(min(age, 90))


def test_it_holds_no_name_no_free_text_and_nothing_shared_for_less(files: Files) -> None:
    for path in files.paths:
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
        if path.suffix == ".parquet":
            raw = json.dumps(pq.read_table(path).to_pydict(), default=str).encode()
        assert [word for word in CANARIES if word.encode() in raw] == [], path.name
    for shape in limited_shapes.shapes().values():
        for one in shape.fields:
            closed = one.words or one.pattern or one.kind in ("date", "integer", "number")
            assert closed, one.name  # every value is of a list or a form: none is free
    names = {f.name for shape in limited_shapes.shapes().values() for f in shape.fields}
    barred = ("name", "city", "street", "phone", "email", "birth", "note", "chart", "patient")
    found = {name for name in names if any(word in name for word in barred)}
    assert found == {"sex_at_birth"}  # of the birth no day
    assert set(limited_shapes.shapes()) == set(TABLES)  # no steps, no moments


def test_codes_are_of_this_project_alone(made: Clinic, told: str) -> None:
    with db.within(made.clinic_id):
        codes.give_codes(made.clinic_id, made.project_id)
    mine = set(codes_of(made, row_of(told)["project_id"]).values())
    assert mine and mine & set(codes_of(made, made.project_id).values()) == set()


def test_no_key_and_no_cube_and_only_a_fresh_sign_in(
    made: Clinic, analyst: Caller, officer: Caller, told: str
) -> None:
    assert analyst.post(f"{told}/keys", {"name": "K"}).status_code == 409
    for cube in ("cube?cut=course", "cube.svg?cut=course"):
        assert analyst.get(f"{told}/{cube}").status_code == 404
    file = f"{told}/releases/1/files/limited_scores.csv.gz"
    answer = analyst.get(file)
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    assert officer.get(file).status_code == 403
    assert officer.get(f"{told}/releases/1/manifest").status_code == 200
    with db.transaction():
        builders.let_sign_in_age(made.analyst)
    stale = analyst.get(file)
    assert stale.status_code == 401
    assert "insufficient_user_authentication" in stale.headers["WWW-Authenticate"]
    assert analyst.get(f"{told}/releases/1/manifest").status_code == 200


def test_an_agreement_ends_with_its_last_day(
    app: Flask, made: Clinic, analyst: Caller, officer: Caller
) -> None:
    path = open_limited(app, made)
    today = clock.now().date()
    officer.post(f"{path}/agreements", agreement(made, expires_on=str(today)))
    assert analyst.get(f"{path}/releases").status_code == 200  # the last day counts
    mine = research_agreements.c.project_id == project_of(path)
    late = update(research_agreements).where(mine)
    with db.transaction() as store:
        store.execute(late.values(expires_on=today - timedelta(days=1)))
    assert analyst.get(f"{path}/releases").status_code == 403
    assert analyst.post(f"{path}/releases").status_code == 403


def test_an_agreement_that_is_ended_lets_nobody_read_and_its_files_go(
    app: Flask, made: Clinic, analyst: Caller, officer: Caller
) -> None:
    path = open_limited(app, made)
    signed = officer.post(f"{path}/agreements", agreement(made)).json["agreements"][0]
    assert analyst.post(f"{path}/releases").status_code == 202
    let_the_worker_run()
    row = row_of(path)
    assert shelf.folder(row).exists()
    assert officer.post(f"{path}/agreements/{uuid4()}/end").status_code == 404
    ended = officer.post(f"{path}/agreements/{signed['id']}/end")
    assert ended.status_code == 200 and ended.json["agreements"][0]["ended_at"] is not None
    assert not shelf.folder(row).exists()
    for read in READS:
        assert analyst.get(path + read).status_code == 403, read
    assert not shelf.folder(row).exists()
    again = officer.post(f"{path}/agreements/{signed['id']}/end")
    assert (again.status_code, again.json["state"]) == (409, "ended")


def files_that_went(row: db.Values) -> list[db.Values]:
    """The events of the trail that tell of files thrown away."""
    e = audit_events.c
    with db.transaction() as store:
        mine = (e.action == "research_release:discard", e.record_id == row["id"])
        return store.rows(select(audit_events).where(*mine))


def clear(made: Clinic) -> None:
    """The worker throws away what it must in one clinic."""
    with db.within(finding=True), db.transaction() as store:
        where = clocks.WHERE[expiring.discard_expired]()
        assert where is not None
        assert made.clinic_id in {row[0] for row in store.execute(where)}
    with db.within(made.clinic_id):
        for _ in range(20):
            with db.transaction():
                if not expiring.discard_expired():
                    return
    raise AssertionError("it never ends")


def test_what_an_agreement_opened_is_shut_from_the_minute_and_cleared_by_the_worker(
    app: Flask, made: Clinic, officer: Caller
) -> None:
    today = clock.now().date()
    other = limited_release(app, made)
    path = limited_release(app, made, expires_on=str(today + timedelta(days=2)))
    row, stays = row_of(path), row_of(other)
    file = f"{path}/releases/1/files/limited_scores.csv.gz"
    midnight = datetime.combine(today + timedelta(days=3), time(), UTC)
    with time_machine.travel(midnight - timedelta(minutes=1), tick=False):
        assert later(app, made.analyst).get(file).status_code == 200
        clear(made)
        assert shelf.folder(row).exists() and files_that_went(row) == []
    with time_machine.travel(midnight, tick=False):
        caller = later(app, made.analyst)
        assert shelf.folder(row).exists()  # no worker ran
        refused = [caller.get(path + read).status_code for read in READS]
        assert refused == [403] * len(READS) and caller.get(file).status_code == 403
        assert shelf.folder(row).exists()
        clear(made)
        clear(made)
    assert not shelf.folder(row).exists() and shelf.folder(stays).exists()
    signed = officer.get(path).json["agreements"][0]["id"]
    [event] = files_that_went(row)
    assert (event["door"], event["actor_id"], event["at"]) == ("worker", None, midnight)
    assert f"agreement:{signed}" in event["field_names"]
    assert kept_of(row) != [] and files_that_went(stays) == []


def test_files_stay_while_another_agreement_stands_and_come_back_with_a_new_one(
    app: Flask, made: Clinic, officer: Caller
) -> None:
    today = clock.now().date()
    path = limited_release(app, made, expires_on=str(today))
    officer.post(f"{path}/agreements", agreement(made, expires_on=str(today + timedelta(days=9))))
    row = row_of(path)
    file = f"{path}/releases/1/files/limited_scores.csv.gz"
    before = (shelf.folder(row) / "limited_scores.csv.gz").read_bytes()
    with time_machine.travel(clock.now() + timedelta(days=2)):
        clear(made)
        assert shelf.folder(row).exists()
    with time_machine.travel(clock.now() + timedelta(days=10)):
        caller = later(app, made.analyst)
        clear(made)
        assert not shelf.folder(row).exists() and caller.get(file).status_code == 403
        signed = later(app, made.officer).post(f"{path}/agreements", agreement(made))
        assert signed.status_code == 201, signed.text
        assert caller.get(file).data == before
        clear(made)
        assert shelf.folder(row).exists()


def test_the_worker_that_runs_clears_them(app: Flask, made: Clinic, officer: Caller) -> None:
    path = limited_release(app, made, expires_on=str(clock.now().date()))
    row = row_of(path)
    assert expiring.discard_expired in clocks.DUE
    with time_machine.travel(clock.now() + timedelta(days=1)):
        worker._everywhere(expiring.discard_expired)
    assert not shelf.folder(row).exists() and len(files_that_went(row)) == 1


def test_only_who_agreed_to_a_text_that_covers_it_is_in_it(app: Flask, made: Clinic) -> None:
    other, gone = made.patients[10], made.patients[11]
    c = consents.consents.c
    with db.transaction() as store:
        store.execute(
            update(consents.consents).where(c.patient_id == other).values(text_version="0")
        )
    withdraw(made, gone)
    path = limited_release(app, made)
    codes = codes_of(made, row_of(path)["project_id"])
    files = Files(shelf.folder(row_of(path)))
    there = {row["subject_id"] for row in files["limited_subjects"]}
    assert codes[made.patients[12]] in there
    assert codes[other] not in there and gone not in codes
    with db.transaction() as store:
        back = {"text_version": "1", "withdrawn_at": None}
        mine = c.patient_id.in_([other, gone])
        store.execute(update(consents.consents).where(mine).values(**back))


def limited_release(app: Flask, made: Clinic, **odd: Any) -> str:
    """The address of a further project of tier C, whose release the worker has made."""
    path = open_limited(app, made)
    Caller(app.test_client(), made.officer.token).post(f"{path}/agreements", agreement(made, **odd))
    asked = Caller(app.test_client(), made.analyst.token).post(f"{path}/releases")
    assert asked.status_code == 202, asked.text
    let_the_worker_run()
    return path


def test_an_agreement_that_ends_while_it_is_made_refuses_it(
    app: Flask, made: Clinic, officer: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = shelf.make

    def ending(row: db.Values, *more: Any) -> Any:
        monkeypatch.setattr(shelf, "make", make)
        a = research_agreements.c
        with db.transaction() as store:
            mine = (a.clinic_id == row["clinic_id"], a.project_id == row["project_id"])
            store.execute(update(research_agreements).where(*mine).values(ended_at=clock.now()))
        return make(row, *more)

    monkeypatch.setattr(shelf, "make", ending)
    path = limited_release(app, made)
    row = row_of(path)
    assert (row["state"], row["refused_for"]) == ("refused", ["no_agreement_in_force"])
    assert not shelf.folder(row).exists() and kept_of(row) == []


def kept_of(row: db.Values) -> list[db.Values]:
    """The frozen rows of a release as they lie in the database."""
    t = research_limited_rows.c
    with db.transaction() as store:
        return store.rows(
            select(research_limited_rows).where(
                t.clinic_id == row["clinic_id"], t.release_id == row["id"]
            )
        )


def test_frozen_rows_are_sealed(told: str, files: Files) -> None:
    kept = kept_of(row_of(told))
    assert {row["file"] for row in kept} == set(TABLES)
    for row in kept:
        assert row["rows"].startswith("v1.") and "83702" not in row["rows"]


def test_its_making_and_each_download_are_in_the_trail(
    made: Clinic, analyst: Caller, told: str
) -> None:
    name = "limited_subjects.ndjson"
    request_id = uuid4().hex
    analyst.get(f"{told}/releases/1/files/{name}", **{"X-Request-ID": request_id})
    with db.transaction() as store:
        [event] = store.rows(select(audit_events).where(audit_events.c.request_id == request_id))
        published = audit_events.c.action == "research_release:publish"
        mine = (published, audit_events.c.record_id == row_of(told)["id"])
        [making] = store.rows(select(audit_events).where(*mine))
        of = select(audit_event_patients).where(audit_event_patients.c.event_id == making["id"])
        count = len(store.rows(of))
    assert event["action"] == "research_release:download" and event["outcome"] == "ok"
    assert "agreement:" in event["field_names"]
    assert making["field_names"].endswith(" C") and count == len(made.patients)


def test_limited_data_sets_keep_no_distance(
    app: Flask, made: Clinic, analyst: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELEASE_SPACING_DAYS", "365")
    config.settings.cache_clear()
    try:
        path = limited_release(app, made)
        assert analyst.post(f"{path}/releases").status_code == 202
        let_the_worker_run()
        manifest = analyst.get(f"{path}/releases/2/manifest").json
        assert (manifest["spacing_days"], manifest["supersedes"]) == (0, 1)
    finally:
        monkeypatch.undo()
        config.settings.cache_clear()


def test_a_small_cohort_is_refused_here_too(app: Flask, small: Clinic) -> None:
    for person in (small.analyst, small.officer):
        sign_in_anew(person)
    row = row_of(limited_release(app, small))
    assert (row["state"], row["refused_for"]) == ("refused", ["cohort_too_small"])
    assert kept_of(row) == []


def test_the_core_refuses_too(app: Flask, made: Clinic) -> None:
    path = open_limited(app, made)
    with pytest.raises(NotAllowed), db.transaction():
        release.request_release(made.analyst.actor, project_of(path))
    assert make_release(made)["tier"] == "B"  # beside it the other tier goes on


@pytest.mark.parametrize("table", TABLES)
def test_the_three_formats_hold_the_same_rows(files: Files, table: str) -> None:
    at = files.folder / table
    readers = (
        f"read_csv('{at}.csv.gz', header=true, all_varchar=true, nullstr='')",
        f"read_ndjson('{at}.ndjson', sample_size=-1)",
        f"read_parquet('{at}.parquet')",
    )
    kinds = {"string": "VARCHAR", "integer": "INTEGER", "number": "DOUBLE", "date": "DATE"}
    fields = limited_shapes.shapes()[table].fields
    said = ", ".join(f'CAST("{f.name}" AS {kinds[f.kind]})' for f in fields)
    for one in readers:
        for other in readers:
            left = f"SELECT {said} FROM {one} EXCEPT ALL SELECT {said} FROM {other}"
            assert duckdb.sql(f"SELECT count(*) FROM ({left})").fetchall() == [(0,)]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_frictionless_finds_the_package_sound(files: Files, tmp_path: Path) -> None:
    from frictionless import Package

    shutil.copytree(files.folder, tmp_path / "release")
    report = Package(str(tmp_path / "release" / "datapackage.json")).validate()
    assert report.valid, report.flatten(["fieldName", "type", "note"])[:5]


def test_files_are_made_again_byte_for_byte(told: str, files: Files) -> None:
    before = {path.name: path.read_bytes() for path in files.paths}
    row = row_of(told)
    shelf.remove(row)
    for one in row["manifest"]["files"]:
        path, _ = shelf.find(row, one["name"])
        assert path.read_bytes() == before[one["name"]]


def test_a_role_for_research_may_ask_for_the_text_of_a_consent_and_read_no_rows(
    app: Flask, database: str
) -> None:
    said = " ".join(release.grants("r"))
    assert "text_version" in said and "research_limited_rows" not in said
    if database == "postgres":
        with db.transaction() as store:
            walled = text("SELECT relforcerowsecurity FROM pg_class WHERE relname = :name")
            for table in ("research_limited_rows", "research_agreement_users"):
                assert store.execute(walled, {"name": table}).scalar() is True
