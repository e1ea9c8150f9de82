"""What the matrix needs to knock at every route: its rows, records to ask for, least bodies."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pyotp
from flask import Flask
from sqlalchemy import func, literal, select, union_all

from api import clock, db
from api.access.policies import Role
from api.audit.seal import audit_heads, audit_seals
from api.audit.trail import audit_event_patients, audit_events
from api.core import (
    amendments,
    break_glass,
    factor_resets,
    holds,
    merges,
    opened,
    purges,
    release,
    second_factors,
    staffing,
)
from api.core.patients import patients
from api.core.replay import idempotency_keys
from api.core.throttle import throttles
from api.core.treatment import notes
from api.outbox import events
from api.outbox.tables import webhook_deliveries
from api.v1.clients import EXAMPLE as CLIENT
from api.v1.instruments import EXAMPLE
from tests import builders
from tests.conftest import Caller
from tests.core import dosing, noting
from tests.research import clinic

PERSONAS = ("PS", "PO", "CT", "CN", "CA", "PR", "AY", "XT", "XA", "XP", "AN")
TABLE = Path(__file__).with_name("matrix.txt")
TRAIL = {audit_events, audit_event_patients, audit_heads, audit_seals, idempotency_keys}
UNCOUNTED = TRAIL | {throttles}
"""What a refusal may leave behind: its own trail, and that it was tried."""


def rows() -> dict[str, dict[str, str]]:
    """The table: `{"GET /patients": {"PS": "L", ...}}`."""
    found = {}
    for line in TABLE.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        route, cells = line.split("|")
        method, path = route.split()
        codes = cells.split()
        assert len(codes) == len(PERSONAS), line
        found[f"{method} {path}"] = dict(zip(PERSONAS, codes, strict=True))
    return found


@cache
def routes(app: Flask) -> dict[str, Any]:
    """Every route of the application as the table writes it, with its offer (None: a page)."""
    offers = app.extensions["offers"]
    found = {}
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/fhir/"):
            continue  # EHR systems have a table of their own: tests/fhir/matrix.txt
        path = re.sub(r"<[^>]*?:?(\w+)>", r"{\1}", rule.rule)
        offer = offers.get(rule.endpoint)
        path = path if offer is None else path.removeprefix("/api/v1")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            found[f"{method} {path}"] = offer
    return found


class World:
    """A clinic with every persona, in which the records that a route asks for are made."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        with db.transaction():
            self.scene = builders.make_scene()
            self.colleague = builders.make_person(self.scene.clinic_id)
        self.bodies: dict[str, Any] = {}
        self.ids: dict[str, str] = {"patient_id": str(self.scene.patient["id"])}

    def caller(self, persona: str) -> Caller:
        """A client of the persona."""
        token = None if persona == "AN" else self.scene[persona].token
        return Caller(self.app.test_client(), token)

    def id(self, name: str, persona: str = "CT") -> str:
        """The id for a path's `name`, made by its recipe when it is not there yet."""
        if name in OF_PERSONA:
            return OF_PERSONA[name](self, persona)
        if name not in self.ids:
            by, route = MADE_BY[name]
            answer = self.call(by, route)
            assert answer.status_code in (200, 201), (name, answer.status_code, answer.text)
            self.ids[name] = answer.json["id"]
        return self.ids[name]

    def ready(self, route: str, persona: str) -> str:
        """Everything a route asks for is there and in the state it needs; answers its address."""
        for name in SEEDED.get(route, ()):
            self.id(name, persona)
        address = self.path(route, persona)
        for earlier in BEFORE.get(route, ()):
            answer = self.call("CT", earlier)
            assert answer.status_code in (200, 201), (earlier, answer.text)
        self.bodies[route] = _body(self, route)
        return address

    def path(self, route: str, persona: str, **given: str) -> str:
        """The address of a route with the ids of this world, and the least query it takes.

        What is `given` stands where the path names it.
        """
        path, given = route.split()[1], OF_ROUTE.get(route, {}) | given
        for name in re.findall(r"\{(\w+)\}", path):
            value = given[name] if name in given else self.id(_meant(name, route), persona)
            path = path.replace(f"{{{name}}}", value)
        return path + _query(self, route)

    def call(self, persona: str, route: str, nowhere: bool = False, **headers: str) -> Any:
        """One request to a route, with the least body it takes; `nowhere` asks for random ids."""
        method, path = route.split()[0], self.path(route, persona)
        body = self.bodies[route] if route in self.bodies else _body(self, route)
        if nowhere:
            path = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", _random, path)
        if method in ("PATCH", "PUT", "DELETE"):
            headers = {"If-Match": "*"} | headers
        return self.caller(persona)(method, path, body, **headers)


def _meant(name: str, route: str) -> str:
    """Which record a path's `name` means at a route, where it must be in another state."""
    for other, (of, where) in INSTEAD.items():
        if name == of and route in where:
            return other
    return name


