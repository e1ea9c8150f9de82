"""Whatever is sent, the answer is no fault of ours, and the same on both databases.

A seeded part of all cases is tried each time; HOSTILE_FULL=1 tries every one, HOSTILE_SEED=N
others, HOSTILE_REQUESTS=N so many.
"""

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import clock, db
from api.access.policies import Privilege
from api.access.users import sign_ins
from tests import readying
from tests.hostile import aiming, corpus
from tests.hostile.aiming import Target
from tests.house import matrix
from tests.house.matrix import World

PARTS = 8
FULL = bool(os.environ.get("HOSTILE_FULL"))
SEED = os.environ.get("HOSTILE_SEED", "20261125")
REQUESTS = int(os.environ.get("HOSTILE_REQUESTS", "4000"))
MOVES = ("arrive", "start", "complete", "cancel", "no-show", "end", "withdraw", "sign", "discharge")
ASKED_BY = ("CT", "CA", "PS", "PR", "AY")
PROBLEM = "application/problem+json"
OURS = ("Traceback", "sqlalchemy", "psycopg", "sqlite3", "SELECT ", "INSERT ", 'File "/')
"""What no answer may show of how it came about."""
ROWS = matrix.rows()


def test_the_corpus_is_large_enough() -> None:
    assert len(set(corpus.RAW)) >= 400
    assert len(set(corpus.QUERIES)) >= 400


def test_every_field_and_every_parameter_of_the_document_is_aimed_at(application: Flask) -> None:
    document = application.extensions["v1"].spec.to_dict()
    aims = aiming.targets(document)
    assert len({aim.route for aim in aims}) == sum(
        method in aiming.METHODS for path in document["paths"].values() for method in path
    )
    cases = sum(len(aim.payloads) for aim in aims if aim.kind in ("value", "query"))
    assert cases >= 60_000
    named = {(aim.route, aim.place) for aim in aims if aim.kind == "value"}
    for route, *place in (
        ("POST /patients", "legal_name", "given"),
        ("POST /patients", "external_ids", "0", "system"),
        ("POST /sessions/{session_id}/ledger", "entries", "0", "dose_mg"),
        ("PATCH /me/preferences", "quiet_hours", "from"),
    ):
        assert (route, tuple(place)) in named, (route, place)


def chosen(
    aims: list[Target], part: int, parts: int = PARTS, requests: int = REQUESTS
) -> list[tuple[Target, Any]]:
    """The cases of a part: each target gets its share of the corpus, drawn by the seed."""
    drawn, found = random.Random(f"{SEED}:{part}"), []
    for number, aim in enumerate(aims):
        if number % parts == part:
            share = len(aim.payloads) if FULL else max(1, round(requests / len(aims)))
            found += [
                (aim, one) for one in drawn.sample(aim.payloads, min(share, len(aim.payloads)))
            ]
    return sorted(found, key=lambda case: ends_something(case[0].route))


def ends_something(route: str) -> bool:
    """Whether the record is another one afterwards: these routes come last."""
    return route.startswith("DELETE") or route.rsplit("/", 1)[-1] in MOVES


