"""A witness in the database: triggers write down which tables were changed, whatever did it."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from api import db
from tests import roles

_last = 0
DEEDS = ("INSERT", "UPDATE", "DELETE")
FUNCTION = """CREATE FUNCTION witness_it() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO witness (name) VALUES (TG_TABLE_NAME); RETURN NULL; END $$"""


@contextmanager
def present() -> Iterator[None]:
    """Every table is watched meanwhile."""
    global _last
    _last = 0
    with db.transaction() as store:
        on_postgres = store.on_postgres
        for statement in _statements(on_postgres):
            store.execute(text(statement))
    try:
        yield
    finally:
        with db.transaction() as store:
            for statement in _undone(on_postgres):
                store.execute(text(statement))


def _statements(on_postgres: bool) -> Iterator[str]:
    number = "BIGSERIAL PRIMARY KEY" if on_postgres else "INTEGER PRIMARY KEY AUTOINCREMENT"
    yield f"CREATE TABLE witness (n {number}, name TEXT NOT NULL)"
    yield "CREATE INDEX witness_request ON audit_events (request_id)"  # asked of at every cell
    if on_postgres:
        yield FUNCTION
        for role in (roles.APPLICATION, roles.RESEARCH):
            yield f"GRANT SELECT, INSERT ON witness TO {role}"
            yield f"GRANT USAGE ON SEQUENCE witness_n_seq TO {role}"
    for table in db.metadata.sorted_tables:
        name = table.name
        for deed in DEEDS:
            does = (
                "FOR EACH ROW EXECUTE FUNCTION witness_it()"
                if on_postgres
                else f"BEGIN INSERT INTO witness (name) VALUES ('{name}'); END"
            )
            yield f"CREATE TRIGGER saw_{name}_{deed} AFTER {deed} ON {name} {does}"


def _undone(on_postgres: bool) -> Iterator[str]:
    for table in db.metadata.sorted_tables:
        for deed in DEEDS:
            place = f" ON {table.name}" if on_postgres else ""
            yield f"DROP TRIGGER saw_{table.name}_{deed}{place}"
    if on_postgres:
        yield "DROP FUNCTION witness_it()"
    yield "DROP INDEX witness_request"
    yield "DROP TABLE witness"


def look() -> set[str]:
    """The tables in which a row was added, changed or removed since the last look."""
    global _last
    with db.transaction() as store:
        seen = store.execute(text("SELECT n, name FROM witness WHERE n > :n"), {"n": _last}).all()
    _last = max((n for n, _ in seen), default=_last)
    return {name for _, name in seen}
