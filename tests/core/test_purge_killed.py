"""A worker process that is killed while it removes a chart: the next one goes on to the end."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from flask import Flask
from sqlalchemy import func, select

from api import clock, db, schema
from api.core.integration.tables import steps
from api.core.purges.removing import AT_ONCE
from tests import builders
from tests.builders import Scene
from tests.conftest import empty_database
from tests.core.purging import agreed, as_it_is, held_of, years_later
from tests.working import PATIENCE_S, started_worker, until

ROWS = 40 * AT_ONCE


@pytest.fixture(autouse=True)
def _alone(database: str, tmp_path: Path) -> Iterator[None]:
    """A database of its own, in which nothing of other tests is due."""
    with empty_database(tmp_path):
        schema.upgrade()
        yield


def left() -> int:
    """How many steps there are."""
    with db.transaction() as store:
        return int(store.execute(select(func.count()).select_from(steps)).scalar() or 0)


def many_steps(scene: Scene) -> None:
    """A chart that takes the worker a while."""
    with db.transaction() as store:
        practice = builders.make_practice(builders.make_goal(scene.patient))
        one = builders.make_step(practice)
        for _ in range(ROWS // AT_ONCE):
            store.append(steps, [one | {"id": db.new_id()} for _ in range(AT_ONCE)])


def test_the_next_worker_goes_on_where_a_killed_one_was(scene: Scene, application: Flask) -> None:
    many_steps(scene)
    with years_later():
        purge = agreed(scene)
        later = (clock.now() + timedelta(minutes=1)).isoformat()
    draw, seen = Random(7), [left()]
    for _ in range(3):
        with started_worker(FRESHTRAIL_CLOCK=later):
            until(lambda: as_it_is(purge)["state"] != "approved" and left() < seen[-1])
            time.sleep(draw.random() / 50)
        seen.append(left())
    assert as_it_is(purge)["state"] == "running" and seen[-1] > 0, seen
    with started_worker("--once", FRESHTRAIL_CLOCK=later) as worker:
        assert worker.wait(PATIENCE_S) == 0
    assert as_it_is(purge)["state"] == "done"
    assert set(held_of(scene.clinic_id, scene.patient["id"])) == {"care_team"}
    told = application.test_cli_runner().invoke(
        args=["audit", "verify", "--clinic", str(scene.clinic_id)]
    )
    assert told.exit_code == 0, told.output
