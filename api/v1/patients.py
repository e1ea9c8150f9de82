"""Patients over v1: the chart's front page, found by name or by another system's number."""

from functools import cache
from importlib.resources import files
from typing import Any

import marshmallow as ma
from marshmallow import validate

from api.access.policies import Actor
from api.core import patients, roster
from api.core.treatment.windows import WINDOWS
from api.paging import Listing, Values
from api.v1.forms import Ask, Choice, Day, Instant, Many, Show, Words, Zone, shown
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("patients", "People in the clinic's care.")
COUNTRY = {"description": "ISO 3166-1 alpha-2."}
SEXES = ("female", "male", "intersex", "unknown")
LOCALE = validate.Regexp(r"^[a-z]{2,3}(-[A-Z]{2})?$", error="Not a locale such as en-US.")
PAIR = validate.Regexp(r"^[^|]+\|[^|]+$", error="Send system|value.")
ICD = validate.Regexp(r"^[A-TV-Z][0-9][0-9AB](\.[0-9A-Z]{1,4})?$", error="Not an ICD-10-CM code.")


@cache
def countries() -> frozenset[str]:
    """The codes of ISO 3166-1 alpha-2, as the time zone database lists them."""
    table = files("tzdata").joinpath("zoneinfo/iso3166.tab").read_text("utf-8")
    return frozenset(row[:2] for row in table.splitlines() if not row.startswith("#"))


class Country(Words):
    """A country by its code."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(2, 2, validate=_is_country, **kwargs)


def _is_country(code: str) -> None:
    if code not in countries():
        raise ma.ValidationError("Not an ISO 3166-1 alpha-2 code.")


class NameSchema(Ask):
    """A legal name."""

    given = Words(200, required=True)
    family = Words(200, required=True)


class ContactSchema(Ask):
    """How the patient is reached."""

    email = Words(254, allow_none=True, validate=validate.Email())
    phone = Words(40, allow_none=True)


class AddressSchema(Ask):
    """A postal address."""

    lines = Many(Words(200), most=4, allow_none=True)
    city = Words(120, allow_none=True)
    region = Words(120, allow_none=True)
    postal_code = Words(20, allow_none=True)
    country = Country(allow_none=True, metadata=COUNTRY)


class EmergencyContactSchema(Ask):
    """Whom to call."""

    name = Words(200, required=True)
    phone = Words(40, required=True)
    relation = Words(60, allow_none=True)


class ChangedNameSchema(Ask):
    """A merge patch of a legal name."""

    given = Words(200)
    family = Words(200)


class ChangedEmergencyContactSchema(Ask):
    """A merge patch of whom to call; what comes of it has a name and a phone."""

    name = Words(200, allow_none=True)
    phone = Words(40, allow_none=True)
    relation = Words(60, allow_none=True)


class PatientContactSchema(Show):
    """How the patient is reached."""

    email = shown(ma.fields.String, nullable=True)
    phone = shown(ma.fields.String, nullable=True)


class PatientAddressSchema(Show):
    """A postal address."""

    lines = Many(ma.fields.String(), required=True, allow_none=True)
    city = shown(ma.fields.String, nullable=True)
    region = shown(ma.fields.String, nullable=True)
    postal_code = shown(ma.fields.String, nullable=True)
    country = shown(ma.fields.String, nullable=True, metadata=COUNTRY)


class PatientEmergencyContactSchema(Show):
    """Whom to call."""

    name = shown(ma.fields.String)
    phone = shown(ma.fields.String)
    relation = shown(ma.fields.String, nullable=True)


class ExternalIdSchema(Ask):
    """The patient's id in another system."""

    system = Words(200, required=True)
    value = Words(200, required=True)


class DiagnosisSchema(Ask):
    """A diagnosis, ICD-10-CM."""

    code = Words(10, required=True, validate=ICD)
    recorded_on = Day(allow_none=True)


class PatientFields(Ask):
    """What may be written of a patient."""

    preferred_name = Words(200, allow_none=True)
    pronouns = Words(60, allow_none=True)
    sex_at_birth = Choice(SEXES, allow_none=True)
    gender_identity = Words(60, allow_none=True)
    contact = ma.fields.Nested(ContactSchema, allow_none=True)
    address = ma.fields.Nested(AddressSchema, allow_none=True)
    emergency_contact = ma.fields.Nested(EmergencyContactSchema, allow_none=True)
    external_ids = Many(ma.fields.Nested(ExternalIdSchema), most=20)
    diagnoses = Many(ma.fields.Nested(DiagnosisSchema), most=50)


class NewPatientSchema(PatientFields):
    """A patient as first written down."""

    legal_name = ma.fields.Nested(NameSchema, required=True)
    birth_on = Day(required=True)
    status = Choice(patients.STATUSES[:3])
    locale = Words(35, validate=LOCALE)
    time_zone = Zone()


