"""The second wall: PostgreSQL shows the rows of the one clinic that a transaction has named.

The first wall are the statements, each with its clinic; the second are row-level policies
(PostgreSQL manual, chapter 5.9), by which a statement that forgot it finds nothing. SQLite has the
first alone. What is asked of a clinic's table before a clinic is named fails here, on both.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Boolean, ColumnElement, Table, Text, cast, func, literal_column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.util import find_tables

OUTSIDE: Final[Mapping[str, str]] = {
    "clinics": "a clinic's name, zone and crisis numbers; read to choose one, and by the worker",
    "accounts": "found by the blind index of an address, before any clinic is chosen; sealed",
    "sign_ins": "found by the id that a refresh token names; ids and times alone",
    "refresh_tokens": "found by the digest of a secret; belongs to a sign-in",
    "half_sign_ins": "found by the digest of a secret, to count a try first; ids and times alone",
    "second_factors": "found by the account, before any clinic is chosen; the secret is sealed",
    "recovery_codes": "found by the account, before any clinic is chosen; blind indexes alone",
    "client_assertions": "digests of what an EHR client sent once, so that it is not taken twice",
    "throttles": "counts of tries under blind names, asked before anybody is known; of no clinic",
    "letters": "mails on their way to an account, whatever its clinics; address and token sealed",
    "password_resets": "found by the digest of a secret; belongs to an account",
    "worker_beats": "when each worker was last heard of; of no clinic",
    "alembic_version": "where the schema stands",
}
"""The tables without row-level security, each with why: none tells anything of a patient."""
APPENDED: Final = ("audit_events", "audit_event_patients", "audit_seals")
"""Tables to which the application adds and which it reads; it can neither change nor delete."""
BY_ACCOUNT: Final = ("users",)
"""Where a person's own rows are found in all clinics, once the account is known: to choose one."""
BY_TOKEN: Final[Mapping[str, str]] = {
    "invitations": "token_hash",
    "check_in_links": "token_hash",
    "attestations": "token_hash",
    "research_keys": "hash",
}
"""Where whoever holds a secret finds its one row, which names the clinic; with the digest's column.
"""
BY_CLIENT: Final = ("ehr_clients",)
"""Where an EHR client is found by the id that it signs in with, and no other client is."""
BY_WORKER: Final = (
    "outbox_events",
    "webhook_deliveries",
    "check_in_plans",
    "alerts",
    "audit_heads",
    "research_releases",
    "bulk_exports",
    "ehr_notifications",
    "audit_events",
    "audit_seals",
    "changes",
    "break_glass",
    "patient_merges",
    "chart_purges",
)
"""Where the worker looks which clinics have work that is due; it can only read so. They hold ids,
states and times; what somebody wrote is sealed."""

APART: Final[Mapping[str, str]] = {"research_subjects": "research_codes"}
"""Tables in a schema of their own (PostgreSQL), which the application's role can't enter once
another role keeps them; with the schema."""
SEARCH_PATH: Final = f"-c search_path=public,{','.join(APART.values())}"
"""How a connection is told where tables are found; who may not enter a schema finds none there."""


class NoClinic(RuntimeError):
    """A clinic's table was asked for before anybody said whose rows are meant."""


@dataclass(frozen=True)
class Within:
    """What the database is told a transaction is about: one clinic, or a narrow way to find it."""

    clinic_id: UUID | None = None
    account_id: UUID | None = None
    token_hash: str = ""
    client_id: UUID | None = None
    finding: bool = False

    def told(self) -> list[str]:
        """The settings, as statements that end with the transaction."""
        assert not self.token_hash or self.token_hash.isalnum()
        said = {
            "clinic_id": self.clinic_id or "",
            "account_id": self.account_id or "",
            "token_hash": self.token_hash,
            "client_id": self.client_id or "",
            "finding": "on" if self.finding else "",
        }
        return [f"SET LOCAL app.{name} = '{value}'" for name, value in said.items()]

    def beginning(self) -> str:
        """What begins a transaction and tells all this, in one trip."""
        said = [one for one in self.told() if not one.endswith("''")]
        return "; ".join(["BEGIN", *said])

    def shows(self, table: str) -> bool:
        """Whether the rows of a table can be found so."""
        if self.clinic_id is not None or table in OUTSIDE:
            return True
        return (
            (self.account_id is not None and table in BY_ACCOUNT)
            or (self.token_hash != "" and table in BY_TOKEN)
            or (self.client_id is not None and table in BY_CLIENT)
            or (self.finding and table in BY_WORKER)
        )


NOBODY: Final = Within()
"""Nothing was said: only what lies outside of the wall is there."""
_within: ContextVar[Within | None] = ContextVar("within", default=None)


def said() -> Within | None:
    """What was said for this request or piece of work; None when nothing ever was."""
    return _within.get()


def say(about: Within | None) -> None:
    """Say it for what follows, as at the beginning and the end of a request."""
    _within.set(about)


@contextmanager
def within(
    clinic_id: UUID | None = None,
    *,
    account_id: UUID | None = None,
    token_hash: str = "",
    client_id: UUID | None = None,
    finding: bool = False,
) -> Iterator[None]:
    """Let the database show one clinic's rows, or go a narrow way to find it, meanwhile."""
    before = _within.set(Within(clinic_id, account_id, token_hash, client_id, finding))
    try:
        yield
    finally:
        _within.reset(before)


