"""Check-ins: answered in parts, scored here, completed once, put right without losing a word."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from api import clock, db
from api.core.outcomes import checkins
from api.core.outcomes.checkins import add_check_in, check_in_corrections, check_ins
from api.core.outcomes.checkins.scored import merged
from api.core.outcomes.instruments.catalogue import catalogue, instrument
from api.core.outcomes.instruments.scoring import BadAnswer, score
from api.core.patients import patients
from api.errors import Conflict, Invalid, NotAllowed, NotFound, Stale
from api.paging import Page
from tests.builders import Scene

PHQ9 = {f"phq9-{n}": 1 for n in range(1, 10)}
CALM = PHQ9 | {"phq9-9": 0}
GAD7 = {f"gad7-{n}": 2 for n in range(1, 8)}


@st.composite
def parts(draw: st.DrawFn) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
    """An instrument, its answers, and the same answers split anyhow and in any order."""
    one = draw(st.sampled_from(list(catalogue().values())))
    answers = {
        item.link_id: draw(st.sampled_from([*sorted(item.values), None]))
        for item in one.items
        if draw(st.booleans())
    }
    left = list(draw(st.permutations(list(answers.items()))))
    pieces = []
    while left:
        size = draw(st.integers(1, len(left)))
        pieces.append(dict(left[:size]))
        left = left[size:]
    return one.key, answers, pieces


@given(parts())
def test_answers_in_any_order_and_any_parts_score_as_in_one_go(
    form: tuple[str, dict[str, Any], list[dict[str, Any]]],
) -> None:
    key, answers, pieces = form
    kept: dict[str, Any] = {}
    for piece in pieces:
        kept = merged(kept, piece)
    assert kept == answers
    assert score(instrument(key), kept) == score(instrument(key), answers)


@given(parts(), st.integers(0, 5))
def test_a_part_that_arrives_twice_changes_nothing(
    form: tuple[str, dict[str, Any], list[dict[str, Any]]], place: int
) -> None:
    _, answers, pieces = form
    again = pieces[place % len(pieces)] if pieces else {}
    assert merged(answers, again) == answers


def log(scene: Scene, who: str = "CT", **more: Any) -> db.Values:
    """A check-in logged by a persona; a whole PHQ-9 unless told otherwise."""
    values = {"instrument": "phq-9", "answers": CALM, **more}
    return checkins.log_checkin(scene[who].actor, scene.patient["id"], values)


def row_of(check_in: db.Values) -> db.Values:
    """The check-in as it is stored."""
    statement = select(check_ins).where(check_ins.c.id == check_in["id"])
    return db.found(db.store().row(statement, opens=check_ins))


def test_a_clinician_is_answered_the_whole_score(scene: Scene) -> None:
    shown = log(scene, complete=True)
    assert shown["scores"] == score(instrument("phq-9"), CALM)
    assert (shown["state"], shown["total"], shown["band"]) == ("complete", 8, "mild")
    assert (shown["source"], shown["answered_by"]) == ("app", "clinician_asked")
    assert shown["recorded_by"]["id"] == scene["CT"].user_id


def test_a_draft_has_a_possible_range_but_no_total_anywhere(scene: Scene) -> None:
    shown = log(scene)
    assert (shown["state"], shown["total"], shown["band"]) == ("draft", None, None)
    scores = shown["scores"]
    assert (scores["total"], scores["band"]) == (None, None)
    assert (scores["min_possible"], scores["max_possible"]) == (8, 8)


def test_answers_in_parts_end_as_in_one_go(scene: Scene) -> None:
    first = log(scene, answers={"phq9-9": 0, "phq9-1": None})
    actor = scene["CT"].actor
    part = {"answers": {name: CALM[name] for name in list(CALM)[:8]}}
    changed = checkins.change_checkin(actor, first["id"], 1, part)
    done = checkins.complete_checkin(scene["CT"].actor, first["id"], {})
    assert (changed["version"], done["version"]) == (2, 3)
    assert done["scores"] == log(scene, complete=True)["scores"]


def test_a_patients_own_answers_in_their_draft_are_not_a_clinicians_to_change(
    scene: Scene,
) -> None:
    first = log(scene, "PS", answers={"phq9-1": None, "phq9-9": 2})
    for lowered in (0, None):
        patch = {"answers": {"phq9-9": lowered, "phq9-2": 1}}
        with pytest.raises(NotAllowed):
            checkins.change_checkin(scene["CT"].actor, first["id"], 1, patch)
    assert row_of(first)["answers"] == {"phq9-1": None, "phq9-9": 2}
    filled = {"answers": {"phq9-1": 1, "phq9-2": 1, "phq9-9": 2}}
    checkins.change_checkin(scene["CT"].actor, first["id"], 1, filled)
    with pytest.raises(NotAllowed):
        lower = {"answers": {"phq9-9": 0}}
        checkins.change_checkin(scene["CT"].actor, first["id"], 2, lower)
    assert "suicidality_item_positive" in row_of(first)["scores"]["flags"]
    checkins.change_checkin(scene["PS"].actor, first["id"], 2, {"answers": {"phq9-9": 1}})
    assert row_of(first)["answers"]["phq9-9"] == 1


def test_what_a_patient_adds_to_a_clinicians_draft_is_theirs_too(scene: Scene) -> None:
    ct, ps = scene["CT"].actor, scene["PS"].actor
    first = log(scene, answers={"phq9-1": 1, "phq9-2": 1})
    checkins.change_checkin(ps, first["id"], 1, {"answers": {"phq9-9": 2, "phq9-3": None}})
    with pytest.raises(NotAllowed):
        checkins.change_checkin(ct, first["id"], 2, {"answers": {"phq9-9": 0}})
    own = {"answers": {"phq9-1": 0, "phq9-3": 1}}
    told = checkins.change_checkin(ct, first["id"], 2, own)
    assert "patients_own" not in told
    checkins.change_checkin(ps, first["id"], 3, {"answers": {"phq9-1": 3}})
    with pytest.raises(NotAllowed):
        checkins.change_checkin(ct, first["id"], 4, {"answers": {"phq9-1": 0}})
    answers = {"phq9-1": 3, "phq9-2": 1, "phq9-3": 1, "phq9-9": 2}
    assert row_of(first)["answers"] == answers


def test_null_is_kept_as_left_open_and_absent_stays_absent(scene: Scene) -> None:
    first = log(scene, answers={"phq9-1": 2, "phq9-2": 3})
    patch = {"answers": {"phq9-1": None}}
    checkins.change_checkin(scene["CT"].actor, first["id"], 1, patch)
    assert row_of(first)["answers"] == {"phq9-1": None, "phq9-2": 3}


def test_a_draft_is_completed_whatever_was_left_open(scene: Scene) -> None:
    first = log(scene, answers={"phq9-1": 2, "phq9-2": None})
    done = checkins.complete_checkin(scene["CT"].actor, first["id"], {})
    assert (done["scores"]["status"], done["total"], done["band"]) == ("incomplete", None, None)
    assert "safety_item_unanswered" in done["scores"]["flags"]


def test_what_is_complete_is_neither_changed_nor_completed_again(scene: Scene) -> None:
    done = log(scene, complete=True)
    for refused in (
        lambda: checkins.change_checkin(scene["CT"].actor, done["id"], 1, {"answers": {}}),
        lambda: checkins.complete_checkin(scene["CT"].actor, done["id"], {}),
    ):
        with pytest.raises(Conflict) as no:
            refused()
        assert no.value.extras == {"state": "complete", "allowed": ["corrections"]}


def test_a_change_meant_for_an_older_version_is_stale(scene: Scene) -> None:
    first = log(scene)
    checkins.change_checkin(scene["CT"].actor, first["id"], 1, {"answers": {"phq9-1": 3}})
    with pytest.raises(Stale):
        checkins.change_checkin(scene["CT"].actor, first["id"], 1, {"answers": {"phq9-1": 0}})
    assert row_of(first)["answers"]["phq9-1"] == 3


@pytest.mark.parametrize(
    ("answers", "pointer"),
    [
        ({"phq9-1": 4}, "/answers/phq9-1"),
        ({"phq9-1": True}, "/answers/phq9-1"),
        ({"phq9-1": "1"}, "/answers/phq9-1"),
        ({"phq9-1": 1.0}, "/answers/phq9-1"),
        ({"a/b~c": 1}, "/answers/a~1b~0c"),
    ],
)
def test_a_wrong_answer_is_pointed_at(scene: Scene, answers: Any, pointer: str) -> None:
    with pytest.raises(Invalid) as no:
        log(scene, answers=answers)
    assert [at for at, _ in no.value.errors] == [pointer]


def test_every_wrong_answer_is_told_and_the_signals_are_not_lost(scene: Scene) -> None:
    with pytest.raises(Invalid) as no:
        log(scene, answers={"phq9-9": 3, "phq9-1": 9, "phq9-2": "x"})
    assert [at for at, _ in no.value.errors] == ["/answers/phq9-1", "/answers/phq9-2"]
    cause = no.value.__cause__
    assert isinstance(cause, BadAnswer)
    assert "suicidality_item_high" in [rule.flag for rule in cause.signals]


def test_an_unknown_instrument_is_pointed_at(scene: Scene) -> None:
    for refused in (
        lambda: log(scene, instrument="phq-99"),
        lambda: checkins.list_checkins(
            scene["CT"].actor, scene.patient["id"], Page(), instrument="phq-99"
        ),
    ):
        with pytest.raises(Invalid) as no:
            refused()
        assert [at for at, _ in no.value.errors] == ["/instrument"]


def test_a_time_ahead_is_refused_and_an_offline_one_keeps_the_patients_day(scene: Scene) -> None:
    with pytest.raises(Invalid) as no:
        log(scene, answered_at=clock.now() + timedelta(hours=1))
    assert [at for at, _ in no.value.errors] == ["/answered_at"]
    night = datetime(2026, 3, 2, 5, 30, tzinfo=UTC)
    assert log(scene, answered_at=night)["answered_on"] == date(2026, 3, 1)


@pytest.mark.parametrize(
    ("who", "asked", "stored"),
    [
        ("PS", None, "patient"),
        ("PS", "patient", "patient"),
        ("PS", "staff_copied", None),
        ("CT", None, "clinician_asked"),
        ("CT", "staff_copied", "staff_copied"),
        ("CT", "patient", None),
    ],
)
def test_who_gave_the_answers_is_told_truly(
    scene: Scene, who: str, asked: str | None, stored: str | None
) -> None:
    more = {} if asked is None else {"answered_by": asked}
    if stored is None:
        with pytest.raises(Invalid) as no:
            log(scene, who, **more)
        assert [at for at, _ in no.value.errors] == ["/answered_by"]
    else:
        assert row_of(log(scene, who, **more))["answered_by"] == stored


def test_a_clinician_who_adds_to_a_patients_draft_is_named_as_asking(scene: Scene) -> None:
    first = log(scene, "PS", answers={"phq9-1": 1})
    later = {"answered_at": clock.now()}
    checkins.change_checkin(scene["CT"].actor, first["id"], 1, later)
    assert row_of(first)["answered_by"] == "patient"
    checkins.change_checkin(scene["CT"].actor, first["id"], 2, {"answers": {"phq9-2": 1}})
    assert row_of(first)["answered_by"] == "clinician_asked"
    checkins.change_checkin(scene["PS"].actor, first["id"], 3, {"answers": {"phq9-3": 1}})
    assert row_of(first)["answered_by"] == "clinician_asked"


def test_a_correction_keeps_what_was_there(scene: Scene) -> None:
    done = log(scene, complete=True)
    put_right = {"answers": {"phq9-1": 3}, "reason": "Misread."}
    after = checkins.correct_checkin(scene["CT"].actor, done["id"], put_right)
    assert (after["version"], after["total"], after["band"]) == (2, 10, "moderate")
    assert after["answers"] == CALM | {"phq9-1": 3}
    c = check_in_corrections.c
    kept = db.found(
        db.store().row(
            select(check_in_corrections).where(c.check_in_id == done["id"]), check_in_corrections
        )
    )
    assert (kept["replaced_version"], kept["former_answers"]) == (1, CALM)
    assert (kept["former_scores"], kept["reason"]) == (done["scores"], "Misread.")
    assert kept["corrected_by"] == scene["CT"].user_id


def test_only_a_clinician_corrects_and_only_what_is_complete(scene: Scene) -> None:
    put_right = {"answers": {"phq9-1": 3}, "reason": "Misread."}
    draft = log(scene)
    with pytest.raises(Conflict) as no:
        checkins.correct_checkin(scene["CT"].actor, draft["id"], put_right)
    assert no.value.extras == {"state": "draft", "allowed": ["change", "complete"]}
    with pytest.raises(NotAllowed):
        checkins.correct_checkin(scene["PS"].actor, draft["id"], put_right)


def test_a_wrong_correction_changes_nothing(scene: Scene) -> None:
    done = log(scene, complete=True)
    with pytest.raises(Invalid):
        wrong = {"answers": {"phq9-1": 7}, "reason": "Misread."}
        checkins.correct_checkin(scene["CT"].actor, done["id"], wrong)
    count = select(func.count().label("n")).where(check_in_corrections.c.check_in_id == done["id"])
    assert db.found(db.store().row(count)) == {"n": 0}
    assert row_of(done)["version"] == 1


def test_what_is_added_by_a_program_is_scored_and_complete(scene: Scene) -> None:
    values = {"instrument": "gad-7", "answers": GAD7, "source": "synthetic"}
    row = add_check_in(scene.clinic_id, scene.patient["id"], values)
    assert (row["state"], row["total"], row["band"]) == ("complete", 14, "moderate")
    assert row["answered_on"] == clock.today("America/Denver")
    assert row_of(row)["answers"] == GAD7


def test_one_day_of_an_import_stands_once(scene: Scene) -> None:
    values = {"instrument": "gad-7", "answers": GAD7, "source": "import"}
    for _ in range(2):
        add_check_in(scene.clinic_id, scene.patient["id"], values)
    add_check_in(scene.clinic_id, scene.patient["id"], values | {"import_system": "old"})
    with pytest.raises(IntegrityError):
        add_check_in(scene.clinic_id, scene.patient["id"], values | {"import_system": "old"})


def test_answers_and_reasons_are_sealed_where_they_lie(scene: Scene) -> None:
    done = log(scene, complete=True)
    put_right = {"answers": {"phq9-1": 3}, "reason": "Misread."}
    checkins.correct_checkin(scene["CT"].actor, done["id"], put_right)
    for table in (check_ins, check_in_corrections):
        [raw] = db.store().rows(select(table).where(table.c.patient_id == scene.patient["id"]))
        lying = " ".join(str(raw.get(n)) for n in ("answers", "former_answers", "reason"))
        assert "phq9" not in lying and "Misread" not in lying


def test_a_list_is_filtered_and_begins_with_the_latest_answered(scene: Scene) -> None:
    old = log(scene, complete=True, answered_at=clock.now() - timedelta(days=9))
    new = log(scene)
    gad = log(scene, instrument="gad-7", answers={}, answered_at=clock.now() - timedelta(days=1))

    def ids(**asked: Any) -> list[Any]:
        listing = checkins.list_checkins(scene["CT"].actor, scene.patient["id"], Page(), **asked)
        return [row["id"] for row in listing.items]

    assert ids() == [new["id"], gad["id"], old["id"]]
    assert ids(instrument="phq-9") == [new["id"], old["id"]]
    assert ids(state="complete") == [old["id"]]
    assert ids(source="import") == []


def test_a_check_in_out_of_reach_looks_like_one_that_is_not_there(scene: Scene) -> None:
    done = log(scene, complete=True)
    words = set()
    for who, there in (("CN", done["id"]), ("PO", done["id"]), ("CT", db.new_id())):
        with pytest.raises(NotFound) as no:
            checkins.read_checkin(scene[who].actor, there)
        words.add(no.value.detail)
    assert len(words) == 1


def test_recorded_by_names_staff_and_never_the_patient(scene: Scene) -> None:
    theirs, actor = log(scene, "PS", complete=True), scene["CT"].actor
    assert checkins.read_checkin(actor, theirs["id"])["recorded_by"] is None
    log(scene, "CT", complete=True)
    listed = checkins.list_checkins(actor, scene.patient["id"], Page()).items
    by = [one["recorded_by"] and one["recorded_by"]["id"] for one in listed]
    assert by == [scene["CT"].user_id, None]


def test_answers_are_not_older_than_the_patient_nor_than_twenty_years(scene: Scene) -> None:
    with db.transaction() as store:
        mine = patients.c.id == scene.patient["id"]
        store.execute(patients.update().where(mine).values(birth_on=date(2020, 1, 31)))
    for at in (datetime(2020, 1, 30, 12, tzinfo=UTC), datetime(1990, 1, 1, tzinfo=UTC)):
        with pytest.raises(Invalid) as refused:
            log(scene, answered_at=at)
        assert [at for at, _ in refused.value.errors] == ["/answered_at"]
    drafted = log(scene, answered_at=datetime(2020, 2, 1, 12, tzinfo=UTC))
    with pytest.raises(Invalid):
        long_ago = {"answered_at": datetime(1999, 1, 1, tzinfo=UTC)}
        checkins.complete_checkin(scene["CT"].actor, drafted["id"], long_ago)
