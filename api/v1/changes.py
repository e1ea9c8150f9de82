"""Changes over v1: what a front end asks again and again to keep its mirror true."""

from typing import Any

import marshmallow as ma

from api import clock
from api.access.policies import Actor
from api.core import changes
from api.paging import Values
from api.v1 import cursors
from api.v1.forms import Ask, Choice, Instant, Many, QueryWhole, Show, Words, shown
from api.v1.offers import DEFAULT_LIMIT, MAX_LIMIT
from api.v1.resource import Blueprint

blp = Blueprint("changes", "What changed, in the order in which it was committed.")
PLACE = "/api/v1/changes"
MADE_AT = "made_at"


class ChangesQuery(Ask):
    """From where to go on."""

    limit = QueryWhole(1, MAX_LIMIT, load_default=DEFAULT_LIMIT)
    cursor = Words(
        cursors.MAX_CURSOR,
        metadata={"description": "The `cursor` of the answer before; without it from the start."},
    )


class ChangedRecordSchema(Show):
    """A record at its latest version; with `deleted_at` it is gone, or left your reach.

    Of a patient who left your reach `version` is null: everything of their chart is gone with them.
    """

    id = shown(ma.fields.UUID)
    kind = Choice(changes.KINDS, required=True)
    version = shown(ma.fields.Integer, nullable=True)
    patient_id = shown(ma.fields.UUID)
    changed_at = shown(Instant)
    deleted_at = shown(Instant, nullable=True)


class ChangesSchema(Show):
    """A part of the feed, in commit order. `next_cursor` is null once you have all there is."""

    items = Many(ma.fields.Nested(ChangedRecordSchema), most=MAX_LIMIT, required=True)
    next_cursor = shown(ma.fields.String, nullable=True)
    cursor = shown(
        ma.fields.String,
        metadata={"description": "Keep this and send it next time, also when there is no more."},
    )


@blp.offer(
    "GET",
    "/changes",
    "change:list",
    query=ChangesQuery,
    answer=ChangesSchema,
    derived=True,
    errors=(400, 410),
)
def list_changes(actor: Actor, **asked: Any) -> Values:
    """List what changed in your reach, in commit order.

    Ids, kinds and versions alone: fetch what you need. Each record stands once, at its latest
    version. Walk `next_cursor` until it is null, keep `cursor`, and ask again with it: nothing is
    skipped under concurrent writes. A cursor of more than 90 days ago (a setting) is answered 410
    `cursor_too_old`: for a full sync ask without one, and drop what it does not name. When you
    join a care team its membership is told here, and the chart is yours to read from its lists;
    when you leave it, or a session no longer names you, the patient is a tombstone. Charts that
    are else open to you by duty come and go with the hour, untold.
    """
    limit = asked["limit"]
    return _answer(actor, changes.list_changes(actor, _position(actor, **asked), limit))


def _position(actor: Actor, cursor: str | None = None, **_more: Any) -> Any:
    """Where to go on; raises `CursorTooOld` for a place whose changes are kept no longer."""
    if cursor is None:
        return None
    filters, after = cursors.read(actor, PLACE, cursor)
    changes.refuse_too_old(filters.get(MADE_AT, 0))
    return after


def _answer(actor: Actor, told: Values) -> Values:
    made_at = {MADE_AT: int(clock.now().timestamp())}
    cursor = cursors.write(actor, PLACE, made_at, told["after"])
    return {
        "items": told["items"],
        "next_cursor": cursor if told["more"] else None,
        "cursor": cursor,
    }
