"""Idle sign-ins: they end by themselves, unless somebody does something with them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from api import clock, db
from api.access import tokens
from api.access.users import sign_ins
from api.config import from_environment
from api.core.treatment.sessions import sessions
from api.errors import Unsafe
from tests import builders
from tests.builders import PASSWORD, Scene
from tests.conftest import Caller
from tests.core.signing import asking, opened

STAFF, PATIENT = 15, 30


def come_in(app: Flask, scene: Scene, name: str) -> dict[str, Any]:
    """What one who has just signed in holds, and who they are."""
    who = {"email": scene[name].email, "password": PASSWORD}
    got: dict[str, Any] = app.test_client().post("/api/v1/auth/token", json=who).json
    said = jwt.decode(got["access_token"], options={"verify_signature": False})
    return got | {"ids": [UUID(said[claim]) for claim in ("sid", "sub", "clinic")]}


def later(minutes: float) -> Any:
    """The same world, some minutes on."""
    return time_machine.travel(clock.now() + timedelta(minutes=minutes), tick=False)


def of(app: Flask, got: dict[str, Any]) -> Caller:
    """Who holds the sign-in, with an access token of this minute."""
    return Caller(app.test_client(), tokens.issue(*got["ids"]))


def is_in(app: Flask, got: dict[str, Any], path: str = "/me", **headers: str) -> bool:
    """Whether the sign-in stands."""
    answer = of(app, got).get(path, **headers)
    assert answer.status_code in (200, 401, 422), answer.text
    return bool(answer.status_code != 401)


@pytest.mark.parametrize(("name", "minutes"), [("CT", STAFF), ("CA", STAFF), ("PS", PATIENT)])
def test_a_sign_in_with_which_nothing_is_done_ends(
    app: Flask, scene: Scene, name: str, minutes: int
) -> None:
    got = come_in(app, scene, name)
    with later(minutes - 0.1):
        assert is_in(app, got, **{"X-Background": "1"})
    with later(minutes + 0.1):
        assert not is_in(app, got)
        assert not is_in(app, got, "/patients" if name != "PS" else "/me")
        refresh = {"refresh_token": got["refresh_token"]}
        assert app.test_client().post("/api/v1/auth/refresh", json=refresh).status_code == 401


def test_what_is_done_keeps_it_awake_and_what_runs_in_the_background_does_not(
    app: Flask, scene: Scene
) -> None:
    got = come_in(app, scene, "CT")
    with later(10):
        assert is_in(app, got, "/patients")
    with later(24):
        assert is_in(app, got, "/patients", **{"X-Background": "1"})
    with later(26):
        assert not is_in(app, got)


def test_a_hot_read_after_the_idle_time_is_refused_on_its_own(app: Flask, scene: Scene) -> None:
    got = come_in(app, scene, "CT")
    with later(STAFF + 1):
        assert not is_in(app, got, f"/patients/{scene.patient['id']}")


@pytest.mark.parametrize("header", ["1", "", "false", "0"])
def test_no_header_and_no_query_passes_over_the_check(
    app: Flask, scene: Scene, header: str
) -> None:
    got = come_in(app, scene, "CT")
    with later(STAFF + 1):
        assert not is_in(app, got, **{"X-Background": header})
        assert not is_in(app, got, "/me?skip_timeout_reset=1")
        assert not is_in(app, got)


def test_a_refresh_keeps_it_awake_unless_it_runs_in_the_background(
    app: Flask, scene: Scene
) -> None:
    for background, stands in ((False, True), (True, False)):
        got = come_in(app, scene, "CT")
        sent = {"X-Background": "1"} if background else {}
        with later(10):
            body = {"refresh_token": got["refresh_token"]}
            answer = app.test_client().post("/api/v1/auth/refresh", json=body, headers=sent)
            assert answer.status_code == 200
        with later(20):
            assert is_in(app, got) == stands


def test_who_has_a_dosing_session_in_progress_may_be_idle_for_an_hour(
    app: Flask, scene: Scene
) -> None:
    got = come_in(app, scene, "CT")
    other = come_in(app, scene, "CN")
    with db.transaction() as store:
        booked = builders.make_session(scene.patient, scene["CT"], kind="dosing")
        store.change(sessions, booked, {"state": "in_progress"})
    with later(59):
        assert is_in(app, got, "/patients", **{"X-Background": "1"})
        assert not is_in(app, other)
    with later(61):
        assert not is_in(app, got)
    with db.transaction() as store:
        row = store.row(select(sessions).where(sessions.c.id == booked["id"]))
        store.change(sessions, row, {"state": "completed"})
    with later(STAFF + 1):
        assert not is_in(app, got)


def test_a_dosing_session_of_others_keeps_nobody_signed_in(app: Flask, scene: Scene) -> None:
    got = come_in(app, scene, "CN")
    with db.transaction() as store:
        booked = builders.make_session(scene.patient, scene["CT"], kind="dosing")
        store.change(sessions, booked, {"state": "in_progress"})
    come_in(app, scene, "CT")
    with later(STAFF + 1):
        body = {"refresh_token": got["refresh_token"]}
        assert app.test_client().post("/api/v1/auth/refresh", json=body).status_code == 401
        assert not is_in(app, got)


def test_activity_does_not_move_the_absolute_end(app: Flask, scene: Scene) -> None:
    got = come_in(app, scene, "PS")
    for minutes in range(25, 12 * 60, 25):
        with later(minutes):
            assert is_in(app, got)
    with later(12 * 60 + 0.1):
        assert not is_in(app, got)


def test_a_deed_is_written_once_a_minute_and_costs_nothing_in_between(
    app: Flask, scene: Scene
) -> None:
    got = come_in(app, scene, "CT")
    told: list[int] = []
    for seconds in (30, 61, 62, 130):
        with later(seconds / 60), asking() as statements:
            assert of(app, got).get("/patients").status_code == 200
        told.append(sum(one.lstrip().startswith("UPDATE sign_ins") for one in statements))
    assert told == [0, 1, 0, 1]


def test_an_idle_sign_in_leaves_the_list(app: Flask, scene: Scene) -> None:
    got = come_in(app, scene, "CT")
    idle = opened(scene["CT"].email)["sign_in_id"]
    with later(10):
        assert str(idle) in of(app, got).get("/me/sign-ins").text
    with later(20):
        assert str(idle) not in of(app, got).get("/me/sign-ins").text


def test_a_sign_in_that_an_older_server_opened_stands_until_its_end(
    app: Flask, scene: Scene
) -> None:
    got = come_in(app, scene, "CT")
    with db.transaction() as store:
        store.execute(
            sign_ins.update()
            .where(sign_ins.c.user_id == scene["CT"].user_id)
            .values(awake_until=None)
        )
    with later(60):
        assert is_in(app, got)


@pytest.mark.parametrize(
    "given",
    [
        {"IDLE_MINUTES_STAFF": "31"},
        {"IDLE_MINUTES_PATIENT": "0"},
        {"SIGN_IN_HOURS": "25"},
        {"SIGN_IN_HOURS": "0"},
    ],
)
def test_the_limits_are_shortened_and_never_lengthened(given: dict[str, str]) -> None:
    with pytest.raises(Unsafe):
        from_environment(given)
