"""Sessions: who books, who is free, what a move does, and what it opens and closes."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from api import clock, db
from api.core import consents, gate, readiness
from api.core.treatment import moves, sessions
from api.core.treatment.sessions.table import sessions as table
from api.errors import Conflict, Invalid, NotAllowed, NotFound, NotSignedIn, Stale
from tests import builders
from tests.builders import Scene

HOUR = timedelta(hours=1)
REASONS = {"cancel": "patient_asked", "no-show": "did_not_come"}
MOVES = {
    "arrive": sessions.arrive_session,
    "start": readiness.start_session,
    "complete": readiness.complete_session,
    "cancel": sessions.cancel_session,
    "no-show": sessions.mark_no_show,
    "reopen": sessions.reopen_session,
}


def booking(scene: Scene, *names: str, hours: float = 48, **more: Any) -> dict[str, Any]:
    """The values of a booking that begins so many hours from now."""
    starts_at = clock.now() + timedelta(hours=hours)
    values = {
        "kind": "preparation",
        "mode": "in_person",
        "starts_at": starts_at,
        "ends_at": starts_at + HOUR,
        "clinician_ids": [scene[name].user_id for name in names or ("CT",)],
    }
    return values | more


def book(scene: Scene, *names: str, **more: Any) -> db.Values:
    """A session of the scene's patient, booked by their therapist."""
    values = booking(scene, *names, **more)
    return sessions.book_session(scene["CT"].actor, scene.patient["id"], values)


def move(scene: Scene, session: db.Values, name: str, persona: str = "CT", **values: Any) -> Any:
    """One move; with a fitting reason where one is needed."""
    given = {"reason": REASONS[name]} if name in REASONS else {}
    return MOVES[name](scene[persona].actor, session["id"], given | values)


def test_a_booked_session_names_its_patient_its_clinicians_in_order_and_its_moves(
    scene: Scene,
) -> None:
    made = book(scene, "CN", "CT", room=" Room  2 ", also_covered=["integration"])
    assert made["room"] == "Room 2" and made["also_covered"] == ["integration"]
    assert made["patient"] == {"id": scene.patient["id"], "display_name": "Ada Example"}
    assert [c["id"] for c in made["clinicians"]] == [scene["CN"].user_id, scene["CT"].user_id]
    assert (made["state"], made["allowed"]) == ("scheduled", ["arrive", "cancel", "no-show"])
    assert sessions.read_session(scene["CT"].actor, made["id"]) == made


def test_a_patient_sees_the_booking_and_may_only_call_it_off(scene: Scene) -> None:
    made = book(scene, preparation="Eat lightly.")
    seen = sessions.read_session(scene["PS"].actor, made["id"])
    assert (seen["preparation"], seen["allowed"]) == ("Eat lightly.", ["cancel"])
    assert not {"also_covered", "reason", "arrived_at", "moved_at"} & set(seen)
    move(scene, made, "arrive")
    assert sessions.read_session(scene["PS"].actor, made["id"])["allowed"] == []
    with pytest.raises(Conflict) as refused:
        move(scene, made, "cancel", "PS")
    assert refused.value.extras == {"state": "arrived", "allowed": []}


def test_a_patient_reads_no_word_of_blame_where_they_did_not_come(scene: Scene) -> None:
    made = book(scene)
    move(scene, made, "no-show")
    seen = sessions.read_session(scene["PS"].actor, made["id"])
    assert seen["state"] == "not_held" and "no_show" not in str(seen)
    assert sessions.read_session(scene["CA"].actor, made["id"])["state"] == "no_show"
    with pytest.raises(Conflict) as refused:
        move(scene, made, "cancel", "PS")
    assert refused.value.extras["state"] == "not_held"


def test_only_the_care_team_and_administrators_book(scene: Scene) -> None:
    mine = scene.patient["id"]
    assert sessions.book_session(scene["CA"].actor, mine, booking(scene, "CN", hours=2))
    with pytest.raises(NotAllowed):
        sessions.book_session(scene["PS"].actor, mine, booking(scene))
    with pytest.raises(NotAllowed, match="care team"):  # CN reaches the chart by duty alone
        sessions.book_session(scene["CN"].actor, mine, booking(scene, "CN"))
    with pytest.raises(NotFound):
        sessions.book_session(scene["CN"].actor, scene.other_patient["id"], booking(scene, "CN"))


def test_nobody_prolongs_their_own_duty(scene: Scene) -> None:
    made, actor = book(scene, "CN", hours=2), scene["CN"].actor
    later = {"starts_at": made["starts_at"] + HOUR, "ends_at": made["ends_at"] + HOUR}
    for values in (later, {"clinician_ids": [scene["CN"].user_id]}):
        with pytest.raises(NotAllowed):
            sessions.change_session(actor, made["id"], 1, values)
    assert sessions.change_session(actor, made["id"], 1, {"room": "Room 3"})["version"] == 2


