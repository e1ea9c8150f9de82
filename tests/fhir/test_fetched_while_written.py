"""A client that fetches page by page finds all that was there all along, once, under writes."""

import threading
from typing import Any

from sqlalchemy import select

from api import db
from api.core.outcomes.checkins import check_ins
from tests.builders import Scene
from tests.fhir.charts import Client

MANY, TAKEN_AWAY = 1234, 5
CODE = "http://loinc.org|44261-6"


class Writer(threading.Thread):
    """Somebody who adds a check-in and takes one away, over and over, until told to stop."""

    def __init__(self, scene: Scene, like: db.Values, spare: list[db.Values]) -> None:
        super().__init__(daemon=True)
        self.clinic_id, self.like, self.spare = scene.clinic_id, like, spare
        self.added: list[str] = []
        self.removed: list[str] = []
        self.broke: Exception | None = None
        self.ends = threading.Event()

    def run(self) -> None:
        """Write until the end, or until nothing is spare."""
        try:
            for row in self.spare:
                if self.ends.wait(0.01):
                    return
                with db.within(self.clinic_id), db.transaction() as store:
                    self.added.append(str(store.add(check_ins, self.like)["id"]))
                    store.remove(check_ins, row)
                    self.removed.append(str(row["id"]))
        except Exception as error:
            self.broke = error


def test_fhirpy_finds_1234_once_while_others_add_and_take_away(
    ehr: Client, scene: Scene, seen: dict[str, Any], address: str
) -> None:
    from fhirpy import SyncFHIRClient

    ours = ("id", "version", "created_at", "updated_at", "deleted_at")
    with db.transaction() as store:
        mine = (check_ins.c.clinic_id == scene.clinic_id, check_ins.c.id == seen["phq"]["id"])
        one = store.row(select(check_ins).where(*mine), opens=check_ins)
        assert one is not None
        like = {name: value for name, value in one.items() if name not in ours}
        rows = [one, *(store.add(check_ins, like) for _ in range(MANY - 1))]
    client = SyncFHIRClient(address, authorization=f"Bearer {ehr.token}")
    asked = client.resources("Observation").search(code=CODE)
    before = {o["id"] for o in asked.limit(1000).fetch_all()}
    assert len(before) == MANY
    writer = Writer(scene, like, rows[::TAKEN_AWAY])
    writer.start()
    try:
        found = [o["id"] for o in asked.limit(50).fetch_all()]
    finally:
        writer.ends.set()
        writer.join()
    assert writer.broke is None and writer.added and writer.removed
    assert len(found) == len(set(found))
    lost = {one for one in before - set(found) if not one.startswith(tuple(writer.removed))}
    assert not lost
