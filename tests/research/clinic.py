"""A generated clinic, straight into tables: so many patients in a second or two, from one seed."""

import os
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from api import clock, db
from api.access.policies import Role
from api.core import consents, release
from api.core.alerts import alerts
from api.core.integration import tables as entries
from api.core.outcomes.checkins import check_ins
from api.core.outcomes.instruments.catalogue import instrument
from api.core.outcomes.instruments.scoring import score
from api.core.patients import patients
from api.core.release import freezing, package, shelf
from api.core.release.tables import research_releases, research_subjects
from api.core.treatment.courses import courses
from api.core.treatment.dosing.table import ledger_entries
from api.core.treatment.sessions import sessions
from tests import builders

SIZE = int(os.environ.get("RESEARCH_PATIENTS", "2000"))
"""How many patients the larger clinic has; `RESEARCH_PATIENTS=20000` for a longer run."""
CANARIES = (
    *("Janecanary", "Nicknamecanary", "Employercanary", "Sistercanary", "MRN-40417733"),
    *("078-05-1120", "+1 555 010 7788", "canary@mail.example", "https://canary.example/x"),
    *("203.0.113.77", "PLATE-CAN4RY", "12 Canary Street, Boise"),
)
STATES = ("CO", "CO", "CO", "CO", "CO", "CO", "UT", "UT", "WY")
VISITS = ((0, "dosing"), (2, "integration"), (7, "dosing"), (14, "dosing"), (28, "integration"))
ANSWERED = (-3, 7, 14, 28, 84)
CATEGORIES = ("boundaries", "movement_body", "rest_sleep")


@dataclass
class Clinic:
    """A clinic with its people, and what was made of it."""

    clinic_id: UUID
    officer: builders.Person
    analyst: builders.Person
    patients: list[UUID]
    project_id: UUID = field(default=UUID(int=0))
    truth: dict[UUID, dict[str, Any]] = field(default_factory=dict)


def make_clinic(size: int, seed: int = 7, texts: bool = False, **odd: Any) -> Clinic:
    """A clinic of so many consenting patients with one project; `odd` as for `_person`."""
    with db.transaction():
        clinic_id = builders.make_clinic(f"Clinic {seed}")
        officer = builders.make_person(clinic_id, Role.PRIVACY_OFFICER)
        analyst = builders.make_person(clinic_id, Role.ANALYST)
        therapist = builders.make_person(clinic_id)
        made = Clinic(clinic_id, officer, analyst, [])
        _fill(made, Random(seed), size, therapist.user_id, texts)
        made.project_id = open_project(made)
    return made


def open_project(made: Clinic) -> UUID:
    """A further project of the clinic's analyst."""
    body = {
        "title": "Outcomes",
        "purpose": "Whether it helped.",
        "analyst_ids": [made.analyst.user_id],
    }
    project_id: UUID = release.open_project(made.officer.actor, body)["id"]
    return project_id


def let_the_worker_run() -> None:
    """The worker makes every release that is waited for, those of other clinics too."""
    while freezing.make_next():
        pass


def make_release(made: Clinic, project_id: UUID | None = None) -> db.Values:
    """Ask for a release, let the worker make it, and answer its row."""
    project_id = project_id or made.project_id
    with db.transaction():
        asked = release.request_release(made.analyst.actor, project_id)
    let_the_worker_run()
    with db.transaction() as store:
        return db.found(
            store.row(select(research_releases).where(research_releases.c.id == asked["id"]))
        )


def put_release(project: db.Values, analyst_id: UUID) -> db.Values:
    """A release with no rows, ready, with its files: for whoever only asks for it."""
    row = db.store().add(
        research_releases,
        {
            "clinic_id": project["clinic_id"],
            "project_id": project["id"],
            "number": 1,
            "tier": project["tier"],
            "state": "waiting",
            "requested_by": analyst_id,
            "progress_percent": 100,
            "refused_for": [],
            "collapsed": {},
            "cube": {"version": "1.0.0", "tables": {}, "bases": {}},
        },
    )
    db.store().commit()
    counts = shelf.make(row)
    told = {"released_on": "2026-11-25", "files": package.listed(shelf.folder(row), counts)}
    told |= {"subjects": 0, "k": 0, "l": None, "k_of_visits": 0, "quasi_identifiers": []}
    told |= {"levels": {}, "suppressed": [], "rare_words_collapsed": [], "spacing_days": 0}
    manifest = package.manifest(project, row, told | {"cube_version": "1.0.0"})
    return db.store().change(research_releases, row, {"manifest": manifest, "state": "ready"})