def _random(_match: re.Match[str]) -> str:
    return str(uuid4())


def _body(world: World, route: str) -> Any:
    if route.startswith(("GET", "DELETE")):
        return None
    body = BODIES.get(route, {})
    return body(world) if callable(body) else body


def _query(world: World, route: str) -> str:
    query = QUERIES.get(route, "")
    return query(world) if callable(query) else query


def counted() -> dict[str, tuple[int, int]]:
    """How many rows each table holds and what their versions add up to."""
    parts = []
    for table in db.metadata.sorted_tables:
        if table not in UNCOUNTED:
            versions = func.coalesce(func.sum(table.c.version), 0) if "version" in table.c else 0
            versions = literal(0) if versions == 0 else versions
            parts.append(select(literal(table.name), func.count(), versions).select_from(table))
    with db.transaction() as store:
        return {row[0]: (row[1], row[2]) for row in store.execute(union_all(*parts))}


def trail_of(request_id: str) -> list[db.Values]:
    """The audit events of one request."""
    with db.transaction() as store:
        return store.rows(select(audit_events).where(audit_events.c.request_id == request_id))


def in_days(days: int, hours: int = 0) -> str:
    """An instant as a client writes it."""
    moment = clock.now().replace(microsecond=0) + timedelta(days=days, hours=hours)
    return moment.isoformat()


def a_session(world: World) -> dict[str, Any]:
    """The least of a booking."""
    return {
        "kind": "integration",
        "starts_at": in_days(30),
        "ends_at": in_days(30, 1),
        "clinician_ids": [str(world.scene["CT"].user_id)],
        "mode": "in_person",
    }


Body = dict[str, Any] | Callable[[World], dict[str, Any]]

MADE_BY: dict[str, tuple[str, str]] = {
    "asked_id": ("PS", "POST /patients/{patient_id}/amendment-requests"),
    "erasure_id": ("PS", "POST /patients/{patient_id}/erasure-requests"),
    "companion_id": ("CT", "POST /patients/{patient_id}/companions"),
    "membership_id": ("CA", "POST /patients/{patient_id}/care-team"),
    "consent_id": ("CT", "POST /patients/{patient_id}/consents"),
    "session_id": ("CT", "POST /patients/{patient_id}/sessions"),
    "invitation_id": ("CA", "POST /invitations"),
    "webhook_id": ("CA", "POST /webhooks"),
    "room_id": ("CA", "POST /rooms"),
    "client_id": ("CA", "POST /clients"),
    "entry_id": ("CT", "POST /sessions/{session_id}/phases"),
    "course_id": ("CT", "POST /patients/{patient_id}/courses"),
    "screening_id": ("CT", "POST /patients/{patient_id}/screenings"),
    "allergy_id": ("CT", "POST /patients/{patient_id}/allergies"),
    "medication_id": ("CT", "POST /patients/{patient_id}/medications"),
    "diagnosis_id": ("CT", "POST /patients/{patient_id}/diagnoses"),
    "insight_id": ("CT", "POST /patients/{patient_id}/insights"),
    "goal_id": ("CT", "POST /patients/{patient_id}/goals"),
    "practice_id": ("CT", "POST /goals/{goal_id}/practices"),
    "step_id": ("CT", "POST /practices/{practice_id}/steps"),
    "moment_id": ("CT", "POST /patients/{patient_id}/moments"),
    "journal_id": ("PS", "POST /patients/{patient_id}/journal"),
    "check_in_id": ("CT", "POST /patients/{patient_id}/check-ins"),
    "plan_id": ("CT", "POST /patients/{patient_id}/check-in-plans"),
    "link_id": ("CT", "POST /patients/{patient_id}/check-in-links"),
    "template_key": ("CT", "POST /check-in-plan-templates"),
}
"""Which persona makes the record that a path names, and at which route."""


def a_delivery(world: World, _persona: str) -> str:
    """A delivery that was made, of the webhook."""
    if "delivery_id" not in world.ids:
        clinic_id = world.scene.clinic_id
        _, event = events.row(clinic_id, "goal.created", {})
        keys = {"webhook_id": UUID(world.id("webhook_id")), "event_id": event["id"]}
        made = keys | {"clinic_id": clinic_id, "state": "delivered", "attempts": 1}
        with db.transaction() as store:
            store.execute(events.outbox_events.insert().values(event))
            world.ids["delivery_id"] = str(store.add(webhook_deliveries, made)["id"])
    return world.ids["delivery_id"]


def an_alert(world: World, _persona: str) -> str:
    """The alert that a check-in of the patient raised."""
    if "alert_id" not in world.ids:
        world.id("check_in_id")
        listed = world.caller("CT").get("/alerts").json["items"]
        world.ids["alert_id"] = listed[0]["id"]
    return world.ids["alert_id"]


