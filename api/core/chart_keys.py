"""A key for each chart's psychotherapy notes: whoever destroys it has destroyed every copy of them.

The key is random and lies here alone, sealed by the clinic's key and bound to its own row; what is
sealed under it names it. Backups keep the two apart. A row stays when its key is destroyed, so that
what lay under it is known to be gone and is not looked for.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, String, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from api import clock, vault
from api.config import settings
from api.db import Instant, Sealed, Values, conceal, new_id, open_chart_key, store, tenant_table
from api.errors import NotFound

chart_keys = tenant_table(
    "chart_keys",
    Column("key", Sealed(vault.PSYCHOTHERAPY)),
    Column("destroyed_at", Instant),
    Column("reason", String(60)),
    CheckConstraint("(key IS NULL) = (destroyed_at IS NOT NULL)", name="destroyed"),
)
"""`reason` is the code of why a key was destroyed."""
LIVES = chart_keys.c.destroyed_at.is_(None)
Index(
    "uq_chart_keys_living",
    *chart_keys.c["clinic_id", "patient_id"],
    unique=True,
    sqlite_where=LIVES,
    postgresql_where=LIVES,
)


def beside(table: Table) -> list[Any]:
    """What a select of sealed rows takes along to open them in the same trip: the key of each, and
    when it was destroyed."""
    k = chart_keys.c
    mine = (k.clinic_id == table.c.clinic_id, k.id == table.c.chart_key_id)
    return [
        select(column).where(*mine).scalar_subquery().label(name)
        for column, name in ((k.key, "chart_key"), (k.destroyed_at, "destroyed_at"))
    ]


def to_write(row: Values) -> UUID | None:
    """The id of the key under which words of this row are to lie, held until the transaction ends.

    Of a row that has none it is its chart's, made where the chart has none yet. None while keys of
    charts are not used (`CHART_KEYS=later`).
    """
    k, clinic_id = chart_keys.c, row["clinic_id"]
    if row.get("chart_key_id") is not None and _met(clinic_id, k.id == row["chart_key_id"]):
        return UUID(str(row["chart_key_id"]))
    if settings().chart_keys != "on":
        return None
    living = _met(clinic_id, k.patient_id == row["patient_id"])
    if living is None:
        make(clinic_id, row["patient_id"])
        living = _met(clinic_id, k.patient_id == row["patient_id"])
    assert living is not None, "made by us, or by whoever was faster"
    return living


def _met(clinic_id: UUID, which: Any) -> UUID | None:
    """The id of a living key, which is on the ring from now on; it can't be destroyed meanwhile."""
    living = select(chart_keys).where(chart_keys.c.clinic_id == clinic_id, which, LIVES)
    row = store().row(living.with_for_update(read=True))
    if row is None:
        return None
    kid = vault.chart_kid(row["id"])
    if store().ring.get(kid) is None:
        store().ring[kid] = open_chart_key(row["key"], row["id"], clinic_id)
    return UUID(str(row["id"]))


def make(clinic_id: UUID, patient_id: UUID) -> None:
    """Make the key of a chart that has none, unless somebody else has made it just now."""
    moment = clock.now()
    row: Values = {"id": new_id(), "clinic_id": clinic_id, "patient_id": patient_id, "version": 1}
    row |= {"created_at": moment, "updated_at": moment, "key": vault.new_chart_key()}
    insert = postgresql.insert if store().on_postgres else sqlite.insert
    sealed = conceal(chart_keys, row, row.keys())
    store().execute(insert(chart_keys).values(**sealed).on_conflict_do_nothing())


def ring_of(clinic_id: UUID, sealed: str) -> vault.Ring:
    """What opens one envelope; raises `NotFound` when the key of its chart was destroyed."""
    key_id = vault.chart_key_of(sealed)
    if key_id is not None and _met(clinic_id, chart_keys.c.id == key_id) is None:
        raise NotFound("There is no such record.")
    return store().ring


def destroy(clinic_id: UUID, charts: list[UUID], reason: str) -> int:
    """Destroy the keys of these charts, for ever; answers how many there were.

    Whoever writes under one just now is waited for, and what they wrote is gone with the rest.
    """
    k = chart_keys.c
    gone = {"key": None, "destroyed_at": clock.now(), "updated_at": clock.now()}
    those = (k.clinic_id == clinic_id, k.patient_id.in_(charts), LIVES)
    done = store().execute(chart_keys.update().where(*those).values(reason=reason, **gone))
    store().ring.clear()
    return int(done.rowcount)
