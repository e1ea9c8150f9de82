"""Allergies, medications and diagnoses: records, lists gone through, and interactions."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from api import clock, db
from api.core.clinical_lists import records
from api.core.clinical_lists.interactions import SEVERITIES, interactions, known
from api.core.clinical_lists.table import LISTS
from api.errors import Invalid, NotAllowed, NotFound, Stale
from tests.builders import Scene

WAYS: dict[str, tuple[Any, ...]] = {
    "allergies": (
        records.record_allergy,
        records.list_allergies,
        records.read_allergy,
        records.change_allergy,
        records.confirm_allergies,
        {"substance": "Latex", "reaction": "Hives"},
    ),
    "medications": (
        records.record_medication,
        records.list_medications,
        records.read_medication,
        records.change_medication,
        records.confirm_medications,
        {"name": "Sertraline", "dose": "50 mg"},
    ),
    "diagnoses": (
        records.record_diagnosis,
        records.list_diagnoses,
        records.read_diagnosis,
        records.change_diagnosis,
        records.confirm_diagnoses,
        {"code": "F33.1"},
    ),
}


@pytest.mark.parametrize("name", WAYS)
def test_an_entry_is_a_record_of_its_own_with_versions(scene: Scene, name: str) -> None:
    record, lists, read, change, _, values = WAYS[name]
    who, patient_id = scene["CT"].actor, scene.patient["id"]
    made = record(who, patient_id, dict(values))
    assert (made["version"], made["status"]) == (1, "active")
    ended = change(scene["CT"].actor, made["id"], 1, {"status": "entered_in_error"})
    assert (ended["version"], ended["status"]) == (2, "entered_in_error")
    with pytest.raises(Stale):
        change(scene["CT"].actor, made["id"], 1, {"note": "x"})
    assert read(scene["PS"].actor, made["id"])["version"] == 2
    listed = lists(scene["CT"].actor, patient_id, db.Page(), status="active")
    assert listed.items == []
    row = db.store().row(LISTS[name].select().where(LISTS[name].c.id == made["id"]))
    assert all(str(said) not in str(row) for said in values.values())


@pytest.mark.parametrize("name", WAYS)
def test_a_list_says_when_somebody_last_went_through_it(scene: Scene, name: str) -> None:
    _, lists, _, _, confirm, _ = WAYS[name]
    who, patient_id = scene["CT"].actor, scene.patient["id"]
    assert lists(who, patient_id, db.Page()).beside == {"confirmed_on": None, "confirmed_by": None}
    today = clock.today(scene.patient["time_zone"])
    confirm(scene["CT"].actor, patient_id, {"confirmed_on": today - timedelta(days=9)})
    told = confirm(scene["CT"].actor, patient_id, {})
    assert told["confirmed_on"] == today and told["confirmed_by"]["id"] == scene["CT"].user_id
    beside = lists(scene["CT"].actor, patient_id, db.Page()).beside
    assert beside is not None and beside["confirmed_on"] == today
    with pytest.raises(Invalid):
        confirm(scene["CT"].actor, patient_id, {"confirmed_on": today + timedelta(days=1)})
    other = next(each for each in WAYS if each != name)
    assert WAYS[other][1](scene["CT"].actor, patient_id, db.Page()).beside["confirmed_on"] is None


@pytest.mark.parametrize("name", WAYS)
def test_a_patient_reads_their_lists_and_the_care_team_writes_them(scene: Scene, name: str) -> None:
    record, lists, read, _, _, values = WAYS[name]
    made = record(scene["CT"].actor, scene.patient["id"], dict(values))
    assert len(lists(scene["PS"].actor, scene.patient["id"], db.Page()).items) == 1
    with pytest.raises(NotAllowed):
        record(scene["PS"].actor, scene.patient["id"], dict(values))
    for persona, refusal in (("CN", NotFound), ("PO", NotFound), ("CA", NotAllowed)):
        with pytest.raises(refusal):
            read(scene[persona].actor, made["id"])


def test_what_ends_does_not_end_before_it_began(scene: Scene) -> None:
    values = {"name": "Lamotrigine", "from_on": date(2026, 3, 1), "to_on": date(2026, 2, 1)}
    with pytest.raises(Invalid):
        records.record_medication(scene["CT"].actor, scene.patient["id"], values)


NAMES = [name for rule in known().rules for name in rule.names]
MEDICATIONS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.uuids(),
            "name": st.sampled_from([*NAMES, "water", "Sertraline 50 mg", "LORAZEPAM (Ativan)"]),
            "drug_class": st.none() | st.sampled_from([rule.code for rule in known().rules]),
        }
    ),
    max_size=5,
)


@given(MEDICATIONS)
def test_every_name_of_the_data_is_found_and_the_heaviest_comes_first(rows: list[Any]) -> None:
    found = interactions(rows, [])
    weights = [SEVERITIES.index(one["severity"]) for one in found]
    assert weights == sorted(weights)
    for row in rows:
        mine = {one["code"] for one in found if one["record_id"] == row["id"]}
        if row["drug_class"] is not None:
            assert row["drug_class"] in mine
        if row["name"] in NAMES:
            assert mine
        if row["name"] == "water" and row["drug_class"] is None:
            assert not mine
    assert interactions([*rows, *rows], []) != found or not found


def test_an_allergy_to_the_medicine_is_a_contraindication() -> None:
    rows: list[Any] = [{"id": 1, "substance": "S-Ketamine"}, {"id": 2, "substance": "Latex"}]
    [told] = interactions([], rows)
    assert (told["severity"], told["record_id"]) == ("contraindicated", 1)