def test_duty_opens_the_chart_around_the_session_and_ends_with_it(scene: Scene) -> None:
    def reaches() -> bool:
        return gate.still_reaches(scene["CN"].actor, "session:read", scene.patient["id"])

    made = book(scene, "CT", "CN", hours=30)
    assert not reaches()
    day = booking(scene, hours=20)
    times = {name: day[name] for name in ("starts_at", "ends_at")}
    made = sessions.change_session(scene["CT"].actor, made["id"], 1, times)
    assert reaches()
    move(scene, made, "cancel")
    assert not reaches()
    assert len(sessions.read_session(scene["CT"].actor, made["id"])["clinicians"]) == 2
    made = move(scene, made, "reopen")
    assert reaches()
    only = {"clinician_ids": [scene["CT"].user_id]}
    sessions.change_session(scene["CT"].actor, made["id"], made["version"], only)
    assert not reaches()


def test_a_session_long_past_opens_nothing(scene: Scene) -> None:
    book(scene, "CN", hours=-74)
    assert not gate.still_reaches(scene["CN"].actor, "session:read", scene.patient["id"])
    book(scene, "CN", hours=-72)
    assert gate.still_reaches(scene["CN"].actor, "session:read", scene.patient["id"])


@pytest.mark.parametrize("names", [("PS",), ("CA",), ("XT",), ("CT", "CT"), ()])
def test_only_active_clinicians_of_the_clinic_are_named_each_once(
    scene: Scene, names: tuple[str, ...]
) -> None:
    ids = [scene[name].user_id for name in names]
    with pytest.raises(Invalid) as refused:
        book(scene, clinician_ids=ids)
    assert refused.value.errors[0][0] == "/clinician_ids"


def test_a_disabled_clinician_is_not_booked(scene: Scene) -> None:
    disabled = builders.make_person(scene.clinic_id, disabled_at=clock.now())
    for who in (disabled.user_id, uuid4()):
        with pytest.raises(Invalid):
            book(scene, clinician_ids=[scene["CT"].user_id, who])


@pytest.mark.parametrize("length", [timedelta(0), -HOUR, timedelta(hours=24, seconds=1)])
def test_a_session_ends_after_it_starts_and_within_a_day(scene: Scene, length: timedelta) -> None:
    starts_at = clock.now()
    with pytest.raises(Invalid):
        book(scene, starts_at=starts_at, ends_at=starts_at + length)


def test_a_booking_is_changed_until_it_begins(scene: Scene) -> None:
    made, actor = book(scene), scene["CT"].actor
    made = sessions.change_session(actor, made["id"], 1, {"mode": "telehealth", "room": None})
    assert (made["mode"], made["version"]) == ("telehealth", 2)
    with pytest.raises(Stale):
        sessions.change_session(actor, made["id"], 1, {"room": "Room 1"})
    with pytest.raises(Invalid):
        sessions.change_session(actor, made["id"], 2, {"ends_at": made["starts_at"]})
    move(scene, made, "arrive")
    made = sessions.change_session(actor, made["id"], 3, {"room": "Room 1"})
    made = move(scene, made, "start")
    with pytest.raises(Conflict) as refused:
        sessions.change_session(actor, made["id"], made["version"], {"room": "Room 2"})
    assert refused.value.extras == {"state": "in_progress", "allowed": ["complete"]}


def test_a_session_that_moves_asks_whether_everybody_is_free(scene: Scene) -> None:
    first, second = book(scene), book(scene, hours=50)
    times = {name: first[name] for name in ("starts_at", "ends_at")}
    with pytest.raises(Conflict):
        sessions.change_session(scene["CT"].actor, second["id"], 1, times)
    within = {"ends_at": second["ends_at"] - HOUR / 2}
    assert sessions.change_session(scene["CT"].actor, second["id"], 1, within)


def test_a_move_happened_by_now_and_not_before_the_last_one(scene: Scene) -> None:
    made, now = book(scene, hours=-24), clock.now()
    for at in (now + HOUR,):
        with pytest.raises(Invalid):
            move(scene, made, "arrive", at=at)
    made = move(scene, made, "arrive", at=now - 24 * HOUR)
    with pytest.raises(Invalid):
        move(scene, made, "start", at=now - 25 * HOUR)
    made = move(scene, made, "start", at=now - 24 * HOUR)
    made = move(scene, made, "complete", at=now - 23 * HOUR)
    assert made["completed_at"] == now - 23 * HOUR and made["allowed"] == ["reopen"]
    made = move(scene, made, "reopen")
    assert (made["state"], made["completed_at"]) == ("in_progress", None)


