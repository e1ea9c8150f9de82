"""Staff who must have a second factor set it up first; and hashes that keep up with the time."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyotp
import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import select

from api import config, db
from api.access import hashing, users as people
from api.access.users import accounts
from api.core import second_step, throttle
from api.core.second_factors import recovery_codes, second_factors
from tests.builders import PASSWORD, Scene
from tests.core.signing import asking, opened

WRONG = "000000"


@pytest.fixture
def required(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second factor is asked of all staff."""
    changed = replace(config.settings(), require_totp="on")
    monkeypatch.setattr(second_step, "settings", lambda: changed)


@pytest.fixture
def ask(app: Flask) -> Callable[..., Any]:
    """A POST of nobody in particular."""
    return lambda path, **body: app.test_client().post(f"/api/v1/auth/{path}", json=body)


def half(ask: Any, scene: Scene, name: str = "CT") -> str:
    """What one who must enrol is answered with."""
    answer = ask("token", email=scene[name].email, password=PASSWORD)
    assert is_problem(answer, 401), answer.text
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="mfa_enrolment_required"'
    assert "access_token" not in answer.json
    return str(answer.json["mfa_token"])


def is_problem(answer: Any, status: int) -> bool:
    """Whether it is a refusal of this status."""
    return bool(answer.status_code == status and answer.content_type == "application/problem+json")


@pytest.mark.parametrize("name", ["CT", "CA", "PR", "AY"])
def test_staff_without_a_second_factor_come_in_by_setting_one_up(
    app: Flask, ask: Any, scene: Scene, required: None, name: str
) -> None:
    token = half(ask, scene, name)
    secret = ask("second-factor", mfa_token=token)
    assert secret.status_code == 200, secret.text
    assert secret.headers["Cache-Control"] == "no-store"
    code = pyotp.TOTP(secret.json["secret"]).now()
    answer = ask("second-factor/verify", mfa_token=token, otp=code)
    assert answer.status_code == 200, answer.text
    assert len(answer.json["recovery_codes"]) == 10
    headers = {"Authorization": f"Bearer {answer.json['access_token']}"}
    assert app.test_client().get("/api/v1/me", headers=headers).status_code == 200
    again = ask("token", email=scene[name].email, password=PASSWORD)
    assert is_problem(again, 401) and "mfa_required" in again.headers["WWW-Authenticate"]
    recovered = ask(
        "token",
        email=scene[name].email,
        password=PASSWORD,
        otp=answer.json["recovery_codes"][0],
    )
    assert recovered.status_code == 200
    assert is_problem(ask("second-factor/verify", mfa_token=token, otp=code), 401)


def test_patients_are_asked_for_none(ask: Any, scene: Scene, required: None) -> None:
    assert ask("token", email=scene["PS"].email, password=PASSWORD).status_code == 200


def test_a_wrong_password_is_told_nothing_of_it(ask: Any, scene: Scene, required: None) -> None:
    known = ask("token", email=scene["CT"].email, password="another-snow-2027")
    unknown = ask("token", email="nobody@test.example", password="another-snow-2027")
    same = ("type", "title", "status", "detail")
    assert [known.json[n] for n in same] == [unknown.json[n] for n in same]


def test_what_one_holds_meanwhile_opens_nothing_else(
    app: Flask, ask: Any, scene: Scene, required: None
) -> None:
    token = half(ask, scene)
    for path in ("/me", "/patients", f"/patients/{scene.patient['id']}"):
        headers = {"Authorization": f"Bearer {token}"}
        assert app.test_client().get(f"/api/v1{path}", headers=headers).status_code == 401
    assert is_problem(ask("refresh", refresh_token=token), 401)
    assert is_problem(ask("token", mfa_token=token, otp="123456"), 401)
    assert is_problem(ask("password-reset/confirm", token=token, password="first-pine-31"), 422)


def test_a_wrong_first_code_turns_nothing_on_and_five_use_the_token_up(
    ask: Any, scene: Scene, required: None
) -> None:
    token = half(ask, scene)
    secret = ask("second-factor", mfa_token=token).json["secret"]
    wrong = [ask("second-factor/verify", mfa_token=token, otp=WRONG) for _ in range(4)]
    assert all(is_problem(answer, 401) for answer in wrong)
    good = pyotp.TOTP(secret).now()
    assert is_problem(ask("second-factor/verify", mfa_token=token, otp=good), 401)
    with db.transaction() as store:
        on = select(second_factors).where(second_factors.c.confirmed_at.is_not(None))
        mine = on.join(accounts, accounts.c.id == second_factors.c.account_id).where(
            accounts.c.email_blind == people.blind_email(scene["CT"].email)
        )
        assert store.row(mine) is None


