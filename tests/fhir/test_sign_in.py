"""Signing in by SMART Backend Services: the right assertion once, and every wrong one never."""

import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
import orjson
import pytest
from flask import Flask
from sqlalchemy import select

from api import clock, config, db
from api.access import client_tokens
from api.audit.trail import audit_events
from api.core import client_jwks
from api.core.clients import ehr_clients
from api.fhir.kinds import KINDS
from api.fhir.scopes import granted
from tests.builders import Scene
from tests.fhir import charts
from tests.fhir.charts import Client, ec_key, public_jwk, rsa_key


@pytest.fixture
def client(app: Flask, scene: Scene) -> Client:
    with db.transaction():
        charts.let_see_all(scene.clinic_id)
        return charts.register(app, scene.clinic_id)


def refused(answer: Any) -> bool:
    return bool(answer.status_code == 401 and answer.json["error"] == "invalid_client")


@pytest.mark.parametrize("key", [ec_key(), rsa_key()], ids=["ES384", "RS384"])
def test_a_right_assertion_gives_a_token_that_opens_the_door(
    app: Flask, scene: Scene, key: Any
) -> None:
    with db.transaction():
        client = charts.register(app, scene.clinic_id, key=key)
    answer = client.ask_token()
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["token_type"] == "bearer" and answer.json["expires_in"] == 300
    client.token = answer.json["access_token"]
    assert client.get("/Patient").status_code == 200


def wrong_ones(client: Client) -> dict[str, str]:
    """Assertions that are wrong in one thing each."""
    now = int(time.time())
    head, body, _ = client.assertion().split(".")
    secret = jwt.encode({"iss": str(client.client_id)}, "x" * 48, "HS384", {"kid": "one"})
    bare = orjson.dumps({"alg": "none", "typ": "JWT", "kid": "one"})
    none = jwt.utils.base64url_encode(bare).decode()
    return {
        "an hour ahead": client.assertion(exp=now + 3600),
        "six minutes ahead": client.assertion(exp=now + 360),
        "over": client.assertion(exp=now - 60),
        "no exp": client.assertion(exp=None),
        "no jti": client.assertion(jti=None),
        "an empty jti": client.assertion(jti=""),
        "a jti that is a number": client.assertion(jti=7),
        "another audience": client.assertion(aud="https://other.example/token"),
        "the base as audience": client.assertion(aud=charts.BASE),
        "audiences": client.assertion(aud=[charts.TOKEN_URL, "https://other.example"]),
        "iss unlike sub": client.assertion(sub="somebody"),
        "nobody": client.assertion(iss=str(db.new_id()), sub=str(db.new_id())),
        "no client": client.assertion(iss="x", sub="x"),
        "an unknown kid": client.assertion({"kid": "two"}),
        "jku": client.assertion({"jku": "https://evil.example/jwks"}),
        "crit": client.assertion({"crit": ["b64"], "b64": True}),
        "another type": client.assertion({"typ": "at+jwt"}),
        "alg none": f"{none}.{body}.",
        "no seal": f"{head}.{body}.",
        "a secret": secret,
        "not a token": "x.y.z",
        "words": "hello",
        "too long": "x" * 9000,
    }


def test_every_wrong_assertion_is_invalid_client(client: Client) -> None:
    for name, assertion in wrong_ones(client).items():
        answer = client.ask_token(assertion)
        assert refused(answer), (name, answer.status_code, answer.text)
    assert client.ask_token().status_code == 200


def test_another_ones_key_is_refused_and_so_is_a_key_of_another_kind(client: Client) -> None:
    client.key = ec_key(1)
    assert refused(client.ask_token())
    client.key = rsa_key()
    assert refused(client.ask_token())


def test_two_keys_of_one_kid_are_refused(app: Flask, scene: Scene) -> None:
    both = {"keys": [public_jwk(ec_key()), public_jwk(ec_key(1))]}
    with db.transaction():
        client = charts.register(app, scene.clinic_id, jwks=both)
    assert refused(client.ask_token())


def test_an_assertion_is_good_once(client: Client) -> None:
    assertion = client.assertion()
    assert client.ask_token(assertion).status_code == 200
    assert refused(client.ask_token(assertion))


def test_an_assertion_sent_by_many_at_once_is_good_once(client: Client) -> None:
    assertion, statuses = client.assertion(), []

    def ask() -> None:
        statuses.append(client.ask_token(assertion).status_code)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 401, 401, 401]


def test_a_revoked_client_is_refused_and_its_token_opens_nothing_any_more(client: Client) -> None:
    client.sign_in()
    with db.transaction() as store:
        mine = ehr_clients.c.id == client.client_id
        row = store.row(select(ehr_clients).where(mine))
        store.change(ehr_clients, row or {}, {"disabled_at": clock.now()})
    assert client.get("/Patient").status_code == 401
    assert refused(client.ask_token())


