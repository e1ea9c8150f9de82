"""Clients of a clinic whose charts hold something of every kind."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from api import db
from tests.builders import Scene
from tests.fhir import charts
from tests.fhir.charts import Client


@pytest.fixture
def seen(app: Flask, scene: Scene) -> dict[str, Any]:
    """The scene's patient with a full chart, in a clinic that lets its EHR see all."""
    with db.transaction():
        charts.let_see_all(scene.clinic_id)
        return charts.chart(scene)


@pytest.fixture
def ehr(app: Flask, scene: Scene, seen: dict[str, Any]) -> Client:
    """A client of the clinic that may read everything, signed in."""
    with db.transaction():
        client = charts.register(app, scene.clinic_id)
        charts.subscribed(client, scene.clinic_id)
    return client.sign_in()


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The door on a real port."""
    server = make_server("127.0.0.1", 0, app, threaded=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}/fhir/R4"
    server.shutdown()
    thread.join()
    server.server_close()
