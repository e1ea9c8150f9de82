"""Finding notes: one that the reader may see, and the lists of those of a chart or a session.

Two questions are asked for every note: is it in the record and in reach, and if not, did the reader
write it for themself alone. A psychotherapy note of somebody else is answered as one that is not
there, by the same two questions.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    and_,
    case,
    exists,
    literal,
    or_,
    select,
    union_all,
)

from api import clock
from api.access.policies import Actor, Role
from api.audit import trail
from api.core import gate
from api.core.chart_keys import beside
from api.core.patients import open_chart, patients
from api.core.treatment.notes.tables import (
    APART,
    DRAFT,
    LOCKED,
    SIGNED,
    notes,
    psychotherapy_notes,
)
from api.core.treatment.sessions import sessions
from api.db import Instant, Listing, Page, Values, found, page, store
from api.errors import NotFound
from api.vault import PSYCHOTHERAPY


def find_note(actor: Actor, action: str, note_id: UUID) -> Values:
    """A note that the actor may see, with its `kind`; raises `NotFound`, alike for all others."""
    granted = gate.admit(actor, action)
    trail.about(notes.name, note_id)
    one = [notes.c.clinic_id == actor.clinic_id, notes.c.id == note_id]
    inside = gate.in_reach(actor, granted, notes.c.patient_id)
    statement = in_record().where(*one, inside, notes.c.deleted_at.is_(None), *_seen(actor))
    row = store().row(statement, opens=notes)
    if row is None and actor.rights.role == Role.CLINICIAN:
        row = _own(actor, note_id)
    trail.touches([] if row is None else [row["patient_id"]])
    return found(row)


def in_record() -> Select[Any]:
    """A select of notes of the record, with since when the record of their session is signed."""
    s = sessions.c
    beside = and_(s.clinic_id == notes.c.clinic_id, s.id == notes.c.session_id)
    joined = notes.outerjoin(sessions, beside)
    return select(notes, s.signed_at.label("closed_at")).select_from(joined)


def _own(actor: Actor, note_id: UUID) -> Values | None:
    gate.admit(actor, "psychotherapy_note:read")
    mine = psychotherapy_notes.c.id == note_id
    row = store().row(apart_of(actor).where(mine), opens=psychotherapy_notes)
    return None if row is None else set_apart(actor, row)


def apart_of(author: Actor) -> Select[Any]:
    """A select of the psychotherapy notes that this clinician wrote; there is no other of them."""
    t = psychotherapy_notes.c
    return select(psychotherapy_notes, *beside(psychotherapy_notes)).where(
        t.clinic_id == author.clinic_id, t.author_id == author.user_id, t.deleted_at.is_(None)
    )


def set_apart(author: Actor, row: Values) -> Values:
    """The row as a note of its kind; what is remembered of the answer is sealed as it is."""
    seal_answer(author, row["chart_key_id"])
    return row | {"kind": APART, "closed_at": None} | dict.fromkeys(LACKING)


def seal_answer(author: Actor, chart_key_id: UUID | None) -> None:
    """Let what is remembered of the answer lie under the key of what it tells of."""
    author.extras |= {"sealed_for": PSYCHOTHERAPY, "chart_key_id": chart_key_id}


def columns_of(table: Table) -> list[Any]:
    """What a select of notes, or of their versions, needs to open them."""
    return [table, *(beside(table) if "chart_key_id" in table.c else ())]


LACKING = ("entry", "cosigned_by", "cosigned_at", "hold", "held_until", "unlocks")
"""What a psychotherapy note never has."""


def table_of(row: Values) -> Table:
    """The table in which a note lies."""
    return psychotherapy_notes if row["kind"] == APART else notes


def state_of(row: Values) -> str:
    """`draft`, `signed`, or `locked`: signed, and the record it is part of is closed."""
    if row["state"] == DRAFT:
        return DRAFT
    alone = row["session_id"] is None and row["cosigned_at"] is not None
    return LOCKED if alone or row["closed_at"] is not None else SIGNED


def _seen(reader: Actor) -> list[ColumnElement[bool]]:
    """The conditions of what a patient reads; staff read all that is in reach."""
    return [to_patient()] if reader.rights.is_patient else []


def to_patient() -> ColumnElement[bool]:
    """Whether a patient reads the note: it is signed and not held, and what it adds to is too."""
    of = notes.alias("of")
    whole = exists().where(
        of.c.clinic_id == notes.c.clinic_id, of.c.id == notes.c.addendum_to, *_stands(of)
    )
    return and_(*_stands(notes), or_(notes.c.addendum_to.is_(None), whole))


def _stands(table: Any) -> list[ColumnElement[bool]]:
    until = table.c.held_until
    return [table.c.state == SIGNED, or_(until.is_(None), until <= clock.now())]


def open_notes(actor: Actor, patient_id: UUID) -> bool:
    """Open the notes of a chart, and whether its record is in reach.

    One that left their reach opens to an author's own notes alone; `NotFound` to everybody else.
    """
    try:
        open_chart(actor, "note:read", patient_id)
        return True
    except NotFound:
        mine = psychotherapy_notes.c.patient_id == patient_id
        if actor.rights.role != Role.CLINICIAN or store().row(apart_of(actor).where(mine)) is None:
            raise
        trail.touches([patient_id])
        return False


@dataclass(frozen=True)
class Within:
    """Whose notes are asked for: those of a chart or of a session, of one kind or state."""

    column: str
    value: UUID
    kind: str | None = None
    state: str | None = None
    record: bool = True
    """Whether the record is in reach, beside what the reader keeps apart."""


def listed(reader: Actor, asked: Page, within: Within) -> tuple[Listing, list[Values]]:
    """One page of the notes within a chart or a session, and their rows in the order of the page.

    Addenda stand in the note they add to, and alone only where there is none.
    """
    heads = _heads(reader, within)
    kind, state = within.kind, within.state
    statement: Select[Any] = select(heads)
    if kind is not None:
        statement = statement.where(heads.c.kind == kind)
    if state is not None:
        gone = heads.c.deleted_at.is_not(None)
        statement = statement.where(or_(heads.c.state == state, gone))
    listing = page(statement, heads, asked, newest_first=True)
    rows = rows_of(reader, listing.items)
    return listing, rows


def rows_of(reader: Actor, heads: Iterable[Values]) -> list[Values]:
    """The notes behind the heads of a page, in its order; two queries."""
    apart = [head["id"] for head in heads if head["kind"] == APART]
    ids = [head["id"] for head in heads if head["kind"] != APART]
    rows = {row["id"]: row for row in _full(reader, ids)}
    if apart:
        own = apart_of(reader).where(psychotherapy_notes.c.id.in_(apart))
        for row in store().rows(own, opens=psychotherapy_notes):
            rows[row["id"]] = set_apart(reader, row)
    return [rows[head["id"]] for head in heads if head["id"] in rows]


def _full(reader: Actor, ids: list[UUID]) -> list[Values]:
    mine = [notes.c.clinic_id == reader.clinic_id, notes.c.id.in_(ids)]
    return store().rows(in_record().where(*mine), opens=notes) if ids else []


def _heads(reader: Actor, within: Within) -> Any:
    """The heads of every note that the reader is told of: `{id, kind, state, ...}`."""
    n, p = notes.c, psychotherapy_notes.c
    mine = [n.clinic_id == reader.clinic_id, n[within.column] == within.value]
    mine.append(n.addendum_to.is_(None))
    if reader.rights.is_patient:
        return _heads_to_patient().where(*mine).subquery("heads")
    state = case((n.state == DRAFT, DRAFT), (_is_closed(), LOCKED), else_=SIGNED)
    shown = (n.id, n.clinic_id, n.updated_at, n.deleted_at, n.kind, state.label("state"))
    record = in_record().with_only_columns(*shown).where(*mine)
    own = select(
        *(p.id, p.clinic_id, p.updated_at, p.deleted_at), literal(APART).label("kind"), p.state
    ).where(
        p.clinic_id == reader.clinic_id,
        p[within.column] == within.value,
        p.author_id == reader.user_id,
        p.addendum_to.is_(None),
    )
    return (union_all(record, own) if within.record else own).subquery("heads")


def _is_closed() -> ColumnElement[bool]:
    n = notes.c
    alone = and_(n.session_id.is_(None), n.cosigned_at.is_not(None))
    return or_(sessions.c.signed_at.is_not(None), alone)


def _heads_to_patient() -> Select[Any]:
    """What a patient reads, and as tombstones what they could read and can't just now."""
    n, now = notes.c, literal(clock.now(), Instant)
    seen = and_(to_patient(), n.deleted_at.is_(None))
    let_go = and_(n.held_until.is_not(None), n.held_until <= now, n.held_until > n.updated_at)
    held = and_(n.state == SIGNED, n.held_until > now)
    return (
        in_record()
        .with_only_columns(
            *(n.id, n.clinic_id, n.kind),
            case((_is_closed(), LOCKED), else_=SIGNED).label("state"),
            case((let_go, n.held_until), else_=n.updated_at).label("updated_at"),
            case((seen, None), else_=n.updated_at).label("deleted_at"),
        )
        .where(or_(seen, held, n.unlocks > 0))
    )


