"""Patient: who they are, as US Core asks for it."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import MERGED, PATIENTS
from api.fhir.datatypes import (
    HL7,
    US_CORE,
    Json,
    coding,
    concept,
    day,
    identifier,
    reference,
)
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import date, reference as pointing, string, token

GENDERS: Final = {"female": "female", "male": "male", "intersex": "other"}
BIRTH_SEXES: Final = {"female": "F", "male": "M"}


def gender(row: dict[str, Any]) -> str:
    """The administrative gender, which US Core asks for of everybody."""
    return GENDERS.get(row["sex_at_birth"] or "", "unknown")


def names(row: dict[str, Any]) -> list[Json]:
    """The legal name, and the one they are called by where that is another."""
    called = row["preferred_name"]
    official = {
        "use": "official",
        "family": row["legal_family"],
        "given": row["legal_given"].split(),
    }
    if not called:
        return [official]
    return [official, {"use": "usual", "text": called, "given": called.split()}]


def contact(row: dict[str, Any]) -> list[Json]:
    """Telephone and e-mail."""
    there = row["contact"] or {}
    said = (("phone", there.get("phone")), ("email", there.get("email")))
    return [{"system": system, "value": value} for system, value in said if value]


def address(row: dict[str, Any]) -> list[Json]:
    """Where they live."""
    there = row["address"]
    if not there:
        return []
    return [
        {
            "use": "home",
            "line": there.get("lines"),
            "city": there.get("city"),
            "state": there.get("region"),
            "postalCode": there.get("postal_code"),
            "country": there.get("country"),
        }
    ]


def identifiers(row: dict[str, Any]) -> list[Json]:
    """Our own number, and those of other systems."""
    others = [{"system": i["system"], "value": i["value"]} for i in row["external_ids"] or []]
    return [identifier("patient", row["id"]), *others]


def relation(row: dict[str, Any]) -> list[Json]:
    """Whom to call in an emergency."""
    there = row["emergency_contact"]
    if not there:
        return []
    telecom = [{"system": "phone", "value": there["phone"]}] if there.get("phone") else []
    code = concept(coding(f"{HL7}v2-0131", "C", "Emergency Contact"), text=there.get("relation"))
    return [{"relationship": [code], "name": {"text": there["name"]}, "telecom": telecom}]


def links(row: dict[str, Any]) -> list[Json]:
    """The patient that replaced this one, or those whose place it took, as of this version."""
    if row["merged_into"] is not None:
        return [_link(row["merged_into"], "replaced-by")]
    there = (one for one in row["replaces"] if one["created_at"] <= row["updated_at"])
    return [_link(one["merged_id"], "replaces") for one in there]


def _link(patient_id: object, how: str) -> Json:
    return {"other": reference("Patient", patient_id), "type": how}


def to_fhir(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The patient of a row; one that was merged is active no more."""
    sex = BIRTH_SEXES.get(row["sex_at_birth"] or "")
    born = {"url": f"{US_CORE}birthsex", "valueCode": sex} if sex else None
    body = {
        "extension": [born],
        "identifier": identifiers(row),
        "active": row["merged_into"] is None,
        "name": names(row),
        "telecom": contact(row),
        "gender": gender(row),
        "birthDate": day(row["birth_on"]),
        "address": address(row),
        "contact": relation(row),
        "communication": [
            {
                "language": concept(coding("urn:ietf:bcp:47", row["locale"])),
                "preferred": True,
            }
        ],
        "managingOrganization": reference("Organization", row["clinic_id"]),
        "link": links(row),
    }
    yield Made(body, profiles=(f"{US_CORE}patient",))


KIND: Final = Kind(
    type="Patient",
    code="pat",
    parts=(Part(PATIENTS, to_fhir),),
    replaced=(Part(MERGED, to_fhir),),
    params={
        "identifier": token("identifier"),
        "name": string("name"),
        "family": string("name.family"),
        "given": string("name.given"),
        "birthdate": date("birthDate"),
        "gender": token("gender"),
        "active": token("active"),
        "telecom": token("telecom"),
        "address": string("address"),
        "address-city": string("address.city"),
        "address-state": string("address.state"),
        "address-postalcode": string("address.postalCode"),
        "organization": pointing("managingOrganization", "Organization"),
    },
    summary=(
        *("identifier", "active", "name", "telecom", "gender", "birthDate", "address"),
        *("managingOrganization", "deceasedBoolean", "deceasedDateTime", "link"),
    ),
    restricted=False,
    chart="id",
    doc="Patients in reach of the client.",
)
