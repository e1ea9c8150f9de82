"""The roles of a database as production has them, and how tests build outside of the wall."""

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text

from api import config, db
from api.core import release
from api.db import engines, stores, walls

APPLICATION, OWNER, BACKUP = "freshtrail_app", "freshtrail_owner", "freshtrail_backup"
RESEARCH = "freshtrail_research"
MAKE = (
    f"CREATE ROLE {OWNER} LOGIN BYPASSRLS",
    f"CREATE ROLE {APPLICATION} LOGIN",
    f"CREATE ROLE {BACKUP} LOGIN BYPASSRLS",
    f"CREATE ROLE {RESEARCH} LOGIN",
    f"GRANT pg_read_all_data TO {BACKUP}",
)
"""What the README has an administrator do once for a server."""
FOR_TESTS = (
    f"ALTER ROLE {OWNER} CREATEDB CREATEROLE",
    f"GRANT {APPLICATION} TO {OWNER}",
    f"GRANT pg_signal_backend TO {OWNER}",
)
"""Tests make databases and roles, and go through the wall within one transaction."""


def make_roles(server: str) -> None:
    """Make the roles that are not there; `server` is the URL of a superuser."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    password = make_url(server).password
    with engine.connect() as connection:
        known = set(connection.execute(text("SELECT rolname FROM pg_roles")).scalars())
        for statement in (*MAKE, *FOR_TESTS) if APPLICATION not in known else ():
            connection.execute(text(statement))
        for role in (OWNER, APPLICATION, BACKUP, RESEARCH) if password else ():
            quoted = str(password).replace("'", "''")
            connection.execute(text(f"ALTER ROLE {role} PASSWORD '{quoted}'"))
    engine.dispose()


def let_research_in() -> None:
    """Grant the role for research what it needs in the database of the settings (PostgreSQL)."""
    if not config.settings().research_url:
        return
    with outside(config.settings().owner_url).begin() as connection:
        for statement in release.grants(RESEARCH, APPLICATION):
            connection.execute(text(statement))


def as_role(url: str, role: str) -> str:
    """The URL under another role."""
    return make_url(url).set(username=role).render_as_string(hide_password=False)


_engines: dict[str, Engine] = {}


def outside(url: str) -> Engine:
    """The engine of whoever stands outside of the wall."""
    if url not in _engines:
        _engines[url] = db.make_engine(url)
        event.listen(_engines[url], "before_cursor_execute", engines._tell_watchers)
    return _engines[url]


def forget() -> None:
    """Close what was opened outside of the wall."""
    while _engines:
        _engines.popitem()[1].dispose()


class Building(stores.Store):
    """The store of a test: until a clinic is meant it builds and looks as the owner does.

    From the gate on, and in every request, it is the application's role with its clinic.
    """

    @property
    def _is_outside(self) -> bool:
        return self._stands_in is None and walls.said() is None

    def _open(self) -> Connection:
        self._was_outside = self._is_owner = self._is_outside
        url = config.settings().owner_url
        if not self._was_outside or not url.startswith("postgresql"):
            return super()._open()
        self._told = None
        connection = outside(url).connect()
        connection.begin()
        return connection

    @property
    def connection(self) -> Connection:
        """The connection, in the role that is meant now."""
        if self._connection is not None and self._is_outside:
            self._told = None
            self._be(OWNER)
            return self._connection
        return super().connection

    def _tell(self) -> None:
        self._be(APPLICATION)
        super()._tell()

    def _be(self, role: str) -> None:
        assert self._connection is not None
        is_owner = role == OWNER
        if self._was_outside and self._is_owner != is_owner:
            self._is_owner = is_owner
            if self._connection.dialect.name == "postgresql":
                stores.tell(self._connection, f"SET LOCAL ROLE {role}")

    def _refuse_unsaid(self, statement: Any) -> None:
        if not self._is_outside:
            super()._refuse_unsaid(statement)
