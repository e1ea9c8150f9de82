"""The calendar: who is expected when; what is out of reach is only seen to be busy."""

from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, exists, literal, or_, select

from api import clock
from api.access.policies import Actor, Grant, Reach
from api.access.users import users
from api.audit import trail
from api.core import gate, reach
from api.core.team_reach import session_clinicians
from api.core.treatment.moves import FREEING
from api.core.treatment.sessions import showing
from api.core.treatment.sessions.table import LONGEST, sessions
from api.db import Listing, Page, Values, page, reveal, store
from api.errors import Invalid

SHOWN_DAYS, MOST_DAYS = 7, 62
Edge = date | datetime | None


def read_calendar(
    actor: Actor,
    asked: Page,
    from_: Edge = None,
    to: Edge = None,
    clinician_id: UUID | None = None,
) -> Listing:
    """The sessions that touch the time asked for, those of colleagues out of reach as busy.

    With changes since a time, only what is in reach, wherever it was moved to; what no longer
    names the clinician asked for is a tombstone.
    """
    granted = gate.admit(actor, "session:list")
    begins, ends = window(from_, to, actor.rights.zone)
    reached = gate.in_reach(actor, granted, sessions.c.patient_id)
    named = None if clinician_id is None else _names(clinician_id)
    statement = _chosen(actor, granted, reached, named, asked.since is not None)
    if asked.since is None:
        statement = statement.where(*_touches(begins, ends))
    listing = page(statement, sessions, asked, [sessions.c.starts_at])
    if asked.since is not None and listing.next_after is None:
        _sync_reach(actor, granted, asked.since, named, listing)
    _part(listing, asked)
    trail.touches(row["patient_id"] for row in listing.items if row["reached"])
    listing.items = _rows_shown(actor, listing.items, clinician_id)
    return listing


def window(from_: Edge, to: Edge, zone: str) -> tuple[datetime, datetime]:
    """From when until when; a date is the clinic's day, and the last one is shown whole.

    Without an edge the window begins today and lasts a week. Raises `Invalid` past 62 days.
    """
    first = from_ if from_ is not None else clock.today(zone)
    begins = _instant(first, zone)
    last = to if to is not None else _day(begins, zone) + timedelta(days=SHOWN_DAYS - 1)
    ends = _instant(last, zone, 1)
    if ends <= begins:
        raise Invalid([("/to", "The calendar ends after it begins.")])
    if (_day(ends, zone) - _day(begins, zone)).days > MOST_DAYS + (type(to) is date):
        raise Invalid([("/to", f"At most {MOST_DAYS} days at once.")])
    return begins, ends


def _instant(edge: date | datetime, zone: str, days: int = 0) -> datetime:
    if isinstance(edge, datetime):
        return edge
    return datetime.combine(edge + timedelta(days=days), time.min, ZoneInfo(zone))


def _day(moment: datetime, zone: str) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()


def _names(clinician_id: UUID) -> ColumnElement[bool]:
    t = session_clinicians.c
    chosen = exists().where(
        t.clinic_id == sessions.c.clinic_id,
        t.session_id == sessions.c.id,
        t.clinician_id == clinician_id,
    )
    return chosen.correlate(sessions)


def _touches(begins: datetime, ends: datetime) -> list[ColumnElement[bool]]:
    s = sessions.c
    return [s.starts_at > begins - LONGEST, s.starts_at < ends, s.ends_at > begins]


def _chosen(
    actor: Actor,
    granted: Grant,
    reached: ColumnElement[bool],
    named: ColumnElement[bool] | None,
    only_changes: bool,
) -> Select[Any]:
    columns = [reached.label("reached")]
    if named is not None:
        columns.append(named.label("named"))
    statement = select(*sessions.c, *columns).where(sessions.c.clinic_id == actor.clinic_id)
    if named is not None and not only_changes:
        statement = statement.where(named)
    if only_changes or granted.reach != Reach.TEAM:
        return statement.where(reached)
    return statement.where(or_(reached, sessions.c.state.not_in(FREEING)))


def _sync_reach(
    actor: Actor,
    granted: Grant,
    since: datetime,
    named: ColumnElement[bool] | None,
    listing: Listing,
) -> None:
    """Put beside the last page of changes the sessions of charts that came into reach, or left."""
    s = sessions.c
    mine = [s.clinic_id == actor.clinic_id, s.deleted_at.is_(None), s.updated_at < since]
    mine += [] if named is None else [named]
    came = select(*s, literal(True).label("reached")).where(
        *mine, reach.came(actor, granted, s.patient_id, since)
    )
    listing.items += store().rows(came.order_by(s.starts_at).limit(reach.MOST))
    gone = reach.left(actor, granted, since).subquery("gone")
    theirs = select(s.id, gone.c.deleted_at).join(gone, s.patient_id == gone.c.id)
    assert listing.tombstones is not None
    theirs = theirs.where(s.clinic_id == actor.clinic_id, s.deleted_at.is_(None))
    left = store().rows(theirs.limit(reach.MOST))
    listing.tombstones += [{"id": row["id"], "deleted_at": row["deleted_at"]} for row in left]


def _part(listing: Listing, asked: Page) -> None:
    """Changes that no longer name the clinician asked for have left this calendar."""
    if asked.since is None or listing.tombstones is None:
        return
    left = [row for row in listing.items if not row.get("named", True)]
    listing.tombstones += [{"id": row["id"], "deleted_at": row["updated_at"]} for row in left]
    listing.items = [row for row in listing.items if row.get("named", True)]


def _rows_shown(actor: Actor, rows: list[Values], clinician_id: UUID | None) -> list[Values]:
    mine = []
    for row in rows:
        row.pop("named", None)
        if row.pop("reached"):
            mine.append(reveal(sessions, row))
    shown = {row["id"]: row | {"busy": False} for row in showing.show_all(actor.rights, mine)}
    asked_for = _clinician(actor, clinician_id) if len(shown) < len(rows) else []
    return [shown.get(row["id"]) or _busy(row, asked_for) for row in rows]


def _busy(row: Values, asked_for: list[Values]) -> Values:
    busy = {"busy": True, "starts_at": row["starts_at"], "ends_at": row["ends_at"]}
    return busy | ({"clinicians": asked_for} if asked_for else {})


def _clinician(actor: Actor, clinician_id: UUID | None) -> list[Values]:
    if clinician_id is None:
        return []
    chosen = and_(users.c.clinic_id == actor.clinic_id, users.c.id == clinician_id)
    return store().rows(select(users.c.id, users.c.display_name).where(chosen))
