"""Records for tests, valid by default; override what matters. Each test has its own clinic."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from api import clock, db
from api.access import tokens
from api.access.hashing import hash_password
from api.access.policies import Actor, Role
from api.access.users import clinics, make_account, make_user, sign_ins, users
from api.core import patients
from api.core.integration import tables as integration
from api.core.treatment.sessions import holding, sessions

PASSWORD = "fresh-snow-2026"
_hashed: dict[str, str] = {}


def password_hash(password: str = PASSWORD) -> str:
    """A hash, made once for each password."""
    if password not in _hashed:
        _hashed[password] = hash_password(password)
    return _hashed[password]


def make_clinic(name: str = "Test Clinic", time_zone: str = "America/Denver") -> UUID:
    """A clinic; answers its id."""
    clinic_id, now = db.new_id(), clock.now()
    db.store().execute(
        clinics.insert().values(
            id=clinic_id,
            version=1,
            created_at=now,
            updated_at=now,
            name=name,
            time_zone=time_zone,
            crisis_resources={},
            is_demo=True,
        )
    )
    return clinic_id


@dataclass
class Person:
    """Somebody signed in: ids, a token, and the actor for core functions."""

    user_id: UUID
    clinic_id: UUID
    sign_in_id: UUID
    email: str
    patient_id: UUID | None = None
    extras: dict[str, Any] = field(default_factory=dict)

    @property
    def actor(self) -> Actor:
        """A fresh actor, as one request has."""
        return Actor(self.sign_in_id, self.user_id, self.clinic_id, request_id=db.new_id().hex)

    @property
    def token(self) -> str:
        """An access token; needs an application context."""
        return tokens.issue(self.sign_in_id, self.user_id, self.clinic_id)


def make_person(clinic_id: UUID, role: Role = Role.CLINICIAN, **more: Any) -> Person:
    """A user of the clinic with a sign-in of this minute."""
    account_id = db.new_id()
    email = more.pop("email", f"{account_id}@test.example")
    make_account(db.store(), account_id, email, password_hash())
    if role == Role.CLINICIAN:
        more.setdefault("profession", "therapist")
    more.setdefault("display_name", f"{role.value.title()} Test")
    user = make_user(db.store(), clinic_id, account_id, role, **more)
    return Person(user["id"], clinic_id, make_sign_in(user), email, more.get("patient_id"))


def make_sign_in(user: db.Values) -> UUID:
    """A sign-in that stands for twelve hours."""
    sign_in_id, now = db.new_id(), clock.now()
    db.store().execute(
        sign_ins.insert().values(
            id=sign_in_id,
            clinic_id=user["clinic_id"],
            user_id=user["id"],
            security_version=user["security_version"],
            auth_time=now,
            created_at=now,
            last_seen_at=now,
            ends_at=now + timedelta(hours=12),
        )
    )
    return sign_in_id


def let_sign_in_age(person: Person, minutes: int = 6) -> None:
    """The person proved who they are some minutes ago: too long for a step-up."""
    old = clock.now() - timedelta(minutes=minutes)
    mine = sign_ins.c.id == person.sign_in_id
    db.store().execute(sign_ins.update().where(mine).values(auth_time=old))


def make_patient(clinic_id: UUID, **more: Any) -> db.Values:
    """A patient's row."""
    values = {
        "legal_given": "Ada",
        "legal_family": "Example",
        "birth_on": date(1990, 1, 31),
        "time_zone": "America/Denver",
        "status": "active",
    }
    return patients.add_patient(clinic_id, values | more)


def join_team(patient: db.Values, clinician: Person, role: str = "therapist") -> db.Values:
    """The clinician joins the patient's care team."""
    return patients.join_team(patient["clinic_id"], patient["id"], clinician.user_id, role, None)


