"""A chart that was removed for good: its Patient is 410 and told as deleted, all else is 404."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from api import clock, db
from api.core.ehr.exports.tables import bulk_chunks, bulk_exports, bulk_patients
from api.fhir.datatypes import instant
from tests.builders import Scene
from tests.core import dosing
from tests.core.purging import FAR_LATER, agreed, follow, work, years_later
from tests.fhir import charts
from tests.fhir.charts import Client
from tests.fhir.exporting import export, fetched, kick, manifest, worked
from tests.fhir.test_writing import SYSTEM, patient, post


def client(app: Flask, scene: Scene, **more: Any) -> Client:
    """A client of those days."""
    with db.transaction():
        made = charts.register(app, scene.clinic_id, **more)
    return made.sign_in()


def test_the_patient_is_410_and_its_records_are_gone(
    app: Flask, scene: Scene, seen: dict[str, Any]
) -> None:
    who, kinds = scene.patient["id"], ("Goal", "Encounter", "Observation", "Condition")
    with years_later():
        ehr = client(app, scene)
        there = {kind: ehr.every(f"/{kind}?patient={who}") for kind in kinds}
        assert all(there.values()) and len(ehr.get(f"/Patient/{who}/_history").json["entry"]) >= 1
        agreed(scene)
        work(scene, 1)
        for answer in (ehr.get(f"/Patient/{who}"), ehr.get(f"/Patient/{who}/$everything")):
            assert answer.status_code == 410, answer.text
        for kind in kinds:
            assert ehr.get(f"/{kind}?patient={who}").json["total"] == 0
            assert ehr.get(f"/{kind}/{there[kind][0]['id']}").status_code in (404, 410)
        work(scene)
        assert ehr.get(f"/Patient/{who}").status_code == 410
        for kind in kinds:
            for one in there[kind]:
                assert ehr.get(f"/{kind}/{one['id']}").status_code == 404
        [last] = ehr.get(f"/Patient/{who}/_history").json["entry"]
        assert last["request"]["method"] == "DELETE" and "resource" not in last
        assert str(who) not in {one["id"] for one in ehr.every("/Patient")}


def test_an_export_since_tells_that_it_was_deleted_and_one_of_before_is_forgotten(
    app: Flask, scene: Scene, seen: dict[str, Any]
) -> None:
    who = str(scene.patient["id"])
    with years_later():
        ehr = client(app, scene)
        before = kick(ehr)
        worked()
        assert manifest(ehr, before)["output"]
        since = instant(clock.now())
        agreed(scene)
        work(scene)
        assert ehr.get(before).status_code == 404
        with db.transaction() as store:
            for table in (bulk_chunks, bulk_patients):
                mine = table.c.clinic_id == scene.clinic_id
                assert store.rows(select(table).where(mine)) == []
            mine = bulk_exports.c.clinic_id == scene.clinic_id
            [row] = store.rows(select(bulk_exports).where(mine))
            assert row["deleted_at"] is not None
        at = kick(ehr, f"/$export?_since={since}")
        worked()
        told = manifest(ehr, at)
        gone = [one for file in told["deleted"] for one in fetched(ehr, file["url"])]
        said = [one["entry"][0]["request"]["url"] for one in gone]
        assert f"Patient/{who}" in said
        lines = [one for file in told["output"] for one in fetched(ehr, file["url"])]
        assert who not in str(lines)
        assert who not in str(export(ehr))


@pytest.mark.parametrize("by", ["consent", "number", "made"])
def test_whoever_reached_it_is_told_and_nobody_else_for_as_long_as_the_feed_is_kept(
    app: Flask, scene: Scene, by: str
) -> None:
    with db.transaction():
        charts.let_see_all(scene.clinic_id, "consented")
        if by == "consent":
            dosing.agreed(scene, "ehr_sharing")
    who, ehr = str(scene.patient["id"]), client(app, scene, external_system=SYSTEM)
    if by != "consent":
        told = {"identifier": [{"system": SYSTEM, "value": "MRN-41"}]} if by == "number" else {}
        who = post(ehr, patient(None) | told).json["id"]
    with years_later() as moved:
        ehr.sign_in()
        stranger = client(app, scene, external_system="https://other.example/mrn")
        agreed(scene, who)
        assert ehr.get(f"/Patient/{who}").status_code == 200
        work(scene)
        assert ehr.get(f"/Patient/{who}").status_code == 410
        if by != "consent":
            assert stranger.get(f"/Patient/{who}").status_code == 404
        moved.shift(FAR_LATER)
        follow(scene)
        assert ehr.sign_in().get(f"/Patient/{who}").status_code == 404
