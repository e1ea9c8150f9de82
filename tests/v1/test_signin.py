"""Signing in over HTTP: tokens, their successors, and what a guess is told."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import time_machine
from flask import Flask

from api import clock, db
from api.access import users as people
from api.access.policies import Role
from api.config import settings
from api.core import mail, throttle
from tests.builders import PASSWORD, Scene, let_sign_in_age
from tests.conftest import Caller
from tests.v1.conftest import is_problem

ANOTHER = "another-snow-2027"


@pytest.fixture
def anon(app: Flask) -> Caller:
    """Nobody in particular."""
    return Caller(app.test_client(), None)


def tokens_of(anon: Caller, email: str, **more: Any) -> Any:
    """The tokens of a sign-in."""
    answer = anon.post("/auth/token", {"email": email, "password": PASSWORD, **more})
    assert answer.status_code == 200, answer.text
    return answer.json


def told(answer: Any) -> tuple[Any, ...]:
    """All that an answer tells, but for what is drawn anew each time."""
    same = {k: v for k, v in answer.json.items() if k not in ("instance", "request_id")}
    headers = {k: v for k, v in answer.headers.items() if k not in ("X-Request-ID", "Date")}
    return answer.status_code, same, {**headers, "Content-Length": ""}


def test_a_sign_in_answers_a_bearer_and_a_refresh_token(app: Flask, anon: Caller, scene: Scene):
    got = tokens_of(anon, scene["CT"].email)
    assert set(got) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (got["token_type"], got["expires_in"]) == ("Bearer", 600)
    me = Caller(app.test_client(), got["access_token"]).get("/me").json
    assert me["user_id"] == str(scene["CT"].user_id)


def test_a_guess_is_told_the_same_whether_or_not_the_address_has_an_account(
    anon: Caller, scene: Scene
):
    pairs = [
        (scene["CT"].email, ANOTHER),
        ("nobody@test.example", PASSWORD),
        ("not an address", "x"),
        (scene["CT"].email, "x" * 1000),
    ]
    answers = [anon.post("/auth/token", {"email": e, "password": p}) for e, p in pairs]
    assert all(is_problem(answer, 401) for answer in answers)
    assert answers[0].headers["WWW-Authenticate"] == "Bearer"
    assert all(told(answer) == told(answers[0]) for answer in answers)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "a@b.example"},
        {"email": "a@b.example", "password": ""},
        {"email": "a@b.example", "password": "x" * 1025},
        {"email": "a@b.example", "password": "ü" * 600},
        {"email": "a@b.example", "password": "x\x00"},
        {"email": "x" * 255, "password": "x"},
        {"email": 1, "password": "x"},
        {"email": "a@b.example", "password": "x", "clinic_id": "1"},
        {"email": "a@b.example", "password": "x", "role": "administrator"},
    ],
)
def test_a_wrong_form_is_refused_before_anything_is_hashed(
    anon: Caller, body: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("api.core.sign_ins.is_password", lambda *_: 1 / 0)
    assert is_problem(anon.post("/auth/token", body), 422)


def test_who_has_several_clinics_is_asked_which(anon: Caller, scene: Scene):
    with db.transaction() as store:
        account = people.find_account(store, scene["CT"].email)
        elsewhere = scene["XT"].clinic_id
        people.make_user(store, elsewhere, account["id"], Role.ANALYST, display_name="There")
    body = {"email": scene["CT"].email, "password": ANOTHER}
    assert "memberships" not in anon.post("/auth/token", body).json
    answer = anon.post("/auth/token", body | {"password": PASSWORD})
    assert is_problem(answer, 409)
    listed = {each["clinic_id"]: each for each in answer.json["memberships"]}
    assert listed[str(elsewhere)] == {
        "clinic_id": str(elsewhere),
        "name": "Other Clinic",
        "kind": "analyst",
    }
    assert "access_token" in tokens_of(anon, scene["CT"].email, clinic_id=str(elsewhere))


def test_a_refresh_gets_the_next_pair_and_a_lost_answer_again(anon: Caller, scene: Scene):
    first = tokens_of(anon, scene["CT"].email)["refresh_token"]
    key = {"Idempotency-Key": "lost"}
    second = anon.post("/auth/refresh", {"refresh_token": first}, **key)
    again = anon.post("/auth/refresh", {"refresh_token": first}, **key)
    assert second.status_code == again.status_code == 200
    assert second.json["refresh_token"] == again.json["refresh_token"] != first
    assert "Idempotent-Replayed" not in second.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    third = {"refresh_token": second.json["refresh_token"]}
    assert is_problem(anon.post("/auth/refresh", third, **key), 422)
    assert anon.post("/auth/refresh", third).status_code == 200


def test_a_reused_refresh_token_ends_the_sign_in_at_once(app: Flask, anon: Caller, scene: Scene):
    got = tokens_of(anon, scene["CT"].email)
    body = {"refresh_token": got["refresh_token"]}
    fresh = anon.post("/auth/refresh", body).json
    mine = Caller(app.test_client(), fresh["access_token"])
    assert mine.get("/patients").status_code == 200
    assert is_problem(anon.post("/auth/refresh", body), 401)
    assert is_problem(anon.post("/auth/refresh", {"refresh_token": fresh["refresh_token"]}), 401)
    assert is_problem(mine.get("/patients"), 401)


def test_signing_out_ends_the_sign_in_at_once_and_tells_nothing(
    app: Flask, anon: Caller, scene: Scene
):
    got = tokens_of(anon, scene["CT"].email)
    mine = Caller(app.test_client(), got["access_token"])
    for token in (got["refresh_token"], got["refresh_token"], "nobody has this"):
        answer = anon.post("/auth/revoke", {"refresh_token": token})
        assert (answer.status_code, answer.data) == (204, b"")
    assert is_problem(mine.get("/me"), 401)


def test_ending_one_sign_in_leaves_the_other(app: Flask, anon: Caller, scene: Scene):
    here, there = (tokens_of(anon, scene["CT"].email) for _ in range(2))
    mine = Caller(app.test_client(), here["access_token"])
    rows = mine.get("/me/sign-ins").json["items"]
    assert [row["current"] for row in rows].count(True) == 1
    newest = rows[0]
    assert not newest["current"]
    assert mine("DELETE", f"/me/sign-ins/{newest['id']}").status_code == 204
    assert is_problem(Caller(app.test_client(), there["access_token"]).get("/me"), 401)
    assert mine.get("/me").status_code == 200
    assert is_problem(mine("DELETE", f"/me/sign-ins/{newest['id']}"), 404)


def test_stepping_up_answers_a_token_of_the_same_sign_in(call: Any, app: Flask, scene: Scene):
    ca = call("CA")
    with db.transaction():
        let_sign_in_age(scene["CA"])
    asked = ca.patch("/clinic", {"name": "New"}, 1)
    assert is_problem(asked, 401)
    challenge = asked.headers["WWW-Authenticate"]
    assert challenge == 'Bearer error="insufficient_user_authentication", max_age="300"'
    for body in ({"password": ANOTHER}, {"otp": "123456"}):
        wrong = ca.post("/auth/step-up", body)
        assert is_problem(wrong, 401)
        assert "insufficient_user_authentication" in wrong.headers["WWW-Authenticate"]
    assert is_problem(ca.post("/auth/step-up", {}), 422)
    answer = ca.post("/auth/step-up", {"password": PASSWORD})
    assert set(answer.json) == {"access_token", "token_type", "expires_in"}
    fresh = Caller(app.test_client(), answer.json["access_token"])
    assert fresh.get("/me").json["sign_in"]["id"] == str(scene["CA"].sign_in_id)
    assert fresh.patch("/clinic", {"name": "New"}, 1).status_code == 200


def test_a_new_password_is_had_by_mail_and_ends_every_sign_in(
    app: Flask, anon: Caller, scene: Scene, monkeypatch: pytest.MonkeyPatch
):
    letters: list[Any] = []
    monkeypatch.setattr(mail, "send", lambda *letter: letters.append(letter))
    got = tokens_of(anon, scene["CT"].email)
    letters.clear()
    emails = (scene["CT"].email, "nobody@test.example")
    asked = [anon.post("/auth/password-reset", {"email": email}) for email in emails]
    assert asked[0].status_code == 202 and told(asked[0]) == told(asked[1])
    ((to, kind, token),) = letters
    assert (to, kind) == (scene["CT"].email, "password_reset")
    body = {"token": token, "password": "too short"}
    assert is_problem(anon.post("/auth/password-reset/confirm", body), 422)
    body["password"] = "password1234"
    assert is_problem(anon.post("/auth/password-reset/confirm", body), 422)
    body["password"] = ANOTHER
    assert anon.post("/auth/password-reset/confirm", body).status_code == 204
    assert is_problem(anon.post("/auth/password-reset/confirm", body), 422)
    assert is_problem(Caller(app.test_client(), got["access_token"]).get("/me"), 401)
    old = {"email": scene["CT"].email, "password": PASSWORD}
    assert is_problem(anon.post("/auth/token", old), 401)
    assert anon.post("/auth/token", old | {"password": ANOTHER}).status_code == 200


def test_nothing_of_signing_in_may_be_kept(anon: Caller, scene: Scene):
    body = {"email": scene["CT"].email, "password": PASSWORD}
    answer = anon.post("/auth/token", body)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers


# --- a wait for those who try often


@pytest.fixture
def two_at_once(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two tries that are free for an account from one address, counted anew, at one moment."""
    changed = replace(settings(), rate_sign_in=2)
    monkeypatch.setattr(throttle, "settings", lambda: changed)
    with db.transaction() as store:
        store.execute(throttle.throttles.delete())
    with time_machine.travel(clock.now(), tick=False):
        yield


