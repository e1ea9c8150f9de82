"""Shapes of allergies, medications and diagnoses: as they are written and as they are shown."""

import marshmallow as ma
from marshmallow import validate

from api.core.clinical_lists.interactions import CLASSES
from api.core.clinical_lists.table import (
    ALLERGY_STATUSES,
    DIAGNOSIS_STATUSES,
    LISTS,
    MEDICATION_STATUSES,
    SEVERITIES,
)
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import Ask, Choice, Day, Instant, Show, Words, shown
from api.v1.patients import ICD, PatientRefSchema
from api.v1.resource import PageQuery

CODE = validate.Regexp(r"^[A-Za-z0-9.-]{1,20}$", error="Not a code.")
RXNORM = {"description": "RxNorm, where it is known."}
CLASS = {"description": "The class by which interactions are found, beside the name itself."}
CONFIRMED = {"description": "When somebody last went through the list; null: nobody did."}


class EntryFields(Ask):
    """What may be written of every entry, and cleared."""

    note = Words(2000, allow_none=True)
    from_on = Day(allow_none=True)
    to_on = Day(allow_none=True)


class AllergyFields(EntryFields):
    """What may be written of an allergy, and cleared."""

    code = Words(20, allow_none=True, validate=CODE, metadata=RXNORM)
    reaction = Words(500, allow_none=True)
    severity = Choice(SEVERITIES, allow_none=True)
    status = Choice(ALLERGY_STATUSES)


class NewAllergySchema(AllergyFields):
    """An allergy or intolerance."""

    substance = Words(200, required=True)


class ChangedAllergySchema(AllergyFields):
    """A merge patch of an allergy: absent = unchanged, null = cleared."""

    substance = Words(200)


class MedicationFields(EntryFields):
    """What may be written of a medication, and cleared."""

    code = Words(20, allow_none=True, validate=CODE, metadata=RXNORM)
    drug_class = Choice(CLASSES, allow_none=True, metadata=CLASS)
    dose = Words(200, allow_none=True, metadata={"description": "As it is taken, in words."})
    status = Choice(MEDICATION_STATUSES)


class NewMedicationSchema(MedicationFields):
    """A medication that the patient takes or took."""

    name = Words(200, required=True)


class ChangedMedicationSchema(MedicationFields):
    """A merge patch of a medication: absent = unchanged, null = cleared."""

    name = Words(200)


class DiagnosisFields(EntryFields):
    """What may be written of a diagnosis, and cleared."""

    title = Words(200, allow_none=True, metadata={"description": "The clinic's own words for it."})
    status = Choice(DIAGNOSIS_STATUSES)


class NewDiagnosisSchema(DiagnosisFields):
    """A diagnosis, ICD-10-CM."""

    code = Words(10, required=True, validate=ICD)


class ChangedDiagnosisSchema(DiagnosisFields):
    """A merge patch of a diagnosis: absent = unchanged, null = cleared."""

    code = Words(10, validate=ICD)


class ListEntrySchema(Show):
    """What every entry of a list shows."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    patient = ma.fields.Nested(PatientRefSchema, required=True)
    code = shown(ma.fields.String, nullable=True)
    note = shown(ma.fields.String, nullable=True)
    from_on = shown(Day, nullable=True)
    to_on = shown(Day, nullable=True)


class AllergySchema(ListEntrySchema):
    """An allergy or intolerance."""

    substance = shown(ma.fields.String)
    reaction = shown(ma.fields.String, nullable=True)
    severity = Choice(SEVERITIES, required=True, allow_none=True)
    status = Choice(ALLERGY_STATUSES, required=True)


class MedicationSchema(ListEntrySchema):
    """A medication."""

    name = shown(ma.fields.String)
    drug_class = Choice(CLASSES, required=True, allow_none=True, metadata=CLASS)
    dose = shown(ma.fields.String, nullable=True)
    status = Choice(MEDICATION_STATUSES, required=True)


class RecordedDiagnosisSchema(ListEntrySchema):
    """A diagnosis, ICD-10-CM."""

    title = shown(ma.fields.String, nullable=True)
    status = Choice(DIAGNOSIS_STATUSES, required=True)


class ConfirmedSchema(Show):
    """When somebody last went through a list with the patient."""

    confirmed_on = shown(Day, nullable=True, metadata=CONFIRMED)
    confirmed_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)


class ConfirmedListSchema(ConfirmedSchema):
    """A list that was gone through."""

    list = Choice(LISTS, required=True)


class ConfirmListSchema(Ask):
    """On which day the list was gone through; today unless given."""

    confirmed_on = Day(metadata={"description": "Not ahead."})


class AllergyQuery(PageQuery):
    """Which allergies."""

    status = Choice(ALLERGY_STATUSES)


class MedicationQuery(PageQuery):
    """Which medications."""

    status = Choice(MEDICATION_STATUSES)


class DiagnosisQuery(PageQuery):
    """Which diagnoses."""

    status = Choice(DIAGNOSIS_STATUSES)
