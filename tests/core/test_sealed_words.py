"""Pronouns and gender identity lie sealed; what a version of before wrote in clear is read too."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Text, cast, select

from api import db
from api.core import history
from api.core.patients import (
    ONCE_CLEAR,
    admit_patient,
    change_patient,
    list_patients,
    patients,
    read_patient,
)
from api.paging import Page
from tests import builders
from tests.builders import Scene

ALL = Page(100)
WORDS = {"pronouns": "ze and zir", "gender_identity": "agender"}


def stored(patient_id: UUID) -> db.Values:
    """What the database holds of the words, as it does."""
    names = [*ONCE_CLEAR, *ONCE_CLEAR.values()]
    columns = [cast(patients.c[name], Text).label(name) for name in names]
    with db.transaction() as store:
        row = store.row(select(*columns).where(patients.c.id == patient_id))
    assert row is not None
    return row


def written_by_the_version_of_before(patient_id: UUID, **words: Any) -> None:
    with db.transaction() as store:
        store.execute(patients.update().where(patients.c.id == patient_id).values(**words))


def test_what_is_written_lies_sealed_and_is_read_as_it_was(scene: Scene) -> None:
    actor = scene["CT"].actor
    named = {"legal_given": "Cleo", "legal_family": "Example", "birth_on": date(1985, 5, 5)}
    with db.transaction():
        made = admit_patient(actor, named | WORDS)
    assert {name: made[name] for name in WORDS} == WORDS
    for name, sealed in ONCE_CLEAR.items():
        row = stored(made["id"])
        assert row[name] is None and row[sealed].startswith("v1.")
        assert WORDS[name] not in row[sealed]
    with db.transaction():
        change_patient(actor, made["id"], 1, {"pronouns": "they", "gender_identity": None})
        [seen] = list_patients(actor, ALL, q="cleo").items
        assert read_patient(actor, made["id"]) == seen
    assert (seen["pronouns"], seen["gender_identity"]) == ("they", None)
    row = stored(made["id"])
    assert [row[name] is None for name in (*ONCE_CLEAR, "sealed_gender_identity")] == [True] * 3
    told = history.list_patient_history(actor, made["id"], ALL).items
    assert [item["changed"] for item in told] == [["gender_identity", "pronouns"], []]
    assert [item["values"]["pronouns"] for item in told] == ["they", "ze and zir"]


def test_words_in_clear_are_read_and_the_last_one_written_counts(scene: Scene) -> None:
    actor, chart = scene["CT"].actor, scene.patient["id"]
    written_by_the_version_of_before(chart, **WORDS)
    with db.transaction():
        assert {name: read_patient(actor, chart)[name] for name in WORDS} == WORDS
        change_patient(actor, chart, None, {"pronouns": "she"})
    row = stored(chart)
    assert (row["pronouns"], row["gender_identity"]) == (None, "agender")
    with db.transaction():
        seen = read_patient(actor, chart)
        assert (seen["pronouns"], seen["gender_identity"]) == ("she", "agender")
        told = history.list_patient_history(actor, chart, ALL).items
    assert [item["values"]["pronouns"] for item in told] == ["she", "ze and zir"]
    assert told[0]["changed"] == ["pronouns"]
    written_by_the_version_of_before(chart, pronouns="he")
    with db.transaction():
        assert read_patient(actor, chart)["pronouns"] == "he"


def test_rows_made_by_other_ways_in_are_sealed_too(scene: Scene) -> None:
    with db.transaction():
        made = builders.make_patient(scene.clinic_id, **WORDS)
    assert stored(made["id"])["pronouns"] is None
