"""Choosing: who is in a release and how coarsely they are told, by every rule together."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from api.core.release import anonymity, cohort, frozen
from api.core.release.anonymity import QUASI, Levels, Pattern, Quasi, Subject
from api.core.release.codes import codes
from api.core.release.cohort import Person
from api.core.release.gathering import visits
from api.core.release.snapshot import Snapshot, batches
from api.core.release.tables import READY, research_releases
from api.db import Values, transaction


@dataclass
class Chosen:
    """Who is in a release, how they are told, and what it cost."""

    people: list[Person]
    levels: Levels
    patterns: Mapping[str, Pattern]
    k: int = 0
    l: int | None = 0  # noqa: E741
    k_of_visits: int = 0
    suppressed: dict[str, int] = field(default_factory=dict)


@dataclass
class Before:
    """What earlier releases of the project told: their levels, and the values of each subject."""

    levels: Levels | None
    told: Mapping[str, Quasi]


def choose(snap: Snapshot, release: Values) -> Chosen:
    """Who stays, by every rule together, until none takes anybody out any more."""
    told = codes(release["clinic_id"], release["project_id"])
    people = cohort.cohort(snap, release["clinic_id"], told)
    before = _before(release)
    levels, tells = _levels(people, before)
    if not tells:
        for person in people:
            person.suicidality = None
    seen = _patterns(snap, release["clinic_id"], people)
    subjects = [_subject(person, levels, before.told, seen) for person in people]
    taken: Counter[str] = Counter()
    stay, patterns = _settle(subjects, taken)
    kept = {one.subject_id: one.values for one in stay}
    chosen = [person for person in people if person.subject_id in kept]
    for person in chosen:
        person.quasi = kept[person.subject_id]
    return Chosen(
        chosen,
        levels,
        patterns,
        anonymity.k_of(one.values for one in stay),
        anonymity.l_of((one.values, one.sensitive) for one in stay),
        anonymity.k_of(patterns.values()),
        dict(taken)
        | {"visits_shortened": sum(patterns[one.subject_id] != one.pattern for one in stay)},
    )


def _levels(people: Sequence[Person], before: Before) -> tuple[Levels, bool]:
    """How coarse quasi-identifiers are told, and whether suicidality can be told beside them."""
    rows = [(person.quasi, person.sensitive or "") for person in people]
    if before.levels is not None:
        return before.levels, anonymity.suits(Counter(rows), before.levels)
    levels = anonymity.choose_levels(rows)
    if levels is not None:
        return levels, True
    return anonymity.choose_levels(rows, diverse=False) or anonymity.COARSEST, False


def _settle(
    subjects: list[Subject], taken: Counter[str]
) -> tuple[list[Subject], dict[str, Pattern]]:
    while True:
        stay = anonymity.in_large_classes(subjects)
        taken["class_too_small"] += len(subjects) - len(stay)
        diverse = anonymity.in_diverse_classes(stay)
        taken["class_of_one_sensitive_value"] += len(stay) - len(diverse)
        patterns = anonymity.shortened({one.subject_id: one.pattern for one in diverse})
        told = [one for one in diverse if one.subject_id in patterns]
        taken["visits_like_nobodys"] += len(diverse) - len(told)
        if len(told) == len(subjects):
            return told, patterns
        subjects = told


def _before(release: Values) -> Before:
    """A subject is told alike in all releases, or two of them together would say more."""
    r = research_releases.c
    mine = [r.clinic_id == release["clinic_id"], r.project_id == release["project_id"]]
    ready = select(research_releases).where(*mine, r.state == READY).order_by(r.number.desc())
    with transaction() as open_store:
        last = open_store.row(ready.limit(1))
    if last is None:
        return Before(None, {})
    rows = (row for chunk in frozen.rows_of(last, "subjects") for row in chunk)
    told = {row[0]: tuple(row[1 : 1 + len(QUASI)]) for row in rows}
    return Before(tuple(last["levels"]), told)


def _patterns(snap: Snapshot, clinic_id: UUID, people: Sequence[Person]) -> dict[UUID, Pattern]:
    return {
        patient_id: seen.pattern
        for some in batches(people)
        for patient_id, seen in visits(snap, clinic_id, some).items()
    }


def _subject(
    person: Person, levels: Levels, told: Mapping[str, Quasi], seen: Mapping[UUID, Pattern]
) -> Subject:
    code = person.subject_id
    values = told.get(code) or anonymity.told_at(person.quasi, levels)
    return Subject(code, values, person.sensitive, seen[person.patient_id], code not in told)
