"""Notes as their readers see them: with names, what was added to them, and what is open to do."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from api import clock
from api.access.policies import Actor, Privilege
from api.access.users import named
from api.core.patients import display_name
from api.core.treatment.notes import finding
from api.core.treatment.notes.tables import (
    ADDENDUM,
    APART,
    DRAFT,
    FREE,
    PROGRESS,
    SIGNED,
    TEMPLATES,
    notes,
)
from api.core.words import words_for
from api.db import Listing, Values, store
from api.errors import Conflict

KEPT: Final = (
    *("id", "version", "created_at", "updated_at", "session_id", "kind", "template", "text"),
    *("sections", "signed_at", "addendum_to"),
)
"""What everybody who reads a note reads of it."""
FOR_STAFF: Final = ("cosigned_at", "unlocks", "entry")


def show(reader: Actor, row: Values) -> Values:
    """One note as this reader sees it."""
    return show_all(reader, [row])[0]


def show_all(reader: Actor, rows: list[Values]) -> list[Values]:
    """Notes as this reader sees them, each with its addenda; a few queries, however many."""
    added = finding.addenda_of(reader, rows)
    everything = [*rows, *(one for each in added.values() for one in each)]
    names = _names(reader.clinic_id, everything)
    people = finding.patients_of(reader.clinic_id, {row["patient_id"] for row in rows})
    return [
        _shown(reader, row, names)
        | {
            "patient": {
                "id": row["patient_id"],
                "display_name": display_name(people[row["patient_id"]]),
            },
            "addenda": [_addendum(reader, one, names) for one in added.get(row["id"], [])],
        }
        for row in rows
    ]


def show_page(reader: Actor, told: tuple[Listing, list[Values]]) -> Listing:
    """A page of notes as this reader sees it."""
    listing, rows = told
    listing.items = show_all(reader, rows)
    return listing


def _shown(reader: Actor, row: Values, names: dict[UUID, Values]) -> Values:
    shown = {name: row[name] for name in KEPT} | {"sections": _in_order(row)}
    shown |= {"state": finding.state_of(row), "author": names[row["author_id"]]}
    shown["cosigned_by"] = names.get(row["cosigned_by"])
    if reader.rights.is_patient:
        return shown
    more = {name: row[name] for name in FOR_STAFF} | {"unlocks": row["unlocks"] or 0}
    more["destroyed_at"] = row.get("destroyed_at")
    return shown | more | {"hold": _hold(row, names), "allowed": allowed(reader, row)}


def _addendum(reader: Actor, row: Values, names: dict[UUID, Values]) -> Values:
    kept = {name: row[name] for name in ("id", "version", "created_at", "text", "signed_at")}
    shown = kept | {"state": finding.state_of(row), "author": names[row["author_id"]]}
    return shown if reader.rights.is_patient else shown | {"entry": row["entry"]}


def _in_order(row: Values) -> Values | None:
    """The sections in the order of their template, however they came."""
    if row["sections"] is None:
        return None
    known = TEMPLATES.get(row["template"] or FREE, ())
    names = [*known, *(name for name in row["sections"] if name not in known)]
    return {name: row["sections"][name] for name in names if name in row["sections"]}


def _hold(row: Values, names: dict[UUID, Values]) -> Values | None:
    """Why the note is held from the patient, and until when; None once that is over."""
    if row["held_until"] is None or row["held_until"] <= clock.now():
        return None
    kept = row["hold"]
    by = names.get(UUID(kept["held_by"]))
    told = {name: kept[name] for name in ("reason", "notice", "held_at")}
    return told | {"expires_at": row["held_until"], "held_by": by}


def allowed(reader: Actor, row: Values) -> list[str]:
    """What this reader may do with the note now, by the last part of its address."""
    if row.get("destroyed_at") is not None:
        return []
    own = row["author_id"] == reader.user_id
    is_apart = row["kind"] == APART
    if row["state"] == DRAFT:
        return [*(["sign"] if own else []), *(["hold"] if row["kind"] == PROGRESS else [])]
    open_to = ["addenda"] if row["kind"] != ADDENDUM and row["addendum_to"] is None else []
    may_cosign = Privilege.COSIGN in reader.rights.privileges and not own
    if may_cosign and row["cosigned_at"] is None:
        open_to.append("cosign")
    if own and not is_apart:
        open_to.append("unlock-requests")
    return [*open_to, *(["hold"] if row["kind"] == PROGRESS else [])]


def not_now(reader: Actor, row: Values, detail: str, **more: Any) -> Conflict:
    """The refusal of what the note's state forbids, with what it allows this reader."""
    state = finding.state_of(row)
    return Conflict(detail, state=state, allowed=allowed(reader, row), **more)


def _names(clinic_id: UUID, rows: Iterable[Values]) -> dict[UUID, Values]:
    who = {row[name] for row in rows for name in ("author_id", "cosigned_by")} - {None}
    who |= {UUID(row["hold"]["held_by"]) for row in rows if row["hold"] is not None}
    return named(clinic_id, who)


def held_back(reader: Actor, within: str, value: UUID) -> Values | None:
    """What a patient is told of notes that are held from them: until when, in words; else None."""
    if not reader.rights.is_patient:
        return None
    n, now = notes.c, clock.now()
    mine = [n.clinic_id == reader.clinic_id, n[within] == value, n.deleted_at.is_(None)]
    held = select(notes).where(*mine, n.state == SIGNED, n.held_until > now)
    rows = store().rows(held.order_by(n.held_until, n.id), opens=notes)
    people = finding.patients_of(reader.clinic_id, {row["patient_id"] for row in rows})
    return {
        "held_back": [
            {
                "expires_at": row["held_until"],
                "words": row["hold"]["notice"]
                or words_for(people[row["patient_id"]]["locale"])["notes"]["held_back"],
            }
            for row in rows
        ]
    }