def test_what_is_not_asked_in_oauths_form_is_an_oauth_error(client: Client) -> None:
    for more, error in (
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_assertion_type": "x"}, "invalid_request"),
        ({"scope": "system/Spaceship.rs"}, "invalid_scope"),
        ({"scope": "patient/Patient.rs"}, "invalid_scope"),
    ):
        answer = client.ask_token(**more)
        assert (answer.status_code, answer.json["error"]) == (400, error)
    answer = client.app.test_client().post("/fhir/R4/auth/token", json={})
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


def test_scopes_are_granted_as_far_as_they_are_registered() -> None:
    survey = "system/Observation.rs?category=survey"
    for asked, registered, told in (
        ("system/Patient.rs", "system/*.rs", ["system/Patient.rs"]),
        ("system/Patient.read", "system/*.rs", ["system/Patient.read"]),
        ("system/Patient.cruds", "system/*.rs", ["system/Patient.rs"]),
        ("system/*.rs", "system/Patient.rs", ["system/Patient.rs"]),
        ("system/Observation.rs", survey, [survey]),
        (survey, "system/*.rs", [survey]),
        ("system/AuditEvent.rs", "system/*.rs", []),
        ("system/Patient.rs", "system/Goal.rs", []),
        ("system/Observation.rs?weather=fine", "system/*.rs", []),
    ):
        assert granted(asked, registered, KINDS) == told, (asked, registered)


class Keys(BaseHTTPRequestHandler):
    """A client's address of keys."""

    told: dict[str, Any] = {}
    header = "max-age=60"
    asked = 0

    def do_GET(self) -> None:  # noqa: N802
        type(self).asked += 1
        self.send_response(200)
        self.send_header("Cache-Control", self.header)
        self.end_headers()
        self.wfile.write(orjson.dumps(self.told))

    def log_message(self, *_args: Any) -> None:
        return


def test_keys_at_an_address_are_fetched_and_kept_as_long_as_it_allows(
    app: Flask, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = HTTPServer(("127.0.0.1", 0), Keys)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/jwks"
    monkeypatch.setenv("FRESHTRAIL_EGRESS_ALLOW", f"127.0.0.1:{server.server_port}")
    config.settings.cache_clear()
    try:
        Keys.told, Keys.asked, Keys.header = {"keys": [public_jwk(ec_key())]}, 0, "max-age=300"
        with db.transaction():
            client = charts.register(app, scene.clinic_id, jwks=None, jwks_uri=url)
        assert client.ask_token().status_code == 200
        assert client.ask_token().status_code == 200
        assert Keys.asked == 1
        Keys.told, Keys.header = {"keys": [public_jwk(ec_key(1), "two")]}, "no-store"
        client_jwks._kept.clear()
        assert refused(client.ask_token())
        client.key, client.kid = ec_key(1), "two"
        assert client.ask_token().status_code == 200
        assert Keys.asked == 3
    finally:
        server.shutdown()
        server.server_close()
        monkeypatch.undo()
        config.settings.cache_clear()
        client_jwks._kept.clear()


def test_an_address_inside_our_own_walls_is_never_asked(app: Flask, scene: Scene) -> None:
    with db.transaction():
        client = charts.register(
            app, scene.clinic_id, jwks=None, jwks_uri="https://169.254.169.254/jwks"
        )
    assert refused(client.ask_token())


def test_cache_control_is_heeded() -> None:
    for told, seconds in (
        ("max-age=60", 60),
        ("public, max-age=120, must-revalidate", 120),
        ("no-store, max-age=60", 0),
        ("no-cache", 0),
        ("", 0),
        ("max-age=999999", client_jwks.LONGEST_S),
    ):
        assert client_jwks.seconds(told) == seconds, told


def test_a_sign_in_leaves_a_row_in_the_trail(client: Client) -> None:
    client.sign_in()
    with db.transaction() as store:
        mine = audit_events.c.actor_id == client.client_id
        rows = store.rows(select(audit_events).where(mine))
    assert [(r["action"], r["door"], r["role"], r["outcome"]) for r in rows] == [
        ("client:sign_in", "fhir", "system", "ok")
    ]


def test_forged_access_tokens_open_nothing(client: Client, scene: Scene) -> None:
    client.sign_in()
    good = client.token
    head, body, seal = good.split(".")
    people = scene["CT"].token
    unsigned = jwt.encode({"sub": "x"}, "k" * 32, "HS256", {"typ": client_tokens.TYPE})
    for token in (people, f"{head}.{body}.", f"{head}.{body}.{seal[::-1]}", unsigned, "x", "é"):
        client.token = token
        answer = client.get("/Patient")
        assert answer.status_code == 401, token
        assert answer.json["resourceType"] == "OperationOutcome"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    answer = client.app.test_client().get(
        "/api/v1/patients", headers={"Authorization": f"Bearer {good}"}
    )
    assert answer.status_code == 403  # it is good, and this door is not its own
