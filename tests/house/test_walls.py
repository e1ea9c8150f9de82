"""The second wall stands around every table of a clinic, and what lies outside has its reason."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Connection, UniqueConstraint, create_engine, func, select, text
from sqlalchemy.exc import DBAPIError

from api import clock, config, db
from api.core.outcomes.checkins import writing
from api.core.patients.finding import _CHART
from api.core.patients.table import patients
from api.db import walls
from api.ending import refuse
from tests import builders, roles

TABLES = {name: table for name, table in db.metadata.tables.items() if name not in walls.OUTSIDE}
THERE = sorted(set(TABLES) - set(walls.APART))
"""Those that the application's role may ask for at all."""
RANDOM = {("attestations", "token_hash"), ("check_in_links", "token_hash")} | {
    ("invitations", "token_hash"),
    ("changes", "seq"),
    ("research_keys", "hash"),
    ("research_subjects", "subject_id"),
}
"""What is unique in the whole house: what was drawn at random, digests of it, and a place in the
feed. That one is taken tells nothing."""
HOW = text("""
SELECT c.relname::text AS name, c.relrowsecurity AND c.relforcerowsecurity AS walled,
  ARRAY(SELECT p.polname::text FROM pg_policy p WHERE p.polrelid = c.oid ORDER BY 1) AS policies
FROM pg_class c
WHERE c.relkind IN ('r', 'p')
AND c.relnamespace IN ('public'::regnamespace, 'research_codes'::regnamespace)
""")


@pytest.fixture
def postgres(on_postgres_alone: None, application: Any) -> None:
    """Only where there are roles and policies."""


