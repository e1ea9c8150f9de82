"""On call: who is told of an alert and in which order, and whether anybody can be told at all."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    Select,
    Table,
    UniqueConstraint,
    Uuid,
    and_,
    exists,
    select,
)

from api import clock
from api.access.policies import Actor
from api.access.users import clinics, users
from api.audit import trail
from api.core import beats, gate
from api.core.care_team import clinician_of
from api.db import Instant, Sealed, Values, match, metadata, of, store, tenant_table, within
from api.errors import Invalid

MAX_SHIFTS = 400
NOBODY_ON_CALL, NO_CHANNEL, WORKER_SILENT = REASONS = (
    "nobody_on_call",
    "no_channel",
    "worker_silent",
)
"""Why escalation does not run."""

on_call = tenant_table(
    "on_call",
    Column("backup_clinician_id", Uuid),
    Column("director_clinician_id", Uuid),
    Column("channel", Sealed),
    of("users", "backup_clinician_id"),
    of("users", "director_clinician_id"),
    UniqueConstraint("clinic_id"),
    patient=False,
)
"""Whom a clinic tells of an alert after whoever is on call, and by which channel."""
on_call_shifts = Table(
    "on_call_shifts",
    metadata,
    Column("clinic_id", Uuid, primary_key=True),
    Column("from_at", Instant, primary_key=True),
    Column("clinician_id", Uuid, primary_key=True),
    Column("to_at", Instant, nullable=False),
    of("users", "clinician_id"),
    CheckConstraint("from_at < to_at", name="order"),
)
BACKUPS = {"backup": "backup_clinician_id", "director": "director_clinician_id"}
UNSET: Values = {"id": None, "version": 0, "created_at": None, "updated_at": None, "channel": None}


def read_on_call(actor: Actor) -> Values:
    """The clinic's shifts, those behind them, the channel, and whether escalation runs."""
    gate.admit(actor, "on_call:read")
    return _shown(actor, _held(actor.clinic_id))


def set_on_call(actor: Actor, version: int | None, values: Values) -> Values:
    """Set all of it anew; raises `Invalid` where a name is no clinician who works here."""
    gate.admit(actor, "on_call:set")
    _hold_clinic(actor.clinic_id)
    row = _held(actor.clinic_id)
    match(row, version)
    shifts = values.pop("shifts")
    _check(actor, shifts, values)
    trail.wrote(["shifts", *values])
    whole = dict.fromkeys((*BACKUPS.values(), "channel")) | values
    after = _written(actor.clinic_id, row, whole)
    _set_shifts(actor.clinic_id, shifts)
    trail.about(on_call.name, after["id"])
    return _shown(actor, after)


def _written(clinic_id: UUID, row: Values, values: Values) -> Values:
    if row["id"] is None:
        return store().add(on_call, {"clinic_id": clinic_id} | values)
    return store().change(on_call, row, values)


def _hold_clinic(clinic_id: UUID) -> None:
    """Two who set it at once come one after the other, also when nothing was set before."""
    row = select(clinics.c.id).where(clinics.c.id == clinic_id)
    store().execute(row.with_for_update(key_share=True))


def _held(clinic_id: UUID) -> Values:
    row = store().row(select(on_call).where(on_call.c.clinic_id == clinic_id), opens=on_call)
    return row or UNSET | dict.fromkeys(BACKUPS.values()) | {"clinic_id": clinic_id}


def _check(actor: Actor, shifts: list[Values], values: Values) -> None:
    wrong = [
        (f"/shifts/{place}/to_at", "A shift ends after it begins.")
        for place, shift in enumerate(shifts)
        if shift["to_at"] <= shift["from_at"]
    ]
    starts = [(shift["from_at"], shift["clinician_id"]) for shift in shifts]
    if len(set(starts)) != len(starts):
        wrong.append(("/shifts", "One clinician's shift begins twice at one time."))
    if wrong:
        raise Invalid(wrong)
    named = {shift["clinician_id"]: f"/shifts/{i}/clinician_id" for i, shift in enumerate(shifts)}
    named |= {values[name]: f"/{name}" for name in BACKUPS.values() if values.get(name)}
    for clinician_id, pointer in named.items():
        clinician_of(actor.clinic_id, clinician_id, pointer)


