"""A clinic as EHR systems find it: charts with something of every kind, and clients with keys."""

import json
import time
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from flask import Flask
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from api import clock, db
from api.access.users import clinics
from api.core import patients
from api.core.clients import ehr_clients
from api.core.clinical_lists.table import allergies, diagnoses, medications
from api.core.ehr.subscriptions.tables import ehr_subscriptions
from api.core.ehr.table import referrals
from api.core.outcomes import checkins
from api.core.treatment.courses import courses
from tests import builders
from tests.builders import Scene
from tests.core import dosing

BASE = "http://localhost/fhir/R4"
TOKEN_URL = f"{BASE}/auth/token"
SYSTEM = "https://ehr.example/patients"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EVERYTHING = "system/*.cruds system/AuditEvent.rs"


@cache
def ec_key(number: int = 0) -> ec.EllipticCurvePrivateKey:
    """A P-384 key; the same number gives the same key."""
    return ec.generate_private_key(ec.SECP384R1())


@cache
def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:
    """An RSA key of 2048 bits."""
    return rsa.generate_private_key(65537, 2048)


def public_jwk(key: Any, kid: str = "one") -> dict[str, Any]:
    """The public half of a key as a JWK."""
    is_rsa = isinstance(key, rsa.RSAPrivateKey)
    told = (RSAAlgorithm if is_rsa else ECAlgorithm).to_jwk(key.public_key())
    alg = "RS384" if is_rsa else "ES384"
    return json.loads(told) | {"kid": kid, "alg": alg, "use": "sig"}


