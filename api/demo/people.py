"""Who is in the demo: two clinics, their staff, and patients under made-up names."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from api import clock, db
from api.access.hashing import hash_password
from api.access.policies import Privilege, Profession, Role
from api.access.users import OWN_EHR, clinics, make_account, make_user
from api.core import patients

PASSWORD = "fresh-snow-2026"
SYSTEM = "urn:freshtrail:demo:respondent"
SURVEY = Path(__file__).parent / "survey-phq9-gad7.csv"
ZONE = "America/Denver"
ALMA = ("Alma", "Firnfeld")
SEED = 2026
CRISIS = {
    "en-US": {
        "emergency": "911",
        "line": "988 Suicide and Crisis Lifeline (call or text 988)",
        "text": "Text HOME to 741741",
        "phone": "+1 303 555 0100",
        "review_on": "2027-06-01",
    }
}
# e-mail, name, role, profession, privileges
STAFF = (
    ("clinician@demo.example", "Nora Pfad", Role.CLINICIAN, Profession.THERAPIST, ()),
    ("clinician2@demo.example", "Ilse Grat", Role.CLINICIAN, Profession.THERAPIST, ()),
    (
        "nurse@demo.example",
        "Tom Steg",
        Role.CLINICIAN,
        Profession.NURSE,
        (Privilege.ADMINISTER, Privilege.DISCHARGE),
    ),
    (
        "prescriber@demo.example",
        "Dr. Mira Kamm",
        Role.CLINICIAN,
        Profession.PRESCRIBER,
        (Privilege.PRESCRIBE, Privilege.DISCHARGE, Privilege.DIRECT, Privilege.COSIGN),
    ),
    ("admin@demo.example", "Jo Halde", Role.ADMINISTRATOR, None, ()),
    ("analyst@demo.example", "Kim Lese", Role.ANALYST, None, ()),
    ("privacy@demo.example", "Ruth Wacht", Role.PRIVACY_OFFICER, None, ()),
)
THERAPISTS = 9
"""Further therapists without a sign-in, so that the courses of 223 patients fit the calendar."""
GIVEN = {
    "Female": "Ada Berit Cora Dana Elin Fenja Gesa Hanne Ida Jule Karla Lena Mina Nele Oda Paula"
    " Rike Sina Tilda Ulla Vera Wanda Yara Zita",
    "Male": "Aaron Bela Curt Dario Emil Finn Gero Hugo Ivo Jannis Kai Linus Milo Nico Ole Piet"
    " Quirin Ruben Sven Till Urs Veit Willem Xaver",
}
FAMILY = (
    "Ahornbach Birkenau Dornfeld Eschental Farnberg Ginsterhof Heidegrund Ilexweg Kiefernau"
    " Lindhain Moosbrand Nesselrain Ockertal Pappelau Quellrain Riedmatt Schilfau Tannwald"
    " Ulmenried Vogelsang Weidenau Zirbental Almgrund Bachrain Felsenau Gletschau Hangried"
    " Klammbach Mattfeld Talgrund"
)


@dataclass
class Cast:
    """Ids of those whom the rest of the demo needs."""

    clinic_id: UUID
    staff: dict[str, UUID]
    therapists: list[UUID]
    patients: dict[str, db.Values]
    alma: db.Values


def who() -> list[str]:
    """The demo accounts, a line each."""
    lines = [f"{email:28} {role.value.replace('_', ' ')}" for email, _, role, *_ in STAFF]
    return [*lines, f"{'patient@demo.example':28} patient", f"{OTHER:28} clinician elsewhere"]


OTHER = "clinician@other.example"


def load(say: Callable[[str], None]) -> Cast:
    """Clinics, staff and patients."""
    hashed = hash_password(PASSWORD)
    clinic_id, elsewhere = _clinic("Demo Clinic"), _clinic("Other Clinic")
    db.store().stand_in(elsewhere)
    _person(elsewhere, OTHER, hashed, "Lou Fern", Role.CLINICIAN, Profession.THERAPIST, ())
    db.store().stand_in(clinic_id)
    staff = {
        email: _person(clinic_id, email, hashed, name, role, profession, privileges)
        for email, name, role, profession, privileges in STAFF
    }
    therapists = [
        _person(clinic_id, f"therapist{i}@demo.example", None, name, Role.CLINICIAN, None, ())
        for i, name in enumerate(_names(Random(SEED - 1), THERAPISTS), 3)
    ]
    with SURVEY.open(newline="", encoding="utf-8") as lines:
        respondents = list(csv.DictReader(lines))
    found = _patients(clinic_id, respondents, staff)
    say(f"  {len(found)} patients, {len(staff)} members of staff")
    alma = found[_alma(respondents)]
    _patient_account(clinic_id, alma, hashed)
    return Cast(clinic_id, staff, therapists, found, alma)


def _clinic(name: str) -> UUID:
    clinic_id, now = db.new_id(), clock.now()
    values = {"id": clinic_id, "version": 1, "created_at": now, "updated_at": now, "name": name}
    more = {"time_zone": ZONE, "crisis_resources": CRISIS, "is_demo": True}
    more["ehr_access"] = OWN_EHR
    db.store().execute(clinics.insert().values(**values, **more))
    return clinic_id


def _person(
    clinic_id: UUID,
    email: str,
    hashed: str | None,
    name: str,
    role: Role,
    profession: Profession | None,
    privileges: Any,
) -> UUID:
    account = make_account(db.store(), db.new_id(), email, hashed)
    if role == Role.CLINICIAN and profession is None:
        profession = Profession.THERAPIST
    more = {"display_name": name, "profession": profession, "privileges": list(privileges)}
    user = make_user(db.store(), clinic_id, account["id"], role, **more)
    found: UUID = user["id"]
    return found


def _patient_account(clinic_id: UUID, alma: db.Values, hashed: str) -> None:
    account = make_account(db.store(), db.new_id(), "patient@demo.example", hashed)
    more = {"display_name": " ".join(ALMA), "patient_id": alma["id"]}
    make_user(db.store(), clinic_id, account["id"], Role.PATIENT, **more)


def _names(random: Random, count: int) -> list[str]:
    given = [*GIVEN["Female"].split(), *GIVEN["Male"].split()]
    pairs = [(g, f) for g in given for f in FAMILY.split()]
    return [" ".join(pair) for pair in random.sample(pairs, count)]


def _alma(respondents: list[dict[str, str]]) -> str:
    """The respondent who is Alma: clearly burdened, item 9 not above 0."""

    def total(row: dict[str, str]) -> int:
        return sum(int(row[f"phq9_{i}"]) for i in range(1, 10))

    safe = [r for r in respondents if r["phq9_9"] == "0" and r["gender"] == "Female"]
    return max(safe, key=lambda row: (min(total(row), 18), -int(row["respondent"])))["respondent"]


def _patients(
    clinic_id: UUID, respondents: list[dict[str, str]], staff: dict[str, UUID]
) -> dict[str, db.Values]:
    random, found, names = Random(SEED), {}, set[tuple[str, str]]()
    alma = _alma(respondents)
    for row in respondents:
        name = ALMA if row["respondent"] == alma else _unused(random, row["gender"], names)
        found[row["respondent"]] = _patient(clinic_id, random, row, name)
    named = ("clinician@demo.example", "nurse@demo.example", "prescriber@demo.example")
    for patient in found.values():
        _team(patient, [staff[email] for email in named])
    for i in range(5):
        row = {"respondent": f"further-{i + 1}", "gender": "Female", "age_band": "22"}
        other = _patient(clinic_id, random, row, _unused(random, "Female", names))
        _team(other, [staff["clinician2@demo.example"]])
    return found


def _unused(random: Random, gender: str, names: set[tuple[str, str]]) -> tuple[str, str]:
    given = GIVEN.get(gender, GIVEN["Female"]).split()
    while True:
        name = (random.choice(given), random.choice(FAMILY.split()))
        if name not in names:
            names.add(name)
            return name


def _patient(
    clinic_id: UUID, random: Random, row: dict[str, str], name: tuple[str, str]
) -> db.Values:
    youngest = int(row["age_band"].split()[0])
    age_days = youngest * 365.25 + random.uniform(20, 700)
    born: date = clock.today(ZONE) - timedelta(days=int(age_days))
    values = {
        "legal_given": name[0],
        "legal_family": name[1],
        "birth_on": born,
        "sex_at_birth": row["gender"].lower() if row["gender"] in GIVEN else "unknown",
        "time_zone": ZONE,
        "status": "active",
        "external_ids": [{"system": SYSTEM, "value": row["respondent"]}],
        "contact": {"email": f"{name[0]}.{name[1]}@patients.example".lower(), "phone": None},
    }
    return patients.add_patient(clinic_id, values)


def _team(patient: db.Values, clinicians: list[UUID]) -> None:
    roles = ("therapist", "nurse", "prescriber")
    for clinician, role in zip(clinicians, roles, strict=False):
        patients.join_team(patient["clinic_id"], patient["id"], clinician, role, None)