def _set_shifts(clinic_id: UUID, shifts: list[Values]) -> None:
    table = on_call_shifts
    store().execute(table.delete().where(table.c.clinic_id == clinic_id))
    if shifts:
        store().execute(table.insert(), [{"clinic_id": clinic_id, **shift} for shift in shifts])


def _shown(actor: Actor, row: Values) -> Values:
    shown = {key: row[key] for key in ("version", "updated_at", "channel", *BACKUPS.values())}
    shifts = on_call_shifts.c
    statement = (
        select(shifts.from_at, shifts.to_at, shifts.clinician_id, users.c.display_name)
        .join(users, _is(shifts.clinician_id, shifts.clinic_id))
        .where(shifts.clinic_id == actor.clinic_id)
        .order_by(shifts.from_at, shifts.clinician_id)
    )
    return shown | {
        "shifts": [_with_name(shift) for shift in store().rows(statement)],
        "escalation": escalation(actor.clinic_id),
    }


def _with_name(shift: Values) -> Values:
    clinician = {"id": shift["clinician_id"], "display_name": shift.pop("display_name")}
    return shift | {"clinician": clinician}


def _is(user_id: Any, clinic_id: Any) -> Any:
    return and_(users.c.clinic_id == clinic_id, users.c.id == user_id)


WORKS = (users.c.disabled_at.is_(None), users.c.deleted_at.is_(None))


def people(clinic_id: UUID, step: str, now: datetime) -> list[UUID]:
    """The clinicians to tell at a step (`on_call`, `backup`, `director`), who work here now."""
    if step in BACKUPS:
        column, given = on_call.c[BACKUPS[step]], on_call.c.clinic_id
        statement = select(users.c.id).join(on_call, _is(column, given))
    else:
        s = on_call_shifts.c
        statement = select(users.c.id).join(on_call_shifts, _is(s.clinician_id, s.clinic_id))
        statement = statement.where(s.from_at <= now, s.to_at > now)
    rows = store().rows(statement.where(users.c.clinic_id == clinic_id, *WORKS))
    return sorted({row["id"] for row in rows})


def channel_of(clinic_id: UUID) -> str | None:
    """By what the clinic means to be told, or None."""
    channel: str | None = _held(clinic_id)["channel"]
    return channel


def escalation(clinic_id: UUID) -> Values:
    """Whether an alert reaches somebody: `{running, why[]}`, told wherever alerts are shown."""
    why = [code for code, lacks in _lacks(clinics.c.id == clinic_id).items() if lacks]
    return {"running": not why, "why": why}


def degraded() -> list[str]:
    """What keeps escalation from running in any clinic of this house."""
    found: dict[str, bool] = {}
    for row in store().rows(select(clinics.c.id).order_by(clinics.c.id)):
        with within(row["id"]):
            lacks = _lacks(clinics.c.id == row["id"])
        found = {code: found.get(code, False) or lacks[code] for code in lacks}
        if all(found.values()):
            break
    return [code for code, is_lacking in found.items() if is_lacking]


def _lacks(which: Any) -> dict[str, bool]:
    """Each reason, and whether it holds in the clinic; one query, and one for the beat."""
    asked = select(clinics.c.id).where(which)
    columns: list[Any] = [
        exists(asked.where(~_on_shift(clock.now()))).label(NOBODY_ON_CALL),
        exists(asked.where(~_has_channel())).label(NO_CHANNEL),
    ]
    row = store().row(select(*columns))
    lacks = {name: bool(value) for name, value in (row or {}).items()}
    return lacks | {WORKER_SILENT: beats.is_silent()}


def _on_shift(now: datetime) -> Any:
    s = on_call_shifts.c
    held: Select[Any] = select(s.clinic_id).join(users, _is(s.clinician_id, s.clinic_id))
    mine = s.clinic_id == clinics.c.id
    return held.where(mine, s.from_at <= now, s.to_at > now, *WORKS).exists()


def _has_channel() -> Any:
    c = on_call.c
    return exists().where(c.clinic_id == clinics.c.id, c.channel.is_not(None))
