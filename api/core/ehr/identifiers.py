"""The numbers of other systems on records of a chart: kept, shown and found again."""

from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Table, and_, exists, literal_column, select

from api import vault
from api.access.policies import Actor
from api.core.ehr.source import Source
from api.core.ehr.table import ehr_identifier_words, ehr_identifiers
from api.db import Values, reveal, store
from api.errors import Conflict

OURS: Final = "urn:freshtrail:"
"""How the systems of our own identifiers begin."""


def keep_identifiers(clinic_id: UUID, kind: str, row: Values, told: list[Values]) -> None:
    """Let the record be found by these numbers and by no other; `Conflict` when one is another's.

    Whoever calls holds the client, so that no two writers of one system meet.
    """
    blinds = sorted({_blind(clinic_id, kind, one["system"], one["value"]) for one in told})
    w = ehr_identifier_words.c
    mine = (w.clinic_id == clinic_id, w.kind == kind)
    taken = select(w.record_id).where(*mine, w.blind.in_(blinds), w.record_id != row["id"])
    if blinds and store().row(taken) is not None:
        raise Conflict("Another record already carries this identifier.", missing=["unique"])
    store().execute(ehr_identifier_words.delete().where(*mine, w.record_id == row["id"]))
    keys = {"clinic_id": clinic_id, "kind": kind, "record_id": row["id"]}
    keys |= {"patient_id": row["patient_id"]}
    if blinds:
        store().execute(ehr_identifier_words.insert(), [keys | {"blind": one} for one in blinds])
    _keep_whole(keys, told)


def _keep_whole(keys: Values, told: list[Values]) -> None:
    t = ehr_identifiers.c
    mine = (t.clinic_id == keys["clinic_id"], t.kind == keys["kind"])
    there = select(ehr_identifiers).where(*mine, t.record_id == keys["record_id"])
    before = store().row(there, opens=ehr_identifiers)
    if before is not None:
        store().change(ehr_identifiers, before, {"identifiers": told})
    elif told:
        store().add(ehr_identifiers, keys | {"identifiers": told})


def carrying(kind: str, table: Table) -> Any:
    """What a source says to have the numbers of other systems beside its records of a kind."""
    n = ehr_identifiers.c
    its = (n.clinic_id == table.c.clinic_id, n.record_id == table.c.id)
    return {
        "columns": (n.id.label("numbers_id"), n.identifiers.label("numbers")),
        "joined": ((ehr_identifiers, and_(*its, n.kind == literal_column(f"'{kind}'"))),),
    }


def open_numbers(_reader: Actor, rows: list[Values]) -> None:
    """Put the numbers of other systems beside each row, from what was read with it."""
    for row in rows:
        row["identifiers"] = []
        if row["numbers_id"] is None:
            continue
        sealed = {"clinic_id": row["clinic_id"], "id": row["numbers_id"]}
        told = reveal(ehr_identifiers, sealed | {"identifiers": row["numbers"]})
        row["identifiers"] = told["identifiers"]


def numbers_of(kind: str) -> Callable[[Values], Values]:
    """What belongs to a version of a record of a kind: the numbers that it had."""

    def numbers(row: Values) -> Values:
        t = ehr_identifiers.c
        mine = (t.clinic_id == row["clinic_id"], t.kind == kind, t.record_id == row["id"])
        there = store().row(select(ehr_identifiers).where(*mine), opens=ehr_identifiers)
        return {"identifiers": [] if there is None else there["identifiers"]}

    return numbers


def numbered(
    reader: Actor, source: Source, kind: str, values: Sequence[str]
) -> ColumnElement[bool] | None:
    """The SQL condition of the records that carry one of these numbers, `system|value`.

    None where it can't be said: without a system, or of our own.
    """
    pairs = [value.partition("|") for value in values]
    if source.table is None or any(not s or not v or s.startswith(OURS) for s, _, v in pairs):
        return None
    w = ehr_identifier_words.c
    return exists().where(
        w.clinic_id == reader.clinic_id,
        w.kind == kind,
        w.blind.in_([_blind(reader.clinic_id, kind, s, v) for s, _, v in pairs]),
        w.record_id == source.table.c.id,
    )


def _blind(clinic_id: UUID, kind: str, system: str, value: str) -> str:
    return vault.blind(f"{kind}|{system}|{value}", "ehr_identifier_words.blind", clinic_id)
