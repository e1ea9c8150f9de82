"""A clinic's own instruments and wordings: on what licence, in which version, for whom."""

import copy
from datetime import timedelta
from typing import Any

import pytest

from api import clock, db
from api.access.policies import Role
from api.core.outcomes import checkins
from api.core.outcomes.checkins import add_check_in
from api.core.outcomes.instruments import licensing, showing
from api.core.outcomes.instruments.shelf import find_instrument, titles
from api.core.outcomes.series import read_outcomes
from api.core.patients import patients
from api.errors import Conflict, Invalid, NotAllowed, NotFound, Stale
from api.paging import Page
from api.v1.instruments import EXAMPLE
from tests import builders
from tests.builders import Person, Scene

LICENCE = {"licence_statement": "Bought in 2026.", "holder": "Press", "expires_on": None}
WHO5 = [{"link_id": f"who5-{n}", "text": f"Words {n}"} for n in range(1, 6)]
EASY = {"ease-1": 2, "ease-2": 2}
ONE_EASY = {"at_least": {"ease-1": 1}, "from": 1, "to": 1}


def own(version: str = "1.0.0", **more: Any) -> dict[str, Any]:
    """A definition of the clinic's own, with its licence."""
    sent = copy.deepcopy(EXAMPLE)
    return sent | {"definition": {**sent["definition"], "version": version, **more}}


def define(scene: Scene, *more: Any, who: str = "CA", **changes: Any) -> db.Values:
    return licensing.define_instrument(scene[who].actor, own(*more, **changes))


def wording(items: list[dict[str, Any]] = WHO5, **more: Any) -> dict[str, Any]:
    return {"items": items, **LICENCE, **more}


def director(scene: Scene) -> Person:
    return builders.make_person(scene.clinic_id, Role.CLINICIAN, privileges=["direct"])


def test_an_administrator_and_who_directs_may_define_and_nobody_else(scene: Scene) -> None:
    assert define(scene)["is_own"]
    by = director(scene).actor
    assert licensing.define_instrument(by, own("1.1.0"))["version"] == "1.1.0"
    for who in ("PS", "CT", "PR", "AY"):
        with pytest.raises(NotAllowed):
            define(scene, "2.0.0", who=who)
        with pytest.raises(NotAllowed):
            licensing.license_text(scene[who].actor, "who-5", None, wording())


def test_an_own_instrument_is_this_clinics_alone(scene: Scene) -> None:
    define(scene)
    assert "own-ease" in [
        one["key"] for one in showing.list_instruments(scene["PS"].actor, Page(100)).items
    ]
    read = showing.read_instrument(scene["CT"].actor, "own-ease")
    assert (read["title"], read["licence"]["holder"]) == ("Ease of the day", "Example Clinic")
    for who in ("XT", "XA", "XP"):
        with pytest.raises(NotFound):
            showing.read_instrument(scene[who].actor, "own-ease")


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"scoring": {"method": "sum", "range": [0, 5], "missing": {}}}, "/definition/scoring"),
        ({"bands": [{"code": "all", "min": 0, "max": 3}]}, "/definition/bands"),
        ({"anything": 1}, "/definition"),
        ({"derived": [{"code": "x", "all_of": [ONE_EASY]}]}, "/definition/derived/0/shown_as"),
    ],
)
def test_a_definition_that_does_not_fit_is_refused_at_its_place(
    scene: Scene, changes: dict[str, Any], at: str
) -> None:
    with pytest.raises(Invalid) as no:
        define(scene, **changes)
    assert no.value.errors[0][0].startswith(at)


def test_a_shipped_key_and_a_version_that_is_not_newer_are_refused(scene: Scene) -> None:
    with pytest.raises(Conflict, match="shipped"):
        define(scene, key="phq-9")
    define(scene, "1.9.0")
    for version in ("1.9.0", "1.8.9"):
        with pytest.raises(Conflict) as no:
            define(scene, version)
        assert no.value.extras == {"reason": "version_is_not_newer", "version": "1.9.0"}
    assert define(scene, "1.10.0")["versions"][-1]["version"] == "1.10.0"


def harder(version: str) -> dict[str, Any]:
    """What makes the second version: more options, and items of other names."""
    changed = own(version)["definition"]
    changed["answer_lists"]["ease"]["options"].append({"value": 3, "label": "Flowing"})
    for item in changed["items"]:
        item["link_id"] = item["link_id"].replace("ease", "flow")
    changed["scoring"]["range"] = [0, 6]
    changed["bands"][-1]["max"] = 6
    return {name: changed[name] for name in ("answer_lists", "items", "scoring", "bands")}


