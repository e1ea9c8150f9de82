"""CarePlan: what is practised under a goal, and what a course of treatment plans."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import COURSES, GOALS
from api.fhir.datatypes import (
    US_CORE,
    Json,
    coding,
    concept,
    day,
    identifier,
    narrative,
    ours,
    period,
    reference,
)
from api.fhir.goal import expressed_by
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import date, patient, reference as pointing, token

CATEGORY: Final = concept(
    coding("http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "assess-plan")
)
OF_GOAL: Final = {
    "proposed": "draft",
    "planned": "draft",
    "accepted": "active",
    "active": "active",
    "on_hold": "on-hold",
    "completed": "completed",
    "cancelled": "revoked",
    "entered_in_error": "entered-in-error",
    "rejected": "revoked",
}
OF_COURSE: Final = {
    "planned": "draft",
    "active": "active",
    "completed": "completed",
    "stopped": "revoked",
}
OF_PRACTICE: Final = {
    "active": "in-progress",
    "paused": "on-hold",
    "familiar": "completed",
    "released": "stopped",
}


def _practised(practice: dict[str, Any]) -> Json:
    every = practice["interval_days"]
    timing = {"repeat": {"frequency": 1, "period": every, "periodUnit": "d"}} if every else None
    return {
        "detail": {
            "kind": "ServiceRequest",
            "code": ours("activity", "practice"),
            "status": OF_PRACTICE[practice["status"]],
            "doNotPerform": False,
            "scheduledTiming": timing,
            "description": practice["title"] or practice["new_trail"],
        }
    }


def of_goal(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The plan of a goal with its practices; none without one."""
    if not row["practices"]:
        return
    titles = [p["title"] or p["new_trail"] for p in row["practices"]]
    body = {
        "text": narrative([f"Practices under the goal: {row['title']}", *titles]),
        "identifier": [identifier("practices-of-goal", row["id"])],
        "status": OF_GOAL[row["lifecycle_status"]],
        "intent": "plan",
        "category": [CATEGORY, ours("care-plan", "practices")],
        "title": row["title"],
        "subject": reference("Patient", row["patient_id"]),
        "created": day(row["created_at"].date()),
        "author": expressed_by(row),
        "goal": [reference("Goal", row["id"])],
        "activity": [_practised(one) for one in row["practices"]],
    }
    at = max([row["updated_at"], *(one["updated_at"] for one in row["practices"])])
    yield Made(body, profiles=(f"{US_CORE}careplan",), updated_at=at)


def of_course(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The plan of a course: how many doses, how far apart."""
    every = row["interval_days"]
    apart = f", {every} days apart" if every else ""
    said = f"{row['planned_doses']} {row['route']} doses of {row['medicine']}{apart}"
    timing = {"count": row["planned_doses"], "frequency": 1}
    timing |= {"period": every, "periodUnit": "d"} if every else {}
    body = {
        "text": narrative(["Course of treatment", said]),
        "identifier": [identifier("course", row["id"])],
        "status": OF_COURSE[row["status"]],
        "intent": "plan",
        "category": [CATEGORY, ours("care-plan", "course")],
        "title": "Course of treatment",
        "description": said,
        "subject": reference("Patient", row["patient_id"]),
        "period": period(row["starts_on"], row["ends_on"]),
        "created": day(row["created_at"].date()),
        "activity": [
            {
                "detail": {
                    "kind": "ServiceRequest",
                    "code": ours("activity", "dosing"),
                    "status": OF_ACTIVITY[row["status"]],
                    "doNotPerform": False,
                    "scheduledTiming": {"repeat": timing} if every else None,
                    "description": said,
                }
            }
        ],
    }
    yield Made(body, profiles=(f"{US_CORE}careplan",))


OF_ACTIVITY: Final = {
    "planned": "not-started",
    "active": "in-progress",
    "completed": "completed",
    "stopped": "stopped",
}

KIND: Final = Kind(
    type="CarePlan",
    code="cpl",
    parts=(Part(GOALS, of_goal, digest=True, singly=False), Part(COURSES, of_course)),
    params={
        **patient(),
        "subject": pointing("subject", "Patient"),
        "identifier": token("identifier"),
        "status": token("status"),
        "intent": token("intent"),
        "category": token("category"),
        "date": date("period"),
        "goal": pointing("goal", "Goal"),
    },
    summary=(
        *("identifier", "instantiatesUri", "basedOn", "status", "intent", "category", "title"),
        *("description", "subject", "encounter", "period", "created", "author", "addresses"),
    ),
    mandatory=("status", "intent", "subject"),
    doc="Practices under a goal, and courses of treatment.",
)
