"""What the tests of notes and signatures have in common: who is there, and records that stand."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from api import clock, db
from api.access.policies import Role
from api.core.treatment import notes, signing
from api.db import Values
from api.errors import Conflict
from tests import builders
from tests.builders import Person, Scene

SOAP = {
    "subjective": "Slept well.",
    "objective": "Calm.",
    "assessment": "As hoped for.",
    "plan": "A walk each evening.",
}


def colleague(scene: Scene, profession: str = "therapist", *privileges: str) -> Person:
    """Another clinician on the patient's care team."""
    more = {"profession": profession, "privileges": list(privileges)}
    person = builders.make_person(scene.clinic_id, Role.CLINICIAN, **more)
    builders.join_team(scene.patient, person)
    return person


def held_session(scene: Scene, *who: Person, kind: str = "integration", **more: Any) -> Values:
    """A session that was completed an hour ago, with its clinicians; CT unless others are named."""
    at = clock.now() - timedelta(hours=1)
    times = {"starts_at": at - timedelta(hours=2), "ends_at": at, "completed_at": at}
    times |= {"started_at": at - timedelta(hours=2), "moved_at": at}
    people = who or (scene["CT"],)
    values = {"kind": kind, "state": "completed"} | times | more
    return builders.make_session(scene.patient, *people, **values)


def note(scene: Scene, session: Values | None = None, by: Any = "CT", **more: Any) -> Values:
    """A draft by a clinician, a progress note in words unless it says otherwise."""
    actor = scene[by].actor if isinstance(by, str) else by.actor
    values = {"kind": "progress"} | ({} if "sections" in more else {"text": "We spoke."}) | more
    if session is None:
        return notes.write_patient_note(actor, scene.patient["id"], values)
    return notes.write_session_note(actor, session["id"], values)


def signed_note(scene: Scene, session: Values | None = None, by: Any = "CT", **more: Any) -> Values:
    """The same, signed by who wrote it."""
    made = note(scene, session, by, **more)
    actor = scene[by].actor if isinstance(by, str) else by.actor
    return notes.sign_note(actor, made["id"])


def locked_session(scene: Scene) -> Values:
    """A completed session with one signed note and the one part that it owes."""
    session = held_session(scene)
    signed_note(scene, session)
    signing.sign_part(scene["CT"].actor, session["id"], "therapist")
    return session


@contextmanager
def refused(*allowed: str, state: str | None = None) -> Iterator[Any]:
    """The state forbids it, and says what it allows."""
    with pytest.raises(Conflict) as refusal:
        yield refusal
    if allowed:
        assert set(refusal.value.extras["allowed"]) == set(allowed)
    if state is not None:
        assert refusal.value.extras["state"] == state


def ids(listing: db.Listing) -> list[Any]:
    """The ids of a list, in its order."""
    return [row["id"] for row in listing.items]