def a_dosing_session(world: World, _persona: str) -> str:
    """A dosing session of the patient that has begun, with its plan."""
    if "dosing_id" not in world.ids:
        with db.transaction():
            session = dosing.under_way(world.scene)
            dosing.planned(world.scene, session)
        world.ids["dosing_id"] = str(session["id"])
    return world.ids["dosing_id"]


IN_DOSING: set[str] = {
    *(
        f"POST /sessions/{{session_id}}/{name}"
        for name in ("doses", "vitals", "ratings", "events", "phases", "ledger")
    ),
    *(f"GET /sessions/{{session_id}}/{name}" for name in ("ledger", "monitoring", "dose-plan")),
    "PUT /sessions/{session_id}/dose-plan",
    *(f"{method} /sessions/{{session_id}}/discharge" for method in ("GET", "PUT")),
}
"""The routes whose session is a dosing session that has begun."""


def _by_core(name: str, make: Callable[[World], db.Values]) -> Callable[[World, str], str]:
    """A recipe that makes a record once, in a transaction of its own."""

    def recipe(world: World, _persona: str) -> str:
        if name not in world.ids:
            with db.transaction():
                world.ids[name] = str(make(world)["id"])
        return world.ids[name]

    return recipe


def a_project(world: World, tier: str = "B") -> db.Values:
    """A research project of the clinic's analyst, with a release that is ready."""
    body = {"title": "T", "purpose": "P", "analyst_ids": [world.scene["AY"].user_id]}
    body |= {"tier": tier}
    project = release.open_project(world.scene["PR"].actor, body)
    clinic.put_release(project | {"clinic_id": world.scene.clinic_id}, world.scene["AY"].user_id)
    return project


def a_key(world: World) -> db.Values:
    """A key of the analyst's."""
    project_id = UUID(world.id("project_id"))
    with db.transaction():
        return release.make_key(world.scene["AY"].actor, project_id, {"name": "K"})


def an_agreement(world: World) -> db.Values:
    """An agreement of the project."""
    project_id = UUID(world.id("project_id"))
    said = {"recipient": "R", "signed_on": date(2026, 1, 1)}
    with db.transaction():
        told = release.record_agreement(world.scene["PR"].actor, project_id, said)
    made: db.Values = told["agreements"][-1]
    return made


def of_agreement(world: World, _persona: str) -> str:
    """The agreement; its project is made first."""
    if "agreement_id" not in world.ids:
        world.ids["agreement_id"] = str(an_agreement(world)["id"])
    return world.ids["agreement_id"]


def of_key(world: World, _persona: str) -> str:
    """The key; its project is made first."""
    if "research_key_id" not in world.ids:
        world.ids["research_key_id"] = str(a_key(world)["id"])
    return world.ids["research_key_id"]


def a_request(world: World) -> db.Values:
    """A colleague's request to unlock a signed note of theirs."""
    who = noting.colleague(world.scene)
    note = noting.signed_note(world.scene, by=who)
    world.ids["theirs_id"] = str(note["id"])
    return notes.ask_unlock(who.actor, note["id"], {"reason": "A name."})


def a_spray(world: World) -> db.Values:
    """A dosing session in which esketamine was given."""
    session = dosing.under_way(world.scene)
    spray = {"medicine": "esketamine", "route": "intranasal", "dose_mg": 28.0}
    dosing.dose(world.scene, session, **spray)
    return session


def of_request(world: World, persona: str) -> str:
    """The note that is asked about."""
    OF_PERSONA["request_id"](world, persona)
    return world.ids["theirs_id"]


def an_emergency(world: World) -> db.Values:
    """A chart that was opened in an emergency, whose hour is over."""
    why = {"reason": "Found unconscious at the station.", "reason_code": "emergency"}
    chart, clinician = world.scene.patient["id"], world.scene["CN"].actor
    made = break_glass.break_the_glass(clinician, chart, why)
    mine = opened.break_glass.c.id == made["id"]
    over = opened.break_glass.update().where(mine).values(ends_at=clock.now())
    db.store().execute(over)
    return made


def a_second_chart(world: World) -> db.Values:
    """Another chart of the patient, of somebody who does not sign in."""
    return builders.make_patient(world.scene.clinic_id)


def a_merged_chart(world: World) -> db.Values:
    """A second chart of the patient that was merged into the first."""
    made, into = a_second_chart(world), {"into": world.scene.patient["id"], "reason": "Twice."}
    merges.merge_patient(world.scene["CA"].actor, made["id"], into)
    return made


def a_hold(world: World) -> db.Values:
    """A legal hold on the patient's chart."""
    patient_id, why = world.scene.patient["id"], {"reason": "A claim."}
    return holds.place_hold(world.scene["PR"].actor, patient_id, why)


def an_old_chart(world: World) -> db.Values:
    """The chart of somebody who was last seen fifteen years ago."""
    made = builders.make_patient(world.scene.clinic_id)
    mine = patients.update().where(patients.c.id == made["id"])
    db.store().execute(mine.values(created_at=clock.now() - timedelta(days=15 * 365)))
    return made


