"""What tables are made of: keys, times, sealed columns, and the row of each clinic apart."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import (
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    Uuid,
)

from api.vault import SEAL

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMES)


class Instant(TypeDecorator[datetime]):
    """An aware instant, stored in UTC; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """UTC for the database."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a zone can't be stored")
        return value if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Aware again, for SQLite drops the zone."""
        return value if value is None else value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)


class Sealed(TypeDecorator[str]):
    """A column that holds only sealed text; the store seals and opens it, bound to its row.

    The key is that of its `purpose`: what is sealed for one is not opened by the key of another.
    `bound_to` is the column that names the row; `purpose_in` a column that holds the purpose, for a
    table whose rows differ in it.
    """

    impl = Text
    cache_ok = True

    def __init__(self, purpose: str = SEAL, bound_to: str = "id", purpose_in: str = "") -> None:
        super().__init__()
        self.purpose, self.bound_to, self.purpose_in = purpose, bound_to, purpose_in


Word = String().with_variant(String(collation="C"), "postgresql")
"""A normalised word, ordered by bytes, so that a prefix is a range that an index serves."""


def new_id() -> UUID:
    """A UUIDv7: unique, and in the order of making within a process (RFC 9562)."""
    return uuid_utils.compat.uuid7()


def first_id(since: datetime) -> UUID:
    """The least id that a record of that moment can bear: a UUIDv7 begins with its time, from 1970
    on."""
    return UUID(int=max(0, int(since.timestamp() * 1000)) << 80)


def tenant_table(name: str, *parts: Any, patient: bool = True) -> Table:
    """A table of one clinic's records: composite key `(clinic_id, id)`, version, times, tombstone.

    With `patient` it hangs on a patient of the same clinic by a composite foreign key.
    """
    columns: list[Any] = [
        Column("clinic_id", Uuid, nullable=False),
        Column("id", Uuid, nullable=False),
        Column("version", Integer, nullable=False, default=1),
        Column("created_at", Instant, nullable=False),
        Column("updated_at", Instant, nullable=False),
        Column("deleted_at", Instant),
        PrimaryKeyConstraint("clinic_id", "id"),
        ForeignKeyConstraint(["clinic_id"], ["clinics.id"]),
    ]
    if patient:
        columns += [Column("patient_id", Uuid, nullable=False), of("patients", "patient_id")]
    table = Table(name, metadata, *columns, *parts)
    if patient:
        Index(f"ix_{name}_chart", table.c.clinic_id, table.c.patient_id, table.c.id)
    return table


def of(parent: str, column: str) -> ForeignKeyConstraint:
    """A composite foreign key to `parent` within the same clinic."""
    return ForeignKeyConstraint(["clinic_id", column], [f"{parent}.clinic_id", f"{parent}.id"])
