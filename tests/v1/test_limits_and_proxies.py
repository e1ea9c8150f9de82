"""How often one may ask, from where a request comes, and by which names we are asked."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from api import app as application_module, config, edge
from api.access.policies import Actor
from api.errors import TooMany, Unsafe
from api.v1 import quota
from tests.conftest import Caller
from tests.house.matrix import trail_of
from tests.v1.conftest import is_problem


def _forget() -> None:
    for known in (config.settings, quota._limit, quota._limiter):
        known.cache_clear()


@pytest.fixture
def limited(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Set limits for this test alone."""

    def set_limits(**limits: str) -> None:
        for name, value in limits.items():
            monkeypatch.setenv(name, value)
        _forget()

    yield set_limits
    monkeypatch.undo()
    _forget()


def test_whoever_has_the_id_of_a_clinic_is_counted_apart(app: Flask, limited: Any) -> None:
    limited(RATE_PER_PRINCIPAL="3", RATE_PER_CLINIC="3", WEB_WORKERS="1")
    one, other = uuid4(), uuid4()
    with app.test_request_context():
        for _ in range(3):
            quota.spend(Actor(uuid4(), one, other))
            quota.spend(Actor(uuid4(), other, one))
        for actor in (Actor(uuid4(), one, uuid4()), Actor(uuid4(), uuid4(), one)):
            with pytest.raises(TooMany):
                quota.spend(actor)
        quota.spend(Actor(uuid4(), uuid4(), uuid4()))


def test_a_principal_who_asks_too_often_is_told_when_to_come_back(call: Any, limited: Any) -> None:
    limited(RATE_PER_PRINCIPAL="3")
    answers = [call("CT").get("/me") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    for left, answer in zip((2, 1, 0, 0, 0), answers, strict=True):
        assert answer.headers["RateLimit-Policy"] == '"principal";q=3;w=60'
        assert answer.headers["RateLimit"].startswith(f'"principal";r={left};t=')
    assert is_problem(answers[3], 429) and 1 <= int(answers[3].headers["Retry-After"]) <= 60
    assert call("CN").get("/me").status_code == 200, "somebody else is not kept out"


def test_a_clinic_that_asks_too_often_keeps_no_other_clinic_out(call: Any, limited: Any) -> None:
    limited(RATE_PER_CLINIC="3")
    statuses = [call(who).get("/me").status_code for who in ("CT", "CN", "CA", "PR", "PS")]
    assert statuses == [200, 200, 200, 429, 429]
    assert 1 <= int(call("CT").get("/me").headers["Retry-After"]) <= 60
    assert call("XT").get("/me").status_code == 200


@pytest.mark.parametrize(
    ("hops", "through", "told"),
    [
        (0, "10.9.8.7", "192.0.2.1"),
        (1, "10.9.8.7", "10.9.8.7"),
        (1, "6.6.6.6, 10.9.8.7", "10.9.8.7"),
        (2, "6.6.6.6, 10.9.8.7", "6.6.6.6"),
        (2, "5.5.5.5, 6.6.6.6, 10.9.8.7", "6.6.6.6"),
        (2, "10.9.8.7", "192.0.2.1"),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "unknown", "192.0.2.1"),
        (1, "10.9.8.7:443", "192.0.2.1"),
        (1, "x" * 500, "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "10.9.8.7,", "192.0.2.1"),
        (1, "\u0661.1.1.1", "192.0.2.1"),
    ],
)
def test_only_what_our_own_proxies_wrote_is_believed(hops: int, through: str, told: str) -> None:
    environ = {"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": through}
    assert edge.address_of(environ, hops) == told


@pytest.fixture
def built(app: Flask, scene: Any, limited: Any) -> Any:
    """The application built anew with other settings, as the care team's clinician."""

    def build(**settings: str) -> Caller:
        limited(**settings)
        return Caller(application_module.build().test_client(), scene["CT"].token)

    return build


@pytest.mark.parametrize(("hops", "told"), [("0", "127.0.0.1"), ("1", "10.9.8.7")])
def test_the_trail_names_where_a_request_came_from(built: Any, hops: str, told: str) -> None:
    caller = built(TRUSTED_HOPS=hops)
    headers = {"X-Forwarded-For": "6.6.6.6, 10.9.8.7", "X-Request-ID": f"hops-{hops}-{id(caller)}"}
    assert caller.get("/me", **headers).status_code == 200
    [event] = trail_of(headers["X-Request-ID"])
    assert event["client_ip"] == told


def test_we_answer_to_our_own_names_alone(built: Any) -> None:
    caller = built(TRUSTED_HOSTS="api.clinic.example, Other.example")
    for host in ("api.clinic.example", "API.clinic.example:443", "other.example"):
        assert caller.get("/me", Host=host).status_code == 200, host
    for host in (
        "evil.example",
        "api.clinic.example.evil.example",
        "x.api.clinic.example",
        "",
        "::",
    ):
        assert is_problem(caller.get("/me", Host=host), 400), host
    assert caller.client.get("/livez", headers={"Host": "10.0.0.3"}).status_code == 200


def test_settings_that_trust_too_many_are_refused() -> None:
    for wrong in ({"TRUSTED_HOPS": "6"}, {"TRUSTED_HOPS": "-1"}, {"BODY_SECONDS": "0"}):
        with pytest.raises(Unsafe):
            config.from_environment({"FRESHTRAIL_MODE": "test", **wrong})