def a_purge(world: World) -> db.Values:
    """The proposal of another privacy officer that an old chart be removed."""
    other = builders.make_person(world.scene.clinic_id, Role.PRIVACY_OFFICER)
    said = {"patient_id": an_old_chart(world)["id"], "reason": "Its time is over."}
    return purges.propose_chart_purge(other.actor, said)


def a_disabled_user(world: World) -> db.Values:
    """A colleague who may sign in no more."""
    who = builders.make_person(world.scene.clinic_id)
    return staffing.disable_user(world.scene["CA"].actor, who.user_id)


def a_denied_request(world: World) -> db.Values:
    """An amendment that the patient asked for and did not get."""
    asked = {"record_kind": "patient", "text": "Born on the 30th."}
    made = amendments.ask_amendment(world.scene["PS"].actor, world.scene.patient["id"], asked)
    why = {"ground": "accurate_and_complete", "reason": "It is so."}
    return amendments.deny_amendment(world.scene["PR"].actor, made["id"], why)


def a_person_with_codes(world: World) -> db.Values:
    """A colleague who signs in with a second factor."""
    who = builders.make_person(world.scene.clinic_id)
    secret = second_factors.make_totp(who.actor)["secret"]
    db.store().commit()  # tries are counted in transactions of their own
    second_factors.confirm_totp(who.actor, pyotp.TOTP(secret).now())
    return {"id": who.user_id}


def a_factor_reset(world: World) -> db.Values:
    """The wish of another administrator that a colleague's second factor be removed."""
    other = builders.make_person(world.scene.clinic_id, Role.ADMINISTRATOR)
    whose = a_person_with_codes(world)["id"]
    why = {"reason": "Lost phone and codes."}
    return factor_resets.ask_for_factor_reset(other.actor, whose, why)


REMS = "/sessions/{session_id}/rems-form"
OF_SESSION = "GET /sessions/{session_id}/history"
DECIDED = "/notes/{note_id}/unlock-requests/{request_id}"
AMENDED = {
    "GET /amendment-requests/{request_id}",
    *(f"POST /amendment-requests/{{request_id}}/{deed}" for deed in ("accept", "deny", "extend")),
}
ERASURE = {
    "GET /erasure-requests/{request_id}",
    *(f"POST /erasure-requests/{{request_id}}/{deed}" for deed in ("carry-out", "refuse")),
}
INSTEAD: dict[str, tuple[str, set[str]]] = {
    "dosing_id": ("session_id", IN_DOSING),
    "sprayed_id": ("session_id", {f"GET {REMS}", f"POST {REMS}/filed", OF_SESSION}),
    "held_id": ("session_id", {"POST /sessions/{session_id}/signatures"}),
    "signed_id": ("session_id", {"GET /sessions/{session_id}/given"}),
    "draft_id": (
        "note_id",
        {"PATCH /notes/{note_id}", "DELETE /notes/{note_id}", "POST /notes/{note_id}/sign"},
    ),
    "asked_id": ("request_id", AMENDED),
    "erasure_id": ("request_id", ERASURE),
    "denied_id": ("request_id", {"POST /amendment-requests/{request_id}/disagree"}),
    "disabled_id": ("user_id", {"POST /users/{user_id}/enable"}),
    "second_id": ("patient_id", {"POST /patients/{patient_id}/merge"}),
    "merged_id": ("patient_id", {"POST /patients/{patient_id}/unmerge"}),
    "armed_id": ("user_id", {"POST /users/{user_id}/mfa-resets"}),
    "refused_id": ("reset_id", {"POST /mfa-resets/{reset_id}/withdraw"}),
    "theirs_id": ("note_id", {f"POST {DECIDED}/approve", f"POST {DECIDED}/deny"}),
}
"""The record that a path means at some routes: its name there, and which routes these are."""