def test_answers_are_scored_for_ever_by_the_version_they_were_given_to(scene: Scene) -> None:
    define(scene)
    by, patient_id = scene["CT"].actor, scene.patient["id"]
    draft = checkins.log_checkin(by, patient_id, {"instrument": "own-ease", "answers": EASY})
    kept = checkins.log_checkin(
        scene["PS"].actor, patient_id, {"instrument": "own-ease", "answers": EASY, "complete": True}
    )
    define(scene, "2.0.0", **harder("2.0.0"))
    more = checkins.change_checkin(by, draft["id"], 1, {"answers": {"ease-1": 1}})
    assert (more["instrument_version"], more["scores"]["max_possible"]) == ("1.0.0", 3)
    done = checkins.complete_checkin(by, draft["id"], {})
    put_right = {"answers": {"ease-2": 0}, "reason": "Misread."}
    right = checkins.correct_checkin(by, kept["id"], put_right)
    assert [(one["instrument_version"], one["total"]) for one in (done, right)] == [
        ("1.0.0", 3),
        ("1.0.0", 2),
    ]
    with pytest.raises(Invalid):
        checkins.log_checkin(by, patient_id, {"instrument": "own-ease", "answers": EASY})
    flowing = {"instrument": "own-ease", "answers": {"flow-1": 3, "flow-2": 3}, "complete": True}
    new = checkins.log_checkin(by, patient_id, flowing)
    assert (new["instrument_version"], new["total"], new["band"]) == ("2.0.0", 6, "easy")
    old = showing.read_instrument(by, "own-ease", "1.0.0")
    assert [item["link_id"] for item in old["items"]] == ["ease-1", "ease-2"]
    assert [one["version"] for one in old["versions"]] == ["1.0.0", "2.0.0"]


def test_an_own_instrument_has_a_series_like_any_other(scene: Scene) -> None:
    define(scene)
    add_check_in(scene.clinic_id, scene.patient["id"], {"instrument": "own-ease", "answers": EASY})
    read = read_outcomes(scene["CT"].actor, scene.patient["id"], "own-ease")
    assert (read["title"], read["series"][0]["total"]) == ("Ease of the day", 4)
    assert titles(scene.clinic_id, ["own-ease", "gad-7"])["own-ease"] == "Ease of the day"


def test_a_mean_keeps_its_decimals_in_the_database(scene: Scene) -> None:
    answers = {"srbai-1": 5, "srbai-2": 5, "srbai-3": 6, "srbai-4": 5}
    values = {"instrument": "srbai", "answers": answers}
    row = add_check_in(scene.clinic_id, scene.patient["id"], values)
    read = checkins.read_checkin(scene["CT"].actor, row["id"])
    assert (read["total"], read["band"], read["scores"]["total"]) == (5.25, "familiar", 5.25)
    seven = dict.fromkeys(answers, 7)
    whole = add_check_in(scene.clinic_id, scene.patient["id"], values | {"answers": seven})
    total = checkins.read_checkin(scene["CT"].actor, whole["id"])["total"]
    assert (total, type(total)) == (7, int)


@pytest.mark.parametrize(("sex", "band"), [("male", "negative"), ("female", "positive")])
def test_a_cut_off_by_sex_is_read_off_the_chart(scene: Scene, sex: str, band: str) -> None:
    with db.transaction() as store:
        store.change(patients, scene.patient, {"sex_at_birth": sex})
    values = {"instrument": "audit-c", "answers": {f"auditc-{n}": 1 for n in (1, 2, 3)}}
    by, patient_id = scene["CT"].actor, scene.patient["id"]
    begun = checkins.log_checkin(by, patient_id, values)
    assert begun["scores"]["band"] is None, "a draft has no band yet"
    done = checkins.complete_checkin(by, begun["id"], {})
    right = checkins.correct_checkin(by, begun["id"], {"answers": {"auditc-1": 1}, "reason": "x"})
    assert (done["band"], right["band"]) == (band, band)
    assert add_check_in(scene.clinic_id, patient_id, values)["band"] == band


def test_without_its_wording_an_instrument_is_not_put_to_a_patient(scene: Scene) -> None:
    who5 = {"instrument": "who-5", "answers": {"who5-1": 5}}
    for refused in (
        lambda: showing.read_instrument(scene["PS"].actor, "who-5"),
        lambda: checkins.log_checkin(scene["PS"].actor, scene.patient["id"], who5),
    ):
        with pytest.raises(Conflict) as no:
            refused()
        assert no.value.extras["reason"] == "instrument_text_missing"
    taken = checkins.log_checkin(scene["CT"].actor, scene.patient["id"], who5)
    assert taken["instrument_version"] == "1.0.0"
    assert showing.read_instrument(scene["CT"].actor, "who-5")["text_missing"]


