"""An AllergyIntolerance as an EHR sends it."""

from typing import Final

from api.fhir.datatypes import SNOMED, Values
from api.fhir.writing.form import Form, Writer, codings, said_of
from api.fhir.writing.lists import MISTAKE, note, of_list, rxnorm

STATUSES: Final = {"active": "active", "inactive": "resolved", "resolved": "resolved"}
CERTAIN: Final = {"confirmed": True, "unconfirmed": True, "entered-in-error": False}
NONE_KNOWN: Final = ("716186003", "409137002", "716184000", "716185004", "428607008")
"""Codes of SNOMED CT that say that there is no allergy: an entry of none is no entry."""


def values(form: Form) -> Values:
    """What is kept of an allergy."""
    said = form.said
    form.keeps(
        *("clinicalStatus", "verificationStatus", "code", "patient", "onsetDateTime"),
        *("recordedDate", "recorder", "reaction", "note"),
    )
    code = form.needs("code", said.get("code"))
    if any(c.get("system") == SNOMED and c.get("code") in NONE_KNOWN for c in codings(code)):
        form.fault("business-rule", "code", "That there is none is no entry of this list.")
    is_certain = form.status("verificationStatus", CERTAIN)
    reactions = said.get("reaction") or []
    shown = [said_of(m) for r in reactions for m in r.get("manifestation") or []]
    return {
        "substance": form.words("code", form.needs("code.text", said_of(code))),
        "code": rxnorm(form, "code"),
        "status": MISTAKE
        if is_certain is False
        else form.status("clinicalStatus", STATUSES) or "active",
        "reaction": form.words("reaction", ", ".join(s for s in shown if s) or None, 500),
        "severity": next((r["severity"] for r in reactions if "severity" in r), None),
        "from_on": form.day("onsetDateTime", said.get("onsetDateTime")),
        "note": note(form),
    }


WRITER: Final[Writer] = of_list("AllergyIntolerance", values, named="patient")
