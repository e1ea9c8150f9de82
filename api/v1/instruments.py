"""Instruments over v1: read, defined by a clinic, and given the wording that it has licensed."""

from collections.abc import Iterator, Mapping
from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.outcomes.instruments import checks, licensing, showing
from api.paging import Listing, Values
from api.v1.forms import BAD_CHARACTERS, Ask, Day, Many, Whole, Words
from api.v1.instrument_shapes import (
    MANY,
    InstrumentBriefSchema,
    InstrumentSchema,
    PatientInstrumentSchema,
)
from api.v1.resource import Blueprint

blp = Blueprint("instruments", "Questionnaires: items, options, scoring, rights and codes.")
ONE = "/instruments/<string:key>"
DEFINITION, IN_PARTS = "InstrumentDefinition", "#/$defs/"
CONDITIONS = (
    "`sum_times` needs `multiplier`, `sum_of_domain_max` needs `domains`, `tier` needs `tiers`, and"
    " no other method takes them; `range` is null for `tier` and `subscales_only` and needed else."
)
"""The name under which the document has the JSON Schema of a definition."""
EXAMPLE = {
    "definition": {
        "key": "own-ease",
        "version": "1.0.0",
        "title": "Ease of the day",
        "short_title": "Ease",
        "recall_period": "P1D",
        "higher_is": "better",
        "answer_lists": {
            "ease": {
                "options": [
                    {"value": 0, "label": "Hard"},
                    {"value": 1, "label": "Mixed"},
                    {"value": 2, "label": "Easy"},
                ]
            }
        },
        "items": [
            {"link_id": "ease-1", "number": 1, "text": "The morning was", "answer_list": "ease"},
            {"link_id": "ease-2", "number": 2, "text": "The evening was", "answer_list": "ease"},
        ],
        "scoring": {"method": "sum", "range": [0, 4], "missing": {"prorate_max_missing": 0}},
        "bands": [{"code": "hard", "min": 0, "max": 1}, {"code": "easy", "min": 2, "max": 4}],
    },
    "licence_statement": "Written by the clinic.",
    "holder": "Example Clinic",
}


class InstrumentQuery(Ask):
    """Which version; default the newest."""

    version = Words(20, metadata={"description": "Such as 1.0.0, or a check-in's own."})


class Definition(ma.fields.Dict):
    """A definition; the core holds it against its JSON Schema, here only its characters are."""

    def __init__(self, **kwargs: Any) -> None:
        whole = {"allOf": [{"$ref": f"#/components/schemas/{DEFINITION}"}]}
        super().__init__(keys=ma.fields.String(), metadata=whole, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, dict):
            raise self.make_error("invalid")
        if any(BAD_CHARACTERS.search(text) for text in _texts(value)):
            raise ma.ValidationError("Contains a character that can't be stored.")
        return value


def _texts(value: Any) -> Iterator[str]:
    """Every string in a value, names among them."""
    if isinstance(value, str):
        yield value
    inside = [*value, *value.values()] if isinstance(value, dict) else value
    for inner in inside if isinstance(inside, list) else ():
        yield from _texts(inner)


class LicenceFields(Ask):
    """On what licence the clinic uses what it uploads."""

    licence_statement = Words(2000, required=True)
    holder = Words(200, required=True, metadata={"description": "Who holds the rights."})
    expires_on = Day(
        required=True,
        allow_none=True,
        metadata={"description": "The licence's last day; null when it has none."},
    )


class NewInstrumentSchema(LicenceFields):
    """A definition of the clinic's own, or a new version of one."""

    definition = Definition(required=True)
    expires_on = Day(load_default=None, allow_none=True)


class LabelSchema(Ask):
    """The words of one option."""

    value = Whole(required=True)
    label = Words(2000, required=True)


class WordingSchema(Ask):
    """The words of one question, and of its options where the definition has none."""

    link_id = Words(60, required=True)
    text = Words(4000, required=True)
    options = Many(ma.fields.Nested(LabelSchema), most=50)


