"""With whom an entry is shared: the patient decides, and under a private parent all is private.

What was shared before its parent became `me` is shared again when the parent is; what was written
or changed by the patient meanwhile stays `me` until they say otherwise. What others saw and see
no more is a tombstone of the moment it was unshared, and later changes to it never show.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, Table, and_, case, or_, select

from api import clock
from api.access.policies import Actor
from api.core.integration.tables import CARE_TEAM, CHILDREN, ME, insights
from api.db import Values, store, versions
from api.errors import Invalid

TOLD = ("clinic_id", "id", "patient_id", "version", "updated_at", "deleted_at", "shared_with")
"""What the feed of changes must know of a new version."""


def of_new(author: Actor, patient: Values, values: Values, parent: Values | None = None) -> Values:
    """The sharing of a new entry: as asked, else as the patient prefers; staff can't choose."""
    asked = values.get("shared_with")
    if not author.rights.is_patient:
        _refuse_staff(asked, (None, CARE_TEAM))
        return {"shared_with": CARE_TEAM, "chosen_sharing": CARE_TEAM}
    if _is_private(parent):
        return {"shared_with": ME, "chosen_sharing": ME}
    chosen = asked or patient["default_sharing"] or CARE_TEAM
    return {"shared_with": chosen, "chosen_sharing": chosen}


def of_changed(author: Actor, row: Values, values: Values, parent: Values | None = None) -> Values:
    """The sharing of an entry after a change, with `unshared_at` when it leaves others' reach."""
    asked = values.get("shared_with")
    if not author.rights.is_patient:
        _refuse_staff(asked, (None,))
    if asked == ME and row["author_kind"] != "patient":
        raise Invalid([("/shared_with", "What the care team wrote can't be kept from it.")])
    stays_private = row["shared_with"] == ME and row["author_kind"] == "patient"
    chosen = asked or (ME if stays_private else row["chosen_sharing"])
    held = ME if _is_private(parent) else chosen
    changed: Values = {"shared_with": held, "chosen_sharing": chosen}
    if held == ME and row["shared_with"] != ME:
        changed["unshared_at"] = clock.now()
    if held != ME:
        changed["unshared_at"] = None
    return changed


def _refuse_staff(asked: str | None, may_send: tuple[str | None, ...]) -> None:
    if asked not in may_send:
        raise Invalid([("/shared_with", "Only the patient decides with whom this is shared.")])


def refuse_hiding(row: Values, parent: Values | None, pointer: str) -> None:
    """Raise unless what the care team wrote stays where the care team sees it."""
    hides = _is_private(parent) and row["shared_with"] != ME
    if hides and row["author_kind"] != "patient":
        raise Invalid([(pointer, "What the care team wrote can't be kept from it.")])


def _is_private(parent: Values | None) -> bool:
    return parent is not None and parent["shared_with"] == ME


def spread(table: Table, before: Values, after: Values) -> None:
    """Let what hangs on an entry follow it when it became `me`, or is `me` no more."""
    was, now = before["shared_with"] == ME, after["shared_with"] == ME
    if was != now:
        itself = select(table.c.id).where(
            table.c.clinic_id == after["clinic_id"], table.c.id == after["id"]
        )
        _follow(table, after["clinic_id"], itself, hidden=now)


def _follow(table: Table, clinic_id: UUID, parents: Select[Any], hidden: bool) -> None:
    for child, column in CHILDREN.get(table, ()):
        under = child.c[column].in_(parents)
        affected = child.c.shared_with != ME if hidden else child.c.chosen_sharing != ME
        if table is insights:  # what the care team set is not kept from it by what it grew from
            affected = and_(affected, child.c.author_kind == "patient")
        moment = clock.now()
        those = [child.c.clinic_id == clinic_id, under, affected, child.c.deleted_at.is_(None)]
        versions.keep_all(store(), child, those, {"shared_with": ME if hidden else None})
        followed = (
            child.update()
            .where(*those)
            .values(
                shared_with=ME if hidden else child.c.chosen_sharing,
                unshared_at=moment if hidden else None,
                version=child.c.version + 1,
                updated_at=moment,
            )
            .returning(*(child.c[name] for name in TOLD))
        )
        before = {"shared_with": CARE_TEAM if hidden else ME}
        store().tell(child, store().execute(followed).mappings().all(), before)
        mine = select(child.c.id).where(child.c.clinic_id == clinic_id, under)
        alike = child.c.shared_with == ME if hidden else child.c.shared_with != ME
        _follow(child, clinic_id, mine.where(alike), hidden)


def as_seen_by(reader: Actor, table: Table) -> Any:
    """The table as this reader sees it: for others a `me` entry is at most a tombstone.

    It dates from the moment the entry was unshared; one that never was shared is not there.
    """
    if reader.rights.is_patient:
        return table
    private = table.c.shared_with == ME
    times = ("updated_at", "deleted_at")
    columns = [
        case((private, table.c.unshared_at), else_=column).label(column.key)
        if column.key in times
        else column
        for column in table.c
    ]
    seen = select(*columns).where(or_(~private, table.c.unshared_at.is_not(None)))
    return seen.subquery(f"seen_{table.name}")
