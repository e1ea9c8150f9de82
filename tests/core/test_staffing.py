"""Staffing: rights are changed by others, hold at once, and the privacy officer is told."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from api import db
from api.access.users import users
from api.core import gate, mail, sign_ins as signing, staffing
from api.errors import Conflict, Invalid, NotAllowed, NotFound, NotSignedIn, Stale
from api.outbox.events import outbox_events
from api.outbox.tables import webhooks
from tests import builders
from tests.builders import PASSWORD, Scene
from tests.core.signing import opened, refuses
from tests.racing import at_once

PAIR = {"privileges": ["prescribe", "direct", "direct"], "profession": "prescriber"}


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every letter that is sent: to whom, and of what kind."""
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(mail, "send", lambda to, kind, *_: sent.append((to, kind)))
    return sent


def change(scene: Scene, whom: str, by: str = "CA", **values: Any) -> db.Values:
    with db.transaction():
        return staffing.change_user(scene[by].actor, scene[whom].user_id, None, values)


def test_privileges_are_granted_by_another_and_hold_at_the_next_request(
    scene: Scene, letters: list[Any]
) -> None:
    told = change(scene, "CT", **PAIR)
    assert told["privileges"] == ["direct", "prescribe"] and told["version"] == 2
    rights = gate.identify(scene["CT"].actor)
    assert rights.privileges == {"direct", "prescribe"}
    assert letters == [(scene["PR"].email, "user_changed")]
    mine = outbox_events.c.clinic_id == scene.clinic_id
    [event] = db.store().rows(select(outbox_events).where(mine))
    assert event["name"] == "user.changed"
    assert event["subject"] == {"user_id": str(scene["CT"].user_id)}


def test_nobody_changes_disables_or_enables_themself(scene: Scene) -> None:
    for deed in (
        lambda: change(scene, "CA", role="clinician"),
        lambda: change(scene, "CA", privileges=[]),
        lambda: staffing.disable_user(scene["CA"].actor, scene["CA"].user_id),
        lambda: staffing.disable_user(scene["PR"].actor, scene["PR"].user_id),
        lambda: staffing.enable_user(scene["PR"].actor, scene["PR"].user_id),
    ):
        with pytest.raises(NotAllowed):
            deed()


def test_only_a_fresh_sign_in_decides_on_others(scene: Scene) -> None:
    with db.transaction():
        builders.let_sign_in_age(scene["CA"])
        builders.let_sign_in_age(scene["PR"])
    for deed in (
        lambda: change(scene, "CT", **PAIR),
        lambda: staffing.disable_user(scene["CA"].actor, scene["CT"].user_id),
        lambda: staffing.enable_user(scene["PR"].actor, scene["CT"].user_id),
    ):
        with pytest.raises(NotSignedIn) as refusal:
            deed()
        assert refusal.value.error == "insufficient_user_authentication"


def test_a_role_that_was_taken_opens_nothing_with_the_old_sign_in(scene: Scene) -> None:
    from api.core.patients import read_patient

    read_patient(scene["CT"].actor, scene.patient["id"])
    change(scene, "CT", **PAIR)
    told = change(scene, "CT", role="analyst")
    assert (told["role"], told["profession"], told["privileges"]) == ("analyst", None, [])
    with pytest.raises(NotAllowed):
        read_patient(scene["CT"].actor, scene.patient["id"])


@pytest.mark.parametrize(
    ("whom", "values", "at"),
    [
        ("PS", {"role": "administrator"}, "/role"),
        ("CT", {"role": "patient"}, "/role"),
        ("CT", {"role": "system"}, "/role"),
        ("PR", {"privileges": ["direct"]}, "/privileges"),
        ("PR", {"profession": "nurse"}, "/profession"),
        ("CT", {"role": "analyst", "privileges": ["direct"]}, "/privileges"),
        ("PS", {"privileges": ["direct"]}, "/privileges"),
    ],
)
def test_what_does_not_go_with_the_role_is_refused(
    scene: Scene, whom: str, values: Any, at: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        change(scene, whom, **values)
    assert [pointer for pointer, _ in refusal.value.errors] == [at]


def test_a_user_of_another_clinic_is_not_there(scene: Scene) -> None:
    for deed in (
        lambda: change(scene, "XT", **PAIR),
        lambda: staffing.disable_user(scene["PR"].actor, scene["XT"].user_id),
    ):
        with pytest.raises(NotFound):
            deed()


def test_a_change_names_the_version_it_is_meant_for(scene: Scene) -> None:
    change(scene, "CT", **PAIR)
    with pytest.raises(Stale):
        staffing.change_user(scene["CA"].actor, scene["CT"].user_id, 1, {"privileges": []})


@pytest.mark.parametrize("by", ["CA", "PR"])
def test_whoever_is_disabled_is_out_at_once_with_every_token(
    scene: Scene, letters: list[Any], by: str
) -> None:
    here = opened(scene["CT"].email)
    letters.clear()
    with db.transaction():
        told = staffing.disable_user(scene[by].actor, scene["CT"].user_id)
    assert told["disabled_at"] is not None
    refuses(lambda: gate.identify(scene["CT"].actor))
    refuses(lambda: signing.refresh(here["refresh_token"]))
    refuses(lambda: signing.sign_in(scene["CT"].email, PASSWORD))
    assert letters == ([(scene["PR"].email, "user_disabled")] if by == "CA" else [])
    with pytest.raises(Conflict):
        staffing.disable_user(scene[by].actor, scene["CT"].user_id)
    db.leave_store()
    with db.transaction():
        assert staffing.enable_user(scene[by].actor, scene["CT"].user_id)["disabled_at"] is None
    refuses(lambda: gate.identify(scene["CT"].actor))
    refuses(lambda: signing.refresh(here["refresh_token"]))
    assert opened(scene["CT"].email)["user_id"] == scene["CT"].user_id
    with pytest.raises(Conflict):
        staffing.enable_user(scene[by].actor, scene["CT"].user_id)


def test_webhooks_of_whoever_is_disabled_are_switched_off_and_no_others(scene: Scene) -> None:
    from api.core.webhooks import create_webhook

    hook = {"url": "https://hooks.clinic.example/", "events": ["goal.created"]}
    with db.transaction():
        colleague = builders.make_person(scene.clinic_id, builders.Role.ADMINISTRATOR)
        theirs = create_webhook(colleague.actor, dict(hook))
        ours = create_webhook(scene["CA"].actor, dict(hook))
    with db.transaction():
        staffing.disable_user(scene["CA"].actor, colleague.user_id)
    rows = {row["id"]: row for row in db.store().rows(select(webhooks))}
    assert rows[theirs["id"]]["disabled_for"] == "by_hand"
    assert rows[ours["id"]]["disabled_at"] is None


def test_two_administrators_who_disable_each_other_leave_one(app: Flask, scene: Scene) -> None:
    with db.transaction():
        other = builders.make_person(scene.clinic_id, builders.Role.ADMINISTRATOR)
    pair = (scene["CA"], other), (other, scene["CA"])
    at_once(app, [lambda a=a, b=b: staffing.disable_user(a.actor, b.user_id) for a, b in pair])
    mine = (users.c.clinic_id == scene.clinic_id, users.c.role == "administrator")
    left = db.store().rows(select(users).where(*mine, users.c.disabled_at.is_(None)))
    assert len(left) == 1
