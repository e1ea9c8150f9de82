"""Answers that were refused: what they say of somebody's safety is heard all the same."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import hear_refused
from api.errors import Refusal
from api.fhir import scopes
from api.fhir.datatypes import Json
from api.fhir.kinds import KINDS
from api.fhir.writing.form import Form
from api.fhir.writing.questionnaire_response import answers_of

TYPE: Final = "QuestionnaireResponse"
MOST: Final = 200


def hear(client: Actor, said: Json, **_path: Any) -> Json | None:
    """Crisis resources, when a refused body holds a positive safety answer; else None.

    The alert is raised in the transaction that is open.
    """
    heard = [told for one in _sent(said) if (told := _one(client, one)) is not None]
    return heard[0] if heard else None


def _sent(said: Any) -> Iterator[Json]:
    """The answers of a body, be it one or a bundle of them."""
    entries = said.get("entry") if isinstance(said, dict) else None
    there = (
        [one.get("resource") for one in entries[:MOST] if isinstance(one, dict)]
        if (isinstance(entries, list))
        else [said]
    )
    for one in there:
        if isinstance(one, dict) and one.get("resourceType") == TYPE:
            yield one


def _one(client: Actor, said: Json) -> Json | None:
    """What one says; a form that can't be read at all, or of a chart out of reach, says nothing."""
    may = scopes.allowed(client.extras["scopes"], KINDS[TYPE], scopes.CREATE)
    form = Form(TYPE, said, client.extras["external_system"])
    try:
        patient_id = form.points_to("subject", said.get("subject"), "Patient")
        told = answers_of(client, form)
        if may is None or patient_id is None or told is None:
            return None
        return hear_refused(client, patient_id, told)
    except (Refusal, AttributeError, TypeError, KeyError):
        return None
