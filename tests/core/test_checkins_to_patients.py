"""What patients are answered to a check-in: kind words, help where it matters, never a flag."""

from typing import Any

import pytest

from api import db
from api.access.users import clinics
from api.core.clinic import crisis_for
from api.core.outcomes import checkins
from api.core.patients import patients
from api.errors import Conflict
from api.paging import Page
from tests.builders import Scene

PHQ9 = {f"phq9-{n}": 1 for n in range(1, 10)}
CALM = PHQ9 | {"phq9-9": 0}
GAD7 = {f"gad7-{n}": 2 for n in range(1, 8)}
UNKIND = ("late", "missed", "overdue", "deterioration", "no_show", "weight", "%", "streak")


def log(scene: Scene, who: str = "PS", **more: Any) -> db.Values:
    """A check-in logged by a persona; a whole PHQ-9 unless told otherwise."""
    values = {"instrument": "phq-9", "answers": CALM, **more}
    return checkins.log_checkin(scene[who].actor, scene.patient["id"], values)


def test_a_patient_who_writes_is_answered_words_and_no_number(scene: Scene) -> None:
    first = log(scene)
    done = checkins.complete_checkin(scene["PS"].actor, first["id"], {})
    for said, state in ((first, "draft"), (done, "complete")):
        assert set(said) == {"id", "version", "state", "words", "reading"}
        assert (said["state"], said["reading"]["by"]) == (state, "care_team")


def test_a_patient_reads_their_total_and_no_flag(scene: Scene) -> None:
    log(scene, complete=True)
    [read] = checkins.list_checkins(scene["PS"].actor, scene.patient["id"], Page()).items
    assert read == checkins.read_checkin(scene["PS"].actor, read["id"])
    assert (read["total"], read["band"], read["answers"]) == (8, "mild", CALM)
    assert not {"scores", "flags", "crisis", "import_system", "recorded_by"} & set(read)


@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize("answer", [1, 2, 3])
def test_an_answer_that_matters_brings_help_at_once(
    scene: Scene, complete: bool, answer: int
) -> None:
    said = log(scene, answers={"phq9-9": answer}, complete=complete)
    assert next(iter(said)) == "crisis"
    assert said["crisis"]["emergency"] == "911"
    assert said["words"].startswith("Thank you for telling us.")
    assert "Please call Test Clinic or 988" in said["words"]
    assert "can't promise that someone has seen this" in said["words"]
    read = checkins.read_checkin(scene["PS"].actor, said["id"])
    assert (read["crisis"], read["words"]) == (said["crisis"], said["words"])


def test_a_safety_question_not_reached_brings_help_only_once_complete(scene: Scene) -> None:
    first = log(scene, answers={"phq9-1": 1})
    assert "crisis" not in first
    done = checkins.complete_checkin(scene["PS"].actor, first["id"], {})
    assert done["crisis"]["emergency"] == "911"
    assert "told us" not in done["words"] and "fine" not in done["words"]


def test_a_calm_check_in_brings_no_crisis_words(scene: Scene) -> None:
    for instrument_key, answers in (("phq-9", CALM), ("gad-7", GAD7)):
        said = log(scene, instrument=instrument_key, answers=answers, complete=True)
        assert "crisis" not in said


def test_what_patients_read_is_kind(scene: Scene) -> None:
    for answers in ({}, CALM, PHQ9):
        for complete in (False, True):
            said = log(scene, answers=answers, complete=complete)
            assert [word for word in UNKIND if word in said["words"].lower().split()] == []
            assert "{" not in said["words"]


def test_the_crisis_resources_are_those_of_the_clinic_in_the_patients_locale(scene: Scene) -> None:
    there = {
        "en-US": {"emergency": "911", "review_on": "2027-01-01"},
        "es-US": {"emergency": "911", "line": "Línea 988", "phone": "555", "review_on": None},
    }
    mine = clinics.c.id == scene.clinic_id
    db.store().execute(clinics.update().where(mine).values(crisis_resources=there))
    db.store().execute(
        patients.update().where(patients.c.id == scene.patient["id"]).values(locale="es-MX")
    )
    said = log(scene, answers=PHQ9)
    assert (said["crisis"]["line"], said["crisis"]["text"]) == ("Línea 988", None)
    assert "Test Clinic (555) or Línea 988" in said["words"]


def test_who_is_discharged_is_told_that_nobody_reads(scene: Scene) -> None:
    mine = patients.c.id == scene.patient["id"]
    db.store().execute(patients.update().where(mine).values(status="discharged"))
    assert log(scene)["reading"]["by"] == "nobody"


def test_an_instrument_without_words_is_not_put_to_a_patient(scene: Scene) -> None:
    who5 = {f"who5-{n}": 3 for n in range(1, 6)}
    with pytest.raises(Conflict) as no:
        log(scene, instrument="who-5", answers=who5)
    assert no.value.extras["reason"] == "instrument_text_missing"
    assert no.value.extras["missing"] == ["instrument_text"]
    assert log(scene, "CT", instrument="who-5", answers=who5, complete=True)["total"] == 60


@pytest.mark.parametrize(
    ("there", "locale", "emergency"),
    [
        (["en-GB"], "en-US", "911"),
        (["en-GB"], "es-US", "911"),
        (["en-GB", "de-GB"], "cy-GB", "de-GB"),
        (["en-GB", "fr-CA"], "en-CA", "fr-CA"),
        (["en-GB"], "en-AU", "en-GB"),
        (["en-GB"], "en", "en-GB"),
        ([], "en-AU", "911"),
    ],
)
def test_help_is_of_the_patients_own_region_where_there_is_any(
    scene: Scene, there: list[str], locale: str, emergency: str
) -> None:
    resources = {each: {"emergency": each, "review_on": "2027-01-01"} for each in there}
    mine = clinics.c.id == scene.clinic_id
    db.store().execute(clinics.update().where(mine).values(crisis_resources=resources))
    assert crisis_for(scene.clinic_id, locale)[1]["emergency"] == emergency
