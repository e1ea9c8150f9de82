"""A bulk export on its way: how far it is, its end, and a worker that is killed."""

import tracemalloc
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, strategies as st
from sqlalchemy import select

from api import clock, db, field_keys
from api.access.policies import Actor
from api.core import resealing
from api.core.ehr.exports import Order, Piece, orders, packing, work
from api.core.ehr.exports.tables import RUNNING, bulk_chunks, bulk_exports
from api.fhir import bulk_making
from tests import builders
from tests.builders import Scene
from tests.fhir.charts import Client
from tests.fhir.exporting import db_id, export, fetched, kick, manifest, of_one_member, worked


@pytest.mark.parametrize("size", [500, 3])
def test_progress_gzip_and_deletion(
    ehr: Client, seen: dict[str, Any], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(bulk_making, "CHUNK", size)
    at = kick(ehr, "/$export?_type=Goal,Observation")
    waiting = ehr.get(at)
    assert waiting.status_code == 202 and waiting.headers["Retry-After"]
    assert 0 < len(waiting.headers["X-Progress"]) < 100
    assert ehr.get(f"{at}/Goal").status_code == 404
    worked()
    told = manifest(ehr, at)
    for one in told["output"]:
        packed = fetched(ehr, one["url"], **{"Accept-Encoding": "gzip"})
        assert packed == fetched(ehr, one["url"]) and len(packed) == one["count"] > 0
    assert ehr("DELETE", at).status_code == 202
    for path in (at, told["output"][0]["url"]):
        assert ehr.get(path).status_code == 404
        assert ehr.get(path).json["resourceType"] == "OperationOutcome"
    assert ehr("DELETE", at).status_code == 404
    with db.transaction() as store:
        assert store.rows(select(bulk_chunks).where(bulk_chunks.c.export_id == db_id(at))) == []


@given(st.lists(st.lists(st.binary(max_size=300).filter(lambda b: b"\n" not in b)), max_size=6))
def test_pieces_go_out_as_one_member_of_gzip(pieces: list[list[bytes]]) -> None:
    packed = [packing.pack(lines) for lines in pieces]
    whole = b"".join(line + b"\n" for lines in pieces for line in lines)
    assert of_one_member(b"".join(packing.joined(packed))) == whole
    assert b"".join(map(packing.unpack, packed)) == whole
    assert b"".join(map(of_one_member, packed)) == whole


def test_nothing_readable_lies_in_the_database(ehr: Client, seen: dict[str, Any]) -> None:
    kick(ehr, "/$export?_type=Patient&_typeFilter=Patient%3Fname=Canaria")
    at = kick(ehr, "/$export?_type=Patient")
    worked()
    with db.transaction() as store:
        rows = store.rows(select(bulk_chunks)) + store.rows(select(bulk_exports))
    assert "Canaria" not in repr(rows) and manifest(ehr, at)["output"]


def test_a_field_key_is_kept_while_an_export_lies_under_it(
    app: Flask, ehr: Client, seen: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = [seen["session"]["clinic_id"]]  # other tests left thousands
    monkeypatch.setattr(resealing, "clinics_there", lambda _store: mine)
    kid = field_keys.current()
    before = resealing.left(kid).get("bulk_chunks", 0)
    at = kick(ehr, "/$export?_type=Patient")
    worked()
    lying = resealing.left(kid)["bulk_chunks"]
    assert lying > before and "bulk_chunks" not in resealing.left(), "it is not sealed anew"
    told = app.test_cli_runner().invoke(args=["keys", "retire-field", kid])
    assert told.exit_code == 1 and f"bulk_chunks ({lying})" in told.output
    assert "go by themselves" in told.output
    assert ehr("DELETE", at).status_code == 202
    assert resealing.left(kid).get("bulk_chunks", 0) == before


def test_it_runs_out(ehr: Client, seen: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    at = kick(ehr, "/$export?_type=Goal")
    worked()
    later = clock.now() + timedelta(hours=25)
    monkeypatch.setattr(clock, "now", lambda: later)
    while True:
        with db.transaction():
            if not orders.forget_expired():
                break
    monkeypatch.undo()
    assert ehr.get(at).status_code == 404
    with db.transaction() as store:
        rows = store.rows(select(bulk_exports).where(bulk_exports.c.id == db_id(at)))
    assert rows[0]["deleted_at"] is not None


def test_a_killed_worker_loses_nothing_and_doubles_nothing(
    ehr: Client, seen: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_making, "CHUNK", 2)
    whole = export(ehr)
    at, pieces = kick(ehr), 0

    def dying(client: Actor, order: Order) -> Piece:
        nonlocal pieces
        pieces += 1
        if pieces % 7 == 0:
            raise KeyboardInterrupt
        return bulk_making.make(client, order)

    for _ in range(100):
        try:
            if not work(dying):
                break
        except KeyboardInterrupt:
            with db.transaction() as store:
                e = bulk_exports.c
                left = bulk_exports.update().where(e.id == db_id(at), e.state == RUNNING)
                store.execute(left.values(lease_until=clock.now() - timedelta(seconds=1)))
    told = manifest(ehr, at)
    again = {one["type"]: fetched(ehr, one["url"]) for one in told["output"]}
    assert pieces > 20 and again == whole


def test_memory_does_not_grow_with_the_rows(
    ehr: Client, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_making, "CHUNK", 10)

    def peak(more: int) -> int:
        with db.transaction():
            for _ in range(more):
                builders.make_goal(scene.patient)
        kick(ehr, "/$export?_type=Goal")
        tracemalloc.start()
        try:
            worked()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(20)  # what is made once is made now
    few, many = peak(0), peak(180)
    assert many < 1.5 * few, (few, many)
