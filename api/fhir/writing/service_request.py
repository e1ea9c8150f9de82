"""A ServiceRequest as an EHR sends it: a patient is referred to the clinic."""

from typing import Any, Final
from uuid import UUID

from api.access.policies import Actor
from api.core.ehr import change_referral, refer_patient
from api.fhir.datatypes import Json, Values
from api.fhir.service_request import INTENTS, PRIORITIES, STATUSES
from api.fhir.writing.form import Form, Writer, codings, said_of
from api.fhir.writing.lists import note

TAKEN: Final = {code: word for word, code in STATUSES.items()}
MEANT: Final = {code: word for word, code in INTENTS.items()}
HURRY: Final = {code: word for word, code in PRIORITIES.items()}
MAX_CODINGS, MAX_CATEGORIES, MAX_TEXT = 5, 5, 200


def _concept(form: Form, path: str, value: Any) -> Json:
    """A concept as it is kept: a few of its codings, and its words."""
    kept: list[Json] = []
    for number, one in enumerate(codings(value)[:MAX_CODINGS]):
        at = f"{path}.coding[{number}]"
        names = ("system", "code", "display")
        kept.append({name: form.words(f"{at}.{name}", one.get(name)) for name in names})
    return {"coding": kept, "text": form.words(f"{path}.text", (value or {}).get("text"))}


def _values(form: Form) -> Values:
    said = form.said
    form.keeps(
        *("status", "intent", "priority", "category", "code", "subject", "authoredOn"),
        *("requester", "reasonCode", "note"),
    )
    categories = said.get("category") or []
    reasons = [said_of(one) for one in said.get("reasonCode") or []]
    requester = (said.get("requester") or {}).get("display")
    if "requester" in said and not requester:
        form.lost("requester", "Kept is what `display` says of who sends the patient.")
    return {
        "status": form.code("status", TAKEN, form.needs("status", said.get("status"))),
        "intent": form.code("intent", MEANT, form.needs("intent", said.get("intent"))),
        "priority": form.code("priority", HURRY, said.get("priority")),
        "authored_at": form.moment("authoredOn", said.get("authoredOn")),
        "content": {
            "code": _concept(form, "code", form.needs("code", said.get("code"))),
            "category": [_concept(form, "category", one) for one in categories[:MAX_CATEGORIES]],
            "requester": form.words("requester.display", requester),
            "reason": form.words("reasonCode", "; ".join(r for r in reasons if r) or None, 2000),
            "note": note(form),
        },
    }


def _create(client: Actor, form: Form) -> str:
    values, ids = _values(form), form.identifiers()
    patient_id = form.points_to("subject", form.said.get("subject"), "Patient")
    form.check()
    assert patient_id is not None, "a form without it has a fault"
    return str(refer_patient(client, patient_id, values, ids))


def _update(client: Actor, record_id: UUID, version: int | None, form: Form) -> None:
    values, ids = _values(form), form.identifiers()
    form.points_to("subject", form.said.get("subject"), "Patient")
    form.check()
    change_referral(client, record_id, version, values, ids)


WRITER: Final = Writer(_create, _update)
