"""Accounts and sign-ins: one password, one way in, and what ends it ends it at once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from argon2 import extract_parameters
from flask import Flask
from sqlalchemy import select

from api import clock, db
from api.access import guessable, hashing, users as people
from api.access.users import accounts as table, password_resets
from api.config import settings
from api.core import accounts, first_look, gate, mail, sign_ins as signing
from api.core.replay import digest
from api.errors import Invalid, Unavailable
from tests import builders
from tests.builders import PASSWORD, Scene
from tests.core.signing import ANOTHER, asking, in_two_clinics, opened, refuses
from tests.racing import at_once


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    """Every letter that is sent: to whom, of what kind, with which token."""
    sent: list[tuple[str, str, str]] = []
    monkeypatch.setattr(mail, "send", lambda *letter: sent.append(letter))
    return sent


def reset_token(letters: list[Any], email: str) -> str:
    """A token of a mail for a new password."""
    with db.transaction():
        accounts.ask_for_password_reset(email)
    return str(letters[-1][2])


# --- passwords


def test_passwords_are_hashed_as_the_owasp_sheet_says(app: Flask) -> None:
    made = extract_parameters(builders.password_hash())
    assert (made.type.name, made.memory_cost, made.time_cost, made.parallelism) == (
        "ID",
        47104,
        1,
        1,
    )
    assert extract_parameters(hashing._nobody()) == made


@pytest.mark.parametrize(
    "password",
    ["", "elevenchars", "x" * 129, "aaaaaaaaaaaa", "password1234", "123456789012"]
    + ["P@ssw0rd2026!", "qwertyuiop12", "passwordpassword", "Freshtrail2026", "1qaz2wsx3edc"],
)
def test_a_password_too_short_too_long_or_soon_guessed_is_refused(password: str) -> None:
    with pytest.raises(Invalid) as refusal:
        hashing.hash_password(password)
    assert refusal.value.errors[0][0] == "/password"
    assert password == "" or password not in str(refusal.value.errors)


@pytest.mark.parametrize("password", [PASSWORD, ANOTHER, "a quiet walk at dusk", "Zwölf Zeichen!"])
def test_a_password_of_twelve_characters_that_nobody_tries_first_will_do(password: str) -> None:
    assert not guessable.is_guessable(password)


def test_when_too_many_hash_at_once_one_is_told_to_come_back(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "MAX_WAIT_S", 0)
    with hashing._turn(), hashing._turn():
        for run in (lambda: hashing.is_password("x", None), lambda: hashing.hash_password(ANOTHER)):
            with pytest.raises(Unavailable):
                run()
    assert hashing.is_password(PASSWORD, builders.password_hash())


# --- a new password


def test_a_new_password_ends_every_sign_in_and_signs_nobody_in(
    scene: Scene, letters: list[Any]
) -> None:
    person = in_two_clinics(scene)
    here = opened(person.email, clinic_id=scene.clinic_id)
    there = opened(person.email, clinic_id=scene["XT"].clinic_id)
    token = reset_token(letters, person.email)
    with db.transaction():
        assert accounts.reset_password(token, ANOTHER) is None
    for each in (here, there):
        refuses(lambda each=each: signing.refresh(each["refresh_token"]))
    refuses(lambda: gate.identify(person.actor))
    refuses(lambda: signing.sign_in(person.email, PASSWORD, scene.clinic_id))
    assert opened(person.email, ANOTHER, clinic_id=scene.clinic_id)["user_id"] == person.user_id


def test_a_reset_token_is_good_once_and_closes_the_others(scene: Scene, letters: list[Any]) -> None:
    first, second = (reset_token(letters, scene["CT"].email) for _ in range(2))
    with db.transaction():
        accounts.reset_password(first, ANOTHER)
    for token in (first, second, "nobody has this"):
        told = refuses(lambda token=token: accounts.reset_password(token, PASSWORD), Invalid)
        assert [at for at, _ in told.errors] == ["/token"]
    assert opened(scene["CT"].email, ANOTHER)["user_id"] == scene["CT"].user_id


@pytest.mark.parametrize("form", ["{}", "{}7", "my {}!"])
def test_a_new_password_is_not_the_accounts_own_address(
    scene: Scene, letters: list[Any], form: str
) -> None:
    token = reset_token(letters, scene["CT"].email)
    password = form.format(scene["CT"].email.upper())
    told = refuses(lambda: accounts.reset_password(token, password), Invalid)
    assert [at for at, _ in told.errors] == ["/password"]
    with db.transaction():
        accounts.reset_password(token, ANOTHER)
    assert opened(scene["CT"].email, ANOTHER)["user_id"] == scene["CT"].user_id


@pytest.mark.parametrize(("minutes", "good"), [(29, True), (31, False)])
def test_a_reset_token_is_good_for_thirty_minutes(
    scene: Scene, letters: list[Any], minutes: int, good: bool
) -> None:
    token = reset_token(letters, scene["CT"].email)
    with time_machine.travel(clock.now() + timedelta(minutes=minutes)):
        if good:
            with db.transaction():
                accounts.reset_password(token, ANOTHER)
        else:
            refuses(lambda: accounts.reset_password(token, ANOTHER), Invalid)
    works = ANOTHER if good else PASSWORD
    assert opened(scene["CT"].email, works)["user_id"] == scene["CT"].user_id


def test_a_password_that_will_not_do_does_not_spend_the_token(
    scene: Scene, letters: list[Any]
) -> None:
    token = reset_token(letters, scene["CT"].email)
    refuses(lambda: accounts.reset_password(token, "password1234"), Invalid)
    with db.transaction():
        accounts.reset_password(token, ANOTHER)
    assert opened(scene["CT"].email, ANOTHER)["user_id"] == scene["CT"].user_id


def test_asking_for_a_new_password_does_the_same_work_for_an_address_without_account(
    scene: Scene, letters: list[Any]
) -> None:
    asked = []
    for email in (scene["CT"].email, "nobody@test.example"):
        with asking() as statements, db.transaction():
            accounts.ask_for_password_reset(email)
        asked.append(statements)
    assert asked[0] == asked[1]
    assert [to for to, _kind, _token in letters] == [scene["CT"].email]


def test_wishes_that_are_too_old_are_swept_away(scene: Scene, letters: list[Any]) -> None:
    token = reset_token(letters, scene["CT"].email)
    with time_machine.travel(clock.now() + timedelta(minutes=31)), db.transaction():
        accounts.ask_for_password_reset("nobody@test.example")
    mine = password_resets.c.token_hash == digest(token)
    assert db.store().row(select(password_resets).where(mine)) is None


def test_of_all_who_use_a_reset_token_at_once_one_wins(
    app: Flask, scene: Scene, letters: list[Any]
) -> None:
    token = reset_token(letters, scene["CT"].email)
    words = [f"a quiet walk number {i}" for i in range(4)]
    answers = at_once(app, [lambda w=w: accounts.reset_password(token, w) for w in words])
    assert [isinstance(answer, Invalid) for answer in answers].count(False) == 1
    won = words[answers.index(None)]
    assert opened(scene["CT"].email, won)["user_id"] == scene["CT"].user_id


# --- the demo, and what is kept


def test_demo_accounts_are_seen_while_somebody_could_sign_in_with_one(app: Flask) -> None:
    from api.access.users import clinics

    with db.transaction() as store:
        store.execute(clinics.update().values(is_demo=False))
        assert not first_look.demo_accounts_present(store)
        clinic_id = builders.make_clinic()
        assert not first_look.demo_accounts_present(store)
        builders.make_person(clinic_id)
        assert first_look.demo_accounts_present(store)
        store.rollback()


def test_addresses_are_not_stored_in_the_clear(scene: Scene) -> None:
    row = people.find_account(db.store(), scene["CT"].email)
    assert row is not None
    told = str(db.store().rows(select(table).where(table.c.id == row["id"])))
    assert scene["CT"].email not in told and PASSWORD not in told


def test_mail_in_production_leaves_no_token_in_a_file(
    app: Flask, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for mode, written in (("production", False), ("demo", True)):
        changed = replace(settings(), mode=mode, data=tmp_path)
        monkeypatch.setattr(mail, "settings", lambda changed=changed: changed)
        mail.send("nobody@test.example", "invitation", "a-token")
        assert (tmp_path / "mail.ndjson").exists() == written
