"""What a check-in is about beside its answers: the practice it asks of, and its window day."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import func, select

from api.access.policies import Actor
from api.core.integration import automaticity, entries
from api.core.integration.practices import name_of
from api.core.integration.tables import ME, practices
from api.core.outcomes.checkins.table import COMPLETE, check_ins
from api.core.treatment.windows import Windows
from api.db import Values, store
from api.errors import Invalid

OF_PRACTICES: Final = ("srbai",)
"""The instruments that ask of one practice."""
AT: Final = "/practice_id"


def practice_named(writer: Actor, patient: Values, instrument: str, given: UUID | None) -> Values:
    """`{practice_id}` for a new check-in; `Invalid` unless it asks of a practice that is shared."""
    if given is not None and instrument not in OF_PRACTICES:
        raise Invalid([(AT, f"Only for {', '.join(OF_PRACTICES)}.")])
    practice = entries.named(writer, practices, patient, AT, given)
    if practice is not None and practice["shared_with"] == ME:
        detail = "A check-in is always shared with the care team; this practice is not."
        raise Invalid([(AT, detail)])
    return {"practice_id": given}


def with_context(reader: Actor, days: Windows, rows: Sequence[Values]) -> list[Values]:
    """The same check-ins with `practice` as far as the reader may see it, and with `window_day`.

    At most one query, and none where no practice is named.
    """
    ids = [row["practice_id"] for row in rows]
    there = entries.pointed_at(reader, practices, ids, "title", "new_trail")
    for row in rows:
        practice = there.get(row["practice_id"])
        row["practice_id"] = None if practice is None else practice["id"]
        row["practice"] = None if practice is None else name_of(practice)
        row["window_day"] = days.day(row["answered_on"])
    return list(rows)


@automaticity.measured_by
def latest_of(reader: Actor, practice_ids: Sequence[UUID]) -> dict[UUID, Values]:
    """`{mean, answered_at}` of the latest complete answers about each practice; one query."""
    c = check_ins.c
    newest = (c.answered_at.desc(), c.id.desc())
    place = func.row_number().over(partition_by=c.practice_id, order_by=newest)
    ranked = select(c.practice_id, c.scores, c.answered_at, place.label("place")).where(
        c.clinic_id == reader.clinic_id,
        c.practice_id.in_(list(practice_ids)),
        c.instrument.in_(OF_PRACTICES),
        c.state == COMPLETE,
        c.total.is_not(None),
        c.deleted_at.is_(None),
    )
    each = ranked.subquery()
    rows = store().rows(select(each).where(each.c.place == 1))
    return {
        row["practice_id"]: {"mean": row["scores"]["total"], "answered_at": row["answered_at"]}
        for row in rows
    }
