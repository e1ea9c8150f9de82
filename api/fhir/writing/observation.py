"""An Observation as an EHR sends it: a vital sign, taken in a dosing session."""

from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

from api.access.policies import Actor
from api.core.ehr import send_vitals
from api.core.treatment.dosing.vocabulary import READINGS
from api.fhir.datatypes import HL7, LOINC, Values
from api.fhir.writing.form import Form, Writer, code_in, codings

PRESSURE: Final = "85354-9"
SYSTOLIC, DIASTOLIC = "8480-6", "8462-4"
MEASURED: Final = {
    SYSTOLIC: ("systolic_mmhg", "bp", "mm[Hg]"),
    DIASTOLIC: ("diastolic_mmhg", "bp", "mm[Hg]"),
    "8867-4": ("heart_rate_bpm", "hr", "/min"),
    "9279-1": ("respirations_per_min", "rr", "/min"),
    "59408-5": ("spo2_percent", "spo2", "%"),
    "2708-6": ("spo2_percent", "spo2", "%"),
}
"""What of our readings each LOINC code is, the suffix of its resource, and its UCUM unit."""
STATUSES: Final = {"final": True}
VITAL: Final = "vital-signs"


def _readings(form: Form) -> tuple[Values, str]:
    """The readings of a resource, and the suffix under which they are shown."""
    code = form.needs("code", form.said.get("code"))
    told = [one.get("code") for one in codings(code) if one.get("system") == LOINC]
    if PRESSURE in told:
        return _pressure(form), "bp"
    known = next((MEASURED[one] for one in told if one in MEASURED), None)
    if known is None:
        form.fault("not-supported", "code", f"One of LOINC's {', '.join((PRESSURE, *MEASURED))}.")
        return {}, ""
    name, suffix, unit = known
    return {name: _figure(form, "valueQuantity", form.said, name, unit)}, suffix


def _pressure(form: Form) -> Values:
    there: Values = {}
    for number, one in enumerate(form.needs("component", form.said.get("component")) or []):
        code = code_in(one.get("code"), LOINC)
        if code not in (SYSTOLIC, DIASTOLIC):
            form.fault("not-supported", f"component[{number}].code", "Systolic and diastolic.")
        elif "valueQuantity" in one:
            name, _, unit = MEASURED[str(code)]
            there[name] = _figure(form, f"component[{number}].valueQuantity", one, name, unit)
    if not there:
        form.fault("required", "component", "At least one value.")
    return there


def _figure(form: Form, path: str, holder: Any, name: str, unit: str) -> int | None:
    """A whole number within what is believed of the reading."""
    quantity = form.needs(path, holder.get("valueQuantity")) or {}
    value, least, most = quantity.get("value"), *READINGS[name]
    if quantity.get("code", unit) != unit or "comparator" in quantity:
        form.fault("value", path, f"A quantity in {unit}.")
    if value is None or value != int(value) or not least <= value <= most:
        form.fault("value", f"{path}.value", f"A whole number from {least} to {most}.")
        return None
    return int(value)


def _event_id(form: Form) -> str:
    """The same number of the same system is the same reading, sent once more."""
    ids = form.identifiers()
    if not ids:
        return f"fhir-{uuid4().hex}"
    text = f"{ids[0]['system']}|{ids[0]['value']}"
    return f"fhir-{sha256(text.encode()).hexdigest()}"


def _create(client: Actor, form: Form) -> str:
    form.keeps(
        *("status", "category", "code", "subject", "encounter", "effectiveDateTime"),
        *("valueQuantity", "component"),
    )
    form.code("status", STATUSES, form.needs("status", form.said.get("status")))
    category = [code_in(one, f"{HL7}observation-category") for one in form.said.get("category", [])]
    if VITAL not in category:
        form.fault("not-supported", "category", "Vital signs are taken; scores are made here.")
    readings, suffix = _readings(form)
    at = form.needs("effectiveDateTime", form.said.get("effectiveDateTime"))
    if at is not None and "T" not in at:
        form.fault("value", "effectiveDateTime", "A time of the day with its zone.")
    values = {"client_event_id": _event_id(form), **readings}
    values["measured_at"] = form.moment("effectiveDateTime", at)
    values["patient_id"] = form.points_to("subject", form.said.get("subject"), "Patient")
    session_id = form.points_to("encounter", form.said.get("encounter"), "Encounter")
    form.check()
    assert session_id is not None, "a form without it has a fault"
    entry_id, form.is_known = send_vitals(client, session_id, values)
    return f"{entry_id}-{suffix}"


WRITER: Final = Writer(
    _create,
    None,
    {"/measured_at": "effectiveDateTime", "/patient_id": "subject"},
    named="encounter",
)
