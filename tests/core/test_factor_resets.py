"""A second factor that is lost: one administrator asks, another agrees, and a day lies between."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyotp
import pytest
import time_machine
from flask import Flask

from api import clock, config, db
from api.access.policies import Role
from api.core import factor_resets, mail, second_factors
from api.errors import Conflict, Invalid, NotAllowed, NotFound, NotSignedIn, Stale
from api.paging import Page
from tests import builders
from tests.builders import PASSWORD, Person, Scene
from tests.core.signing import opened, refuses
from tests.racing import at_once

WHY = {"reason": "Lost phone and codes; seen in person."}


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The letters that go meanwhile."""
    sent: list[tuple[str, ...]] = []
    monkeypatch.setattr(mail, "send", lambda *letter: sent.append(letter))
    return sent


@pytest.fixture
def second(scene: Scene) -> Person:
    """Another administrator."""
    with db.transaction():
        return builders.make_person(scene.clinic_id, Role.ADMINISTRATOR)


@pytest.fixture
def armed(scene: Scene) -> str:
    """CT has a second factor; its secret."""
    with db.transaction():
        secret = str(second_factors.make_totp(scene["CT"].actor)["secret"])
    with db.transaction():
        second_factors.confirm_totp(scene["CT"].actor, pyotp.TOTP(secret).now())
    return secret


@pytest.fixture
def a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in production a day lies between."""
    changed = replace(config.settings(), reset_hours=24)
    monkeypatch.setattr(factor_resets, "settings", lambda: changed)


def asked(scene: Scene, by: str = "CA") -> Any:
    """CT's factor is asked to be removed, kept."""
    with db.transaction():
        return factor_resets.ask_for_factor_reset(scene[by].actor, scene["CT"].user_id, WHY)


def approved(person: Person, row: Any) -> Any:
    """It is agreed, kept."""
    with db.transaction():
        return factor_resets.approve_factor_reset(person.actor, row["id"])


def is_on(scene: Scene) -> bool:
    """Whether CT's second factor is on."""
    with db.transaction():
        return bool(second_factors.read_second_factor(scene["CT"].actor)["totp"])


def test_two_administrators_remove_it_and_every_sign_in_ends(
    scene: Scene, second: Person, armed: str, letters: list[Any]
) -> None:
    row = asked(scene)
    assert is_on(scene) and row["state"] == "asked"
    done = approved(second, row)
    assert (done["state"], done["decided_by"]) == ("done", second.user_id)
    with pytest.raises(NotSignedIn):
        is_on(scene)
    assert opened(scene["CT"].email)["user_id"] == scene["CT"].user_id
    told = {(letter[0], letter[1]) for letter in letters}
    assert told == {
        (scene["CT"].email, "second_factor_reset_asked"),
        (scene["PR"].email, "second_factor_reset_asked"),
        (scene["CT"].email, "second_factor_off"),
        (scene["CT"].email, "new_device"),  # they came in without showing that it is known
    }


def test_neither_who_asked_nor_whose_it_is_agrees(scene: Scene, second: Person, armed: str) -> None:
    row = asked(scene)
    refuses(lambda: approved(scene["CA"], row), NotAllowed)
    with db.transaction():
        secret = str(second_factors.make_totp(second.actor)["secret"])
    with db.transaction():
        second_factors.confirm_totp(second.actor, pyotp.TOTP(secret).now())
    refuses(
        lambda: factor_resets.ask_for_factor_reset(second.actor, second.user_id, WHY), NotAllowed
    )
    with db.transaction():
        theirs = factor_resets.ask_for_factor_reset(scene["CA"].actor, second.user_id, WHY)
    refuses(lambda: approved(second, theirs), NotAllowed)
    assert is_on(scene)


def test_not_before_a_day_has_passed(scene: Scene, second: Person, armed: str, a_day: None) -> None:
    row = asked(scene)
    told = refuses(lambda: approved(second, row), Conflict)
    assert told.extras["state"] == "asked" and is_on(scene)
    with time_machine.travel(clock.now() + timedelta(hours=24, seconds=1)):
        with db.transaction() as store:
            from api.access.users import sign_ins

            fresh = sign_ins.update().where(sign_ins.c.id == second.sign_in_id)
            later = clock.now() + timedelta(hours=1)
            store.execute(fresh.values(ends_at=later, auth_time=clock.now()))
        assert approved(second, row)["state"] == "done"


