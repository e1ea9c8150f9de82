"""Set and setting, and what companions attest behind a link that can do nothing else."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from api import clock, db
from api.access.policies import TABLE, Actor
from api.core import gate
from api.core.patients import open_chart
from api.core.treatment import attestations, settings
from api.core.treatment.sessions import sessions
from api.errors import Conflict, NotAllowed, NotFound, Refusal, Stale, VersionNeeded
from tests import builders, readying
from tests.builders import Scene

SAID = {"name": "Sam Example", "phone": None, "agreed": True}
WORDS: dict[str, Any] = {
    "intention": "To look at it from further away.",
    "set": {"mood": "calm", "sleep": "six hours"},
    "setting": {"place": "Room 2"},
    "people_present": ["Nora", "Tom"],
    "music": "Strings",
    "eyeshade": True,
    "touch_agreement": "hand_only",
    "touch_words": "The left hand, when I ask.",
    "words_worth_keeping": ["It was never mine to carry."],
}


def put(scene: Scene, session: db.Values, version: int = 0, **more: Any) -> db.Values:
    return settings.put_setting(scene["CT"].actor, session["id"], version, WORDS | more)


def link(scene: Scene, session: db.Values, kind: str = "escort") -> db.Values:
    return attestations.make_attestation_link(scene["CT"].actor, session["id"], {"kind": kind})


def bearer(made: db.Values) -> Actor:
    return attestations.bearer_of(made["token"], "r1", "192.0.2.1")


def sign(session: db.Values) -> None:
    """Every owed part of the session's record has its signature."""
    table = sessions
    mine = table.update().where(table.c.id == session["id"])
    db.store().execute(mine.values(signed_at=clock.now()))


def test_set_and_setting_are_put_whole_and_sealed(scene: Scene) -> None:
    session = readying.dosing_session(scene)
    empty = settings.read_setting(scene["CT"].actor, session["id"])
    assert (empty["version"], empty["intention"], empty["people_present"]) == (0, None, [])
    told = put(scene, session)
    assert {name: told[name] for name in WORDS} == WORDS and told["version"] == 1
    with pytest.raises(VersionNeeded):
        put(scene, session)
    with pytest.raises(Stale):
        put(scene, session, 9)
    bare = settings.put_setting(scene["CT"].actor, session["id"], 1, {"music": "Silence"})
    assert (bare["version"], bare["music"], bare["intention"]) == (2, "Silence", None)
    row = db.store().row(select(settings.session_settings))
    assert "Strings" not in str(row) and "Silence" not in str(row)


def test_a_patient_reads_their_part_once_the_record_is_signed(scene: Scene) -> None:
    session = readying.dosing_session(scene, state="completed")
    put(scene, session)
    with pytest.raises(NotFound):
        settings.read_setting(scene["PS"].actor, session["id"])
    sign(session)
    told = settings.read_setting(scene["PS"].actor, session["id"])
    assert told["intention"] == WORDS["intention"]
    assert told["words_worth_keeping"] == WORDS["words_worth_keeping"]
    assert not {"set", "setting", "people_present"} & set(told)
    with pytest.raises(Conflict):
        put(scene, session, version=1)
    with pytest.raises(NotAllowed):
        settings.put_setting(scene["PS"].actor, session["id"], 1, {})
    with pytest.raises(NotFound):
        settings.read_setting(scene["PO"].actor, session["id"])


def test_a_companion_is_told_what_they_attest_and_nothing_of_the_patient(scene: Scene) -> None:
    made = link(scene, readying.dosing_session(scene))
    form = attestations.open_attestation_link(bearer(made))
    assert set(form) == {"kind", "expires_at", "words"} and "Test Clinic" in form["words"]
    assert "Ada" not in str(form) and str(scene.patient["id"]) not in str(form)
    assert timedelta(hours=71) < made["expires_at"] - clock.now() <= timedelta(hours=72)
    kept = db.store().row(select(attestations.attestations))
    assert kept is not None and made["token"] not in str(kept)


def test_an_attestation_is_said_once_with_a_name_that_is_sealed(scene: Scene) -> None:
    session = readying.dosing_session(scene)
    made = link(scene, session)
    told, before = attestations.attest(bearer(made), dict(SAID), None)
    assert (told["kind"], before) == ("escort", False) and told["attested_at"]
    with pytest.raises(NotFound):
        attestations.attest(bearer(made), dict(SAID), None)
    with pytest.raises(NotFound):
        attestations.open_attestation_link(bearer(made))
    [row] = attestations.list_attestations(scene["CT"].actor, session["id"], db.Page()).items
    assert (row["attested"]["name"], row["open"]) == ("Sam Example", False)
    assert "token" not in row and "Sam" not in str(db.store().rows(attestations_rows()))


def attestations_rows() -> Any:
    """The rows as the database has them."""
    return select(attestations.attestations)


def test_the_same_words_under_the_same_key_are_answered_again(scene: Scene) -> None:
    made = link(scene, readying.dosing_session(scene))
    first, _ = attestations.attest(bearer(made), dict(SAID), "k")
    again, before = attestations.attest(bearer(made), dict(SAID), "k")
    assert again == first and before is True
    with pytest.raises(NotFound):
        attestations.attest(bearer(made), SAID | {"name": "Another"}, "k")
    with time_machine.travel(clock.now() + timedelta(hours=25)), pytest.raises(NotFound):
        bearer(made)


def test_a_link_ends_with_its_time_with_the_next_one_and_with_the_record(scene: Scene) -> None:
    session = readying.dosing_session(scene)
    first, other = link(scene, session), link(scene, session, "chaperone")
    second = link(scene, session)
    with pytest.raises(NotFound):
        bearer(first)
    assert bearer(second) and bearer(other)
    with time_machine.travel(clock.now() + timedelta(hours=73)), pytest.raises(NotFound):
        bearer(second)
    with pytest.raises(NotFound):
        attestations.bearer_of("not-a-token", "r1", None)
    sign(session)
    with pytest.raises(Conflict):
        link(scene, session)


@pytest.mark.parametrize("action", sorted(TABLE))
def test_whoever_holds_a_link_reaches_no_chart_by_any_right(scene: Scene, action: str) -> None:
    session = readying.dosing_session(scene)
    holder = bearer(link(scene, session))
    with pytest.raises(Refusal):
        open_chart(holder, action, scene.patient["id"])
    with pytest.raises(Refusal):
        gate.find_in_chart(holder, action, sessions, session["id"])


def test_only_the_care_team_asks_companions_and_not_of_what_was_called_off(scene: Scene) -> None:
    session = readying.dosing_session(scene)
    for name, refusal in (("CN", NotFound), ("PS", NotAllowed), ("CA", NotAllowed)):
        with pytest.raises(refusal):
            attestations.make_attestation_link(scene[name].actor, session["id"], {"kind": "escort"})
    off = readying.dosing_session(scene, state="cancelled")
    with pytest.raises(Conflict):
        link(scene, off)
    assert builders.make_session(scene.patient)


def test_a_link_of_a_session_that_is_signed_or_called_off_attests_nothing(scene: Scene) -> None:
    for state in ("signed", "cancelled"):
        session = readying.dosing_session(scene)
        who = bearer(link(scene, session))
        row = db.store().row(select(sessions).where(sessions.c.id == session["id"]), sessions)
        assert row is not None
        signed = {"state": "completed", "signed_at": clock.now()}
        db.store().change(sessions, row, signed if state == "signed" else {"state": state})
        with pytest.raises(NotFound):
            attestations.attest(who, dict(SAID), None)
