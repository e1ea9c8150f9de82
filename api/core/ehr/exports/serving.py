"""Files of an export on their way out: piece by piece, without whoever is out of reach by now."""

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from sqlalchemy import select

from api.access.policies import Actor
from api.core import gate
from api.core.ehr.exports.making import unseal
from api.core.ehr.exports.orders import EXPORTS, find, out_of_reach, read_export
from api.core.ehr.exports.packing import joined, pack, unpack
from api.core.ehr.exports.tables import DELETED, READY, bulk_chunks
from api.db import Values, found, store, transaction
from api.errors import NotFound

FIRST: Final = -1


def open_file(actor: Actor, export_id: UUID, name: str) -> Values:
    """The export, once it has a file of this name; else `NotFound`."""
    gate.admit(actor, EXPORTS)
    export = read_export(actor, export_id)
    there = export["state"] == READY and any(one["name"] == name for one in export["files"])
    return found(export if there else None)


def pieces(reader: Actor, export_id: UUID, name: str, packed: bool) -> Iterator[bytes]:
    """The bytes of a file, by gzip or plain; each piece is read in a transaction of its own.

    Before each it is asked whether the export is still there, and who is still in reach.
    """
    each = _each(reader, export_id, name)
    return joined(each) if packed else map(unpack, each)


def _each(reader: Actor, export_id: UUID, name: str) -> Iterator[bytes]:
    number = FIRST
    while True:
        try:
            with transaction():
                piece = _next(reader, find(reader, export_id), name, number)
        except NotFound:
            if number == FIRST:
                raise
            raise ConnectionAbortedError("the export is no more") from None
        if piece is None:
            return
        number, content = piece
        yield content


def _next(reader: Actor, export: Values, name: str, after: int) -> tuple[int, bytes] | None:
    c = bulk_chunks.c
    mine = [c.clinic_id == reader.clinic_id, c.export_id == export["id"], c.file == name]
    following = select(bulk_chunks).where(*mine, c.number > after).order_by(c.number).limit(1)
    row = store().row(following)
    if row is None:
        return None
    content = unseal(export, name, row["number"], row["content"])
    people, or_gone = [UUID(one) for one in row["people"]], name != DELETED
    gone = out_of_reach(reader, export["id"], people, or_gone)
    left_out = {line for one in gone for line in row["people"][one]}
    return row["number"], _without(content, left_out) if left_out else content


def _without(content: bytes, left_out: set[int]) -> bytes:
    lines = unpack(content).splitlines()
    return pack([line for number, line in enumerate(lines) if number not in left_out])
