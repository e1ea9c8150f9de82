"""The second factor over HTTP: turned on, asked for, lost, and removed."""

from typing import Any

import pyotp
from flask import Flask

from tests.builders import PASSWORD, Scene
from tests.conftest import Caller
from tests.v1.conftest import is_problem


def test_a_code_is_asked_for_after_the_password_and_no_more_once_removed(
    app: Flask, call: Any, scene: Scene
) -> None:
    ct, anon = call("CT"), Caller(app.test_client(), None)
    made = ct.post("/me/mfa/totp")
    assert made.status_code == 200 and made.headers["Cache-Control"] == "no-store"
    totp = {"otp": pyotp.TOTP(made.json["secret"]).now()}
    codes = ct.post("/me/mfa/totp/verify", totp).json["recovery_codes"]
    assert len(codes) == 10 and is_problem(ct.post("/me/mfa/totp"), 409)

    pair = {"email": scene["CT"].email, "password": PASSWORD}
    asked = anon.post("/auth/token", pair)
    assert is_problem(asked, 401) and "access_token" not in asked.json
    assert asked.headers["WWW-Authenticate"] == 'Bearer error="mfa_required"'
    token = asked.json["mfa_token"]
    assert Caller(app.test_client(), token).get("/me").status_code == 401
    assert is_problem(anon.post("/auth/refresh", {"refresh_token": token}), 401)
    assert is_problem(anon.post("/auth/token", pair | totp), 401)
    came = anon.post("/auth/token", {"mfa_token": token, "otp": codes[0]})
    assert came.status_code == 200, came.text

    fresh = Caller(app.test_client(), came.json["access_token"])
    assert fresh.get("/me/mfa").json["recovery_codes_left"] == 9
    assert fresh.post("/auth/step-up", {"otp": codes[1]}).status_code == 200
    assert fresh("DELETE", "/me/mfa/totp").status_code == 204
    assert anon.post("/auth/token", pair).status_code == 200


def test_the_second_half_is_asked_for_in_one_form(app: Flask) -> None:
    anon = Caller(app.test_client(), None)
    for body in (
        {"mfa_token": "x"},
        {"otp": "123456"},
        {"mfa_token": "x", "otp": "123456", "email": "a@b.example"},
        {"mfa_token": "x", "otp": "1" * 21},
    ):
        assert is_problem(anon.post("/auth/token", body), 422), body
