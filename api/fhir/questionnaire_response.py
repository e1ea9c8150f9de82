"""QuestionnaireResponse: a complete check-in, as it was answered."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import orjson

from api.access.policies import Actor
from api.core.ehr import ANSWERS
from api.core.outcomes.instruments.definition import Instrument
from api.fhir.authors import writer
from api.fhir.datatypes import US_CORE, Clean, Json, clean, identifier, instant, reference
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import date, patient, reference as pointing, token
from api.fhir.questionnaire import canonical, choice

KEPT: Final = 256
"""Of how many instruments the answers are kept as they are written."""


def author(reader: Actor, row: dict[str, Any], subject: Json | None) -> Json | None:
    """Who answered, or who wrote down what was answered."""
    return subject if row["answered_by"] == "patient" else writer(reader, row)


class Answered(dict[tuple[str, int | None], bytes]):
    """The answers to one version of an instrument, by question and value, each written once."""

    def __init__(self, one: Instrument) -> None:
        super().__init__()
        self.one, self.asked = one, {item.link_id: item for item in one.items}

    def __missing__(self, at: tuple[str, int | None]) -> bytes:
        """The answer as a resource holds it; a question that was left open has none."""
        item = self.asked[at[0]]
        chosen = [option for option in item.options if option.value == at[1]]
        answers = [{"valueCoding": choice(self.one, item, option)} for option in chosen]
        said = {"linkId": item.link_id, "text": item.text, "answer": answers}
        made = self[at] = orjson.dumps(clean(said))
        return made


_answered = lru_cache(KEPT)(Answered)


def items(row: dict[str, Any]) -> orjson.Fragment | None:
    """What was answered, in the order of the questions, as JSON; nobody looks into it here."""
    told, given = _answered(row["definition"]), row["answers"]
    there = [told[asked, given[asked]] for asked in told.asked if asked in given]
    return orjson.Fragment(b"[" + b",".join(there) + b"]") if there else None


def to_fhir(reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The answers of a row."""
    subject = reference("Patient", row["patient_id"])
    body: Json = {
        "identifier": (row["identifiers"] or [identifier("check-in", row["id"])])[0],
        "questionnaire": canonical(row["definition"]),
        "status": "amended" if row["corrected"] else "completed",
        "subject": subject,
        "authored": instant(row["answered_at"]),
        "author": author(reader, row, subject),
        "source": subject,
    }
    told = items(row)
    if told is not None:
        body["item"] = told
    yield Made(Clean(body), profiles=(f"{US_CORE}questionnaireresponse",))


KIND: Final = Kind(
    type="QuestionnaireResponse",
    code="qre",
    parts=(Part(ANSWERS, to_fhir),),
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
