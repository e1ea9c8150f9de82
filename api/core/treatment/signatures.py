"""Signatures: which parts of a session's record are owed and by whom, and which are signed.

A record has as many chairs as there were kinds of people in the room. Of a dosing session each of
therapist, prescriber and nurse owes a part, as far as clinicians of that chair are named on it or
wrote in its ledger; whoever planned the dose owes the prescriber's. Of any other session one part
is owed: the therapist's if one is named, else that of whoever is.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    String,
    Uuid,
    and_,
    column,
    literal,
    select,
    table as plain_table,
)

from api import clock
from api.access.policies import Privilege, Profession
from api.access.users import users
from api.core.team_reach import session_clinicians
from api.db import Instant, Sealed, Values, of, store, tenant_table
from api.errors import Conflict

PARTS: Final = ("therapist", "prescriber", "nurse")
CHAIRS: Final[Mapping[str, str]] = {
    Profession.THERAPIST: "therapist",
    Profession.GUIDE: "therapist",
    Profession.SUPERVISOR: "therapist",
    Profession.PRESCRIBER: "prescriber",
    Profession.NURSE: "nurse",
}
"""In which chair a profession sits."""
BY_PRIVILEGE: Final[Mapping[str, str]] = {
    Privilege.PRESCRIBE: "prescriber",
    Privilege.ADMINISTER: "nurse",
}
"""The part that a privilege lets somebody sign beside that of their profession."""
VOIDED_BY: Final = ("note_unlocked", "session_reopened")
SIGNED: Final = "signed"

session_signatures = tenant_table(
    "session_signatures",
    Column("session_id", Uuid, nullable=False),
    Column("part", String(20), nullable=False),
    Column("signed_by", Uuid, nullable=False),
    Column("signed_at", Instant, nullable=False),
    Column("session_version", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("covers", Sealed, nullable=False),
    Column("voided_at", Instant),
    Column("void_reason", String(20)),
    of("sessions", "session_id"),
    of("users", "signed_by"),
    CheckConstraint(f"part IN {PARTS}", name="part"),
    CheckConstraint(f"void_reason IN {VOIDED_BY}", name="void_reason"),
)
"""`digest` is the SHA-256 of what was signed, `covers` names it: the session's version, the notes
and the entries of the ledger as they were. A voided signature is kept and counts for nothing."""
STANDING = session_signatures.c.voided_at.is_(None)
Index(
    "uq_session_signatures_part",
    *session_signatures.c["clinic_id", "session_id", "part"],
    unique=True,
    sqlite_where=STANDING,
    postgresql_where=STANDING,
)
_sessions = plain_table(
    "sessions",
    *(column(name, Uuid) for name in ("clinic_id", "id", "patient_id")),
    column("completed_at", Instant),
    column("signed_at", Instant),
    column("deleted_at", Instant),
    column("state", String),
)
"""Sessions stand beside; of theirs no more is asked than when they were completed and signed."""
_ledger, _plans = (
    plain_table(name, *(column(each, Uuid) for each in ("clinic_id", "session_id", who)))
    for name, who in (("ledger_entries", "recorded_by"), ("dose_plans", "planned_by"))
)
"""Of a dosing session no more is asked than who wrote in its ledger, and who planned the dose."""
Seat = tuple[str, Values]
"""A part, and a clinician who owes it."""


def is_signed(session: Values) -> bool:
    """Whether every owed part of the session's record has its signature."""
    return session["signed_at"] is not None


def refuse_if_locked(session: Values) -> None:
    """Raise `Conflict` when the record is signed: it takes nothing but addenda any more."""
    if is_signed(session):
        raise Conflict("The record is signed; add to it.", state=SIGNED, allowed=["addenda"])


def unsigned_since(clinic_id: UUID, patient_id: UUID) -> datetime | None:
    """When the patient's last completed session was completed, while its record is not signed."""
    s = _sessions.c
    statement = (
        select(s.completed_at, s.signed_at)
        .where(s.clinic_id == clinic_id, s.patient_id == patient_id)
        .where(s.state == "completed", s.deleted_at.is_(None))
        .order_by(s.completed_at.desc(), s.id.desc())
    )
    last = store().row(statement.limit(1))
    return None if last is None or last["signed_at"] is not None else last["completed_at"]


def owed(session: Values) -> list[Values]:
    """The parts owed of one session: `{part, by, signed_by, signed_at, digest}` each."""
    return owed_of(session["clinic_id"], [session])[session["id"]]


def owed_of(clinic_id: UUID, sessions: Sequence[Values]) -> dict[UUID, list[Values]]:
    """The parts owed of each of these sessions, in as many queries however many they are.

    `by` are the clinicians `{id, display_name}` of whom one owes the part; a signed part names who
    signed it. Each session needs its `id` and `kind`.
    """
    ids = [session["id"] for session in sessions]
    seats = _seats(clinic_id, ids, [row["id"] for row in sessions if row["kind"] == "dosing"])
    signed = _signed(clinic_id, ids)
    return {
        row["id"]: _parts(row["kind"], seats.get(row["id"], []), signed.get(row["id"], {}))
        for row in sessions
    }


