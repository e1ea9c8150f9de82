"""Clients of a clinic whose charts hold something of every kind."""

from typing import Any

import pytest
from flask import Flask

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