def test_a_wording_under_a_licence_is_shown_and_its_number_kept(scene: Scene) -> None:
    first = licensing.license_text(scene["CA"].actor, "who-5", "1.0.0", wording())
    assert (first["version"], first["text_missing"]) == ("1.0.0+1", False)
    assert first["licence"] | {"status": "", "notice": ""} == {
        **{"status": "", "notice": "", "is_expired": False, "expires_on": None},
        **{"statement": "Bought in 2026.", "holder": "Press"},
    }
    read = showing.read_instrument(scene["PS"].actor, "who-5")
    assert [item["text"] for item in read["items"]] == [f"Words {n}" for n in range(1, 6)]
    who5 = {"instrument": "who-5", "answers": dict.fromkeys((w["link_id"] for w in WHO5), 4)}
    said = checkins.log_checkin(scene["PS"].actor, scene.patient["id"], who5)
    again = licensing.license_text(scene["CA"].actor, "who-5", "1.0.0+1", wording())
    assert again["version"] == "1.0.0+2"
    done = checkins.complete_checkin(scene["CT"].actor, said["id"], {})
    assert (done["instrument_version"], done["total"]) == ("1.0.0+1", 80)
    with pytest.raises(Conflict):
        showing.read_instrument(scene["XP"].actor, "who-5")


def test_a_wording_is_replaced_only_by_who_has_seen_the_last(scene: Scene) -> None:
    licensing.license_text(scene["CA"].actor, "who-5", None, wording())
    with pytest.raises(Stale):
        licensing.license_text(scene["CA"].actor, "who-5", "1.0.0", wording())


def test_a_wording_whose_licence_has_ended_counts_as_missing(scene: Scene) -> None:
    today = clock.today("UTC")
    ends = wording(expires_on=today)
    assert not licensing.license_text(scene["CA"].actor, "who-5", None, ends)["text_missing"]
    ended = wording(expires_on=today - timedelta(days=1))
    over = licensing.license_text(scene["CA"].actor, "who-5", None, ended)
    assert (over["text_missing"], over["licence"]["is_expired"]) == (True, True)
    with pytest.raises(Conflict):
        showing.read_instrument(scene["PS"].actor, "who-5")
    listed = showing.list_instruments(scene["PS"].actor, Page(100)).items
    assert [one["text_missing"] for one in listed if one["key"] == "who-5"] == [True]


def test_an_own_definition_whose_licence_has_ended_is_not_put_to_a_patient(scene: Scene) -> None:
    ended = own() | {"expires_on": clock.today("UTC") - timedelta(days=1)}
    assert licensing.define_instrument(scene["CA"].actor, ended)["text_missing"]
    with pytest.raises(Conflict):
        showing.read_instrument(scene["PS"].actor, "own-ease")
    words = [{"link_id": f"ease-{n}", "text": "Anew"} for n in (1, 2)]
    licensing.license_text(scene["CA"].actor, "own-ease", None, wording(words))
    assert showing.read_instrument(scene["PS"].actor, "own-ease")["version"] == "1.0.0+1"


def test_a_wording_is_whole_and_fits_the_items(scene: Scene) -> None:
    isi = [{"link_id": f"isi-{n}", "text": f"Words {n}"} for n in range(1, 8)]
    labels = [{"value": n, "label": f"Label {n}"} for n in range(5)]
    for items, at in (
        (isi, "/items/0/options"),
        ([one | {"options": labels} for one in isi[:6]], "/items"),
        ([one | {"options": [*labels, {"value": 9, "label": "x"}]} for one in isi], "/items/0/opt"),
        ([isi[0], isi[0]], "/items/1/link_id"),
        ([{"link_id": "phq9-1", "text": "x"}], "/items/0/link_id"),
    ):
        with pytest.raises(Invalid) as no:
            licensing.license_text(scene["CA"].actor, "isi", None, wording(items))
        assert any(pointer.startswith(at) for pointer, _ in no.value.errors), no.value.errors
    whole = wording([one | {"options": labels} for one in isi], instructions="Over two weeks")
    read = licensing.license_text(director(scene).actor, "isi", None, whole)
    assert read["items"][6]["options"][4]["label"] == "Label 4"
    assert read["instructions"] == "Over two weeks"


def test_what_is_shipped_with_its_wording_takes_no_other(scene: Scene) -> None:
    items = [{"link_id": "phq9-1", "text": "Other words"}]
    with pytest.raises(Conflict) as no:
        licensing.license_text(scene["CA"].actor, "phq-9", None, wording(items))
    assert no.value.extras["reason"] == "instrument_has_text"
    with pytest.raises(NotFound):
        licensing.license_text(scene["CA"].actor, "phq-99", None, wording(items))


@pytest.mark.parametrize("version", ["9.9.9", "nonsense", "1.0.0.0", "+1", ""])
def test_a_version_that_there_is_not_is_not_found(scene: Scene, version: str) -> None:
    for key in ("phq-9", "own-ease"):
        with pytest.raises(NotFound):
            find_instrument(scene.clinic_id, key, version)