def refuse_unsaid(statement: Any, about: Within) -> None:
    """Raise `NoClinic` for a statement that asks for rows of a clinic that nobody named."""
    tables = find_tables(
        statement,
        check_columns=True,
        include_aliases=True,
        include_joins=True,
        include_selects=True,
        include_crud=True,
    )
    names = {one.name for one in tables if isinstance(one, Table)}
    hidden = sorted(name for name in names if not about.shows(name))
    if hidden:
        raise NoClinic(f"{', '.join(hidden)}: say first whose rows are meant (db.within).")


class _NamedFirst(FunctionElement[bool]):
    inherit_cache = True
    type = Boolean()


def named_first(clinic: ColumnElement[UUID]) -> ColumnElement[bool]:
    """A condition by which a statement itself names its clinic before anything of it is read.

    PostgreSQL evaluates it once, above whatever the select reads: a one-time filter. Every part of
    the statement that reads a clinic's table needs it, for their order is the planner's. SQLite,
    which has no second wall, is told nothing.
    """
    setting: ColumnElement[str] = literal_column("'app.clinic_id'")
    until_the_end: ColumnElement[bool] = literal_column("true")
    told = func.set_config(setting, cast(clinic, Text), until_the_end)
    return _NamedFirst(select(told).scalar_subquery())


@compiles(_NamedFirst)
def _to_name(element: Any, compiler: Any, **more: Any) -> str:
    [told] = element.clauses
    return f"{compiler.process(told, **more)} IS NOT NULL"


@compiles(_NamedFirst, "sqlite")
def _to_name_nothing(_element: Any, _compiler: Any, **_more: Any) -> str:
    return "1 = 1"


CLINIC_IS: Final = "clinic_id = nullif(current_setting('app.clinic_id', true), '')::uuid"
ACCOUNT_IS: Final = "account_id = nullif(current_setting('app.account_id', true), '')::uuid"
TOKEN_IS: Final = " = nullif(current_setting('app.token_hash', true), '')"
CLIENT_IS: Final = "id = nullif(current_setting('app.client_id', true), '')::uuid"
IS_FINDING: Final = "current_setting('app.finding', true) = 'on'"


def laid(*tables: str) -> list[str]:
    """The statements that lay the wall around tables (PostgreSQL), for a migration to run."""
    return [statement for table in tables for statement in _laid(table)]


def _laid(table: str) -> list[str]:
    policies = [f"CREATE POLICY clinic ON {table} USING ({CLINIC_IS}) WITH CHECK ({CLINIC_IS})"]
    if table in BY_ACCOUNT:
        policies += [
            f"CREATE POLICY person_reads ON {table} FOR SELECT USING ({ACCOUNT_IS})",
            f"CREATE POLICY person_changes ON {table} FOR UPDATE"
            f" USING ({ACCOUNT_IS}) WITH CHECK ({ACCOUNT_IS})",
        ]
    if table in BY_TOKEN:
        holds = BY_TOKEN[table] + TOKEN_IS
        policies += [f"CREATE POLICY bearer_reads ON {table} FOR SELECT USING ({holds})"]
    if table in BY_CLIENT:
        policies += [f"CREATE POLICY client_reads ON {table} FOR SELECT USING ({CLIENT_IS})"]
    if table in BY_WORKER:
        policies += [f"CREATE POLICY worker_finds ON {table} FOR SELECT USING ({IS_FINDING})"]
    wall = [f"ALTER TABLE {table} {how} ROW LEVEL SECURITY" for how in ("ENABLE", "FORCE")]
    return wall + policies


def taken_down(*tables: str) -> list[str]:
    """The statements that take it down again."""
    return [statement for table in tables for statement in _taken_down(table)]


def _taken_down(table: str) -> list[str]:
    names = ["clinic"]
    names += ["person_reads", "person_changes"] if table in BY_ACCOUNT else []
    names += ["bearer_reads"] if table in BY_TOKEN else []
    names += ["client_reads"] if table in BY_CLIENT else []
    names += ["worker_finds"] if table in BY_WORKER else []
    gone = [f"DROP POLICY {name} ON {table}" for name in names]
    return gone + [
        f"ALTER TABLE {table} {how} ROW LEVEL SECURITY" for how in ("NO FORCE", "DISABLE")
    ]


def granted(role: str, tables: list[str]) -> list[str]:
    """The statements by which the application's role may do what it does, and no more.

    `role` is quoted already. What it may no longer do is taken back first.
    """
    plain = [name for name in tables if name not in (*APPENDED, *APART)]
    appended = [name for name in tables if name in APPENDED]
    return [
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(plain)} TO {role}",
        f"GRANT SELECT, INSERT ON {', '.join(appended)} TO {role}",
        f"GRANT SELECT ON alembic_version TO {role}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}",
    ]


def kept_by(role: str) -> list[str]:
    """The statements by which a role keeps what lies apart: it adds, reads and takes away, and
    changes nothing."""
    return [
        statement
        for table, schema in APART.items()
        for statement in (
            f"GRANT USAGE ON SCHEMA {schema} TO {role}",
            f"GRANT SELECT, INSERT, DELETE ON {schema}.{table} TO {role}",
        )
    ]


def kept_from(role: str) -> list[str]:
    """The statements that take what lies apart from a role."""
    return [
        statement
        for table, schema in APART.items()
        for statement in (
            f"REVOKE ALL ON {schema}.{table} FROM {role}",
            f"REVOKE ALL ON SCHEMA {schema} FROM {role}",
        )
    ]
