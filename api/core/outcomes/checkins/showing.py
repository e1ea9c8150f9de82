"""Check-ins as their readers see them: clinicians whole, patients without flags and with words."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from api.access.policies import Actor
from api.access.users import users
from api.core.alerts import unacknowledged
from api.core.clinic import crisis_for
from api.core.integration.reading import reading
from api.core.outcomes.checkins import safety
from api.core.outcomes.checkins.about import with_context
from api.core.outcomes.checkins.table import check_ins, figure
from api.core.patients import display_name
from api.core.treatment.windows import windows_of, windows_told
from api.core.words import words_for
from api.db import Values, found, store

HIDDEN: Final = ("clinic_id", "patient_id", "deleted_at", "patients_own")
WHOLE: Final = tuple(str(column.key) for column in check_ins.c if column.key not in HIDDEN)
UNLISTED: Final = ("clinic_id", "deleted_at", "recorder")
"""What a row of a list holds beside what is shown of it."""
TO_PATIENT: Final = (
    *("id", "version", "created_at", "updated_at", "instrument", "state", "source"),
    *("answered_by", "answered_at", "answered_on", "answers", "total", "band"),
    *("practice_id", "practice", "window_day"),
)
"""What a patient reads of a check-in: their answers, total and band, never scores nor flags."""
AT_ONCE: Final = ("id", "version", "state")
"""What a patient is answered who has just written: no number stands beside the words."""


def show_listed(reader: Actor, patient: Values, rows: list[Values]) -> list[Values]:
    """Check-ins of one patient, each read with the name it needs, as this reader sees them.

    What is answered is the whole answer: the doors send it as it is.
    """
    if not rows:
        return []
    with_context(reader, windows_told(patient["doses"], patient["time_zone"]), rows)
    for row in rows:
        row["total"] = figure(row["total"])  # a hot read has it as the driver gives it
    if reader.rights.is_patient:
        said = _Said(patient, rows)
        return [said.beside(row, TO_PATIENT) for row in rows]
    named = {"id": patient["id"], "display_name": display_name(patient)}
    return [_listed(row, named) for row in rows]


def _listed(row: Values, patient: Values) -> Values:
    """A check-in as the staff reads it in a list."""
    recorder = row["recorder"]
    by = None if recorder is None else {"id": row["recorded_by"], "display_name": recorder}
    for name in UNLISTED:
        del row[name]
    row["patient"], row["recorded_by"] = patient, by
    return row


def show(reader: Actor, patient: Values, row: Values) -> Values:
    """One check-in as this reader sees it; at most three queries more."""
    told = "doses" in patient  # a hot write has read them with the chart
    days = windows_told(patient["doses"], patient["time_zone"]) if told else windows_of(patient)
    [row] = with_context(reader, days, [row])
    if reader.rights.is_patient:
        return _Said(patient, [row]).beside(row, TO_PATIENT)
    named = {"id": patient["id"], "display_name": display_name(patient)}
    return _whole(row, named, _name(reader, row["recorded_by"]))


def answered(writer: Actor, patient: Values, row: Values) -> Values:
    """The answer to whoever wrote; to a patient it says who reads it, and words without numbers."""
    if not writer.rights.is_patient:
        return show(writer, patient, row)
    said = reading("care_team", patient["status"], patient["locale"])
    return _Said(patient, [row]).beside(row, AT_ONCE) | {"reading": said}


def _recorder(row: Values) -> str | None:
    """The name of the one of staff who recorded it; None where the patient did it themself."""
    return row["recorder"] if row["recorded_for"] is None else None


def _whole(row: Values, patient: Values, recorder: str | None) -> Values:
    shown = {key: row[key] for key in WHOLE}
    by = None if recorder is None else row["recorded_by"]
    shown["patient"] = patient
    shown |= {name: row[name] for name in ("practice", "window_day")}
    shown["recorded_by"] = None if by is None else {"id": by, "display_name": recorder}
    return shown


def _name(reader: Actor, user_id: UUID | None) -> str | None:
    """The name of the one of staff who recorded it, else None; oneself is known already."""
    if user_id is None or user_id == reader.user_id:
        return None if user_id is None else reader.rights.display_name
    mine = (users.c.clinic_id == reader.clinic_id, users.c.id == user_id)
    columns = (users.c.display_name.label("recorder"), users.c.patient_id.label("recorded_for"))
    return _recorder(found(store().row(select(*columns).where(*mine))))


class _Said:
    """Words for one patient; the clinic is asked for its crisis resources at most once."""

    def __init__(self, patient: Values, rows: list[Values]) -> None:
        self.patient = patient
        self.alerts = unacknowledged(patient["clinic_id"], [row["id"] for row in rows])
        self.known: tuple[str, Values] | None = None

    def beside(self, row: Values, names: Iterable[str]) -> Values:
        """Some columns of a check-in with its words; crisis resources come first."""
        mine = self.alerts.get(row["id"], [])
        key, priority = safety.words_key(self.patient, row, mine)
        texts = words_for(self.patient["locale"])["check_ins"]
        shown = {name: row[name] for name in names}
        if key not in safety.BRING_HELP:
            return shown | {"words": texts[key]}
        clinic, crisis = self._clinic()
        said = _spoken(clinic, crisis) | {"when": texts["when"].get(priority)}
        return {"crisis": crisis} | shown | {"words": texts[key].format(**said)}

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
