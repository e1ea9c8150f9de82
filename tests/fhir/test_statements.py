"""Statements a request: as many for a page of fifty as for one row, and no more than are needed."""

from typing import Any

import pytest

from api import db
from api.core.outcomes import checkins
from tests.builders import Scene
from tests.fhir.charts import Client

NOT_COUNTED = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SELECT set_config")


def sent(client: Client, path: str) -> list[str]:
    """What one request sends to the database."""
    told: list[str] = []
    db.watchers.append(told.append)
    try:
        assert client.get(path).status_code == 200, path
    finally:
        db.watchers.clear()
    return [one for one in told if not one.lstrip().startswith(NOT_COUNTED)]


@pytest.mark.parametrize(
    ("path", "trips", "embedded"),
    [
        ("/Patient/{me}", 1, 3),  # client, reach, record and event at once
        ("/Patient/{me}?_elements=name", 1, 3),
        ("/Condition?patient={me}&_total=none", 1, 3),
        ("/Condition?patient={me}", 3, 4),  # and how many
        ("/Goal/{goal}", 2, 4),  # and what is practised under it, in a transaction
        ("/Encounter?patient={me}&_total=none", 2, 4),  # and who is named on it
        ("/QuestionnaireResponse?patient={me}&_total=none", 3, 5),  # and two own wordings
        ("/Goal/{goal}/_history", 6, 6),  # and what it was, and what was practised then
    ],
)
def test_a_read_and_a_search_send_so_many(
    ehr: Client, scene: Scene, seen: dict[str, Any], path: str, trips: int, embedded: int
) -> None:
    names = {"me": scene.patient["id"], "goal": seen["goal"]["id"]}
    ehr.get("/Patient/" + str(scene.patient["id"]))
    told = sent(ehr, path.format(**names))
    assert len(told) == (embedded if db.one_trip_pool() is None else trips), told


def test_fifty_rows_ask_no_more_than_one(ehr: Client, scene: Scene, seen: dict[str, Any]) -> None:
    path = f"/QuestionnaireResponse?patient={scene.patient['id']}&_count=50&_total=none"
    before = sent(ehr, path)
    with db.transaction():
        for _ in range(46):
            answers = {f"phq9-{number}": 1 for number in range(1, 10)}
            said = {"instrument": "phq-9", "answers": answers, "complete": True}
            checkins.log_checkin(scene["PS"].actor, scene.patient["id"], said)
    assert len(ehr.get(path).json["entry"]) == 50
    after = sent(ehr, path)
    assert len(after) == len(before) == (5 if db.one_trip_pool() is None else 3), after
