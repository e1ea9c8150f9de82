"""Codes: which patient is which subject of a project, kept apart from all else.

On PostgreSQL they lie in a schema of their own, into which the role for research may go
(`RESEARCH_DATABASE_URL`) and the one that answers requests may not, where a clinic gave each its
own.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from secrets import token_hex
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, delete, exists, insert, select

from api.core.patients import patients
from api.core.release.cohort import consenting
from api.core.release.snapshot import batches
from api.core.release.tables import research_subjects
from api.db import keeping_engine, walls

CODE_BYTES: Final = 16


def give_codes(clinic_id: UUID, project_id: UUID) -> None:
    """Give a random code to everybody who agreed and has none in this project.

    In a transaction of its own: on SQLite no other may be open here.
    """
    t = research_subjects.c
    has = exists().where(*_of(clinic_id, project_id), t.patient_id == patients.c.id)
    lacking = select(patients.c.id).where(*consenting(clinic_id), ~has)
    keys: dict[str, Any] = {"clinic_id": clinic_id, "project_id": project_id}
    with _keeping() as connection:
        ids = connection.execute(lacking).scalars().all()
        given = [keys | {"patient_id": one, "subject_id": token_hex(CODE_BYTES)} for one in ids]
        for some in batches(given):
            connection.execute(insert(research_subjects), list(some))


def codes(clinic_id: UUID, project_id: UUID) -> Mapping[UUID, str]:
    """The code of each patient who has one in this project; it never changes."""
    t = research_subjects.c
    mine = select(t.patient_id, t.subject_id).where(*_of(clinic_id, project_id))
    with _keeping() as connection:
        return {row.patient_id: row.subject_id for row in connection.execute(mine)}


def forget_codes(clinic_id: UUID, patient_ids: Sequence[UUID]) -> int:
    """Take the codes of these patients away, in every project; how many there were.

    What was released under them stays, and nobody can say any more whose it was. In a transaction
    of its own, as above; where another role keeps the codes, it is that role's.
    """
    t = research_subjects.c
    with _keeping() as connection:
        theirs = (t.clinic_id == clinic_id, t.patient_id.in_(patient_ids))
        there = connection.execute(select(t.subject_id).where(*theirs)).scalars().all()
        if there:  # a role that was not granted anew can't delete, and need not then
            connection.execute(delete(research_subjects).where(*theirs))
    return len(there)


def _of(clinic_id: UUID, project_id: UUID) -> list[ColumnElement[bool]]:
    t = research_subjects.c
    return [t.clinic_id == clinic_id, t.project_id == project_id]


@contextmanager
def _keeping() -> Iterator[Connection]:
    """A transaction of whoever keeps the codes, for the clinic that is meant."""
    engine = keeping_engine()
    try:
        about = engine.execution_options(within=walls.said() or walls.NOBODY)
        with about.connect() as connection, connection.begin():
            yield connection
    finally:
        engine.dispose()
