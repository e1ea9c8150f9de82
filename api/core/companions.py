"""Companions: the people of a patient who take them home, sit with them, or practise beside them.

The list is the patient's, kept by them and by the care team. It opens no chart to anybody: whether
the clinic may speak with a companion is the consent `companion`, told beside each.
"""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, Column, String, Uuid, select

from api.access.policies import Actor
from api.audit import trail
from api.core import gate
from api.core.consents import in_force
from api.core.holds import keep_held, refuse_held
from api.core.patients import open_chart
from api.db import Listing, Page, Sealed, Values, match, of, page, store, tenant_table
from api.errors import Invalid

ROLES: Final = ("escort", "chaperone", "practice_partner", "support")
RELATIONS: Final = ("partner", "parent", "child", "sibling", "friend", "carer", "other")
MOST: Final = 50
"""Companions of one patient."""
HIDDEN: Final = ("clinic_id", "patient_id", "deleted_at", "added_by")

companions = tenant_table(
    "companions",
    Column("name", Sealed, nullable=False),
    Column("relation", String(20), nullable=False),
    Column("roles", JSON, nullable=False),
    Column("phone", Sealed),
    Column("email", Sealed),
    Column("note", Sealed),
    Column("added_by", Uuid, nullable=False),
    of("users", "added_by"),
    CheckConstraint(f"relation IN {RELATIONS}", name="relation"),
)


def list_companions(actor: Actor, patient_id: UUID, asked: Page) -> Listing:
    """The patient's companions, in the order in which they were named."""
    open_chart(actor, "companion:read", patient_id)
    mine = _of(actor.clinic_id, patient_id)
    listing = page(select(companions).where(*mine), companions, asked, opens=companions)
    listing.items = _show(actor, patient_id, listing.items)
    return listing


def add_companion(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """A companion is named; raises `Invalid` beyond `MOST` of one patient."""
    open_chart(actor, "companion:write", patient_id)
    _refuse_too_many(actor.clinic_id, patient_id)
    keys = {"clinic_id": actor.clinic_id, "patient_id": patient_id, "added_by": actor.user_id}
    row = store().add(companions, {"relation": "other", "roles": []} | values | keys)
    trail.about("companion", row["id"])
    trail.wrote(values)
    return _show(actor, patient_id, [row])[0]


def read_companion(actor: Actor, companion_id: UUID) -> Values:
    """One companion."""
    row = gate.find_in_chart(actor, "companion:read", companions, companion_id)
    return _show(actor, row["patient_id"], [row])[0]


def change_companion(
    actor: Actor, companion_id: UUID, version: int | None, values: Values
) -> Values:
    """What is known of a companion changes."""
    row = gate.find_in_chart(actor, "companion:write", companions, companion_id)
    match(row, version)
    trail.wrote(values)
    keep_held(companions, row, values)
    after = store().change(companions, row, values) if values else row
    return _show(actor, row["patient_id"], [after])[0]


def remove_companion(actor: Actor, companion_id: UUID, version: int | None) -> None:
    """The companion is one no more."""
    row = gate.find_in_chart(actor, "companion:write", companions, companion_id)
    match(row, version)
    refuse_held(row["clinic_id"], row["patient_id"])
    store().remove(companions, row)


def _of(clinic_id: UUID, patient_id: UUID) -> list[Any]:
    return [companions.c.clinic_id == clinic_id, companions.c.patient_id == patient_id]


def _refuse_too_many(clinic_id: UUID, patient_id: UUID) -> None:
    c = companions.c
    there = select(c.id).where(*_of(clinic_id, patient_id), c.deleted_at.is_(None)).limit(MOST)
    if len(store().rows(there)) >= MOST:
        raise Invalid([("", f"At most {MOST} companions.")])


def _show(reader: Actor, patient_id: UUID, rows: list[Values]) -> list[Values]:
    may = bool(rows) and in_force(store(), reader.clinic_id, patient_id, "companion")
    return [
        {key: value for key, value in row.items() if key not in HIDDEN}
        | {"patient_id": row["patient_id"], "may_be_spoken_with": may}
        for row in rows
    ]