class ChangedPatientSchema(PatientFields):
    """A merge patch of a patient: absent = unchanged, null = cleared."""

    legal_name = ma.fields.Nested(ChangedNameSchema)
    emergency_contact = ma.fields.Nested(ChangedEmergencyContactSchema, allow_none=True)
    birth_on = Day()
    status = Choice(patients.STATUSES[:4])
    locale = Words(35, validate=LOCALE)
    time_zone = Zone()


class PatientSchema(Show):
    """A patient. `diagnoses` is null for readers who see no clinical data."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    display_name = shown(ma.fields.String)
    legal_name = ma.fields.Nested(NameSchema, required=True)
    preferred_name = shown(ma.fields.String, nullable=True)
    pronouns = shown(ma.fields.String, nullable=True)
    birth_on = shown(
        Day, nullable=True, metadata={"description": "Null where an import did not say."}
    )
    sex_at_birth = Choice(SEXES, required=True, allow_none=True)
    gender_identity = shown(ma.fields.String, nullable=True)
    contact = ma.fields.Nested(PatientContactSchema, required=True, allow_none=True)
    address = ma.fields.Nested(PatientAddressSchema, required=True, allow_none=True)
    emergency_contact = ma.fields.Nested(
        PatientEmergencyContactSchema, required=True, allow_none=True
    )
    external_ids = Many(ma.fields.Nested(ExternalIdSchema), required=True)
    diagnoses = Many(ma.fields.Nested(DiagnosisSchema), required=True, allow_none=True)
    locale = shown(ma.fields.String)
    time_zone = shown(ma.fields.String)
    status = Choice(patients.STATUSES, required=True)
    discharged_on = shown(Day, nullable=True)
    discharge_reason = Choice(patients.DISCHARGED_FOR, required=True, allow_none=True)


class PatientRefSchema(Show):
    """A patient, named."""

    id = shown(ma.fields.UUID)
    display_name = shown(ma.fields.String)


class AdmittedPatientSchema(PatientSchema):
    """A new patient, with those it may be a duplicate of."""

    possible_duplicates = Many(ma.fields.Nested(PatientRefSchema), required=True)


class PatientQuery(PageQuery):
    """How patients are found."""

    q = Words(100, 2, metadata={"description": "Prefixes of words of any name, 2 letters or more."})
    status = Choice(patients.STATUSES)
    external_id = Words(401, validate=PAIR, metadata={"description": "`system|value`"})


NEEDS = (
    "`integration`: no integration session completed since the last dose; `check_in`: one that a"
    " plan asks for can be answered now; `consent`: no consent to treatment stands."
)


class RosterQuery(PatientQuery):
    """How patients are found, also by what they may be in need of."""

    window = Choice(WINDOWS, metadata={"description": "Where they stand; `none`: never a dose."})
    needs = Choice(roster.NEEDS, metadata={"description": NEEDS})


@blp.offer(
    "GET",
    "/patients",
    "patient:list",
    query=RosterQuery,
    answer=PatientSchema,
    paged=True,
    ready=True,
    early=False,
)
def list_patients(actor: Actor, **asked: Any) -> Listing:
    """List or find patients.

    Clinicians see the patients of their care teams, a patient themself, administrators all. With
    `window` or `needs`, whom they hold of now; nobody finds by what they do not read: of these
    administrators ask for `needs=consent` alone (else 403).
    """
    if "window" in asked or "needs" in asked:
        return roster.list_patients_in_need(actor, **asked)
    return patients.list_patients(actor, **asked)


@blp.offer(
    "POST",
    "/patients",
    "patient:create",
    body=NewPatientSchema,
    answer=AdmittedPatientSchema,
    location="/api/v1/patients/{id}",
    example={"legal_name": {"given": "Ada", "family": "Example"}, "birth_on": "1990-01-31"},
)
def admit_patient(actor: Actor, values: Values) -> Values:
    """Admit a new patient.

    The clinician who does it joins the care team; likely duplicates in reach are named.
    """
    return patients.admit_patient(actor, _columns(values))


@blp.offer(
    "GET",
    "/patients/<id:patient_id>",
    "patient:read",
    answer=PatientSchema,
    ready=True,
    early=False,
)
def read_patient(actor: Actor, patient_id: Any) -> Values:
    """Read a patient."""
    return patients.read_patient(actor, patient_id)


@blp.offer(
    "PATCH",
    "/patients/<id:patient_id>",
    "patient:update",
    body=ChangedPatientSchema,
    answer=PatientSchema,
    example={"preferred_name": "Ada"},
)
def change_patient(actor: Actor, patient_id: Any, version: int | None, values: Values) -> Values:
    """Change a patient's details.

    Clinical fields (status, diagnoses, sex at birth, gender identity) are a clinician's to write.
    """
    return patients.change_patient(actor, patient_id, version, _columns(values))


def _columns(values: Values) -> Values:
    name = values.pop("legal_name", {})
    return values | {f"legal_{part}": said for part, said in name.items()}
