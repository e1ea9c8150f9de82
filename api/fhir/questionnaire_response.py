"""QuestionnaireResponse: a complete check-in, as it was answered."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import CHECK_INS
from api.core.outcomes.instruments.definition import Instrument
from api.fhir.authors import writer
from api.fhir.datatypes import US_CORE, Json, identifier, instant, reference
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import date, patient, reference as pointing, token
from api.fhir.questionnaire import canonical, choice


def author(reader: Actor, row: dict[str, Any]) -> Json | None:
    """Who answered, or who wrote down what was answered."""
    if row["answered_by"] == "patient":
        return reference("Patient", row["patient_id"])
    return writer(reader, row)


def items(row: dict[str, Any]) -> list[Json]:
    """What was answered, in the order of the questions; one left open has no answer."""
    one: Instrument = row["definition"]
    said, given = [], row["answers"]
    for item in one.items:
        if item.link_id not in given:
            continue
        options = [o for o in item.options if o.value == given[item.link_id]]
        answers = [{"valueCoding": choice(one, item, option)} for option in options]
        said.append({"linkId": item.link_id, "text": item.text, "answer": answers})
    return said


def to_fhir(reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The answers of a row."""
    body = {
        "identifier": (row["identifiers"] or [identifier("check-in", row["id"])])[0],
        "questionnaire": canonical(row["definition"]),
        "status": "amended" if row["corrected"] else "completed",
        "subject": reference("Patient", row["patient_id"]),
        "authored": instant(row["answered_at"]),
        "author": author(reader, row),
        "source": reference("Patient", row["patient_id"]),
        "item": items(row),
    }
    yield Made(body, profiles=(f"{US_CORE}questionnaireresponse",))


KIND: Final = Kind(
    type="QuestionnaireResponse",
    code="qre",
    parts=(Part(CHECK_INS, to_fhir),),
    params={
        **patient(),
        "subject": pointing("subject", "Patient"),
        "identifier": token("identifier"),
        "status": token("status"),
        "questionnaire": pointing("questionnaire", "Questionnaire"),
        "authored": date("authored"),
        "author": pointing("author", "Patient", "Practitioner", "Organization"),
        "source": pointing("source", "Patient"),
    },
    summary=(
        *("identifier", "basedOn", "partOf", "questionnaire", "status", "subject"),
        *("encounter", "authored", "author", "source"),
    ),
    mandatory=("status",),
    doc="Complete check-ins, as they were answered.",
)