@dataclass
class Client:
    """A registered client with its key: it signs in, and asks."""

    app: Flask
    client_id: UUID
    key: Any = field(default_factory=ec_key)
    kid: str = "one"
    scope: str = EVERYTHING
    token: str = ""

    def assertion(self, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """An assertion, right in all but what is told."""
        alg = "RS384" if isinstance(self.key, rsa.RSAPrivateKey) else "ES384"
        told = {
            "iss": str(self.client_id),
            "sub": str(self.client_id),
            "aud": TOKEN_URL,
            "jti": uuid4().hex,
            "exp": int(time.time()) + 240,
        }
        full = {k: v for k, v in (told | claims).items() if v is not None}
        head = {"kid": self.kid, "typ": "JWT"} | (headers or {})
        return jwt.encode(full, self.key, head.pop("alg", alg), headers=head)

    def ask_token(self, assertion: str | None = None, **form: Any) -> Any:
        """The answer of the token endpoint."""
        told = {
            "grant_type": "client_credentials",
            "client_assertion_type": JWT_BEARER,
            "client_assertion": assertion or self.assertion(),
            "scope": self.scope,
        }
        return self.app.test_client().post("/fhir/R4/auth/token", data=told | form)

    def sign_in(self) -> "Client":
        """Sign in; the token is kept."""
        answer = self.ask_token()
        assert answer.status_code == 200, answer.text
        self.token = answer.json["access_token"]
        return self

    def __call__(self, method: str, path: str, **more: Any) -> Any:
        """One request below the base, or of a whole address of ours."""
        headers = {"Accept": "application/fhir+json", **more.pop("headers", {})}
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        at = path.removeprefix(BASE)
        return self.app.test_client().open(f"/fhir/R4{at}", method=method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> Any:
        """GET."""
        return self("GET", path, **more)

    def every(self, path: str) -> list[dict[str, Any]]:
        """Every match of a search, page by page."""
        there: list[dict[str, Any]] = []
        while path:
            answer = self.get(path)
            assert answer.status_code == 200, (path, answer.text)
            bundle = answer.json
            there += [
                e["resource"] for e in bundle.get("entry", []) if e["search"]["mode"] == "match"
            ]
            path = next((k["url"] for k in bundle["link"] if k["relation"] == "next"), "")
        return there


def register(
    app: Flask, clinic_id: UUID, scopes: str = EVERYTHING, key: Any = None, **more: Any
) -> Client:
    """A client of the clinic, with its key inline unless told otherwise."""
    key = key or ec_key()
    values = {
        "clinic_id": clinic_id,
        "name": "An EHR",
        "jwks": {"keys": [public_jwk(key)]},
        "scopes": scopes,
        "external_system": f"{SYSTEM}/{uuid4().hex}",
    }
    row = db.store().add(ehr_clients, values | more)
    return Client(app, row["id"], key, scope=scopes)


def subscribed(client: Client, clinic_id: UUID, **more: Any) -> db.Values:
    """A subscription of the client that shook hands, on goals unless told otherwise."""
    values = {
        "clinic_id": clinic_id,
        "client_id": client.client_id,
        "topic": "urn:freshtrail:topic:goal",
        "endpoint": "https://ehr.example/hook",
        "content": "id-only",
        "status": "active",
        "reason": "To know of goals",
        "base": BASE,
        "events": 0,
        "failures": 0,
    }
    return db.store().add(ehr_subscriptions, values | more)


def let_see_all(clinic_id: UUID, access: str = "own_ehr") -> None:
    """The clinic's setting of which charts an EHR reaches."""
    mine = clinics.c.id == clinic_id
    db.store().execute(clinics.update().where(mine).values(ehr_access=access))


def chart(scene: Scene) -> dict[str, Any]:
    """Something of every kind in the chart of the scene's patient; answers what is named later."""
    patient, ct = scene.patient, scene["CT"]
    keys = {"clinic_id": scene.clinic_id, "patient_id": patient["id"]}
    patients.change_patient(ct.actor, patient["id"], None, ABOUT)
    by = keys | {"recorded_by": ct.user_id, "status": "active"}
    db.store().add(diagnoses, by | {"code": "F33.1", "title": "Recurrent depression"})
    db.store().add(allergies, by | {"substance": "Latex", "reaction": "Rash", "severity": "mild"})
    db.store().add(
        medications, by | {"name": "Sertraline", "dose": "50 mg", "from_on": date(2026, 1, 2)}
    )
    db.store().add(referrals, keys | {"recorded_by": ct.user_id} | REFERRAL)
    course = db.store().add(
        courses,
        keys
        | {
            "status": "active",
            "medicine": "ketamine",
            "route": "intramuscular",
            "planned_doses": 6,
            "interval_days": 7,
            "starts_on": date(2026, 9, 1),
        },
    )
    agreed = dosing.agreed(scene)
    session = dosing.under_way(scene, course_id=course["id"])
    dosing.planned(scene, session)
    dosing.vitals(scene, session, respirations_per_min=14, sedation_moaas=5, **dosing.WHOLE)
    dosing.vitals(scene, session, after=6, systolic_mmhg=130)
    first = dosing.dose(scene, session)
    dosing.dose(scene, session, 12, corrects_id=first["id"], reason="Typed wrong", dose_mg=50.0)
    dosing.said(scene, session, "rating", 20, {"scale": "anxiety", "value": 4})
    dosing.said(scene, session, "event", 25, {"code": "nausea", "grade": 1, "outcome": "resolved"})
    builders.make_session(patient, ct, mode="telehealth")
    answers = {f"phq9-{i}": 1 for i in range(1, 10)}
    phq = _answered(ct, patient, "phq-9", answers)
    _answered(ct, patient, "gad-7", {f"gad7-{i}": 2 for i in range(1, 7)} | {"gad7-7": None})
    _answered(ct, patient, "c-ssrs-screener", {"cssrs-1": 1, "cssrs-2": 0, "cssrs-6": 0})
    _answered(ct, patient, "dass-21", {f"dass21-{i}": 1 for i in range(1, 22)})
    goal = builders.make_goal(patient)
    practice = builders.make_practice(goal)
    for ago in range(5):
        builders.make_step(practice, walked_on=clock.today("UTC") - timedelta(days=ago))
    return {
        "session": session,
        "course": course,
        "phq": phq,
        "goal": goal,
        "practice": practice,
        "consents": agreed,
    }


def _answered(who: builders.Person, patient: db.Values, key: str, answers: Any) -> db.Values:
    said = {"instrument": key, "answers": answers, "complete": True}
    said |= {"answered_by": "clinician_asked"}
    return checkins.log_checkin(who.actor, patient["id"], said)


REFERRAL = {
    "status": "active",
    "intent": "order",
    "priority": "routine",
    "content": {
        "code": {"coding": [], "text": "Ketamine-assisted psychotherapy"},
        "category": [{"coding": [], "text": "Psychotherapy"}],
        "requester": "Dr. Vale",
        "reason": "Depression",
        "note": None,
    },
}
"""Who sends a patient here, and for what."""
ABOUT = {
    "preferred_name": "Addie",
    "sex_at_birth": "female",
    "contact": {"phone": "+1 303 555 0100", "email": "ada@test.example"},
    "address": {
        "lines": ["1 Snow Lane"],
        "city": "Boulder",
        "region": "CO",
        "postal_code": "80301",
        "country": "US",
    },
    "emergency_contact": {"name": "Bo Example", "phone": "+1 303 555 0101", "relation": "Partner"},
    "external_ids": [{"system": SYSTEM, "value": "MRN-7"}],
}
"""What is told of the patient."""
