"""A Condition as an EHR sends it: a diagnosis in ICD-10-CM that somebody made."""

import re
from typing import Final

from api.fhir.datatypes import ICD10, Values
from api.fhir.writing.form import Form, Writer, code_in, said_of
from api.fhir.writing.lists import MISTAKE, note, of_list

ICD: Final = re.compile(r"[A-TV-Z][0-9][0-9AB](\.[0-9A-Z]{1,4})?", re.ASCII)
STATUSES: Final = {
    **dict.fromkeys(("active", "recurrence", "relapse"), "active"),
    **dict.fromkeys(("inactive", "remission", "resolved"), "resolved"),
}
CERTAIN: Final = {"confirmed": True, "entered-in-error": False}


def values(form: Form) -> Values:
    """What is kept of a diagnosis."""
    said = form.said
    form.keeps(
        *("clinicalStatus", "verificationStatus", "category", "code", "subject", "note"),
        *("onsetDateTime", "abatementDateTime", "recordedDate", "recorder"),
    )
    code = code_in(form.needs("code", said.get("code")), ICD10)
    if code is None or not ICD.fullmatch(code):
        form.fault("code-invalid", "code", f"A code of ICD-10-CM ({ICD10}).")
    is_certain = form.status("verificationStatus", CERTAIN)
    status = form.status("clinicalStatus", STATUSES) or "active"
    return {
        "code": code,
        "title": form.words("code.text", said_of(said.get("code"))),
        "status": MISTAKE if is_certain is False else status,
        "from_on": form.day("onsetDateTime", said.get("onsetDateTime")),
        "to_on": form.day("abatementDateTime", said.get("abatementDateTime")),
        "note": note(form),
    }


WRITER: Final[Writer] = of_list("Condition", values)
