"""A Patient as an EHR sends it, and what of it the clinic keeps."""

import re
from typing import Any, Final
from uuid import UUID

from api.access.policies import Actor
from api.core.ehr import bring_patient, rewrite_patient
from api.fhir.datatypes import HL7, US_CORE, Json, Values
from api.fhir.writing.form import Form, Writer, code_in, codings

SEXES: Final = {"female": "female", "male": "male", "unknown": "unknown"}
BIRTH_SEXES: Final = {"F": "female", "M": "male", "UNK": "unknown"}
LOCALE: Final = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?", re.ASCII)
COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)
CALLED: Final = ("usual", "nickname")
FORMER: Final = ("old", "maiden")
EMERGENCY: Final = f"{HL7}v2-0131"
MAX_LINES: Final = 4


def _values(form: Form) -> Values:
    said = form.said
    form.keeps(
        *("extension", "active", "name", "telecom", "gender", "birthDate", "address", "contact"),
        *("communication", "managingOrganization"),
    )
    values = _names(form) | _sex(form)
    if said.get("active") is False:
        form.lost("active", "People of the clinic say whether somebody is in treatment.")
    born = said.get("birthDate")
    if born is not None and len(born) < len("2026-01-31"):
        form.fault("value", "birthDate", "A whole date.")
    values["birth_on"] = form.day("birthDate", born)
    values["contact"] = _contact(form)
    values["address"] = _address(form)
    values["emergency_contact"] = _emergency(form)
    values["external_ids"] = form.identifiers()
    return values | _locale(form)


def _names(form: Form) -> Values:
    """The legal name, and the one they are called by."""
    told = list(enumerate(form.needs("name", form.said.get("name")) or []))
    official = [p for p in told if p[1].get("use") == "official"] or [
        p for p in told if p[1].get("use") not in (*CALLED, *FORMER)
    ]
    called = next((p for p in told if p[1].get("use") in CALLED), None)
    if not official:
        if told:
            form.fault("required", "name", "A legal name, with family and given.")
        return {}
    number, name = official[0]
    at = f"name[{number}]"
    given = " ".join(name.get("given") or [])
    preferred = None
    if called is not None:
        preferred = called[1].get("text") or " ".join(called[1].get("given") or []) or None
    return {
        "legal_family": form.words(f"{at}.family", form.needs(f"{at}.family", name.get("family"))),
        "legal_given": form.words(f"{at}.given", form.needs(f"{at}.given", given) or None),
        "preferred_name": form.words("name", preferred),
    }


def _sex(form: Form) -> Values:
    """The sex at birth; where only the administrative gender is told, what that says of it."""
    extensions = form.said.get("extension") or []
    birth = next((e for e in extensions if e.get("url") == f"{US_CORE}birthsex"), None)
    for number, one in enumerate(extensions):
        if one is not birth:
            form.lost(f"extension[{number}]")
    if birth is not None and birth.get("valueCode") in BIRTH_SEXES:
        return {"sex_at_birth": BIRTH_SEXES[birth["valueCode"]]}
    gender = form.said.get("gender")
    if gender == "other":
        form.lost("gender", "Nothing follows from it for the sex at birth, which is kept.")
        return {}
    return {"sex_at_birth": SEXES.get(gender or "")}


def _contact(form: Form) -> Values | None:
    there: dict[str, Any] = {"phone": None, "email": None}
    for number, one in enumerate(form.said.get("telecom") or []):
        name = one.get("system")
        if name in there and there[name] is None and one.get("use") != "old":
            most = 40 if name == "phone" else 254
            there[name] = form.words(f"telecom[{number}].value", one.get("value"), most)
        else:
            form.lost(f"telecom[{number}]")
    if there["email"] is not None and "@" not in there["email"]:
        form.fault("value", "telecom", "No e-mail address.")
    return there if any(there.values()) else None


def _address(form: Form) -> Values | None:
    told = list(enumerate(form.said.get("address") or []))
    found = next((p for p in told if p[1].get("use") == "home"), None) or next(
        (p for p in told if p[1].get("use") not in ("old", "billing")), None
    )
    for number, _ in told:
        if found is None or number != found[0]:
            form.lost(f"address[{number}]")
    if found is None:
        return None
    at, one = f"address[{found[0]}]", found[1]
    lines = one.get("line") or ([one["text"]] if "text" in one and "city" not in one else None)
    if lines is not None and len(lines) > MAX_LINES:
        form.fault("value", f"{at}.line", f"At most {MAX_LINES}.")
    country = one.get("country")
    if country is not None and not COUNTRY.fullmatch(country):
        form.lost(f"{at}.country", "Kept by its code of ISO 3166-1 alone.")
        country = None
    address: dict[str, Any] = {
        "lines": [form.words(f"{at}.line", line) for line in lines] if lines else None,
        "city": form.words(f"{at}.city", one.get("city"), 120),
        "region": form.words(f"{at}.state", one.get("state"), 120),
        "postal_code": form.words(f"{at}.postalCode", one.get("postalCode"), 20),
        "country": country,
    }
    return address if any(address.values()) else None


def _emergency(form: Form) -> Values | None:
    """Whom to call in an emergency: somebody with a name and a telephone."""
    for number, one in enumerate(form.said.get("contact") or []):
        relations = one.get("relationship") or []
        is_emergency = any(code_in(each, EMERGENCY) == "C" for each in relations)
        phone = next(
            (t.get("value") for t in one.get("telecom") or [] if t.get("system") == "phone"), None
        )
        name = _whole_name(one.get("name"))
        if not is_emergency or not phone or not name:
            form.lost(f"contact[{number}]", "Kept is an emergency contact, with name and phone.")
            continue
        at = f"contact[{number}]"
        said = next((each.get("text") for each in relations if each.get("text")), None)
        return {
            "name": form.words(f"{at}.name", name),
            "phone": form.words(f"{at}.telecom", phone, 40),
            "relation": form.words(f"{at}.relationship", said, 60),
        }
    return None


def _whole_name(name: Json | None) -> str | None:
    if not name:
        return None
    parts = [*(name.get("given") or []), name.get("family")]
    return name.get("text") or " ".join(part for part in parts if part) or None


def _locale(form: Form) -> Values:
    told = form.said.get("communication") or []
    first = next((one for one in told if one.get("preferred")), told[0] if told else None)
    if first is None:
        return {}
    code = next((c.get("code") for c in codings(first.get("language"))), None)
    if code is None or not LOCALE.fullmatch(code):
        form.lost("communication", "Kept is a language such as en or en-US.")
        return {}
    return {"locale": code}


def _create(client: Actor, form: Form) -> str:
    values = _values(form)
    form.check()
    return str(bring_patient(client, {k: v for k, v in values.items() if v is not None}))


def _update(client: Actor, patient_id: UUID, version: int | None, form: Form) -> None:
    values = _values(form)
    form.check()
    rewrite_patient(client, patient_id, version, values)


WRITER: Final = Writer(
    _create,
    _update,
    {"/birth_on": "birthDate", "/external_ids": "identifier"},
    named="id",
)