def codes_of(made: Clinic, project_id: UUID) -> dict[UUID, str]:
    """The code of each patient in a project, which no analyst ever sees."""
    t = research_subjects.c
    with db.transaction() as store:
        rows = store.rows(select(t.patient_id, t.subject_id).where(t.project_id == project_id))
    return {row["patient_id"]: row["subject_id"] for row in rows}


def withdraw(made: Clinic, who: Any) -> None:
    """A patient agrees to research no more."""
    c = consents.consents.c
    mine = (c.clinic_id == made.clinic_id, c.patient_id == who)
    with db.transaction() as store:
        store.execute(update(consents.consents).where(*mine).values(withdrawn_at=clock.now()))


def answer(made: Clinic, who: UUID, day: int, total: int, key: str = "phq-9") -> None:
    """A patient answers so many days after their first dose."""
    one, s = instrument(key), sessions.c
    mine = (s.clinic_id == made.clinic_id, s.patient_id == who, s.first_dose_at.is_not(None))
    with db.transaction() as store:
        first = db.found(store.row(select(s.first_dose_at).where(*mine).order_by(s.first_dose_at)))
        at = first["first_dose_at"] + timedelta(days=day)
        answers = adding_up(key, total, Random(total))
        said = {"instrument": key, "instrument_version": one.version, "answers": answers}
        said |= {"scoring_version": one.scoring_version, "state": "complete", "source": "app"}
        said |= {"answered_by": "patient", "answered_at": at, "answered_on": at.date()}
        keys = {"clinic_id": made.clinic_id, "patient_id": who}
        store.add(check_ins, keys | said | {"scores": {}, "total": float(total)})


def adding_up(key: str, total: int, chance: Random) -> dict[str, int]:
    """Answers to every item of a form that add up to a total, by chance."""
    items = instrument(key).scored_items
    said = {item.link_id: min(item.values) for item in items}
    for _ in range(total - sum(said.values())):
        more = [item for item in items if said[item.link_id] < max(item.values)]
        said[chance.choice(more).link_id] += 1
    return said


def _record(made: Clinic, **values: Any) -> dict[str, Any]:
    moment = clock.now()
    times = {"created_at": moment, "updated_at": moment}
    return {"clinic_id": made.clinic_id, "id": db.new_id(), "version": 1} | times | values


def _fill(made: Clinic, random: Random, size: int, by: UUID, texts: bool) -> None:
    rows: dict[Any, list[dict[str, Any]]] = {}

    def put(table: Any, **values: Any) -> UUID:
        row = _record(made, **values)
        rows.setdefault(table, []).append(row)
        return UUID(str(row["id"]))

    for number in range(size):
        _person(made, random, put, by, number, texts)
    for table, some in rows.items():
        names = {name for row in some for name in row}
        full = [dict.fromkeys(names) | row for row in some]
        db.store().execute(table.insert(), [db.conceal(table, row, row.keys()) for row in full])


def _person(made: Clinic, random: Random, put: Any, by: UUID, number: int, texts: bool) -> None:
    word = CANARIES[number % len(CANARIES)] if texts else "Example"
    age = random.choice((24, 33, 35, 38, 42, 44, 47, 52, 55, 58, 63, 66))
    sex = random.choice(("female", "female", "male"))
    state = random.choice(STATES)
    if number == 0:
        age, sex, state = 97, "intersex", "VT"  # like nobody
    first = clock.now() - timedelta(days=200 + random.randrange(500), hours=random.randrange(9))
    born = date(first.year - age, 1 + random.randrange(12), 1 + random.randrange(28))
    who = put(
        patients,
        legal_given=word,
        legal_family=word,
        preferred_name=word,
        pronouns=word[:60],
        birth_on=born,
        sex_at_birth=sex,
        gender_identity=word[:60],
        address={
            "lines": [word],
            "city": word,
            "region": state,
            "postal_code": "83702",
            "country": "US",
        },
        contact={"email": word, "phone": word},
        locale="en-US",
        time_zone="America/Denver",
        status="discharged" if random.random() < 0.3 else "active",
    )
    made.patients.append(who)
    mine = {"patient_id": who}
    put(
        consents.consents,
        **mine,
        kind="research",
        text_version="1",
        granted_at=first,
        recorded_by=by,
        shown_as=word,
    )
    route = "intramuscular" if random.random() < 0.7 else "intravenous"
    course = put(
        courses,
        **mine,
        status="active",
        medicine="ketamine",
        route=route,
        planned_doses=3,
        aim=word,
    )
    _visits(random, put, mine | {"course_id": course}, first, by, word, number)
    _answers(made, random, put, who, first, word)
    _practice(random, put, mine, first, by, word)


