"""Shredding: the psychotherapy notes of a chart made unreadable, here and in every copy of them."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Table, func, or_, select

from api import vault
from api.audit import trail
from api.core import chart_keys, replay
from api.core.holds import refuse_held
from api.core.treatment.notes.tables import psychotherapy_note_versions, psychotherapy_notes
from api.db import Values, conceal, sealed_columns, store

APART: Final = (psychotherapy_notes, psychotherapy_note_versions)
EMPTY: Final[Values] = dict.fromkeys(sealed_columns(psychotherapy_notes))


def shred(clinic_id: UUID, charts: list[UUID], reason: str) -> int:
    """Destroy the keys of these charts (one, and those merged into it); answers how many notes and
    versions nobody reads any more.

    What lies under no key of theirs is blanked, what is another chart's is brought under its own
    key first, and answers that are remembered are forgotten. The deed that is under way names the
    charts; whoever calls has asked who may. Raises `Conflict` while one of them is under a legal
    hold.
    """
    for chart in charts:
        refuse_held(clinic_id, chart)
    trail.touches(charts)
    counted = 0
    for table in APART:
        _rescue(table, clinic_id, charts)
        said = or_(*(table.c[name].is_not(None) for name in EMPTY))
        theirs = [table.c.clinic_id == clinic_id, table.c.patient_id.in_(charts), said]
        gone = _of(charts).where(~chart_keys.LIVES)
        readable = select(func.count()).where(*theirs, _not_under(table, gone))
        counted += store().execute(readable).scalar_one()
        _blank(table, charts, theirs)
    replay.forget_told(clinic_id, vault.PSYCHOTHERAPY, charts)
    chart_keys.destroy(clinic_id, charts, reason)
    return counted


def _blank(table: Table, charts: list[UUID], theirs: list[Any]) -> None:
    """Take the words out that no key of these charts opens; that it was destroyed tells of them."""
    half = (table.c[name].not_like(f"v1.{vault.CHARTS}%") for name in EMPTY)
    those = [*theirs, or_(_not_under(table, _of(charts)), *half)]
    of = select(table.c.clinic_id, table.c.patient_id).where(*those).distinct()
    for row in store().rows(of):
        chart_keys.make(row["clinic_id"], row["patient_id"])
    k = chart_keys.chart_keys.c
    mine = (k.clinic_id == table.c.clinic_id, k.patient_id == table.c.patient_id)
    key = select(k.id).where(*mine, chart_keys.LIVES).scalar_subquery()
    store().execute(table.update().where(*those).values(**EMPTY, chart_key_id=key))


def _not_under(table: Table, keys: Any) -> Any:
    return or_(table.c.chart_key_id.is_(None), table.c.chart_key_id.not_in(keys))


def _of(charts: list[UUID]) -> Any:
    k = chart_keys.chart_keys.c
    return select(k.id).where(k.patient_id.in_(charts))


def _rescue(table: Table, clinic_id: UUID, charts: list[UUID]) -> None:
    """Bring what other charts have under these keys under their own."""
    t = table.c
    others = [
        t.clinic_id == clinic_id,
        t.patient_id.not_in(charts),
        t.chart_key_id.in_(_of(charts)),
    ]
    _bring(table, others)


def bring_home(clinic_id: UUID, patient_id: UUID) -> None:
    """Seal under a chart's own key what was written while it was part of another chart."""
    k = chart_keys.chart_keys.c
    own = select(k.id).where(k.clinic_id == clinic_id, k.patient_id == patient_id)
    for table in APART:
        mine = [table.c.clinic_id == clinic_id, table.c.patient_id == patient_id]
        _bring(table, [*mine, table.c.chart_key_id.not_in(own)])


def _bring(table: Table, those: list[Any]) -> None:
    there = select(table, *chart_keys.beside(table)).where(*those).with_for_update(of=table)
    keys: dict[UUID, UUID | None] = {}
    for row in store().rows(there, opens=table):
        if row["destroyed_at"] is not None:
            continue
        chart = row["patient_id"]
        if chart not in keys:
            keys[chart] = chart_keys.to_write(row | {"chart_key_id": None})
        own = row | {"chart_key_id": keys[chart]}
        sealed = conceal(table, own, ["chart_key_id", *EMPTY], store().ring)
        one = (table.c.clinic_id == row["clinic_id"], table.c.id == row["id"])
        store().execute(table.update().where(*one).values(sealed))