def addenda_of(reader: Actor, rows: Iterable[Values]) -> dict[UUID, list[Values]]:
    """What was added to each of these notes, in the order of writing; at most two queries."""
    by_note: dict[UUID, list[Values]] = {}
    for table in (notes, psychotherapy_notes):
        ids = [row["id"] for row in rows if table_of(row) is table]
        for row in _added(reader, table, ids) if ids else []:
            by_note.setdefault(row["addendum_to"], []).append(row)
    return by_note


def _added(reader: Actor, table: Table, ids: list[UUID]) -> list[Values]:
    statement = in_record() if table is notes else apart_of(reader)
    mine = [table.c.clinic_id == reader.clinic_id, table.c.addendum_to.in_(ids)]
    seen = _seen(reader) if table is notes else []
    statement = statement.where(*mine, table.c.deleted_at.is_(None), *seen)
    found_rows = store().rows(statement.order_by(table.c.id), opens=table)
    return found_rows if table is notes else [set_apart(reader, row) for row in found_rows]


def patients_of(clinic_id: UUID, ids: set[UUID]) -> dict[UUID, Values]:
    """The names of the patients whose charts hold notes; one query."""
    p = patients.c
    columns = (p.id, p.legal_given, p.legal_family, p.preferred_name, p.locale)
    statement = select(*columns).where(p.clinic_id == clinic_id, p.id.in_(ids))
    return {row["id"]: row for row in store().rows(statement)} if ids else {}
