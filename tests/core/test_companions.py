"""Companions: named by the patient or the care team; nobody signs in as one."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from api import db
from api.core import companions, consents, holds
from api.core.companions import companions as table
from api.errors import Conflict, Invalid, NotAllowed, NotFound, Refusal, Stale
from api.paging import Page
from tests.builders import Scene

ROBIN: dict[str, Any] = {"name": "Robin Firn", "roles": ["escort"], "phone": "+1 303 555 0101"}


def name(scene: Scene, by: str = "PS", **more: Any) -> db.Values:
    with db.transaction():
        return companions.add_companion(scene[by].actor, scene.patient["id"], ROBIN | more)


def refused(kind: type[Refusal], call: Any) -> None:
    with pytest.raises(kind), db.transaction():
        call()


def test_the_patient_and_the_care_team_keep_one_list(scene: Scene) -> None:
    made, other = name(scene), name(scene, "CT", name="Kim", relation="friend")
    assert (made["relation"], made["roles"], other["relation"]) == ("other", ["escort"], "friend")
    with db.transaction():
        change = {"phone": None, "note": "Drives a blue car."}
        after = companions.change_companion(scene["CT"].actor, made["id"], 1, change)
    assert (after["version"], after["phone"], after["note"]) == (2, None, "Drives a blue car.")
    refused(Stale, lambda: companions.change_companion(scene["PS"].actor, made["id"], 1, {}))
    with db.transaction():
        companions.remove_companion(scene["PS"].actor, other["id"], None)
    with db.transaction():
        listed = companions.list_companions(scene["CT"].actor, scene.patient["id"], Page()).items
    assert [one["id"] for one in listed] == [made["id"]]


def test_whom_it_does_not_concern_reads_nothing(scene: Scene) -> None:
    made = name(scene)
    for actor in (scene[who].actor for who in ("CN", "PO", "XT")):
        refused(NotFound, partial(companions.read_companion, actor, made["id"]))
    refused(NotAllowed, lambda: companions.read_companion(scene["AY"].actor, made["id"]))
    with db.transaction():
        assert companions.read_companion(scene["PS"].actor, made["id"])["name"] == "Robin Firn"


def test_whether_they_may_be_spoken_with_is_the_consent(scene: Scene) -> None:
    made = name(scene)
    assert made["may_be_spoken_with"] is False
    with db.transaction():
        agreed = {"kind": "companion", "text_version": "1"}
        consent = consents.record_consent(scene["CT"].actor, scene.patient["id"], agreed)
    with db.transaction():
        told = companions.read_companion(scene["CT"].actor, made["id"])
    assert told["may_be_spoken_with"] is True
    with db.transaction():
        consents.withdraw_consent(scene["CT"].actor, consent["id"])
    with db.transaction():
        told = companions.read_companion(scene["CT"].actor, made["id"])
    assert told["may_be_spoken_with"] is False


def test_name_and_numbers_are_sealed_where_they_lie(scene: Scene) -> None:
    made = name(scene, email="robin@post.example", note="A blue car.")
    with db.transaction() as store:
        row = store.row(select(table).where(table.c.id == made["id"]))
    assert row is not None
    words = (ROBIN["name"], ROBIN["phone"], "robin@post.example", "A blue car.")
    assert all(row[column].startswith("v1.") for column in ("name", "phone", "email", "note"))
    for word in words:
        assert word not in str(row)


def test_there_is_an_end_to_the_list_and_a_hold_keeps_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = name(scene)
    monkeypatch.setattr(companions, "MOST", 1)
    refused(Invalid, lambda: name(scene, "CT"))
    with db.transaction():
        holds.place_hold(scene["PR"].actor, scene.patient["id"], {"reason": "A claim."})
    refused(Conflict, lambda: companions.remove_companion(scene["PS"].actor, made["id"], None))
    with db.transaction():
        assert companions.read_companion(scene["PS"].actor, made["id"])["id"] == made["id"]
