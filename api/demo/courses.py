"""Synthetic courses of treatment after the baseline: sessions, goals, practices, steps, check-ins.

Nothing here happened to anybody. Sessions and check-ins carry the source `synthetic`, goals end in
"(synthetic)"; all is drawn from one seed, so that it is the same at every load.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from api import clock, db
from api.core.integration import tables as entries
from api.core.treatment.courses import courses
from api.core.treatment.sessions import add_session
from api.core.treatment.signing import sign_as_held
from api.demo.diary import Diary
from api.demo.people import SEED, ZONE, Cast
from api.demo.survey import BASELINE_DAYS_AGO

CLINICIANS_OWN = 12
"""How many of the patients have their sessions with clinician@ and nurse@."""
QUIET_DAYS = 3
"""The days from yesterday on that are kept free for clinician@, so that a visitor can book."""
SIGNED_AFTER = timedelta(hours=2)
"""How long after a session its record was signed."""
# kind, days after the baseline, hours
PLAN = (
    ("intake", -6, 1),
    ("preparation", 2, 1),
    ("dosing", 7, 3),
    ("integration", 9, 1),
    ("dosing", 28, 3),
    ("integration", 30, 1),
    ("follow_up", 74, 1),
)
FIRST_INTEGRATION = 9


@dataclass(frozen=True)
class Template:
    """A goal with the practice that goes with it."""

    title: str
    category: str
    cue: str
    old_trail: str
    new_trail: str
    smallest_step: str
    interval_days: int | None = 1


TEMPLATES = (
    Template(
        "Say no kindly",
        "boundaries",
        "Somebody asks for one more favour",
        "I say yes and am cross later",
        "I breathe out and say: let me think about it",
        "I count one breath before I answer",
        None,
    ),
    Template(
        "A walk before the day begins",
        "movement_body",
        "The kettle is on",
        "I read the news in bed",
        "I walk once around the block",
        "I put on my shoes",
    ),
    Template(
        "Be near friends again",
        "connection",
        "Sunday afternoon",
        "I cancel and stay in",
        "I call one friend",
        "I send one line",
        7,
    ),
    Template(
        "A kinder voice",
        "self_compassion",
        "I notice that I made a mistake",
        "I call myself names",
        "I put a hand on my chest and say: that was hard",
        "I notice the voice",
    ),
    Template(
        "Come to rest",
        "rest_sleep",
        "The clock shows ten",
        "I scroll until midnight",
        "I put the phone in the kitchen and read",
        "I lay out the book",
    ),
    Template(
        "Find the ground",
        "regulation",
        "My shoulders rise",
        "I push through",
        "I feel both feet for three breaths",
        "I feel one foot",
        2,
    ),
)


def load(cast: Cast, say: Callable[[str], None]) -> None:
    """The courses of everybody."""
    random, diary = Random(SEED + 1), Diary(ZONE)
    baseline = clock.today(ZONE) - timedelta(days=BASELINE_DAYS_AGO)
    own = {cast.alma["id"]} | {p["id"] for p in list(cast.patients.values())[: CLINICIANS_OWN - 1]}
    for number, patient in enumerate(cast.patients.values()):
        mine = patient["id"] in own
        lead = (
            cast.staff["clinician@demo.example"]
            if mine
            else cast.therapists[number % len(cast.therapists)]
        )
        course = _course(patient, baseline)
        _sessions(cast, diary, patient, lead, baseline, mine, course)
        _practice(random, patient, lead, baseline)
    say("  sessions, goals, practices and steps of every patient (synthetic)")


def _course(patient: db.Values, baseline: date) -> UUID:
    """A course as it was planned before the first dose."""
    dosed = [after for kind, after, _ in PLAN if kind == "dosing"]
    values = {
        "status": "active",
        "medicine": "ketamine",
        "route": "intramuscular",
        "planned_doses": len(dosed),
        "interval_days": dosed[1] - dosed[0],
        "starts_on": baseline,
        "aim": "To get out of the house again (synthetic)",
    }
    keys = {"clinic_id": patient["clinic_id"], "patient_id": patient["id"]}
    course_id: UUID = db.store().add(courses, keys | values)["id"]
    return course_id


def _sessions(
    cast: Cast,
    diary: Diary,
    patient: db.Values,
    lead: UUID,
    baseline: date,
    mine: bool,
    course_id: UUID,
) -> None:
    today = clock.today(ZONE)
    quiet = tuple(today + timedelta(days=i) for i in range(-1, QUIET_DAYS)) if mine else ()
    for kind, after, hours in PLAN:
        starts_at = diary.take(lead, baseline + timedelta(days=after), hours, quiet)
        values = {
            "kind": kind,
            "mode": "in_person",
            "starts_at": starts_at,
            "ends_at": starts_at + timedelta(hours=hours, minutes=-10),
            "clinician_ids": [lead],
            "source": "synthetic",
            "course_id": None if kind == "intake" else course_id,
            **_state(starts_at, hours),
        }
        session = add_session(cast.clinic_id, patient["id"], values)
        if session["signed_at"] is not None:
            sign_as_held(session)


def _state(starts_at: datetime, hours: int) -> dict[str, Any]:
    ended_at = starts_at + timedelta(hours=hours, minutes=-12)
    if ended_at >= clock.now():
        return {"state": "scheduled"}
    return {
        "state": "completed",
        "arrived_at": starts_at - timedelta(minutes=5),
        "started_at": starts_at,
        "completed_at": ended_at,
        "moved_at": ended_at,
        "signed_at": min(ended_at + SIGNED_AFTER, clock.now()),
    }


def _practice(random: Random, patient: db.Values, lead: UUID, baseline: date) -> None:
    template = random.choice(TEMPLATES)
    written = {
        "clinic_id": patient["clinic_id"],
        "patient_id": patient["id"],
        "author_id": lead,
        "author_kind": "clinician",
        "shared_with": "care_team",
        "chosen_sharing": "care_team",
    }
    goal = db.store().add(
        entries.goals,
        written
        | {
            "title": f"{template.title} (synthetic)",
            "category": template.category,
            "answers_prompt": "what_to_practise",
            "lifecycle_status": "active",
            "achievement_status": "in_progress",
        },
    )
    practice = db.store().add(
        entries.practices,
        written
        | {
            "goal_id": goal["id"],
            "new_trail": template.new_trail,
            "cue": template.cue,
            "old_trail": template.old_trail,
            "smallest_step": template.smallest_step,
            "interval_days": template.interval_days,
            "status": "active",
        },
    )
    _steps(random, written | {"practice_id": practice["id"]}, template.interval_days or 3, baseline)


def _steps(random: Random, written: dict[str, Any], interval: int, baseline: date) -> None:
    faithful, rows = random.uniform(0.25, 0.95), []
    day, today = baseline + timedelta(days=FIRST_INTEGRATION + 1), clock.today(ZONE)
    moment = clock.now()
    while day < today:
        if random.random() < faithful:
            kind = random.choices(("done", "partly", "prompted", "detour"), (75, 12, 8, 5))[0]
            record = {"id": db.new_id(), "version": 1, "walked_on": day, "kind": kind}
            rows.append(written | record | {"created_at": moment, "updated_at": moment})
        day += timedelta(days=interval)
    if rows:
        db.store().execute(entries.steps.insert(), rows)
        db.store().tell(entries.steps, rows)
