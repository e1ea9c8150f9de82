"""What only the server writes is refused in every body, and nothing asks for hidden fields."""

import pytest
from flask import Flask

from api import db
from api.access.policies import Privilege
from tests import readying
from tests.hostile import aiming
from tests.house import matrix, witness
from tests.house.matrix import World

SERVERS_OWN = (
    *("id", "clinic_id", "created_at", "created_by", "updated_at", "version", "deleted_at"),
    *("author_id", "author_kind", "signed_at", "signed_by", "source_client", "audit_id"),
    *("total", "severity_band", "subscores", "risk_flag", "flags", "alert_id", "scores"),
    *("password_hash", "security_version", "email_verified", "mfa_secret", "disabled_at", "ip"),
)
"""Fields that no client writes anywhere."""
ASKED_FOR = ("fields", "sort", "order", "include_hidden", "expand", "_method", "skip_timeout_reset")
"""Parameters by which other services tell more than they should."""
WRITERS = ("CT", "CA", "PS")


@pytest.fixture
def world(app: Flask) -> World:
    """A world whose care team's clinician has every privilege."""
    made = World(app)
    with db.transaction():
        readying.let(made.scene["CT"].user_id, *Privilege)
    return made


def writer(cells: dict[str, str]) -> str:
    """Who may do it, of those who are asked."""
    return next((who for who in (*WRITERS, *cells) if cells[who] in "YFLS"), "CT")


def test_no_body_writes_what_is_the_servers(world: World, app: Flask) -> None:
    aims = aiming.targets(app.extensions["v1"].spec.to_dict())
    known = {(aim.route, aim.place[0]) for aim in aims if aim.kind == "value"}
    routes = [aim.route for aim in aims if aim.kind == "body" and "{token}" not in aim.route]
    rows, cells = matrix.rows(), 0
    for route in routes:
        world.path(route, writer(rows[route]))
        matrix._body(world, route)  # what its body names is there, too
    with witness.present():
        for route in routes:
            body = dict(matrix._body(world, route) or {})
            if "answers" in body:  # a worrying one is heard though the form is refused
                body["answers"] = {"phq9-1": 0}
            for name in SERVERS_OWN:
                if (route, name) not in known:
                    refused(world, route, writer(rows[route]), body | {name: 1}, name)
                    cells += 1
        assert witness.look() <= {table.name for table in matrix.UNCOUNTED}
    assert cells >= 120


def refused(world: World, route: str, who: str, body: dict[str, object], name: str) -> None:
    """The field is pointed out, whatever else is wrong."""
    world.bodies[route] = body
    answer = world.call(who, route)
    assert answer.status_code == 422, (route, name, answer.text)
    assert f"/{name}" in [error["pointer"] for error in answer.json["errors"]], (route, name)


def test_no_query_asks_for_more_than_is_offered(world: World, app: Flask) -> None:
    aims = aiming.targets(app.extensions["v1"].spec.to_dict())
    known = {(aim.route, aim.place[0]) for aim in aims if aim.kind == "query"}
    for route, cells in matrix.rows().items():
        if not route.startswith("GET") or "-" in cells.values():
            continue
        who = writer(cells)
        path = world.path(route, who)
        for name in ASKED_FOR:
            assert (route, name) not in known
            asked = f"{path}{'&' if '?' in path else '?'}{name}=1"
            answer = world.caller(who).get(asked)
            assert answer.status_code == 422, (route, name, answer.status_code)
