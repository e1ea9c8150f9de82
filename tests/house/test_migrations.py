"""Migrations go up and back on filled databases, and say what the tables say."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, event as listening, inspect, select, text
from sqlalchemy.exc import DBAPIError

from api import clock, db, schema
from api.config import settings
from api.core.purges.table import chart_purges
from api.db import walls
from tests import builders
from tests.conftest import empty_database


@pytest.fixture
def other_database(database: str, tmp_path: Path) -> Iterator[None]:
    """An empty database of the same engine; the application points at it meanwhile."""
    with empty_database(tmp_path):
        yield


def test_the_migrated_schema_is_what_the_tables_say(other_database: None) -> None:
    schema.upgrade()
    with db.engine().connect() as connection:
        opts = {"compare_type": False, "include_object": lies_here}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, db.metadata) == []
        if connection.dialect.name == "postgresql":
            for name, place in walls.APART.items():
                there = {one["name"] for one in inspect(connection).get_columns(name, place)}
                assert there == set(db.metadata.tables[name].c.keys())


def lies_here(_object: object, name: str | None, kind: str, *_more: object) -> bool:
    """Whether something is to be found in the schema that holds all else."""
    is_apart = kind == "table" and name in walls.APART
    return not is_apart or settings().url.startswith("sqlite")


def test_up_back_and_up_again_on_a_filled_database(other_database: None) -> None:
    schema.upgrade()
    assert db.schema_version() == schema.head()
    with db.transaction():
        builders.make_scene()
    command.downgrade(schema.configured(), "base")
    assert set(inspect(db.engine()).get_table_names()) <= {"alembic_version"}
    schema.upgrade()
    with db.transaction():
        builders.make_scene()


def test_a_purge_keeps_its_rules_and_a_new_reason_its_way_back(other_database: None) -> None:
    schema.upgrade()
    with db.transaction():
        scene = builders.make_scene()
    stopped = purge_of(scene) | {"state": "stopped", "stopped_for": "no_longer_entitled"}
    with db.within(scene.clinic_id), db.transaction() as store:
        row = store.add(chart_purges, stopped)
        store.add(chart_purges, purge_of(scene))
    for wrong in (
        {},  # a second one that is open
        {"state": "stopped", "stopped_for": "snow"},
        {"state": "snow"},
        {"state": "withdrawn", "approved_by": scene["CT"].user_id},
        {"state": "stopped", "began_at": clock.now()},
    ):
        with pytest.raises(DBAPIError), db.within(scene.clinic_id), db.transaction() as store:
            store.add(chart_purges, purge_of(scene) | wrong)
    for move, reason in (("0025", "chart_changed"), (schema.head(), "chart_changed")):
        schema.move(move)
        with db.within(scene.clinic_id), db.transaction() as store:
            asked = select(chart_purges.c.stopped_for).where(chart_purges.c.id == row["id"])
            assert store.execute(asked).scalar_one() == reason
    with db.within(scene.clinic_id), db.transaction() as store:
        store.add(chart_purges, stopped | {"id": db.new_id()})


def purge_of(scene: builders.Scene) -> db.Values:
    """A purge that was proposed."""
    return {
        "clinic_id": scene.clinic_id,
        "patient_id": scene.patient["id"],
        "state": "proposed",
        "last_seen_on": date(2010, 1, 1),
        "retained_until": date(2021, 1, 2),
        "proposed_by": scene["CT"].user_id,
        "expires_at": clock.now(),
    }


def test_a_failing_migration_leaves_nothing_behind(
    other_database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_late(connection, cursor, statement, *rest):  # type: ignore[no-untyped-def]
        if "CREATE TABLE steps" in statement:
            raise RuntimeError("broken on purpose")

    listening.listen(Engine, "before_cursor_execute", break_late)
    try:
        with pytest.raises(RuntimeError, match="on purpose"):
            schema.upgrade()
    finally:
        listening.remove(Engine, "before_cursor_execute", break_late)
    assert inspect(db.engine()).get_table_names() == []


def test_audit_rows_can_be_neither_changed_nor_deleted(database: str) -> None:
    nil = {"nil": "0" * 32}
    event = text(
        "INSERT INTO audit_events (clinic_id, id, at, action, outcome, door, request_id)"
        " VALUES (:nil, :nil, '2026-01-01 00:00:00', 'x', 'ok', 'x', 'x')"
    )
    patient = text("INSERT INTO audit_event_patients VALUES (:nil, :nil, :nil)")
    engine = create_engine(settings().owner_url)
    for statement in REWRITES:
        with engine.connect() as connection, pytest.raises(Exception, match="append only"):
            connection.execute(event, nil)
            connection.execute(patient, nil)
            connection.execute(text(statement))
    engine.dispose()


REWRITES = ("UPDATE audit_events SET outcome = 'ok'", "DELETE FROM audit_event_patients")


@pytest.mark.parametrize("statement", [*REWRITES, "TRUNCATE audit_events"])
def test_the_application_has_no_right_to_rewrite_the_trail(database: str, statement: str) -> None:
    if database == "sqlite":
        return  # there are no roles; the triggers above are what there is
    engine = create_engine(settings().url)
    with engine.connect() as connection, pytest.raises(Exception, match="permission denied"):
        connection.execute(text(statement))
    engine.dispose()