def _parts(kind: str, seats: list[Seat], signed: dict[str, Values]) -> list[Values]:
    by: dict[str, list[Values]] = defaultdict(list)
    for part, who in seats:
        if who["id"] not in [one["id"] for one in by[part]]:
            by[part].append({"id": who["id"], "display_name": who["display_name"]})
    owing = [part for part in PARTS if part in by] or [PARTS[0]]
    owing = owing if kind == "dosing" else owing[:1]
    nobody = {"signed_by": None, "signed_at": None, "digest": None}
    shown = [part for part in PARTS if part in owing or part in signed]
    return [{"part": part, "by": by[part]} | (signed.get(part) or nobody) for part in shown]


def chair(clinician: Values) -> str:
    """The part that a clinician owes: that of their profession, or else of their privileges."""
    if clinician["profession"] in CHAIRS:
        return CHAIRS[clinician["profession"]]
    held = clinician["privileges"]
    return next((part for p, part in BY_PRIVILEGE.items() if p in held), PARTS[0])


def signable_by(clinician: Values) -> set[str]:
    """The parts that a clinician may sign: that of their chair, and those of their privileges."""
    more = {part for p, part in BY_PRIVILEGE.items() if p in clinician["privileges"]}
    return {chair(clinician), *more}


def _seats(clinic_id: UUID, ids: list[UUID], dosing: list[UUID]) -> dict[UUID, list[Seat]]:
    """Who sat where: those named on each session, in their order, then who else wrote of it."""
    t = session_clinicians.c
    named = select(t.session_id, t.clinician_id.label("who")).where(
        t.clinic_id == clinic_id, t.session_id.in_(ids)
    )
    found = store().rows(named.order_by(t.place)) if ids else []
    found += _writers(clinic_id, dosing) if dosing else []
    known = _clinicians(clinic_id, {row["who"] for row in found})
    seats: dict[UUID, list[Seat]] = defaultdict(list)
    for row in found:
        if row["who"] in known:
            who = known[row["who"]]
            seats[row["session_id"]].append((row.get("part") or chair(who), who))
    return seats


def _writers(clinic_id: UUID, ids: list[UUID]) -> list[Values]:
    """Who wrote in the ledger of each session, and who planned its dose: the prescriber."""
    w, p = _ledger.c, _plans.c
    wrote = select(w.session_id, w.recorded_by.label("who"), literal(None, String).label("part"))
    planned = select(p.session_id, p.planned_by.label("who"), literal("prescriber").label("part"))
    wrote = wrote.where(w.clinic_id == clinic_id, w.session_id.in_(ids)).distinct()
    planned = planned.where(p.clinic_id == clinic_id, p.session_id.in_(ids))
    return store().rows(wrote) + store().rows(planned)


def _clinicians(clinic_id: UUID, ids: Iterable[UUID]) -> dict[UUID, Values]:
    u, wanted = users.c, list(ids)
    statement = select(u.id, u.display_name, u.profession, u.privileges).where(
        u.clinic_id == clinic_id, u.id.in_(wanted)
    )
    return {row["id"]: row for row in store().rows(statement)} if wanted else {}


def clinician(clinic_id: UUID, user_id: UUID) -> Values:
    """A clinician `{id, display_name, profession, privileges}`."""
    return _clinicians(clinic_id, [user_id])[user_id]


def _signed(clinic_id: UUID, ids: list[UUID]) -> dict[UUID, dict[str, Values]]:
    """The standing signatures of each session, by part."""
    g = session_signatures.c
    joined = and_(users.c.clinic_id == g.clinic_id, users.c.id == g.signed_by)
    statement = (
        select(g.session_id, g.part, g.signed_by, g.signed_at, g.digest, users.c.display_name)
        .join(users, joined)
        .where(g.clinic_id == clinic_id, g.session_id.in_(ids), STANDING)
    )
    found: dict[UUID, dict[str, Values]] = defaultdict(dict)
    for row in store().rows(statement) if ids else []:
        by = {"id": row["signed_by"], "display_name": row["display_name"]}
        kept = {"signed_by": by, "signed_at": row["signed_at"], "digest": row["digest"]}
        found[row["session_id"]][row["part"]] = kept
    return found


def void(session: Values, reason: str, note_id: UUID | None = None) -> int:
    """Let the standing signatures count no more, or those that cover a note, and how many.

    They are kept, as what was signed then.
    """
    g = session_signatures.c
    mine: list[Any] = [g.clinic_id == session["clinic_id"], g.session_id == session["id"], STANDING]
    rows = store().rows(select(session_signatures).where(*mine), opens=session_signatures)
    gone = [row for row in rows if note_id is None or str(note_id) in row["covers"]["notes"]]
    for row in gone:
        values = {"voided_at": clock.now(), "void_reason": reason}
        store().change(session_signatures, row, values)
    return len(gone)
