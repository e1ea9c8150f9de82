"""How many statements an endpoint sends; BEGIN and COMMIT are not counted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from api import db
from tests.builders import PASSWORD

NOT_STATEMENTS = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT")
CALM = {f"phq9-{i}": 1 for i in range(1, 9)} | {"phq9-9": 0}
MOST = {
    "read_patient": {"postgres": 1, "sqlite": 3},
    "list_patients": {"postgres": 1, "sqlite": 4},
    "list_checkins": {"postgres": 1, "sqlite": 3},
    "log_checkin": {"postgres": 2, "sqlite": 8},
    "sign_in": {"postgres": 13, "sqlite": 13},
}
"""On PostgreSQL a hot read is one statement. The sign-in is from a device that is not known, of
which a letter tells: four of its statements are for that."""


@contextmanager
def told() -> Iterator[list[str]]:
    """The statements sent meanwhile."""
    statements: list[str] = []
    db.watchers.append(statements.append)
    try:
        yield statements
    finally:
        db.watchers.remove(statements.append)


def count(statements: list[str]) -> int:
    return sum(not one.lstrip().startswith(NOT_STATEMENTS) for one in statements)


def asks(call: Any, scene: Any, chart: str) -> dict[str, Callable[[], Any]]:
    """A request of each endpoint."""
    ct = call("CT")
    body = {"instrument": "phq-9", "answers": CALM, "complete": True}
    who = {"email": scene["CT"].email, "password": PASSWORD}
    return {
        "read_patient": lambda: ct.get(chart),
        "list_patients": lambda: ct.get("/patients?q=exam&limit=20"),
        "list_checkins": lambda: ct.get(f"{chart}/check-ins?limit=50"),
        "log_checkin": lambda: ct.post(
            f"{chart}/check-ins", body, **{"idempotency-key": uuid4().hex}
        ),
        "sign_in": lambda: call(None).post("/auth/token", who),
    }


@pytest.mark.parametrize("endpoint", MOST)
def test_an_endpoint_sends_no_more_statements_than_it_says(
    endpoint: str, call: Any, scene: Any, chart: str, database: str
) -> None:
    with told() as statements:
        answer = asks(call, scene, chart)[endpoint]()
    assert answer.status_code in (200, 201), answer.text
    assert count(statements) == MOST[endpoint][database], "\n\n".join(statements)


def test_a_longer_list_takes_no_more_statements(call: Any, scene: Any, chart: str) -> None:
    ask = asks(call, scene, chart)
    counts = []
    for _ in range(2):
        for _ in range(3):
            assert ask["log_checkin"]().status_code == 201
        with told() as statements:
            assert ask["list_checkins"]().status_code == 200
        counts.append(count(statements))
    assert counts[0] == counts[1]
