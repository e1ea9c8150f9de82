"""How much went along with a merge, of what its readers may count.

What a patient keeps to themself has no count for anybody else, and psychotherapy notes none for
anybody but their author; holds and openings in an emergency are the privacy officer's to know of.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, func, select

from api.core.integration.tables import ME, goal_ratings, goals, moments, replies, steps
from api.core.merges.table import patient_merge_moves
from api.db import Values, metadata, store

APART: Final = ("psychotherapy_notes", "psychotherapy_note_versions", "legal_holds", "break_glass")
UNDER: Final = (
    (replies, "step_id", steps),
    (replies, "moment_id", moments),
    (goal_ratings, "goal_id", goals),
)
"""What says nothing of sharing itself: it is seen by whoever sees what it hangs on."""


def counted(merges: Iterable[Values]) -> list[Values]:
    """How many records of which kind went along with merges: `{merge_id, kind, count}`."""
    m, ids = patient_merge_moves.c, [one["id"] for one in merges]
    counts = select(m.merge_id, m.kind, func.count().label("count")).where(
        m.merge_id.in_(ids), m.kind.not_in(APART), *(~one for one in _kept_private())
    )
    return store().rows(counts.group_by(m.merge_id, m.kind).order_by(m.merge_id, m.kind))


def _kept_private() -> Iterator[ColumnElement[bool]]:
    """Whether a move is of what the patient keeps to themself now, for each kind that can be."""
    m = patient_merge_moves.c
    for table in metadata.sorted_tables:
        if "shared_with" in table.c:
            yield and_(m.kind == table.name, exists().where(*_is(table), table.c.shared_with == ME))
    for child, column, parent in UNDER:
        up = (parent.c.clinic_id == child.c.clinic_id, parent.c.id == child.c[column])
        hangs = exists().where(*_is(child), *up, parent.c.shared_with == ME)
        yield and_(m.kind == child.name, hangs)


def _is(table: Any) -> list[ColumnElement[bool]]:
    m = patient_merge_moves.c
    return [table.c.clinic_id == m.clinic_id, table.c.id == m.record_id]
