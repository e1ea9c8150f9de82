"""The second factor: codes that are good once, and the way in without a telephone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, update

from api import db
from api.access.users import users
from api.core import half_sign_ins as halves, own_sign_ins, second_factors, sign_ins as signing
from api.errors import Conflict, Invalid, NotFound, NotSignedIn
from tests.builders import PASSWORD, Person, Scene, let_sign_in_age
from tests.core.signing import ANOTHER, opened, refuses
from tests.racing import at_once

RACERS, ROUNDS = 8, 3
NOON = datetime(2031, 3, 1, 12, 0, 5, tzinfo=UTC)


def code_at(secret: str, moment: datetime) -> str:
    """What the app shows then."""
    return pyotp.TOTP(secret).at(moment)


@pytest.fixture(autouse=True)
def noon() -> Any:
    """Time stands at noon, five seconds into a time step."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def ct(noon: Any, scene: Scene) -> Person:
    """CT, at noon."""
    return scene["CT"]


@pytest.fixture
def enrolled(ct: Person) -> Any:
    """CT's secret and recovery codes; the first code was that of the step before noon."""
    with db.transaction():
        secret = second_factors.make_totp(ct.actor)["secret"]
    with db.transaction():
        first = code_at(secret, NOON - timedelta(seconds=30))
        return secret, second_factors.confirm_totp(ct.actor, first)["recovery_codes"]


def asked(person: Person) -> str:
    """The token that a right password alone is answered with."""
    refusal = refuses(lambda: signing.sign_in(person.email, PASSWORD))
    assert refusal.error == "mfa_required"
    return str(refusal.extras["mfa_token"])


def finished(token: str, otp: str) -> db.Values:
    """The second half, kept."""
    with db.transaction():
        return signing.finish_sign_in(token, otp)


# --- turning it on and off


def test_it_counts_only_once_a_code_of_it_was_sent(ct: Person) -> None:
    with db.transaction():
        made = second_factors.make_totp(ct.actor)
    assert made["otpauth_uri"].startswith("otpauth://totp/Freshtrail:")
    assert opened(ct.email)["user_id"] == ct.user_id
    refuses(lambda: second_factors.confirm_totp(ct.actor, "abcdef"), Invalid)
    assert opened(ct.email)["user_id"] == ct.user_id


def test_the_secret_lies_sealed_and_no_recovery_code_lies_anywhere(enrolled: Any) -> None:
    secret, codes = enrolled
    with db.transaction() as store:
        rows = store.rows(select(second_factors.second_factors))
        kept = str(rows + store.rows(select(second_factors.recovery_codes)))
    assert secret not in kept
    assert not any(code.replace("-", "")[4:] in kept for code in codes)


def test_a_second_one_waits_until_the_first_is_removed(ct: Person, enrolled: Any) -> None:
    refuses(lambda: second_factors.make_totp(ct.actor), Conflict)
    with db.transaction():
        second_factors.remove_totp(ct.actor)
    assert opened(ct.email)["user_id"] == ct.user_id
    refuses(lambda: second_factors.remove_totp(ct.actor), NotFound)
    refuses(lambda: second_factors.renew_recovery_codes(ct.actor), Conflict)


@pytest.mark.parametrize("act", ["make_totp", "renew_recovery_codes", "remove_totp"])
def test_it_is_changed_by_whoever_has_just_proved_who_they_are(ct: Person, act: str) -> None:
    with db.transaction():
        let_sign_in_age(ct)
    refusal = refuses(lambda: getattr(second_factors, act)(ct.actor))
    assert refusal.error == "insufficient_user_authentication"


# --- signing in


def test_the_right_password_alone_is_asked_for_a_code_and_a_wrong_one_is_not(
    ct: Person, enrolled: Any
) -> None:
    assert asked(ct)
    assert refuses(lambda: signing.sign_in(ct.email, ANOTHER)).extras == {}


def test_a_code_lets_in_with_the_password_and_with_the_token(ct: Person, enrolled: Any) -> None:
    secret, _ = enrolled
    assert opened(ct.email, otp=code_at(secret, NOON))["user_id"] == ct.user_id
    later = code_at(secret, NOON + timedelta(seconds=30))
    assert finished(asked(ct), later)["user_id"] == ct.user_id


def test_a_code_is_good_once_and_one_of_an_earlier_step_no_more(ct: Person, enrolled: Any) -> None:
    secret, _ = enrolled
    good = code_at(secret, NOON)
    opened(ct.email, otp=good)
    for stale in (good, code_at(secret, NOON - timedelta(seconds=30))):
        assert (
            refuses(lambda stale=stale: signing.sign_in(ct.email, PASSWORD, otp=stale)).kind
            == "not_signed_in"
        )


@pytest.mark.parametrize("steps", [-2, 2, 3])
def test_a_code_further_than_a_step_away_is_not_taken(
    ct: Person, enrolled: Any, steps: int
) -> None:
    far = code_at(enrolled[0], NOON + timedelta(seconds=30 * steps))
    assert refuses(lambda: signing.sign_in(ct.email, PASSWORD, otp=far)).kind == "not_signed_in"


