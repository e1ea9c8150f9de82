"""What happens without a sign-in is found in the trail by who must watch it."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from api.core import mail
from tests.builders import PASSWORD, Scene
from tests.conftest import Caller

NEW = "another-snow-2027"


@pytest.fixture
def anon(app: Flask) -> Caller:
    """Nobody in particular."""
    return Caller(app.test_client(), None)


def found(officer: Any, action: str) -> list[dict[str, Any]]:
    """The events of an action, as somebody finds them."""
    answer = officer.get(f"/audit-events?action={action}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json["items"]
    return items


def test_a_refresh_token_that_came_twice(
    anon: Caller, scene: Scene, call: Callable[[str], Any]
) -> None:
    for name in ("CT", "PS"):
        asked = {"email": scene[name].email, "password": PASSWORD}
        body = {"refresh_token": anon.post("/auth/token", asked).json["refresh_token"]}
        answers = [anon.post("/auth/refresh", body).status_code for _ in range(3)]
        assert answers == [200, 401, 401]
    patient, clinician = found(call("PR"), "sign_in:reuse")
    assert clinician["actor"]["id"] == str(scene["CT"].user_id)
    assert (clinician["outcome"], clinician["role"]) == ("refused", "clinician")
    assert clinician["client_ip"] == "127.0.0.1" and clinician["request_id"]
    assert patient["actor"]["id"] == str(scene["PS"].user_id)
    assert found(call("CA"), "sign_in:reuse") == [clinician]


def test_a_new_password_and_an_invitation_that_was_taken_up(
    anon: Caller, scene: Scene, call: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens: list[str] = []
    monkeypatch.setattr(mail, "send", lambda _to, _kind, *token: tokens.extend(token))
    anon.post("/auth/password-reset", {"email": scene["CT"].email})
    done = anon.post("/auth/password-reset/confirm", {"token": tokens[-1], "password": NEW})
    assert done.status_code == 204
    [event] = found(call("PR"), "user:reset_password")
    assert (event["record_id"], event["type"]) == (str(scene["CT"].user_id), "user")
    assert event["request_id"] == done.headers["X-Request-ID"]

    whom = {"email": "joins@test.example", "role": "analyst", "display_name": "New One"}
    asked = call("CA").post("/invitations", whom)
    assert asked.status_code == 201, asked.text
    accept = {"token": asked.json["token"], "password": NEW}
    came = anon.post("/invitations/accept", accept)
    assert came.status_code == 201, came.text
    [event] = found(call("PR"), "user:accept_invitation")
    assert (event["record_id"], event["type"]) == (asked.json["id"], "invitation")
    assert event["actor"] == {"id": came.json["id"], "display_name": "New One"}
    assert event["role"] == "analyst" and event["request_id"] == came.headers["X-Request-ID"]
    assert found(call("CA"), "user:accept_invitation") == [event]