def make_session(patient: db.Values, *clinicians: Person, **more: Any) -> db.Values:
    """A booked session of tomorrow with its clinicians, by rows alone: nobody need be free."""
    starts_at = clock.now() + timedelta(days=1)
    values = {
        "clinic_id": patient["clinic_id"],
        "patient_id": patient["id"],
        "kind": "integration",
        "state": "scheduled",
        "mode": "in_person",
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(hours=1),
        "source": "app",
    }
    row = db.store().add(sessions, holding.tidy_room(values | more))
    if clinicians:
        holding.name_clinicians(row, [person.user_id for person in clinicians])
    return row


def make_goal(patient: db.Values, **more: Any) -> db.Values:
    """A goal of the patient, set by themself unless `author_id` and `author_kind` say otherwise."""
    values = {
        "title": "Say no kindly",
        "category": "boundaries",
        "lifecycle_status": "active",
        "achievement_status": "in_progress",
    }
    return _entry(integration.goals, patient["clinic_id"], patient["id"], values | more)


def make_practice(goal: db.Values, **more: Any) -> db.Values:
    """An active practice under the goal, by its author and shared as the goal is."""
    values = {
        "goal_id": goal["id"],
        "new_trail": "Take a breath and say: not today",
        "interval_days": 1,
        "status": "active",
    }
    return _under(goal, integration.practices, values | more)


def make_step(practice: db.Values, **more: Any) -> db.Values:
    """A step of today (in UTC), done, by the practice's author and shared as the practice is."""
    values = {"practice_id": practice["id"], "kind": "done", "walked_on": clock.today("UTC")}
    return _under(practice, integration.steps, values | more)


def _under(parent: db.Values, table: Any, values: db.Values) -> db.Values:
    names = ("author_id", "author_kind", "shared_with")
    alike = {name: parent[name] for name in names}
    return _entry(table, parent["clinic_id"], parent["patient_id"], alike | values)


def _entry(table: Any, clinic_id: UUID, patient_id: UUID, values: db.Values) -> db.Values:
    full = {"author_kind": "patient", "shared_with": "care_team"} | values
    if "author_id" not in full:
        full["author_id"] = _patient_user(patient_id)
    full.setdefault("chosen_sharing", full["shared_with"])
    return db.store().add(table, {"clinic_id": clinic_id, "patient_id": patient_id} | full)


def _patient_user(patient_id: UUID) -> UUID:
    row = db.store().row(select(users.c.id).where(users.c.patient_id == patient_id))
    assert row is not None, "the patient signs in to write; or give author_id"
    return UUID(str(row["id"]))


@dataclass
class Scene:
    """A clinic with everybody in it, and one clinician of another clinic."""

    clinic_id: UUID
    patient: db.Values
    other_patient: db.Values
    people: dict[str, Person]

    def __getitem__(self, name: str) -> Person:
        return self.people[name]


def make_scene() -> Scene:
    """The personas of the access matrix.

    PS patient self, PO another patient, CT on the care team, CN not on it, CA administrator,
    PR privacy officer, AY analyst; of another clinic XT clinician, XA administrator, XP patient.
    """
    clinic_id, elsewhere = make_clinic(), make_clinic("Other Clinic")
    mine, other = make_patient(clinic_id), make_patient(clinic_id, legal_given="Bea")
    theirs = make_patient(elsewhere)
    people = {
        "PS": make_person(clinic_id, Role.PATIENT, patient_id=mine["id"]),
        "PO": make_person(clinic_id, Role.PATIENT, patient_id=other["id"]),
        "CT": make_person(clinic_id),
        "CN": make_person(clinic_id),
        "CA": make_person(clinic_id, Role.ADMINISTRATOR),
        "PR": make_person(clinic_id, Role.PRIVACY_OFFICER),
        "AY": make_person(clinic_id, Role.ANALYST),
        "XT": make_person(elsewhere),
        "XA": make_person(elsewhere, Role.ADMINISTRATOR),
        "XP": make_person(elsewhere, Role.PATIENT, patient_id=theirs["id"]),
    }
    join_team(mine, people["CT"])
    join_team(theirs, people["XT"])
    return Scene(clinic_id, mine, other, people)