OF_PERSONA: dict[str, Callable[[World, str], str]] = {
    "user_id": lambda world, _persona: str(world.scene["CT"].user_id),
    "disabled_id": _by_core("disabled_id", a_disabled_user),
    "second_id": _by_core("second_id", a_second_chart),
    "merged_id": _by_core("merged_id", a_merged_chart),
    "hold_id": _by_core("hold_id", a_hold),
    "old_id": _by_core("old_id", an_old_chart),
    "purge_id": _by_core("purge_id", a_purge),
    "break_glass_id": _by_core("break_glass_id", an_emergency),
    "denied_id": _by_core("denied_id", a_denied_request),
    "armed_id": _by_core("armed_id", a_person_with_codes),
    "reset_id": _by_core("reset_id", a_factor_reset),
    "refused_id": _by_core("refused_id", a_factor_reset),
    "clinician_id": lambda world, _persona: str(world.scene["CT"].user_id),
    "clinic_id": lambda world, _persona: str(world.scene.clinic_id),
    "key": lambda _world, _persona: "phq-9",
    "alert_id": an_alert,
    "protocol_key": lambda _world, _persona: "ketamine",
    "number": lambda _world, _persona: "1",
    "dosing_id": a_dosing_session,
    "sprayed_id": _by_core("sprayed_id", a_spray),
    "held_id": _by_core("held_id", lambda world: noting.held_session(world.scene)),
    "signed_id": _by_core("signed_id", lambda world: noting.locked_session(world.scene)),
    "note_id": _by_core("note_id", lambda world: noting.signed_note(world.scene)),
    "draft_id": _by_core("draft_id", lambda world: noting.note(world.scene)),
    "request_id": _by_core("request_id", a_request),
    "theirs_id": of_request,
    "project_id": _by_core("project_id", a_project),
    "key_id": of_key,
    "agreement_id": of_agreement,
    "name": lambda _world, _persona: "codebook.md",
    "delivery_id": a_delivery,
    "sign_in_id": lambda world, persona: str(
        world.scene["CT" if persona == "AN" else persona].sign_in_id
    ),
}
"""What a path names without it being a record of the patient."""

OF_ROUTE = {"PUT /instruments/{key}/text": {"key": "who-5"}}
"""What a path names where it must be something else than at other routes."""