class Sender:
    """Sends cases as somebody who may do what is asked for."""

    def __init__(self, app: Flask, world: World | None = None) -> None:
        self.world, self.sent, self.ended = world or World(app), 0, False
        with db.transaction():
            readying.let(self.world.scene["CT"].user_id, *Privilege)
        self.clients: dict[str, FlaskClient] = {}
        self.tokens: dict[str, str] = {}
        for route in ROWS:
            if "{name}" not in route:
                self._path(route)

    def __call__(self, target: Target, payload: Any) -> Any:  # noqa: C901
        """The answer to one case."""
        self._stay_signed_in()
        route, kind = target.route, target.kind
        method, path, who = route.split()[0], self._path(route), self._who(route)
        headers = {"Content-Type": "application/json"} if kind != "media" else {}
        if method in ("PATCH", "PUT", "DELETE"):
            headers["If-Match"] = "*"
        if token := self.tokens.get(who):
            headers["Authorization"] = f"Bearer {token}"
        body = matrix._body(self.world, route) if method not in ("GET", "DELETE") else None
        data = None if body is None else json.dumps(body).encode()
        if kind in ("value", "member"):
            data = aiming.body_with(body, target, payload)
        elif kind == "body":
            data = payload
        elif kind == "media":
            headers["Content-Type"] = payload
        elif kind == "header":
            headers |= {payload[0]: payload[1]}
        elif kind == "query":
            path += ("&" if "?" in path else "?") + f"{target.place[0]}={payload}"
        elif kind == "path":
            path = self._path(route, **{target.place[0]: payload})
        self.ended = "/me/sign-ins/" in path
        client = self.clients.setdefault(who, self.world.app.test_client())
        full = path if path.startswith("/research/") else f"/api/v1{path}"
        return client.open(full, method=method, headers=headers, data=data)

    def _who(self, route: str) -> str:
        cells = ROWS[route]
        return next((who for who in ASKED_BY if cells[who] in "YFLS"), "CT")

    def _path(self, route: str, **given: str) -> str:
        if "{token}" in route:
            given = {"token": self._token(route)} | given
        return self.world.path(route, self._who(route), **given)

    def _token(self, route: str) -> str:
        kind = route.split("/")[1]
        if kind not in self.world.ids:
            made = {
                "check-in-links": "POST /patients/{patient_id}/check-in-links",
                "attestation-links": "POST /sessions/{session_id}/attestation-links",
            }[kind]
            self.world.ids[kind] = self.world.call("CT", made).json["token"]
        return self.world.ids[kind]

    def _stay_signed_in(self) -> None:
        if self.sent % 500 == 0 or self.ended:
            with db.transaction() as store:
                store.execute(sign_ins.update().values(auth_time=clock.now(), revoked_at=None))
            self.tokens = {who: self.world.scene[who].token for who in ASKED_BY}
        self.sent, self.ended = self.sent + 1, False


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run see."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.mark.parametrize("part", range(PARTS))
def test_no_answer_is_a_fault_of_ours_and_both_databases_agree(
    app: Flask, database: str, part: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cases = chosen(aiming.targets(app.extensions["v1"].spec.to_dict()), part)
    send = Sender(app)
    statuses = answered(send, cases, PROBLEM)
    what_was_stored_can_be_read(send)
    folder = shared_folder(tmp_path_factory)
    assert differing(folder, part, database, cases, statuses) == []


def answered(send: Any, cases: list[tuple[Target, Any]], *forms: str) -> list[int]:
    """The statuses of all answers, none of which is a fault of ours, or shows how it came about.

    A refusal is of one of these forms.
    """
    statuses, wrong = [], []
    for target, payload in cases:
        answer = send(target, payload)
        said = answer.data.decode(errors="replace")  # a picture or a PDF is no text
        where = f"{target} <- {payload[:200]!r}: {answer.status_code} {said[:500]}"
        is_plain = answer.content_type in forms and not any(word in said for word in OURS)
        if answer.status_code >= 500 or (answer.status_code >= 400 and not is_plain):
            wrong.append(where)
        statuses.append(answer.status_code)
        answer.close()
    assert wrong == []
    return statuses


def what_was_stored_can_be_read(send: Sender) -> None:
    """No list, picture or sheet breaks on what was taken."""
    for route in ROWS:
        if route.startswith("GET") and "{token}" not in route and "{name}" not in route:
            for who in ASKED_BY:
                if ROWS[route][who] in "YFL":
                    answer = send.world.call(who, route)
                    assert answer.status_code < 500, f"{who} {route}: {answer.data[:500]!r}"


def differing(
    folder: Path, part: int | str, database: str, cases: list[tuple[Target, Any]], mine: list[int]
) -> list[str]:
    """What the other database answered otherwise; nothing until both have answered."""
    (folder / f"hostile-{part}-{database}").write_text(json.dumps(mine))
    other = folder / f"hostile-{part}-{'postgres' if database == 'sqlite' else 'sqlite'}"
    if not other.exists():
        return []
    theirs = json.loads(other.read_text())
    assert len(theirs) == len(mine)
    return [
        f"{target} <- {payload[:120]!r}: {a} here, {b} there"
        for (target, payload), a, b in zip(cases, mine, theirs, strict=True)
        if a != b
    ]
