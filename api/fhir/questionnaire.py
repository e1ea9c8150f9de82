"""Questionnaire: an instrument of the clinic, in the words it may show."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import QUESTIONNAIRES
from api.core.outcomes.instruments.definition import Instrument, Item, Option
from api.fhir.datatypes import LOINC, OURS, Json, coding
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import URI, Param, string, token

URL: Final = "urn:freshtrail:instruments:"
ORDINAL: Final = "http://hl7.org/fhir/StructureDefinition/ordinalValue"


def canonical(instrument: Instrument) -> str:
    """The address of the version that was answered."""
    return f"{URL}{instrument.key}|{instrument.version}"


def panel(instrument: Instrument, which: str) -> Json | None:
    """The LOINC code of the panel or of the total, or None where there is none."""
    loinc = instrument.definition.get("loinc") or {}
    there = loinc.get(which)
    return coding(LOINC, there["code"], there.get("display")) if there else None


def choice(instrument: Instrument, item: Item, option: Option) -> Json | None:
    """An answer that may be given, coded: LOINC, SNOMED CT, or our own."""
    label = option.label
    if option.loinc:
        return coding(LOINC, option.loinc, label)
    if option.snomed:
        return coding("http://snomed.info/sct", option.snomed, label)
    return coding(f"{OURS}answers:{instrument.key}:{item.link_id}", str(option.value), label)


def _asked(instrument: Instrument, item: Item) -> Json:
    enabled = item.asked_when
    when = None
    if enabled is not None:
        other = next(i for i in instrument.items if i.link_id == enabled.link_id)
        when = [
            {
                "question": enabled.link_id,
                "operator": "=",
                "answerCoding": choice(instrument, other, option),
            }
            for option in other.options
            if option.value in enabled.values
        ]
    return {
        "linkId": item.link_id,
        "code": [coding(LOINC, item.loinc["code"], item.loinc.get("display"))]
        if item.loinc
        else None,
        "text": item.text,
        "type": "choice",
        "enableWhen": when,
        "enableBehavior": "any" if when and len(when) > 1 else None,
        "required": False,
        "answerOption": [
            {
                "extension": [{"url": ORDINAL, "valueDecimal": option.value}],
                "valueCoding": choice(instrument, item, option),
            }
            for option in item.options
        ],
    }


def to_fhir(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The instrument of a row."""
    one: Instrument = row["definition"]
    licence = one.definition.get("licence") or {}
    held = row["licence"] or {}
    notice = held.get("licence_statement") or licence.get("notice") or licence.get("status")
    body = {
        "url": URL + one.key,
        "identifier": [{"system": "urn:freshtrail:ids:instrument", "value": one.key}],
        "version": one.version,
        "name": "".join(word.capitalize() for word in one.key.split("-")),
        "title": one.title,
        "status": "active",
        "experimental": False,
        "subjectType": ["Patient"],
        "description": one.definition.get("construct"),
        "copyright": notice,
        "code": [panel(one, "panel")],
        "item": [_asked(one, item) for item in one.items],
    }
    yield Made(body)


KIND: Final = Kind(
    type="Questionnaire",
    code="qst",
    parts=(Part(QUESTIONNAIRES, to_fhir, digest=True, plain_ids=True),),
    params={
        "url": Param(URI, ("url",)),
        "identifier": token("identifier"),
        "version": token("version"),
        "name": string("name"),
        "title": string("title"),
        "status": token("status"),
        "code": token("item.code"),
        "subject-type": token("subjectType"),
    },
    summary=(
        *("url", "identifier", "version", "name", "title", "status", "experimental"),
        *("subjectType", "date", "publisher", "useContext", "jurisdiction", "code"),
    ),
    mandatory=("status",),
    restricted=False,
    chart=None,
    doc="Instruments, in the words that the clinic may show.",
)
