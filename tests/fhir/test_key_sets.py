"""Key sets at an address: kept as long as they may be, asked for seldom, and waited for apart."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest
from flask import Flask

from api import config, db
from api.core import client_jwks
from api.outbox import egress
from tests.builders import Scene
from tests.conftest import Caller
from tests.fhir import charts
from tests.fhir.charts import ec_key, public_jwk

CLIENT = {"jwks": None, "jwks_uri": "https://ehr.example/jwks"}
SLOW_S = 2.5
"""How long the slow address takes to answer."""


class Far:
    """An address outside, and a clock beside it."""

    def __init__(self) -> None:
        self.kids, self.header, self.status, self.asked, self.now = ["one"], "", 200, 0, 1000.0

    def get(self, _url: str, _headers: dict[str, str], _most: int) -> egress.Fetched:
        """What is answered just now."""
        self.asked += 1
        body = orjson.dumps({"keys": [{"kid": kid} for kid in self.kids]})
        return egress.Fetched(self.status, {"cache-control": self.header}, body)

    def found(self, kid: str = "one") -> list[str] | None:
        """The ids of the set that is had for a key; None where none is had."""
        told = client_jwks.jwks_of(CLIENT, kid)
        return None if told is None else [key["kid"] for key in told["keys"]]


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Iterator[Far]:
    address = Far()
    monkeypatch.setattr(egress, "get", address.get)
    monkeypatch.setattr(client_jwks, "monotonic", lambda: address.now)
    client_jwks._kept.clear()
    yield address
    client_jwks._kept.clear()


def test_a_set_is_kept_as_long_as_its_address_allows(far: Far) -> None:
    far.header = "max-age=60"
    assert far.found() == ["one"]
    far.kids, far.now = ["two"], far.now + 59
    assert (far.found(), far.asked) == (["one"], 1)
    far.now += 1
    assert (far.found(), far.asked) == (["two"], 2)


def test_what_may_not_be_kept_is_fetched_each_time(far: Far) -> None:
    far.header = "no-store"
    assert [far.found() for _ in range(3)] == [["one"]] * 3
    assert far.asked == 3


def test_a_key_that_is_not_in_the_set_is_asked_for_once_in_five_minutes(far: Far) -> None:
    far.header = "max-age=3600"
    assert far.found() == ["one"]
    far.kids = ["one", "two"]
    assert (far.found("two"), far.asked) == (["one", "two"], 2)
    for _ in range(5):
        assert far.found("three") == ["one", "two"]
    far.now += client_jwks.BEYOND_S - 1
    assert (far.found("three"), far.asked) == (["one", "two"], 2)
    far.now += 1
    assert (far.found("three"), far.found("three"), far.asked)[2] == 3


def test_guessed_keys_hold_nobody_to_the_door_of_an_address_that_keeps_nothing(far: Far) -> None:
    far.header = "no-store"
    assert far.found() == ["one"]
    for number in range(5):
        far.found(f"guess-{number}")
    assert far.asked == 2
    assert (far.found(), far.asked) == (["one"], 3)


def test_the_old_set_stays_where_the_new_one_is_not_had_and_ends_in_its_time(far: Far) -> None:
    far.header = "max-age=600"
    assert far.found() == ["one"]
    far.status = 503
    assert (far.found("two"), far.asked) == (["one"], 2)
    assert (far.found(), far.found("two"), far.asked) == (["one"], ["one"], 2)
    far.now += 600
    assert (far.found(), far.asked) == (None, 3)
    assert (far.found(), far.asked) == (None, 3)
    far.status, far.now = 200, far.now + client_jwks.BEYOND_S
    assert (far.found(), far.asked) == (["one"], 4)


def test_an_address_that_tells_none_is_asked_twice_in_five_minutes_at_the_most(far: Far) -> None:
    far.status = 404
    assert [far.found() for _ in range(9)] == [None] * 9
    assert far.asked == 2


class Slow(BaseHTTPRequestHandler):
    """An address that takes its time, and lets nothing be kept."""

    asked = 0

    def do_GET(self) -> None:  # noqa: N802
        type(self).asked += 1
        time.sleep(SLOW_S)
        self.send_response(200)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(orjson.dumps({"keys": [public_jwk(ec_key())]}))

    def log_message(self, *_args: Any) -> None:
        return


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("FRESHTRAIL_EGRESS_ALLOW", f"127.0.0.1:{server.server_port}")
    config.settings.cache_clear()
    client_jwks._kept.clear()
    Slow.asked = 0
    yield f"http://127.0.0.1:{server.server_port}/jwks"
    server.shutdown()
    server.server_close()
    monkeypatch.undo()
    config.settings.cache_clear()
    client_jwks._kept.clear()


def test_others_write_while_a_slow_address_is_waited_for_by_all_of_its_askers_at_once(
    app: Flask, scene: Scene, slow: str
) -> None:
    with db.transaction():
        client = charts.register(app, scene.clinic_id, jwks=None, jwks_uri=slow)
    statuses: list[int] = []
    askers = [
        threading.Thread(target=lambda: statuses.append(client.ask_token().status_code))
        for _ in range(3)
    ]
    for asker in askers:
        asker.start()
    time.sleep(SLOW_S / 5)
    assert Slow.asked == 1 and statuses == []
    begun = time.monotonic()
    caller = Caller(app.test_client(), scene["CT"].token)
    answer = caller.post(f"/patients/{scene.patient['id']}/goals", a_goal())
    took = time.monotonic() - begun
    assert answer.status_code == 201 and took < 1 and statuses == [], took
    for asker in askers:
        asker.join()
    assert (statuses, Slow.asked) == ([200] * 3, 1)


def a_goal() -> dict[str, str]:
    """The least of a goal."""
    return {"title": "Say no kindly", "category": "boundaries"}
