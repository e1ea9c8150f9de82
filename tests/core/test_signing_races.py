"""Many who sign, decide or write at once come one after the other: the record is closed once."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from api import db
from api.core.treatment import notes, sessions, signing
from api.errors import Conflict
from tests.builders import Person, Scene
from tests.core import noting
from tests.racing import at_once

SIX = range(6)


@pytest.fixture
def other(scene: Scene) -> Person:
    """A colleague on the care team, kept."""
    with db.transaction():
        return noting.colleague(scene)


def kept(make: Callable[[], Any]) -> Any:
    """What is made in a transaction of its own."""
    with db.transaction():
        return make()


def won(answers: list[Any]) -> int:
    """How many were not refused; whoever was, was because of the state."""
    refused = [one for one in answers if isinstance(one, Exception)]
    assert all(isinstance(one, Conflict) for one in refused), refused
    return len(answers) - len(refused)


def test_one_part_is_signed_once(app: Flask, scene: Scene, other: Person) -> None:
    session = kept(lambda: noting.held_session(scene))
    people = [scene["CT"], other] * 3
    runs = [
        lambda who=who: signing.sign_part(who.actor, session["id"], "therapist") for who in people
    ]
    assert won(at_once(app, runs)) == 1


def test_the_last_two_parts_close_the_record_once(app: Flask, scene: Scene) -> None:
    nurse = kept(lambda: noting.colleague(scene, "nurse"))
    session = kept(lambda: noting.held_session(scene, scene["CT"], nurse, kind="dosing"))
    runs = [
        lambda: signing.sign_part(scene["CT"].actor, session["id"], "therapist"),
        lambda: signing.sign_part(nurse.actor, session["id"], "nurse"),
    ]
    assert won(at_once(app, runs)) == 2
    row = kept(lambda: db.store().row(_session(session)))
    assert row["signed_at"] is not None and row["version"] == session["version"] + 1


def test_no_note_slips_into_a_record_that_is_being_closed(app: Flask, scene: Scene) -> None:
    session = kept(lambda: noting.held_session(scene))
    runs = [lambda: signing.sign_part(scene["CT"].actor, session["id"], "therapist")]
    runs += [lambda: noting.note(scene, session) for _ in SIX]
    answers = at_once(app, runs)
    drafts = won(answers[1:])
    closed = not isinstance(answers[0], Exception)
    assert closed == (drafts == 0), "closed without drafts, or open with them"


def test_one_request_is_open_and_decided_once(app: Flask, scene: Scene, other: Person) -> None:
    made = kept(lambda: noting.signed_note(scene))
    body = {"reason": "A name."}
    asked = at_once(app, [lambda: notes.ask_unlock(scene["CT"].actor, made["id"], body)] * 6)
    assert won(asked) == 1
    [request] = [one for one in asked if not isinstance(one, Exception)]
    runs = [
        lambda decide=decide: decide(other.actor, made["id"], request["id"], {})
        for decide in [notes.approve_unlock, notes.deny_unlock] * 3
    ]
    assert won(at_once(app, runs)) == 1


def _session(session: db.Values) -> Any:
    return select(sessions.sessions).where(sessions.sessions.c.id == session["id"])
