"""What became of a note: every version as it was, and the removal of what is one's own alone."""

from uuid import UUID

from sqlalchemy import select

from api import clock, vault
from api.access.policies import Actor
from api.access.users import named
from api.audit import trail
from api.core import replay
from api.core.holds import refuse_held
from api.core.treatment.notes import finding, keeping, showing
from api.core.treatment.notes.tables import APART, DRAFT, VERSIONS
from api.db import Listing, Page, Values, match, page, store
from api.errors import NotAllowed


def list_note_versions(actor: Actor, note_id: UUID, asked: Page) -> Listing:
    """Every version of a note, the oldest first: what was said, who made it so, and when."""
    note = finding.find_note(actor, "note:history", note_id)
    table = VERSIONS[finding.table_of(note)]
    mine = [table.c.clinic_id == actor.clinic_id, table.c.note_id == note["id"]]
    statement = select(*finding.columns_of(table)).where(*mine)
    listing = page(statement, table, asked, opens=table)
    names = named(actor.clinic_id, {row["written_by"] for row in listing.items})
    listing.items = [_show(row, names) for row in listing.items]
    return listing


def _show(row: Values, names: dict[UUID, Values]) -> Values:
    kept = ("id", "created_at", "number", "deed", "state", "text", "sections", "digest")
    more = {"destroyed_at": row.get("destroyed_at"), "written_by": names[row["written_by"]]}
    return {name: row[name] for name in kept} | more


def remove_note(actor: Actor, note_id: UUID, version: int | None) -> None:
    """Take back one's own draft that was never signed, or a psychotherapy note with its words.

    Of a psychotherapy note nothing that was said is left, in no version and no addendum.
    """
    seen = finding.find_note(actor, "note:remove", note_id)
    if seen["author_id"] != actor.user_id:
        raise NotAllowed("Only its author takes back a draft.")
    refuse_held(seen["clinic_id"], seen["patient_id"])
    row, _ = keeping.hold(actor, seen)
    match(row, version)
    if row["kind"] != APART and (row["state"] != DRAFT or row["unlocks"]):
        raise showing.not_now(actor, row, "What was once signed stays in the record.")
    trail.wrote(["deleted_at"])
    if row["kind"] == APART:
        for one in [row, *finding.addenda_of(actor, [row]).get(row["id"], [])]:
            _forget(actor, one)
    else:
        keeping.change(actor, row, {"deleted_at": clock.now()}, "removed")


def _forget(author: Actor, note: Values) -> None:
    """Take a psychotherapy note back with every word of it, in every version."""
    empty: Values = dict.fromkeys(("text", "sections", "digest"))
    keeping.change(author, note, {"deleted_at": clock.now()} | empty, "removed")
    table = VERSIONS[finding.table_of(note)]
    mine = [table.c.clinic_id == note["clinic_id"], table.c.note_id == note["id"]]
    store().execute(table.update().where(*mine).values(**empty))
    replay.forget(author, vault.PSYCHOTHERAPY)
