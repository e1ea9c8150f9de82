"""A Consent as an EHR sends it: that a patient agrees to share with it, or no longer does."""

from typing import Any, Final
from uuid import UUID

from api.access.policies import Actor
from api.core.ehr import record_sharing, withdraw_sharing
from api.fhir.datatypes import HL7, OURS
from api.fhir.writing.form import Form, Writer, code_in, codings, said_of

STATUSES: Final = {
    "active": True,
    "inactive": False,
    "rejected": False,
    "entered-in-error": False,
}
PRIVACY: Final = "patient-privacy"
KINDS: Final = f"{OURS}consent-kind"
SHARING: Final = "ehr-sharing"
TEXTS: Final = f"{OURS}consent-text"


def _said(form: Form) -> tuple[Any, bool]:
    """Which words were agreed to, and whether it stands."""
    said = form.said
    form.keeps(
        *("status", "scope", "category", "patient", "dateTime", "performer", "organization"),
        *("policyRule", "provision"),
    )
    stands = form.code("status", STATUSES, form.needs("status", said.get("status")))
    if code_in(said.get("scope"), f"{HL7}consentscope") != PRIVACY:
        form.fault("not-supported", "scope", f"{PRIVACY}: other consents are the clinic's to ask.")
    kinds = [code_in(one, KINDS) for one in said.get("category") or []]
    if any(kind not in (None, SHARING) for kind in kinds):
        form.fault("not-supported", "category", f"{SHARING} of {KINDS}.")
    provision = said.get("provision") or {}
    if provision.get("type") == "deny":
        form.fault("not-supported", "provision.type", "Who does not agree says so by `inactive`.")
    for name in set(provision) - {"type", "period"}:
        form.fault("not-supported", f"provision.{name}", "Sharing is of the whole chart.")
    return _text(form), bool(stands)


def _text(form: Form) -> str | None:
    rule = form.needs("policyRule", form.said.get("policyRule"))
    ours = code_in(rule, TEXTS)
    if ours is not None:
        return form.words("policyRule", ours.removeprefix("ehr_sharing-"), 60)
    code = next((one.get("code") for one in codings(rule) if one.get("code")), None)
    return form.words("policyRule", form.needs("policyRule", said_of(rule) or code), 60)


def _create(client: Actor, form: Form) -> str:
    text, stands = _said(form)
    if not stands:
        form.fault("not-supported", "status", "A consent is recorded when it is given: active.")
    patient_id = form.points_to("patient", form.said.get("patient"), "Patient")
    at, ids = form.moment("dateTime", form.said.get("dateTime")), form.identifiers()
    form.check()
    assert patient_id is not None, "a form without it has a fault"
    values: dict[str, Any] = {"text_version": text} | ({} if at is None else {"granted_at": at})
    return str(record_sharing(client, patient_id, values, ids))


def _update(client: Actor, record_id: UUID, version: int | None, form: Form) -> None:
    _, stands = _said(form)
    ids = form.identifiers()
    form.check()
    withdraw_sharing(client, record_id, version, stands, ids)


WRITER: Final = Writer(_create, _update, {"/granted_at": "dateTime"}, named="patient")