def test_what_was_withdrawn_or_done_is_not_agreed_to_again(
    scene: Scene, second: Person, armed: str
) -> None:
    row = asked(scene)
    refuses(lambda: asked(scene), Conflict)
    with db.transaction():
        factor_resets.withdraw_factor_reset(scene["CA"].actor, row["id"])
    assert refuses(lambda: approved(second, row), Conflict).extras["state"] == "withdrawn"
    again = asked(scene)
    approved(second, again)
    assert refuses(lambda: approved(second, again), Conflict).extras["state"] == "done"
    refuses(lambda: asked(scene), Conflict)


def test_who_has_none_and_who_is_elsewhere_is_not_asked_for(scene: Scene, second: Person) -> None:
    refuses(lambda: asked(scene), Conflict)
    ca = scene["CA"].actor
    elsewhere = scene["XT"].user_id
    refuses(lambda: factor_resets.ask_for_factor_reset(ca, elsewhere, WHY), NotFound)
    with db.transaction():
        assert factor_resets.list_factor_resets(ca, Page()).items == []


def test_another_clinic_neither_sees_nor_decides_it(scene: Scene, armed: str) -> None:
    row = asked(scene)
    refuses(lambda: approved(scene["XA"], row), NotFound)
    with db.transaction():
        listed = factor_resets.list_factor_resets(scene["XA"].actor, Page()).items
        mine = factor_resets.list_factor_resets(scene["CA"].actor, Page()).items
    assert listed == [] and [each["reason"] for each in mine] == [WHY["reason"]]


def test_of_many_who_agree_at_once_one_does(
    app: Flask, scene: Scene, second: Person, armed: str, letters: list[Any]
) -> None:
    row = asked(scene)
    runs = [lambda: factor_resets.approve_factor_reset(second.actor, row["id"])] * 6
    answers = at_once(app, runs)
    assert sum(isinstance(each, dict) for each in answers) == 1
    assert all(isinstance(each, dict | Conflict | Stale) for each in answers)
    assert [letter[1] for letter in letters].count("second_factor_off") == 1


def test_of_two_who_ask_at_once_one_does(
    app: Flask, scene: Scene, second: Person, armed: str
) -> None:
    runs = [
        lambda who=who: factor_resets.ask_for_factor_reset(who.actor, scene["CT"].user_id, WHY)
        for who in (scene["CA"], second)
    ]
    answers = at_once(app, runs)
    assert sum(isinstance(each, dict) for each in answers) == 1
    assert sum(isinstance(each, Conflict) for each in answers) == 1


def test_over_http_it_needs_a_reason_and_a_fresh_sign_in(
    app: Flask, scene: Scene, call: Any, armed: str
) -> None:
    path = f"/users/{scene['CT'].user_id}/mfa-resets"
    assert call("CA").post(path, {"reason": "lost"}).status_code == 422
    with db.transaction():
        builders.let_sign_in_age(scene["CA"])
    assert call("CA").post(path, WHY).status_code == 401
    assert call("CA").post("/auth/step-up", {"password": PASSWORD}).status_code == 200
    made = call("CA").post(path, WHY)
    assert (made.status_code, made.json["state"]) == (201, "asked")
    assert call("CA").post(f"/mfa-resets/{made.json['id']}/approve").status_code == 403
    assert call("CT").post(path, WHY).status_code == 403


def test_hours_between_are_a_day_in_production_alone() -> None:
    assert config.from_environment({}).reset_wait_hours == 24
    assert config.from_environment({"FRESHTRAIL_MODE": "demo"}).reset_wait_hours == 0
    assert config.from_environment({"MFA_RESET_HOURS": "48"}).reset_wait_hours == 48


def test_the_code_of_a_removed_factor_opens_nothing(
    scene: Scene, second: Person, armed: str
) -> None:
    approved(second, asked(scene))
    code = pyotp.TOTP(armed).now()
    opened(scene["CT"].email, otp=code)  # no code is asked for, so none is looked at
    with pytest.raises((Conflict, Invalid, NotSignedIn)), db.transaction():
        second_factors.confirm_totp(scene["CT"].actor, code)