def test_a_token_that_asks_for_a_code_does_not_set_a_new_factor_up(
    ask: Any, scene: Scene, required: None
) -> None:
    first = half(ask, scene)
    secret = ask("second-factor", mfa_token=first).json["secret"]
    code = pyotp.TOTP(secret).now()
    assert ask("second-factor/verify", mfa_token=first, otp=code).status_code == 200
    second = ask("token", email=scene["CT"].email, password=PASSWORD).json["mfa_token"]
    assert is_problem(ask("second-factor", mfa_token=second), 401)
    assert is_problem(ask("second-factor/verify", mfa_token=second, otp=code), 401)
    with db.transaction() as store:
        codes = select(recovery_codes.c.id).join(
            accounts, accounts.c.id == recovery_codes.c.account_id
        )
        mine = codes.where(accounts.c.email_blind == people.blind_email(scene["CT"].email))
        assert len(store.rows(mine)) == 10


def test_codes_of_enrolment_and_sign_in_are_counted_for_the_account(
    ask: Any, scene: Scene, required: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = replace(config.settings(), rate_sign_in=3)
    monkeypatch.setattr(throttle, "settings", lambda: changed)
    seen = []
    for _ in range(2):
        token = half(ask, scene)
        ask("second-factor", mfa_token=token)
        seen += [
            ask("second-factor/verify", mfa_token=token, otp=WRONG).status_code for _ in range(2)
        ]
    assert seen == [401, 401, 401, 429]


@pytest.mark.parametrize(
    ("given", "required"),
    [
        ({}, True),
        ({"FRESHTRAIL_MODE": "demo"}, False),
        ({"FRESHTRAIL_MODE": "test"}, False),
        ({"FRESHTRAIL_MODE": "demo", "REQUIRE_TOTP": "on"}, True),
        ({"REQUIRE_TOTP": "off"}, False),
    ],
)
def test_production_asks_for_it_unless_told_otherwise(
    given: dict[str, str], required: bool
) -> None:
    assert config.from_environment(given).totp_required is required


# --- hashes


def old_hash() -> str:
    """A hash as an older server made it."""
    return PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)


def with_hash(scene: Scene, hashed: str) -> None:
    """Let CT's account have this hash."""
    with db.transaction() as store:
        mine = accounts.c.email_blind == people.blind_email(scene["CT"].email)
        store.execute(accounts.update().where(mine).values(password_hash=hashed))


def hash_of(scene: Scene) -> str:
    """The hash of CT's account."""
    with db.transaction() as store:
        account = people.find_account(store, scene["CT"].email)
    assert account is not None
    return str(account["password_hash"])


def test_a_hash_made_with_less_work_is_made_anew_when_its_owner_comes(scene: Scene) -> None:
    with_hash(scene, old_hash())
    opened(scene["CT"].email)
    stronger = hash_of(scene)
    assert "m=47104,t=1,p=1" in stronger
    opened(scene["CT"].email)
    assert hash_of(scene) == stronger


def test_a_wrong_password_changes_no_hash(scene: Scene) -> None:
    weak = old_hash()
    with_hash(scene, weak)
    with pytest.raises(Exception, match="not right"):
        opened(scene["CT"].email, "another-snow-2027")
    assert hash_of(scene) == weak


def test_a_hash_that_is_as_strong_as_can_be_costs_nothing_more(scene: Scene) -> None:
    with asking() as statements:
        opened(scene["CT"].email)
    assert not any("UPDATE accounts" in one for one in statements)


def test_a_password_that_was_changed_meanwhile_stays_changed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    from api.core import passwords

    with_hash(scene, old_hash())
    newer = hashing.hash_password("first-pine-31")
    real = hashing.hash_again

    def changed_meanwhile(password: str) -> str:
        with_hash(scene, newer)
        return real(password)

    monkeypatch.setattr(passwords, "hash_again", changed_meanwhile)
    opened(scene["CT"].email)
    assert hash_of(scene) == newer
