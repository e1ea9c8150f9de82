"""Every score of a release is that of its items, and an algorithm that changes is a new version."""

import json
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from api import db
from api.core.outcomes.checkins import check_ins
from api.core.outcomes.instruments import methods, scoring
from api.core.outcomes.instruments.catalogue import catalogue, instrument
from api.core.outcomes.instruments.definition import SEXES, Instrument
from api.core.release.deidentify import WINDOWS
from tests.core.second_scorer import second_score
from tests.research import naive
from tests.research.clinic import Clinic, codes_of
from tests.research.reading import Files

FORMS = 400
"""Forms that are filled in by chance for each instrument; some items stay open."""
FROZEN = Path(__file__).with_name("scoring_versions.txt")


def answered(made: Clinic) -> dict[UUID, list[db.Values]]:
    """Every check-in of each patient with its answers."""
    c, found = check_ins.c, dict[UUID, list[db.Values]]()
    told = (c.id, c.clinic_id, c.patient_id, c.instrument, c.answered_at, c.answers)
    with db.transaction() as store:
        asked = select(*told, c.scoring_version).where(c.clinic_id == made.clinic_id)
        for row in store.rows(asked, opens=check_ins):
            found.setdefault(row["patient_id"], []).append(row)
    return found


def window_of(day: int) -> str:
    """The window of a day; those of the generated clinic lie in one each."""
    [code] = [one.code for one in WINDOWS if one.first <= day <= one.last]
    return code


def test_every_score_is_that_of_its_items_by_the_version_that_it_names(
    large: Clinic, files: Files
) -> None:
    codes, visited, items = codes_of(large, large.project_id), naive.doses(large), answered(large)
    recomputed = {}
    for patient in large.patients:
        for row in items[patient]:
            day = (row["answered_at"] - visited[patient][0]).days
            marks = [row["answers"][one.link_id] for one in instrument("phq-9").scored_items]
            figures = second_score(row["instrument"], marks, "unknown")
            place = (codes[patient], row["instrument"], window_of(day))
            recomputed[place] = (
                float(figures["total"]),
                figures["band"],
                row["scoring_version"],
            )
    subjects = {row["subject_id"] for row in files["subjects"]}
    told = {
        (row["subject_id"], row["instrument"], row["window"]): (
            float(row["total"]),
            row["band"],
            row["scoring_version"],
        )
        for row in files["scores"]
        if row["total"]
    }
    assert {place[0] for place in told} == subjects and len(subjects) > 1000
    assert told == {place: said for place, said in recomputed.items() if place[0] in subjects}
    baseline = {place[:2]: said[0] for place, said in told.items() if place[2] == "baseline"}
    for row in files["scores"]:
        if row["difference"]:
            before = baseline[row["subject_id"], row["instrument"]]
            assert float(row["difference"]) == float(row["total"]) - before
            assert (row["response"] == "true") == (float(row["total"]) <= before / 2)
            assert (row["remission"] == "true") == (float(row["total"]) < 5)


def fingerprint(one: Instrument) -> str:
    """What the scorer makes of some hundred forms, as one hash."""
    chance, whole = Random(one.key), sha256()
    for number in range(FORMS):
        answers: dict[str, Any] = {
            item.link_id: chance.choice(sorted(item.values))
            for item in one.items
            if number % 3 or chance.random() < 0.9
        }
        figures = scoring.score(one, answers, chance.choice(SEXES))
        whole.update(json.dumps(figures, sort_keys=True).encode())
    return whole.hexdigest()


def frozen() -> dict[tuple[str, str], str]:
    """What each version of each algorithm gave when it was made."""
    rows = (line.split() for line in FROZEN.read_text().splitlines() if line[:1] not in ("", "#"))
    return {(key, version): digest for key, version, digest in rows}


@pytest.mark.parametrize("key", sorted(catalogue()))
def test_a_version_of_an_algorithm_gives_for_ever_what_it_gave(key: str) -> None:
    one = catalogue()[key]
    now = f"{key} {one.scoring_version} {fingerprint(one)}"
    assert frozen().get((key, one.scoring_version)) == fingerprint(one), (
        f"another algorithm is another scoring_version; then add to {FROZEN.name}: {now}"
    )


def test_an_algorithm_that_changes_under_its_version_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = catalogue()["phq-9"]
    before = fingerprint(one)
    assert fingerprint(one) == before
    monkeypatch.setattr(methods, "half_up", lambda number, decimals=0: int(number))
    assert fingerprint(one) != before  # only what was prorated is cut instead of rounded
