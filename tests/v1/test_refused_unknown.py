"""Who is turned away at a door before it is known who they are is counted, and told nothing."""

import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from http.client import HTTPConnection
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from prometheus_client import REGISTRY
from sqlalchemy import func, select

from api import clock, db
from api.audit.trail import audit_events
from api.core import refusals, second_factors, throttle
from api.core.refusals import Tally
from tests import faults, fuzz
from tests.builders import PASSWORD, Scene
from tests.conftest import Caller
from tests.test_figures import build_counting

HOUSE = Path(__file__).parents[2]
SERVE = [sys.executable, "-m", "flask", "--app", "wsgi", "serve"]
WRONG = "not-the-password-1"
CLIENT = {
    "grant_type": "client_credentials",
    "scope": "system/*.rs",
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "client_assertion": "a.b.c",
}


@pytest.fixture
def tally(monkeypatch: pytest.MonkeyPatch) -> Tally:
    minute = clock.now()
    made = Tally(lambda: minute)
    monkeypatch.setattr(refusals, "tally", made)
    return made


def counted(tally: Tally) -> dict[tuple[str, str], int]:
    """What was counted since the last look, by door and kind; all of it from one address."""
    found = Counter[tuple[str, str]]()
    for group, times in tally.take(to_the_last=True).items():
        assert group.address == "127.0.0.1"
        found[group.door, group.kind] += times
    return dict(found)


def sign_in(call: Any, email: str, password: str = PASSWORD) -> Any:
    return call(None).post("/auth/token", {"email": email, "password": password})


def events() -> int:
    with db.within(finding=True), db.transaction() as store:
        return int(store.execute(select(func.count()).select_from(audit_events)).scalar_one())


def test_a_wrong_password_is_counted_alike_whoever_is_meant(
    scene: Scene, call: Any, tally: Tally
) -> None:
    before = events()
    answers = [sign_in(call, who, WRONG) for who in (scene["CT"].email, "nobody@test.example")]
    assert counted(tally) == {("v1", "wrong_credentials"): 2}
    assert {answer.status_code for answer in answers} == {401}
    own = ("instance", "request_id")
    first, second = ({k: v for k, v in a.json.items() if k not in own} for a in answers)
    assert first == second and {*answers[0].headers.keys()} == {*answers[1].headers.keys()}
    assert events() == before, "no row a request"
    assert sign_in(call, scene["CT"].email).status_code == 200
    assert counted(tally) == {}


def test_a_second_factor_that_is_asked_for_and_one_that_is_wrong(
    scene: Scene, call: Any, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_factors, "is_on", lambda _account_id: True)
    assert sign_in(call, scene["CT"].email).status_code == 401
    assert counted(tally) == {("v1", "second_factor_asked"): 1}
    wrong = call(None).post("/auth/token", {"mfa_token": "made-up", "otp": "123456"})
    assert wrong.status_code == 401
    assert counted(tally) == {("v1", "second_factor_refused"): 1}


@pytest.mark.parametrize(
    ("path", "door"),
    [("/api/v1/me", "v1"), ("/fhir/R4/Patient", "fhir"), ("/research/v1/projects", "research")],
)
def test_a_token_that_is_refused_and_none_at_all_at_every_door(
    app: Flask, tally: Tally, path: str, door: str
) -> None:
    client = app.test_client()
    assert client.get(path).status_code == 401
    assert counted(tally) == {(door, "no_token"): 1}
    assert client.get(path, headers={"Authorization": "Bearer a.b.c"}).status_code == 401
    assert counted(tally) == {(door, "token_refused"): 1}


def test_a_sign_in_that_has_ended_is_of_nobody(scene: Scene, call: Any, tally: Tally) -> None:
    ended = call("CT").get("/me/sign-ins").json["items"][0]["id"]
    assert call("CT")("DELETE", f"/me/sign-ins/{ended}").status_code == 204
    assert call("CT").get("/patients").status_code == 401
    assert counted(tally) == {("v1", "token_refused"): 1}


def test_a_try_that_must_wait(call: Any, tally: Tally, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "_free", lambda _kind: 1)
    email = f"{db.new_id().hex}@test.example"
    assert [sign_in(call, email, WRONG).status_code for _ in range(3)] == [401, 429, 429]
    assert counted(tally) == {("v1", "wrong_credentials"): 1, ("v1", "throttled"): 2}


def test_an_ehr_client_that_proves_nothing(app: Flask, tally: Tally) -> None:
    answer = app.test_client().post("/fhir/R4/auth/token", data=CLIENT)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert counted(tally) == {("fhir", "client_refused"): 1}


def test_a_refusal_of_somebody_known_has_its_own_event_and_no_count(
    scene: Scene, call: Any, tally: Tally
) -> None:
    before = events()
    assert call("CT").post("/auth/step-up", {"password": WRONG}).status_code == 401
    assert call("AY").get("/patients").status_code == 403
    assert call("CT").get(f"/patients/{db.new_id()}").status_code == 404
    assert (events() - before, counted(tally)) == (3, {})


def test_figures_count_them_by_door_and_kind_alone(
    scene: Scene, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Caller(build_counting(monkeypatch), None)
    for _ in range(2):
        client.post("/auth/token", {"email": scene["CT"].email, "password": WRONG})
    labels = {"door": "v1", "kind": "wrong_credentials"}
    assert REGISTRY.get_sample_value("freshtrail_refusals_total", labels) == 2


def test_the_end_of_a_server_writes_what_it_has_counted(application: Flask) -> None:
    port = faults.free_port()
    env = os.environ | {"PORT": str(port), "WEB_WORKERS": "1", "TRUSTED_HOPS": "1"}
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(SERVE, env=env, cwd=HOUSE, stdout=quiet, stderr=quiet)
    address = f"2001:db8::{db.new_id().hex[-4:]}"
    try:
        fuzz.wait_for(f"http://127.0.0.1:{port}/readyz", server)
        for _ in range(3):
            link = HTTPConnection("127.0.0.1", port, timeout=10)
            link.request("GET", "/api/v1/me", headers={"X-Forwarded-For": address})
            assert link.getresponse().status == 401
            link.close()
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
    finally:
        server.kill()
        server.wait()
    found = refusals.told(clock.now() - timedelta(hours=1))
    mine = {key: one.times for key, one in found.items() if key[0] == str(ip_address(address))}
    assert [*mine.values()] == [3]