def guess(app: Flask, email: str, address: str = "192.0.2.1", path: str = "token") -> Any:
    """One wrong try from an address."""
    body = {"email": email} | ({"password": "x"} if path == "token" else {})
    return app.test_client().post(
        f"/api/v1/auth/{path}", json=body, environ_overrides={"REMOTE_ADDR": address}
    )


@pytest.mark.parametrize("email", ["known", "nobody@test.example"])
def test_who_tries_too_often_waits(app: Flask, scene: Scene, two_at_once: None, email: str) -> None:
    email = scene["CT"].email if email == "known" else email
    assert [guess(app, email).status_code for _ in range(2)] == [401, 401]
    answer = guess(app, email)
    assert is_problem(answer, 429) and 1 <= int(answer.headers["Retry-After"]) <= 60
    assert [guess(app, email, path="password-reset").status_code for _ in range(3)] == [
        202,
        202,
        429,
    ]
    assert guess(app, email, "192.0.2.2").status_code == 401


def test_another_spelling_of_the_address_is_no_way_round(
    app: Flask, scene: Scene, two_at_once: None
) -> None:
    spellings = [
        "ann@test.example",
        "ANN@test.example",
        " ann@test.example",
        "\uff41nn@test.example",
    ]
    assert [guess(app, each).status_code for each in spellings] == [401, 401, 429, 429]


def test_many_addresses_are_no_way_round(app: Flask, two_at_once: None) -> None:
    email = "ann@test.example"
    tried = [guess(app, email, f"192.0.2.{i}").status_code for i in range(8)]
    assert tried == [401] * 6 + [429] * 2


def test_one_guess_at_each_of_many_accounts_is_no_way_round(
    app: Flask, two_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.core.sign_ins.is_password", lambda *_: False)
    tried = [guess(app, f"{i}@test.example").status_code for i in range(22)]
    assert tried == [401] * 20 + [429] * 2