@pytest.fixture
def as_application(postgres: None, scene: builders.Scene) -> Iterator[Connection]:
    """A plain connection in the application's role, in a transaction, with nothing said."""
    engine = create_engine(config.settings().url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def say(connection: Connection, name: str, value: object) -> None:
    connection.execute(select(func.set_config(f"app.{name}", str(value), True)))


def count(connection: Connection, table: str) -> int:
    return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_every_table_is_walled_or_has_a_reason_to_lie_outside(postgres: None) -> None:
    engine = create_engine(config.settings().owner_url)
    with engine.connect() as connection:
        found = {row["name"]: row for row in connection.execute(HOW).mappings()}
    engine.dispose()
    assert sorted(found) == sorted([*db.metadata.tables, "alembic_version"])
    for name, row in found.items():
        assert row["walled"] == (name not in walls.OUTSIDE), f"{name}: walls.laid, or a reason"
        assert row["policies"] == sorted(policies_of(name)), name


def policies_of(name: str) -> list[str]:
    if name in walls.OUTSIDE:
        return []
    made = [one for one in walls.laid(name) if one.startswith("CREATE POLICY")]
    return [one.split()[2] for one in made]


def test_what_lies_outside_says_why_and_is_there() -> None:
    assert all(len(reason) > 20 for reason in walls.OUTSIDE.values())
    assert set(walls.OUTSIDE) <= {*db.metadata.tables, "alembic_version"}
    narrow = {
        *walls.BY_ACCOUNT,
        *walls.BY_TOKEN,
        *walls.BY_CLIENT,
        *walls.BY_WORKER,
        *walls.APPENDED,
    }
    assert narrow <= set(TABLES)


def test_every_table_within_names_its_clinic() -> None:
    assert [name for name, table in TABLES.items() if "clinic_id" not in table.c] == []


def test_a_foreign_key_from_one_record_to_another_holds_the_clinic_too() -> None:
    for name, table in TABLES.items():
        for key in table.foreign_key_constraints:
            if key.referred_table.name in TABLES:
                pairs = {(one.parent.name, one.column.name) for one in key.elements}
                assert ("clinic_id", "clinic_id") in pairs, f"{name} -> {key.referred_table.name}"


def test_what_is_unique_is_so_within_a_clinic() -> None:
    for name, table in TABLES.items():
        keys = [list(table.primary_key.columns)]
        keys += [[*one.columns] for one in table.constraints if isinstance(one, UniqueConstraint)]
        keys += [[*one.columns] for one in table.indexes if one.unique]
        for key in keys:
            names = [column.name for column in key]
            assert "clinic_id" in names or (name, names[0]) in RANDOM or names == ["id"], name


def test_nothing_goes_around_the_wall_by_a_view_or_a_function(postgres: None) -> None:
    engine = create_engine(config.settings().owner_url)
    mine = "relnamespace = 'public'::regnamespace"
    views = f"SELECT relname FROM pg_class WHERE {mine} AND relkind IN ('v', 'm')"
    definers = (
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
    )
    with engine.connect() as connection:
        assert connection.execute(text(views)).all() == []
        assert connection.execute(text(definers)).all() == []
    engine.dispose()


def test_the_suite_runs_as_the_applications_role(postgres: None, scene: builders.Scene) -> None:
    with db.within(scene.clinic_id), db.transaction() as store:
        me = store.row(select(func.current_user().label("name"), func.session_user().label("by")))
    assert me == {"name": roles.APPLICATION, "by": roles.APPLICATION}


@pytest.mark.parametrize("name", THERE)
def test_with_nothing_said_no_row_is_there(as_application: Connection, name: str) -> None:
    assert count(as_application, name) == 0


def test_a_pooled_connection_has_forgotten_the_clinic_of_before(
    as_application: Connection, scene: builders.Scene
) -> None:
    say(as_application, "clinic_id", scene.clinic_id)
    assert count(as_application, "patients") == 2
    as_application.commit()
    assert count(as_application, "patients") == 0, "and no error: the setting is empty, not absent"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE patients SET clinic_id = :other",
        "UPDATE patients SET status = 'paused' WHERE clinic_id = :other",
        "DELETE FROM care_team WHERE clinic_id = :other",
        "INSERT INTO patient_words VALUES (:other, :patient, 'snow')",
        "INSERT INTO patient_words VALUES (:mine, :theirs, 'snow')",
    ],
)
def test_nothing_reaches_into_another_clinic(
    as_application: Connection, scene: builders.Scene, statement: str
) -> None:
    say(as_application, "clinic_id", scene.clinic_id)
    given = {
        "mine": scene.clinic_id,
        "other": scene["XT"].clinic_id,
        "patient": scene.patient["id"],
        "theirs": scene["XP"].patient_id,
    }
    try:
        changed = as_application.execute(text(statement), given).rowcount
    except Exception as problem:
        assert getattr(problem.orig, "sqlstate", "") in ("42501", "23503")  # type: ignore[attr-defined]
    else:
        assert changed == 0


def test_a_person_finds_their_own_users_and_nobody_elses(
    as_application: Connection, scene: builders.Scene
) -> None:
    with db.transaction() as store:
        users = db.metadata.tables["users"]
        mine = store.row(select(users).where(users.c.id == scene["XT"].user_id))
    assert mine is not None
    say(as_application, "account_id", mine["account_id"])
    found = as_application.execute(text("SELECT id FROM users")).scalars().all()
    assert found == [scene["XT"].user_id] and count(as_application, "patients") == 0


def test_an_ehr_client_is_found_by_its_id_and_no_other_is(
    as_application: Connection, scene: builders.Scene
) -> None:
    told = {"name": "EHR", "jwks": {"keys": []}, "scopes": "system/*.rs"}
    with db.transaction() as store:
        made = [
            store.add(
                db.metadata.tables["ehr_clients"],
                told | {"clinic_id": clinic_id, "external_system": f"urn:x:{uuid4()}"},
            )["id"]
            for clinic_id in (scene.clinic_id, scene["XT"].clinic_id)
        ]
    for one in made:
        say(as_application, "client_id", one)
        found = as_application.execute(text("SELECT id FROM ehr_clients")).scalars().all()
        assert found == [one] and count(as_application, "client_patients") == 0
    changed = as_application.execute(text("UPDATE ehr_clients SET scopes = 'system/*.cruds'"))
    assert changed.rowcount == 0, "it can be read so, and no more"


