"""What a patient reads of their dosing session: once its record is signed, and what stands."""

import pytest
from sqlalchemy import update

from api import clock, db
from api.core.treatment import dosing
from api.core.treatment.sessions import sessions
from api.errors import NotAllowed, NotFound
from tests import builders
from tests.builders import Scene
from tests.core.dosing import dose, minute, said, under_way, vitals


def change(session: db.Values, **values: object) -> None:
    """Let a session be in another state."""
    mine = sessions.c.id == session["id"]
    db.store().execute(update(sessions).where(mine).values(**values))


def sign(session: db.Values) -> None:
    """Every owed part of the record has its signature."""
    change(session, state="completed", completed_at=clock.now(), signed_at=clock.now())


def test_it_is_there_from_the_signature_on_and_gone_while_the_record_is_open(scene: Scene) -> None:
    session = under_way(scene)
    dose(scene, session)
    given = lambda: dosing.read_given(scene["PS"].actor, session["id"])  # noqa: E731
    with pytest.raises(NotFound):
        given()
    change(session, state="completed", completed_at=clock.now())
    with pytest.raises(NotFound):
        given()
    sign(session)
    assert len(given()["doses"]) == 1
    change(session, signed_at=None)
    with pytest.raises(NotFound):
        given()


def test_what_stands_is_told_in_order_of_time_and_nothing_more(scene: Scene) -> None:
    session = under_way(scene)
    late = dose(scene, session, 30, dose_mg=25.0, booster=True, note="Asked for it.")
    slip = dose(scene, session, 10, dose_mg=600.0)
    about = {"corrects_id": slip["id"], "reason": "A nought too many."}
    dose(scene, session, 10, dose_mg=60.0, lot="L7", **about)
    gone = dose(scene, session, 50)
    said(scene, session, "void", 50, {"corrects_id": gone["id"], "reason": "Another patient's."})
    vitals(scene, session, 20, systolic_mmhg=190)
    said(scene, session, "event", 21, {"code": "syncope", "grade": 4})
    said(scene, session, "phase", 40, {"phase": "peak"})
    said(scene, session, "phase", 15, {"phase": "onset"})
    sign(session)
    told = dosing.read_given(scene["PS"].actor, session["id"])
    ketamine = {"medicine": "ketamine", "route": "intramuscular"}
    assert told == {
        "session_id": session["id"],
        "doses": [
            {"given_at": minute(session, 10), "dose_mg": 60.0} | ketamine,
            {"given_at": late["measured_at"], "dose_mg": 25.0} | ketamine,
        ],
        "phases": [
            {"began_at": minute(session, 15), "phase": "onset"},
            {"began_at": minute(session, 40), "phase": "peak"},
        ],
    }


def test_what_comes_after_the_signature_is_not_there_before_it_is_read_and_signed(
    scene: Scene,
) -> None:
    session = under_way(scene)
    dose(scene, session)
    sign(session)
    assert dose(scene, session, 20)["result"] == "as_addendum"
    assert len(dosing.read_given(scene["PS"].actor, session["id"])["doses"]) == 1


def test_it_is_the_patients_alone(scene: Scene) -> None:
    session = under_way(scene)
    sign(session)
    talk = builders.make_session(scene.patient, scene["CT"])
    for who in ("CT", "CA"):
        with pytest.raises(NotAllowed):
            dosing.read_given(scene[who].actor, session["id"])
    for who in ("PO", "XP"):
        with pytest.raises(NotFound):
            dosing.read_given(scene[who].actor, session["id"])
    with pytest.raises(NotFound):
        dosing.read_given(scene["PS"].actor, talk["id"])