def test_calling_off_needs_a_reason_of_its_own_list(scene: Scene) -> None:
    made = book(scene)
    for name in ("cancel", "no-show"):
        for reason in (None, "because", "as_planned"):
            with pytest.raises(Invalid):
                move(scene, made, name, reason=reason)
    move(scene, made, "cancel")
    with pytest.raises(Conflict):  # what is not open is said before a reason is asked for
        move(scene, made, "cancel", reason=None)


def test_a_dose_starts_only_after_a_fresh_sign_in(scene: Scene) -> None:
    dosing = move(scene, book(scene, kind="dosing"), "arrive")
    plain = move(scene, book(scene, hours=60), "arrive")
    builders.let_sign_in_age(scene["CT"])
    with pytest.raises(NotSignedIn) as refused:
        move(scene, dosing, "start")
    assert refused.value.error == "insufficient_user_authentication"
    assert move(scene, plain, "start")["state"] == "in_progress"


@pytest.mark.parametrize("seed", range(6))
def test_what_is_allowed_is_exactly_what_succeeds(scene: Scene, seed: int) -> None:
    chance = random.Random(seed)
    made = book(scene, "CT", "CN", kind=chance.choice(["dosing", "intake"]), hours=2)
    for _ in range(12):
        persona = chance.choice(["CT", "CN", "CA", "PS"])
        name = chance.choice(list(MOVES))
        try:
            seen = sessions.read_session(scene[persona].actor, made["id"])["allowed"]
        except NotFound:
            assert persona == "CN"
            continue
        try:
            move(scene, made, name, persona)
            assert name in seen
        except (Conflict, NotAllowed) as refused:
            assert name not in seen
            assert refused.extras.get("allowed", seen) == seen
        row = db.store().row(db_row(made))
        assert row is not None and row["state"] in moves.STATES


def db_row(session: db.Values) -> Any:
    """The select of one session's row."""
    return table.select().where(table.c.id == session["id"])


def consented(scene: Scene, kind: str = "treatment", **more: Any) -> db.Values:
    values = {"kind": kind, "text_version": "1"} | more
    return consents.record_consent(scene["CT"].actor, scene.patient["id"], values)


def refused_for_consent(deed: Callable[[], Any]) -> None:
    with pytest.raises(Conflict) as refused:
        deed()
    assert refused.value.extras == {"missing": ["consent_treatment"]}


def test_no_dose_is_booked_ahead_for_whoever_withdrew_their_consent(scene: Scene) -> None:
    assert book(scene, kind="dosing", hours=24)  # none was given yet: it is asked for before
    given = consented(scene)
    assert book(scene, kind="dosing", hours=30)
    consents.withdraw_consent(scene["PS"].actor, given["id"])
    refused_for_consent(lambda: book(scene, kind="dosing"))
    values = booking(scene, kind="dosing")
    refused_for_consent(
        lambda: sessions.book_session(scene["CA"].actor, scene.patient["id"], values)
    )
    assert book(scene, hours=52) and book(scene, kind="dosing", hours=-9)
    consented(scene)
    assert book(scene, kind="dosing")


def test_another_consent_withdrawn_keeps_nobody_from_booking(scene: Scene) -> None:
    for kind in ("research", "off_label_medicine"):
        consents.withdraw_consent(scene["PS"].actor, consented(scene, kind)["id"])
    consented(scene)
    consented(scene, text_version="2")  # the first is superseded, not withdrawn
    assert book(scene, kind="dosing")


def test_no_dose_is_moved_ahead_nor_made_of_another_session_after_that(scene: Scene) -> None:
    made, talk, given = book(scene, kind="dosing"), book(scene, hours=72), consented(scene)
    off = move(scene, book(scene, kind="dosing", hours=96), "cancel")
    consents.withdraw_consent(scene["PS"].actor, given["id"])
    later = {"starts_at": made["starts_at"] + HOUR, "ends_at": made["ends_at"] + HOUR}
    before = {"starts_at": clock.now() - 3 * HOUR, "ends_at": clock.now() - HOUR}
    actor = scene["CT"].actor
    refused_for_consent(lambda: sessions.change_session(actor, made["id"], 1, later))
    refused_for_consent(lambda: sessions.change_session(actor, talk["id"], 1, {"kind": "dosing"}))
    refused_for_consent(lambda: move(scene, off, "reopen"))
    assert sessions.change_session(actor, made["id"], 1, {"room": "Room 3"})["version"] == 2
    assert sessions.change_session(actor, made["id"], 2, before)["version"] == 3
