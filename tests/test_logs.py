"""Logs say what went wrong and where, and nothing that anybody wrote."""

import json
import logging
from io import StringIO
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api import config, db, logs
from api.app import build
from tests.builders import Scene
from tests.conftest import Caller

SECRET = "Alma dreams of the lake"


@pytest.fixture
def written() -> Any:
    """`written()` gives the lines written since, as objects."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.OneLine())
    log = logging.getLogger("freshtrail")
    before = log.level
    log.disabled = False  # a linter that runs within another test silences what is there
    log.addHandler(handler)
    log.setLevel("INFO")
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    log.removeHandler(handler)
    log.setLevel(before)


def test_an_exception_is_told_by_type_and_place_and_never_by_its_words(written: Any) -> None:
    try:
        raise ValueError(SECRET)
    except ValueError:
        logging.getLogger("freshtrail").exception("unexpected", extra={"request_id": "r1"})
    [line] = written()
    assert (line["event"], line["request_id"]) == ("unexpected", "r1")
    assert line["error"]["type"] == "ValueError" and "test_logs.py" in line["error"]["at"][-1]
    assert SECRET not in json.dumps(line)


def test_what_a_database_complains_of_is_told_without_the_values(app: Flask, written: Any) -> None:
    with pytest.raises(DBAPIError) as caught, db.transaction() as store:
        store.execute(text("SELECT * FROM nowhere WHERE word = :word"), {"word": SECRET})
    assert SECRET not in str(caught.value)
    logging.getLogger("freshtrail").error("database", exc_info=caught.value)
    [line] = written()
    assert line["error"]["type"] in ("OperationalError", "ProgrammingError")
    assert line["error"]["code"] and SECRET not in json.dumps(line)


def test_a_message_is_given_ids_and_numbers_and_never_words(written: Any) -> None:
    log = logging.getLogger("freshtrail.anything")
    log.warning("sign-in %s, attempt %d", db.new_id(), 3)
    log.warning("somebody wrote %s", SECRET)
    first, second = written()
    assert first["event"].endswith("attempt 3") and second["event"] == "somebody wrote %s"


def test_a_request_is_a_line_with_its_route_and_not_its_address(
    scene: Scene, written: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "info")
    config.settings.cache_clear()
    noisy = Caller(build().test_client(), scene["CT"].token)
    noisy.get(f"/patients?q={SECRET[:4]}", x_request_id="seen-1")
    noisy.get(f"/patients/{scene.patient['id']}")
    noisy.get("/nowhere")
    monkeypatch.delenv("LOG_LEVEL")
    config.settings.cache_clear()
    told = [(line["route"], line["status"]) for line in written() if line["event"] == "request"]
    assert told == [
        ("/api/v1/patients", 200),
        ("/api/v1/patients/<id:patient_id>", 200),
        ("none", 404),
    ]
    text = json.dumps(written())
    assert SECRET[:4] not in text and str(scene.patient["id"]) not in text
    assert written()[0]["request_id"] == "seen-1" and written()[0]["duration_ms"] > 0
