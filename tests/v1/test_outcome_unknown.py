"""A line that is lost while a write is kept: that it may be done is told, and it is done once."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from api import db
from api.db import trips
from tests.builders import Scene

GONE = "server closed the connection unexpectedly"


@contextmanager
def lost_when_kept(said: str | None = None, is_kept: bool = True) -> Iterator[None]:
    """Every line is lost at its COMMIT, with what the server `said` last (SQLSTATE); by then the
    write was kept, unless it was not. On SQLite the disk fails instead."""
    sqlite, dialect = db.engine().dialect.name == "sqlite", db.engine().dialect
    real = dialect.do_commit

    def lose(connection: Any) -> None:
        if sqlite:
            raise sqlite3.OperationalError("disk I/O error")
        if is_kept:
            real(connection)
        raise psycopg.errors.lookup(said)(GONE) if said else psycopg.OperationalError(GONE)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(dialect, "do_commit", lose)
        yield


@contextmanager
def lost_in_one_trip(database_stays_away: bool = False) -> Iterator[None]:
    """The line of a write in one trip is lost once it was kept, and perhaps all that come after."""
    real, tried = trips.Line.ask, []

    def lose(line: Any, query: bytes, values: list[Any]) -> Any:
        rows = real(line, query, values)
        if b"INSERT INTO check_ins" not in query:
            return rows
        tried.append(query)
        if database_stays_away:
            patched.setattr(db.engine(), "connect", refuse)
        raise psycopg.OperationalError(GONE)

    def refuse() -> Any:
        raise OperationalError("connect", None, psycopg.OperationalError("connection refused"))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(trips.Line, "ask", lose)
        yield
    assert tried


def kind(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["type"].rpartition(":")[2]


def companions(call: Any, scene: Scene) -> list[str]:
    found = call("CT").get(f"/patients/{scene.patient['id']}/companions").json["items"]
    return [one["name"] for one in found]


def write(call: Any, scene: Scene, **headers: str) -> Any:
    body = {"name": "Robin", "relation": "friend"}
    return call("CT").post(f"/patients/{scene.patient['id']}/companions", body, **headers)


def test_a_write_that_was_perhaps_kept_is_told_as_such_and_is_not_done_twice(
    on_postgres_alone: None, call: Any, scene: Scene
) -> None:
    with lost_when_kept():
        answer = write(call, scene, idempotency_key="once")
    assert kind(answer) == (503, "outcome_unknown")
    assert "same Idempotency-Key" in answer.json["detail"] and answer.headers["Retry-After"]
    again = write(call, scene, idempotency_key="once")
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert companions(call, scene) == ["Robin"]


def test_one_that_was_not_kept_after_all_is_done_when_it_comes_again(
    on_postgres_alone: None, call: Any, scene: Scene
) -> None:
    with lost_when_kept(is_kept=False):
        assert kind(write(call, scene, idempotency_key="once")) == (503, "outcome_unknown")
    again = write(call, scene, idempotency_key="once")
    assert again.status_code == 201 and "Idempotent-Replayed" not in again.headers
    assert companions(call, scene) == ["Robin"]


def test_without_a_key_one_is_told_to_read_first(
    on_postgres_alone: None, call: Any, scene: Scene
) -> None:
    with lost_when_kept():
        answer = write(call, scene)
        of_patch = call("CT").patch("/me/preferences", {}, 1, idempotency_key="none here")
    assert kind(answer) == (503, "outcome_unknown") and "Read whether" in answer.json["detail"]
    assert "Read whether" in of_patch.json["detail"] or of_patch.status_code in (404, 422)


@pytest.mark.parametrize("said", ["40P01", "53100", "57014", "25P03"])
def test_where_the_database_said_that_it_was_not_kept_nothing_is_unknown(
    on_postgres_alone: None, call: Any, scene: Scene, said: str
) -> None:
    with lost_when_kept(said, is_kept=False):
        assert kind(write(call, scene, idempotency_key="once")) == (503, "unavailable")


def test_a_read_that_can_simply_be_made_again_is_never_told_as_unknown(
    call: Any, scene: Scene
) -> None:
    with lost_when_kept():
        assert kind(call("CT").get(f"/patients/{scene.patient['id']}/consents")) == (
            503,
            "unavailable",
        )


def test_what_a_file_can_not_keep_it_undoes(on_sqlite_alone: None, call: Any, scene: Scene) -> None:
    with lost_when_kept():
        assert kind(write(call, scene, idempotency_key="once")) == (503, "unavailable")
    assert companions(call, scene) == []


def test_what_is_counted_apart_beforehand_is_no_write_of_the_request(
    on_postgres_alone: None, app: Flask, call: Any
) -> None:
    with lost_when_kept():
        answer = call(None).post("/auth/token", {"email": "a@b.example", "password": "x" * 12})
    assert kind(answer) == (503, "unavailable")


def check_in(call: Any, scene: Scene) -> Any:
    body = {"instrument": "gad-7", "answers": {"gad7-1": 0}}
    path = f"/patients/{scene.patient['id']}/check-ins"
    return call("CT").post(path, body, idempotency_key="once")


def test_a_write_in_one_trip_that_was_kept_is_found_by_its_key_at_once(
    on_postgres_alone: None, call: Any, scene: Scene
) -> None:
    with lost_in_one_trip():
        answer = check_in(call, scene)
    assert (answer.status_code, answer.headers["Idempotent-Replayed"]) == (201, "true")


def test_and_where_the_database_stays_away_it_is_unknown(
    on_postgres_alone: None, call: Any, scene: Scene
) -> None:
    with lost_in_one_trip(database_stays_away=True):
        assert kind(check_in(call, scene)) == (503, "outcome_unknown")
    again = check_in(call, scene)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")


def test_what_was_never_sent_is_known_not_to_be_done(
    on_postgres_alone: None, call: Any, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = trips.sent

    def sent(trip: trips.Trip, values: Any) -> Any:
        with monkeypatch.context() as patched:
            if "INSERT INTO check_ins" in trip.text:
                patched.setattr(trips.Lines, "take", no_line)
            return real(trip, values)

    monkeypatch.setattr(trips, "sent", sent)
    assert kind(check_in(call, scene)) == (503, "unavailable")
    monkeypatch.undo()
    again = check_in(call, scene)
    assert again.status_code == 201 and "Idempotent-Replayed" not in again.headers


def no_line(_lines: trips.Lines) -> Any:
    raise psycopg.OperationalError("connection refused")
