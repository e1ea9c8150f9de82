"""Check-ins as their readers see them: clinicians whole, patients without flags and with words."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from api.access.policies import Actor
from api.access.users import users
from api.core.clinic import crisis_for
from api.core.integration.reading import reading
from api.core.outcomes.checkins.table import COMPLETE
from api.core.outcomes.instruments.catalogue import instrument
from api.core.outcomes.instruments.scoring import safety_signals
from api.core.patients import display_name
from api.core.words import words_for
from api.db import Values, store

HIDDEN: Final = ("clinic_id", "patient_id", "deleted_at")
TO_PATIENT: Final = (
    *("id", "version", "created_at", "updated_at", "instrument", "state", "source"),
    *("answered_by", "answered_at", "answered_on", "answers", "total", "band"),
)
"""What a patient reads of a check-in: their answers, total and band, never scores nor flags."""
AT_ONCE: Final = ("id", "version", "state")
"""What a patient is answered who has just written: no number stands beside the words."""
SAFETY, LEFT_OPEN = "safety", "left_open"


def show_all(reader: Actor, patient: Values, rows: list[Values]) -> list[Values]:
    """Check-ins of one patient as this reader sees them; at most one query more."""
    if reader.rights.is_patient:
        said = _Said(patient)
        return [said.beside(row, TO_PATIENT) for row in rows]
    names = _names(reader.clinic_id, {row["recorded_by"] for row in rows} - {None})
    return [_whole(patient, row, names) for row in rows]


def show(reader: Actor, patient: Values, row: Values) -> Values:
    """One check-in as this reader sees it."""
    return show_all(reader, patient, [row])[0]


def answered(writer: Actor, patient: Values, row: Values) -> Values:
    """The answer to whoever wrote; to a patient it says who reads it, and words without numbers."""
    if not writer.rights.is_patient:
        return show(writer, patient, row)
    said = reading("care_team", patient["status"], patient["locale"])
    return _Said(patient).beside(row, AT_ONCE) | {"reading": said}


def _whole(patient: Values, row: Values, names: dict[UUID, Values]) -> Values:
    shown = {key: value for key, value in row.items() if key not in HIDDEN}
    shown["patient"] = {"id": patient["id"], "display_name": display_name(patient)}
    shown["recorded_by"] = names.get(row["recorded_by"])
    return shown


def _names(clinic_id: UUID, ids: Iterable[UUID]) -> dict[UUID, Values]:
    wanted = list(ids)
    statement = select(users.c.id, users.c.display_name).where(
        users.c.clinic_id == clinic_id, users.c.id.in_(wanted)
    )
    return {row["id"]: row for row in store().rows(statement)} if wanted else {}


def words_key(row: Values) -> str:
    """Which words a check-in is answered with.

    `safety` when an answer raises a safety rule, also in a draft; `left_open` when a complete
    check-in leaves a safety question without an answer; else the state.
    """
    rules = safety_signals(instrument(row["instrument"]), row["answers"])
    if any(rule.op != "missing" for rule in rules):
        return SAFETY
    return LEFT_OPEN if rules and row["state"] == COMPLETE else str(row["state"])


class _Said:
    """Words for one patient; the clinic is asked for its crisis resources at most once."""

    def __init__(self, patient: Values) -> None:
        self.patient = patient
        self.known: tuple[str, Values] | None = None

    def beside(self, row: Values, names: Iterable[str]) -> Values:
        """Some columns of a check-in with its words; crisis resources come first."""
        key = words_key(row)
        text: str = words_for(self.patient["locale"])["check_ins"][key]
        shown = {name: row[name] for name in names}
        if key not in (SAFETY, LEFT_OPEN):
            return shown | {"words": text}
        clinic, crisis = self._clinic()
        return {"crisis": crisis} | shown | {"words": text.format(**_spoken(clinic, crisis))}

    def _clinic(self) -> tuple[str, Values]:
        if self.known is None:
            self.known = crisis_for(self.patient["clinic_id"], self.patient["locale"])
        return self.known


def _spoken(clinic: str, crisis: Values) -> dict[str, Any]:
    """Crisis resources as a sentence holds them."""
    every = [crisis[name] for name in ("emergency", "line", "text") if crisis[name]]
    return {
        "clinic": f"{clinic} ({crisis['phone']})" if crisis["phone"] else clinic,
        "line": crisis["line"] or crisis["emergency"],
        "crisis": "; ".join(every),
    }
