"""An Encounter as an EHR sends it: a visit that is booked, moved or called off."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from api.access.policies import Actor
from api.core.ehr import book_visit, move_visit
from api.fhir.datatypes import OURS, Values
from api.fhir.encounter import CLASSES, WORDS
from api.fhir.writing.form import Form, Writer, code_in

STATUSES: Final = {
    "planned": "scheduled",
    "arrived": "arrived",
    "in-progress": "in_progress",
    "finished": "completed",
    "cancelled": "cancelled",
}
MODES: Final = {code: mode for mode, (code, _) in CLASSES.items()}
KINDS: Final = {kind.replace("_", "-"): kind for kind in WORDS}
REFERRED: Final = "intake"
"""What a visit is whose kind the EHR does not tell in our words: the first one after a referral."""


def _values(form: Form, is_booked: bool) -> Values:
    """What is kept of a visit; of one that is booked, when and who is needed."""
    said = form.said
    form.keeps(
        *("status", "class", "type", "subject", "participant", "period", "serviceProvider"),
    )
    period = said.get("period") or {}
    if is_booked:
        form.needs("period.start", period.get("start"))
        form.needs("period.end", period.get("end"))
        form.needs("participant", said.get("participant"))
    told = said.get("type") or []
    code = next((c for c in (code_in(one, f"{OURS}session-kind") for one in told) if c), None)
    if code is None and told:
        form.lost("type", f"Kept is a type of {OURS}session-kind.")
    return {
        "kind": form.code("type", KINDS, code),
        "mode": form.code("class", MODES, form.needs("class", said.get("class") or {}).get("code")),
        "starts_at": _moment(form, "period.start", period.get("start")),
        "ends_at": _moment(form, "period.end", period.get("end")),
        "clinician_ids": _takers(form),
    }


def _moment(form: Form, path: str, value: str | None) -> datetime | None:
    if value is not None and "T" not in value:
        form.fault("value", path, "A time of the day with its zone.")
    return form.moment(path, value)


def _takers(form: Form) -> list[UUID]:
    named: list[UUID] = []
    for number, one in enumerate(form.said.get("participant") or []):
        path = f"participant[{number}].individual"
        found = form.points_to(path, one.get("individual"), "Practitioner")
        named += [found] if found is not None and found not in named else []
    return named


def _create(client: Actor, form: Form) -> str:
    values, ids = _values(form, True), form.identifiers()
    if form.said.get("status") != "planned":
        form.fault("not-supported", "status", "A visit is booked: planned.")
    patient_id = form.points_to("subject", form.said.get("subject"), "Patient")
    form.check()
    assert patient_id is not None, "a form without it has a fault"
    booked: dict[str, Any] = values | {"kind": values["kind"] or REFERRED}
    return str(book_visit(client, patient_id, booked, ids))


def _update(client: Actor, record_id: UUID, version: int | None, form: Form) -> None:
    values = _values(form, form.said.get("status") == "planned")
    ids = form.identifiers()
    state = form.code("status", STATUSES, form.needs("status", form.said.get("status")))
    form.check()
    move_visit(client, record_id, version, state, values, ids)


WRITER: Final = Writer(
    _create,
    _update,
    {
        "/ends_at": "period.end",
        "/starts_at": "period.start",
        "/clinician_ids": "participant",
        "/kind": "type",
    },
)