AT = {"client_event_id": "a1", "measured_at": "2026-01-05T16:00:00Z"}
DOSE = {"medicine": "ketamine", "route": "intramuscular", "dose_mg": 60, "weight_kg": 75}
A_NOTE = {"kind": "progress", "text": "We spoke."}
BODIES: dict[str, Body] = {
    "POST /research/v1/projects": lambda world: {
        "title": "T",
        "purpose": "P",
        "analyst_ids": [str(world.scene["AY"].user_id)],
    },
    "PATCH /research/v1/projects/{project_id}": {"title": "U"},
    "POST /research/v1/projects/{project_id}/agreements": {
        "recipient": "R",
        "signed_on": "2026-01-01",
    },
    "POST /research/v1/projects/{project_id}/keys": {"name": "K"},
    "POST /me/mfa/totp/verify": {"otp": "123456"},
    "POST /patients": {
        "legal_name": {"given": "Cleo", "family": "Example"},
        "birth_on": "1985-05-05",
    },
    "PATCH /patients/{patient_id}": {"pronouns": "they"},
    "POST /patients/{patient_id}/break-glass": {"reason": "Found unconscious at the station."},
    "POST /break-glass/{break_glass_id}/review": {"outcome": "justified", "note": "It was."},
    "POST /patients/{patient_id}/care-team": lambda world: {
        "clinician_id": str(world.colleague.user_id),
        "role": "nurse",
    },
    "POST /patients/{patient_id}/consents": {"kind": "treatment", "text_version": "1"},
    "POST /consents/{consent_id}/reaffirm": lambda world: {"session_id": world.id("session_id")},
    "POST /patients/{patient_id}/sessions": a_session,
    **{
        f"POST /sessions/{{session_id}}/{name}": AT | more
        for name, more in {
            "doses": DOSE,
            "vitals": {"heart_rate_bpm": 72},
            "ratings": {"scale": "dissociation", "value": 4},
            "events": {"code": "nausea", "grade": 1},
            "phases": {"phase": "onset"},
        }.items()
    },
    "POST /sessions/{session_id}/notes": A_NOTE,
    "POST /patients/{patient_id}/notes": A_NOTE,
    "PATCH /notes/{note_id}": {"text": "We spoke again."},
    "POST /notes/{note_id}/addenda": {"text": "They called."},
    "POST /notes/{note_id}/unlock-requests": {"reason": "A name."},
    "POST /notes/{note_id}/hold": lambda _world: {"reason": "A name.", "expires_at": in_days(2)},
    "POST /sessions/{session_id}/signatures": {"part": "therapist"},
    "POST /sessions/{session_id}/ledger": {"entries": [{"type": "dose", **AT, **DOSE}]},
    "PUT /sessions/{session_id}/dose-plan": {
        name: value for name, value in DOSE.items() if name != "weight_kg"
    },
    "POST /protocols/{protocol_key}/versions": {"owner": "The medical director"},
    "POST /patients/{patient_id}/insights": {"text": "Rest need not be earned."},
    "PATCH /insights/{insight_id}": {"session_id": None},
    "POST /patients/{patient_id}/goals": {"title": "Say no kindly", "category": "boundaries"},
    "PATCH /goals/{goal_id}": {"matters_because": "My evenings."},
    "POST /goals/{goal_id}/practices": {"new_trail": "Take a breath"},
    "PATCH /practices/{practice_id}": {"status": "paused"},
    "POST /practices/{practice_id}/steps": {"kind": "done"},
    "PATCH /steps/{step_id}": {"kind": "partly"},
    "POST /patients/{patient_id}/moments": {"text": "I laughed instead."},
    "PATCH /moments/{moment_id}": {"hindsight": True},
    "POST /goals/{goal_id}/ratings": {"level": 1},
    "POST /steps/{step_id}/replies": {"text": "Glad to read this."},
    "POST /moments/{moment_id}/replies": {"text": "Glad to read this."},
    "POST /patients/{patient_id}/journal": {"text": "Light.", "shared_with": "care_team"},
    "PATCH /journal/{journal_id}": {"mood": 7},
    "POST /auth/step-up": {"password": builders.PASSWORD},
    "PATCH /me/preferences": {"reminder_channel": "email"},
    "PATCH /clinic": {"name": "Another Name"},
    "POST /instruments": EXAMPLE,
    "PUT /instruments/{key}/text": {
        "items": {f"who5-{number}": f"Words {number}" for number in range(1, 6)},
        "licence_statement": "By permission.",
        "holder": "Press",
        "expires_on": None,
    },
    "POST /invitations": lambda _world: {
        "email": f"{uuid4().hex}@clinic.example",
        "role": "privacy_officer",
        "display_name": "New Colleague",
    },
    "POST /patients/{patient_id}/discharge": {"reason": "treatment_completed"},
    "POST /patients/{patient_id}/merge": lambda world: {
        "into": str(world.scene.patient["id"]),
        "reason": "Admitted twice.",
    },
    "POST /patients/{patient_id}/unmerge": {"reason": "Two people."},
    "POST /patients/{patient_id}/amendment-requests": {
        "record_kind": "patient",
        "text": "My birth date is the 30th.",
    },
    "POST /erasure-requests/{request_id}/carry-out": {"reason": "It is yours."},
    "POST /erasure-requests/{request_id}/refuse": {"reason": "It must stay."},
    "POST /patients/{patient_id}/legal-holds": {"reason": "A claim."},
    "POST /chart-purges": lambda world: {
        "patient_id": world.id("old_id"),
        "reason": "Its time is over.",
    },
    "POST /patients/{patient_id}/companions": {"name": "Robin Firn"},
    "PATCH /companions/{companion_id}": {"phone": "+1 303 555 0101"},
    "POST /amendment-requests/{request_id}/deny": {
        "ground": "accurate_and_complete",
        "reason": "The card says the 31st.",
    },
    "POST /amendment-requests/{request_id}/extend": {"reason": "A leave."},
    "POST /amendment-requests/{request_id}/disagree": {"text": "It was the 30th."},
    "PATCH /users/{user_id}": {"privileges": ["administer"]},
    "POST /users/{user_id}/mfa-resets": {"reason": "Lost phone and codes."},
    "POST /clinicians/{clinician_id}/handover": lambda world: {
        "to_clinician_id": str(world.colleague.user_id),
        "reason": "A longer leave.",
    },
    "POST /rooms": {"name": "Room 2"},
    "PATCH /rooms/{room_id}": {"note": "The lamp is mended."},
    "POST /clients": CLIENT,
    "PATCH /clients/{client_id}": {"scopes": ["system/Patient.rs"]},
    "POST /webhooks": {"url": "https://hooks.clinic.example/", "events": ["goal.created"]},
    "PATCH /webhooks/{webhook_id}": {"enabled": False},
    "PATCH /sessions/{session_id}": {"room": "Room 3"},
    "PUT /sessions/{session_id}/discharge": {"oriented": True},
    "PUT /sessions/{session_id}/setting": {"intention": "To rest."},
    "POST /sessions/{session_id}/attestation-links": {"kind": "escort"},
    "POST /patients/{patient_id}/courses": {
        "medicine": "ketamine",
        "route": "intramuscular",
        "planned_doses": 6,
    },
    "PATCH /courses/{course_id}": {"planned_doses": 4},
    "POST /patients/{patient_id}/screenings": {"item": "pregnancy", "answer": "no"},
    "PATCH /screenings/{screening_id}": {"note": "Test of today."},
    "POST /screenings/{screening_id}/sign": {"decision": "no_concern"},
    "POST /patients/{patient_id}/allergies": {"substance": "Latex"},
    "PATCH /allergies/{allergy_id}": {"status": "resolved"},
    "POST /patients/{patient_id}/medications": {"name": "Sertraline"},
    "PATCH /medications/{medication_id}": {"status": "stopped"},
    "POST /patients/{patient_id}/diagnoses": {"code": "F33.1"},
    "PATCH /diagnoses/{diagnosis_id}": {"status": "resolved"},
    "POST /sessions/{session_id}/cancel": {"reason": "patient_asked"},
    "POST /sessions/{session_id}/no-show": {"reason": "did_not_come"},
    "POST /patients/{patient_id}/check-ins": {"instrument": "phq-9", "answers": {"phq9-9": 2}},
    "PATCH /check-ins/{check_in_id}": {"answers": {"phq9-1": 1}},
    "POST /patients/{patient_id}/check-in-plans": {"instrument": "phq-9", "rule": "once"},
    "POST /patients/{patient_id}/check-in-plans/from-template": {"template": "maintenance"},
    "PATCH /check-in-plans/{plan_id}": {"answer_within_days": 4},
    "POST /check-in-plan-templates": {"copy_of": "maintenance"},
    "PATCH /check-in-plan-templates/{template_key}": {"title": "Ours"},
    "POST /patients/{patient_id}/check-in-links": {"instrument": "gad-7"},
    "POST /check-ins/{check_in_id}/corrections": {"answers": {"phq9-1": 1}, "reason": "Misread."},
    "POST /alerts/{alert_id}/acknowledge": {"note": "I am calling."},
    "POST /alerts/{alert_id}/resolve": {"note": "We spoke."},
    "PUT /on-call": {"shifts": [], "channel": "sms"},
}
"""The least body of every route that takes one."""

