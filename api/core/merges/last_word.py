"""The last word: of the consents of two charts at most one of each kind stands, the one said last.

Each chart had its own; side by side in one chart, an older one would go on standing after the
patient had said no in the other. What a merge ends so bears its moment, and stands again when the
charts are divided.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_

from api import clock
from api.core.consents import consents
from api.db import Values, store, versions

TOLD = ("clinic_id", "id", "patient_id", "version", "updated_at", "deleted_at")
"""What the feed must know of a consent."""


def let_stand(merge: Values) -> None:
    """Let what was said last of each kind stand in the chart that holds both now."""
    c = consents.c
    standing = [c.withdrawn_at.is_(None), c.superseded_at.is_(None)]
    those = [*_of(merge, merge["patient_id"]), *standing, _said_since(merge)]
    _change(those, merge["created_at"])


def let_stand_again(merge: Values) -> None:
    """Let stand again in either chart what the merge ended, unless more was said there since."""
    for patient_id in (merge["patient_id"], merge["merged_id"]):
        ended = [consents.c.superseded_at == merge["created_at"], consents.c.withdrawn_at.is_(None)]
        _change([*_of(merge, patient_id), *ended, ~_said_since(merge)], None)


def _of(merge: Values, patient_id: UUID) -> list[ColumnElement[bool]]:
    c = consents.c
    return [c.clinic_id == merge["clinic_id"], c.patient_id == patient_id, c.deleted_at.is_(None)]


def _said_since(merge: Values) -> ColumnElement[bool]:
    """Whether the chart holds a later word of the same kind: a no, or a yes that is not ended."""
    c, other = consents.c, consents.alias("other").c
    alike = [other[name] == c[name] for name in ("clinic_id", "patient_id", "kind")]
    stands = or_(other.superseded_at.is_(None), other.superseded_at == merge["created_at"])
    is_later = or_(
        other.granted_at > c.granted_at, and_(other.granted_at == c.granted_at, other.id > c.id)
    )
    a_yes = and_(other.withdrawn_at.is_(None), stands, is_later)
    no_or_yes = or_(other.withdrawn_at > c.granted_at, a_yes)
    return exists().where(*alike, other.deleted_at.is_(None), other.id != c.id, no_or_yes)


def _change(those: list[Any], superseded_at: datetime | None) -> None:
    versions.keep_all(store(), consents, those, {"superseded_at": superseded_at})
    values = {"version": consents.c.version + 1, "updated_at": clock.now()}
    changed = consents.update().where(*those).values(**values, superseded_at=superseded_at)
    told = store().execute(changed.returning(*(consents.c[name] for name in TOLD)))
    store().tell(consents, told.mappings().all())