class Wordings(Many):
    """A list of wordings; `{link_id: text}` stands for one without options."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> list[Any]:
        if isinstance(value, Mapping):
            value = [{"link_id": link_id, "text": text} for link_id, text in value.items()]
        return super()._deserialize(value, attr, data, **kwargs)


class InstrumentTextSchema(LicenceFields):
    """The wording of a licensed form, every question of it."""

    items = Wordings(
        ma.fields.Nested(WordingSchema),
        most=MANY,
        least=1,
        required=True,
        metadata={"description": "Also taken as an object `{link_id: text}`."},
    )
    instructions = Words(4000)


def definition_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of a definition as the document has it, each part under a name of its own.

    Clients are generated from parts that have names. What one field of the scoring asks of another
    is told in words: the tools that read the document take a condition for a shape of its own. The
    server checks it all the same.
    """
    moved: dict[str, Any] = _moved(checks.schema())
    moved.pop("$schema")
    parts: dict[str, dict[str, Any]] = moved.pop("$defs")
    parts["scoring"].pop("allOf")
    parts["scoring"]["description"] = CONDITIONS
    return {DEFINITION: moved} | {_part_name(name): part for name, part in parts.items()}


def _part_name(name: str) -> str:
    return "Definition" + "".join(word.capitalize() for word in name.split("_"))


def _moved(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _moved(inner) for name, inner in part.items()}
    if isinstance(part, list):
        return [_moved(inner) for inner in part]
    if isinstance(part, str) and part.startswith(IN_PARTS):
        return f"#/components/schemas/{_part_name(part.removeprefix(IN_PARTS))}"
    return part


@blp.offer(
    "GET", "/instruments", "instrument:read", answer=InstrumentBriefSchema, paged=True, derived=True
)
def list_instruments(actor: Actor, **asked: Any) -> Listing:
    """List the instruments, by key: those that are shipped and the clinic's own.

    They carry no time of change: `updated_since` answers all of them.
    """
    return showing.list_instruments(actor, **asked)


@blp.offer(
    "POST",
    "/instruments",
    "instrument:define",
    body=NewInstrumentSchema,
    answer=InstrumentSchema,
    location="/api/v1/instruments/{id}",
    example=EXAMPLE,
)
def define_instrument(actor: Actor, values: Values) -> Values:
    """Define an instrument of the clinic's own, or a new version of one.

    For administrators, and clinicians with the privilege `direct`. A new version has the same key
    and a higher `version`; nothing of a version is ever changed, and answers are for ever scored
    by the one they were given to. Texts may be null and come later, by `PUT .../text`. 422 names
    every fault of the definition; 409 a key that is shipped, or a version that is not newer.
    """
    return licensing.define_instrument(actor, values)


@blp.offer(
    "GET",
    ONE,
    "instrument:read",
    query=InstrumentQuery,
    answer=InstrumentSchema,
    to_patient=PatientInstrumentSchema,
    derived=True,
    errors=(409,),
)
def read_instrument(actor: Actor, key: str, version: str | None = None) -> Values:
    """Read an instrument, with items, options, scoring, rights, codes and versions.

    Patients are not shown the rules that raise flags, and are answered 409
    `instrument_text_missing` while a wording is missing or its licence has ended. A question with
    `asked_when` is put only when that holds.
    """
    return showing.read_instrument(actor, key, version)


@blp.offer(
    "PUT",
    f"{ONE}/text",
    "instrument:define",
    body=InstrumentTextSchema,
    answer=InstrumentSchema,
    edition=True,
    example={
        "items": [{"link_id": "example-1", "text": "As the licensed form has it."}],
        "licence_statement": "Used by permission of 2 March 2026.",
        "holder": "Example Press",
        "expires_on": "2028-03-01",
    },
)
def license_text(actor: Actor, key: str, version: str | None, values: Values) -> Values:
    """Upload the wording of an instrument that is shipped, or defined, without it.

    For administrators, and clinicians with the privilege `direct`. Every question needs its text,
    and every option a label that the definition has none for. The newest wording counts, until
    the last day of its licence; what is shipped with its wording is 409 `instrument_has_text`.
    """
    return licensing.license_text(actor, key, version, values)
