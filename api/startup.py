"""What the clinic does not open its doors with: every reason in words, found before a request."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from flask.helpers import get_debug_flag
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DBAPIError

from api import db, field_keys, schema
from api.access import keys
from api.audit import checkpoints
from api.config import settings
from api.core import first_look
from api.errors import Unsafe

FLOORS: Final = {15: 14, 16: 10, 17: 6}
"""The oldest minor of each major version: before it statistics tell past the wall (CVE-2025-8713)
and plans forget it (CVE-2024-10976). Older majors are refused, newer ones have it."""
LOCAL: Final = ("localhost", "127.", "::1")
LEAST_PASSWORD: Final = 12
DEFAULTS: Final = ("password", "postgres", "freshtrail", "changeme", "change-me", "secret", "admin")

log = logging.getLogger("freshtrail")


@dataclass(frozen=True)
class Standing:
    """How the application stands in a PostgreSQL: as whom, on which server, by which way."""

    version: int
    fsync: str
    synchronous_commit: str
    is_superuser: bool
    bypasses: bool
    is_owner: bool
    rewrites: bool
    unwalled: tuple[str, ...]
    host: str
    has_tls: bool

    @property
    def is_local(self) -> bool:
        """Whether what is said to the server stays on this machine."""
        return self.host.startswith(("/", "@", *LOCAL)) or self.host == ""


ASKED: Final = text("""
SELECT current_setting('server_version_num')::int AS version,
  current_setting('fsync') AS fsync,
  current_setting('synchronous_commit') AS synchronous_commit,
  EXISTS (SELECT FROM pg_roles r WHERE r.rolsuper AND pg_has_role(r.oid, 'MEMBER')) AS is_superuser,
  EXISTS (SELECT FROM pg_roles r WHERE r.rolbypassrls AND pg_has_role(r.oid, 'MEMBER')) AS bypasses,
  EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace
    AND c.relkind = 'r' AND pg_has_role(c.relowner, 'MEMBER')) AS is_owner,
  EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace
    AND c.relname = ANY(:appended)
    AND has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')) AS rewrites,
  ARRAY(SELECT c.relname::text FROM pg_class c
    WHERE c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN
      (SELECT current_schema() UNION SELECT unnest(CAST(:apart AS text[]))))
    AND c.relkind = 'r' AND c.relname = ANY(:walled)
    AND NOT (c.relrowsecurity AND c.relforcerowsecurity) ORDER BY 1) AS unwalled
""")


def refuse_unsafe() -> None:
    """Raise `Unsafe`, with every reason that is found, rather than serve."""
    keys.check()
    field_keys.check()
    if not schema.is_served():
        raise Unsafe("The database is not at the newest schema: flask --app wsgi migrate.")
    vault_fits()
    if settings().mode != "production":
        return
    reasons = [*of_settings(), *of_keys(), *of_database(), *of_others()]
    if reasons:
        raise Unsafe("\n".join(reasons))


def vault_fits() -> None:
    """Raise `Unsafe` when the field keys at hand are not those of the database."""
    with db.transaction() as store:
        first_look.refuse_foreign_keys(store)


def of_settings() -> Iterator[str]:
    """What is wrong with the settings for production."""
    if get_debug_flag():
        yield "FLASK_DEBUG shows the inside to whoever causes a fault."
    for name, url in (
        ("DATABASE_URL", settings().url),
        ("MIGRATION_DATABASE_URL", settings().migration_database_url),
        ("REPLICA_URL", settings().replica_url),
        ("RESEARCH_DATABASE_URL", settings().research_url),
    ):
        if url and is_weak(make_url(url)):
            yield f"The password in {name} is empty, short or one that everybody knows."


def of_keys() -> Iterator[str]:
    """What is wrong with the keys for production alone: without one no checkpoint is written."""
    try:
        checkpoints.check()
    except Unsafe as problem:
        yield str(problem)


def is_weak(url: Any) -> bool:
    """Whether a database's password can be guessed; none at all is for sockets and certificates."""
    if url.password is None:
        return False
    known = (*DEFAULTS, str(url.username), str(url.database))
    return len(url.password) < LEAST_PASSWORD or url.password.casefold() in known


def of_database() -> Iterator[str]:
    """What is wrong with the database for production."""
    with db.transaction() as store:
        if store.on_postgres:
            yield from of_postgres(standing())
        if first_look.demo_accounts_present(store):
            yield "This database has demo accounts; production does not serve it."


def of_others() -> Iterator[str]:
    """What is wrong with how releases read and are kept, where the settings name a way of its own.

    One that does not answer keeps nobody from the clinic: nothing is said of it.
    """
    for name, url in (
        ("REPLICA_URL", settings().replica_url),
        ("RESEARCH_DATABASE_URL", settings().research_url),
    ):
        if not url.startswith("postgresql"):
            continue
        engine = db.make_engine(url, 1)
        try:
            found = standing(engine)
        except DBAPIError:
            log.warning(f"{name} does not answer; how it is reached was not looked at")
            continue
        finally:
            engine.dispose()
        yield from of_role(found, name)


def standing(engine: Engine | None = None) -> Standing:
    """How the application stands in the PostgreSQL it is connected to, or by another way."""
    names = [name for name in db.metadata.tables if name not in db.walls.OUTSIDE]
    asked = {"appended": [*db.walls.APPENDED], "walled": names}
    asked["apart"] = [*db.walls.APART.values()]
    with (engine or db.engine()).connect() as connection:
        found: Any = connection.execute(ASKED, asked).mappings().one()
        driver: Any = connection.connection.driver_connection
        way = {"host": driver.info.host, "has_tls": driver.pgconn.ssl_in_use}
        return Standing(**{**found, "unwalled": tuple(found["unwalled"])}, **way)


def of_postgres(found: Standing) -> Iterator[str]:
    """What is wrong with how the application stands in PostgreSQL, a line for each."""
    major, minor = divmod(found.version, 10_000)
    if major < min(FLOORS) or minor < FLOORS.get(major, 0):
        yield "PostgreSQL is too old: 15.14, 16.10, 17.6 or newer."
    yield from of_role(found, "DATABASE_URL")
    if found.unwalled:
        yield f"Without row-level security: {', '.join(found.unwalled)}."
    if "off" in (found.fsync, found.synchronous_commit):
        yield "PostgreSQL forgets what it acknowledged: fsync or synchronous_commit is off."


def of_role(found: Standing, name: str) -> Iterator[str]:
    """What is wrong with as whom, and by which way, an address of the settings reaches it."""
    if found.is_superuser or found.bypasses:
        yield f"The role of {name} passes through row-level security; it must not."
    if found.is_owner:
        yield f"The role of {name} owns the tables; the owner is for migrations alone."
    if found.rewrites:
        yield f"The role of {name} may rewrite the trail; `migrate` grants anew."
    if not found.is_local and not found.has_tls:
        yield f"What goes to the database at {found.host} is not encrypted: sslmode=verify-full."