QUERIES: dict[str, str | Callable[[World], str]] = {
    "GET /clinic/outcomes": "?by=month",
    "GET /patients/{patient_id}/outcomes": "?instrument=phq-9",
    "GET /patients/{patient_id}/outcomes.svg": "?instrument=phq-9",
    "GET /research/v1/projects/{project_id}/cube": "?cut=course",
    "GET /research/v1/projects/{project_id}/cube.svg": "?cut=course",
    "GET /sessions": lambda world: f"?from={in_days(29)[:10]}&to={in_days(31)[:10]}",
}
"""The least query of every route that needs one."""

BEFORE: dict[str, tuple[str, ...]] = {
    "POST /sessions/{session_id}/start": ("POST /sessions/{session_id}/arrive",),
    "POST /sessions/{session_id}/complete": (
        "POST /sessions/{session_id}/arrive",
        "POST /sessions/{session_id}/start",
    ),
    "POST /sessions/{session_id}/reopen": ("POST /sessions/{session_id}/cancel",),
    "POST /check-ins/{check_in_id}/corrections": ("POST /check-ins/{check_in_id}/complete",),
    "POST /alerts/{alert_id}/resolve": ("POST /alerts/{alert_id}/acknowledge",),
    "POST /patients/{patient_id}/readmit": ("POST /patients/{patient_id}/discharge",),
    "DELETE /notes/{note_id}/hold": ("POST /notes/{note_id}/hold",),
}
"""What the care team does first, so that the record is in the state a route asks for."""

SEEDED: dict[str, tuple[str, ...]] = {
    "GET /research/v1/projects": ("project_id",),
    "GET /patients/{patient_id}/consents": ("consent_id",),
    "GET /break-glass": ("break_glass_id",),
    "GET /patient-merges": ("merged_id",),
    "GET /audit-events": ("check_in_id",),
    "GET /patients/{patient_id}/care-team": ("membership_id",),
    "GET /patients/{patient_id}/sessions": ("session_id",),
    "GET /sessions": ("session_id",),
    "GET /dosing-board": ("dosing_id",),
    "GET /patients/{patient_id}/courses": ("course_id",),
    "GET /patients/{patient_id}/amendment-requests": ("asked_id",),
    "GET /patients/{patient_id}/erasure-requests": ("erasure_id",),
    "GET /patients/{patient_id}/legal-holds": ("hold_id",),
    "GET /retention": ("old_id",),
    "GET /chart-purges": ("purge_id",),
    "GET /patients/{patient_id}/companions": ("companion_id",),
    "GET /patients/{patient_id}/notes": ("note_id",),
    "GET /invitations": ("invitation_id",),
    "GET /mfa-resets": ("reset_id",),
    "GET /webhooks": ("webhook_id",),
    "GET /rooms": ("room_id",),
    "GET /clients": ("client_id",),
    "GET /patients/{patient_id}/check-ins": ("check_in_id",),
    "GET /alerts": ("alert_id",),
    "GET /patients/{patient_id}/check-in-plans": ("plan_id",),
    "GET /check-in-plan-templates": ("template_key",),
}
"""Which records there must be before a list is worth asking for."""

MARKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "GET /research/v1/projects": ("project_id", ("PR", "AY")),
    "GET /clinic": ("clinic_id", ("CA",)),
    "GET /break-glass": ("break_glass_id", ("CN", "PR")),
    "GET /patient-merges": ("merged_id", ("CA", "PR")),
    "GET /retention": ("old_id", ("CA", "PR")),
    "GET /chart-purges": ("purge_id", ("CA", "PR")),
    "GET /audit-events": ("check_in_id", ("PR",)),
    "GET /clinicians": ("user_id", ("CT", "CN", "CA")),
    "GET /check-in-plan-templates": ("template_key", ("CT", "CN")),
    "GET /invitations": ("invitation_id", ("CA",)),
    "GET /mfa-resets": ("reset_id", ("CA",)),
    "GET /alerts": ("alert_id", ("CT",)),
    "GET /worklist": ("patient_id", ("CT",)),
    "GET /dosing-board": ("patient_id", ("CT",)),
    "GET /webhooks": ("webhook_id", ("CA",)),
    "GET /rooms": ("room_id", ("CT", "CN", "CA")),
    "GET /clients": ("client_id", ("CA",)),
}
"""By which id an L shows that a row of this clinic is there, and for whom it must be."""

