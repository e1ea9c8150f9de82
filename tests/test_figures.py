"""Figures for Prometheus: what is counted, and that a count names nobody."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from prometheus_client import REGISTRY
from sqlalchemy import delete

from api import clock, config, db
from api.app import build
from api.audit.trail import audit_events
from api.core import beats, sealing
from api.core.beats import worker_beats
from api.measuring import Clocks
from tests import builders
from tests.builders import Scene
from tests.conftest import Caller, empty_database, small_database


def gauges() -> dict[str, float]:
    return {gauge.name: gauge.samples[0].value for gauge in Clocks().collect()}


def test_the_clocks_are_told(scene: Scene) -> None:
    with db.transaction() as store:
        store.execute(delete(worker_beats))
        beats.beat("worker")
        store.execute(worker_beats.update().values(at=beats.last() - timedelta(seconds=90)))  # type: ignore[operator]
    told = gauges()
    assert told["freshtrail_ready"] == 1
    assert 90 <= told["freshtrail_worker_silent_seconds"] < 180
    assert told["freshtrail_deliveries_waiting"] >= 0


def test_how_long_the_trail_waits_to_be_sealed_and_told_is_a_figure(
    application: Flask, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHECKPOINT_DIR", str(tmp_path / "told"))
    names = ("freshtrail_unsealed_seconds", "freshtrail_untold_seconds")
    with small_database(tmp_path):
        with db.transaction() as store:
            at = {"at": clock.now() - timedelta(seconds=90), "door": "v1", "request_id": "r"}
            made = {"clinic_id": builders.make_clinic(), "id": db.new_id()}
            store.append(audit_events, [made | at | {"action": "x:y", "outcome": "ok"}])
        found = []
        for step in (lambda: None, sealing.seal_due, sealing.tell_due):
            with db.transaction():
                step()
            found.append([told[name] >= 90 for told in [gauges()] for name in names])
    assert found == [[True, False], [False, True], [False, False]]


def test_without_a_schema_it_is_not_ready_and_nothing_else_is_told(
    app: Flask, tmp_path: Path
) -> None:
    with empty_database(tmp_path):
        assert gauges() == {"freshtrail_ready": 0.0}


def test_requests_are_counted_by_route_and_never_by_address(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = build_counting(monkeypatch)
    for persona, wanted in (("CT", 200), ("XT", 404), ("XT", 404)):
        answer = Caller(counted, scene[persona].token).get(f"/patients/{scene.patient['id']}")
        assert answer.status_code == wanted
    route = "/api/v1/patients/<id:patient_id>"
    seen = {"method": "GET", "route": route}
    assert REGISTRY.get_sample_value("freshtrail_requests_total", seen | {"status": "404"}) == 2
    assert REGISTRY.get_sample_value("freshtrail_request_seconds_count", seen) == 3
    labels = [s.labels for m in REGISTRY.collect() for s in m.samples if "freshtrail" in s.name]
    assert not any(str(scene.patient["id"]) in str(label) for label in labels)


def build_counting(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of a server that counts; in this one process, without files."""
    for name in [name for name in REGISTRY._names_to_collectors if "freshtrail" in name]:
        if name in REGISTRY._names_to_collectors:
            REGISTRY.unregister(REGISTRY._names_to_collectors[name])
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")  # put back afterwards
    monkeypatch.setenv("METRICS_PORT", "9")
    config.settings.cache_clear()
    made = build().test_client()
    monkeypatch.delenv("METRICS_PORT")
    config.settings.cache_clear()
    return made
