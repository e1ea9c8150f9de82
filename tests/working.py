"""A worker that works in some clinics alone: what falls due in those of other tests is not its."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import pytest

from api import worker
from tests.builders import Scene


def only_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on workers of this process find work in the clinics of the scene alone.

    In the database of the tests thousands of clinics have something due, and one piece of it more
    with every minute: without this a worker may take longer than a first retry waits.
    """
    ours = {person.clinic_id for person in scene.people.values()}

    def narrowed(asked: Callable[[Any], Iterable[UUID]]) -> Callable[[Any], list[UUID]]:
        return lambda what: [clinic_id for clinic_id in asked(what) if clinic_id in ours]

    for name in ("_clinics_of", "_clinics_with"):
        monkeypatch.setattr(worker, name, narrowed(getattr(worker, name)))
