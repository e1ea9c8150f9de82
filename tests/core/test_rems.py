"""The form after esketamine: what the record holds is told, what it does not hold is named."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from api import clock, db
from api.core import worklist
from api.core.clinical_lists import records
from api.core.treatment import rems
from api.core.treatment.rems.deriving import NOTICE
from api.core.treatment.rems.sheet import drawn
from api.core.treatment.rems.wording import LACKING, lacking_words, sections_of
from api.core.treatment.sessions import sessions
from api.errors import Conflict, Invalid, NotAllowed, NotFound
from tests import builders
from tests.builders import Scene
from tests.core import dosing as ledger
from tests.core.dosing import MINUTE, minute

SPRAY = {"medicine": "esketamine", "route": "intranasal", "dose_mg": 28.0, "lot": "A-17"}
SEEN = {"systolic_mmhg": 124, "diastolic_mmhg": 78, "heart_rate_bpm": 72, "spo2_percent": 98}
AWAKE = {"sedation_moaas": 5, "dissociation": 0, "respirations_per_min": 14}
ZONE = "America/Denver"
EVERYTHING = [
    "medications_confirmed",
    "dose",
    "left_at",
    "blood_pressure_before",
    "blood_pressure_about_40_min",
    "blood_pressure_before_leaving",
    "vitals_before",
    "vitals_after",
    "sedation",
    "dissociation",
    "respiratory_depression",
    "would_have_been_ready",
]


def sprayed(scene: Scene, session: db.Values, *after: int, **more: Any) -> list[db.Values]:
    """A device of 28 mg at each of these minutes."""
    return [ledger.dose(scene, session, each, **(SPRAY | more)) for each in after]


def left(session: db.Values, after: int) -> db.Values:
    """The patient has left so many minutes into the session."""
    row = db.store().row(sessions.select().where(sessions.c.id == session["id"]))
    values = {"state": "completed", "completed_at": minute(session, after)}
    assert row is not None
    return db.store().change(sessions, row, values)


def read(scene: Scene, session: db.Values, who: str = "CT") -> db.Values:
    return rems.read_rems_form(scene[who].actor, session["id"])


def confirmed(scene: Scene) -> None:
    records.confirm_medications(scene["CT"].actor, scene.patient["id"], {})


@pytest.fixture
def session(scene: Scene) -> db.Values:
    """A dosing session that began three hours ago."""
    return ledger.under_way(scene)


@pytest.fixture
def whole(scene: Scene, session: db.Values) -> db.Values:
    """One whose record holds all that the form asks for: 56 mg, some dissociation, well again."""
    confirmed(scene)
    ledger.vitals(scene, session, 5, **SEEN)
    sprayed(scene, session, 10, 15)
    risen = SEEN | {"systolic_mmhg": 148, "sedation_moaas": 4, "dissociation": 6}
    ledger.vitals(scene, session, 55, **risen, respirations_per_min=14)
    ledger.vitals(scene, session, 100, **SEEN, **AWAKE)
    ledger.said(scene, session, "phase", 105, {"phase": "return"})
    ledger.vitals(scene, session, 135, **SEEN, **AWAKE)
    left(session, 140)
    return session


def test_a_whole_record_leaves_nothing_missing(scene: Scene, whole: db.Values) -> None:
    form = read(scene, whole)
    assert form["missing"] == [] and form["notice"] == NOTICE
    assert (form["total_mg"], [d["lot"] for d in form["doses"]]) == (56, ["A-17", "A-17"])
    seen = form["observation"]
    assert (seen["minutes"], seen["minutes_after_last_dose"], seen["least_minutes"]) == (
        130,
        125,
        120,
    )
    told = form["blood_pressure"]
    assert [told[n]["systolic_mmhg"] for n in told] == [124, 148, 124]
    assert [told[n]["minutes_after_dose"] for n in told] == [None, 40, 120]
    assert form["vitals_acceptable"] == {"before": True, "after": True}
    assert form["serious_adverse_events"] == []


def test_effects_are_told_from_onset_to_end(scene: Scene, whole: db.Values) -> None:
    form = read(scene, whole)
    for name in ("sedation", "dissociation"):
        told = form["effects"][name]
        assert (told["occurred"], told["onset_min"], told["resolved_min"]) == (True, 45, 90), name
    assert form["effects"]["respiratory_depression"]["occurred"] is False
    ready = form["would_have_been_ready"]
    assert (ready["at"], ready["minutes_after_first_dose"]) == (minute(whole, 105), 95)


def test_what_nobody_wrote_down_is_null_and_named(scene: Scene, session: db.Values) -> None:
    ledger.planned(scene, session, medicine="esketamine", route="intranasal", dose_mg=56.0)
    form = read(scene, session)
    assert form["missing"] == EVERYTHING
    assert (form["given_on"], form["due_on"], form["total_mg"]) == (None, None, None)
    assert {one["taken"] for one in form["concomitant"]} == {None}
    ledger.dose(scene, session, 10, **(SPRAY | {"lot": None}))
    assert "lot" in read(scene, session)["missing"]


def test_no_reading_does_not_mean_no_effect(scene: Scene, session: db.Values) -> None:
    sprayed(scene, session, 10)
    assert read(scene, session)["effects"]["sedation"]["occurred"] is None
    ledger.vitals(scene, session, 5, sedation_moaas=5)
    assert read(scene, session)["effects"]["sedation"]["occurred"] is None, "before the dose"
    ledger.vitals(scene, session, 50, sedation_moaas=5)
    assert read(scene, session)["effects"]["sedation"]["occurred"] is False


def test_an_effect_that_is_not_over_is_missing_its_end(scene: Scene, session: db.Values) -> None:
    sprayed(scene, session, 10)
    ledger.vitals(scene, session, 30, dissociation=7)
    ledger.said(scene, session, "phase", 90, {"phase": "return"})
    form = read(scene, session)
    assert "dissociation_resolved" in form["missing"] and "would_have_been_ready" in form["missing"]
    ledger.vitals(scene, session, 80, dissociation=0)
    assert "dissociation_resolved" not in read(scene, session)["missing"]
    ledger.vitals(scene, session, 85, dissociation=2)
    assert "dissociation_resolved" in read(scene, session)["missing"], "it came back"


def test_an_effect_is_known_by_an_event_too(scene: Scene, session: db.Values) -> None:
    sprayed(scene, session, 10)
    ended = minute(session, 40).isoformat()
    values = {"code": "respiratory_depression", "grade": 2, "resolved_at": ended}
    ledger.said(scene, session, "event", 30, values)
    told = read(scene, session)["effects"]["respiratory_depression"]
    assert (told["occurred"], told["onset_min"], told["resolved_min"]) == (True, 20, 30)


@pytest.mark.parametrize(
    ("reading", "occurred"),
    [
        ({"spo2_percent": 97}, False),
        ({"spo2_percent": 88}, None),
        ({"respirations_per_min": 14}, False),
        ({"respirations_per_min": 8}, True),
        ({"respirations_per_min": 8, "spo2_percent": 88}, True),
    ],
)
def test_of_low_oxygen_alone_a_person_says_what_it_was(
    scene: Scene, session: db.Values, reading: db.Values, occurred: bool | None
) -> None:
    sprayed(scene, session, 10)
    ledger.vitals(scene, session, 40, **reading)
    form = read(scene, session)
    assert form["effects"]["respiratory_depression"]["occurred"] is occurred
    assert ("respiratory_depression" in form["missing"]) == (occurred is None)


def test_vitals_are_acceptable_by_the_newest_reading(scene: Scene, session: db.Values) -> None:
    ledger.vitals(scene, session, 2, systolic_mmhg=168, diastolic_mmhg=92)
    sprayed(scene, session, 10)
    assert read(scene, session)["vitals_acceptable"] == {"before": False, "after": None}
    ledger.vitals(scene, session, 6, systolic_mmhg=136, diastolic_mmhg=82)
    assert read(scene, session)["vitals_acceptable"]["before"] is True
    ledger.vitals(scene, session, 50, systolic_mmhg=190, diastolic_mmhg=96)
    assert read(scene, session)["vitals_acceptable"]["after"] is False


def test_the_three_pressures_are_three_readings(scene: Scene, session: db.Values) -> None:
    sprayed(scene, session, 10)
    ledger.vitals(scene, session, 52, **SEEN)
    told = read(scene, session)["blood_pressure"]
    assert told["about_40_min"]["minutes_after_dose"] == 42
    assert told["before"] is None and told["before_leaving"] is None, "one is not two"
    ledger.vitals(scene, session, 130, **SEEN)
    assert read(scene, session)["blood_pressure"]["before_leaving"]["minutes_after_dose"] == 120


def test_what_was_corrected_is_not_told(scene: Scene, session: db.Values) -> None:
    wrong = sprayed(scene, session, 10, lot="B-99")[0]
    correction = {"corrects_id": wrong["id"], "reason": "Misread."}
    ledger.dose(scene, session, 10, **SPRAY, **correction)
    form = read(scene, session)
    assert ([d["lot"] for d in form["doses"]], form["total_mg"]) == (["A-17"], 28)


@pytest.mark.parametrize(
    ("name", "status", "days", "taken"),
    [
        ("Lorazepam", "active", None, True),
        ("Lorazepam", "held", None, True),
        ("Lorazepam", "stopped", 0, True),
        ("Lorazepam", "stopped", 2, False),
        ("Lorazepam", "entered_in_error", None, False),
        ("Sertraline", "active", None, False),
    ],
)
def test_medicines_taken_on_that_day_are_told_by_class(
    scene: Scene, session: db.Values, name: str, status: str, days: int | None, taken: bool
) -> None:
    sprayed(scene, session, 10)
    confirmed(scene)
    day = minute(session, 10).astimezone(ZoneInfo(ZONE)).date()
    ended = {} if days is None else {"to_on": day - timedelta(days=days)}
    values = {"name": name, "status": status} | ended
    records.record_medication(scene["CT"].actor, scene.patient["id"], values)
    told = {one["drug_class"]: one["taken"] for one in read(scene, session)["concomitant"]}
    assert told["benzodiazepine"] is taken and told["maoi"] is False


def test_serious_events_are_told_and_others_are_not(scene: Scene, session: db.Values) -> None:
    sprayed(scene, session, 10)
    ledger.said(scene, session, "event", 20, {"code": "nausea", "grade": 2})
    serious = {"code": "syncope", "grade": 4, "serious_for": ["life_threatening"]}
    ledger.said(scene, session, "event", 25, serious)
    [told] = read(scene, session)["serious_adverse_events"]
    assert (told["code"], told["serious_for"]) == ("syncope", ["life_threatening"])
    assert told["onset_min"] == 15


def test_another_medicine_has_no_such_form(scene: Scene, session: db.Values) -> None:
    ledger.dose(scene, session, 10)
    other = builders.make_session(scene.patient, scene["CT"])
    for one in (session, other):
        with pytest.raises(Conflict, match="esketamine"):
            read(scene, one)
        with pytest.raises(Conflict, match="esketamine"):
            rems.file_rems_form(scene["CT"].actor, one["id"], {})


def test_a_dose_taken_back_takes_the_form_with_it(scene: Scene, session: db.Values) -> None:
    [given] = sprayed(scene, session, 10)
    assert read(scene, session)["due_on"] is not None
    void = {"corrects_id": given["id"], "reason": "Another patient's."}
    ledger.said(scene, session, "void", 11, void)
    with pytest.raises(Conflict):
        read(scene, session)
    assert _due(scene) == []


def _due(scene: Scene, who: str = "CT") -> list[db.Values]:
    rows = worklist.list_worklist(scene[who].actor, db.Page()).items
    return [r for row in rows for r in row["reasons"] if r["code"] == "rems_form_due"]


def test_the_worklist_asks_for_the_form_until_it_is_filed(scene: Scene, session: db.Values) -> None:
    assert _due(scene) == []
    sprayed(scene, session, 10)
    [told] = _due(scene)
    form = read(scene, session)
    assert told["session_id"] == session["id"] and told["dosed_at"] == minute(session, 10)
    assert form["due_on"] == form["given_on"] + timedelta(days=7)
    last = told["due_at"] - MINUTE
    assert last.astimezone(ZoneInfo(ZONE)).date() == form["due_on"] and not told["overdue"]
    said = {"reference": "Sent by fax"}
    filed = rems.file_rems_form(scene["CT"].actor, session["id"], said)["filed"]
    assert filed["reference"] == "Sent by fax" and filed["filed_by"]["id"] == scene["CT"].user_id
    assert filed["filed_on"] == clock.today(ZONE)
    assert _due(scene) == []


def test_filed_again_the_newest_word_is_told(scene: Scene, whole: db.Values) -> None:
    file = rems.file_rems_form
    file(scene["CT"].actor, whole["id"], {"reference": "1"})
    assert file(scene["CT"].actor, whole["id"], {"reference": "2"})["filed"]["reference"] == "2"
    assert read(scene, whole)["filed"]["reference"] == "2"


@pytest.mark.parametrize("days", [1, -2])
def test_nobody_files_before_the_session_or_ahead(
    scene: Scene, whole: db.Values, days: int
) -> None:
    values = {"filed_on": clock.today(ZONE) + timedelta(days=days)}
    with pytest.raises(Invalid):
        rems.file_rems_form(scene["CT"].actor, whole["id"], values)


def test_nothing_is_filed_while_nothing_was_given(scene: Scene, session: db.Values) -> None:
    ledger.planned(scene, session, medicine="esketamine", route="intranasal", dose_mg=56.0)
    with pytest.raises(Conflict) as refused:
        rems.file_rems_form(scene["CT"].actor, session["id"], {})
    assert refused.value.extras["missing"] == ["dose"]


@pytest.mark.parametrize(
    ("who", "refusal"),
    [
        ("PS", NotAllowed),
        ("CA", NotAllowed),
        ("PR", NotAllowed),
        ("CN", NotFound),
        ("XT", NotFound),
    ],
)
def test_only_the_care_team_reads_and_files_it(
    scene: Scene, whole: db.Values, who: str, refusal: type[Exception]
) -> None:
    for deed in (rems.read_rems_form, rems.draw_rems_form):
        with pytest.raises(refusal):
            deed(scene[who].actor, whole["id"])
    with pytest.raises(refusal):
        rems.file_rems_form(scene[who].actor, whole["id"], {})


def test_the_paper_says_what_the_form_says(scene: Scene, whole: db.Values) -> None:
    form = read(scene, whole)
    said = " | ".join(cell for part in sections_of(form, ZONE) for row in part.rows for cell in row)
    assert "Ada Example" in said and "124 / 78" in said and "148 / 78" in said
    assert LACKING not in said and lacking_words(form) == ""
    assert f"{minute(whole, 10).astimezone(ZoneInfo(ZONE)):%H:%M}" in said


def test_the_paper_is_a_pdf_and_the_same_each_time(scene: Scene, whole: db.Values) -> None:
    paper = rems.draw_rems_form(scene["CT"].actor, whole["id"])
    assert paper.startswith(b"%PDF-") and paper.rstrip().endswith(b"%%EOF")
    assert paper == rems.draw_rems_form(scene["CT"].actor, whole["id"])


@pytest.mark.parametrize(
    "name",
    ["<b>Ada</b> & <font color='x'>", "Łukasz Nguyễn Ωμέγα Иван", "李", "x" * 200, "a\u0301"],
)
def test_whatever_somebody_is_called_it_is_words_on_paper(
    scene: Scene, whole: db.Values, name: str
) -> None:
    form = read(scene, whole)
    form["legal_name"] = {"given": name, "family": name}
    assert drawn(form, ZONE).startswith(b"%PDF-")