@pytest.mark.parametrize("name", sorted(walls.BY_TOKEN))
def test_a_secrets_digest_shows_no_row_but_its_own(
    as_application: Connection, scene: builders.Scene, name: str
) -> None:
    say(as_application, "token_hash", "0" * 64)
    assert count(as_application, name) == 0
    others = set(THERE) - {name}
    assert [one for one in others if count(as_application, one)] == []


def test_the_worker_may_look_and_not_touch(
    as_application: Connection, scene: builders.Scene
) -> None:
    say(as_application, "finding", "on")
    for name in set(THERE) - set(walls.BY_WORKER):
        assert count(as_application, name) == 0, name
    for name in set(walls.BY_WORKER) - set(walls.APPENDED):  # those nobody changes at all
        changed = as_application.execute(text(f"UPDATE {name} SET clinic_id = clinic_id"))
        assert changed.rowcount == 0, name


@pytest.mark.parametrize("name", TABLES)
def test_who_names_no_clinic_is_told_so_before_the_database_is(
    app: Any, scene: builders.Scene, name: str
) -> None:
    table = db.metadata.tables[name]
    walls.say(walls.NOBODY)
    for statement in (select(table), table.delete(), table.insert(), table.update()):
        with pytest.raises(db.NoClinic, match=name):
            db.store().execute(statement)


def test_a_clinic_named_within_a_transaction_is_the_one_that_is_shown(
    app: Any, scene: builders.Scene
) -> None:
    mine = select(patients.c.id).where(patients.c.id == scene.patient["id"])
    theirs = scene["XT"].clinic_id
    with db.transaction() as store, db.within(scene.clinic_id):
        assert store.row(mine) is not None
        if store.on_postgres:
            with db.within(theirs):
                assert store.row(mine) is None
            assert store.row(mine) is not None


@pytest.mark.parametrize(("hot", "filters"), [(_CHART, 2), (writing._CHART, 3)])
def test_a_hot_read_names_its_clinic_before_it_reads(
    postgres: None, scene: builders.Scene, hot: Any, filters: int
) -> None:
    trip, _names = hot._prepared(True)
    engine = create_engine(config.settings().url)
    values = {"sid_": scene["CT"].sign_in_id, "user_": scene["CT"].user_id}
    values |= {"clinic_": scene.clinic_id, "record_id": scene.patient["id"], "now_": clock.now()}
    values |= {"event_id_": uuid4(), "about_id_": None, "kind_": None, "door_": "v1"}
    values |= {"request_id_": "x", "client_ip_": None, "instrument": "phq-9"}
    full = {**trip.fixed, **values}
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        told = psycopg.RawCursor(driver).execute(
            b"EXPLAIN " + trip.query, [full[name] for name in trip.order]
        )
        plan = "\n".join(row[0] for row in told.fetchall())
    engine.dispose()
    named = [line for line in plan.splitlines() if "One-Time Filter" in line and "InitPlan" in line]
    assert len(named) == filters, plan


@pytest.mark.parametrize("wrong", ["taken", "elsewhere"])
def test_a_refused_unique_or_foreign_key_tells_nothing(
    app: Any, scene: builders.Scene, wrong: str
) -> None:
    goals = db.metadata.tables["goals"]
    with db.transaction() as store:
        made = builders.make_goal(scene.patient)
        row = store.row(select(goals).where(goals.c.id == made["id"]))
    assert row is not None
    foreign = {"id": uuid4(), "patient_id": scene["XP"].patient_id}
    with db.within(scene.clinic_id), pytest.raises(DBAPIError) as problem:
        db.store().execute(goals.insert().values(row | (foreign if wrong == "elsewhere" else {})))
    db.leave_store()
    with app.test_request_context():
        answer = refuse(problem.value)
    assert answer.status_code == 409
    assert (
        answer.json["detail"] == "It meets what is there already. Read again, and then try again."
    )  # type: ignore[index]
