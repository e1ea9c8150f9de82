"""Which version of a protocol is in force: the clinic's newest approved one, else the shipped."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from api import clock
from api.core.treatment.protocols.definition import APPROVED, Protocol, protocol_from
from api.core.treatment.protocols.shipped import IN_USE, shipped
from api.core.treatment.protocols.table import protocol_versions
from api.db import Values, store


def versions_of(clinic_id: UUID, key: str | None = None) -> list[Values]:
    """The clinic's own versions, drafts among them, the oldest first; one query."""
    v = protocol_versions.c
    mine = [v.clinic_id == clinic_id, *([] if key is None else [v.key == key])]
    return store().rows(select(protocol_versions).where(*mine).order_by(v.key, v.number))


def made(row: Values) -> Protocol:
    """The protocol that a row of the clinic's own versions holds."""
    return protocol_from(row["definition"], version=row["number"], state=row["state"])


def in_force(rows: list[Values], at: datetime) -> dict[str, Protocol]:
    """The version of each protocol that is in force at an instant, by key.

    Protocols of the clinic's own come before the shipped ones, those approved last first.
    """
    found, since = dict(shipped()), dict[str, datetime]()
    for row in rows:
        if row["state"] == APPROVED and row["approved_at"] <= at:
            one = made(row)
            if _covers(one, at):
                found[one.key], since[one.key] = one, row["approved_at"]
    own = [key for key in found if key not in shipped()]
    own.sort(key=lambda key: (since[key], key), reverse=True)
    return {key: found[key] for key in [*own, *shipped()]}


def _covers(one: Protocol, at: datetime) -> bool:
    begins, ends = one.effective_from, one.effective_until
    return (begins is None or begins <= at.date()) and (ends is None or at.date() <= ends)


def version_of(clinic_id: UUID, key: str, version: int) -> Protocol | None:
    """One version of a protocol, whatever its state."""
    one = shipped().get(key)
    if one is not None and one.version == version:
        return one
    v = protocol_versions.c
    mine = (v.clinic_id == clinic_id, v.key == key, v.number == version)
    row = store().row(select(protocol_versions).where(*mine))
    return None if row is None else made(row)


def versions_named(clinic_id: UUID, names: Iterable[tuple[str, int]]) -> dict[Any, Protocol]:
    """Versions by key and number; one query, none where all of them are shipped."""
    there = {(one.key, one.version): one for one in shipped().values()}
    if any(name not in there for name in names):
        there |= {(row["key"], row["number"]): made(row) for row in versions_of(clinic_id)}
    return there


def protocol_for(
    clinic_id: UUID, route: str | None, medicine: str | None = None, at: datetime | None = None
) -> Protocol:
    """The protocol in force for a route, and for a medicine where two share the route.

    Without either, or for what no protocol covers, the one that watches most closely.
    """
    return chosen(in_force(versions_of(clinic_id), at or clock.now()), route, medicine)


def chosen(known: dict[str, Protocol], route: str | None, medicine: str | None) -> Protocol:
    """The first of these protocols that covers the route, and the medicine if two do."""
    fitting = [one for one in known.values() if route in one.routes]
    same = [one for one in fitting if medicine in (None, one.medicine)]
    return (same or fitting or [_closest(list(known.values()))])[0]


def _closest(known: list[Protocol]) -> Protocol:
    def points(one: Protocol) -> Any:
        return len(one.monitoring_points), one.key

    return max((one for one in known if one.key != IN_USE), key=points)