def _visits(
    random: Random,
    put: Any,
    mine: dict[str, Any],
    first: datetime,
    by: UUID,
    word: str,
    number: int,
) -> None:
    plan = VISITS if number != 1 else tuple((day, "dosing") for day in range(0, 11, 1))[:9]
    for day, kind in plan[: random.choice((3, 4, 5)) if number != 1 else None]:
        at = first + timedelta(days=day)
        held = {"starts_at": at, "started_at": at, "ends_at": at + timedelta(hours=2)}
        dose = {"first_dose_at": at, "last_dose_at": at} if kind == "dosing" else {}
        values = mine | held | dose | {"completed_at": at + timedelta(hours=2)}
        session = put(
            sessions,
            **values,
            kind=kind,
            state="completed",
            mode="in_person",
            room=word[:60],
            source="app",
            preparation=word,
        )
        if kind == "dosing" and day == 0:
            content = {"medicine": "ketamine", "dose_mg": 50, "dose_mg_per_kg": 0.7, "note": word}
            _entry(put, mine, session, by, "dose", 1, at, content)
            if random.random() < 0.2:
                code = {"code": "nausea", "grade": 1, "note": word}
                _entry(put, mine, session, by, "event", 2, at, code)


def _entry(
    put: Any,
    mine: dict[str, Any],
    session: UUID,
    by: UUID,
    kind: str,
    place: int,
    at: datetime,
    content: Any,
) -> None:
    put(
        ledger_entries,
        patient_id=mine["patient_id"],
        session_id=session,
        sequence=place,
        client_event_id=f"e{place}",
        type=kind,
        measured_at=at,
        recorded_by=by,
        late=False,
        content=content,
        judgements=[],
        protocol_key="ketamine",
        protocol_version=1,
    )


def _answers(made: Clinic, random: Random, put: Any, who: UUID, first: datetime, word: str) -> None:
    one = instrument("phq-9")
    total = random.randrange(10, 25)
    truth: dict[str, Any] = {"phq-9": {}}
    for day in ANSWERED:
        if day != -3 and random.random() < 0.15:
            continue
        at = first + timedelta(days=day)
        said = total if day == -3 else max(0, total - random.randrange(0, 18))
        truth["phq-9"][day] = said
        flagged, items = random.random() < 0.2, Random(len(made.patients) * 1000 + day)
        answers = adding_up("phq-9", said, items)
        answered = put(
            check_ins,
            patient_id=who,
            instrument="phq-9",
            instrument_version=one.version,
            scoring_version=one.scoring_version,
            state="complete",
            source="app",
            answered_by="patient",
            answered_at=at,
            answered_on=at.astimezone(UTC).date(),
            answers=answers,
            scores={},
            total=said,
            band=score(one, answers)["band"],
            import_system=None,
        )
        if flagged:
            put(
                alerts,
                patient_id=who,
                check_in_id=answered,
                instrument="phq-9",
                rule="safety_item",
                flag="suicidality_item_positive",
                rules_version="1",
                priority="same_day",
                state="open",
                historical=True,
                from_refused=False,
                raised_at=at,
                answered_at=at,
                acknowledge_note=word,
            )
    made.truth[who] = truth


def _practice(
    random: Random, put: Any, mine: dict[str, Any], first: datetime, by: UUID, word: str
) -> None:
    shared = "research" if random.random() < 0.6 else random.choice(("me", "care_team"))
    written = mine | {"author_id": by, "author_kind": "clinician"}
    written |= {"shared_with": shared, "chosen_sharing": shared}
    goal = put(
        entries.goals,
        **written,
        title=word,
        category=random.choice(CATEGORIES),
        lifecycle_status="active",
        achievement_status="in_progress",
    )
    practice = put(
        entries.practices, **written, goal_id=goal, new_trail=word, interval_days=1, status="active"
    )
    for day in range(1, 1 + random.choice((2, 6, 12))):
        on = (first + timedelta(days=day)).date()
        put(
            entries.steps,
            **written,
            practice_id=practice,
            walked_on=on,
            kind=random.choice(("done", "done", "partly", "detour")),
            note=word,
        )
    if random.random() < 0.4:
        put(
            entries.moments,
            **written,
            text=word,
            noticed_at=first + timedelta(days=8),
            noticed_by="patient",
        )