@pytest.mark.parametrize("odd", ["", "٣٤٥٦٧٨", "12345", "1234567", "-" * 20, "A" * 16, "é"])
def test_what_is_no_code_is_a_wrong_one(ct: Person, enrolled: Any, odd: str) -> None:
    assert refuses(lambda: signing.sign_in(ct.email, PASSWORD, otp=odd)).kind == "not_signed_in"


def test_a_token_is_good_once_for_five_minutes_and_five_tries(
    ct: Person, enrolled: Any, noon: Any
) -> None:
    codes, tried = enrolled[1], asked(ct)
    for _ in range(5):
        assert refuses(lambda: signing.finish_sign_in(tried, "000000x")).kind == "not_signed_in"
    assert refuses(lambda: signing.finish_sign_in(tried, codes[0])).kind == "not_signed_in"
    used = asked(ct)
    assert finished(used, codes[0])["user_id"] == ct.user_id
    assert refuses(lambda: signing.finish_sign_in(used, codes[1])).kind == "not_signed_in"
    old = asked(ct)
    noon.move_to(NOON + halves.HALF_LASTS)
    assert refuses(lambda: signing.finish_sign_in(old, codes[1])).kind == "not_signed_in"
    assert refuses(lambda: signing.finish_sign_in("never given", codes[1])).kind == "not_signed_in"


@pytest.mark.parametrize(
    "change", [{"disabled_at": NOON}, {"deleted_at": NOON}, {"security_version": 9}]
)
def test_whoever_is_gone_or_was_reset_meanwhile_does_not_get_in(
    ct: Person, enrolled: Any, change: Any
) -> None:
    token = asked(ct)
    with db.transaction() as store:
        store.execute(update(users).where(users.c.id == ct.user_id).values(**change))
    assert refuses(lambda: signing.finish_sign_in(token, enrolled[1][0])).kind == "not_signed_in"


def test_a_recovery_code_stands_in_once_in_any_spelling(ct: Person, enrolled: Any) -> None:
    first, second, *_ = enrolled[1]
    assert opened(ct.email, otp=first)["user_id"] == ct.user_id
    refuses(lambda: signing.sign_in(ct.email, PASSWORD, otp=first))
    assert opened(ct.email, otp=second.lower().replace("-", " "))["user_id"] == ct.user_id
    with db.transaction():
        assert second_factors.read_second_factor(ct.actor)["recovery_codes_left"] == 8


def test_new_recovery_codes_end_the_old_and_nobody_elses_are_good(
    scene: Scene, ct: Person, enrolled: Any
) -> None:
    with db.transaction():
        fresh = second_factors.renew_recovery_codes(ct.actor)["recovery_codes"]
    assert len(set(fresh)) == 10 and not set(fresh) & set(enrolled[1])
    refuses(lambda: signing.sign_in(ct.email, PASSWORD, otp=enrolled[1][0]))
    with db.transaction():
        secret = second_factors.make_totp(scene["CN"].actor)["secret"]
    with db.transaction():
        second_factors.confirm_totp(scene["CN"].actor, code_at(secret, NOON))
    refuses(lambda: signing.sign_in(scene["CN"].email, PASSWORD, otp=fresh[0]))
    assert opened(ct.email, otp=fresh[0])["user_id"] == ct.user_id


def test_a_step_up_takes_a_code_and_needs_all_that_was_sent_right(
    ct: Person, enrolled: Any
) -> None:
    secret, codes = enrolled
    for wrong in ((None, "000000x"), (ANOTHER, code_at(secret, NOON)), (PASSWORD, "000000x")):
        assert (
            refuses(lambda wrong=wrong: own_sign_ins.step_up(ct.actor, *wrong)).kind
            == "not_signed_in"
        )
    with db.transaction():
        own_sign_ins.step_up(ct.actor, None, code_at(secret, NOON))
    with db.transaction():
        own_sign_ins.step_up(ct.actor, PASSWORD, codes[0])


# --- many at once


def winners(answers: list[Any]) -> int:
    """How many were let in; the others met the refusal of a wrong code."""
    assert all(isinstance(each, dict | NotSignedIn) for each in answers)
    return sum(isinstance(each, dict) for each in answers)


@pytest.mark.parametrize("kind", ["totp", "recovery"])
def test_of_many_with_one_code_one_gets_in(
    app: Flask, ct: Person, enrolled: Any, noon: Any, kind: str
) -> None:
    secret, codes = enrolled
    for turn in range(ROUNDS):
        moment = NOON + timedelta(minutes=turn)
        noon.move_to(moment)
        otp = codes[turn] if kind == "recovery" else code_at(secret, moment)
        tokens = [asked(ct) for _ in range(RACERS)]
        runs = [lambda t=token, c=otp: signing.finish_sign_in(t, c) for token in tokens]
        assert winners(at_once(app, runs)) == 1


def test_of_many_with_one_token_one_gets_in(app: Flask, ct: Person, enrolled: Any) -> None:
    token = asked(ct)
    runs = [lambda c=code: signing.finish_sign_in(token, c) for code in enrolled[1][:5]]
    assert winners(at_once(app, runs)) == 1
