"""What diagnoses, allergies and medications have in common on their way into the chart's lists."""

from collections.abc import Callable
from typing import Final
from uuid import UUID

from api.access.policies import Actor
from api.core.ehr import list_entry, relist_entry
from api.fhir.datatypes import RXNORM, Values
from api.fhir.writing.form import Form, Writer, code_in

MISTAKE: Final = "entered_in_error"
MAX_NOTE, MAX_CODE = 2000, 20


def note(form: Form) -> str | None:
    """The words of the notes, one below the other."""
    told = [one.get("text") for one in form.said.get("note") or []]
    return form.words("note", "\n".join(text for text in told if text) or None, MAX_NOTE)


def rxnorm(form: Form, path: str) -> str | None:
    """The RxNorm code of a concept, where there is one."""
    code = code_in(form.said.get(path), RXNORM)
    return form.words(path, code, MAX_CODE)


def of_list(kind: str, values: Callable[[Form], Values], named: str = "subject") -> Writer:
    """The writer of a type whose resources are the entries of one list."""

    def create(client: Actor, form: Form) -> str:
        told, ids = values(form), form.identifiers()
        patient_id = form.points_to(named, form.said.get(named), "Patient")
        form.check()
        assert patient_id is not None, "a form without it has a fault"
        return str(list_entry(client, kind, patient_id, told, ids))

    def update(client: Actor, record_id: UUID, version: int | None, form: Form) -> None:
        told, ids = values(form), form.identifiers()
        form.points_to(named, form.said.get(named), "Patient")
        form.check()
        relist_entry(client, kind, record_id, version, told, ids)

    return Writer(create, update, {"/to_on": "abatementDateTime"}, named)