SESSION_NOTES = ("reason", "also_covered", "arrived_at", "started_at", "closed_at", "moved_at")
STAFFS_OWN = ("window", "basis", "thresholds", "monitoring_points", "discharge", "versions")
FLAG_RULES = ("cutoffs", "derived", "safety_rules")
SCORES = ("scores", "flags", "prorated_total", "recorded_by")
NO_NUMBERS = (*SCORES, "total", "band", "answers")
GAS_WEIGHT = ("attainment_weight",)
ENDS = ("closes_on", "phases", "ended_by", "needs", "truncated", "dosed_at")
WEIGHED = ("rationale", "practice", "sessions", "cumulative_dose_mg")
OF_DOSES = tuple(
    f"values.{name}"
    for name in (
        *("first_dose_at", "last_dose_at", "esketamine_at", "window_days", "overrides"),
        *("protocol_key", "protocol_version"),
    )
)
OF_NOTES = ("hold", "unlocks", "allowed", "entry")
HIDDEN: dict[str, dict[str, tuple[str, ...]]] = {
    "GET /patients/{patient_id}/amendment-requests": {"PS": ("overdue",)},
    "GET /patients/{patient_id}/erasure-requests": {"PS": ("overdue",)},
    "POST /patients/{patient_id}/erasure-requests": {"PS": ("overdue",)},
    "GET /erasure-requests/{request_id}": {"PS": ("overdue",)},
    "GET /amendment-requests/{request_id}": {"PS": ("overdue",)},
    "GET /sessions/{session_id}/notes": {"PS": OF_NOTES},
    "GET /patients/{patient_id}/notes": {"PS": OF_NOTES},
    "GET /notes/{note_id}": {"PS": OF_NOTES},
    "GET /instruments/{key}": dict.fromkeys(("PS", "PO", "XP"), FLAG_RULES),
    "GET /patients/{patient_id}/check-ins": {"PS": SCORES},
    "GET /patients/{patient_id}/outcomes": {"PS": ("current",)},
    "POST /patients/{patient_id}/check-ins": {"PS": NO_NUMBERS},
    "GET /check-ins/{check_in_id}": {"PS": SCORES},
    "PATCH /check-ins/{check_in_id}": {"PS": NO_NUMBERS},
    "POST /check-ins/{check_in_id}/complete": {"PS": NO_NUMBERS},
    "GET /patients/{patient_id}/sessions": {"PS": SESSION_NOTES},
    "GET /sessions/{session_id}": {"PS": SESSION_NOTES},
    "POST /sessions/{session_id}/cancel": {"PS": SESSION_NOTES},
    "GET /patients/{patient_id}/goals": {"PS": GAS_WEIGHT},
    "POST /patients/{patient_id}/goals": {"PS": GAS_WEIGHT},
    "GET /goals/{goal_id}": {"PS": GAS_WEIGHT},
    "PATCH /goals/{goal_id}": {"PS": GAS_WEIGHT},
    "GET /patients/{patient_id}/courses": {"PS": WEIGHED},
    "GET /courses/{course_id}": {"PS": WEIGHED},
    "GET /patients/{patient_id}/lineage": {"PS": ("orphans",)},
    "GET /patients/{patient_id}/windows": {"PS": ENDS},
    "GET /protocols": dict.fromkeys(("PS", "PO", "XP"), STAFFS_OWN),
    "GET /protocols/{protocol_key}": dict.fromkeys(("PS", "PO", "XP"), STAFFS_OWN),
    "GET /patients/{patient_id}": {"CA": ("diagnoses",)},
    "PATCH /patients/{patient_id}": {"CA": ("diagnoses",)},
    "GET /patients/{patient_id}/care-team": {"PS": ("reason",)},
    "GET /patients/{patient_id}/care-team/{membership_id}": {"PS": ("reason",)},
    "GET /patients/{patient_id}/consents": {"CA": ("reason",)},
    "GET /consents/{consent_id}": {"CA": ("reason",)},
    "GET /patients/{patient_id}/history": {"CA": ("values.diagnoses",)},
    "GET /consents/{consent_id}/history": {"CA": ("values.reason",)},
    OF_SESSION: {"CA": OF_DOSES},
}
"""What an F hides: null or left out, in a record and in every row of a list."""


def shows(row: Any, name: str) -> bool:
    """Whether a row of an answer shows a field; `a.b` is a field within a field."""
    for part in name.split("."):
        row = row.get(part) if isinstance(row, dict) else None
    return row is not None
